package match

import (
	"slices"

	"benthos-oci/plugins/internal/event"
)

// requirement gives, by field, the folded values of which the field must have one for a condition to hold.
// A field that is not in it may have any value.
type requirement map[string]*needed

type needed struct {
	path   event.Path
	values []string
}

func (t *test) needs() requirement {
	if t.exact == nil {
		return nil
	}
	return requirement{t.name: {path: t.path, values: t.exact}}
}

func (none) needs() requirement { return nil }

// needs of an `and`: each part's, and for a field that several parts ask for the shorter list.
func (a all) needs() requirement {
	sum := requirement{}
	for _, p := range a {
		for name, n := range p.needs() {
			if old := sum[name]; old == nil || len(n.values) < len(old.values) {
				sum[name] = n
			}
		}
	}
	return sum
}

// needs of an `or`: the fields that all parts ask for, with the values of all.
func (a anyOf) needs() requirement {
	var sum requirement
	for i, p := range a {
		part := p.needs()
		if i == 0 {
			sum = requirement{}
			for name, n := range part {
				sum[name] = &needed{path: n.path, values: slices.Clone(n.values)}
			}
			continue
		}
		for name, n := range sum {
			other := part[name]
			if other == nil {
				delete(sum, name)
				continue
			}
			n.values = append(n.values, other.values...)
		}
	}
	return sum
}

// fieldIndex finds the patterns that ask for exact values of one field.
type fieldIndex struct {
	path event.Path
	name string
	// byValue has the patterns by folded value.
	byValue map[string][]int
	// longest is the length of the longest value: a longer one needs no look.
	longest int
}

// ranks orders the fields by how few events share a value; fields that are not named stand between.
var ranks = map[string]int{
	"metadata.event_code": 0, "api.operation": 1, "type_name": 3, "activity_name": 4, "class_name": 5,
	"class_uid": 5, "type_uid": 3, "api.service.name": 4, "category_name": 6, "category_uid": 6, "status": 7, "severity": 7, "status_id": 7, "severity_id": 7,
}

const rankOther = 2

func rank(name string, path event.Path) int {
	if path[0] == "raw" {
		return 8 // the record would have to be decoded for every event
	}
	if r, ok := ranks[name]; ok {
		return r
	}
	return rankOther
}

func (s *Set) buildIndex() {
	byField := map[string]*fieldIndex{}
	for number := range s.patterns {
		if s.patterns[number].of != nil {
			continue
		}
		name, n := selective(s.patterns[number].condition.needs())
		if n == nil {
			s.unindexed = append(s.unindexed, number)
			continue
		}
		f := byField[name]
		if f == nil {
			f = &fieldIndex{path: n.path, name: name, byValue: map[string][]int{}}
			byField[name] = f
		}
		slices.Sort(n.values)
		for _, v := range slices.Compact(n.values) {
			f.byValue[v] = append(f.byValue[v], number)
			f.longest = max(f.longest, len(v))
		}
	}
	for _, f := range byField {
		s.index = append(s.index, *f)
	}
	slices.SortFunc(s.index, func(a, b fieldIndex) int {
		if r := rank(a.name, a.path) - rank(b.name, b.path); r != 0 {
			return r
		}
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// selective chooses the field by which few events get through; of two alike the one with fewer values, then by name.
func selective(r requirement) (string, *needed) {
	var bestName string
	var best *needed
	for name, n := range r {
		if rank(name, n.path) >= 8 {
			continue
		}
		if best == nil {
			bestName, best = name, n
			continue
		}
		a, b := rank(name, n.path), rank(bestName, best.path)
		if a < b || a == b && (len(n.values) < len(best.values) || len(n.values) == len(best.values) && name < bestName) {
			bestName, best = name, n
		}
	}
	return bestName, best
}

// candidates tries the patterns that ask for the value that the event has.
func (f *fieldIndex) candidates(s *Set, c *subject, dst []Hit, start int) []Hit {
	return f.ofValue(c.ev.Lookup(f.path), s, c, dst, start)
}

func (f *fieldIndex) ofValue(v any, s *Set, c *subject, dst []Hit, start int) []Hit {
	var buf [maxFolded]byte
	var key []byte
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			dst = f.ofValue(event.Normal(x), s, c, dst, start)
		}
		return dst
	case string:
		if len(v) > 3*f.longest { // folding shortens a text, but never to less than a third
			return dst
		}
		key = foldInto(v, buf[:0])
	default:
		var ok bool
		if key, ok = scalarText(v, buf[:0]); !ok {
			return dst
		}
	}
	for _, number := range f.byValue[string(key)] {
		dst = s.try(number, c, dst, start)
	}
	return dst
}

// maxFolded is the size of the buffers for folded values on the stack.
const maxFolded = 128

// foldInto gives the folded text, without an allocation for a short one in ASCII.
func foldInto(s string, buf []byte) []byte {
	if len(s) > cap(buf) || !ascii(s) {
		return []byte(fold(s))
	}
	for i := range len(s) {
		buf = append(buf, lowerByte(s[i]))
	}
	return buf
}
