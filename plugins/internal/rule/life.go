package rule

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// closingName is the pattern that a `close_on` of its own makes.
const closingName = "close_on"

var closeKeys = []key{
	{"match", "The events that close: a Sigma selection.", reference("selection")},
	{"detection", "The same as a whole Sigma block of selections and a condition.", reference("detection")},
	{"let", "Names for expressions over one event.", reference("bindings")},
	{"where", "A condition over one event.", ofType("string")},
	{"having", "A condition over the closing events in the window.", ofType("string")},
	{"group_by", "As in the rule, for these events; it has the same names.", reference("group_by")},
}

// closing reads what closes the rule's incidents: a condition over patterns, or a pattern of its own,
// which is added behind the others. names are those of the patterns that the rule has by itself.
func (r *reading) closing(names []string) {
	e, ok := r.at["incident"]
	if !ok || e.value.Kind != yaml.MappingNode {
		return // incident says what is wrong with it
	}
	var n *yaml.Node
	for i := 0; i+1 < len(e.value.Content); i += 2 {
		if e.value.Content[i].Value == "close_on" {
			n = e.value.Content[i+1]
		}
	}
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		at := r.keys(r.mapping(n, "close_on"), closeKeys, "close_on")
		if at["match"].value == nil && at["detection"].value == nil {
			r.errorf(n, "close_on has no `match`: say which events close the incident")
		}
		if slices.Contains(names, closingName) {
			r.errorf(n, "the rule has a pattern %q: write `close_on: %s`, or name the pattern otherwise", closingName, closingName)
			return
		}
		r.addPattern(closingName, n, at)
		r.Incident.CloseOn = &Ref{Pattern: len(r.Patterns) - 1}
		r.closers = []int{len(r.Patterns) - 1}
	case !r.named:
		r.errorf(n, "close_on names patterns, and this rule has none: write `close_on: {match: ...}`")
	default:
		text, ok := r.text(n, "close_on")
		if !ok {
			return
		}
		node, p, err := parseWhen(text, names)
		if err != nil {
			r.expressionError(n, 0, err)
			for i := range names { // each may be the one that was meant
				r.closers = append(r.closers, i)
			}
			return
		}
		r.Incident.CloseOn, r.closers = node, p.used
	}
}

// closes says whether a pattern is named by close_on and not by `when`: it has no event where the rule fires.
func (r *reading) closes(pattern int) bool {
	return slices.Contains(r.closers, pattern) && !names(r.When, pattern)
}

// incidentSources reads the ids and globs of rules whose incidents a pattern takes.
func (r *reading) incidentSources(n *yaml.Node, p *Pattern) {
	p.Incidents = []string{}
	for _, item := range r.items(n) {
		s, ok := r.text(item, "an item of incidents")
		if !ok {
			continue
		}
		if g := newGlob(s, true); !g.wild() && !idPattern.MatchString(s) {
			r.errorf(item, "incidents names rules by their ids or a glob, as in oci-iam-*, not %s", kindOf(item))
			continue
		}
		p.Incidents = append(p.Incidents, s)
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.errorf(n, "the list of rules is empty, and would take no incidents")
	}
}

// checkIncidentFields refuses fields of the record: an incident has none.
func (r *reading) checkIncidentFields(p *Pattern) {
	if p.Incidents == nil {
		return
	}
	eachTest(p.Match, func(t *Test) {
		if len(t.Field) > 0 && t.Field[0] == "raw" {
			r.errorAt(t.Pos, "an incident has no record: its key is unmapped.key.<name>, its attributes are unmapped.attributes.<name>, its rule is finding_info.analytic.uid")
		}
	})
}
