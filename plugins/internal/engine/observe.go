package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
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
	b.records = slices.Grow(b.records[:0], len(list))[:len(list)]
	clear(b.records)
	if err := b.gather(ctx, l, list); err != nil {
		l.failed(b.records)
		return err
	}
	var waits []deadline
	for i := range list {
		if w := &b.works[list[i].work]; w.plan.members == nil {
			b.records[i] = b.applyOne(l, w, list[i].record, false, &waits)
		}
	}
	for i := range b.drawings {
		b.records = append(b.records, b.applyDrawing(l, i, &waits))
	}
	return b.e.save(ctx, l, b.records, saving{waits: waits})
}

// applyOne does the work on one record, which is made where there is none, and adds the deadline that follows from it.
// behind says that it has just been brought up to what its pool has: all of it is to be judged, and not only what the batch brings.
func (b *batch) applyOne(l *locked, w *work, r *record, behind bool, waits *[]deadline) *record {
	e := b.e
	mark := e.marks.at(w.scope)
	b.fresh, b.repeats, b.carried = b.fresh[:0], b.repeats[:0], b.carried[:0]
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
		judged := b.fresh
		if behind && len(b.fresh)+len(b.repeats) > 0 {
			judged = slices.Clone(r.series.All())
		}
		grown = r.fire(judged, e.opt.IncidentsFrom)
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
			if !w.drawn {
				b.outcomes[a.event].Late = true
			}
			return
		}
		if r == nil {
			r = newRecord(w.plan, w.id, w.tenancy, w.key)
			r.short = w.plan.state.lost.Load()
			l.put(r)
		}
		if r.blank() {
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
		if len(b.fresh) == 0 {
			b.carried = append(b.carried, carrying{entry: carrier, slot: s.start})
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

// carrier gives the event of the batch that an incident leaves with: the latest one that counts in it. Where all of them were in the record,
// its pool has had them a moment before.
func (b *batch) carrier(s *slot) *window.Entry {
	for _, e := range slices.Backward(b.fresh) {
		if covers(e, s) {
			return e
		}
	}
	if len(b.fresh) > 0 {
		return b.fresh[len(b.fresh)-1]
	}
	latest := b.repeats[0].entry
	for i := range b.repeats {
		if e := b.repeats[i].entry; covers(e, s) && (!covers(latest, s) || window.Compare(e, latest) > 0) {
			latest = e
		}
	}
	return latest
}

// repeat sends again what an event carried when it came before.
func (b *batch) repeat(r *record) {
	for i, again := range b.repeats {
		if slices.Contains(b.fresh, again.entry) || slices.Contains(b.repeats[:i], again) {
			continue
		}
		for _, start := range again.entry.Carried {
			for _, s := range r.slots {
				if s.start != start || slices.Contains(b.carried, carrying{entry: again.entry, slot: start}) {
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
