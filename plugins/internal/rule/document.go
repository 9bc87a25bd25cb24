package rule

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/expr"
)

// Limits of a file: rules are data from others.
const (
	maxFile  = 1 << 20
	maxNodes = 50_000
	maxDepth = 32
	maxText  = 16 << 10
)

// document is a YAML file that is being read; it gathers everything that is wrong with it.
type document struct {
	file     string
	lines    []string
	problems Problems
}

func (d *document) position(n *yaml.Node) Position {
	return Position{File: d.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

// errorf notes an error at n.
func (d *document) errorf(n *yaml.Node, format string, args ...any) {
	d.errorAt(d.position(n), format, args...)
}

func (d *document) errorAt(at Position, format string, args ...any) {
	d.problems = append(d.problems, Problem{Pos: at, Text: fmt.Sprintf(format, args...)})
}

func (d *document) warnf(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{Pos: d.position(n), Text: fmt.Sprintf(format, args...), Warning: true})
}

// within gives the position of a byte of a scalar's text, or of the scalar where the text is not written as it is.
func (d *document) within(n *yaml.Node, offset int) Position {
	at := d.position(n)
	if offset > len(n.Value) || at.Line > len(d.lines) {
		return at
	}
	before := n.Value[:offset]
	if n.Style&yaml.LiteralStyle != 0 {
		return d.withinBlock(at, before)
	}
	line := []rune(d.lines[at.Line-1])
	start := at.Column - 1
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		start++
	}
	if start > len(line) || strings.Contains(before, "\n") || !strings.HasPrefix(string(line[start:]), before) {
		return at
	}
	at.Column = start + 1 + utf8.RuneCountInString(before)
	return at
}

// withinBlock gives the position behind a part of the text of a block (`|`), which begins in the line after at.
func (d *document) withinBlock(at Position, before string) Position {
	below := strings.Count(before, "\n")
	last := before[strings.LastIndexByte(before, '\n')+1:]
	if at.Line+below >= len(d.lines) {
		return at
	}
	first := d.lines[at.Line]
	indent := len(first) - len(strings.TrimLeft(first, " "))
	if line := d.lines[at.Line+below]; len(line) < indent || !strings.HasPrefix(line[indent:], last) {
		return at
	}
	at.Line += below + 1
	at.Column = indent + 1 + utf8.RuneCountInString(last)
	return at
}

// expressionError notes an error of package expr in the text of n, of which the expression begins at byte start.
func (d *document) expressionError(n *yaml.Node, start int, err error) {
	var e *expr.Error
	if errors.As(err, &e) {
		if unclosed(n) && start+e.Offset >= len(n.Value) {
			e = &expr.Error{Offset: e.Offset, Text: e.Text + " (in {...} and [...] YAML cuts at commas: put the expression in quotes)"}
		}
		d.errorAt(d.within(n, start+e.Offset), "%s", e.Text)
		return
	}
	d.errorf(n, "%v", err)
}

// open parses the YAML of a file; nil where it is none, and the reason is noted.
func open(file string, data []byte) (*document, *yaml.Node) {
	d := &document{file: file}
	start := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxFile {
		d.errorf(start, "the file is larger than %d KiB", maxFile>>10)
		return d, nil
	}
	if !utf8.Valid(data) {
		d.errorf(start, "the file is not valid UTF-8")
		return d, nil
	}
	d.lines = strings.Split(string(data), "\n")
	root, err := parseYAML(data)
	if err != nil {
		line, text := yamlError(err)
		at := &yaml.Node{Line: line, Column: 1}
		if _, name, ok := strings.Cut(text, "unknown anchor '"); ok { // the library does not say where
			name, _, _ = strings.Cut(name, "'")
			at = d.find("*" + name)
		}
		d.errorf(at, "%s", text)
		return d, nil
	}
	if root == nil {
		d.errorf(start, "the file is empty")
		return d, nil
	}
	count := 0
	if !d.check(root, 0, &count) {
		return d, nil
	}
	return d, root
}

// find gives the place of a text's first occurrence.
func (d *document) find(text string) *yaml.Node {
	for i, line := range d.lines {
		if before, _, ok := strings.Cut(line, text); ok {
			return &yaml.Node{Line: i + 1, Column: utf8.RuneCountInString(before) + 1}
		}
	}
	return &yaml.Node{Line: 1, Column: 1}
}

// parseYAML reads the one document of a file; nil where there is none.
func parseYAML(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil { // the YAML library has panicked on broken input before
			root, err = nil, fmt.Errorf("yaml: this cannot be read: %v", r)
		}
	}()
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("yaml: line %d: a file holds one document: remove the `---` before this", second.Line)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	return doc.Content[0], nil
}

// yamlError gives the line and the text of an error of the YAML library.
func yamlError(err error) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	rest, ok := strings.CutPrefix(text, "line ")
	if !ok {
		return 1, "reading YAML: " + text + yamlHint(text)
	}
	number, message, _ := strings.Cut(rest, ": ")
	message += yamlHint(message)
	line, err := strconv.Atoi(number)
	if err != nil {
		return 1, "reading YAML: " + text
	}
	return line, "reading YAML: " + message
}

// yamlHint says what authors of rules most often mean by the YAML that cannot be read.
func yamlHint(message string) string {
	switch {
	case strings.Contains(message, "unknown anchor"), strings.Contains(message, "expected alphabetic or numeric"):
		return " (a text that begins with * or & stands in quotes)"
	case strings.Contains(message, "cannot start any token"):
		return " (a text that begins with %, @ or ` stands in quotes, and tabs cannot indent)"
	case strings.Contains(message, "expected ',' or '}'"), strings.Contains(message, "expected <block end>"), strings.Contains(message, "expected key"):
		return " (a text that begins with { or a quote stands in quotes as a whole)"
	}
	return ""
}

// check refuses what could make a small file large, or a deep one deeper than we can follow.
func (d *document) check(n *yaml.Node, depth int, count *int) bool {
	*count++
	switch {
	case *count > maxNodes:
		d.errorf(n, "the file has more than %d values", maxNodes)
		return false
	case depth > maxDepth:
		d.errorf(n, "the file is nested deeper than %d levels", maxDepth)
		return false
	case n.Kind == yaml.AliasNode:
		d.errorf(n, "aliases are not read here: write the value of *%s out, or put a text that begins with * in quotes", n.Value)
		return false
	case n.Kind == yaml.ScalarNode && len(n.Value) > maxText:
		d.errorf(n, "the text is longer than %d KiB", maxText>>10)
		return false
	}
	for _, c := range n.Content {
		if !d.check(c, depth+1, count) {
			return false
		}
	}
	return true
}

// entry is one key of a mapping with its value.
type entry struct {
	name  string
	key   *yaml.Node
	value *yaml.Node
}

// mapping gives the entries of a mapping; a key that is set twice is an error. what names it in errors.
func (d *document) mapping(n *yaml.Node, what string) []entry {
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "%s is a mapping of names to values, not %s", what, kindOf(n))
		return nil
	}
	first := map[string]int{}
	var entries []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			d.errorf(key, "a name in %s is a text, not %s", what, kindOf(key))
			continue
		}
		if line, twice := first[key.Value]; twice {
			d.errorf(key, "%q is set twice: first at line %d", key.Value, line)
			continue
		}
		first[key.Value] = key.Line
		entries = append(entries, entry{name: key.Value, key: key, value: n.Content[i+1]})
	}
	return entries
}

// bindings gives the entries of a mapping of names to expressions. In {...} YAML cuts at every comma, so that
// {users: values(user.name, 20)} has the entries `users: values(user.name` and `20)`: they are put together again.
func (d *document) bindings(n *yaml.Node, what string) []entry {
	if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle == 0 {
		return d.mapping(n, what)
	}
	whole := *n
	whole.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if last := len(whole.Content) - 1; last > 0 && value.Tag == "!!null" && value.Value == "" && plainScalar(key) && unclosed(whole.Content[last]) {
			joined := *whole.Content[last]
			joined.Value += ", " + key.Value
			joined.Tag = "!!str"
			whole.Content[last] = &joined
			continue
		}
		whole.Content = append(whole.Content, key, value)
	}
	return d.mapping(&whole, what)
}

func plainScalar(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Style == 0 }

// unclosed says whether a scalar without quotes has a parenthesis that is not closed.
func unclosed(n *yaml.Node) bool {
	return plainScalar(n) && strings.Count(n.Value, "(")+strings.Count(n.Value, "[") > strings.Count(n.Value, ")")+strings.Count(n.Value, "]")
}

// items gives the elements of a list, or the one value that stands in its place.
func (*document) items(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// text gives a scalar as it is written; false, and an error, for anything else and for nothing.
func (d *document) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		d.errorf(n, "%s is a text, not %s", what, kindOf(n))
		return "", false
	}
	return n.Value, true
}

// texts gives a list of texts.
func (d *document) texts(n *yaml.Node, what string) []string {
	if n.Kind != yaml.SequenceNode {
		d.errorf(n, "%s is a list, not %s", what, kindOf(n))
		return nil
	}
	list := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		if s, ok := d.text(item, "an item of "+what); ok {
			list = append(list, s)
		}
	}
	return list
}

func (d *document) truth(n *yaml.Node, what string) (value, ok bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" && n.Decode(&value) == nil {
		return value, true
	}
	d.errorf(n, "%s is true or false, not %s", what, kindOf(n))
	return false, false
}

// choice gives one of some words; a word that is none of them is an error with the nearest.
func (d *document) choice(n *yaml.Node, what string, words []string) (string, bool) {
	s, ok := d.text(n, what)
	if !ok {
		return "", false
	}
	if slices.Contains(words, s) {
		return s, true
	}
	d.errorf(n, "%s is one of %s, not %q%s", what, strings.Join(words, ", "), s, didYouMean(s, words))
	return "", false
}

// unknown notes that a key is none of those that are known here.
func (d *document) unknown(e entry, what string, known []string) {
	if hint := hints[e.name]; hint != "" && !slices.Contains(known, e.name) {
		d.errorf(e.key, "unknown key %q in %s: %s", e.name, what, hint)
		return
	}
	near := expr.Nearest(e.name, known)
	if near == "" {
		d.errorf(e.key, "unknown key %q in %s: known are %s", e.name, what, strings.Join(known, ", "))
		return
	}
	d.errorf(e.key, "unknown key %q in %s: did you mean %q?", e.name, what, near)
}

// hints say what stands for the words of other rule languages.
var hints = map[string]string{
	"level":     "did you mean \"severity\"?",
	"timeframe": "did you mean \"window\"?",
	"timespan":  "did you mean \"window\"?",
	"logsource": "write data_sources, and the class of events into `match`",
	"condition": "did you mean \"when\"? (or a `detection` with its `condition`)",
	"group-by":  "did you mean \"group_by\"?",
	"tests":     "tests stand in <id>_test.yaml, under `cases`",
	"cases":     "tests stand in <id>_test.yaml",
	"threshold": "write `having: count() >= 5`",
}

func didYouMean(written string, names []string) string {
	if near := expr.Nearest(written, names); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" || n.Value == "" {
			return "empty"
		}
		return strconv.Quote(shorten(n.Value))
	case yaml.DocumentNode, yaml.AliasNode:
	}
	return "something else"
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}
