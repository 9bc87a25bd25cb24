// Package match finds the patterns of rules that an event fulfils.
//
// It stands between rule, whose conditions it compiles once, and engine, which puts its hits into windows:
//
//	set, err := match.Compile(rules)
//	if set.MayMatch(facts) {            // before the event is decoded
//		hits = set.Match(ev, hits[:0])
//	}
//
// Patterns are found by an index over the exact values that they ask for, the event's type first,
// so the cost of an event grows with the patterns that could match it and not with all of them.
// Nothing is allocated for an event that matches nothing.
package match

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// MaxKeys is the most keys that one event gives for one pattern; arrays in several components of a key multiply.
const MaxKeys = 1000

// Hit is one pattern that an event fulfils, for one key.
type Hit struct {
	// Rule and Pattern are indexes: into the rules that Compile was given, and into the rule's Patterns.
	Rule, Pattern int
	// Key has one value for each of the rule's KeyNames: nil, bool, int64, float64 or string.
	// An array in a component gives one hit for each of its elements. Hits of one event may share it, so it must not
	// be changed; its texts hold nothing else of the event in memory.
	Key []any
	// Null is true where a component of the key is null.
	Null bool
	// Captures are the values of the pattern's Captures, in their order. Hits of one event share them.
	Captures []any
}

// Set is a compiled set of rules. Its methods may be called by any number of goroutines.
type Set struct {
	patterns []pattern
	index    []fieldIndex
	// unindexed are the patterns that ask for no exact value: each event is tried on them.
	unindexed []int
	// chained are the patterns that take incidents; no event is tried on them.
	chained []int
	lists   atomic.Pointer[map[string]List]
	dropped atomic.Int64
	// sharedConditions and sharedKeys are how many of them several patterns have.
	sharedConditions, sharedKeys int
}

// pattern is one pattern of an enabled rule.
type pattern struct {
	rule, pattern int
	// of and id are set for a pattern that takes incidents: the pattern, and the id of its rule.
	of         *rule.Pattern
	id         string
	condition  condition
	where      *expr.Expr
	exceptions []exception
	keys       []rule.Key
	// paths has the field of each key component whose alternatives are all plain fields, nil for the others.
	paths [][]event.Path
	// group is the number of its key among those that several patterns have, or alone.
	group    int
	captures []*expr.Expr
}

// alone is the group of a key that no other pattern has, and of one that needs an expression.
const alone = -1

type exception struct {
	of        *rule.Exception
	condition condition
}

// Compile compiles the enabled ones of the rules. Hits name a rule by its index here.
func Compile(rules []*rule.Rule) (*Set, error) {
	s := &Set{}
	s.lists.Store(&map[string]List{})
	share := newSharing(rules)
	for i, r := range rules {
		if !r.Enabled {
			continue
		}
		var exceptions []exception
		for j := range r.Exceptions {
			e := &r.Exceptions[j]
			c, err := compile(e.Match)
			if err != nil {
				return nil, fmt.Errorf("compiling exception %d of rule %s: %w", j+1, r.ID, err)
			}
			exceptions = append(exceptions, exception{of: e, condition: c})
		}
		for j, p := range r.Patterns {
			c, err := share.compile(p.Match)
			if err != nil {
				return nil, fmt.Errorf("compiling pattern %s of rule %s: %w", p.Name, r.ID, err)
			}
			compiled := pattern{
				rule: i, pattern: j, condition: c, where: p.Where, exceptions: exceptions,
				keys: p.GroupBy, paths: keyPaths(p.GroupBy), captures: p.Captures,
			}
			compiled.group = share.group(compiled.paths)
			if p.Incidents != nil {
				compiled.of, compiled.id = p, r.ID
				s.chained = append(s.chained, len(s.patterns))
			}
			s.patterns = append(s.patterns, compiled)
		}
	}
	s.sharedConditions, s.sharedKeys = len(share.numbers), len(share.groups)
	s.buildIndex()
	return s, nil
}

// keyPaths finds the components that need no expression.
func keyPaths(keys []rule.Key) [][]event.Path {
	paths := make([][]event.Path, len(keys))
	for i, k := range keys {
		for _, e := range k.From {
			ref, ok := e.AsRef()
			if !ok || ref.Pattern != "" || ref.Key != "" {
				paths[i] = nil
				break
			}
			paths[i] = append(paths[i], ref.Path)
		}
	}
	return paths
}

// SetLists swaps the lists that `|expand: '%name%'` names. A list that is not among them holds nothing.
func (s *Set) SetLists(lists map[string]List) {
	own := make(map[string]List, len(lists))
	maps.Copy(own, lists)
	s.lists.Store(&own)
}

// DroppedKeys counts the keys beyond MaxKeys that were left out.
func (s *Set) DroppedKeys() int64 { return s.dropped.Load() }

// MayMatch is false only when no rule can match an event with these facts: a field that is not among them may have any value.
func (s *Set) MayMatch(f event.Facts) bool {
	c := subjects.Get().(*subject)
	defer c.done()
	c.facts, c.lists = f, *s.lists.Load()
	for i := range s.patterns {
		if s.patterns[i].of == nil && s.patterns[i].condition.may(c) != no {
			return true
		}
	}
	return false
}

// subjects are used again: what is given to the methods of an interface would be an allocation for each event.
var subjects = sync.Pool{New: func() any { return new(subject) }}

func (c *subject) done() {
	c.ev, c.facts, c.lists = nil, nil, nil
	clear(c.keys) // what an event had must not be held by what is used again
	subjects.Put(c)
}

// Match appends a hit to dst for each pattern and key that the event fulfils, ordered by rule, pattern and key.
// What an exception of its rule drops at the event's time is no hit.
func (s *Set) Match(ev *event.Event, dst []Hit) []Hit {
	c := subjects.Get().(*subject)
	defer c.done()
	c.ev, c.lists = ev, *s.lists.Load()
	c.begin(s)
	start := len(dst)
	for i := range s.index {
		dst = s.index[i].candidates(s, c, dst, start)
	}
	for _, p := range s.unindexed {
		dst = s.try(p, c, dst, start)
	}
	order(dst[start:])
	return dst
}

// MatchIncident appends a hit to dst for each pattern and key that takes the incident ev of the rule with this id,
// in the order of Match. Patterns of events take none, and Match gives no hit of a pattern that takes incidents.
func (s *Set) MatchIncident(ruleID string, ev *event.Event, dst []Hit) []Hit {
	c := subjects.Get().(*subject)
	defer c.done()
	c.ev, c.lists = ev, *s.lists.Load()
	c.begin(s)
	start := len(dst)
	for _, number := range s.chained {
		if p := &s.patterns[number]; p.of.TakesFrom(ruleID, p.id) {
			dst = s.try(number, c, dst, start)
		}
	}
	return dst
}

// try appends the hits of one pattern, unless it has been found already.
func (s *Set) try(number int, c *subject, dst []Hit, start int) []Hit {
	p := &s.patterns[number]
	if !p.condition.holds(c) || p.where != nil && !p.where.Holds(fields{c}) {
		return dst
	}
	for i := range dst[start:] {
		if h := &dst[start+i]; h.Rule == p.rule && h.Pattern == p.pattern {
			return dst
		}
	}
	for i := range p.exceptions {
		if e := &p.exceptions[i]; e.of.Holds(c.ev.Time) && e.condition.holds(c) {
			return dst
		}
	}
	return s.hits(p, c, dst)
}

// hits appends one hit for each key of the event.
func (s *Set) hits(p *pattern, c *subject, dst []Hit) []Hit {
	var captures []any
	if len(p.captures) > 0 {
		captures = make([]any, len(p.captures))
	}
	for i, e := range p.captures {
		captures[i] = own(e.Eval(fields{c}))
	}
	h := Hit{Rule: p.rule, Pattern: p.pattern, Captures: captures}
	for _, key := range s.keysOf(p, c) {
		h.Key, h.Null = key, slices.Contains(key, nil)
		dst = append(dst, h)
	}
	return dst
}

// keysOf gives the keys of an event for a pattern, those of patterns with the same key only once.
func (s *Set) keysOf(p *pattern, c *subject) [][]any {
	if p.group == alone {
		return s.newKeys(p, c)
	}
	if c.keys[p.group] == nil {
		c.keys[p.group] = s.newKeys(p, c)
	}
	return c.keys[p.group]
}

func (s *Set) newKeys(p *pattern, c *subject) [][]any {
	keys := [][]any{make([]any, 0, len(p.keys))}
	for i := range p.keys {
		component := p.component(i, c)
		if _, several := component.([]any); !several {
			v := own(expr.Identity(component))
			for j := range keys {
				keys[j] = append(keys[j], v)
			}
			continue
		}
		values := elements(component)
		if all := len(keys) * len(values); all > MaxKeys {
			values = values[:max(MaxKeys/len(keys), 1)]
			s.dropped.Add(int64(all - len(keys)*len(values)))
		}
		product := make([][]any, 0, len(keys)*len(values))
		for _, key := range keys {
			for _, v := range values {
				product = append(product, append(append(make([]any, 0, len(p.keys)), key...), v))
			}
		}
		keys = product
	}
	return keys
}

// component gives the value of one component of the key: the first of its alternatives that is not null.
func (p *pattern) component(i int, c *subject) any {
	if p.paths[i] != nil {
		for _, path := range p.paths[i] {
			if v := c.ev.Lookup(path); !empty(v) {
				return v
			}
		}
		return nil
	}
	for _, e := range p.keys[i].From {
		if v := e.Eval(fields{c}); !empty(v) {
			return v
		}
	}
	return nil
}

// elements gives the different key values of a component that is an array: its elements, without nulls; never none.
func elements(v any) []any {
	list, _ := v.([]any)
	flat := expr.Flatten(list)
	seen := make(map[any]bool, len(flat))
	var values []any
	for _, x := range flat {
		if id := expr.Identity(event.Normal(x)); !seen[id] {
			seen[id] = true
			values = append(values, own(id))
		}
	}
	if len(values) == 0 {
		return []any{nil}
	}
	return values
}

// own gives a value with texts of its own: those of an event are parts of one larger piece of memory,
// which must not be held by what is kept of it.
func own(v any) any {
	switch v := v.(type) {
	case string:
		return strings.Clone(v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = own(v[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for name, member := range v {
			all[strings.Clone(name)] = own(member)
		}
		return all
	}
	return v
}

// order sorts by rule and pattern, and keeps the order of the keys of each.
func order(hits []Hit) {
	for i := 1; i < len(hits); i++ {
		for j := i; j > 0 && before(&hits[j], &hits[j-1]); j-- {
			hits[j], hits[j-1] = hits[j-1], hits[j]
		}
	}
}

func before(a, b *Hit) bool {
	return a.Rule < b.Rule || a.Rule == b.Rule && a.Pattern < b.Pattern
}

// fields gives expressions the values of one event and the rows of tables. It is one word, so that it becomes an expr.Env without an allocation.
type fields struct{ *subject }

// Field gives the value of a field of the event.
func (f fields) Field(ref expr.Ref) any { return f.ev.Lookup(ref.Path) }

// Aggregate gives null: one event has no aggregates, and package rule lets none stand where only one event is known.
func (fields) Aggregate(*expr.Aggregate) any { return nil }

// Row gives a value of a lookup table as it is now: what a rule keeps of it is what stood there when the event came.
func (f fields) Row(name string, keys []any, column string) (value any, found bool) {
	return f.lists[name].Row(keys, column)
}
