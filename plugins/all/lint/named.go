package lint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/rules"
)

// maxDepth bounds how deep a config is looked into.
const maxDepth = 200

// linted are the files of one run of the linter.
type linted struct {
	// files are those that are reported by themselves; what is wrong inside them is not said twice.
	files map[string]bool
	// caches are the labels of all cache resources.
	caches map[string]bool
	// inPart is true where some label is only known when the config runs.
	inPart bool
}

// readAll takes note of the files and of the caches that configs among them have.
func readAll(paths []string, contents [][]byte, reports []Report) linted {
	all := linted{files: map[string]bool{}, caches: map[string]bool{}}
	for i, path := range paths {
		all.files[absolute(path)] = true
		if reports[i].Kind != Config {
			continue
		}
		for _, resource := range sequence(child(parse(contents[i]), "cache_resources")) {
			label := child(resource, "label")
			if label == nil {
				continue
			}
			text, known := expand(label.Value)
			all.inPart = all.inPart || !known
			all.caches[text] = true
		}
	}
	return all
}

// named checks what a config names by path or label: rule files, overrides and lists of each correlate, and caches.
type named struct {
	path   string
	all    linted
	whole  bool // the config has inputs and outputs, so its caches should be there
	found  []Finding
	inline []*rule.Rule
	// positions are the lines of the inputs that keep a position, by the keys under which they do.
	positions map[string]int
}

func (all linted) named(path string, data []byte) []Finding {
	root := parse(data)
	n := &named{path: path, all: all, whole: child(root, "input") != nil && child(root, "output") != nil, positions: map[string]int{}}
	n.inline, _ = rule.Inline(path, data)
	n.walk(root, 0)
	return n.found
}

func (n *named) say(at *yaml.Node, format string, args ...any) {
	n.found = append(n.found, Finding{File: n.path, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
}

// problems reports what is wrong in files that are not reported by themselves.
func (n *named) problems(problems rule.Problems) {
	for _, f := range ofProblems(problems) {
		if f.File == n.path || !n.all.files[absolute(f.File)] {
			n.found = append(n.found, f)
		}
	}
}

// walk finds components that name something.
func (n *named) walk(at *yaml.Node, depth int) {
	if at == nil || depth > maxDepth {
		return
	}
	for i, c := range at.Content {
		if at.Kind == yaml.MappingNode && i%2 == 1 && c.Kind == yaml.MappingNode {
			name := at.Content[i-1].Value
			n.scalars(c, scalarsOf(name), "", 0)
			switch {
			case name == "correlate":
				n.correlate(at.Content[i-1], c)
				n.cache(c, "state_cache")
			case strings.HasPrefix(name, "oci_"):
				n.cache(c, "checkpoint_cache")
				n.position(at.Content[i-1], c)
			}
		}
		n.walk(c, depth+1)
	}
}

// cache checks the label of a cache.
func (n *named) cache(fields *yaml.Node, name string) {
	at := child(fields, name)
	if at == nil || at.Kind != yaml.ScalarNode || !n.whole || n.all.inPart {
		return
	}
	label, known := expand(at.Value)
	if label == "" || !known || n.all.caches[label] {
		return
	}
	n.say(at, "%s: no cache resource is labeled %q: add one under cache_resources, or lint the file that has it as well", name, label)
}

// correlate checks the files that a correlate reads, as it does when it starts.
func (n *named) correlate(key, fields *yaml.Node) {
	complete := true
	var all []*rule.Rule
	for _, pack := range sequence(child(fields, "packs")) {
		some, _ := rule.Pack(rules.FS, pack.Value) // the schema's linter names packs that are not there
		all = append(all, some...)
	}
	for _, item := range sequence(child(fields, "rule_files")) {
		some, ok := n.ruleFiles(item)
		complete = complete && ok
		all = append(all, some...)
	}
	all = append(all, n.inline...)
	n.problems(rule.Duplicates(all))
	var overrides []*rule.Overrides
	for _, item := range sequence(child(fields, "overrides")) {
		file, data, ok := n.read(item, "overrides")
		if !ok {
			complete = false
			continue
		}
		o, problems := rule.ParseOverrides(file, data)
		n.problems(problems)
		complete = complete && len(problems.Errors()) == 0
		overrides = append(overrides, o)
	}
	// An override of a rule that could not be read is not wrong for that.
	if complete {
		applied, problems := rule.Apply(all, overrides...)
		n.problems(problems)
		all = applied
	}
	n.lists(key, child(fields, "lists"), all)
}

// ruleFiles reads the rules of one path or glob; false where it cannot be known which rules these are.
func (n *named) ruleFiles(at *yaml.Node) ([]*rule.Rule, bool) {
	glob, known := expand(at.Value)
	if !known || at.Kind != yaml.ScalarNode {
		return nil, false
	}
	for _, base := range n.bases(glob) {
		files, err := rule.Files(filepath.Join(base, glob))
		if err != nil || len(files) == 0 {
			continue
		}
		all, problems := rule.LoadFiles([]string{filepath.Join(base, glob)})
		if len(all) == 0 && len(problems) == 0 {
			break
		}
		n.problems(problems)
		return all, len(problems.Errors()) == 0
	}
	n.say(at, "rule_files: no rule file matches %s, from here or from the folder of this config", glob)
	return nil, false
}

// lists checks list files, and that each list is there which a rule asks.
func (n *named) lists(key, at *yaml.Node, all []*rule.Rule) {
	have, named := map[string]match.List{}, map[string]bool{}
	for i := 0; at != nil && at.Kind == yaml.MappingNode && i+1 < len(at.Content); i += 2 {
		name, item := at.Content[i].Value, at.Content[i+1]
		named[name] = true
		file, data, ok := n.read(item, "lists."+name)
		if !ok {
			continue
		}
		l, err := match.ParseList(file, data)
		if err == nil {
			have[name] = l
			continue
		}
		for text := range strings.SplitSeq(err.Error(), "\n") {
			if f := placed(file, text); !n.all.files[absolute(file)] {
				n.found = append(n.found, f)
			}
		}
	}
	for _, r := range all {
		if !r.Enabled {
			continue
		}
		for _, name := range r.Lists() {
			if !named[name] {
				n.say(key, "rule %s uses the list %%%s%%, which `lists` does not have: write `lists: {%s: ./%s.txt}`", r.ID, name, name, name)
			}
		}
	}
	n.problems(match.CheckTables(all, have))
}

// read reads a file that the config names; false where it is not there or its name not known.
func (n *named) read(at *yaml.Node, field string) (path string, data []byte, ok bool) {
	name, known := expand(at.Value)
	if !known || at.Kind != yaml.ScalarNode {
		return "", nil, false
	}
	err := errors.New("it has no name")
	for _, base := range n.bases(name) {
		path = filepath.Join(base, name)
		if data, err = os.ReadFile(path); err == nil {
			return path, data, true
		}
	}
	n.say(at, "%s: reading the file: %v", field, plain(err, name))
	return "", nil, false
}

// plain is an error about a file without where it was looked for last.
func plain(err error, name string) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no %s, from here or from the folder of this config", name)
	}
	return err
}

// bases are the folders from which the config may be run: this one, the config's own, and those above it.
func (n *named) bases(path string) []string {
	if path == "" {
		return nil
	}
	if filepath.IsAbs(path) {
		return []string{""}
	}
	all := []string{"."}
	for dir := filepath.Dir(absolute(n.path)); ; dir = filepath.Dir(dir) {
		all = append(all, relative(dir))
		if dir == filepath.Dir(dir) {
			return all
		}
	}
}

// relative is a folder as it is seen from here, where it is not above.
func relative(dir string) string {
	here, err := os.Getwd()
	if err != nil {
		return dir
	}
	rest, err := filepath.Rel(here, dir)
	if err != nil || strings.HasPrefix(rest, "..") {
		return dir
	}
	return rest
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

var variable = regexp.MustCompile(`\$\{([0-9A-Za-z_.]+)(:([^{}]*))?\}`)

// expand replaces environment variables that have a value or a default; false where another is left.
func expand(text string) (string, bool) {
	text = variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		if value := os.Getenv(parts[1]); value != "" {
			return value
		}
		if parts[2] == "" {
			return found
		}
		return parts[3]
	})
	return text, !strings.Contains(text, "${")
}

// parse reads a config; nil where it is no YAML, which its own linter says.
func parse(data []byte) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

// child gives the value of a key, nil where there is none.
func child(at *yaml.Node, name string) *yaml.Node {
	if at == nil || at.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(at.Content); i += 2 {
		if at.Content[i].Value != name {
			continue
		}
		if value := at.Content[i+1]; value.Kind != yaml.AliasNode {
			return value
		}
		return at.Content[i+1].Alias
	}
	return nil
}

// sequence gives the items of a list.
func sequence(at *yaml.Node) []*yaml.Node {
	if at == nil || at.Kind != yaml.SequenceNode {
		return nil
	}
	return at.Content
}
