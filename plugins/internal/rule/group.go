package rule

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// grouping is a group_by as it is written.
type grouping struct {
	node  *yaml.Node
	parts []groupPart
}

type groupPart struct {
	alias string
	// from are the fields, names or expressions, of which the first that is not null counts.
	from []*yaml.Node
}

// groups reads the group_by of the rule and of its patterns; all must have the same names.
func (r *reading) groups() {
	var common *grouping
	if e, ok := r.at["group_by"]; ok {
		common = r.grouping(e.value)
	}
	var first *grouping
	firstName := ""
	for i, s := range r.sources {
		g := common
		if e, ok := s.at["group_by"]; ok && (r.named || i > 0) {
			g = r.grouping(e.value)
		}
		if g == nil {
			g = &grouping{node: s.node}
		}
		if i == 0 {
			first, firstName = g, r.Patterns[0].Name
			for _, p := range g.parts {
				r.KeyNames = append(r.KeyNames, p.alias)
			}
		}
		r.Patterns[i].GroupBy = r.group(i, g, first, firstName)
	}
}

// grouping reads a list of fields, or a mapping of aliases to one or more fields.
func (r *reading) grouping(n *yaml.Node) *grouping {
	g := &grouping{node: n}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if s, ok := r.text(item, "an item of group_by"); ok {
				g.parts = append(g.parts, groupPart{alias: strings.TrimSpace(s), from: []*yaml.Node{item}})
			}
		}
	case yaml.MappingNode:
		for _, e := range r.mapping(n, "group_by") {
			if !aliasPattern.MatchString(e.name) {
				r.errorf(e.key, "%q cannot be the name of a key: letters, digits and _", shorten(e.name))
			}
			part := groupPart{alias: e.name, from: r.items(e.value)}
			if len(part.from) == 0 || len(part.from) > maxKeys {
				r.errorf(e.value, "the key %q takes 1 to %d fields, of which the first that is not null counts", e.name, maxKeys)
				continue
			}
			g.parts = append(g.parts, part)
		}
	default:
		r.errorf(n, "group_by is a list of fields, or a mapping of names to fields, not %s", kindOf(n))
	}
	if len(g.parts) > maxKeys {
		r.errorf(n, "a key has at most %d components, not %d", maxKeys, len(g.parts))
		g.parts = g.parts[:maxKeys]
	}
	for i, p := range g.parts {
		if slices.ContainsFunc(g.parts[:i], func(q groupPart) bool { return q.alias == p.alias }) {
			r.errorf(p.from[0], "%q stands twice in group_by", p.alias)
		}
	}
	return g
}

// group gives a pattern's key, its components in the order of the first pattern's.
func (r *reading) group(pattern int, g, first *grouping, firstName string) []Key {
	keys := make([]Key, 0, len(first.parts))
	for _, want := range first.parts {
		at := slices.IndexFunc(g.parts, func(p groupPart) bool { return p.alias == want.alias })
		if at < 0 {
			r.errorf(g.node, "the pattern %q has no key %q, which %q has: every pattern maps the same names", r.Patterns[pattern].Name, want.alias, firstName)
			continue
		}
		key := Key{Alias: want.alias}
		for _, n := range g.parts[at].from {
			if e := r.keyValue(pattern, n); e != nil {
				key.From = append(key.From, e)
			}
		}
		keys = append(keys, key)
	}
	for _, p := range g.parts {
		if !slices.ContainsFunc(first.parts, func(q groupPart) bool { return q.alias == p.alias }) {
			r.errorf(g.node, "the pattern %q has a key %q, which %q has not: every pattern maps the same names", r.Patterns[pattern].Name, p.alias, firstName)
		}
	}
	return keys
}

// keyValue reads a field, a name of `let`, or an expression.
func (r *reading) keyValue(pattern int, n *yaml.Node) *expr.Expr {
	text, ok := r.text(n, "an item of group_by")
	if !ok {
		return nil
	}
	c := context{pattern: pattern, where: "group_by"}
	if strings.ContainsAny(text, "() '[") {
		e := r.parse(n, "an item of group_by")
		if e == nil {
			return nil
		}
		return r.onEvent(n, r.inContext(n, 0, e, c))
	}
	path, err := event.ParsePath(strings.TrimSpace(text))
	if err != nil {
		r.errorf(n, "%v", err)
		return nil
	}
	return r.onEvent(n, r.inContext(n, 0, expr.Field(expr.Ref{Path: path}), c))
}

// onEvent refuses an expression that names another pattern, by way of a name of `let`.
func (r *reading) onEvent(n *yaml.Node, e *expr.Expr) *expr.Expr {
	if e != nil && len(r.others(e)) > 0 {
		r.errorf(n, "a key is made of the pattern's own event, and this names another pattern's")
		return nil
	}
	return e
}

// firstSeen reads first_seen.
func (r *reading) firstSeen() {
	e, ok := r.at["first_seen"]
	if !ok || r.named {
		return
	}
	at := r.keys(r.mapping(e.value, "first_seen"), firstSeenKeys, "first_seen")
	f := &FirstSeen{}
	if v, ok := at["value"]; !ok {
		r.errorf(e.key, "first_seen has no `value`: say what must be new, as in `value: src_endpoint.ip`")
	} else if f.Value = r.keyValue(0, v.value); f.Value != nil {
		r.Patterns[0].capture(f.Value)
	}
	if w, ok := at["within"]; !ok {
		r.errorf(e.key, "first_seen has no `within`: say how long a value is remembered, as in `within: 30d`")
	} else {
		f.Within = r.length(w.value, "within")
	}
	f.Learn = f.Within
	if l, ok := at["learn"]; ok {
		f.Learn = r.length(l.value, "learn")
	}
	if having, ok := r.at["having"]; ok {
		r.errorf(having.key, "`having` cannot stand beside `first_seen`, which judges single events")
	}
	r.FirstSeen = f
}

// incident reads what incidents say; without it they bear the rule's title.
func (r *reading) incident() {
	r.Incident.Title, r.Incident.Per = &Template{Parts: []TemplatePart{{Text: r.Title}}}, defaultPer
	if e, ok := r.at["response"]; ok {
		if e.value.Kind != yaml.SequenceNode {
			r.errorf(e.value, "response is a list, not %s", kindOf(e.value))
		} else {
			for _, item := range e.value.Content {
				r.Response = append(r.Response, r.words(item, "a response"))
			}
		}
	}
	e, ok := r.at["incident"]
	if !ok {
		return
	}
	at := r.keys(r.mapping(e.value, "incident"), incidentKeys, "incident")
	if t, ok := at["title"]; ok {
		r.Incident.Title = r.words(t.value, "title")
	}
	if p, ok := at["per"]; ok {
		r.Incident.Per = r.length(p.value, "per")
	}
	if u, ok := at["update_every"]; ok {
		r.Incident.UpdateEvery = r.length(u.value, "update_every")
	}
	if c, ok := at["close_after"]; ok {
		r.Incident.CloseAfter = r.length(c.value, "close_after")
	}
	a, ok := at["attributes"]
	if !ok {
		return
	}
	for _, b := range r.bindings(a.value, "attributes") {
		if !aliasPattern.MatchString(b.name) {
			r.errorf(b.key, "%q cannot be the name of an attribute: letters, digits and _", shorten(b.name))
			continue
		}
		if v := r.parse(b.value, "attribute "+b.name); v != nil {
			if v = r.inTitle(b.value, 0, v, "an attribute"); v != nil {
				r.Incident.Attributes = append(r.Incident.Attributes, Attribute{Name: b.name, Expr: v})
			}
		}
	}
}

// words reads a template of the incident.
func (r *reading) words(n *yaml.Node, what string) *Template {
	return r.template(n, what, func(e *expr.Expr, start int) *expr.Expr { return r.inTitle(n, start, e, what) })
}

// inTitle gives the names in a title, a response or an attribute their meaning, and has the patterns keep what they need for it.
func (r *reading) inTitle(n *yaml.Node, start int, e *expr.Expr, what string) *expr.Expr {
	c := context{pattern: -1, where: what, others: true, keys: true}
	if !r.named {
		c.pattern = 0
	}
	resolved := r.inContext(n, start, e, c)
	if resolved == nil {
		return nil
	}
	if !r.named {
		resolved = ownAggregates(resolved, r.Patterns[0].Name)
	}
	r.captureRefs(resolved, c.pattern)
	return resolved
}
