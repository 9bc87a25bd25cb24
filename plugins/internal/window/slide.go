package window

// Slide keeps what an aggregate needs over the interval (after, to] of one pattern's entries while the interval moves.
// It may move in both directions; the cost is that of the entries that enter or leave.
// A Slide is told of every entry that is inserted or pruned.
type Slide struct {
	pattern   int
	after, to int64
	counters  []Counter
	count     int
}

// Counter counts something over the entries in the interval of a Slide.
type Counter interface {
	// Count takes an entry that entered, or left.
	Count(e *Entry, entered bool)
	// Reset forgets all entries.
	Reset()
}

// Tally is a Counter of the different values of one expression.
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

// Count takes an entry that entered, or left.
func (t *Tally) Count(e *Entry, entered bool) {
	n := 1
	if !entered {
		n = -1
	}
	for _, v := range t.Value(e) {
		id := t.Identity(v)
		if t.refs[id] += n; t.refs[id] == 0 {
			delete(t.refs, id)
		}
	}
}

// Reset forgets all entries.
func (t *Tally) Reset() { t.refs = map[any]int{} }

// NewSlide gives a slide over an empty interval.
func NewSlide(pattern int, counters []Counter) *Slide {
	for _, c := range counters {
		c.Reset()
	}
	return &Slide{pattern: pattern, after: MinTime, to: MinTime, counters: counters}
}

// Count gives the number of entries in the interval.
func (l *Slide) Count() int { return l.count }

// Move sets the interval to (after, to].
func (l *Slide) Move(s *Series, after, to int64) {
	if after >= l.to || to <= l.after {
		l.reset()
		l.after, l.to = after, to
		l.each(s.Range(l.pattern, after, to), true)
		return
	}
	if to > l.to {
		l.each(s.Range(l.pattern, l.to, to), true)
	}
	if to < l.to {
		l.each(s.Range(l.pattern, to, l.to), false)
	}
	if after > l.after {
		l.each(s.Range(l.pattern, l.after, after), false)
	}
	if after < l.after {
		l.each(s.Range(l.pattern, after, l.after), true)
	}
	l.after, l.to = after, to
}

// Inserted tells of an entry that now is in the series.
func (l *Slide) Inserted(e *Entry) { l.one(e, true) }

// Pruned tells of an entry that was in the series.
func (l *Slide) Pruned(e *Entry) { l.one(e, false) }

func (l *Slide) one(e *Entry, entered bool) {
	if e.Patterns&(1<<l.pattern) != 0 && e.Time > l.after && e.Time <= l.to {
		l.add(e, entered)
	}
}

func (l *Slide) each(list []*Entry, entered bool) {
	for _, e := range list {
		l.add(e, entered)
	}
}

func (l *Slide) add(e *Entry, entered bool) {
	if entered {
		l.count++
	} else {
		l.count--
	}
	for _, c := range l.counters {
		c.Count(e, entered)
	}
}

func (l *Slide) reset() {
	l.count = 0
	for _, c := range l.counters {
		c.Reset()
	}
}
