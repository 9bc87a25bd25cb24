package engine

import (
	"context"

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
	if p != nil {
		defer p.l.unlock()
	}
	if err != nil {
		e.abandon(id, p)
		return nil, err
	}
	all := e.outbox.take(id, p.fired)
	s := saving{waits: p.waits, met: p.met}
	s.before, s.after = e.outbox.settle(id, all, ackedIDs(t))
	if moved || e.clockUnsaved {
		s.after = append([]Change{clockRow}, s.after...)
	}
	e.clockUnsaved = true
	if err := e.save(ctx, p.l, p.records, s); err != nil {
		p.takeBack()
		return nil, err
	}
	e.clockUnsaved = false
	e.back = p.rules
	if e.rules.Load().depth > 0 {
		e.fed.Store(e.marks.picture())
	}
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

// passRecord judges one record at its rule's mark.
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
	r.prune(add(e.marks.at(scope), -r.plan.lag), e.opt.Emit, e.marks.ticked)
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
