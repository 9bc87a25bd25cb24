package engine

import (
	"context"
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/internal/window"
)

// Advance lets time pass and gives the incidents that fire by it. They are saved under the tick's number when it
// returns without an error: the same tick again gives them again, its ack deletes them, and a tick of a later run
// gives those that no tick of an earlier run has delivered. After an error the tick is to be given again.
func (e *Engine) Advance(ctx context.Context, t watermark.Tick) ([]*incident.Incident, error) {
	e.advancing.Lock()
	defer e.advancing.Unlock()
	id := idOf(t)
	if row := e.outbox.rows[id]; row != nil && row.saved {
		return row.incidents, e.acknowledge(ctx, t)
	}
	e.clock.Lock()
	moved := e.marks.tick(t)
	moved = e.marks.meet(t.Known) || moved
	clockRow := e.marks.row()
	e.clock.Unlock()

	// Nothing below changes the marks, and events go on to be counted meanwhile: they lie at or above them.
	e.clock.RLock()
	defer e.clock.RUnlock()
	p, err := e.pass(ctx, t.Final)
	if err != nil {
		return nil, err
	}
	defer p.l.unlock()
	all := e.outbox.take(id, p.fired)
	s := saving{waits: p.waits, met: p.met}
	s.before, s.after = e.outbox.settle(id, all, ackedIDs(t))
	if moved || e.clockUnsaved {
		s.after = append([]Change{clockRow}, s.after...)
	}
	e.clockUnsaved = true
	if err := e.save(ctx, p.l, p.ids, s); err != nil {
		return nil, err
	}
	e.clockUnsaved = false
	if row := e.outbox.rows[id]; row != nil {
		row.saved = true
	}
	e.sweep(shardCount / 8)
	for _, inc := range p.fired {
		e.metrics.Incidents(inc.Rule.ID, inc.Action, 1)
	}
	return all, nil
}

func ackedIDs(t watermark.Tick) []tickID {
	var ids []tickID
	for _, number := range t.Acked {
		ids = append(ids, tickID{Boot: t.Boot, Number: number})
	}
	return ids
}

// acknowledge takes out what was delivered, for a tick that came again.
func (e *Engine) acknowledge(ctx context.Context, t watermark.Tick) error {
	id := idOf(t)
	all := e.outbox.rows[id].incidents
	if len(t.Acked) == 0 {
		return nil
	}
	before, after := e.outbox.settle(id, all, ackedIDs(t))
	if err := e.save(ctx, &locked{e: e}, nil, saving{before: before, after: after}); err != nil {
		return err
	}
	e.outbox.rows[id].saved = true
	return nil
}

// passing is what time does to the records that waited for it. Their shards are locked.
type passing struct {
	l          *locked
	ids        []string
	fired      []*incident.Incident
	waits, met []deadline
}

// pass judges the records whose deadline is reached. The caller unlocks them when what changed is saved.
func (e *Engine) pass(ctx context.Context, final bool) (*passing, error) {
	mark := e.marks.at
	if final {
		mark = func(string) int64 { return window.MaxTime }
	}
	reading := &locked{e: e}
	e.due.mu.Lock()
	ready, err := e.due.ready(ctx, reading, mark)
	e.due.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("reading deadlines: %w", err)
	}
	plans, scopes := map[string]*plan{}, map[string]string{}
	byKey := e.rules.Load().byKey
	p := &passing{}
	for _, d := range ready {
		p.met = append(p.met, d)
		if of := byKey[planKey(d.id)]; of != nil {
			plans[d.id], scopes[d.id] = of, d.scope
		}
	}
	// Records whose last save went wrong are saved with this one.
	e.unsaved.Range(func(id, of any) bool {
		if of := byKey[of.(*plan).key]; of != nil {
			plans[id.(string)] = of
		}
		return true
	})
	p.ids = sortedKeys(plans)
	p.l = e.lock(p.ids)
	p.l.extra = reading.extra
	if err := p.l.load(ctx, p.ids, plans); err != nil {
		p.l.unlock()
		return nil, fmt.Errorf("loading state of %d keys: %w", len(p.ids), err)
	}
	for _, id := range p.ids {
		r := p.l.byID[id]
		if r == nil {
			continue
		}
		scope, ok := scopes[id]
		if !ok {
			scope = r.plan.scope(r.tenancy)
		}
		p.fired = append(p.fired, e.passRecord(r, scope, mark(scope))...)
		p.waits = append(p.waits, e.wait(r, scope)...)
		e.memory.change(r)
	}
	slices.SortStableFunc(p.fired, byFiring)
	return p, nil
}

// passRecord judges one record at the mark of its scope.
func (e *Engine) passRecord(r *record, scope string, mark int64) []*incident.Incident {
	r.due = window.MaxTime
	r.dirty = true
	var learned func(t int64) bool
	if r.plan.firstSeen != nil {
		learned = func(t int64) bool { return e.history.learned(r.plan, scope, t) }
	}
	silent := e.marks.silentSources(scope)
	var fired []*incident.Incident
	done, reopened := map[*slot]bool{}, map[*slot]bool{}
	for _, s := range r.settle(mark, e.opt.IncidentsFrom, learned) {
		if done[s] {
			continue
		}
		done[s] = true
		reopened[s] = s.reopen()
		s.incomplete = union(s.incomplete, silent)
		if s.created {
			continue
		}
		s.created = true
		if e.opt.Emit.Create {
			fired = append(fired, r.message(s, incident.Create, min(mark, add(s.last, r.plan.shift))))
		}
	}
	for _, s := range r.slots {
		if inc := e.passSlot(r, s, mark, reopened[s]); inc != nil {
			fired = append(fired, inc)
		}
	}
	r.closingsJudged(mark)
	r.prune(e.marks.at(scope), e.opt.Emit, e.marks.ticked)
	return fired
}

// passSlot gives the update or close that is due for a slot.
func (e *Engine) passSlot(r *record, s *slot, mark int64, reopened bool) *incident.Incident {
	emit := e.opt.Emit
	every := e.every(r.plan)
	switch {
	case !s.created:
		return nil
	case emit.Close && s.open() && r.close(s, mark):
		return r.message(s, incident.Close, s.closed)
	case !emit.Update || s.sent == s.total:
		return nil
	case reopened:
		return r.message(s, incident.Update, min(mark, add(s.last, r.plan.shift)))
	case add(s.sentAt, every) <= mark:
		return r.message(s, incident.Update, min(mark, add(s.sentAt, every)))
	}
	return nil
}

// planKey gives the plan's key in the key of a record's row.
func planKey(id string) string {
	const prefix = "record/"
	end := len(id)
	for i := len(id) - 1; i >= 0; i-- {
		if id[i] == '/' {
			end = i
			break
		}
	}
	if end <= len(prefix) {
		return ""
	}
	return id[len(prefix):end]
}
