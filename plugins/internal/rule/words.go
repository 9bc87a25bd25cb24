package rule

import (
	"fmt"
	"regexp"
	"strings"

	"benthos-oci/plugins/internal/expr"
)

// namePattern is the form of the names of selections.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

// words is a condition cut into words, with the place of each: what `when` and the condition of a detection are read from.
type words struct {
	list  []word
	next  int
	end   int
	depth int
}

type word struct {
	text   string
	offset int
}

// is compares with a word of the language; case counts nothing.
func (w word) is(s string) bool { return strings.EqualFold(w.text, s) }

// maxCondition is the longest condition, in bytes.
const maxCondition = 4 << 10

// splitWords cuts at blanks and parentheses; the letters in signs are words of their own.
func splitWords(text, signs string) (*words, error) {
	if len(text) > maxCondition {
		return nil, &expr.Error{Text: fmt.Sprintf("a condition is longer than %d bytes", maxCondition)}
	}
	w := &words{end: len(text)}
	start := -1
	flush := func(end int) {
		if start >= 0 {
			w.list = append(w.list, word{text: text[start:end], offset: start})
			start = -1
		}
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			flush(i)
		case c == '(' || c == ')' || strings.IndexByte(signs, c) >= 0:
			flush(i)
			w.list = append(w.list, word{text: text[i : i+1], offset: i})
		case start < 0:
			start = i
		}
	}
	flush(len(text))
	if len(w.list) == 0 {
		return nil, &expr.Error{Text: "the condition is empty"}
	}
	return w, nil
}

// peek gives the next word; its text is "" at the end.
func (w *words) peek() word {
	if w.next == len(w.list) {
		return word{offset: w.end}
	}
	return w.list[w.next]
}

func (w *words) take() word {
	t := w.peek()
	if w.next < len(w.list) {
		w.next++
	}
	return t
}

func (w *words) accept(s string) bool {
	if w.peek().is(s) {
		w.take()
		return true
	}
	return false
}

func (w *words) expect(s string) error {
	if t := w.take(); !t.is(s) {
		return w.errorAt(t, "`%s` is missing%s", s, w.before(t))
	}
	return nil
}

func (*words) errorAt(t word, format string, args ...any) error {
	return &expr.Error{Offset: t.offset, Text: fmt.Sprintf(format, args...)}
}

func (w *words) deeper() error {
	if w.depth++; w.depth > maxDepth {
		return w.errorAt(w.peek(), "the condition is nested deeper than %d levels", maxDepth)
	}
	return nil
}

func (w *words) higher() { w.depth-- }
