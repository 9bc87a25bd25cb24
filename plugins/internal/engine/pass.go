package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/window"
)

// passing is what time does to the records that waited for it. Their shards are locked.
type passing struct {
	e     *Engine
	l     *locked
	rules *ruleset
	mark  func(scope string) int64
	// plans and scopes are those of the records that time passes; feeds has what they get from other rules.
	plans  map[recordID]*plan
	scopes map[recordID]string
	feeds  map[recordID]*feeding

	// records are in the order in which they are to be saved.
	records    []*record
	fired      []*incident.Incident
	waits, met []deadline
	// fed are the slots whose incidents were given to other rules.
	fed []*slot
}

// pass judges the records whose deadline is reached. The caller unlocks them when what changed is saved.
func (e *Engine) pass(ctx context.Context, final bool) (*passing, error) {
	p := &passing{e: e, mark: e.marks.at, plans: map[recordID]*plan{}, scopes: map[recordID]string{}, feeds: map[recordID]*feeding{}}
	if final {
		p.mark = func(string) int64 { return window.MaxTime }
	}
	reading := &locked{e: e}
	rules := e.rules.Load()
	e.due.mu.Lock()
	ready, err := e.due.ready(ctx, reading, p.mark, false)
	var back []deadline
	if err == nil && e.back != rules {
		back, err = e.due.ready(ctx, reading, p.mark, true)
	}
	e.due.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("reading deadlines: %w", err)
	}
	p.rules = rules
	p.reach(ready)
	p.comeBack(back)
	// Records whose last save went wrong are saved with this one.
	e.unsaved.Range(func(id, of any) bool {
		if of := rules.byKey[of.(*plan).key]; of != nil {
			p.plans[id.(recordID)] = of
		}
		return true
	})
	shards := uint64(0)
	for id := range p.plans {
		shards |= 1 << id.shard()
	}
	if rules.depth > 0 {
		// Which records will get incidents is not known before they are made.
		shards = allShards
	}
	p.l = e.lock(shards)
	p.l.extra = reading.extra
	for depth := 0; depth <= rules.depth; depth++ {
		if err := p.level(ctx, depth); err != nil {
			return p, err
		}
	}
	slices.SortStableFunc(p.fired, byFiring)
	return p, nil
}

// reach takes deadlines that are reached. Those of a rule that is away wait for it, where its records do so in a store.
func (p *passing) reach(ready []deadline) {
	for _, d := range ready {
		p.met = append(p.met, d)
		if of := p.rules.byState[d.id.of]; of != nil {
			p.plans[d.id], p.scopes[d.id] = of, d.scope
			continue
		}
		if p.e.store != nil {
			p.waits = append(p.waits, deadline{scope: awayScope + d.scope, id: d.id, due: d.due})
		}
	}
}

// comeBack takes deadlines that were reached while their rule was away, if it is there again, and lets go of those that wait too long.
func (p *passing) comeBack(back []deadline) {
	for _, d := range back {
		scope := strings.TrimPrefix(d.scope, awayScope)
		of := p.rules.byState[d.id.of]
		switch {
		case of != nil:
			p.plans[d.id], p.scopes[d.id] = of, scope
		case add(d.due, awayFor) > p.e.marks.at(scope):
			continue
		}
		p.met = append(p.met, d)
	}
}

// level judges the records of one depth. Those of later ones take their incidents, and are saved before them:
// an incident that is given again is known, and one that was never given would be lost.
func (p *passing) level(ctx context.Context, depth int) error {
	var list []wanted
	for id, of := range p.plans {
		if of.depth == depth {
			list = append(list, wanted{id: id, plan: of})
		}
	}
	slices.SortFunc(list, func(a, b wanted) int { return a.id.compare(b.id) })
	if err := p.l.load(ctx, list); err != nil {
		return fmt.Errorf("loading state of %d keys: %w", len(list), err)
	}
	records := make([]*record, 0, len(list))
	for i := range list {
		w := &list[i]
		r := w.record
		if f := p.feeds[w.id]; f != nil {
			r = p.take(r, f)
		}
		if r == nil {
			continue
		}
		records = append(records, r)
		scope, ok := p.scopes[w.id]
		if !ok {
			scope = r.plan.scope(r.tenancy)
		}
		mark := r.plan.own(p.mark(scope))
		p.fired = append(p.fired, p.e.passRecord(r, scope, mark)...)
		p.feed(r, mark)
		if due, ok := p.e.wait(r, scope); ok {
			p.waits = append(p.waits, due)
		}
		p.e.memory.change(r)
	}
	p.records = append(records, p.records...)
	return nil
}

// abandon keeps what fired before a pass went wrong for the next one.
func (e *Engine) abandon(id tickID, p *passing) {
	if p == nil {
		return
	}
	p.takeBack()
	_, after := e.outbox.settle(id, e.outbox.take(id, p.fired), nil)
	e.garbage.keep(after)
	if row := e.outbox.rows[id]; row != nil {
		row.saved = false
	}
	p.l.failed(p.records)
}

// takeBack says that what was given to other rules has to be given again.
func (p *passing) takeBack() {
	for _, s := range p.fed {
		s.fed = false
	}
}

// own gives the rule's own time when the watermark is at mark.
func (p *plan) own(mark int64) int64 {
	if mark == window.MaxTime {
		return mark
	}
	return add(mark, -p.lag)
}

// past gives where the rule's own time stands: behind the last incidents that it got.
func (e *Engine) past(p *plan, scope string) int64 {
	if !p.chained {
		return e.marks.at(scope)
	}
	return add(e.fed.Load().at(scope), -p.lag)
}
