package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
)

// waiting is a key at a time that is judged when the watermark has passed.
type waiting struct {
	group *group
	// name is that of its group, as fired is that of its incidents: they differ where the key is null.
	name, fired string
	key         []any
	null        bool
	at          event.Time
	// due is where the watermark must stand for it.
	due event.Time
	// records are the numbers of the events at that time.
	records []int
	// learns is until when a rule of first_seen is silent there.
	learns event.Time
}

// refusal names the records and the key, and says that they do not fire.
func (w *waiting) refusal(r *rule.Rule) string {
	numbers := make([]string, len(w.records))
	for i, n := range w.records {
		numbers[i] = strconv.Itoa(n)
	}
	text, verb := "record "+numbers[0], " does not fire"
	if len(numbers) > 1 {
		text, verb = "records "+strings.Join(numbers, " and "), " do not fire"
	}
	if len(w.key) > 0 {
		text += ", " + keyOf(r, w.key) + ","
	}
	return text + verb
}

// wait keeps a hit until time has passed. Events come in the order of their time, so what waits is in the order in which it is due.
func (t *trace) wait(e numbered, h match.Hit) {
	name := t.groupOf(h, e.Tenancy)
	for i := len(t.waiting) - 1; i >= 0 && t.waiting[i].at == e.Time; i-- {
		w := t.waiting[i]
		if w.name != name {
			continue
		}
		if !slices.Contains(w.records, e.number) {
			w.records = append(w.records, e.number)
		}
		return
	}
	t.waiting = append(t.waiting, t.waitingFor(e, h))
}

func (t *trace) waitingFor(e numbered, h match.Hit) *waiting {
	name := t.groupOf(h, e.Tenancy)
	w := &waiting{
		group: t.groups[name], name: name, fired: t.groupName(h.Key, e.Tenancy), key: h.Key, null: h.Null,
		at: e.Time, records: []int{e.number}, learns: event.MinTime,
	}
	w.due = e.Time.Add(max(ahead(t.rule, t.rule.When), time.Millisecond))
	if f := t.rule.FirstSeen; f != nil {
		w.learns = t.since[t.scope(e.Tenancy)].Add(f.Learn)
	}
	return w
}

// ends gives the patterns at whose events the rule is judged: those of the last step before a `then not` at its end, else all
// that are not negated.
func (t *trace) ends() map[int]bool {
	ends := map[int]bool{}
	if then, ok := t.rule.When.(*rule.Then); ok {
		if _, absent := then.Steps[len(then.Steps)-1].Node.(*rule.Not); absent {
			for i := len(then.Steps) - 1; i >= 0 && len(ends) == 0; i-- {
				completers(then.Steps[i].Node, ends)
			}
			return ends
		}
	}
	for i, positive := range t.rule.Positive() {
		ends[i] = positive
	}
	return ends
}

// completers notes the patterns whose events can be the last that n needs.
func completers(n rule.Node, ends map[int]bool) {
	switch n := n.(type) {
	case *rule.Ref:
		ends[n.Pattern] = true
	case *rule.And:
		for _, x := range n.Nodes {
			completers(x, ends)
		}
	case *rule.Or:
		for _, x := range n.Nodes {
			completers(x, ends)
		}
	case *rule.Then:
		before := len(ends)
		for i := len(n.Steps) - 1; i >= 0 && len(ends) == before; i-- {
			completers(n.Steps[i].Node, ends)
		}
	}
}

// why says why a key did not fire at its time.
func (t *trace) why(w *waiting) string {
	if t.rule.FirstSeen != nil {
		return t.whyNotNew(w)
	}
	if w.null && len(t.rule.Patterns) > 1 {
		return "its key is null, which equals nothing across patterns"
	}
	if reason := t.missing(t.rule.When, w, true); reason != "" {
		return reason
	}
	return t.rule.WhenText(t.rule.When) + " does not hold"
}

// whyNotNew says it of a rule of first_seen.
func (t *trace) whyNotNew(w *waiting) string {
	f := t.rule.FirstSeen
	capture := t.rule.Patterns[0].Capture(f.Value.String())
	values := func(e entry) []any { return expr.Flatten([]any{e.captures[capture]}) }
	var now []any
	for _, e := range w.group.entries {
		if e.time == w.at {
			now = append(now, values(e)...)
		}
	}
	if len(now) == 0 {
		return f.Value.String() + " is null"
	}
	var seen []string
	for _, v := range now {
		i := -1
		for j, e := range w.group.entries {
			has := func(x any) bool { return expr.Identity(x) == expr.Identity(v) }
			if e.time > w.at.Add(-f.Within) && e.time < w.at && slices.ContainsFunc(values(e), has) {
				i = j
			}
		}
		if i < 0 {
			return fmt.Sprintf("%s is new, but the rule is silent: it learns until %s", shown(v), w.learns)
		}
		e := w.group.entries[i]
		seen = append(seen, fmt.Sprintf("%s is not new: seen at %s, record %d", shown(v), e.time, e.number))
	}
	return strings.Join(slices.Compact(seen), "; ")
}

// missing says what n lacks, or what came against it; "" where that is not told so easily.
// whole is true where a pattern's own condition is judged over the whole window.
func (t *trace) missing(n rule.Node, w *waiting, whole bool) string {
	start := w.at.Add(-window(t.rule))
	switch n := n.(type) {
	case *rule.Ref:
		p := t.rule.Patterns[n.Pattern]
		entries := w.group.window(n.Pattern, start, w.at)
		env := &groupEnv{rule: t.rule, pattern: n.Pattern, key: w.key, entries: entries}
		switch {
		case len(entries) == 0:
			return "no " + p.Name + " in the window"
		case p.Having != nil && p.JoinWhere == nil && (whole || p.Having.Monotone()) && !p.Having.Holds(env):
			return fmt.Sprintf("%s does not hold%s", p.Having, env.text(p.Having))
		}
	case *rule.Or:
		var reasons []string
		for _, x := range n.Nodes {
			if reason := t.missing(x, w, whole); reason != "" {
				reasons = append(reasons, reason)
			}
		}
		if len(reasons) == len(n.Nodes) {
			return strings.Join(reasons, "; ")
		}
	case *rule.And:
		for _, x := range n.Nodes {
			if reason := t.missing(x, w, whole); reason != "" {
				return reason
			}
		}
		for _, x := range n.Nodes {
			if not, ok := x.(*rule.Not); ok {
				if reason := t.came(not.Node, w, start+1, w.at.Add(window(t.rule)), false); reason != "" {
					return reason
				}
			}
		}
	case *rule.Then:
		return t.missingStep(n, w)
	}
	return ""
}

// missingStep says it of steps that follow one another.
func (t *trace) missingStep(n *rule.Then, w *waiting) string {
	for _, s := range n.Steps {
		if reason := t.missing(s.Node, w, false); reason != "" {
			return reason
		}
	}
	for i, s := range n.Steps {
		not, absent := s.Node.(*rule.Not)
		if !absent {
			continue
		}
		from, to := w.at.Add(-window(t.rule))+1, w.at
		if n == t.rule.When && i == len(n.Steps)-1 {
			from, to = w.at, w.at.Add(s.Within)
		}
		if reason := t.came(not.Node, w, from, to, true); reason != "" {
			return reason
		}
	}
	return ""
}

// came says which event of n came in [from, to), where n is one pattern or any of several.
// apart leaves out what came with the event itself.
func (t *trace) came(n rule.Node, w *waiting, from, to event.Time, apart bool) string {
	if or, ok := n.(*rule.Or); ok {
		for _, x := range or.Nodes {
			if reason := t.came(x, w, from, to, apart); reason != "" {
				return reason
			}
		}
		return ""
	}
	ref, ok := n.(*rule.Ref)
	if !ok {
		return ""
	}
	p := t.rule.Patterns[ref.Pattern]
	some := w.group.window(ref.Pattern, from-1, to-1)
	some = slices.DeleteFunc(some, func(e entry) bool {
		return apart && e.time == w.at && slices.Contains(w.records, e.number) || !t.joins(e, w)
	})
	env := &groupEnv{rule: t.rule, pattern: ref.Pattern, key: w.key, entries: some}
	switch {
	case len(some) == 0:
		return ""
	case p.Having == nil:
		return fmt.Sprintf("%s came at %s, record %d", p.Name, some[0].time, some[0].number)
	case p.Having.Holds(env):
		return fmt.Sprintf("%s came: %s%s", p.Name, p.Having, env.text(p.Having))
	}
	return ""
}

// joins says whether an event fulfils the condition of its pattern over the earlier one's event.
func (t *trace) joins(e entry, w *waiting) bool {
	join := t.rule.Patterns[e.pattern].JoinWhere
	if join == nil {
		return true
	}
	for _, other := range w.group.entries {
		if other.time == w.at && other.pattern != e.pattern && join.Holds(&pairEnv{rule: t.rule, key: w.key, own: e, other: other}) {
			return true
		}
	}
	return false
}

// pairEnv gives the fields of an event and of an earlier one's.
type pairEnv struct {
	rule       *rule.Rule
	key        []any
	own, other entry
}

// Field gives what was captured.
func (v *pairEnv) Field(ref expr.Ref) any {
	if i := slices.Index(v.rule.KeyNames, ref.Key); ref.Key != "" && i >= 0 {
		return v.key[i]
	}
	e := v.own
	if ref.Pattern != "" && ref.Pattern != v.rule.Patterns[e.pattern].Name {
		e = v.other
		if v.rule.Patterns[e.pattern].Name != ref.Pattern {
			return nil
		}
	}
	if c := v.rule.Patterns[e.pattern].CaptureOf(ref.Path); c >= 0 {
		return e.captures[c]
	}
	return nil
}

// Aggregate gives null: two events are no group.
func (*pairEnv) Aggregate(*expr.Aggregate) any { return nil }
