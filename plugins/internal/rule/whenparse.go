package rule

import (
	"slices"
	"strings"
	"time"

	"benthos-oci/plugins/internal/expr"
)

// whenWords cannot be names of patterns.
var whenWords = []string{"and", "or", "not", "then", "within"}

// whenParser reads `fail then success`, `a and not b`, `a then not b within 1h`.
// `and` binds more tightly than `or`; `then` stands with neither without parentheses, because readers do not agree on what that would mean.
type whenParser struct {
	words
	names []string
	// used has the patterns in the order in which they are named.
	used []int
}

func parseWhen(text string, names []string) (Node, *whenParser, error) {
	w, err := splitWords(text, "")
	if err != nil {
		return nil, nil, err
	}
	p := &whenParser{words: *w, names: names}
	n, err := p.condition()
	if err != nil {
		return nil, nil, err
	}
	if t := p.peek(); t.text != "" {
		return nil, nil, p.errorAt(t, "%q stands where the condition should end, or `and`, `or` or `then` should follow", t.text)
	}
	if _, ok := n.(*Not); ok {
		return nil, nil, p.errorAt(word{}, "a condition cannot be only `not`: silence needs something before it, as in `a and not b` or `a then not b`")
	}
	return n, p, nil
}

// condition reads a chain of `or`s or a chain of `then`s.
func (p *whenParser) condition() (Node, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer p.higher()
	start := p.peek()
	first, joined, err := p.and()
	if err != nil {
		return nil, err
	}
	if p.peek().is("then") {
		if joined {
			return nil, p.errorAt(start, "`and` beside `then` needs parentheses: write `(a and b) then c`")
		}
		return p.chain(first, start)
	}
	nodes := []Node{first}
	for p.accept("or") {
		at := p.peek()
		next, _, err := p.and()
		if err != nil {
			return nil, err
		}
		for i, n := range []Node{first, next} {
			if _, ok := n.(*Not); ok {
				return nil, p.errorAt([]word{start, at}[i], "`not` cannot stand under `or`: silence needs something beside it, as in `a or (b and not c)`")
			}
		}
		nodes = append(nodes, next)
	}
	if p.peek().is("then") {
		return nil, p.errorAt(p.peek(), "`or` beside `then` needs parentheses: write `(a or b) then c`")
	}
	if t := p.peek(); t.is("within") {
		return nil, p.errorAt(t, "`within` stands behind a step of `then`, as in `a then b within 10m`")
	}
	if len(nodes) == 1 {
		return first, nil
	}
	return &Or{Nodes: nodes}, nil
}

// and reads a chain of `and`s; joined says that there was one.
func (p *whenParser) and() (n Node, joined bool, err error) {
	start := p.peek()
	first, err := p.not()
	if err != nil {
		return nil, false, err
	}
	nodes := []Node{first}
	for p.accept("and") {
		next, err := p.not()
		if err != nil {
			return nil, false, err
		}
		nodes = append(nodes, next)
	}
	if len(nodes) == 1 {
		return first, false, nil
	}
	if !slices.ContainsFunc(nodes, func(n Node) bool { _, not := n.(*Not); return !not }) {
		return nil, false, p.errorAt(start, "a `not` needs something beside it that is not one: silence alone never fires")
	}
	return &And{Nodes: nodes}, true, nil
}

func (p *whenParser) not() (Node, error) {
	t := p.peek()
	if !p.accept("not") {
		return p.atom()
	}
	of, err := p.atom()
	if err != nil {
		return nil, err
	}
	if hasNot(of) {
		return nil, p.errorAt(t, "a `not` cannot stand within a `not`")
	}
	return &Not{Node: of}, nil
}

func (p *whenParser) atom() (Node, error) {
	t := p.take()
	if t.text == "(" {
		inner, err := p.condition()
		if err != nil {
			return nil, err
		}
		if _, ok := inner.(*Not); ok {
			return nil, p.errorAt(t, "write `not` without parentheses around it")
		}
		return inner, p.expect(")")
	}
	if t.is("not") {
		return nil, p.errorAt(t, "a `not` cannot stand within a `not`")
	}
	if t.text == "" || t.text == ")" || slices.Contains(whenWords, strings.ToLower(t.text)) {
		return nil, p.errorAt(t, "the name of a pattern is missing%s", p.before(t))
	}
	number := slices.Index(p.names, t.text)
	if number < 0 {
		return nil, p.errorAt(t, "unknown pattern %q%s", t.text, didYouMeanOf(t.text, p.names))
	}
	p.used = append(p.used, number)
	return &Ref{Pattern: number}, nil
}

// chain reads the steps behind the first.
func (p *whenParser) chain(first Node, start word) (Node, error) {
	if _, ok := first.(*Not); ok {
		return nil, p.errorAt(start, "a `not` cannot be the first step of `then`: silence has to follow something")
	}
	steps := []Step{{Node: first}}
	if t, ok := first.(*Then); ok { // (a then b) then c is a then b then c
		steps = slices.Clone(t.Steps)
	}
	for p.peek().is("then") {
		p.take()
		at := p.peek()
		n, err := p.not()
		if err != nil {
			return nil, err
		}
		step := Step{Node: n}
		if p.accept("within") {
			if step.Within, err = p.duration(); err != nil {
				return nil, err
			}
		}
		_, isNot := n.(*Not)
		_, wasNot := steps[len(steps)-1].Node.(*Not)
		if isNot && wasNot {
			return nil, p.errorAt(at, "two `not`s cannot follow each other: write `not (a or b)`")
		}
		if inner, ok := n.(*Then); ok && step.Within == 0 && !wasNot {
			steps = append(steps, inner.Steps...)
			continue
		}
		steps = append(steps, step)
	}
	if t := p.peek(); t.is("and") || t.is("or") {
		return nil, p.errorAt(t, "`%s` beside `then` needs parentheses", t.text)
	}
	return &Then{Steps: steps}, nil
}

func (p *whenParser) duration() (time.Duration, error) {
	t := p.take()
	d, err := expr.ParseDuration(t.text)
	if err != nil {
		return 0, p.errorAt(t, "%v", err)
	}
	if d <= 0 || d > maxWindow {
		return 0, p.errorAt(t, "`within` is longer than 0 and at most %s, not %s", expr.FormatDuration(maxWindow), t.text)
	}
	return d, nil
}

// hasNot says whether a node or something below it waits for absence.
func hasNot(n Node) bool {
	found := false
	eachNode(n, func(n Node) {
		if _, ok := n.(*Not); ok {
			found = true
		}
	})
	return found
}

// eachNode calls f for n and everything below it.
func eachNode(n Node, f func(Node)) {
	f(n)
	switch n := n.(type) {
	case *And:
		for _, x := range n.Nodes {
			eachNode(x, f)
		}
	case *Or:
		for _, x := range n.Nodes {
			eachNode(x, f)
		}
	case *Not:
		eachNode(n.Node, f)
	case *Then:
		for _, s := range n.Steps {
			eachNode(s.Node, f)
		}
	}
}
