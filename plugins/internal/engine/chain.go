package engine

import (
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// chain tells the plans which of them take the incidents of others, and how long they wait for them.
func (s *ruleset) chain(rules []*rule.Rule) error {
	if err := rule.Cycles(rules).Err(); err != nil {
		return fmt.Errorf("chaining rules: %w", err)
	}
	c, _ := rule.NewChain(rules) // a name that no enabled rule has gives no incidents
	for _, i := range c.Order {
		p := s.plans[i]
		p.chained, p.feeds = rules[i].Chained(), len(c.Feeds[i]) > 0
		for _, j := range c.Takes[i] {
			from := s.plans[j]
			p.depth = max(p.depth, from.depth+1)
			p.lag = max(p.lag, add(from.lag, from.firingLag()))
		}
		s.depth = max(s.depth, p.depth)
	}
	return nil
}

// feeding is what a record gets from other rules.
type feeding struct {
	placed
	adds   []addition
	events []*event.Event
}

// feed gives the incidents of a record, once nothing can make their first firing an earlier one, to the rules that take them.
func (p *passing) feed(r *record, mark int64) {
	if !r.plan.feeds {
		return
	}
	for _, s := range r.slots {
		if !s.created || s.fed || r.feedsBy(s) > mark {
			continue
		}
		s.fed = true
		r.dirty = true
		p.fed = append(p.fed, s)
		p.give(r, r.first(s))
	}
}

func (p *passing) give(r *record, inc *incident.Incident) {
	rules := p.e.rules.Load()
	ev := &event.Event{ID: inc.ID, Time: inc.Fired, Tenancy: r.tenancy, Doc: inc.OCSF()}
	var hits []match.Hit
	for _, hit := range rules.set.MatchIncident(inc.Rule.ID, ev, hits) {
		of := rules.units[hit.Rule]
		if hit.Null {
			p.e.metrics.NullKeys(of.rule.ID, 1)
		}
		at, null, ok := of.place(&hit, r.tenancy)
		if !ok {
			continue
		}
		at.id = recordID{of: of.state.number, sum: sumOf(at.scope, at.key, null)}
		f := p.feeds[at.id]
		if f == nil {
			f = &feeding{placed: at}
			p.feeds[at.id] = f
			p.plans[at.id], p.scopes[at.id] = of, at.scope
		}
		f.adds = append(f.adds, addition{event: int32(len(f.events)), pattern: int32(hit.Pattern), captures: hit.Captures})
		f.events = append(f.events, ev)
	}
}

// take puts what other rules gave into the record, which is made where there is none.
func (p *passing) take(r *record, f *feeding) *record {
	e := p.e
	past := e.past(f.plan, f.scope)
	for _, a := range f.adds {
		ev := f.events[a.event]
		if int64(ev.Time) < past || r != nil && int64(ev.Time) <= r.pruned {
			// Only where the rules were changed meanwhile, or where it was given before a save that went wrong.
			if r == nil || r.series.Find(ev.ID) == nil {
				e.metrics.Late(1)
			}
			continue
		}
		if r == nil {
			r = newRecord(f.plan, f.id, f.tenancy, f.key)
			r.short = f.plan.state.lost.Load()
			p.l.put(r)
		}
		if r.blank() {
			r.tenancy, r.key = f.tenancy, f.key
		}
		if r.short == window.MaxTime {
			r.short = int64(ev.Time)
		}
		if f.plan.firstSeen != nil && a.pattern == 0 {
			e.history.saw(f.plan, f.scope, ev.Time)
		}
		r.insert(ev, hit{pattern: int(a.pattern), captures: a.captures, evidence: e.evidenceOf(ev)})
	}
	return r
}

// feedsBy gives, by the rule's own time, when no firing before the slot's first can be found any more.
func (r *record) feedsBy(s *slot) int64 {
	return add(add(s.fired, r.plan.shift), r.plan.firingLag())
}

// keepsForFeeding gives the time above which entries are needed for incidents that other rules will take.
func (r *record) keepsForFeeding() int64 {
	limit := int64(window.MaxTime)
	for _, s := range r.slots {
		if s.created && !s.fed {
			limit = min(limit, add(s.fired, -r.plan.window))
		}
	}
	return limit
}

// first gives the slot's incident as its first firing alone made it: that does not depend on what has come since.
func (r *record) first(s *slot) *incident.Incident {
	of := &slot{start: s.start, fired: s.fired, last: s.fired, closed: window.MaxTime, revision: 1}
	r.say(of, s.fired)
	inc := r.incident(of, incident.Create)
	var counted []*window.Entry
	for _, e := range r.series.Between(add(s.fired, -r.plan.window), s.fired) {
		if e.Patterns&r.plan.positive != 0 {
			of.total.add(e.Time)
			counted = append(counted, e)
		}
	}
	inc.Count, inc.First, inc.Last = of.total.count, event.Time(of.total.first), event.Time(of.total.last)
	if len(counted) > evidenceFirst+evidenceLast {
		counted = slices.Concat(counted[:evidenceFirst], counted[len(counted)-evidenceLast:])
	}
	inc.Evidence = nil
	for _, e := range counted {
		inc.Evidence = append(inc.Evidence, r.plan.exhibit(e).show())
	}
	return inc
}
