package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	err := b.run(ctx)
	mark := b.newest
	e.clock.RUnlock()
	if err != nil {
		return nil, err
	}
	e.passWithoutClock(mark)
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
	}
}

// sweepEvery is how many batches go between two sweeps of a shard.
const sweepEvery = 256

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
	work     map[string]*work
	nulls    map[string]int
	newest   map[string]int64
}

// work is what a batch does to one record.
type work struct {
	id      string
	plan    *plan
	scope   string
	tenancy string
	key     []any
	adds    []addition

	// fresh are the entries that count for the first time; repeats those that came again.
	fresh   []*window.Entry
	repeats []repeat
}

// addition is one hit.
type addition struct {
	event    int
	pattern  int
	captures []any
}

type repeat struct {
	event int
	entry *window.Entry
}

func newBatch(e *Engine, rules *ruleset, events []*event.Event) *batch {
	return &batch{
		e: e, rules: rules, events: events, outcomes: make([]Outcome, len(events)),
		work: map[string]*work{}, nulls: map[string]int{}, newest: map[string]int64{},
	}
}

// take notes the hits of one event.
func (b *batch) take(i int, hits []match.Hit) {
	for h := range hits {
		hit := &hits[h]
		p := b.rules.plans[hit.Rule]
		b.outcomes[i].Matched = true
		if hit.Null {
			b.nulls[p.rule.ID]++
		}
		ev := b.events[i]
		placed, ok := p.place(hit, ev.Tenancy)
		if !ok {
			continue
		}
		if t, ok := b.newest[placed.scope]; !ok || int64(ev.Time) > t {
			b.newest[placed.scope] = int64(ev.Time)
		}
		w := b.work[placed.id]
		if w == nil {
			w = placed
			b.work[w.id] = w
		}
		w.adds = append(w.adds, addition{event: i, pattern: hit.Pattern, captures: hit.Captures})
	}
}

// place says which record a hit belongs to; ok is false where it belongs to none.
func (p *plan) place(hit *match.Hit, tenancy string) (w *work, ok bool) {
	null := 0
	if hit.Null && len(p.patterns) > 1 {
		if p.alone&(1<<hit.Pattern) == 0 {
			return nil, false
		}
		null = hit.Pattern + 1
	}
	scope := p.scope(tenancy)
	if p.rule.Scope == rule.ScopeAll {
		tenancy = ""
	}
	return &work{id: recordID(p, scope, hit.Key, null), plan: p, scope: scope, tenancy: tenancy, key: hit.Key}, true
}

// run counts what was taken, and saves it. The caller holds the clock.
func (b *batch) run(ctx context.Context) error {
	if len(b.work) == 0 {
		return nil
	}
	b.evidence = make([]*window.Evidence, len(b.events))
	ids := sortedKeys(b.work)
	plans := make(map[string]*plan, len(ids))
	for _, id := range ids {
		plans[id] = b.work[id].plan
	}
	l := b.e.lock(ids)
	defer l.unlock()
	if err := l.load(ctx, ids, plans); err != nil {
		return fmt.Errorf("loading state of %d keys: %w", len(ids), err)
	}
	var waits []deadline
	for _, id := range ids {
		waits = append(waits, b.apply(l, b.work[id])...)
	}
	if err := b.e.save(ctx, l, ids, saving{waits: waits}); err != nil {
		return err
	}
	b.count()
	return nil
}

// apply does the work on one record and gives the deadline that follows from it.
func (b *batch) apply(l *locked, w *work) []deadline {
	e := b.e
	mark := e.marks.at(w.scope)
	r := l.byID[w.id]
	b.insert(l, w, &r, mark)
	if r == nil {
		return nil
	}
	if r.due <= mark {
		// Its deadline is about to be met, or was while the rule was away: then nothing waits for it any more.
		r.due = window.MaxTime
	}
	slices.SortFunc(w.fresh, window.Compare)
	var grown []*slot
	if r.plan.monotone {
		grown = r.fire(w.fresh, e.opt.IncidentsFrom)
	} else {
		for _, entry := range w.fresh {
			grown = append(grown, r.coverNew(entry)...)
		}
	}
	b.announce(r, w, grown)
	b.repeat(r, w)
	r.prune(e.past(r.plan, w.scope), e.opt.Emit, e.marks.ticked)
	wait := e.wait(r, w.scope)
	e.memory.change(r)
	return wait
}

// insert puts the additions into the record, which is made when there is something to put in.
func (b *batch) insert(l *locked, w *work, rec **record, mark int64) {
	for _, a := range w.adds {
		ev := b.events[a.event]
		r := *rec
		if int64(ev.Time) < mark || r != nil && int64(ev.Time) <= r.pruned {
			if r != nil {
				if known := r.series.Find(ev.ID); known != nil {
					w.repeats = append(w.repeats, repeat{event: a.event, entry: known})
					continue
				}
			}
			b.outcomes[a.event].Late = true
			continue
		}
		if r == nil {
			r = newRecord(w.plan, w.id, w.tenancy, w.key)
			r.short = b.e.memory.lostUntil(w.plan)
			l.put(r)
			*rec = r
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
			b.evidence[a.event] = evidenceOf(ev)
		}
		entry, isNew := r.insert(ev, a.pattern, a.captures, b.evidence[a.event])
		switch {
		case !isNew:
			w.repeats = append(w.repeats, repeat{event: a.event, entry: entry})
		case !slices.Contains(w.fresh, entry):
			w.fresh = append(w.fresh, entry)
		}
	}
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
		carrier := w.carrier(s)
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
		for _, a := range w.adds {
			if b.events[a.event].ID == carrier.ID {
				b.carry(a.event, inc)
				break
			}
		}
	}
}

// carrier gives the event of the batch that an incident leaves with: the latest one that counts in it.
func (w *work) carrier(s *slot) *window.Entry {
	for _, e := range slices.Backward(w.fresh) {
		if covers(e, s) {
			return e
		}
	}
	return w.fresh[len(w.fresh)-1]
}

// repeat sends again what an event carried when it came before.
func (b *batch) repeat(r *record, w *work) {
	for i, again := range w.repeats {
		if slices.Contains(w.fresh, again.entry) || slices.Contains(w.repeats[:i], again) {
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

func (b *batch) carry(i int, inc *incident.Incident) {
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
func (e *Engine) wait(r *record, scope string) []deadline {
	due := add(r.pending(e.opt.Emit, e.every(r.plan)), r.plan.lag)
	if due >= r.due {
		return nil
	}
	r.due = due
	r.dirty = true
	return []deadline{{scope: scope, id: r.id, due: due}}
}
