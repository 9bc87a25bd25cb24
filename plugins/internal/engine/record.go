package engine

import (
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/window"
)

// record is the state of one rule, tenancy and key. The lock of its shard guards all of it.
type record struct {
	plan *plan
	id   recordID
	// next is the next record of the same key, of a rule whose state has a larger number.
	next    *record
	tenancy string
	key     []any

	series window.Series
	// slides and witness are derived when needed, and never saved.
	slides  []*slide
	witness witness
	slots   []*slot
	// level are, of a pool, the rules whose own records for this key have all that it has. It is never saved.
	level []*ruleState
	// asks says that the rule shared its events with others until a moment ago, and that its pool may have more of them.
	asks bool
	// pruned is the time at and below which entries are gone.
	pruned int64
	// short is the latest event time of which events were lost; window.MinTime where none were,
	// window.MaxTime where it is not known yet.
	short int64
	// due is the time for which a deadline is registered; window.MaxTime where there is none.
	due int64
	// settled is the time up to which all candidates are judged for good.
	settled int64
	// closings is the time up to which what closes incidents was judged while this record was in memory.
	closings int64

	chunks chunks
	dirty  bool
	// idle says that nothing has touched the record since a sweep saw it.
	idle bool
	// unsaved says that a save went wrong: the row on disk is older than what is here.
	unsaved bool
	// bytes is what it takes in memory, counted what memory knows of that.
	bytes, counted int64
	// touched is the largest event time seen, for eviction.
	touched int64
}

// slot is one incident, from before it exists to its close.
type slot struct {
	start int64
	// base counts the covered entries that were pruned; total counts those and the live ones.
	base, total span
	baseFirst   []exhibit
	baseLast    []exhibit
	// fired is the time of the first firing, last that of the last; completions, without the plan's shift.
	fired, last int64

	created bool
	// fed says that the rules that take the incident have it.
	fed bool
	// closed is when the incident was closed; window.MaxTime while it is open.
	closed int64
	// creator is the event that carried the first message out, "" where a tick did.
	creator  string
	revision int64
	sent     span
	sentAt   int64
	text     text
	// incomplete names the partitions that were silent when the incident fired by time.
	incomplete []string
}

// text is what an incident says, as it was when its last message was made.
type text struct {
	title      string
	attributes map[string]any
	response   []string
}

// span is a number of events and their extremes.
type span struct {
	count       int64
	first, last int64
}

func (s *span) add(t int64) {
	if s.count == 0 || t < s.first {
		s.first = t
	}
	if s.count == 0 || t > s.last {
		s.last = t
	}
	s.count++
}

func newRecord(p *plan, id recordID, tenancy string, key []any) *record {
	r := &record{
		plan: p, id: id, tenancy: tenancy, key: key,
		pruned: window.MinTime, due: window.MaxTime, settled: window.MinTime, closings: window.MinTime, touched: window.MinTime, short: window.MinTime, bytes: recordBytes,
	}
	r.series.Init(len(p.patterns))
	return r
}

// blank says that the record was found damaged, and begins anew.
func (r *record) blank() bool { return r.tenancy == "" && r.key == nil }

func (r *record) judge() *judge {
	j := &judge{p: r.plan, root: r.plan.root, s: &r.series, key: r.key}
	if r.plan.joined != 0 {
		j.bound = make([]*window.Entry, len(r.plan.patterns))
	}
	return j
}

// holds says whether the rule's condition holds at t.
func (r *record) holds(j *judge, t int64) bool {
	switch {
	case r.plan.firstSeen != nil:
		return r.firstSeen(t)
	case r.plan.slides():
		return r.slideHolds(j, t)
	}
	return r.conditionHolds(j, t)
}

// firstSeen says whether an event at t has a value that no event of (t-within, t) had.
func (r *record) firstSeen(t int64) bool {
	f := r.plan.firstSeen
	s := r.slideOf(0)
	s.Move(&r.series, add(t, -f.within), t-1)
	before := s.tallies[f.capture]
	for _, e := range r.series.Between(t-1, t) {
		for _, v := range flat(capture(e, 0, f.capture)) {
			if !before.Has(expr.Identity(v)) {
				return true
			}
		}
	}
	return false
}

// hit is what a record takes of a match.
type hit struct {
	pattern  int
	captures []any
	// hash is that of the event's id; 0 where it is not known.
	hash     uint32
	evidence *window.Evidence
}

// insert adds an event's match of one pattern. isNew is false where the event was counted before.
func (r *record) insert(ev *event.Event, h hit) (e *window.Entry, isNew bool) {
	added := window.Entry{ID: ev.ID, Hash: h.hash, Time: int64(ev.Time), Patterns: 1 << h.pattern, Evidence: h.evidence}
	if len(h.captures) > 0 {
		added.Values = make([][]any, h.pattern+1)
		added.Values[h.pattern] = h.captures
	}
	return r.add(added, h.pattern)
}

// add adds what a pattern makes of an event, under the rules of insert.
func (r *record) add(added window.Entry, pattern int) (e *window.Entry, isNew bool) {
	known := r.series.Len()
	e, grown := r.series.Insert(added)
	if !grown {
		return e, false
	}
	isNew = r.series.Len() > known
	if isNew {
		r.chunks.take(e, r.plan.chunk)
		r.bytes += entryBytes(e)
		r.touched = max(r.touched, e.Time)
	} else {
		r.chunks.changed(e)
	}
	if r.slides != nil && r.slides[pattern] != nil {
		r.slides[pattern].Inserted(e)
	}
	r.dirty = true
	return e, true
}

// fire judges a monotone rule at the times that the new entries can have changed, and gives the slots that grew.
func (r *record) fire(fresh []*window.Entry, from event.Time) []*slot {
	var grown []*slot
	var j *judge
	done := int64(window.MinTime)
	for _, s := range fresh {
		if r.tooFew(s) {
			continue
		}
		if j == nil {
			j = r.judge()
		}
		// Windows that end in [s, s+W) contain s.
		after := max(s.Time-1, done)
		to := add(s.Time, r.plan.window) - 1
		grown = append(grown, r.judgeRange(j, after, to, from)...)
		done = max(done, to)
	}
	for _, s := range fresh {
		grown = append(grown, r.coverNew(s)...)
	}
	return grown
}

// tooFew says that no window with s in it has as many events as the rule needs.
func (r *record) tooFew(s *window.Entry) bool {
	least := r.plan.least
	if least <= 1 {
		return false
	}
	all := r.series.All()
	if len(all) < least {
		return true
	}
	// Behind the last event there is none, so its own window has the most.
	return all[len(all)-1] == s && all[len(all)-least].Time <= add(s.Time, -r.plan.window)
}

// judgeRange judges the candidates with after < time <= to that do not fire yet.
func (r *record) judgeRange(j *judge, after, to int64, from event.Time) []*slot {
	var grown []*slot
	last, held := int64(window.MinTime), false
	for _, e := range r.series.Between(after, to) {
		if e.Fires || e.Patterns&r.plan.candidates == 0 {
			continue
		}
		if e.Time != last {
			last, held = e.Time, r.holds(j, e.Time)
		}
		if held && add(e.Time, r.plan.shift) >= int64(from) {
			grown = append(grown, r.setFires(e)...)
		}
	}
	return grown
}

// setFires makes e a firing and covers the events of its window.
func (r *record) setFires(e *window.Entry) []*slot {
	e.Fires = true
	r.chunks.changed(e)
	r.dirty = true
	return r.cover(e)
}

// slotAt gives the slot that a completion at t belongs to.
func (r *record) slotAt(t int64) *slot {
	start := r.plan.slotOf(add(t, r.plan.shift))
	i, found := slices.BinarySearchFunc(r.slots, start, func(s *slot, t int64) int {
		switch {
		case s.start < t:
			return -1
		case s.start > t:
			return 1
		}
		return 0
	})
	if !found {
		r.slots = slices.Insert(r.slots, i, &slot{start: start, fired: window.MaxTime, last: window.MinTime, closed: window.MaxTime})
		r.bytes += slotBytes
	}
	return r.slots[i]
}

// cover counts the events of the window of a firing in its slot. Events that an earlier firing of the slot covers are passed over.
func (r *record) cover(f *window.Entry) []*slot {
	s := r.slotAt(f.Time)
	s.fired = min(s.fired, f.Time)
	s.last = max(s.last, f.Time)
	grew := false
	for _, e := range slices.Backward(r.series.Between(add(f.Time, -r.plan.window), f.Time)) {
		if e.Patterns&r.plan.positive == 0 {
			continue
		}
		known := slices.Contains(e.Covered, s.start)
		// A firing of the same slot, covered before, has covered all that is in both windows.
		if known && e.Fires && e.Time < f.Time && r.plan.slotOf(add(e.Time, r.plan.shift)) == s.start {
			break
		}
		if !known {
			e.Covered = append(e.Covered, s.start)
			s.total.add(e.Time)
			grew = true
		}
	}
	if grew {
		return []*slot{s}
	}
	return nil
}

// coverNew counts a new event in the slots of the firings whose windows hold it.
func (r *record) coverNew(e *window.Entry) []*slot {
	if len(r.slots) == 0 || e.Patterns&r.plan.positive == 0 {
		return nil
	}
	var grown []*slot
	after, to := e.Time-1, add(e.Time, r.plan.window)-1
	for after < to {
		next := int64(window.MaxTime)
		for _, f := range r.series.Between(after, to) {
			if !f.Fires {
				continue
			}
			s := r.slotAt(f.Time)
			if !slices.Contains(e.Covered, s.start) {
				e.Covered = append(e.Covered, s.start)
				s.total.add(e.Time)
				grown = append(grown, s)
			}
			// Go on behind the slot.
			next = add(add(s.start, r.plan.per), -r.plan.shift) - 1
			break
		}
		after = max(next, after+1)
	}
	return grown
}

// settle judges for good what the watermark allows, and gives the slots that grew.
// from silences firings before it, learned those before its rule has learned; it may be nil.
func (r *record) settle(mark int64, from event.Time, learned func(t int64) bool) []*slot {
	if r.plan.monotone {
		return nil
	}
	var grown []*slot
	j := r.judge()
	last, held := int64(window.MinTime), false
	until := add(mark, -r.plan.ahead)
	for _, e := range r.series.Between(max(r.pruned, r.settled), until) {
		if e.Judged || e.Patterns&r.plan.candidates == 0 {
			continue
		}
		if e.Time != last {
			last, held = e.Time, r.holds(j, e.Time)
		}
		e.Judged = true
		r.chunks.changed(e)
		r.dirty = true
		if held && add(e.Time, r.plan.shift) >= int64(from) && (learned == nil || learned(e.Time)) {
			grown = append(grown, r.setFires(e)...)
		}
	}
	// At the end of all inputs everything is judged, but time has not come that far.
	if mark != window.MaxTime {
		r.settled = max(r.settled, until)
	}
	return grown
}

// pending gives, by the rule's own time, the one for which the watermark must be waited: window.MaxTime where there is nothing to wait for.
func (r *record) pending(emit EmitOptions, every int64) int64 {
	due := int64(window.MaxTime)
	if !r.plan.monotone {
		due = add(r.unjudged(), r.plan.ahead)
	}
	for _, s := range r.slots {
		if !s.created {
			continue
		}
		if r.plan.feeds && !s.fed {
			due = min(due, r.feedsBy(s))
		}
		if emit.Close && s.open() {
			due = min(due, r.closesBy(s))
		}
		if emit.Update && s.sent != s.total {
			due = min(due, add(s.sentAt, every))
		}
	}
	return due
}

// unjudged gives the time of the first candidate that is not judged; window.MaxTime where there is none.
func (r *record) unjudged() int64 {
	for _, e := range r.series.Between(r.settled, window.MaxTime) {
		if !e.Judged && e.Patterns&r.plan.candidates != 0 {
			return e.Time
		}
	}
	return window.MaxTime
}

// closes gives the watermark at which nothing can be added to the slot any more.
func (r *record) closes(s *slot) int64 {
	return add(add(s.start, r.plan.per), max(r.plan.ahead-r.plan.shift, 0))
}

// prune drops what no window above the watermark can reach, and slots that are over.
// What a candidate needs that time has passed but that is not judged yet is kept; without a clock none ever is.
func (r *record) prune(mark int64, emit EmitOptions, clock bool) {
	limit := add(mark, -r.plan.horizon)
	if !r.plan.monotone && clock {
		r.settled = max(r.settled, min(add(mark, -r.plan.ahead), add(r.unjudged(), -1)))
		limit = min(limit, add(r.settled, r.plan.ahead-r.plan.horizon))
	}
	if emit.Close && clock {
		limit = min(limit, r.keepsForClosing(mark))
	}
	if r.plan.feeds && clock {
		limit = min(limit, r.keepsForFeeding())
	}
	if limit <= r.pruned {
		return
	}
	gone := r.series.Prune(limit)
	for _, e := range gone {
		r.bytes -= entryBytes(e)
		for _, s := range r.slides {
			if s != nil {
				s.Pruned(e)
			}
		}
		r.chunks.drop(e)
		for _, start := range e.Covered {
			for _, s := range r.slots {
				if s.start == start {
					s.keep(e, r.plan)
				}
			}
		}
	}
	r.pruned = limit
	slots := len(r.slots)
	r.slots = slices.DeleteFunc(r.slots, func(s *slot) bool {
		unfed := r.plan.feeds && s.created && !s.fed
		return !s.owes(emit) && !unfed && add(r.closes(s), r.plan.horizon) <= mark
	})
	r.bytes -= slotBytes * int64(slots-len(r.slots))
	if len(gone) > 0 || len(r.slots) < slots {
		r.dirty = true
	}
}
