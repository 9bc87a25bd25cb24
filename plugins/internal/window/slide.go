package window

// Slide keeps what an aggregate needs over the interval (after, to] of one pattern's entries while the interval moves.
// It may move in both directions; the cost is that of the entries that enter or leave.
// A Slide is told of every entry that is inserted or pruned.
type Slide struct {
	pattern   int
	after, to int64
	tallies   []*Tally
	count     int
}

// Tally counts the values of one expression over the entries in the interval of a Slide.
type Tally struct {
	// Value gives the values of an entry, nulls left out; it must give the same for the same entry.
	Value func(e *Entry) []any
	// Identity gives the map key of a value.
	Identity func(v any) any

	refs map[any]int
}

// Distinct gives the number of different values.
func (t *Tally) Distinct() int { return len(t.refs) }

// Has says whether a value with that identity is in the interval.
func (t *Tally) Has(identity any) bool { return t.refs[identity] > 0 }

// NewSlide gives a slide over an empty interval.
func NewSlide(pattern int, tallies []*Tally) *Slide {
	for _, t := range tallies {
		t.refs = map[any]int{}
	}
	return &Slide{pattern: pattern, after: MinTime, to: MinTime, tallies: tallies}
}

// Count gives the number of entries in the interval.
func (l *Slide) Count() int { return l.count }

// Move sets the interval to (after, to].
func (l *Slide) Move(s *Series, after, to int64) {
	if after >= l.to || to <= l.after {
		l.reset()
		l.after, l.to = after, to
		l.each(s.Range(l.pattern, after, to), 1)
		return
	}
	if to > l.to {
		l.each(s.Range(l.pattern, l.to, to), 1)
	}
	if to < l.to {
		l.each(s.Range(l.pattern, to, l.to), -1)
	}
	if after > l.after {
		l.each(s.Range(l.pattern, l.after, after), -1)
	}
	if after < l.after {
		l.each(s.Range(l.pattern, after, l.after), 1)
	}
	l.after, l.to = after, to
}

// Inserted tells of an entry that now is in the series.
func (l *Slide) Inserted(e *Entry) { l.one(e, 1) }

// Pruned tells of an entry that was in the series.
func (l *Slide) Pruned(e *Entry) { l.one(e, -1) }

func (l *Slide) one(e *Entry, n int) {
	if e.Patterns&(1<<l.pattern) != 0 && e.Time > l.after && e.Time <= l.to {
		l.add(e, n)
	}
}

func (l *Slide) each(list []*Entry, n int) {
	for _, e := range list {
		l.add(e, n)
	}
}

func (l *Slide) add(e *Entry, n int) {
	l.count += n
	for _, t := range l.tallies {
		for _, v := range t.Value(e) {
			id := t.Identity(v)
			if t.refs[id] += n; t.refs[id] == 0 {
				delete(t.refs, id)
			}
		}
	}
}

func (l *Slide) reset() {
	l.count = 0
	for _, t := range l.tallies {
		clear(t.refs)
	}
}
