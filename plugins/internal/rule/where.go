package rule

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/expr"
)

// where reads a pattern's `where`: what speaks of its own event alone becomes Where, the rest JoinWhere.
func (r *reading) where(pattern int) {
	e, ok := r.sources[pattern].at["where"]
	if !ok {
		return
	}
	parsed := r.parse(e.value, "where")
	if parsed == nil {
		return
	}
	resolved := r.inContext(e.value, 0, parsed, context{pattern: pattern, where: "a `where`", others: true})
	if resolved == nil {
		return
	}
	var own, join []*expr.Expr
	for _, part := range resolved.Conjuncts() {
		others := r.others(part)
		for _, other := range others {
			if problem := r.joinProblem(pattern, other); problem != "" {
				r.errorf(e.value, "%s", problem)
			}
		}
		if len(others) == 0 {
			own = append(own, part)
			continue
		}
		if used := part.Lookups(); len(used) > 0 {
			r.errorf(e.value, "%s cannot be compared with another pattern's field: tables are read for one event", used[0])
			continue
		}
		join = append(join, part)
		r.captureRefs(part, pattern)
	}
	r.Patterns[pattern].Where = expr.And(own)
	r.Patterns[pattern].JoinWhere = expr.And(join)
}

// others gives the patterns that an expression names.
func (r *reading) others(e *expr.Expr) []int {
	var others []int
	for _, ref := range e.Refs() {
		if ref.Pattern != "" {
			others = append(others, r.patternNamed(ref.Pattern))
		}
	}
	return others
}

// joinProblem says why a pattern's `where` cannot name a field of another one.
func (r *reading) joinProblem(pattern, other int) string {
	name, earlier := r.Patterns[pattern].Name, r.Patterns[other].Name
	switch {
	case r.closes(pattern):
		return fmt.Sprintf("%q only closes incidents, and cannot name another pattern's fields: what they share belongs into group_by", name)
	case r.sources[other].at["having"].value != nil:
		return fmt.Sprintf("the pattern %q has a `having` and may stand for many events: %q can name only the fields of one", earlier, name)
	case slices.Index(r.used, other) >= slices.Index(r.used, pattern):
		return fmt.Sprintf("%q comes before %q in `when`: the later one names the fields of the earlier", name, earlier)
	case apart(r.When, pattern, other):
		return fmt.Sprintf("%q and %q stand on two sides of `or`: where one is, the other need not be", name, earlier)
	}
	return ""
}

// apart says whether two patterns stand on different sides of an `or`.
func apart(when Node, a, b int) bool {
	found := false
	eachNode(when, func(n Node) {
		or, ok := n.(*Or)
		if !ok {
			return
		}
		for _, x := range or.Nodes {
			if names(x, a) != names(x, b) {
				found = true
			}
		}
	})
	return found
}

func names(n Node, pattern int) bool {
	found := false
	eachNode(n, func(n Node) {
		if ref, ok := n.(*Ref); ok && ref.Pattern == pattern {
			found = true
		}
	})
	return found
}

func (r *reading) having(pattern int) {
	e, ok := r.sources[pattern].at["having"]
	if !ok {
		return
	}
	if h := r.havingOf(e.value, pattern); h != nil {
		r.Patterns[pattern].Having = h
	}
}

// havingOf reads a `having`; nil where it is wrong, which is noted.
func (r *reading) havingOf(n *yaml.Node, pattern int) *expr.Expr {
	parsed := r.parse(n, "having")
	if parsed == nil {
		return nil
	}
	resolved := r.inContext(n, 0, parsed, context{pattern: pattern, where: "a `having`", keys: true, group: true})
	if resolved == nil {
		return nil
	}
	if len(resolved.Aggregates()) == 0 {
		r.errorf(n, "a `having` compares what it counts, as in `count() >= 5`; what one event must fulfil stands in `match` or `where`")
		return nil
	}
	for _, a := range resolved.Aggregates() {
		if len(r.others1(a)) > 0 {
			r.errorf(n, "a `having` speaks of its own pattern's events only")
			return nil
		}
	}
	resolved = ownAggregates(resolved, r.Patterns[pattern].Name)
	for _, a := range resolved.Aggregates() {
		if a.Arg != nil {
			r.Patterns[pattern].capture(a.Arg)
		}
	}
	switch never, silence := resolved.Never(); {
	case silence && never:
		r.warnf(n, "`%s` never holds: nothing is judged where no event is, and silence is `then not`, as in `a then not b within 1h`", resolved)
	case never:
		r.warnf(n, "`%s` never holds: there is no such number of events", resolved)
	}
	return resolved
}

func (r *reading) others1(a *expr.Aggregate) []int {
	if a.Arg == nil {
		return nil
	}
	return r.others(a.Arg)
}

// ownAggregates leaves the pattern's own name out of its aggregates: fail.count() in fail is count().
func ownAggregates(e *expr.Expr, pattern string) *expr.Expr {
	return e.MapAggregates(func(a *expr.Aggregate) *expr.Aggregate {
		if a.Pattern != pattern {
			return a
		}
		own := *a
		own.Pattern = ""
		return &own
	})
}

// captureRefs has the patterns keep the fields that an expression asks for. own is the pattern of fields without one, -1 for each positive.
func (r *reading) captureRefs(e *expr.Expr, own int) {
	positive := positives(r.When, len(r.Patterns))
	keep := func(pattern string, value *expr.Expr) {
		switch at := r.patternNamed(pattern); {
		case pattern != "" && at >= 0:
			r.Patterns[at].capture(value)
		case own >= 0:
			r.Patterns[own].capture(value)
		default:
			for i, p := range r.Patterns {
				if positive[i] {
					p.capture(value)
				}
			}
		}
	}
	for _, ref := range e.Refs() {
		if ref.Key == "" {
			keep(ref.Pattern, expr.Field(expr.Ref{Path: ref.Path}))
		}
	}
	for _, a := range e.Aggregates() {
		if a.Arg != nil {
			keep(a.Pattern, a.Arg)
		}
	}
}
