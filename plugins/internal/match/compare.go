package match

import (
	"strconv"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// ordered compares numbers, and texts that are numbers.
func ordered(op rule.Op, want any) func(any, *subject) bool {
	return func(v any, _ *subject) bool {
		if s, ok := v.(string); ok {
			n, isNumber := number(s)
			if !isNumber {
				return false
			}
			v = n
		}
		o, ok := expr.Order(v, want)
		if !ok {
			return false
		}
		switch op {
		case rule.OpLess:
			return o < 0
		case rule.OpLessEqual:
			return o <= 0
		case rule.OpGreater:
			return o > 0
		default:
			return o >= 0
		}
	}
}

func number(s string) (any, bool) {
	if s == "" || s[0] != '-' && s[0] != '.' && (s[0] < '0' || s[0] > '9') {
		return nil, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// sameAs compares with the value of another field: one of its elements where it is an array.
func sameAs(path event.Path, name string, cased bool) func(any, *subject) bool {
	return func(v any, c *subject) bool {
		var other any
		if c.ev != nil {
			other = c.ev.Lookup(path)
		} else {
			other = event.Normal(c.facts[name])
		}
		return oneEquals(other, v, cased)
	}
}

func oneEquals(other, v any, cased bool) bool {
	list, ok := other.([]any)
	if !ok {
		return sameText(other, v, cased)
	}
	for _, x := range list {
		if oneEquals(event.Normal(x), v, cased) {
			return true
		}
	}
	return false
}

func sameText(a, b any, cased bool) bool {
	return onText(a, func(x string) bool {
		return onText(b, func(y string) bool {
			return x == y || !cased && fold(x) == fold(y)
		})
	})
}
