package rule

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// Limits of a rule.
const (
	maxWindow   = 366 * 24 * time.Hour
	maxPatterns = 20
	maxKeys     = 8
	defaultPer  = 24 * time.Hour
	// instant is the window of a rule that looks at single events and names none: it holds events of the same time only.
	instant = time.Millisecond
)

// Options say how rules are read.
type Options struct {
	// Inline is true for rules that stand in a configuration: their file's name says nothing, and they may be a list.
	Inline bool
}

// Parse reads the rule of a file, or the rules of an inline list. Problems has everything that is wrong, not only the first;
// a rule is among the rules only if nothing is wrong with it but warnings.
func Parse(file string, data []byte, o Options) ([]*Rule, Problems) {
	d, root := open(file, data)
	if root == nil {
		return nil, d.problems
	}
	nodes := []*yaml.Node{root}
	if o.Inline && root.Kind == yaml.SequenceNode {
		nodes = root.Content
	}
	var rules []*Rule
	for _, n := range nodes {
		before := len(d.problems.Errors())
		r := d.rule(n, o)
		if len(d.problems.Errors()) == before {
			r.StateHash = stateHash(r)
			rules = append(rules, r)
		}
	}
	d.problems = append(d.problems, Duplicates(rules)...)
	return rules, d.problems.sorted()
}

// Duplicates finds rules that share an id.
func Duplicates(rules []*Rule) Problems {
	var problems Problems
	first := map[string]Position{}
	for _, r := range rules {
		if at, twice := first[r.ID]; twice {
			text := "the id \"" + r.ID + "\" is taken: it is also that of the rule at " + at.String()
			if strings.HasSuffix(r.Pos.File, "/"+at.File) {
				text += " of a pack: name the pack or the file, not both, and tune what a pack brings by `overrides`"
			}
			problems = append(problems, Problem{Pos: r.Pos, Text: text})
			continue
		}
		first[r.ID] = r.Pos
	}
	return problems
}

var (
	idPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,127}$`)
	aliasPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	labelPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	datePattern  = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

// reading is a rule that is being read.
type reading struct {
	*document
	*Rule
	node *yaml.Node
	// at holds the values of the rule's keys.
	at map[string]entry
	// sources hold what the patterns were read from, aligned with Patterns.
	sources []*source
	// named is true where the rule has `patterns`, whose names expressions may use.
	named bool
	// used has the patterns in the order in which `when` names them.
	used []int
	// closers are the patterns that close_on names.
	closers []int
	// whenBroken is true where `when` could not be read and the patterns stand for it one after the other.
	whenBroken bool
}

// source is what a pattern was read from.
type source struct {
	node   *yaml.Node
	at     map[string]entry
	lets   []*letting
	byName map[string]*letting
}

func (d *document) rule(n *yaml.Node, o Options) *Rule {
	r := &reading{document: d, node: n, Rule: &Rule{Pos: d.position(n), Enabled: true, Scope: ScopeTenant, Status: StatusExperimental}}
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "a rule is a mapping that begins with `id`, not %s", kindOf(n))
		return r.Rule
	}
	r.at = r.keys(d.mapping(n, "a rule"), ruleKeys, "a rule")
	r.head(o)
	r.texts()
	if r.patterns() {
		r.resolve()
	}
	for i, p := range r.Patterns {
		if e, ok := r.sources[i].at["having"]; ok {
			r.checkPairs(p, e.value)
		}
	}
	return r.Rule
}

// keys gives entries by their names; one that is not known is an error.
func (d *document) keys(entries []entry, known []key, what string) map[string]entry {
	at := make(map[string]entry, len(entries))
	for _, e := range entries {
		if !slices.ContainsFunc(known, func(k key) bool { return k.name == e.name }) {
			d.unknown(e, what, keyNames(known))
			continue
		}
		at[e.name] = e
	}
	return at
}

// missing notes that a key which must be there is not.
func (r *reading) missing(name, example string) {
	r.errorf(r.node, "the rule has no `%s`: write `%s: %s`", name, name, example)
}

// head reads what names the rule and says when it counts.
func (r *reading) head(o Options) {
	if e, ok := r.at["id"]; !ok {
		r.missing("id", "my-rule")
	} else if r.ID, ok = r.text(e.value, "id"); ok {
		switch {
		case !idPattern.MatchString(r.ID):
			r.errorf(e.value, "the id %q is not made of lower-case letters, digits, -, _ and . alone", shorten(r.ID))
		case !o.Inline && filepath.Base(r.file) != r.ID+filepath.Ext(r.file):
			r.errorf(e.value, "the id %q is not the file's name: name the file %s.yaml, or write `id: %s`", r.ID, r.ID, strings.TrimSuffix(filepath.Base(r.file), filepath.Ext(r.file)))
		}
	}
	if e, ok := r.at["title"]; ok {
		r.Title, _ = r.text(e.value, "title")
	} else {
		r.missing("title", "What was done")
	}
	if e, ok := r.at["severity"]; !ok {
		r.missing("severity", "medium")
	} else if s, ok := r.choice(e.value, "severity", severities); ok {
		r.Severity = Severity(s)
	}
	if e, ok := r.at["status"]; ok {
		s, _ := r.choice(e.value, "status", statuses)
		r.Status = Status(s)
	}
	if e, ok := r.at["scope"]; ok {
		s, _ := r.choice(e.value, "scope", scopes)
		r.Scope = Scope(s)
	}
	if e, ok := r.at["window"]; ok {
		r.Window = r.length(e.value, "window")
	}
	if e, ok := r.at["enabled"]; ok {
		r.Enabled, _ = r.truth(e.value, "enabled")
	}
	if e, ok := r.at["exceptions"]; ok {
		r.Exceptions = r.exceptions(e.value)
	}
}

var (
	severities = []string{string(SeverityInformational), string(SeverityLow), string(SeverityMedium), string(SeverityHigh), string(SeverityCritical)}
	statuses   = []string{string(StatusExperimental), string(StatusTest), string(StatusStable), string(StatusDeprecated)}
	scopes     = []string{string(ScopeTenant), string(ScopeAll)}
)

// length reads a duration that is longer than nothing.
func (d *document) length(n *yaml.Node, what string) time.Duration {
	s, ok := d.text(n, what)
	if !ok {
		return 0
	}
	length, err := expr.ParseDuration(s)
	if err != nil {
		d.errorf(n, "%s: %v", what, err)
		return 0
	}
	if length <= 0 || length > maxWindow {
		d.errorf(n, "%s is longer than 0 and at most %s, not %s", what, expr.FormatDuration(maxWindow), s)
		return 0
	}
	return length
}

// texts reads what is said about the rule.
func (r *reading) texts() {
	for name, to := range map[string]*string{"category": &r.Category, "description": &r.Description, "author": &r.Author, "date": &r.Date, "modified": &r.Modified, "license": &r.License} {
		if e, ok := r.at[name]; ok {
			*to, _ = r.text(e.value, name)
			*to = strings.TrimSpace(*to)
		}
	}
	for _, name := range []string{"date", "modified"} {
		if e, ok := r.at[name]; ok && e.value.Kind == yaml.ScalarNode && e.value.Tag != "!!null" {
			if _, err := time.Parse(time.DateOnly, e.value.Value); err != nil || !datePattern.MatchString(e.value.Value) {
				r.errorf(e.value, "%s is a day such as 2026-11-21, not %s", name, kindOf(e.value))
			}
		}
	}
	for name, to := range map[string]*[]string{"references": &r.References, "data_sources": &r.DataSources, "falsepositives": &r.FalsePositives} {
		if e, ok := r.at[name]; ok {
			*to = r.document.texts(e.value, name)
		}
	}
	if e, ok := r.at["tags"]; ok {
		r.Tags = r.tags(e.value)
	}
	if e, ok := r.at["labels"]; ok {
		r.Labels = r.labels(e.value)
	}
}

func (d *document) labels(n *yaml.Node) map[string]string {
	labels := map[string]string{}
	for _, e := range d.mapping(n, "labels") {
		if !labelPattern.MatchString(e.name) {
			d.errorf(e.key, "the label %q is not made of lower-case letters, digits and _: it becomes metadata, as incident_label_<name>", shorten(e.name))
			continue
		}
		if s, ok := d.text(e.value, "label "+e.name); ok {
			labels[e.name] = s
		}
	}
	return labels
}

// exceptions reads a list of {reason, from, until, schedule, match}.
func (d *document) exceptions(n *yaml.Node) []Exception {
	if n.Kind != yaml.SequenceNode {
		d.errorf(n, "exceptions is a list of {reason, until, match}, not %s", kindOf(n))
		return nil
	}
	var list []Exception
	for _, item := range n.Content {
		at := d.keys(d.mapping(item, "an exception"), exceptionKeys, "an exception")
		if item.Kind != yaml.MappingNode {
			continue
		}
		e := Exception{From: event.MinTime, Until: maxTime}
		if r, ok := at["reason"]; ok {
			e.Reason, _ = d.text(r.value, "reason")
		} else {
			d.errorf(item, "the exception has no `reason`: say why these events do not count")
		}
		if u, ok := at["until"]; ok {
			e.Until = d.until(u.value)
		}
		if f, ok := at["from"]; ok {
			e.From = d.from(f.value)
		}
		if s, ok := at["schedule"]; ok {
			e.Schedule = d.schedules(s.value)
		}
		if e.From >= e.Until {
			d.errorf(at["from"].key, "the exception ends before it begins")
		}
		m, hasMatch := at["match"]
		switch {
		case hasMatch:
			e.Match = d.selection(m.value, "match")
		case e.Schedule != nil, at["from"].value != nil && at["until"].value != nil:
			e.Match = All{} // a time of maintenance
		default:
			d.errorf(item, "the exception has no `match`: say which events do not count")
			continue
		}
		list = append(list, e)
	}
	return list
}
