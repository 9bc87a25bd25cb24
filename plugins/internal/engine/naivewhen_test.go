package engine

import (
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

func (n *naive) positives(node rule.Node) map[int]bool {
	out := map[int]bool{}
	sub := &rule.Rule{Patterns: n.r.Patterns, When: node}
	for i, positive := range sub.Positive() {
		if positive {
			out[i] = true
		}
	}
	return out
}

// completers gives the patterns whose events can be the completion of a node.
func (n *naive) completers(node rule.Node) map[int]bool {
	switch node := node.(type) {
	case *rule.Then:
		var last rule.Node
		for _, s := range node.Steps {
			if _, not := s.Node.(*rule.Not); !not {
				last = s.Node
			}
		}
		return n.completers(last)
	case *rule.And:
		return n.union(node.Nodes)
	case *rule.Or:
		return n.union(node.Nodes)
	}
	return n.positives(node)
}

func (n *naive) union(nodes []rule.Node) map[int]bool {
	out := map[int]bool{}
	for _, each := range nodes {
		if _, not := each.(*rule.Not); not {
			continue
		}
		for p := range n.completers(each) {
			out[p] = true
		}
	}
	return out
}

func (n *naive) span(node rule.Node) event.Time {
	var most, sum, nots event.Time
	switch node := node.(type) {
	case *rule.And:
		for _, each := range node.Nodes {
			most = max(most, n.span(each))
		}
	case *rule.Or:
		for _, each := range node.Nodes {
			most = max(most, n.span(each))
		}
	case *rule.Not:
		return n.span(node.Node)
	case *rule.Then:
		for _, s := range node.Steps {
			d := event.Time(s.Within.Milliseconds())
			if _, not := s.Node.(*rule.Not); not {
				nots = max(nots, d)
				continue
			}
			sum += d + n.span(s.Node)
		}
		if sum == 0 {
			return nots
		}
		return sum
	}
	return most
}

// sat says whether a node is fulfilled by events, all of which lie at or before hi.
// bind says that the event chosen for a pattern has to be one at hi; root that node is the whole condition.
func (n *naive) sat(node rule.Node, events []seen, hi event.Time, exact, root bool) bool {
	switch node := node.(type) {
	case *rule.Ref:
		return n.pattern(node.Pattern, events, hi, exact && !root)
	case *rule.And:
		for _, each := range node.Nodes {
			if _, not := each.(*rule.Not); !not && !n.sat(each, events, hi, false, false) {
				return false
			}
		}
		for _, each := range node.Nodes {
			not, ok := each.(*rule.Not)
			if !ok {
				continue
			}
			// In no window of W that contains hi.
			for t := hi; t < hi+n.w; t++ {
				if n.sat(not.Node, n.between(t-n.w, t), t, false, false) {
					return false
				}
			}
		}
		return true
	case *rule.Or:
		for _, each := range node.Nodes {
			if n.sat(each, events, hi, exact, false) {
				return true
			}
		}
		return false
	case *rule.Then:
		return n.chain(node.Steps, nil, events, 0, hi, root && exact)
	}
	panic("a not where none can be")
}

// pattern judges one pattern's having over its events.
func (n *naive) pattern(p int, events []seen, hi event.Time, bindAtEnd bool) bool {
	var own []seen
	for _, e := range events {
		if e.patterns[p] && n.joins(p, e) {
			own = append(own, e)
		}
	}
	if chosen, ok := n.bound[p]; ok {
		if bindAtEnd && chosen.time != hi {
			return false
		}
		if !slices.ContainsFunc(own, func(e seen) bool { return e.id == chosen.id }) {
			return false
		}
	}
	if len(own) == 0 {
		return false
	}
	having := n.r.Patterns[p].Having
	return having == nil || having.Holds(naiveEnv{n, own})
}

func (n *naive) joins(p int, e seen) bool {
	where := n.r.Patterns[p].JoinWhere
	return where == nil || where.Holds(naiveJoin{n, e})
}

// chain judges the steps that are left. done are the steps before, the last of which was complete at prev.
func (n *naive) chain(steps, done []rule.Step, events []seen, prev, hi event.Time, endsAtHi bool) bool {
	i := 0
	for i < len(steps) && isNot(steps[i]) {
		i++
	}
	nots, step := steps[:i], steps[i]
	rest := steps[i+1:]
	avail := n.since(events, done, prev)
	if len(done) > 0 && step.Within > 0 {
		limit := prev + event.Time(step.Within.Milliseconds())
		avail = slices.DeleteFunc(slices.Clone(avail), func(e seen) bool { return e.time >= limit })
	}
	trailing := !slices.ContainsFunc(rest, func(s rule.Step) bool { return !isNot(s) })
	if len(rest) == 0 && len(nots) == 0 {
		return n.sat(step.Node, avail, hi, false, false)
	}
	completers := n.completers(step.Node)
	for c := event.Time(-1 << 60); ; {
		next := event.MaxTime
		for _, e := range n.all {
			if e.time > c && e.time <= hi && (len(done) == 0 || e.time >= prev) && overlaps(e, completers) {
				next = min(next, e.time)
			}
		}
		if next == event.MaxTime {
			return false
		}
		c = next
		if len(done) > 0 && step.Within > 0 && c >= prev+event.Time(step.Within.Milliseconds()) {
			return false
		}
		if trailing && endsAtHi && c != hi {
			continue
		}
		until := slices.DeleteFunc(slices.Clone(avail), func(e seen) bool { return e.time > c })
		if !n.sat(step.Node, until, c, true, false) || !n.absent(nots, done, step, prev, c) {
			continue
		}
		if trailing {
			if n.absentAfter(rest, step, c) {
				return true
			}
			continue
		}
		if n.chain(rest, append(slices.Clone(done), step), events, c, hi, endsAtHi) {
			return true
		}
	}
}

func isNot(s rule.Step) bool { _, ok := s.Node.(*rule.Not); return ok }

func overlaps(e seen, patterns map[int]bool) bool {
	for p := range e.patterns {
		if patterns[p] {
			return true
		}
	}
	return false
}

// since gives the events from prev on, less those at prev that also match the step before.
func (n *naive) since(events []seen, done []rule.Step, prev event.Time) []seen {
	if len(done) == 0 {
		return events
	}
	before := n.completers(done[len(done)-1].Node)
	var list []seen
	for _, e := range events {
		if e.time > prev || e.time == prev && !overlaps(e, before) {
			list = append(list, e)
		}
	}
	return list
}

// absent judges the nots between two steps.
func (n *naive) absent(nots, done []rule.Step, step rule.Step, prev, c event.Time) bool {
	next := n.completers(step.Node)
	for _, not := range nots {
		limit := prev + event.Time(not.Within.Milliseconds())
		var list []seen
		for _, e := range n.since(n.between(prev-1, c), done, prev) {
			completes := e.time == c && c < limit && overlaps(e, next)
			if e.time < limit && !completes {
				list = append(list, e)
			}
		}
		if n.ever(not.Node.(*rule.Not).Node, list) {
			return false
		}
	}
	return true
}

// absentAfter judges the nots at the end.
func (n *naive) absentAfter(nots []rule.Step, step rule.Step, c event.Time) bool {
	for _, not := range nots {
		list := n.since(n.between(c-1, c+event.Time(not.Within.Milliseconds())-1), []rule.Step{step}, c)
		if n.ever(not.Node.(*rule.Not).Node, list) {
			return false
		}
	}
	return true
}

// ever says whether a node is fulfilled by the events up to any of them.
func (n *naive) ever(node rule.Node, events []seen) bool {
	for _, e := range events {
		until := slices.DeleteFunc(slices.Clone(events), func(x seen) bool { return x.time > e.time })
		if n.sat(node, until, e.time, false, false) {
			return true
		}
	}
	return false
}

// naiveEnv gives the aggregates over a list of events; every argument is v.
type naiveEnv struct {
	n    *naive
	list []seen
}

func (naiveEnv) Field(expr.Ref) any { return nil }

func (v naiveEnv) Aggregate(a *expr.Aggregate) any {
	values := make([]any, len(v.list))
	for i, e := range v.list {
		values[i] = e.v
	}
	return a.Over(values)
}

// naiveJoin compares v of an event with v of the chosen one.
type naiveJoin struct {
	n *naive
	e seen
}

func (v naiveJoin) Field(ref expr.Ref) any {
	if ref.Pattern == "" {
		return v.e.v
	}
	for i, p := range v.n.r.Patterns {
		if p.Name == ref.Pattern {
			if chosen, ok := v.n.bound[i]; ok {
				return chosen.v
			}
		}
	}
	return nil
}

func (naiveJoin) Aggregate(*expr.Aggregate) any { return nil }
