package engine

import (
	"context"
	"errors"

	"benthos-oci/plugins/internal/window"
)

// find gives the record of a wanted one if it is in memory, or rests there.
func (l *locked) find(w *wanted, near *record) {
	w.record = l.e.shards[w.id.shard()].find(w.id, near)
	if w.record == nil && l.e.store == nil {
		w.record = l.wake(w)
	}
}

// kin completes what was brought in from the store: which rules share a pool may have changed since it was saved. A pool takes what
// its rules had to themselves, and a rule that has its events to itself takes what is in the pool.
func (l *locked) kin(ctx context.Context, list []*wanted) error {
	var asked []*wanted // those that others complete
	var others []wanted
	var ends []int // of others, by asked
	for _, w := range list {
		before := len(others)
		switch {
		case w.plan.members != nil:
			for _, m := range w.plan.members {
				others = append(others, wanted{id: recordID{of: m.state.number, sum: w.id.sum}, plan: m})
			}
		case w.plan.pool != nil && !w.plan.shared():
			others = append(others, wanted{id: recordID{of: w.plan.pool.state.number, sum: w.id.sum}, plan: w.plan.pool})
		}
		if len(others) > before {
			asked, ends = append(asked, w), append(ends, len(others))
		}
	}
	if len(others) == 0 {
		return nil
	}
	if err := l.findOrFetch(ctx, others); err != nil {
		return err
	}
	from := 0
	for i, w := range asked {
		l.complete(w, others[from:ends[i]])
		if from = ends[i]; w.record != nil {
			w.record.asks = false
		}
	}
	return nil
}

// findOrFetch brings records in that nothing completes.
func (l *locked) findOrFetch(ctx context.Context, list []wanted) error {
	var missing []*wanted
	for i := range list {
		if l.find(&list[i], nil); list[i].record == nil {
			missing = append(missing, &list[i])
		}
	}
	return l.fetch(ctx, missing)
}

// complete completes one record by those of its kin.
func (l *locked) complete(w *wanted, kin []wanted) {
	var own []*record
	for i := range kin {
		if r := kin[i].record; r != nil {
			own = append(own, r)
		}
	}
	if len(own) == 0 {
		return
	}
	mark := l.e.marks.at(w.plan.scope(own[0].tenancy))
	if w.record == nil {
		w.record = newRecord(w.plan, w.id, own[0].tenancy, own[0].key)
		w.record.short = w.plan.state.lost.Load()
		l.put(w.record)
	}
	for _, r := range own {
		w.record.draw(r, mark)
	}
}

// regroup gives the records of a shard to pools and rules as they are grouped after a reload. With a store those of pools leave memory,
// and those of rules that lack something of them ask for it when they are next touched. The caller holds the shard and the clock.
func (e *Engine) regroup(s *shard, old, next *ruleset) {
	alone := map[string]*plan{} // the rules whose pool is no other's any more, by the pool
	moved := map[uint32]*plan{} // those that leave what they had to a pool, by their states
	for _, p := range next.plans {
		before := old.byKey[p.key]
		switch {
		case p.pool == nil || before == nil:
		case before.shared() && !p.shared():
			alone[p.pool.key] = p
			e.wakeAll(s, before.pool)
		case !before.shared() && p.shared():
			moved[p.state.number] = p
			e.wakeAll(s, before)
		}
	}
	if len(alone)+len(moved) == 0 {
		return
	}
	if e.store != nil {
		s.each(func(r *record) { r.asks = r.asks || r.plan.pool != nil && alone[r.plan.pool.key] != nil })
		return
	}
	var all []*record
	s.each(func(r *record) { all = append(all, r) })
	l := &locked{e: e}
	for _, r := range all {
		w := &wanted{id: recordID{sum: r.id.sum}}
		// There is nothing to save: a record that is not touched may rest.
		settle := func() {
			if w.record != nil {
				w.record.dirty = false
			}
		}
		if p := alone[r.plan.key]; p != nil {
			w.plan, w.id.of = p, p.state.number
			l.find(w, nil)
			l.complete(w, []wanted{{record: r}})
			settle()
		}
		if p := moved[r.id.of]; p != nil {
			r.replan(p)
			w.plan, w.id.of = p.pool, p.pool.state.number
			l.find(w, nil)
			l.complete(w, []wanted{{record: r}})
			settle()
		}
	}
}

// wakeAll brings back all records of a plan that rest in a shard.
func (e *Engine) wakeAll(s *shard, p *plan) {
	if int(p.state.number) >= len(s.shelves) || s.shelves[p.state.number] == nil {
		return
	}
	var sums []keySum
	s.shelves[p.state.number].each(func(sum keySum, _ []byte) bool {
		sums = append(sums, sum)
		return false
	})
	l := &locked{e: e}
	for _, sum := range sums {
		l.wake(&wanted{id: recordID{of: p.state.number, sum: sum}, plan: p})
	}
}

// fetch reads records from the store; those without a row stay absent.
func (l *locked) fetch(ctx context.Context, missing []*wanted) error {
	if len(missing) == 0 {
		return nil
	}
	keys := make([]string, len(missing))
	for i, w := range missing {
		keys[i] = rowKey(w.plan.key, w.id.sum)
	}
	rows, err := l.loadRows(ctx, keys)
	if err != nil {
		return err
	}
	var loaded []*record
	for i, w := range missing {
		if rows[i] == nil {
			continue
		}
		r, err := decodeRecord(w.plan, w.id, rows[i])
		if errors.Is(err, window.ErrVersion) {
			return err
		}
		if err != nil {
			l.quarantine(keys[i], rows[i], err)
			r = newRecord(w.plan, w.id, "", nil)
			r.short, r.dirty = window.MaxTime, true
		}
		w.record = r
		loaded = append(loaded, r)
	}
	if err := l.loadChunks(ctx, loaded); err != nil {
		return err
	}
	for _, r := range loaded {
		r.rebuild()
		if r.plan.members == nil || r.plan.members[0].shared() {
			l.put(r)
		}
	}
	return nil
}
