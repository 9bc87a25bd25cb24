package engine

import (
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// Rules that take the same events by the same key, and want several of them to fire, share a pool: its record holds the events
// of a key once for all of them. A rule has a record of its own only for a key of which a window has as many events as the rule
// wants; until then it can neither fire nor owe anything. That record then draws from the pool what came before:
//
//	five failures a user  ─┐
//	ten failures a user   ─┼─ pool: the failures of alice ── ten failures a user: the record of alice
//	fifty failures a user ─┘
//
// Pools are plans like others: match finds them in place of their rules, their records are saved, rest and leave memory as any.

// poolID stands where a rule has its id; no rule has this one.
const poolID = "*pool"

// poolable says whether a rule can leave its events to a pool.
func (p *plan) poolable() bool {
	return len(p.patterns) == 1 && p.monotone && p.slides() && p.least > 1 && p.closing == nil && p.rule.Patterns[0].Incidents == nil
}

// pool finds the rules that share a window. It gives plans their pools, and makes units, by which events are matched.
func (s *ruleset) pool() error {
	byFilter := map[string][]*plan{}
	for _, p := range s.plans {
		if p.poolable() {
			hash := p.rule.FilterHash()
			byFilter[hash] = append(byFilter[hash], p)
		}
	}
	for hash, members := range byFilter {
		pool, err := newPool(hash, members)
		if err != nil {
			return err
		}
		for _, m := range members {
			m.pool = pool
		}
	}
	for _, p := range s.plans {
		switch {
		case !p.shared():
			s.units = append(s.units, p)
		case !slices.Contains(s.units, p.pool):
			s.units = append(s.units, p.pool)
		}
	}
	return nil
}

// shared says whether the rule shares its pool with another one. One alone has its events to itself.
func (p *plan) shared() bool { return p.pool != nil && len(p.pool.members) > 1 }

// newPool makes the plan of a pool, and makes its members capture what all of them need.
func newPool(hash string, members []*plan) (*plan, error) {
	r := *members[0].rule
	pattern := *r.Patterns[0]
	pattern.Having, pattern.Captures = nil, nil
	for _, m := range members {
		for _, c := range m.rule.Patterns[0].Captures {
			if !slices.ContainsFunc(pattern.Captures, func(e *expr.Expr) bool { return e.String() == c.String() }) {
				pattern.Captures = append(pattern.Captures, c)
			}
		}
		r.Window = max(r.Window, m.rule.Window)
	}
	r.ID, r.StateHash, r.Patterns = poolID, hash, []*rule.Pattern{&pattern}
	pool, err := newPlan(&r)
	if err != nil {
		return nil, fmt.Errorf("pooling the events of %s: %w", members[0].rule.ID, err)
	}
	for _, m := range members {
		if len(members) > 1 {
			if err := m.capture(pattern.Captures); err != nil {
				return nil, err
			}
		}
		pool.horizon = max(pool.horizon, m.horizon)
	}
	pool.members = slices.SortedStableFunc(slices.Values(members), func(a, b *plan) int { return a.least - b.least })
	return pool, nil
}

// capture makes the plan of a rule with one pattern capture these expressions, among which its own are.
func (p *plan) capture(captures []*expr.Expr) error {
	r := *p.rule
	pattern := *r.Patterns[0]
	pattern.Captures = captures
	r.Patterns = []*rule.Pattern{&pattern}
	with, err := newPlan(&r)
	if err != nil {
		return err
	}
	with.rule = p.rule
	*p = *with
	return nil
}

// reaches says whether a window with e in it has at least so many of the entries of a pool.
func reaches(all []*window.Entry, e *window.Entry, least int, w int64) bool {
	at, found := slices.BinarySearchFunc(all, e, window.Compare)
	if !found {
		return false
	}
	for to := max(at, least-1); to < len(all) && to-least+1 <= at; to++ {
		if all[to-least+1].Time > add(all[to].Time, -w) {
			return true
		}
	}
	return false
}

// draw brings a record of a rule up to what its pool has: it takes all entries that its windows can reach.
func (r *record) draw(from *record, mark int64) {
	for _, e := range from.series.Between(max(add(mark, -r.plan.horizon), r.pruned), window.MaxTime) {
		r.add(window.Entry{ID: e.ID, Hash: e.Hash, Time: e.Time, Patterns: 1, Values: e.Values, Evidence: e.Evidence}, 0)
	}
	r.short = max(r.short, from.short)
}

// eachRule calls f with the plans of the rules that p stands for.
func (p *plan) eachRule(f func(of *plan)) {
	if p.members == nil {
		f(p)
		return
	}
	for _, m := range p.members {
		f(m)
	}
}
