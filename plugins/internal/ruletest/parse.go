package ruletest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/sample"
)

// MaxSize is the largest rule test file that is read, in bytes.
const MaxSize = 1 << 20

// maxFeed bounds the events of one case.
const maxFeed = 100_000

var envelopes = []string{"audit", "connector_hub", "logging_search", "events_service"}

var severities = []rule.Severity{
	rule.SeverityInformational, rule.SeverityLow, rule.SeverityMedium, rule.SeverityHigh, rule.SeverityCritical,
}

// Parse reads a rule test file. Where there are problems there is no file.
func Parse(file string, data []byte) (*File, rule.Problems) {
	whole := func(format string, args ...any) (*File, rule.Problems) {
		return nil, rule.Problems{{Pos: rule.Position{File: file, Line: 1, Column: 1}, Text: fmt.Sprintf(format, args...)}}
	}
	if len(data) > MaxSize {
		return whole("the file has %d bytes, more than %d", len(data), MaxSize)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, rule.Problems{yamlProblem(file, err)}
	}
	if len(doc.Content) == 0 {
		return whole("the file is empty: a rule test has rule, events and cases")
	}
	p := &parser{reader: &reader{file: file}, file: &File{Path: file, Start: Start}, sources: map[string]Source{}}
	p.top(doc.Content[0])
	if len(p.problems) > 0 {
		return nil, p.sorted()
	}
	return p.file, nil
}

type parser struct {
	*reader
	file    *File
	sources map[string]Source
}

func (p *parser) top(n *yaml.Node) {
	var events, cases, id *yaml.Node
	p.fields(n, "a rule test", map[string]func(*yaml.Node){
		"rule":  func(v *yaml.Node) { id = v; p.file.Rule = p.text(v, "rule"); p.file.RulePos = p.at(v) },
		"start": p.start,
		"with": func(v *yaml.Node) {
			p.items(v, "with", func(item *yaml.Node) { p.file.With = append(p.file.With, p.text(item, "an id in with")) })
		},
		"lists":  p.lists,
		"tables": p.tables,
		"events": func(v *yaml.Node) { events = v },
		"cases":  func(v *yaml.Node) { cases = v },
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	if id == nil {
		p.problem(n, "`rule` is missing: it names the rule that is tested by its id")
	} else if want := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(p.file.Path), filepath.Ext(p.file.Path)), Suffix); p.file.Rule != "" && p.file.Rule != want {
		p.problem(id, "the file tests rule %q and must be named %s%s.yaml", p.file.Rule, p.file.Rule, Suffix)
	}
	if events != nil {
		p.events(events)
	}
	if cases == nil {
		p.problem(n, "`cases` is missing: a test without a case tests nothing")
		return
	}
	names := map[string]bool{}
	p.items(cases, "cases", func(c *yaml.Node) {
		parsed := p.readCase(c)
		if parsed.Name != "" && names[parsed.Name] {
			p.problem(c, "two cases are named %q", parsed.Name)
		}
		names[parsed.Name] = true
		p.file.Cases = append(p.file.Cases, parsed)
	})
	if cases.Kind == yaml.SequenceNode && len(cases.Content) == 0 {
		p.problem(cases, "`cases` is empty: a test without a case tests nothing")
	}
}

func (p *parser) start(n *yaml.Node) {
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil {
		p.problem(n, "start must be a time as 2026-01-15T00:00:00Z")
		return
	}
	p.file.Start = event.TimeOf(t)
}

func (p *parser) lists(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.problem(n, "lists must map the name of each list to its values")
		return
	}
	p.file.Lists = map[string][]string{}
	pairs(n, func(key, value *yaml.Node) {
		p.items(value, "list "+key.Value, func(item *yaml.Node) {
			p.file.Lists[key.Value] = append(p.file.Lists[key.Value], p.text(item, "a value of list "+key.Value))
		})
	})
}

func (p *parser) tables(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.problem(n, "tables must map the name of each table to its rows, as a text of comma-separated values")
		return
	}
	p.file.Tables = map[string]string{}
	pairs(n, func(key, value *yaml.Node) {
		p.file.Tables[key.Value] = p.text(value, "table "+key.Value)
	})
}

func (p *parser) events(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.problem(n, "events must map the name of each event to how it is made")
		return
	}
	pairs(n, func(key, value *yaml.Node) {
		var s Source
		known := map[string]func(*yaml.Node){
			"operation": func(v *yaml.Node) { s.Operation = p.operation(v) },
			"problem":   func(v *yaml.Node) { s.Problem = p.text(v, "problem") },
			"raw":       func(v *yaml.Node) { s.Raw = p.object(v, "raw") },
			"envelope":  func(v *yaml.Node) { s.Envelope = p.oneOf(v, "envelope", envelopes) },
		}
		p.changes(&s, known)
		before := len(p.problems)
		p.fields(value, "event "+key.Value, known)
		kinds := 0
		for _, set := range []bool{s.Operation != "", s.Problem != "", s.Raw != nil} {
			if set {
				kinds++
			}
		}
		if kinds != 1 && len(p.problems) == before {
			p.problem(key, "event %q needs one of operation, problem, raw", key.Value)
		}
		p.sources[key.Value] = s
	})
}

// changes adds the keys that an event and a feed have in common.
func (p *parser) changes(s *Source, known map[string]func(*yaml.Node)) {
	known["status"] = func(v *yaml.Node) {
		s.Status = p.text(v, "status")
		if code, err := strconv.Atoi(s.Status); s.Status != "" && (err != nil || code < 100 || code > 599) {
			p.problem(v, "status must be an HTTP status, as \"404\"")
		}
	}
	known["tenancy"] = func(v *yaml.Node) { s.Tenancy = p.text(v, "tenancy") }
	known["set"] = func(v *yaml.Node) {
		set := map[string]any{}
		maps.Copy(set, s.Set)
		for name, value := range p.object(v, "set") {
			if _, err := event.ParsePath(name); err != nil {
				p.problem(v, "%v", err)
			}
			set[name] = value
		}
		s.Set = set
	}
}

func (p *parser) operation(n *yaml.Node) string {
	op := p.text(n, "operation")
	if op != "" && !sample.Known(op) {
		p.problem(n, "there is no sample of operation %q%s; give the whole record as `raw`", op, nearest(op, sample.Operations()))
	}
	return op
}

func (p *parser) oneOf(n *yaml.Node, what string, known []string) string {
	if !slices.Contains(known, n.Value) {
		p.problem(n, "%s must be one of %s", what, strings.Join(known, ", "))
	}
	return n.Value
}

func (p *parser) readCase(n *yaml.Node) Case {
	c := Case{Pos: p.at(n), Until: event.MaxTime}
	expected := false
	p.fields(n, "a case", map[string]func(*yaml.Node){
		"name":  func(v *yaml.Node) { c.Name = p.text(v, "name") },
		"feed":  func(v *yaml.Node) { p.items(v, "feed", func(f *yaml.Node) { c.Feed = append(c.Feed, p.feed(f)...) }) },
		"until": func(v *yaml.Node) { c.Until = p.offset(v, "until", p.file.Start) },
		"expect": func(v *yaml.Node) {
			expected = true
			p.items(v, "expect", func(e *yaml.Node) { c.Expect = append(c.Expect, p.expected(e)) })
		},
	})
	if n.Kind != yaml.MappingNode {
		return c
	}
	if c.Name == "" {
		p.problem(n, "the case has no name: say what it shows")
	}
	if !expected {
		p.problem(n, "the case expects nothing: write `expect: []` where no incident must come out")
	}
	if len(c.Feed) > maxFeed {
		p.problem(n, "the case feeds %d events, more than %d", len(c.Feed), maxFeed)
	}
	return c
}

// feed reads one feed; `at` may be a list, which feeds the event at each of its times.
func (p *parser) feed(n *yaml.Node) []Feed {
	if n.Kind != yaml.MappingNode {
		p.problem(n, "a feed must be a map of at, event, id, set, status, tenancy")
		return nil
	}
	var at []event.Time
	id, name := "", n
	f := Feed{Pos: p.at(n)}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "event" {
			name = n.Content[i+1]
		}
	}
	source, ok := p.sources[name.Value]
	switch {
	case name == n:
		p.problem(n, "the feed names no event")
	case !ok:
		p.problem(name, "no event is named %q%s", name.Value, nearest(name.Value, sortedNames(p.sources)))
	}
	f.Source = source
	known := map[string]func(*yaml.Node){
		"event": func(*yaml.Node) {},
		"id":    func(v *yaml.Node) { id = p.text(v, "id") },
		"at": func(v *yaml.Node) {
			if v.Kind != yaml.SequenceNode {
				at = append(at, p.offset(v, "at", p.file.Start))
				return
			}
			p.items(v, "at", func(item *yaml.Node) { at = append(at, p.offset(item, "at", p.file.Start)) })
		},
	}
	p.changes(&f.Source, known)
	p.fields(n, "a feed", known)
	if at == nil {
		p.problem(n, "the feed says not when: at is missing")
	}
	feeds := make([]Feed, 0, len(at))
	for _, t := range at {
		f.At, f.ID = t, id
		feeds = append(feeds, f)
	}
	return feeds
}

func (p *parser) expected(n *yaml.Node) Expected {
	e := Expected{Pos: p.at(n)}
	when := func(to **event.Time, what string) func(*yaml.Node) {
		return func(v *yaml.Node) {
			t := p.offset(v, what, p.file.Start)
			*to = &t
		}
	}
	p.fields(n, "an expected incident", map[string]func(*yaml.Node){
		"at":    when(&e.At, "at"),
		"first": when(&e.First, "first"),
		"last":  when(&e.Last, "last"),
		"closed": func(v *yaml.Node) {
			if v.Value == "false" {
				open := event.MaxTime
				e.Closed = &open
				return
			}
			when(&e.Closed, "closed")(v)
		},
		"key": func(v *yaml.Node) { e.Key = p.object(v, "key") },
		"events": func(v *yaml.Node) {
			count, err := strconv.ParseInt(v.Value, 10, 64)
			if err != nil || count < 1 {
				p.problem(v, "events must be the number of distinct events, 1 or more")
			}
			e.Events = count
		},
		"severity": func(v *yaml.Node) {
			e.Severity = rule.Severity(v.Value)
			if !slices.Contains(severities, e.Severity) {
				p.problem(v, "severity must be one of informational, low, medium, high, critical")
			}
		},
		"title":      func(v *yaml.Node) { e.Title = p.text(v, "title") },
		"attributes": func(v *yaml.Node) { e.Attributes = p.object(v, "attributes") },
	})
	return e
}

func sortedNames(m map[string]Source) []string {
	all := make([]string, 0, len(m))
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// yamlProblem gives the place that yaml.v3 writes into the text of its errors.
func yamlProblem(file string, err error) rule.Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, after, found := strings.Cut(rest, ": "); found {
			if n, err := strconv.Atoi(number); err == nil {
				line, text = n, after
			}
		}
	}
	return rule.Problem{Pos: rule.Position{File: file, Line: line, Column: 1}, Text: "reading YAML: " + text}
}
