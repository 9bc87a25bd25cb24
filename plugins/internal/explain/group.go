package explain

import (
	"fmt"
	"slices"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
)

// group is the events of one key so far.
type group struct {
	entries []entry
}

type entry struct {
	id       string
	number   int
	time     event.Time
	pattern  int
	captures []any
}

// scope names those whose events are counted together: a tenancy, or all.
func (t *trace) scope(tenancy string) string {
	if t.rule.Scope == rule.ScopeAll {
		return ""
	}
	return tenancy
}

func (t *trace) groupName(key []any, tenancy string) string {
	return fmt.Sprintf("%q", key) + t.scope(tenancy)
}

// groupOf names the group of a hit: with a null in its key it meets no event of another pattern.
func (t *trace) groupOf(h match.Hit, tenancy string) string {
	name := t.groupName(h.Key, tenancy)
	if h.Null && len(t.rule.Patterns) > 1 {
		name += " of " + t.rule.Patterns[h.Pattern].Name
	}
	return name
}

// count adds a hit to its key and says what the aggregates of its pattern have come to, over the events that came so far.
func (t *trace) count(pattern int, ev numbered, h match.Hit) {
	name := t.groupOf(h, ev.Tenancy)
	g := t.groups[name]
	if g == nil {
		g = &group{}
		t.groups[name] = g
	}
	if scope := t.scope(ev.Tenancy); t.rule.FirstSeen != nil {
		if _, begun := t.since[scope]; !begun {
			t.since[scope] = ev.Time
		}
	}
	if slices.ContainsFunc(g.entries, func(e entry) bool { return e.id == ev.ID && e.pattern == pattern }) {
		t.say("    counted before: an event counts once by its id")
		return
	}
	g.entries = append(g.entries, entry{id: ev.ID, number: ev.number, time: ev.Time, pattern: pattern, captures: h.Captures})
	p := t.rule.Patterns[pattern]
	if p.Having != nil {
		env := &groupEnv{rule: t.rule, pattern: pattern, key: h.Key, entries: g.window(pattern, ev.Time.Add(-window(t.rule)), ev.Time)}
		t.say("    %s: %s%s", p.Having, answer(p.Having.Eval(env)), env.text(p.Having))
	}
	if len(t.rule.Patterns) > 1 {
		t.say("    in the window: %s", t.counts(g, ev.Time))
	}
}

// counts says how many events of each pattern lie in the window that ends at to.
func (t *trace) counts(g *group, to event.Time) string {
	parts := make([]string, len(t.rule.Patterns))
	for i, p := range t.rule.Patterns {
		parts[i] = fmt.Sprintf("%s %d", p.Name, len(g.window(i, to.Add(-window(t.rule)), to)))
	}
	return strings.Join(parts, ", ")
}

// window gives the entries of a pattern in (after, to].
func (g *group) window(pattern int, after, to event.Time) []entry {
	var some []entry
	for _, e := range g.entries {
		if e.pattern == pattern && e.time > after && e.time <= to {
			some = append(some, e)
		}
	}
	return some
}

func answer(v any) string {
	if v == nil {
		return "null, which does not hold"
	}
	return expr.Text(v)
}

// groupEnv gives the aggregates over the events of a pattern, by their definition.
type groupEnv struct {
	rule    *rule.Rule
	pattern int
	key     []any
	entries []entry
}

// Field gives a component of the key.
func (v *groupEnv) Field(ref expr.Ref) any {
	if i := slices.Index(v.rule.KeyNames, ref.Key); ref.Key != "" && i >= 0 {
		return v.key[i]
	}
	return nil
}

// Aggregate gives the value of a over the entries.
func (v *groupEnv) Aggregate(a *expr.Aggregate) any {
	values := make([]any, len(v.entries))
	if a.Arg != nil {
		c := v.rule.Patterns[v.pattern].Capture(a.Arg.String())
		for i, e := range v.entries {
			if c >= 0 {
				values[i] = e.captures[c]
			}
		}
	}
	return a.Over(values)
}

// text says what each aggregate of an expression has come to.
func (v *groupEnv) text(e *expr.Expr) string {
	var parts []string
	for _, a := range e.Aggregates() {
		parts = append(parts, fmt.Sprintf("%s is %s", a, shown(v.Aggregate(a))))
	}
	return ": " + strings.Join(parts, ", ")
}
