package rule

import (
	"slices"
	"strings"
)

// Chain says which rules take the incidents of which others. Rules are named by their indexes.
type Chain struct {
	// Order has all rules, each behind those whose incidents it takes; else as they were given.
	Order []int
	// Takes has, by rule, the rules whose incidents it takes; nil where it takes none.
	Takes [][]int
	// Feeds has, by rule, the rules that take its incidents; nil where none does.
	Feeds [][]int
}

// Chained says whether one of the rule's patterns takes incidents. Such a rule is never monotone:
// incidents come when they have settled.
func (r *Rule) Chained() bool {
	return slices.ContainsFunc(r.Patterns, func(p *Pattern) bool { return p.Incidents != nil })
}

// TakesFrom says whether the pattern takes incidents of the rule other. own is the id of the pattern's rule,
// which a glob never means.
func (p *Pattern) TakesFrom(other, own string) bool {
	for _, name := range p.Incidents {
		if name == other {
			return true
		}
		if g := newGlob(name, true); other != own && g.wild() && g.Match(other) {
			return true
		}
	}
	return false
}

// NewChain orders rules by the incidents that they take. A cycle, and a name that no rule has, are problems.
func NewChain(rules []*Rule) (*Chain, Problems) {
	c := &Chain{Takes: make([][]int, len(rules)), Feeds: make([][]int, len(rules))}
	var problems Problems
	ids := make([]string, len(rules))
	for i, r := range rules {
		ids[i] = r.ID
	}
	for i, r := range rules {
		for _, p := range r.Patterns {
			for _, name := range p.Incidents {
				one := &Pattern{Incidents: []string{name}}
				met := false
				for j, other := range rules {
					if !one.TakesFrom(other.ID, r.ID) {
						continue
					}
					met = true
					if !slices.Contains(c.Takes[i], j) {
						c.Takes[i] = append(c.Takes[i], j)
						c.Feeds[j] = append(c.Feeds[j], i)
					}
				}
				if !met && newGlob(name, true).wild() {
					problems = append(problems, Problem{Pos: p.Pos, Text: "the pattern " + p.Name + " of " + r.ID + " takes incidents of \"" + name + "\", which matches the id of no other rule"})
				} else if !met {
					problems = append(problems, Problem{Pos: p.Pos, Text: "the pattern " + p.Name + " of " + r.ID + " takes incidents of the unknown rule \"" + name + "\"" + didYouMean(name, ids)})
				}
			}
		}
		slices.Sort(c.Takes[i])
	}
	return c, append(problems, c.sort(rules)...)
}

// Cycles finds rules that take, by way of others, their own incidents. Names that no rule has are no problem here:
// they may be rules of other files.
func Cycles(rules []*Rule) Problems {
	_, problems := NewChain(rules)
	return slices.DeleteFunc(problems, func(p Problem) bool { return !strings.Contains(p.Text, cycleText) })
}

const cycleText = "waits for its own incidents"

// sort fills Order, and names each cycle once.
func (c *Chain) sort(rules []*Rule) Problems {
	var problems Problems
	const (
		fresh = iota
		open
		done
	)
	state := make([]int, len(rules))
	var path []int
	var visit func(i int)
	visit = func(i int) {
		switch state[i] {
		case done:
			return
		case open:
			var names []string
			for _, j := range append(path[slices.Index(path, i):], i) {
				names = append(names, rules[j].ID)
			}
			problems = append(problems, Problem{Pos: rules[i].Pos, Text: "the rule " + rules[i].ID + " " + cycleText + ": " + strings.Join(names, " takes those of ")})
			return
		}
		state[i] = open
		path = append(path, i)
		for _, j := range c.Takes[i] {
			visit(j)
		}
		path = path[:len(path)-1]
		state[i] = done
		c.Order = append(c.Order, i)
	}
	for i := range rules {
		visit(i)
	}
	return problems
}
