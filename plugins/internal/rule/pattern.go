package rule

import (
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

const maxTime = event.MaxTime

// until reads the end of an exception: a day, which still belongs to it, or a time.
func (d *document) until(n *yaml.Node) event.Time {
	if n.Kind == yaml.ScalarNode {
		if day, err := time.Parse(time.DateOnly, n.Value); err == nil {
			return event.TimeOf(day.AddDate(0, 0, 1))
		}
		if t, err := time.Parse(time.RFC3339, n.Value); err == nil {
			return event.TimeOf(t)
		}
	}
	d.errorf(n, "until is a day such as 2027-06-30, or a time such as 2027-06-30T12:00:00Z, not %s", kindOf(n))
	return maxTime
}

// from reads the beginning of an exception: a day, or a time.
func (d *document) from(n *yaml.Node) event.Time {
	if n.Kind == yaml.ScalarNode {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, n.Value); err == nil {
				return event.TimeOf(t)
			}
		}
	}
	d.errorf(n, "from is a day such as 2027-06-30, or a time such as 2027-06-30T12:00:00Z, not %s", kindOf(n))
	return event.MinTime
}

// ofPattern are the keys that stand in the rule itself where it has only one pattern.
var ofPattern = []string{"incidents", "match", "detection", "let", "where", "having"}

// patterns reads the patterns and the condition over them; false where they are so wrong that nothing can refer to them.
func (r *reading) patterns() bool {
	if e, ok := r.at["patterns"]; ok {
		r.named = true
		for _, name := range append(slices.Clone(ofPattern), "first_seen") {
			if own, both := r.at[name]; both {
				r.errorf(own.key, "`%s` cannot stand beside `patterns`: it belongs into one of them", name)
			}
		}
		entries := r.mapping(e.value, "patterns")
		if len(entries) > maxPatterns {
			r.errorf(e.value, "a rule has at most %d patterns, not %d", maxPatterns, len(entries))
			return false
		}
		for _, p := range entries {
			r.pattern(p)
		}
	} else {
		at := map[string]entry{}
		for _, name := range ofPattern {
			if own, ok := r.at[name]; ok {
				at[name] = own
			}
		}
		if at["match"].value == nil && at["detection"].value == nil && at["incidents"].value == nil {
			r.errorf(r.node, "the rule has no `match`: say which events it is about")
		}
		r.addPattern("match", r.node, at)
	}
	if len(r.Patterns) == 0 {
		return false
	}
	names := r.patternNames()
	r.closing(names)
	r.when(names)
	return true
}

// pattern reads one of several patterns.
func (r *reading) pattern(e entry) {
	if !aliasPattern.MatchString(e.name) || slices.Contains(whenWords, e.name) || expr.Usage(e.name) != "" || e.name == "raw" {
		r.errorf(e.key, "%q cannot be the name of a pattern: letters, digits and _, no word of `when` and no function", shorten(e.name))
	}
	at := r.keys(r.mapping(e.value, "pattern "+e.name), patternKeys, "a pattern")
	if e.value.Kind == yaml.MappingNode && at["match"].value == nil && at["detection"].value == nil && at["incidents"].value == nil {
		r.errorf(e.value, "the pattern %q has no `match`: say which events it is about", e.name)
	}
	r.addPattern(e.name, e.key, at)
}

func (r *reading) addPattern(name string, n *yaml.Node, at map[string]entry) {
	p := &Pattern{Name: name, Pos: r.position(n), Match: Any{}}
	if e, ok := at["match"]; ok {
		p.Match = r.selection(e.value, "match")
	}
	if e, ok := at["detection"]; ok {
		if at["match"].value != nil {
			r.errorf(e.key, "`match` and `detection` cannot stand together: a detection holds all selections")
		}
		p.Match = r.detection(e.value)
	}
	if e, ok := at["incidents"]; ok {
		r.incidentSources(e.value, p)
		if at["match"].value == nil && at["detection"].value == nil {
			p.Match = All{}
		}
		r.checkIncidentFields(p)
	}
	if e, ok := at["tags"]; ok {
		p.Tags = r.tags(e.value)
	}
	r.Patterns = append(r.Patterns, p)
	r.sources = append(r.sources, &source{node: n, at: at})
}

// when reads the condition over the patterns. Where it is wrong, the patterns stand for it one after the other,
// so that what else is wrong with the rule is found as well.
func (r *reading) when(names []string) {
	if node, used, ok := r.condition(names); ok {
		r.When, r.used = node, used
		return
	}
	r.whenBroken = true
	r.used = nil
	then := &Then{}
	for i := range names {
		then.Steps = append(then.Steps, Step{Node: &Ref{Pattern: i}})
		r.used = append(r.used, i)
	}
	r.When = then
}

func (r *reading) condition(names []string) (Node, []int, bool) {
	e, ok := r.at["when"]
	switch {
	case !ok && len(names) == 1:
		return &Ref{}, []int{0}, true
	case !ok:
		r.errorf(r.at["patterns"].key, "the rule has several patterns and no `when`: say how they belong together, as in `when: %s then %s`", names[0], names[1])
		return nil, nil, false
	case !r.named:
		r.errorf(e.key, "`when` joins `patterns`, and this rule has none")
		return nil, nil, false
	}
	text, ok := r.text(e.value, "when")
	if !ok {
		return nil, nil, false
	}
	node, p, err := parseWhen(text, names)
	if err != nil {
		r.expressionError(e.value, 0, err)
		return nil, nil, false
	}
	for i, name := range names {
		if !slices.Contains(p.used, i) && !slices.Contains(r.closers, i) {
			r.errorf(r.sources[i].node, "`when` does not use the pattern %q", name)
		}
	}
	return node, p.used, true
}

// windows checks that whatever is counted over time has a length of time to be counted in.
func (r *reading) windows() {
	if r.Window == 0 && r.at["window"].value == nil {
		_, single := r.When.(*Ref)
		switch {
		case r.Incident.CloseOn != nil && r.needsWindow(r.Incident.CloseOn):
			r.errorf(r.node, "the rule has no `window`, and close_on counts over one: write `window: 10m`")
		case single && r.Patterns[0].Having == nil:
			r.Window = instant
		case !r.whenBroken && r.needsWindow(r.When):
			r.errorf(r.node, "the rule has no `window`: write `window: 10m`, or give each step of `then` its own `within`")
		}
	}
	bound := func(n Node) {
		then, ok := n.(*Then)
		if !ok {
			return
		}
		for i := range then.Steps {
			if _, absent := then.Steps[i].Node.(*Not); absent && then.Steps[i].Within == 0 {
				then.Steps[i].Within, then.Steps[i].byWindow = r.Window, true
			}
		}
	}
	eachNode(r.When, bound)
	eachNode(r.Incident.CloseOn, bound)
}

// needsWindow says whether a condition has a part that no `within` bounds.
func (r *reading) needsWindow(n Node) bool {
	switch n := n.(type) {
	case *Ref:
		return r.Patterns[n.Pattern].Having != nil
	case *Not:
		return r.needsWindow(n.Node)
	case *Or:
		return slices.ContainsFunc(n.Nodes, r.needsWindow)
	case *Then:
		for i, s := range n.Steps {
			if i > 0 && s.Within == 0 || r.needsWindow(s.Node) {
				return true
			}
		}
		return false
	}
	return true
}
