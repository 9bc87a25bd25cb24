// Package window holds the events of one key of one rule, by event time.
//
// It stands between match, which says that an event belongs to a key, and engine, which judges conditions over intervals:
//
//	s := window.New(2)                         // a rule of two patterns
//	e, isNew := s.Insert(window.Entry{ID: "e1", Time: 1000, Patterns: 1})
//	n := s.Count(0, window.Interval{After: 0, To: 1000}) // 1
//
// Times are event time in milliseconds. Nothing here reads a clock, and nothing depends on the order of insertion.
package window

import (
	"cmp"
	"math"
	"slices"
)

// Bounds of time, before and after every entry.
const (
	MinTime = math.MinInt64
	MaxTime = math.MaxInt64
)

// MaxPatterns is the most patterns that one rule can have.
const MaxPatterns = 64

// Entry is one event of a key.
type Entry struct {
	ID   string
	Time int64
	// Hash is that of ID, by HashID; 0 where it is not known.
	Hash uint32
	// Fires says that the rule's condition holds at Time; set on positive entries only.
	Fires bool
	// Judged says that the condition was judged for good.
	Judged bool
	// Patterns has a bit for each pattern that took the event.
	Patterns uint64
	// Values holds, by pattern, what the rule needs of the event later; nil for a pattern that needs nothing.
	Values [][]any
	// Evidence is shared by the entries of one event in all keys; may be nil.
	Evidence *Evidence
	// Carried names the slots (by their start) whose incidents left with the message of this event.
	Carried []int64
	// Covered names the slots whose count has this event in it. It is derived from Fires and not saved.
	Covered []int64
	// Chunk is the saved row that holds the entry.
	Chunk int64
}

// Compare orders entries by time, then id.
func Compare(a, b *Entry) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// Interval is the times t with After < t <= To, less the entries at After+1 that have a pattern of NotFirst
// and those at To that have a pattern of NotLast.
type Interval struct {
	After, To         int64
	NotFirst, NotLast uint64
}

// Has says whether the interval takes e, whose time lies in it.
func (iv Interval) Has(e *Entry) bool {
	if e.Time <= iv.After || e.Time > iv.To {
		return false
	}
	if iv.NotFirst != 0 && e.Time == iv.After+1 && e.Patterns&iv.NotFirst != 0 {
		return false
	}
	return iv.NotLast == 0 || e.Time != iv.To || e.Patterns&iv.NotLast == 0
}

// Series is the entries of one key, ordered by (time, id), each id once.
type Series struct {
	all       []*Entry
	byPattern [][]*Entry // nil for a single pattern: all is the same
	byID      idTable    // of no length for a short series
	// spare are entries that are allocated and not used.
	spare []Entry
	// What a key with few events needs is a part of the series.
	firstEntry [1]Entry
	firstAll   [2]*Entry
}

const (
	// indexFrom is the length from which ids are found by a table.
	indexFrom = 16
	// maxSpare is how many entries are allocated at once. They are freed together.
	maxSpare = 16
)

// New gives an empty series for a rule of that many patterns.
func New(patterns int) *Series {
	s := &Series{}
	s.Init(patterns)
	return s
}

// Init makes s an empty series for a rule of that many patterns. It must not be copied afterwards.
func (s *Series) Init(patterns int) {
	*s = Series{}
	s.all, s.spare = s.firstAll[:0], s.firstEntry[:]
	if patterns > 1 {
		s.byPattern = make([][]*Entry, patterns)
	}
}

// Len gives the number of entries.
func (s *Series) Len() int { return len(s.all) }

// All gives the entries in order; the slice must not be changed and is valid until the next change of the series.
func (s *Series) All() []*Entry { return s.all }

// Pattern gives the entries of one pattern, in order, under the rules of All.
func (s *Series) Pattern(p int) []*Entry {
	if s.byPattern == nil {
		return s.all
	}
	return s.byPattern[p]
}

// Find gives the entry of that id, or nil.
func (s *Series) Find(id string) *Entry { return s.find(HashID(id), id) }

func (s *Series) find(hash uint32, id string) *Entry {
	if len(s.byID.slots) > 0 {
		return s.byID.find(hash, id)
	}
	for _, e := range s.all {
		if e.Hash == hash && e.ID == id {
			return e
		}
	}
	return nil
}

// Insert adds e, unless its id is known: then the known entry is returned, and takes those patterns and values
// of e that it had not.
func (s *Series) Insert(e Entry) (entry *Entry, grown bool) {
	if e.Hash == 0 {
		e.Hash = HashID(e.ID)
	}
	if known := s.find(e.Hash, e.ID); known != nil {
		return known, s.merge(known, &e)
	}
	if len(s.spare) == 0 {
		s.spare = make([]Entry, min(max(len(s.all)/2, 1), maxSpare))
	}
	added := &s.spare[0]
	s.spare = s.spare[1:]
	*added = e
	s.all = insert(s.all, added)
	for p := range s.byPattern {
		if added.Patterns&(1<<p) != 0 {
			s.byPattern[p] = insert(s.byPattern[p], added)
		}
	}
	switch {
	case len(s.byID.slots) > 0:
		s.byID.add(added)
	case len(s.all) >= indexFrom:
		for _, each := range s.all {
			s.byID.add(each)
		}
	}
	return added, true
}

func (s *Series) merge(known, e *Entry) bool {
	fresh := e.Patterns &^ known.Patterns
	if fresh == 0 {
		return false
	}
	known.Patterns |= fresh
	for p := range s.byPattern {
		if fresh&(1<<p) == 0 {
			continue
		}
		s.byPattern[p] = insert(s.byPattern[p], known)
		if p < len(e.Values) && e.Values[p] != nil {
			for len(known.Values) <= p {
				known.Values = append(known.Values, nil)
			}
			known.Values[p] = e.Values[p]
		}
	}
	return true
}

func insert(list []*Entry, e *Entry) []*Entry {
	if n := len(list); n == 0 || Compare(list[n-1], e) < 0 {
		return append(list, e)
	}
	i, _ := slices.BinarySearchFunc(list, e, Compare)
	return slices.Insert(list, i, e)
}

// Prune takes the entries at or before t out and gives them, in order.
func (s *Series) Prune(t int64) []*Entry {
	n := after(s.all, t)
	if n == 0 {
		return nil
	}
	gone := slices.Clone(s.all[:n])
	s.all = cut(s.all, n)
	for p := range s.byPattern {
		s.byPattern[p] = cut(s.byPattern[p], after(s.byPattern[p], t))
	}
	if len(s.byID.slots) > 0 {
		for _, e := range gone {
			s.byID.remove(e)
		}
		if len(s.all) < indexFrom/2 {
			s.byID = idTable{}
		}
	}
	return gone
}

// cut drops the first n entries. What they took is given back once most of the array is empty,
// so that the cost of moving is spread over the entries dropped.
func cut(list []*Entry, n int) []*Entry {
	clear(list[:n])
	list = list[n:]
	if len(list) == 0 {
		return nil
	}
	return list
}

// after gives the index of the first entry later than t.
func after(list []*Entry, t int64) int {
	if len(list) == 0 || list[0].Time > t {
		return 0
	}
	if list[len(list)-1].Time <= t {
		return len(list)
	}
	lo, hi := 0, len(list)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if list[mid].Time <= t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Range gives the entries of pattern p with after < time <= to, in order. Exclusions are not applied.
func (s *Series) Range(p int, from, to int64) []*Entry { return between(s.Pattern(p), from, to) }

// Between gives all entries with from < time <= to, in order.
func (s *Series) Between(from, to int64) []*Entry { return between(s.all, from, to) }

func between(list []*Entry, from, to int64) []*Entry {
	if to <= from {
		return nil
	}
	i := after(list, from)
	j := i + after(list[i:], to)
	return list[i:j]
}

// Count gives the number of entries of pattern p in the interval.
func (s *Series) Count(p int, iv Interval) int {
	list := s.Range(p, iv.After, iv.To)
	n := len(list)
	if iv.NotFirst == 0 && iv.NotLast == 0 {
		return n
	}
	first := 0
	for first < len(list) && list[first].Time == iv.After+1 {
		if !iv.Has(list[first]) {
			n--
		}
		first++
	}
	for i := len(list) - 1; i >= first && list[i].Time == iv.To; i-- {
		if !iv.Has(list[i]) {
			n--
		}
	}
	return n
}

// Select gives the entries of pattern p in the interval, in order.
func (s *Series) Select(p int, iv Interval) []*Entry {
	list := s.Range(p, iv.After, iv.To)
	if iv.NotFirst == 0 && iv.NotLast == 0 {
		return list
	}
	out := make([]*Entry, 0, len(list))
	for _, e := range list {
		if iv.Has(e) {
			out = append(out, e)
		}
	}
	return out
}
