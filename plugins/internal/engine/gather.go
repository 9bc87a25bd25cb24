package engine

import (
	"context"
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/window"
)

// drawing is what a batch does to a record that a rule has beside its pool.
type drawing struct {
	work
	pool *record
}

// gather puts what a batch has for pools into their records, and brings the records of the rules that need it into memory.
// What it changed is to be saved even after an error.
func (b *batch) gather(ctx context.Context, l *locked, list []wanted) error {
	b.drawings = b.drawings[:0]
	for i := range list {
		if w := &b.works[list[i].work]; w.plan.members != nil {
			b.records[i] = b.gatherOne(l, w, list[i].record)
		}
	}
	if len(b.drawings) == 0 {
		return nil
	}
	b.drawn = b.drawn[:0]
	for i := range b.drawings {
		d := &b.drawings[i]
		b.drawn = append(b.drawn, wanted{id: d.id, plan: d.plan, work: int32(i)})
	}
	if err := l.load(ctx, b.drawn); err != nil {
		return fmt.Errorf("loading state of %d keys: %w", len(b.drawn), err)
	}
	return nil
}

// gatherOne puts the additions of a pool into its record, which is made where there is none, and notes the rules that need them.
// A rule needs an event when a window with the event in it has as many as the rule wants: else the event can neither fire
// nor count for it; or when its own record is level with the pool's, and is to stay so.
func (b *batch) gatherOne(l *locked, w *work, r *record) *record {
	b.fresh, b.repeats = b.fresh[:0], b.repeats[:0]
	mark := b.e.marks.at(w.scope)
	r = b.insert(l, w, r, mark)
	if r == nil {
		return nil
	}
	r.idle = false
	all := r.series.All()
	for _, m := range w.plan.members {
		if slices.Contains(r.level, m.state) || m.least <= len(all) && b.reached(all, m) {
			d := drawing{work: *w, pool: r}
			d.plan, d.id.of, d.drawn = m, m.state.number, true
			b.drawings = append(b.drawings, d)
		}
	}
	r.prune(mark, b.e.opt.Emit, b.e.marks.ticked)
	return r
}

// reached says whether a window with an event of the batch in it has as many as the rule wants. One that came before counts as well:
// whoever knew it first may not have come to the end.
func (b *batch) reached(all []*window.Entry, m *plan) bool {
	for _, e := range b.fresh {
		if reaches(all, e, m.least, m.window) {
			return true
		}
	}
	for i := range b.repeats {
		if reaches(all, b.repeats[i].entry, m.least, m.window) {
			return true
		}
	}
	return false
}

// applyDrawing does to a rule's own record what the batch did to its pool's.
func (b *batch) applyDrawing(l *locked, i int, waits *[]deadline) *record {
	d, r := &b.drawings[i], b.drawn[i].record
	level := slices.Index(d.pool.level, d.plan.state)
	if r == nil && level >= 0 {
		// It was over, or left memory.
		d.pool.level = slices.Delete(d.pool.level, level, level+1)
		if level = -1; !b.wants(d) {
			return nil
		}
	}
	behind := level < 0
	if behind {
		if r == nil {
			r = newRecord(d.plan, d.id, d.tenancy, d.key)
			r.short = d.plan.state.lost.Load()
			l.put(r)
		}
		r.draw(d.pool, b.e.marks.at(d.scope))
		d.pool.level = append(d.pool.level, d.plan.state)
	}
	return b.applyOne(l, &d.work, r, behind, waits)
}

// wants says whether the rule needs what the batch brought, as far as the pool tells.
func (b *batch) wants(d *drawing) bool {
	all := d.pool.series.All()
	for _, e := range all {
		if b.brings(&d.work, e) && reaches(all, e, d.plan.least, d.plan.window) {
			return true
		}
	}
	return false
}

// brings says whether an entry is of an event of the batch.
func (b *batch) brings(w *work, e *window.Entry) bool {
	for n := w.first; ; n = b.adds[n].next {
		if at := b.adds[n].event; b.hashes[at] == e.Hash && b.events[at].ID == e.ID {
			return true
		}
		if n == w.last {
			return false
		}
	}
}
