package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// Observe counts a batch of events and gives what each of them did. State is saved when it returns without an error.
// After an error the batch is to be given again: what was counted is not counted twice, and its incidents leave then.
func (e *Engine) Observe(ctx context.Context, events []*event.Event) ([]Outcome, error) {
	b := e.begin(events)
	defer b.done()
	err := b.run(ctx)
	e.clock.RUnlock()
	if err != nil {
		return nil, err
	}
	e.passWithoutClock(b.newest)
	e.tidy()
	e.evict()
	return b.outcomes, nil
}

// begin matches the events and holds the clock.
func (e *Engine) begin(events []*event.Event) *batch {
	for {
		rules := e.rules.Load()
		b := newBatch(e, rules, events)
		var hits []match.Hit
		for i, ev := range events {
			hits = rules.set.Match(ev, hits[:0])
			b.take(i, hits)
		}
		e.clock.RLock()
		if e.rules.Load() == rules {
			return b
		}
		e.clock.RUnlock()
		b.done()
	}
}

// sweepEvery is how many batches go between two sweeps of a shard.
const sweepEvery = 16

// tidy drops from memory what is over, a little with every so many batches.
func (e *Engine) tidy() {
	if e.batches.Add(1)%sweepEvery != 0 {
		return
	}
	e.clock.RLock()
	defer e.clock.RUnlock()
	e.sweep(1)
}

// passWithoutClock moves time by the events themselves, while no clock has spoken.
func (e *Engine) passWithoutClock(newest map[string]int64) {
	if len(newest) == 0 {
		return
	}
	e.clock.RLock()
	ticked := e.marks.ticked
	e.clock.RUnlock()
	if ticked {
		return
	}
	passed := e.front.saw(newest, e.opt.Lateness, e.opt.MaxFuture)
	e.clock.Lock()
	defer e.clock.Unlock()
	if e.marks.ticked {
		return
	}
	for scope, t := range passed {
		e.marks.raise(scope, t)
	}
}

// batch is one call of Observe.
type batch struct {
	e        *Engine
	rules    *ruleset
	events   []*event.Event
	outcomes []Outcome
	evidence []*window.Evidence
	hashes   []uint32
	// nodes are the keys that the events name; byKey finds them by their sums.
	nodes []node
	byKey map[keySum]int32
	// works is what is done to each record, in the order in which the events name them.
	works   []work
	adds    []addition
	list    []wanted
	records []*record
	nulls   map[string]int
	newest  map[string]int64
	// front is the scope of the last hit and its newest event, which newest has not been told of.
	front scopeFront
	// summed are the keys of the event at hand: rules that group by the same fields share them.
	summed []summed

	// fresh are the entries of the record at hand that count for the first time; repeats those that came again.
	fresh   []*window.Entry
	repeats []repeat
}

type scopeFront struct {
	scope string
	time  int64
	known bool
}

// node is a key: the records of all rules that share it.
type node struct {
	sum keySum
	// first and last are the ends of a list of works; cursor is the one that was found last.
	first, last, cursor int32
}

// placed says which record a hit belongs to.
type placed struct {
	id      recordID
	plan    *plan
	scope   string
	tenancy string
	key     []any
}

// work is what a batch does to one record.
type work struct {
	placed
	// first and last are the ends of a list of additions.
	first, last int32
	// next is the next work of the node; 0 where there is none.
	next int32
}

// addition is one hit.
type addition struct {
	event    int32
	pattern  int32
	captures []any
	// next is the next addition to the same record; 0 where there is none.
	next int32
}

type repeat struct {
	event int32
	entry *window.Entry
}

// summed is a key whose node is known.
type summed struct {
	scope string
	null  int
	key   []any
	node  int32
}

var batches = sync.Pool{New: func() any {
	return &batch{byKey: map[keySum]int32{}, nulls: map[string]int{}, newest: map[string]int64{}}
}}

func newBatch(e *Engine, rules *ruleset, events []*event.Event) *batch {
	b := batches.Get().(*batch)
	b.e, b.rules, b.events, b.outcomes = e, rules, events, make([]Outcome, len(events))
	return b
}

// done gives the batch back, without what it knew.
func (b *batch) done() {
	clear(b.evidence)
	clear(b.works)
	clear(b.adds)
	clear(b.list)
	clear(b.records)
	clear(b.summed)
	clear(b.byKey)
	clear(b.nulls)
	clear(b.newest)
	clear(b.fresh[:cap(b.fresh)])
	clear(b.repeats[:cap(b.repeats)])
	*b = batch{
		evidence: b.evidence[:0], hashes: b.hashes[:0], nodes: b.nodes[:0], byKey: b.byKey, works: b.works[:0], adds: b.adds[:0],
		list: b.list[:0], records: b.records[:0], nulls: b.nulls, newest: b.newest, summed: b.summed[:0], fresh: b.fresh[:0], repeats: b.repeats[:0],
	}
	batches.Put(b)
}

// take notes the hits of one event.
func (b *batch) take(i int, hits []match.Hit) {
	ev := b.events[i]
	b.summed = b.summed[:0]
	for h := range hits {
		hit := &hits[h]
		p := b.rules.plans[hit.Rule]
		b.outcomes[i].Matched = true
		if hit.Null {
			b.nulls[p.rule.ID]++
		}
		at, null, ok := p.place(hit, ev.Tenancy)
		if !ok {
			continue
		}
		b.saw(at.scope, int64(ev.Time))
		b.add(b.node(at.scope, at.key, null), at, addition{event: int32(i), pattern: int32(hit.Pattern), captures: hit.Captures})
	}
}

// saw takes notice of an event's time, by scope.
func (b *batch) saw(scope string, t int64) {
	f := &b.front
	if f.known && f.scope == scope {
		f.time = max(f.time, t)
		return
	}
	b.tell()
	*f = scopeFront{scope: scope, time: t, known: true}
}

func (b *batch) tell() {
	f := &b.front
	if !f.known {
		return
	}
	if t, ok := b.newest[f.scope]; !ok || f.time > t {
		b.newest[f.scope] = f.time
	}
	f.known = false
}

// node gives the node of a key.
func (b *batch) node(scope string, key []any, null int) int32 {
	for i := range b.summed {
		if s := &b.summed[i]; s.null == null && s.scope == scope && slices.Equal(s.key, key) {
			return s.node
		}
	}
	sum := sumOf(scope, key, null)
	n, known := b.byKey[sum]
	if !known {
		n = int32(len(b.nodes))
		b.byKey[sum] = n
		b.nodes = append(b.nodes, node{sum: sum, first: none, last: none, cursor: none})
	}
	b.summed = append(b.summed, summed{scope: scope, null: null, key: key, node: n})
	return n
}

// none is the number of no work.
const none = -1

// add puts an addition behind the others of its record. Events name the rules of a key in the same order,
// so the record is mostly the one behind that of the last addition.
func (b *batch) add(number int32, at placed, a addition) {
	n := int32(len(b.adds))
	b.adds = append(b.adds, a)
	to := &b.nodes[number]
	at.id = recordID{of: at.plan.state.number, sum: to.sum}
	if to.cursor != none {
		for w := b.works[to.cursor].next; w != none; w = b.works[w].next {
			if b.works[w].id.of == at.id.of {
				b.join(to, w, n)
				return
			}
		}
	}
	for w := to.first; w != none; w = b.works[w].next {
		if b.works[w].id.of == at.id.of {
			b.join(to, w, n)
			return
		}
		if w == to.cursor {
			break
		}
	}
	w := int32(len(b.works))
	b.works = append(b.works, work{placed: at, first: n, last: n, next: none})
	if to.last != none {
		b.works[to.last].next = w
	} else {
		to.first = w
	}
	to.last, to.cursor = w, w
}

func (b *batch) join(to *node, w, n int32) {
	b.adds[b.works[w].last].next = n
	b.works[w].last, to.cursor = n, w
}

// each calls f with the additions of a record, in the order of their events.
func (b *batch) each(w *work, f func(a *addition)) {
	for n := w.first; ; n = b.adds[n].next {
		f(&b.adds[n])
		if n == w.last {
			return
		}
	}
}

// place says which record a hit belongs to, but for the sum of its key, and which pattern it belongs to alone; ok is false where it belongs to none.
func (p *plan) place(hit *match.Hit, tenancy string) (at placed, null int, ok bool) {
	if hit.Null && len(p.patterns) > 1 {
		if p.alone&(1<<hit.Pattern) == 0 {
			return at, 0, false
		}
		null = hit.Pattern + 1
	}
	scope := p.scope(tenancy)
	if p.rule.Scope == rule.ScopeAll {
		tenancy = ""
	}
	return placed{plan: p, scope: scope, tenancy: tenancy, key: hit.Key}, null, true
}

// run counts what was taken, and saves it. The caller holds the clock.
func (b *batch) run(ctx context.Context) error {
	if len(b.works) == 0 {
		return nil
	}
	b.tell()
	b.evidence = slices.Grow(b.evidence, len(b.events))[:len(b.events)]
	b.hashes = slices.Grow(b.hashes, len(b.events))[:len(b.events)]
	for i, ev := range b.events {
		b.hashes[i] = window.HashID(ev.ID)
	}
	list, shards := b.byShard()
	if b.e.store != nil {
		// Nobody else may save what this batch changed before it is saved.
		if err := b.apply(ctx, list, shards); err != nil {
			return err
		}
		b.count()
		return nil
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].id.shard() == list[0].id.shard() {
			n++
		}
		if err := b.apply(ctx, list[:n], 1<<list[0].id.shard()); err != nil {
			return err
		}
		list = list[n:]
	}
	b.count()
	return nil
}

// byShard gives the records of the batch, those of one shard together, and the mask of the shards.
func (b *batch) byShard() (list []wanted, shards uint64) {
	var ends [shardCount + 1]int
	for i := range b.works {
		ends[b.works[i].id.shard()+1]++
	}
	for i := range shardCount {
		if ends[i+1] > 0 {
			shards |= 1 << i
		}
		ends[i+1] += ends[i]
	}
	b.list = slices.Grow(b.list, len(b.works))[:len(b.works)]
	list = b.list
	for i := range b.works {
		at := &ends[b.works[i].id.shard()]
		list[*at] = wanted{id: b.works[i].id, plan: b.works[i].plan, work: int32(i)}
		*at++
	}
	return list, shards
}

// apply does the work on the records of these shards and saves them.
func (b *batch) apply(ctx context.Context, list []wanted, shards uint64) error {
	l := b.e.lock(shards)
	defer l.unlock()
	if err := l.load(ctx, list); err != nil {
		return fmt.Errorf("loading state of %d keys: %w", len(list), err)
	}
	var waits []deadline
	b.records = slices.Grow(b.records[:0], len(list))[:len(list)]
	for i := range list {
		b.records[i] = b.applyOne(l, &b.works[list[i].work], list[i].record, &waits)
	}
	return b.e.save(ctx, l, b.records, saving{waits: waits})
}

// applyOne does the work on one record, which is made where there is none, and adds the deadline that follows from it.
func (b *batch) applyOne(l *locked, w *work, r *record, waits *[]deadline) *record {
	e := b.e
	mark := e.marks.at(w.scope)
	b.fresh, b.repeats = b.fresh[:0], b.repeats[:0]
	r = b.insert(l, w, r, mark)
	if r == nil {
		return nil
	}
	r.idle = false
	if r.due <= mark {
		// Its deadline is about to be met, or was while the rule was away: then nothing waits for it any more.
		r.due = window.MaxTime
	}
	if len(b.fresh) > 1 {
		slices.SortFunc(b.fresh, window.Compare)
	}
	var grown []*slot
	if r.plan.monotone {
		grown = r.fire(b.fresh, e.opt.IncidentsFrom)
	} else {
		for _, entry := range b.fresh {
			grown = append(grown, r.coverNew(entry)...)
		}
	}
	b.announce(r, w, grown)
	b.repeat(r)
	if r.plan.chained {
		mark = e.past(r.plan, w.scope)
	}
	r.prune(mark, e.opt.Emit, e.marks.ticked)
	if due, ok := e.wait(r, w.scope); ok {
		*waits = append(*waits, due)
	}
	return r
}

// insert puts the additions into the record, which is made when there is something to put in.
func (b *batch) insert(l *locked, w *work, r *record, mark int64) *record {
	b.each(w, func(a *addition) {
		ev := b.events[a.event]
		if int64(ev.Time) < mark || r != nil && int64(ev.Time) <= r.pruned {
			if r != nil {
				if known := r.series.Find(ev.ID); known != nil {
					b.repeats = append(b.repeats, repeat{event: a.event, entry: known})
					return
				}
			}
			b.outcomes[a.event].Late = true
			return
		}
		if r == nil {
			r = newRecord(w.plan, w.id, w.tenancy, w.key)
			r.short = w.plan.state.lost.Load()
			l.put(r)
		}
		if r.tenancy == "" && r.key == nil {
			// The record was found damaged, and begins anew.
			r.tenancy, r.key = w.tenancy, w.key
		}
		if r.short == window.MaxTime {
			r.short = int64(ev.Time)
		}
		if w.plan.firstSeen != nil && a.pattern == 0 {
			b.e.history.saw(w.plan, w.scope, ev.Time)
		}
		if b.evidence[a.event] == nil {
			b.evidence[a.event] = b.e.evidenceOf(ev)
		}
		entry, isNew := r.insert(ev, hit{pattern: int(a.pattern), captures: a.captures, hash: b.hashes[a.event], evidence: b.evidence[a.event]})
		switch {
		case !isNew:
			b.repeats = append(b.repeats, repeat{event: a.event, entry: entry})
		case len(w.plan.patterns) == 1 || !slices.Contains(b.fresh, entry):
			b.fresh = append(b.fresh, entry)
		}
	})
	return r
}

// announce gives the incidents that began or grew to the events that did it.
func (b *batch) announce(r *record, w *work, grown []*slot) {
	if len(grown) == 0 {
		return
	}
	emit := b.e.opt.Emit
	done := map[*slot]bool{}
	for _, s := range grown {
		if done[s] {
			continue
		}
		done[s] = true
		reopened := s.reopen()
		carrier := b.carrier(s)
		action := incident.Update
		switch {
		case !s.created:
			s.created = true
			r.dirty = true
			if !emit.Create {
				continue
			}
			s.creator = carrier.ID
			action = incident.Create
		case !emit.Update || !reopened && carrier.Time < add(s.sentAt, b.e.every(r.plan)):
			continue
		}
		inc := r.message(s, action, carrier.Time)
		if !slices.Contains(carrier.Carried, s.start) {
			carrier.Carried = append(carrier.Carried, s.start)
			r.chunks.changed(carrier)
		}
		carried := false
		b.each(w, func(a *addition) {
			if !carried && b.events[a.event].ID == carrier.ID {
				b.carry(a.event, inc)
				carried = true
			}
		})
	}
}

// carrier gives the event of the batch that an incident leaves with: the latest one that counts in it.
func (b *batch) carrier(s *slot) *window.Entry {
	for _, e := range slices.Backward(b.fresh) {
		if covers(e, s) {
			return e
		}
	}
	return b.fresh[len(b.fresh)-1]
}

// repeat sends again what an event carried when it came before.
func (b *batch) repeat(r *record) {
	for i, again := range b.repeats {
		if slices.Contains(b.fresh, again.entry) || slices.Contains(b.repeats[:i], again) {
			continue
		}
		for _, start := range again.entry.Carried {
			for _, s := range r.slots {
				if s.start != start {
					continue
				}
				action := incident.Update
				if s.creator == again.entry.ID {
					action = incident.Create
				}
				b.carry(again.event, r.again(s, action))
				if !s.open() {
					// Whoever keeps the last message must not take the incident for open.
					b.carry(again.event, r.again(s, incident.Close))
				}
			}
		}
	}
}

func (b *batch) carry(i int32, inc *incident.Incident) {
	b.outcomes[i].Incidents = append(b.outcomes[i].Incidents, inc)
}

// count tells the metrics what happened, once it is saved.
func (b *batch) count() {
	late := 0
	for i := range b.outcomes {
		o := &b.outcomes[i]
		slices.SortStableFunc(o.Incidents, byFiring)
		if o.Late {
			late++
		}
		for _, inc := range o.Incidents {
			b.e.metrics.Incidents(inc.Rule.ID, inc.Action, 1)
		}
	}
	if late > 0 {
		b.e.metrics.Late(late)
	}
	for _, id := range sortedKeys(b.nulls) {
		b.e.metrics.NullKeys(id, b.nulls[id])
	}
}

// byFiring orders incidents as an analyst reads them.
func byFiring(a, b *incident.Incident) int {
	return cmp.Or(
		cmp.Compare(a.Fired, b.Fired), cmp.Compare(a.Rule.ID, b.Rule.ID), cmp.Compare(a.Slot, b.Slot),
		cmp.Compare(a.ID, b.ID), cmp.Compare(a.Revision, b.Revision))
}

// every gives the least time between two messages of an incident of the plan.
func (e *Engine) every(p *plan) int64 { return cmp.Or(p.every, e.opt.UpdateEvery.Milliseconds()) }

// wait gives the deadline that the record needs and has not registered.
func (e *Engine) wait(r *record, scope string) (d deadline, ok bool) {
	due := add(r.pending(e.opt.Emit, e.every(r.plan)), r.plan.lag)
	if due >= r.due {
		return d, false
	}
	r.due = due
	r.dirty = true
	return deadline{scope: scope, id: r.id, due: due}, true
}
