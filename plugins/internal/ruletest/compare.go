package ruletest

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
)

// compare gives "" where each expected incident came and none besides, else a line for each incident:
// `-` expected and missing, `+` come and not expected.
func (f *File) compare(tested *rule.Rule, c *Case, came []*incident.Incident) string {
	left := slices.Clone(came)
	var lines []string
	for i := range c.Expect {
		want := &c.Expect[i]
		found := slices.IndexFunc(left, func(inc *incident.Incident) bool { return want.matches(tested, inc) })
		if found < 0 {
			lines = append(lines, "- "+f.wanted(want))
			continue
		}
		left = slices.Delete(left, found, found+1)
	}
	for _, inc := range left {
		lines = append(lines, "+ "+f.got(tested, inc))
	}
	return strings.Join(lines, "\n")
}

func (e *Expected) matches(tested *rule.Rule, inc *incident.Incident) bool {
	switch {
	case e.At != nil && *e.At != inc.Fired,
		e.First != nil && *e.First != inc.First,
		e.Last != nil && *e.Last != inc.Last,
		e.Closed != nil && *e.Closed != closed(inc),
		e.Events != 0 && e.Events != inc.Count,
		e.Severity != "" && e.Severity != tested.Severity,
		e.Title != "" && e.Title != inc.Title:
		return false
	}
	key := keyOf(tested, inc)
	for alias, want := range e.Key {
		if got, ok := key[alias]; !ok || !same(want, got) {
			return false
		}
	}
	for name, want := range e.Attributes {
		if got, ok := inc.Attributes[name]; !ok || !same(want, got) {
			return false
		}
	}
	return true
}

// closed gives when the incident was closed; event.MaxTime where only the end of its slot did.
func closed(inc *incident.Incident) event.Time {
	if inc.Action != incident.Close || inc.Closed == 0 || inc.Closed >= inc.Slot.Add(inc.Per) {
		return event.MaxTime
	}
	return inc.Closed
}

// same compares values as they are written: 443 and "443" are one address of a port, [a, b] is one list.
func same(want, got any) bool {
	return fmt.Sprint(event.Normal(want)) == fmt.Sprint(event.Normal(got))
}

func keyOf(tested *rule.Rule, inc *incident.Incident) map[string]any {
	key := map[string]any{}
	for i, alias := range tested.KeyNames {
		if i < len(inc.Key) {
			key[alias] = inc.Key[i]
		}
	}
	return key
}

// wanted writes an expected incident as the file could.
func (f *File) wanted(e *Expected) string {
	var parts []string
	if e.At != nil {
		parts = append(parts, "at: "+f.offset(*e.At))
	}
	if e.Key != nil {
		parts = append(parts, "key: "+flow(e.Key))
	}
	if e.Events != 0 {
		parts = append(parts, fmt.Sprintf("events: %d", e.Events))
	}
	if e.First != nil {
		parts = append(parts, "first: "+f.offset(*e.First))
	}
	if e.Last != nil {
		parts = append(parts, "last: "+f.offset(*e.Last))
	}
	switch {
	case e.Closed == nil:
	case *e.Closed == event.MaxTime:
		parts = append(parts, "closed: false")
	default:
		parts = append(parts, "closed: "+f.offset(*e.Closed))
	}
	if e.Severity != "" {
		parts = append(parts, "severity: "+string(e.Severity))
	}
	if e.Title != "" {
		parts = append(parts, fmt.Sprintf("title: %q", e.Title))
	}
	if e.Attributes != nil {
		parts = append(parts, "attributes: "+flow(e.Attributes))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (f *File) got(tested *rule.Rule, inc *incident.Incident) string {
	e := Expected{
		At: &inc.Fired, Key: keyOf(tested, inc), Events: inc.Count, First: &inc.First, Last: &inc.Last,
		Severity: tested.Severity, Title: inc.Title,
	}
	if at := closed(inc); tested.Incident.CloseOn != nil || tested.Incident.CloseAfter > 0 {
		e.Closed = &at
	}
	if len(inc.Attributes) > 0 {
		e.Attributes = inc.Attributes
	}
	return f.wanted(&e)
}

// offset writes a time as the file does: 1d12h.
func (f *File) offset(t event.Time) string {
	d := t.Sub(f.Start)
	if d < 0 {
		return t.String()
	}
	return expr.FormatDuration(d)
}

func flow(m map[string]any) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	parts := make([]string, len(names))
	for i, name := range names {
		value := m[name]
		if value == nil {
			value = "null"
		}
		parts[i] = fmt.Sprintf("%s: %v", name, value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
