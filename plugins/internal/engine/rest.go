package engine

import (
	"slices"

	"benthos-oci/plugins/internal/window"
)

// Without a store, records that nothing touches rest in memory in an encoded form: all that the rule and its incidents
// need of them, but for the documents of their evidence, which an archive of bounded size keeps.

// resting reads the head of a record at rest.
type resting struct {
	// expires is the event time after which nothing in the record matters; window.MaxTime where it waits or owes something.
	expires, touched int64
	// tenancy is its number.
	tenancy  uint64
	entries  int
	incident bool
}

func readResting(d *window.Decoder) resting {
	touched := d.Int()
	return resting{touched: touched, expires: touched + d.Int(), tenancy: d.Uint(), entries: int(d.Uint()), incident: d.Bool()}
}

// Flags of what a record at rest has.
const (
	restPruned = 1 << iota
	restShort
	restDue
	restSettled
	restClosings
	restSlots
)

// rests says whether the record can rest: nothing of it is on its way anywhere.
func (r *record) rests() bool { return !r.dirty && !r.unsaved }

// rest encodes the record.
func (r *record) rest(c *window.Encoder, emit EmitOptions) (expires int64) {
	list := r.series.All()
	expires = r.expires()
	if r.due != window.MaxTime || slices.ContainsFunc(r.slots, func(s *slot) bool { return s.owes(emit) }) {
		expires = window.MaxTime
	}
	c.Int(r.touched)
	c.Int(expires - r.touched)
	tenancy, captures := r.plan.state.names(r.tenancy, r.plan.captures)
	c.Uint(tenancy)
	c.Uint(uint64(len(list)))
	c.Bool(len(r.slots) > 0)
	c.Uint(captures)
	c.Values(r.key)
	times := []int64{r.pruned, r.short, r.due, r.settled, r.closings}
	has := uint64(0)
	for i, none := range restAbsent {
		if times[i] != none {
			has |= 1 << i
		}
	}
	if len(r.slots) > 0 {
		has |= restSlots
	}
	c.Uint(has)
	for i := range times {
		if has&(1<<i) != 0 {
			c.Int(times[i])
		}
	}
	if has&restSlots != 0 {
		c.Uint(uint64(len(r.slots)))
		for _, s := range r.slots {
			s.encode(c)
		}
	}
	c.Uint(uint64(len(list)))
	if len(list) > 0 {
		since := list[0].Time
		c.Int(since - r.touched)
		for _, e := range list {
			c.CompactEntry(e, since)
			since = e.Time
		}
	}
	return expires
}

// restAbsent are the values of pruned, short, due, settled and closings that say nothing.
var restAbsent = [...]int64{window.MinTime, window.MinTime, window.MaxTime, window.MinTime, window.MinTime}

// wake decodes a record that rested.
func wake(p *plan, id recordID, d *window.Decoder) (*record, error) {
	head := readResting(d)
	tenancy, captures := p.state.named(head.tenancy, d.Uint())
	r := newRecord(p, id, tenancy, d.Values())
	has := d.Uint()
	for i, t := range []*int64{&r.pruned, &r.short, &r.due, &r.settled, &r.closings} {
		if has&(1<<i) != 0 {
			*t = d.Int()
		}
	}
	if has&restSlots != 0 {
		for range d.Len() {
			s := decodeSlot(d)
			if d.Failed() {
				break
			}
			r.slots = append(r.slots, s)
			r.bytes += slotBytes
		}
	}
	if n := d.Len(); n > 0 {
		since := head.touched + d.Int()
		for range n {
			e := d.CompactEntry(since)
			if d.Failed() {
				break
			}
			since = e.Time
			p.adopt(&e, captures)
			entry, _ := r.series.Insert(e)
			r.bytes += entryBytes(entry)
		}
	}
	r.touched = head.touched
	r.rebuild()
	return r, d.Err()
}

// lay puts a record to rest. The caller holds its shard.
func (e *Engine) lay(r *record) {
	s := &e.shards[r.id.shard()]
	c := window.Compact(s.buffer)
	expires := r.rest(c, e.opt.Emit)
	s.buffer = c.Body()
	for int(r.id.of) >= len(s.shelves) {
		s.shelves = append(s.shelves, nil)
	}
	at := s.shelves[r.id.of]
	if at == nil {
		at = &shelf{due: window.MaxTime}
		s.shelves[r.id.of] = at
	}
	at.due = min(at.due, expires)
	at.put(r.id.sum, s.buffer)
	s.remove(r)
	e.memory.drop(r)
	e.memory.rests(r.plan.state, 1, len(s.buffer)+shelfItem)
}

// wake brings a record back that rested; nil where there is none. The caller holds its shard.
func (l *locked) wake(w *wanted) *record {
	e := l.e
	s := &e.shards[w.id.shard()]
	if int(w.id.of) >= len(s.shelves) || s.shelves[w.id.of] == nil {
		return nil
	}
	body, ok := s.shelves[w.id.of].take(w.id.sum)
	if !ok {
		return nil
	}
	e.memory.rests(w.plan.state, -1, -len(body)-shelfItem)
	r, err := wake(w.plan, w.id, window.NewCompactDecoder(body, e.archive))
	if err != nil {
		l.quarantine(rowKey(w.plan.key, w.id.sum), nil, err)
		r = newRecord(w.plan, w.id, "", nil)
		r.short, r.dirty = window.MaxTime, true
	}
	l.put(r)
	return r
}

// clear drops what rests of a rule in a shard and is wanted by f, and says how much it was.
func (e *Engine) clear(s *shard, state *ruleState, f func(sum keySum, at resting) (drop bool)) (n int) {
	if int(state.number) >= len(s.shelves) || s.shelves[state.number] == nil {
		return 0
	}
	at := s.shelves[state.number]
	due := int64(window.MaxTime)
	at.each(func(sum keySum, body []byte) bool {
		head := readResting(window.NewCompactDecoder(body, e.archive))
		if !f(sum, head) {
			due = min(due, head.expires)
			return false
		}
		n++
		e.memory.rests(state, -1, -len(body)-shelfItem)
		return true
	})
	at.due = due
	if at.count == 0 {
		s.shelves[state.number] = nil
	}
	return n
}
