package engine

import (
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/rule"
)

func (p *plan) compile(n rule.Node) (*cond, error) {
	switch n := n.(type) {
	case *rule.Ref:
		return p.compileRef(n)
	case *rule.And:
		return p.compileAnd(n)
	case *rule.Or:
		return p.compileOr(n)
	case *rule.Then:
		return p.compileThen(n)
	case *rule.Not:
		return nil, fmt.Errorf("a `not` has nothing positive beside it: %w", errPlan)
	}
	return nil, fmt.Errorf("a condition of type %T: %w", n, errPlan)
}

func (p *plan) compileRef(n *rule.Ref) (*cond, error) {
	if n.Pattern < 0 || n.Pattern >= len(p.patterns) {
		return nil, fmt.Errorf("a condition names pattern %d of %d: %w", n.Pattern, len(p.patterns), errPlan)
	}
	mask := uint64(1) << n.Pattern
	pp := &p.patterns[n.Pattern]
	return &cond{
		kind: kindRef, pattern: n.Pattern, patterns: mask, all: mask, completers: mask,
		monotone: pp.having == nil || pp.having.Monotone(), joins: pp.join != nil || p.joined&mask != 0,
	}, nil
}

func (p *plan) compileAnd(n *rule.And) (*cond, error) {
	c := &cond{kind: kindAnd, monotone: true}
	var sources, others []*cond
	for _, each := range n.Nodes {
		if not, ok := each.(*rule.Not); ok {
			kid, err := p.compile(not.Node)
			if err != nil {
				return nil, err
			}
			c.nots = append(c.nots, kid)
			c.all |= kid.all
			c.monotone = false
			c.joins = c.joins || kid.joins
			c.span = max(c.span, kid.span)
			continue
		}
		kid, err := p.compile(each)
		if err != nil {
			return nil, err
		}
		c.take(kid)
		c.completers |= kid.completers
		// What others compare with is bound first.
		if kid.kind == kindRef && p.patterns[kid.pattern].join == nil {
			sources = append(sources, kid)
			continue
		}
		others = append(others, kid)
	}
	c.kids = slices.Concat(sources, others)
	if len(c.kids) == 0 {
		return nil, fmt.Errorf("a `not` has nothing positive beside it: %w", errPlan)
	}
	return c, nil
}

func (p *plan) compileOr(n *rule.Or) (*cond, error) {
	c := &cond{kind: kindOr, monotone: true}
	for _, each := range n.Nodes {
		kid, err := p.compile(each)
		if err != nil {
			return nil, err
		}
		c.take(kid)
		c.completers |= kid.completers
		c.kids = append(c.kids, kid)
	}
	if len(c.kids) == 0 {
		return nil, fmt.Errorf("an `or` is empty: %w", errPlan)
	}
	return c, nil
}

func (n *cond) take(kid *cond) {
	n.patterns |= kid.patterns
	n.all |= kid.all
	n.monotone = n.monotone && kid.monotone
	n.joins = n.joins || kid.joins
	n.span = max(n.span, kid.span)
}

func (p *plan) compileThen(n *rule.Then) (*cond, error) {
	c := &cond{kind: kindThen, monotone: true}
	var nots []absence
	for _, each := range n.Steps {
		within := each.Within.Milliseconds()
		if not, ok := each.Node.(*rule.Not); ok {
			kid, err := p.compile(not.Node)
			if err != nil {
				return nil, err
			}
			nots = append(nots, absence{node: kid, within: within})
			c.all |= kid.all
			c.monotone = false
			c.joins = c.joins || kid.joins
			continue
		}
		kid, err := p.compile(each.Node)
		if err != nil {
			return nil, err
		}
		c.take(kid)
		c.steps = append(c.steps, step{node: kid, within: within, before: nots})
		nots = nil
	}
	c.trailing = nots
	if len(c.steps) == 0 || len(c.steps[0].before) > 0 {
		return nil, fmt.Errorf("a `then` begins with `not`: %w", errPlan)
	}
	c.completers = c.steps[len(c.steps)-1].node.completers
	c.span = 0
	for i := range c.steps {
		s := &c.steps[i]
		c.span = add(c.span, add(s.within, s.node.span))
		last := i == len(c.steps)-1
		// Only if the step behind it loses nothing by having more events.
		s.earliest = s.node.monotone && !c.joins && !last &&
			c.steps[i+1].node.monotone && c.steps[i+1].within == 0 && len(c.steps[i+1].before) == 0
	}
	if c.span == 0 {
		for _, a := range c.trailing {
			c.span = max(c.span, a.within)
		}
	}
	return c, nil
}
