package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// Monotone says whether the rule fires with the event that fulfils it: once its condition holds over some events, it holds over more.
// Every other rule is judged when the watermark has passed, and needs a clock (correlate_source).
func (r *Rule) Monotone() bool {
	return r.FirstSeen == nil && !r.Chained() && r.NodeMonotone(r.When)
}

// NodeMonotone says whether the part n of the rule's condition, once it holds over some events, holds over more:
// its patterns' `having`s are monotone, and nothing in it waits for absence.
func (r *Rule) NodeMonotone(n Node) bool {
	monotone := true
	eachNode(n, func(n Node) {
		switch n := n.(type) {
		case *Not:
			monotone = false
		case *Ref:
			having := r.Patterns[n.Pattern].Having
			monotone = monotone && (having == nil || having.Monotone())
		}
	})
	return monotone
}

// Positive says for each pattern whether its events can complete the rule: it is named in the condition outside of every `not`.
func (r *Rule) Positive() []bool { return positives(r.When, len(r.Patterns)) }

func positives(when Node, patterns int) []bool {
	positive := make([]bool, patterns)
	var visit func(Node)
	visit = func(n Node) {
		switch n := n.(type) {
		case *Ref:
			positive[n.Pattern] = true
		case *And:
			for _, x := range n.Nodes {
				visit(x)
			}
		case *Or:
			for _, x := range n.Nodes {
				visit(x)
			}
		case *Then:
			for _, s := range n.Steps {
				visit(s.Node)
			}
		}
	}
	visit(when)
	return positive
}

// Lists gives the names of the lists that the rule's conditions use and of the tables that its expressions read, sorted.
func (r *Rule) Lists() []string {
	var names []string
	note := func(t *Test) {
		if t.Op == OpList {
			names = append(names, t.List)
		}
	}
	for _, p := range r.Patterns {
		eachTest(p.Match, note)
	}
	for _, e := range r.Exceptions {
		eachTest(e.Match, note)
	}
	for _, use := range r.Tables() {
		names = append(names, use.Table)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Capture gives the place in Captures of the expression with that canonical text, -1 where it is not captured.
func (p *Pattern) Capture(text string) int {
	return slices.IndexFunc(p.Captures, func(e *expr.Expr) bool { return e.String() == text })
}

// CaptureOf gives the place in Captures of a field, -1 where it is not captured.
func (p *Pattern) CaptureOf(field event.Path) int {
	return p.Capture(expr.Field(expr.Ref{Path: field}).String())
}

// capture adds an expression over the pattern's event, unless it is there.
func (p *Pattern) capture(e *expr.Expr) {
	if p.Capture(e.String()) < 0 {
		p.Captures = append(p.Captures, e)
	}
}

// WhenText gives a part of the rule's condition in the words of `when`.
func (r *Rule) WhenText(n Node) string { return whenText(r, n, false) }

func whenText(r *Rule, n Node, inner bool) string {
	join := func(nodes []Node, with string) string {
		parts := make([]string, len(nodes))
		for i, x := range nodes {
			parts[i] = whenText(r, x, true)
		}
		text := strings.Join(parts, with)
		if inner {
			return "(" + text + ")"
		}
		return text
	}
	switch n := n.(type) {
	case *Ref:
		return r.Patterns[n.Pattern].Name
	case *And:
		return join(n.Nodes, " and ")
	case *Or:
		return join(n.Nodes, " or ")
	case *Not:
		return "not " + whenText(r, n.Node, true)
	case *Then:
		parts := make([]string, len(n.Steps))
		for i, s := range n.Steps {
			parts[i] = whenText(r, s.Node, true)
			if s.Within > 0 {
				parts[i] += " within " + expr.FormatDuration(s.Within)
			}
		}
		text := strings.Join(parts, " then ")
		if inner {
			return "(" + text + ")"
		}
		return text
	}
	return ""
}

// stateHash names everything that saved state depends on.
func stateHash(r *Rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "1\nscope %s\nwindow %s\nkeys %q\nwhen %s\n", r.Scope, r.Window, r.KeyNames, whenText(r, r.When, false))
	if r.FirstSeen != nil {
		fmt.Fprintf(&b, "first_seen %s %s %s\n", r.FirstSeen.Value, r.FirstSeen.Within, r.FirstSeen.Learn)
	}
	if r.Incident.CloseOn != nil {
		fmt.Fprintf(&b, "close_on %s\n", whenText(r, r.Incident.CloseOn, false))
	}
	for _, p := range r.Patterns {
		fmt.Fprintf(&b, "pattern %s\n", p.Name)
		if p.Incidents != nil {
			fmt.Fprintf(&b, "incidents %q\n", p.Incidents)
		}
		writeCondition(&b, p.Match)
		for _, e := range []*expr.Expr{p.Where, p.JoinWhere, p.Having} {
			if e == nil {
				b.WriteString("\n-")
				continue
			}
			fmt.Fprintf(&b, "\n%s", e)
		}
		for _, k := range p.GroupBy {
			fmt.Fprintf(&b, "\nkey %q", k.Alias)
			for _, e := range k.From {
				fmt.Fprintf(&b, " %q", e)
			}
		}
		// Captures are left out: those that conditions need are in their texts, the others are words.
		b.WriteByte('\n')
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// FilterHash is the same for rules of one pattern that take the same events by the same key: those of one FilterHash
// see the same history, whatever each of them asks of it.
func (r *Rule) FilterHash() string {
	var b strings.Builder
	fmt.Fprintf(&b, "1\nscope %s\n", r.Scope)
	p := r.Patterns[0]
	writeCondition(&b, p.Match)
	if p.Where != nil {
		fmt.Fprintf(&b, "\nwhere %s", p.Where)
	}
	for _, k := range p.GroupBy {
		b.WriteString("\nkey")
		for _, e := range k.From {
			fmt.Fprintf(&b, " %q", e)
		}
	}
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		fmt.Fprintf(&b, "\nexcept %d %d", e.From, e.Until)
		for _, s := range e.Schedule {
			fmt.Fprintf(&b, " %d %d %d %s", s.Days, s.From, s.To, s.Zone)
		}
		if e.Schedule == nil {
			b.WriteString(" always")
		}
		b.WriteByte(' ')
		writeCondition(&b, e.Match)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// writeCondition writes a condition so that two texts are the same only if the conditions are.
func writeCondition(b *strings.Builder, c Condition) {
	list := func(name string, parts []Condition) {
		b.WriteString(name)
		b.WriteByte('(')
		for _, p := range parts {
			writeCondition(b, p)
			b.WriteByte(';')
		}
		b.WriteByte(')')
	}
	switch c := c.(type) {
	case All:
		list("all", c)
	case Any:
		list("any", c)
	case None:
		list("none", []Condition{c.Of})
	case *Test:
		fmt.Fprintf(b, "%q %d %#v %t %t %q %q %s", c.Field, c.Op, c.Value, c.Cased, c.Want, c.Other, c.List, c.Prefix)
		if c.Regexp != nil {
			fmt.Fprintf(b, " %q", c.Regexp)
		}
		if c.Part != "" {
			fmt.Fprintf(b, " part %s", c.Part)
		}
	}
}
