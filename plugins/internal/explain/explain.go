// Package explain says in words what a rule does, and event by event why it fired or did not.
//
// It stands beside the data's way, for people who write rules:
//
//	fmt.Print(explain.Rule(r))                        // what it waits for, when it fires, what it keeps
//	err := explain.Trace(ctx, os.Stdout, r, records, explain.Options{}) // a history, event by event
//
// What it says is taken from the checked rule and from the engine that runs it, so that it cannot differ from either.
package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// words gathers the sections of an explanation.
type words struct {
	strings.Builder
	rule *rule.Rule
}

func (w *words) section(title string) { w.WriteString("\n" + title + "\n") }

func (w *words) line(format string, args ...any) {
	w.WriteString("  " + fmt.Sprintf(format, args...) + "\n")
}

// Rule says in words what the rule waits for, when it fires and why then, what it keeps for each key, and how its incidents live.
func Rule(r *rule.Rule) string {
	w := &words{rule: r}
	fmt.Fprintf(w, "%s: %s\n", r.ID, r.Title)
	fmt.Fprintf(w, "severity %s, status %s", r.Severity, r.Status)
	if !r.Enabled {
		w.WriteString(", switched off")
	}
	w.WriteByte('\n')
	w.waits()
	w.key()
	w.fires()
	w.keeps()
	w.incidents()
	w.exceptions()
	return w.String()
}

func (w *words) waits() {
	r := w.rule
	w.section("It waits for")
	fires := map[int]bool{}
	named(r.When, fires)
	for i, p := range r.Patterns {
		w.pattern(p, fires[i])
	}
	if !alone(r) {
		w.line("Together: %s", r.WhenText(r.When))
		w.node(r.When, "    ")
	}
	if f := r.FirstSeen; f != nil {
		w.line("Only where %s is new to the key: it had no event with that value in the %s before.", f.Value, expr.FormatDuration(f.Within))
	}
}

// alone says whether the condition is one pattern and nothing else.
func alone(r *rule.Rule) bool {
	_, single := r.When.(*rule.Ref)
	return single
}

// named notes the patterns that a condition names.
func named(n rule.Node, patterns map[int]bool) {
	switch n := n.(type) {
	case *rule.Ref:
		patterns[n.Pattern] = true
	case *rule.And:
		for _, x := range n.Nodes {
			named(x, patterns)
		}
	case *rule.Or:
		for _, x := range n.Nodes {
			named(x, patterns)
		}
	case *rule.Not:
		named(n.Node, patterns)
	case *rule.Then:
		for _, s := range n.Steps {
			named(s.Node, patterns)
		}
	}
}

// pattern says what a pattern takes. One that does not fire only closes incidents.
func (w *words) pattern(p *rule.Pattern, fires bool) {
	what := "an event where " + rule.Describe(p.Match)
	if p.Incidents != nil {
		what = "an incident of " + strings.Join(p.Incidents, ", ")
		if all, ok := p.Match.(rule.All); !ok || len(all) > 0 {
			what += " where " + rule.Describe(p.Match)
		}
	}
	if !fires {
		what += " (only closes incidents)"
	}
	w.line("%s: %s", p.Name, what)
	if p.Where != nil {
		w.line("  and where %s", p.Where)
	}
	if p.JoinWhere != nil {
		w.line("  and where, beside the earlier one, %s", p.JoinWhere)
	}
	if p.Having != nil {
		w.line("  over the window: %s", p.Having)
	}
}

// node says what the parts of a condition mean.
func (w *words) node(n rule.Node, indent string) {
	say := func(format string, args ...any) { w.WriteString(indent + fmt.Sprintf(format, args...) + "\n") }
	text := w.rule.WhenText
	switch n := n.(type) {
	case *rule.And:
		for _, x := range n.Nodes {
			if not, ok := x.(*rule.Not); ok {
				say("no window of %s that holds the others may hold %s", w.window(), text(not.Node))
			}
		}
		say("and each of them within one window; one event may serve several")
	case *rule.Or:
		say("any of them is enough")
	case *rule.Then:
		for i, s := range n.Steps {
			not, absent := s.Node.(*rule.Not)
			switch {
			case i == 0:
				say("first %s", text(s.Node))
			case absent && i == len(n.Steps)-1:
				say("then no %s for %s", text(not.Node), expr.FormatDuration(s.Within))
			case absent:
				say("then no %s until the next step, at most %s", text(not.Node), expr.FormatDuration(s.Within))
			case s.Within > 0:
				say("then %s, at the same time or less than %s after", text(s.Node), expr.FormatDuration(s.Within))
			default:
				say("then %s, at the same time or after; others in between do not hinder", text(s.Node))
			}
		}
	}
}

func (w *words) window() string {
	if w.rule.Window < time.Second {
		return "the same millisecond"
	}
	return expr.FormatDuration(w.rule.Window)
}

func (w *words) key() {
	r := w.rule
	w.section("It counts by")
	if len(r.KeyNames) == 0 {
		w.line("nothing: all events are one group")
	}
	for i, name := range r.KeyNames {
		same := true
		texts := make([]string, len(r.Patterns))
		for j, p := range r.Patterns {
			if i >= len(p.GroupBy) {
				continue
			}
			var from []string
			for _, e := range p.GroupBy[i].From {
				from = append(from, e.String())
			}
			texts[j] = strings.Join(from, ", or, where that is null, ")
			same = same && texts[j] == texts[0]
		}
		if same {
			if texts[0] == name {
				w.line("%s", name)
				continue
			}
			w.line("%s: %s", name, texts[0])
			continue
		}
		for j, p := range r.Patterns {
			w.line("%s: in %s %s", name, p.Name, texts[j])
		}
	}
	if r.Scope == rule.ScopeAll {
		w.line("Tenancies together.")
		return
	}
	w.line("Each tenancy apart.")
}

func (w *words) fires() {
	r := w.rule
	w.section("It fires")
	switch {
	case r.Window >= time.Second:
		w.line("The window that ends at t is (t - %s, t]: an event exactly that old is outside.", expr.FormatDuration(r.Window))
	case alone(r):
		w.line("It looks at single events; there is no window.")
	}
	if r.Monotone() {
		w.line("At once, with the event that fulfils it: more events can only make it truer.")
		return
	}
	w.line("When the watermark has passed, not before, and so it needs a clock (correlate_source):")
	for _, reason := range reasons(r) {
		w.line("- %s", reason)
	}
	if f := r.FirstSeen; f != nil {
		w.line("It is silent until it has seen %s of history.", expr.FormatDuration(f.Learn))
	}
}

// reasons says why a rule cannot fire with the event that fulfils it.
func reasons(r *rule.Rule) []string {
	var all []string
	add := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if r.FirstSeen != nil {
		add("an earlier event with the same value may still come")
	}
	for _, p := range r.Patterns {
		if p.Incidents != nil {
			add("%s takes incidents, which come when they have settled", p.Name)
		}
	}
	var visit func(n rule.Node)
	visit = func(n rule.Node) {
		switch n := n.(type) {
		case *rule.Ref:
			having := r.Patterns[n.Pattern].Having
			if having == nil {
				return
			}
			for _, part := range having.Conjuncts() {
				if !part.Monotone() {
					add("`%s` of %s can become false again by an event that comes later", part, r.Patterns[n.Pattern].Name)
				}
			}
		case *rule.And:
			for _, x := range n.Nodes {
				if not, ok := x.(*rule.Not); ok {
					add("`not %s` is known when a window has passed without it", r.WhenText(not.Node))
					continue
				}
				visit(x)
			}
		case *rule.Or:
			for _, x := range n.Nodes {
				visit(x)
			}
		case *rule.Then:
			for i, s := range n.Steps {
				if not, ok := s.Node.(*rule.Not); ok {
					if i == len(n.Steps)-1 {
						add("`not %s` is known when %s have passed without it: that is when it fires", r.WhenText(not.Node), expr.FormatDuration(s.Within))
						continue
					}
					add("an event of %s between the steps may still come", r.WhenText(not.Node))
					continue
				}
				visit(s.Node)
			}
		}
	}
	visit(r.When)
	return all
}

func (w *words) keeps() {
	r := w.rule
	w.section("It keeps for each key")
	for _, p := range r.Patterns {
		if len(p.Captures) == 0 {
			w.line("of each event of %s: its id and time", p.Name)
			continue
		}
		var names []string
		for _, c := range p.Captures {
			names = append(names, c.String())
		}
		w.line("of each event of %s: its id and time, and %s", p.Name, strings.Join(names, ", "))
	}
	span := window(r)
	if r.FirstSeen != nil {
		span = max(span, r.FirstSeen.Within)
	}
	span += ahead(r, r.When)
	if span >= time.Second {
		w.line("until the watermark is %s past it", expr.FormatDuration(span))
	}
	if names := r.Lists(); len(names) > 0 {
		w.line("Lists and tables that it reads: %s", strings.Join(names, ", "))
	}
}

// window is the rule's window, or the longest that its steps can take where it has none.
func window(r *rule.Rule) time.Duration {
	if r.Window > 0 {
		return r.Window
	}
	return max(longest(r.When), time.Millisecond)
}

func longest(n rule.Node) time.Duration {
	span := time.Duration(0)
	switch n := n.(type) {
	case *rule.And:
		for _, x := range n.Nodes {
			span = max(span, longest(x))
		}
	case *rule.Or:
		for _, x := range n.Nodes {
			span = max(span, longest(x))
		}
	case *rule.Not:
		return longest(n.Node)
	case *rule.Then:
		for _, s := range n.Steps {
			span += s.Within + longest(s.Node)
		}
	}
	return span
}

// ahead is how far the watermark must be past a time for all absences that are asked for to be known.
func ahead(r *rule.Rule, n rule.Node) time.Duration {
	longest := time.Duration(0)
	switch n := n.(type) {
	case *rule.And:
		for _, x := range n.Nodes {
			if not, ok := x.(*rule.Not); ok {
				longest = max(longest, r.Window+ahead(r, not.Node))
				continue
			}
			longest = max(longest, ahead(r, x))
		}
	case *rule.Or:
		for _, x := range n.Nodes {
			longest = max(longest, ahead(r, x))
		}
	case *rule.Then:
		for i, s := range n.Steps {
			not, absent := s.Node.(*rule.Not)
			switch {
			case absent && i == len(n.Steps)-1:
				longest = max(longest, s.Within+ahead(r, not.Node))
			case absent:
				longest = max(longest, ahead(r, not.Node))
			default:
				longest = max(longest, ahead(r, s.Node))
			}
		}
	}
	return longest
}

func (w *words) incidents() {
	i := w.rule.Incident
	w.section("Its incidents")
	w.line("All firings of a key within a slot of %s on the UTC grid are one incident; a deed across the edge makes two.", expr.FormatDuration(i.Per))
	if i.UpdateEvery > 0 {
		w.line("While it grows it says so at most once in %s.", expr.FormatDuration(i.UpdateEvery))
	}
	if i.CloseOn != nil {
		w.line("Closed by %s, where that is not before the last firing; a firing after it reopens.", w.rule.WhenText(i.CloseOn))
	}
	if i.CloseAfter > 0 {
		w.line("Closed when it has not fired for %s.", expr.FormatDuration(i.CloseAfter))
	}
	w.line("Closed for good when its slot is over and the watermark has passed.")
}

func (w *words) exceptions() {
	list := w.rule.Exceptions
	if len(list) == 0 {
		return
	}
	w.section("It does not count")
	for _, e := range list {
		text := "any event"
		if all, ok := e.Match.(rule.All); !ok || len(all) > 0 {
			text = "an event where " + rule.Describe(e.Match)
		}
		if e.From != event.MinTime {
			text += ", from " + e.From.String()
		}
		if e.Until != event.MaxTime {
			text += ", until " + e.Until.String()
		}
		var times []string
		for _, s := range e.Schedule {
			times = append(times, s.Text())
		}
		if len(times) > 0 {
			text += ", " + strings.Join(times, ", or ")
		}
		w.line("%s: %s", text, e.Reason)
	}
}
