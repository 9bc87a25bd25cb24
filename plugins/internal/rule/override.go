package rule

import (
	"maps"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/expr"
)

// Overrides change rules without a copy of them: a file says, by id or glob, what is different at a site.
type Overrides struct {
	File    string
	entries []*override
	// document gathers what is wrong with an override only where it meets its rule.
	document *document
}

// override is what one id or glob changes. Fields that are not set change nothing.
type override struct {
	target     string
	key        *yaml.Node
	severity   Severity
	status     Status
	window     time.Duration
	per        time.Duration
	update     time.Duration
	closeAfter time.Duration
	enabled    *bool
	exceptions []Exception
	labels     map[string]string
	having     *yaml.Node
}

var overrideKeys = []key{
	{"severity", "The severity of its incidents.", oneOf(severities)},
	{"status", "How mature the rule is here.", oneOf(statuses)},
	{"window", "The length of time over which events are counted.", reference("duration")},
	{"having", "The condition over the events in the window; in a rule with several patterns by the pattern's name.", map[string]any{
		"oneOf": []any{ofType("string"), map[string]any{"type": "object", "additionalProperties": ofType("string")}},
	}},
	{"per", "The length of a slot.", reference("duration")},
	{"update_every", "The least time between two messages of one incident.", reference("duration")},
	{"close_after", "Closes an incident when it has not fired for so long.", reference("duration")},
	{"enabled", "False switches the rule off.", ofType("boolean")},
	{"reason", "Why the rule is switched off.", ofType("string")},
	{"labels", "Labels to add.", map[string]any{"type": "object", "additionalProperties": ofType("string")}},
	{"exceptions", "Events that do not count.", listOf(reference("exception"))},
}

// overridesKey is what one would take for the beginning of an overrides file.
const overridesKey = "overrides"

// ParseOverrides reads an overrides file. Whether its ids and patterns exist is found out by Apply.
func ParseOverrides(file string, data []byte) (*Overrides, Problems) {
	d, root := open(file, data)
	o := &Overrides{File: file, document: d}
	if root == nil {
		return o, d.problems
	}
	top := d.mapping(root, "an overrides file")
	if len(top) == 1 && top[0].name == overridesKey {
		d.errorf(top[0].key, "an overrides file begins with `rules:`, with ids or globs below it, not with `%s:`", overridesKey)
		return o, d.problems.sorted()
	}
	at := d.keys(top, []key{{name: "rules"}}, "an overrides file")
	rules, ok := at["rules"]
	if !ok {
		if root.Kind == yaml.MappingNode {
			d.errorf(root, "an overrides file has the key `rules`, with ids or globs below it")
		}
		return o, d.problems.sorted()
	}
	for _, e := range d.mapping(rules.value, "rules") {
		o.entries = append(o.entries, d.override(e))
	}
	problems := d.problems.sorted()
	d.problems = nil
	return o, problems
}

func (d *document) override(e entry) *override {
	o := &override{target: e.name, key: e.key}
	at := d.keys(d.mapping(e.value, "an override"), overrideKeys, "an override")
	if e.value.Kind == yaml.MappingNode && len(e.value.Content) == 0 {
		d.errorf(e.value, "the override of %q changes nothing", e.name)
	}
	if v, ok := at["severity"]; ok {
		s, _ := d.choice(v.value, "severity", severities)
		o.severity = Severity(s)
	}
	if v, ok := at["status"]; ok {
		s, _ := d.choice(v.value, "status", statuses)
		o.status = Status(s)
	}
	if v, ok := at["window"]; ok {
		o.window = d.length(v.value, "window")
	}
	if v, ok := at["per"]; ok {
		o.per = d.length(v.value, "per")
	}
	if v, ok := at["update_every"]; ok {
		o.update = d.length(v.value, "update_every")
	}
	if v, ok := at["close_after"]; ok {
		o.closeAfter = d.length(v.value, "close_after")
	}
	reason := ""
	if v, ok := at["reason"]; ok {
		reason, _ = d.text(v.value, "reason")
	}
	if v, ok := at["enabled"]; ok {
		if on, isTruth := d.truth(v.value, "enabled"); isTruth {
			o.enabled = &on
			if !on && reason == "" {
				d.errorf(v.key, "a rule that is switched off needs a `reason`")
			}
		}
	}
	if v, ok := at["labels"]; ok {
		o.labels = d.labels(v.value)
	}
	if v, ok := at["exceptions"]; ok {
		o.exceptions = d.exceptions(v.value)
	}
	if v, ok := at["having"]; ok {
		o.having = v.value
	}
	return o
}

// Apply merges overrides into rules and gives the result; the rules that it was given stay as they are.
// Overrides are applied in their order. An id or a glob that meets no rule is an error.
func Apply(rules []*Rule, overrides ...*Overrides) ([]*Rule, Problems) {
	out := slices.Clone(rules)
	var problems Problems
	for _, o := range overrides {
		d := &document{file: o.File, lines: o.document.lines}
		for _, e := range o.entries {
			d.apply(e, out)
		}
		problems = append(problems, d.problems.sorted()...)
	}
	return out, problems
}

// apply puts changed copies of the rules that an override names in their places.
func (d *document) apply(o *override, rules []*Rule) {
	met := false
	ids := make([]string, len(rules))
	glob := newGlob(o.target, true)
	for i, r := range rules {
		ids[i] = r.ID
		if r.ID == o.target || glob.wild() && glob.Match(r.ID) {
			met = true
			rules[i] = d.changed(o, r)
		}
	}
	if !met {
		if glob.wild() {
			d.errorf(o.key, "no rule's id matches %q", o.target)
			return
		}
		d.errorf(o.key, "unknown rule %q%s", o.target, didYouMean(o.target, ids))
	}
}

// changed gives a copy of a rule with an override merged into it.
func (d *document) changed(o *override, old *Rule) *Rule {
	r := *old
	if o.severity != "" {
		r.Severity = o.severity
	}
	if o.status != "" {
		r.Status = o.status
	}
	if o.per > 0 {
		r.Incident.Per = o.per
	}
	if o.update > 0 {
		r.Incident.UpdateEvery = o.update
	}
	if o.closeAfter > 0 {
		r.Incident.CloseAfter = o.closeAfter
	}
	if o.enabled != nil {
		r.Enabled = *o.enabled
	}
	if len(o.labels) > 0 {
		r.Labels = maps.Clone(r.Labels)
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		maps.Copy(r.Labels, o.labels)
	}
	r.Exceptions = append(slices.Clone(r.Exceptions), o.exceptions...)
	if o.window > 0 {
		r.Window = o.window
		r.When = withWindow(r.When, o.window)
		r.Incident.CloseOn = withWindow(r.Incident.CloseOn, o.window)
	}
	if o.having != nil {
		d.rehave(o, &r)
	}
	r.StateHash = stateHash(&r)
	return &r
}

// withWindow copies a condition; absences whose author gave no length get the new window's.
func withWindow(n Node, window time.Duration) Node {
	all := func(nodes []Node) []Node {
		out := make([]Node, len(nodes))
		for i, x := range nodes {
			out[i] = withWindow(x, window)
		}
		return out
	}
	switch n := n.(type) {
	case *And:
		return &And{Nodes: all(n.Nodes)}
	case *Or:
		return &Or{Nodes: all(n.Nodes)}
	case *Not:
		return &Not{Node: withWindow(n.Node, window)}
	case *Then:
		steps := slices.Clone(n.Steps)
		for i := range steps {
			steps[i].Node = withWindow(steps[i].Node, window)
			if steps[i].byWindow {
				steps[i].Within = window
			}
		}
		return &Then{Steps: steps}
	}
	return n
}

// rehave gives the rule's patterns other thresholds.
func (d *document) rehave(o *override, r *Rule) {
	r.Patterns = slices.Clone(r.Patterns)
	byName := map[int]*yaml.Node{}
	switch o.having.Kind {
	case yaml.MappingNode:
		for _, e := range d.mapping(o.having, "having") {
			at := slices.IndexFunc(r.Patterns, func(p *Pattern) bool { return p.Name == e.name })
			if at < 0 {
				names := patternNamesOf(r)
				d.errorf(e.key, "the rule %s has no pattern %q%s", r.ID, e.name, didYouMeanOf(e.name, names))
				continue
			}
			byName[at] = e.value
		}
	default:
		at := onlyHaving(r)
		if at < 0 {
			d.errorf(o.having, "the rule %s has several patterns: write `having: {%s: count() >= 5}`", r.ID, r.Patterns[0].Name)
			return
		}
		byName[at] = o.having
	}
	for i := range r.Patterns {
		n := byName[i]
		if n == nil {
			continue
		}
		p := *r.Patterns[i]
		p.Captures = slices.Clone(p.Captures)
		r.Patterns[i] = &p
		if r.Window <= instant {
			d.errorf(n, "the rule %s looks at single events and has no window: set `window` as well", r.ID)
			continue
		}
		for _, other := range r.Patterns {
			if other.JoinWhere != nil && slices.ContainsFunc(other.JoinWhere.Refs(), func(ref expr.Ref) bool { return ref.Pattern == p.Name }) {
				d.errorf(n, "the pattern %q of %s cannot have a `having`: %q names fields of its one event", p.Name, r.ID, other.Name)
			}
		}
		if having := d.again(r).havingOf(n, i); having != nil {
			p.Having = having
		}
	}
}

// unnamed says whether the rule has no `patterns`, but one `match`, and perhaps a pattern that closes.
func unnamed(r *Rule) bool {
	return r.Patterns[0].Name == "match" && (len(r.Patterns) == 1 || len(r.Patterns) == 2 && r.Patterns[1].Name == closingName)
}

// onlyHaving gives the only pattern, or the only one that has a threshold; -1 where it is not clear.
func onlyHaving(r *Rule) int {
	if len(r.Patterns) == 1 || unnamed(r) {
		return 0
	}
	only := -1
	for i, p := range r.Patterns {
		if p.Having == nil {
			continue
		}
		if only >= 0 {
			return -1
		}
		only = i
	}
	return only
}

func patternNamesOf(r *Rule) []string {
	names := make([]string, len(r.Patterns))
	for i, p := range r.Patterns {
		names[i] = p.Name
	}
	return names
}

// again makes a checked rule one that is being read, so that expressions get their meaning in it.
func (d *document) again(r *Rule) *reading {
	again := &reading{document: d, Rule: r, named: !unnamed(r), at: map[string]entry{}}
	for _, p := range r.Patterns {
		s := &source{at: map[string]entry{}, byName: map[string]*letting{}}
		for _, b := range p.Let {
			l := &letting{name: b.Name, raw: b.Expr, value: b.Expr, state: letDone}
			s.lets = append(s.lets, l)
			s.byName[b.Name] = l
		}
		again.sources = append(again.sources, s)
	}
	return again
}
