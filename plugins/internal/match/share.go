package match

import (
	"fmt"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// sharing finds what several patterns have in common, so that it is asked for once an event.
type sharing struct {
	// conditions and paths are how many patterns have each.
	conditions, paths map[string]int
	numbers, groups   map[string]int
}

func newSharing(rules []*rule.Rule) *sharing {
	s := &sharing{conditions: map[string]int{}, paths: map[string]int{}, numbers: map[string]int{}, groups: map[string]int{}}
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		for _, p := range r.Patterns {
			s.conditions[spelled(p.Match)]++
			s.paths[spelledPaths(keyPaths(p.GroupBy))]++
		}
	}
	return s
}

// compile compiles a condition; equal ones are one.
func (s *sharing) compile(c rule.Condition) (condition, error) {
	compiled, err := compile(c)
	name := spelled(c)
	if err != nil || s.conditions[name] < 2 {
		return compiled, err
	}
	number, ok := s.numbers[name]
	if !ok {
		number = len(s.numbers)
		s.numbers[name] = number
	}
	return shared{condition: compiled, number: number}, nil
}

// group gives the number of a key that several patterns have.
func (s *sharing) group(paths [][]event.Path) int {
	name := spelledPaths(paths)
	if name == "" || s.paths[name] < 2 {
		return alone
	}
	number, ok := s.groups[name]
	if !ok {
		number = len(s.groups)
		s.groups[name] = number
	}
	return number
}

// remembered is the answer of a shared condition about the event at hand.
type remembered uint8

const (
	notAsked remembered = iota
	holdsNot
	holdsSo
)

// shared is a condition that several patterns have.
type shared struct {
	condition
	number int
}

func (s shared) holds(c *subject) bool {
	answer := &c.answers[s.number]
	if *answer == notAsked {
		*answer = holdsNot
		if s.condition.holds(c) {
			*answer = holdsSo
		}
	}
	return *answer == holdsSo
}

// begin forgets what was known of another event.
func (c *subject) begin(s *Set) {
	if cap(c.answers) < s.sharedConditions {
		c.answers = make([]remembered, s.sharedConditions)
	}
	c.answers = c.answers[:s.sharedConditions]
	clear(c.answers)
	if cap(c.keys) < s.sharedKeys {
		c.keys = make([][][]any, s.sharedKeys)
	}
	c.keys = c.keys[:s.sharedKeys]
}

// spelled gives the same text for conditions that hold for the same events, as far as their words show.
func spelled(c rule.Condition) string {
	var b strings.Builder
	spell(&b, c)
	return b.String()
}

func spell(b *strings.Builder, c rule.Condition) {
	list := func(word string, parts []rule.Condition) {
		b.WriteString(word)
		for _, p := range parts {
			spell(b, p)
			b.WriteByte(';')
		}
		b.WriteByte(')')
	}
	switch c := c.(type) {
	case rule.All:
		list("all(", c)
	case rule.Any:
		list("any(", c)
	case rule.None:
		list("none(", []rule.Condition{c.Of})
	case *rule.Test:
		pattern := ""
		if c.Regexp != nil {
			pattern = c.Regexp.String()
		}
		fmt.Fprintf(b, "%q %d %q %T %#v %t %q %+v %s %q %q %t", []string(c.Field), c.Op, c.Part, c.Value, c.Value, c.Cased, pattern, c.Glob, c.Prefix, []string(c.Other), c.List, c.Want)
	}
}

// spelledPaths is "" for a key that needs an expression, and for none.
func spelledPaths(paths [][]event.Path) string {
	var b strings.Builder
	for _, alternatives := range paths {
		if alternatives == nil {
			return ""
		}
		for _, p := range alternatives {
			fmt.Fprintf(&b, "%q", []string(p))
		}
		b.WriteByte(';')
	}
	return b.String()
}
