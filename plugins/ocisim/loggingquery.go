package ocisim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// logQuery is a query of Logging Search, in the part of Oracle's language that the simulator knows:
//
//	search "<compartment>[/<log group>[/<log>]]" [, "..."]
//	    | where <field> = <value> and (<field> != <value> or isNull(<field>))
//	    | sort by datetime desc
//
// The word where may be left out. Texts stand in single quotes and are compared without case; anything else is refused.
type logQuery struct {
	streams            []logStream
	where              []logTest
	sorted, descending bool
}

// logStream is what a query searches: all logs of a compartment, or of one of its log groups, or one log.
type logStream struct{ compartment, group, log string }

// wants reports whether the query asks for an event.
func (q logQuery) wants(content []byte) bool {
	if len(q.where) == 0 {
		return true
	}
	var doc map[string]any
	if json.Unmarshal(content, &doc) != nil {
		return false
	}
	for _, test := range q.where {
		if !test(doc) {
			return false
		}
	}
	return true
}

// logTest is a condition of a query.
type logTest func(doc map[string]any) bool

// logToken is a word of a query. Its kind is one of: w (a bare word), s (a text in single quotes), q (in double quotes),
// n (a number), or the character or pair of characters that it is; "" at the end.
type logToken struct {
	kind, text string
	at         int // where it begins, from 1
}

// isValue reports whether the token is a text, a number or a truth value.
func (t logToken) isValue() bool {
	return t.kind == "s" || t.kind == "n" || t.kind == "w" && (t.text == "true" || t.text == "false")
}

// parseLogQuery reads a query, or says what in it is beyond the simulator.
func parseLogQuery(text string) (logQuery, error) {
	tokens, err := logTokens(text)
	if err != nil {
		return logQuery{}, err
	}
	p := &logParser{tokens: tokens}
	var q logQuery
	if !p.word("search") {
		return q, p.want("search")
	}
	for first := true; first || p.take(",") || p.peek().kind == "q"; first = false {
		t := p.next()
		parts := strings.Split(t.text, "/")
		if t.kind != "q" || len(parts) > 3 || parts[0] == "" {
			return q, fmt.Errorf("at %d: want \"compartment/log group/log\"", t.at)
		}
		parts = append(parts, "", "")
		q.streams = append(q.streams, logStream{parts[0], parts[1], parts[2]})
	}
	for p.peek().kind != "" {
		if !p.take("|") {
			return q, p.want("|")
		}
		if err := p.stage(&q); err != nil {
			return q, err
		}
	}
	return q, nil
}

// logParser reads tokens.
type logParser struct {
	tokens []logToken
	depth  int
}

func (p *logParser) peek() logToken { return p.tokens[0] }

func (p *logParser) next() logToken {
	t := p.tokens[0]
	if t.kind != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

// take takes a token of the kind, if it is the next one.
func (p *logParser) take(kind string) bool {
	if p.peek().kind != kind {
		return false
	}
	p.next()
	return true
}

// word takes a word, if it is the next token.
func (p *logParser) word(text string) bool {
	if t := p.peek(); t.kind != "w" || !strings.EqualFold(t.text, text) {
		return false
	}
	p.next()
	return true
}

func (p *logParser) want(what string) error {
	t := p.peek()
	if t.kind == "" {
		return fmt.Errorf("it ends where %s should stand", what)
	}
	return fmt.Errorf("at %d: got %q, want %s", t.at, t.text, what)
}

// stage reads what follows a |.
func (p *logParser) stage(q *logQuery) error {
	if p.word("sort") {
		if !p.word("by") || !p.word("datetime") {
			return p.want("sort by datetime")
		}
		q.sorted, q.descending = true, p.word("desc")
		if !q.descending {
			p.word("asc")
		}
		return nil
	}
	if t := p.peek(); t.kind == "w" && logStages[strings.ToLower(t.text)] {
		return fmt.Errorf("at %d: the simulator knows no %s, only where and sort by datetime", t.at, t.text)
	}
	p.word("where")
	test, err := p.either()
	if err == nil {
		q.where = append(q.where, test)
	}
	return err
}

// logStages are words of Oracle's language that begin a stage and are not a field.
var logStages = map[string]bool{
	"select": true, "extend": true, "summarize": true, "count": true, "sum": true, "avg": true, "min": true, "max": true,
	"rollup": true, "top": true, "limit": true, "dedup": true, "mv": true,
}

// either reads tests joined by or, which binds less than and.
func (p *logParser) either() (logTest, error) {
	left, err := p.both()
	for err == nil && p.word("or") {
		var right logTest
		before := left
		if right, err = p.both(); err == nil {
			left = func(doc map[string]any) bool { return before(doc) || right(doc) }
		}
	}
	return left, err
}

func (p *logParser) both() (logTest, error) {
	left, err := p.test()
	for err == nil && p.word("and") {
		var right logTest
		before := left
		if right, err = p.test(); err == nil {
			left = func(doc map[string]any) bool { return before(doc) && right(doc) }
		}
	}
	return left, err
}

// maxLogDepth bounds how deep parentheses may stand in each other.
const maxLogDepth = 50

func (p *logParser) test() (logTest, error) {
	if p.take("(") {
		if p.depth++; p.depth > maxLogDepth {
			return nil, errors.New("the parentheses stand too deep in each other")
		}
		inside, err := p.either()
		p.depth--
		if err == nil && !p.take(")") {
			return nil, p.want(")")
		}
		return inside, err
	}
	if p.word("isNull") {
		if !p.take("(") {
			return nil, p.want("(")
		}
		path, err := p.path()
		if err == nil && !p.take(")") {
			return nil, p.want(")")
		}
		return func(doc map[string]any) bool { return look(doc, path) == nil }, err
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	operator := p.next()
	if operator.kind != "=" && operator.kind != "!=" {
		return nil, fmt.Errorf("at %d: got %q behind a field, want = or !=", operator.at, operator.text)
	}
	value := p.next()
	switch {
	case !value.isValue():
		return nil, fmt.Errorf("at %d: got %q, want a text in single quotes, a number, true or false", value.at, value.text)
	case value.kind == "s" && strings.Contains(value.text, "*"):
		return nil, fmt.Errorf("at %d: the simulator knows no wildcards", value.at)
	}
	return func(doc map[string]any) bool {
		have := look(doc, path)
		// As in SQL, what is not there is neither equal nor unequal.
		return have != nil && sameValue(have, value) == (operator.kind == "=")
	}, nil
}

// path reads a field: names joined by dots, those with special characters in double quotes.
func (p *logParser) path() ([]string, error) {
	var path []string
	for first := true; first || p.take("."); first = false {
		if t := p.peek(); t.kind != "w" && t.kind != "q" {
			return nil, p.want("a field")
		}
		path = append(path, p.next().text)
	}
	return path, nil
}

// look finds a field; its names are compared without case, for Logging indexes them in lower case.
func look(doc any, path []string) any {
	for _, name := range path {
		object, ok := doc.(map[string]any)
		if !ok {
			return nil
		}
		doc = nil
		for key, value := range object {
			if strings.EqualFold(key, name) {
				doc = value
			}
		}
	}
	return doc
}

func sameValue(have any, want logToken) bool {
	switch have := have.(type) {
	case string:
		return strings.EqualFold(have, want.text)
	case float64:
		n, err := strconv.ParseFloat(want.text, 64)
		return err == nil && n == have
	case bool:
		return strconv.FormatBool(have) == strings.ToLower(want.text)
	default:
		return false
	}
}

// logTokens cuts a query into words.
func logTokens(text string) ([]logToken, error) {
	var tokens []logToken
	for i := 0; i < len(text); {
		start := i
		switch b := text[i]; {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			i++
			continue
		case b == '\'' || b == '"':
			value, n, ok := quotedText(text[i:])
			if !ok {
				return nil, fmt.Errorf("at %d: the quote is not closed", start+1)
			}
			i += n
			tokens = append(tokens, logToken{map[byte]string{'\'': "s", '"': "q"}[b], value, start + 1})
		case strings.HasPrefix(text[i:], "!="):
			i += 2
			tokens = append(tokens, logToken{"!=", "!=", start + 1})
		case strings.IndexByte("|,.()=", b) >= 0:
			i++
			tokens = append(tokens, logToken{string(b), string(b), start + 1})
		case b >= '0' && b <= '9' || b == '-':
			for i++; i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] == '.'); i++ {
			}
			tokens = append(tokens, logToken{"n", text[start:i], start + 1})
		case wordByte(b):
			for i++; i < len(text) && (wordByte(text[i]) || text[i] >= '0' && text[i] <= '9'); i++ {
			}
			tokens = append(tokens, logToken{"w", text[start:i], start + 1})
		default:
			return nil, fmt.Errorf("at %d: the simulator does not know %q", start+1, b)
		}
	}
	return append(tokens, logToken{at: len(text) + 1}), nil
}

func wordByte(b byte) bool { return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// quotedText reads a quoted text, in which the quote itself is written twice, and gives its length.
func quotedText(text string) (value string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != text[0] {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == text[0] {
			b.WriteByte(text[i])
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}
