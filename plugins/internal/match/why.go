package match

import (
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// Reason is one test that keeps a condition from holding for an event.
type Reason struct {
	Test *rule.Test
	// Not is true where the test holds and must not.
	Not bool
	// Got is what the event has in the test's field; nil where that is null.
	Got any
}

// Why gives the tests that keep a condition from holding for an event: of an `and` those of its first part that does not
// hold, in the order of the file, of an `or` those of all parts. It gives none where the condition holds.
// It is for people: Match answers the same question without a reason, and faster.
func Why(c rule.Condition, ev *event.Event, lists map[string]List) ([]Reason, error) {
	compiled, err := compile(c)
	if err != nil {
		return nil, err
	}
	s := &subject{ev: ev, lists: lists}
	if compiled.holds(s) {
		return nil, nil
	}
	return why(c, s)
}

func why(c rule.Condition, s *subject) ([]Reason, error) {
	switch c := c.(type) {
	case rule.All:
		for _, part := range c {
			reasons, err := Why(part, s.ev, s.lists)
			if err != nil || len(reasons) > 0 {
				return reasons, err
			}
		}
	case rule.Any:
		var all []Reason
		for _, part := range c {
			reasons, err := Why(part, s.ev, s.lists)
			if err != nil {
				return nil, err
			}
			all = append(all, reasons...)
		}
		return all, nil
	case rule.None:
		return holding(c.Of, s)
	case *rule.Test:
		r := Reason{Test: c}
		if c.Op != rule.OpKeyword {
			r.Got = s.ev.Lookup(c.Field)
		}
		return []Reason{r}, nil
	}
	return nil, nil
}

// holding gives the tests that make a condition hold which must not.
func holding(c rule.Condition, s *subject) ([]Reason, error) {
	parts := []rule.Condition{}
	switch c := c.(type) {
	case rule.All:
		parts = c
	case rule.Any:
		parts = c
	case rule.None:
		return why(c.Of, s)
	case *rule.Test:
		r := Reason{Test: c, Not: true}
		if c.Op != rule.OpKeyword {
			r.Got = s.ev.Lookup(c.Field)
		}
		return []Reason{r}, nil
	}
	var all []Reason
	for _, part := range parts {
		compiled, err := compile(part)
		if err != nil {
			return nil, err
		}
		if !compiled.holds(s) {
			continue
		}
		reasons, err := holding(part, s)
		if err != nil {
			return nil, err
		}
		all = append(all, reasons...)
	}
	return all, nil
}

// Env gives expressions the values of one event and the rows of tables.
func Env(ev *event.Event, lists map[string]List) expr.Env {
	return fields{&subject{ev: ev, lists: lists}}
}
