package match

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// answer is whether a condition holds where not all fields are known.
type answer uint8

const (
	no answer = iota
	perhaps
	yes
)

// subject is what a condition is asked about: an event, or facts about it.
type subject struct {
	ev    *event.Event
	facts event.Facts
	lists map[string]List
	// answers and keys are those of the event that several patterns ask for, by their numbers.
	answers []remembered
	keys    [][][]any
}

// condition is a compiled rule.Condition.
type condition interface {
	// holds asks about an event.
	holds(c *subject) bool
	// may asks about facts.
	may(c *subject) answer
	// cost orders the parts of an `and`: cheap ones first.
	cost() int
	// needs gives, by field, the values of which one must be there for the condition to hold; see index.go.
	needs() requirement
}

func compile(c rule.Condition) (condition, error) {
	switch c := c.(type) {
	case rule.All:
		parts, err := compileAll(c)
		return all(parts), err
	case rule.Any:
		parts, err := compileAll(together(c))
		if err == nil && len(parts) == 1 {
			return parts[0], nil
		}
		return anyOf(parts), err
	case rule.None:
		of, err := compile(c.Of)
		return none{of}, err
	case *rule.Test:
		return compileTest(c)
	case *oneOf:
		return c.compile(), nil
	}
	return nil, fmt.Errorf("a condition of type %T is not known", c)
}

// compileAll orders the parts by cost: the order in which they are asked changes no answer.
func compileAll(parts []rule.Condition) ([]condition, error) {
	compiled := make([]condition, len(parts))
	for i, p := range parts {
		var err error
		if compiled[i], err = compile(p); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(compiled, func(a, b condition) int { return a.cost() - b.cost() })
	return compiled, nil
}

type all []condition

func (a all) holds(c *subject) bool {
	for _, p := range a {
		if !p.holds(c) {
			return false
		}
	}
	return true
}

func (a all) may(c *subject) answer {
	least := yes
	for _, p := range a {
		if least = min(least, p.may(c)); least == no {
			return no
		}
	}
	return least
}

func (a all) cost() int { return total(a) }

type anyOf []condition

func (a anyOf) holds(c *subject) bool {
	for _, p := range a {
		if p.holds(c) {
			return true
		}
	}
	return false
}

func (a anyOf) may(c *subject) answer {
	most := no
	for _, p := range a {
		if most = max(most, p.may(c)); most == yes {
			return yes
		}
	}
	return most
}

func (a anyOf) cost() int { return total(a) }

func total(parts []condition) int {
	sum := 0
	for _, p := range parts {
		sum += p.cost()
	}
	return sum
}

type none struct{ of condition }

func (n none) holds(c *subject) bool { return !n.of.holds(c) }
func (n none) may(c *subject) answer { return yes - n.of.may(c) }
func (n none) cost() int             { return n.of.cost() }

// test compares one field.
type test struct {
	path event.Path
	// name is the field as facts spell it.
	name string
	// raw is true for fields of the record, which must be decoded first.
	raw bool
	// weight is what the comparison costs.
	weight int
	// compare is asked for each scalar value of the field that is not null.
	compare func(v any, c *subject) bool
	// ofNull is the answer for a null field; onlyNull says that other values do not matter but for being there.
	ofNull bool
	// presence is true for OpNull and OpExists.
	presence bool
	// other is the second field of OpField, whose value is not known where it is not among the facts.
	other string
	// exact are the folded values of which the field must have one, for the index; nil where it may have others.
	exact []string
	// listed is true where the answer changes when the lists do.
	listed bool
}

func (t *test) holds(c *subject) bool { return t.value(c.ev.Lookup(t.path), c) }

func (t *test) may(c *subject) answer {
	v, known := c.facts[t.name]
	if !known || t.listed {
		return perhaps // lists change, and answers about facts are kept
	}
	if t.other != "" {
		if _, known = c.facts[t.other]; !known {
			return perhaps
		}
	}
	if t.value(event.Normal(v), c) {
		return yes
	}
	return no
}

func (t *test) value(v any, c *subject) bool {
	if empty(v) {
		return t.ofNull
	}
	if t.presence {
		return !t.ofNull
	}
	list, ok := v.([]any)
	if !ok {
		return t.compare(v, c)
	}
	for _, x := range list {
		if _, nested := x.([]any); nested {
			if t.value(x, c) {
				return true
			}
			continue
		}
		if x != nil && t.compare(event.Normal(x), c) {
			return true
		}
	}
	return false
}

func (t *test) cost() int {
	if t.raw {
		return t.weight + 1000
	}
	return t.weight
}

// empty says whether a value is null: absent, or an array with nothing in it.
func empty(v any) bool {
	if v == nil {
		return true
	}
	list, ok := v.([]any)
	if !ok {
		return false
	}
	for _, x := range list {
		if !empty(x) {
			return false
		}
	}
	return true
}

func compileTest(r *rule.Test) (condition, error) {
	if r.Op == rule.OpKeyword {
		return keyword{glob: r.Glob}, nil
	}
	t := &test{path: r.Field, name: r.Field.String(), raw: r.Field[0] == "raw", weight: 1}
	switch r.Op {
	case rule.OpNull:
		t.presence, t.ofNull = true, true
	case rule.OpExists:
		t.presence, t.ofNull = true, !r.Want
	case rule.OpEqual:
		want := text(r.Value)
		t.exact = []string{fold(want)}
		t.compare = equal(want, r.Cased)
	case rule.OpContains, rule.OpPrefix, rule.OpSuffix:
		t.weight = 3
		t.compare = part(r.Op, text(r.Value), r.Cased)
	case rule.OpWildcard:
		t.weight = 5
		t.compare = func(v any, _ *subject) bool { return onText(v, r.Glob.Match) }
	case rule.OpRegexp:
		t.weight = 20
		t.compare = func(v any, _ *subject) bool {
			return onText(v, func(s string) bool { return r.Regexp.MatchString(s[:min(len(s), maxField)]) })
		}
	case rule.OpCIDR:
		t.weight = 3
		t.compare = func(v any, _ *subject) bool { return inNetwork(v, r.Prefix) }
	case rule.OpLess, rule.OpLessEqual, rule.OpGreater, rule.OpGreaterEqual:
		t.compare = ordered(r.Op, r.Value)
	case rule.OpField:
		t.weight, t.other = 3, r.Other.String()
		t.raw = t.raw || r.Other[0] == "raw"
		t.compare = sameAs(r.Other, t.other, r.Cased)
	case rule.OpList:
		t.weight, t.listed = 5, true
		t.compare = func(v any, c *subject) bool { return c.lists[r.List].holds(v, r.Cased) }
	default:
		return nil, fmt.Errorf("%s: comparison %d is not known", r.Pos, r.Op)
	}
	if r.Part != "" {
		t.ofPart(r.Part)
	}
	return t, nil
}

// maxField is how much of a value a regular expression sees.
const maxField = 64 << 10

// text gives a scalar as the text that rules compare: a rule's 400 is the number 400 and the text "400".
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// onText asks about a value's text. Objects have none.
func onText(v any, f func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return f(v)
	case bool, int64, float64:
		return f(text(v))
	}
	return false
}

// scalarText writes a number or a truth value into buf; false for what is neither.
func scalarText(v any, buf []byte) ([]byte, bool) {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(buf, v), true
	case int64:
		return strconv.AppendInt(buf, v, 10), true
	case float64:
		return strconv.AppendFloat(buf, v, 'f', -1, 64), true
	}
	return nil, false
}

func equal(want string, cased bool) func(any, *subject) bool {
	lower := fold(want)
	return func(v any, _ *subject) bool {
		s, ok := v.(string)
		switch {
		case !ok:
			var buf [32]byte
			b, scalar := scalarText(v, buf[:0])
			return scalar && (string(b) == want || !cased && string(b) == lower)
		case cased:
			return s == want
		}
		return len(s) == len(lower) && foldedPrefix(s, lower) || !ascii(s) && fold(s) == lower
	}
}

func part(op rule.Op, want string, cased bool) func(any, *subject) bool {
	in := contains
	switch op {
	case rule.OpPrefix:
		in = strings.HasPrefix
		if !cased {
			in = foldedPrefix
		}
	case rule.OpSuffix:
		in = strings.HasSuffix
		if !cased {
			in = func(s, part string) bool { return len(s) >= len(part) && foldedPrefix(s[len(s)-len(part):], part) }
		}
	default:
		if cased {
			in = strings.Contains
		}
	}
	if !cased {
		want = fold(want)
	}
	return func(v any, _ *subject) bool {
		return onText(v, func(s string) bool {
			if !cased && !ascii(s) {
				s = fold(s)
			}
			return in(s, want)
		})
	}
}

// contains says whether lower, which is folded, is in s.
func contains(s, lower string) bool {
	if lower == "" {
		return true
	}
	for i := 0; i+len(lower) <= len(s); i++ {
		if lowerByte(s[i]) == lower[0] && foldedPrefix(s[i:], lower) {
			return true
		}
	}
	return false
}

// foldedPrefix says whether s begins with lower, which is folded; s is ASCII, or folded too.
func foldedPrefix(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if lowerByte(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

// fold gives the form of a text in which case counts nothing.
func fold(s string) string { return strings.ToLower(s) }

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// inNetwork says whether a value is an address of the network; an IPv4 address may be written as an IPv6 one.
func inNetwork(v any, network netip.Prefix) bool {
	ip, ok := address(v)
	return ok && network.Contains(ip)
}

func address(v any) (netip.Addr, bool) {
	s, ok := v.(string)
	// An error of ParseAddr is an allocation: most texts are no address at their first letter.
	if !ok || s == "" || len(s) > 64 || !addressByte(s[0]) || !addressByte(s[len(s)-1]) {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap().WithZone(""), err == nil
}

func addressByte(c byte) bool {
	return c == ':' || c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
