package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// fieldProblem says what is wrong with a field by the catalog of package event; "" where nothing is.
func fieldProblem(path event.Path) string {
	if path[0] == "raw" && len(path) == 1 {
		return "`raw` is the whole record: name one of its fields, as in raw.data.eventName"
	}
	name := strings.Join(path, ".")
	if f, ok := event.FieldNamed(name); ok {
		if !f.Open && (f.Type == event.Object || f.Type == event.Objects) {
			return fmt.Sprintf("%q is an object: name one of its fields%s", name, firstBelow(name))
		}
		return ""
	}
	if below := firstBelow(name); below != "" {
		return fmt.Sprintf("%q is an object: name one of its fields%s", name, below)
	}
	text := fmt.Sprintf("unknown field %q", path)
	parent, members := siblings(name)
	near := event.Nearest(name)
	switch {
	case near != "" && (len(members) == 0 || !strings.HasPrefix(near, parent) || expr.Nearest(name[len(parent):], members) != ""):
		return fmt.Sprintf("%s: did you mean %q?", text, near)
	case len(members) > 0:
		return fmt.Sprintf("%s: %s has %s", text, strings.TrimSuffix(parent, "."), strings.Join(members, ", "))
	}
	return text + ": a field of the record is written raw.<path>, and one that a site adds unmapped.<path>"
}

// siblings gives the part of a name up to its last dot, and the fields that stand behind it.
func siblings(name string) (parent string, members []string) {
	parent = name[:strings.LastIndexByte(name, '.')+1]
	if parent == "" {
		return "", nil
	}
	for _, f := range event.Fields() {
		if member, ok := strings.CutPrefix(f.Name, parent); ok {
			members = append(members, member)
		}
	}
	return parent, members
}

func firstBelow(name string) string {
	for _, f := range event.Fields() {
		if strings.HasPrefix(f.Name, name+".") {
			return ", as in " + f.Name
		}
	}
	return ""
}

func (d *document) checkField(path event.Path, at Position) {
	if problem := fieldProblem(path); problem != "" {
		d.errorAt(at, "%s", problem)
	}
}

// checkName warns of an event type or an operation that the catalog does not know: a misspelled one matches nothing, for ever.
func (d *document) checkName(field event.Path, value string, n *yaml.Node) {
	switch field.String() {
	case "metadata.event_code", "raw.eventType", "api.operation", "raw.data.eventName":
	default:
		return
	}
	if strings.ContainsAny(value, "*?") || value == "" || event.KnownOperation(value) {
		return
	}
	near := event.NearestOperation(value)
	if near != "" {
		d.warnf(n, "unknown operation or event type %q: did you mean %q?", value, near)
		return
	}
	d.warnf(n, "unknown operation or event type %q", value)
}

// enumerated are the fields whose values the catalog lists, in backquotes.
var enumerated = []string{"class_name", "category_name", "status", "severity"}

// checkValue warns of a text that a field never has: a misspelled one matches nothing, for ever.
func (d *document) checkValue(field event.Path, value string, n *yaml.Node) {
	name := field.String()
	f, ok := event.FieldNamed(name)
	if !ok || strings.ContainsAny(value, "*?") {
		return
	}
	if f.Type == event.Int || f.Type == event.Ints || f.Type == event.Timestamp {
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			d.warnf(n, "%s is a number and never %q", name, shorten(value))
		}
		return
	}
	if !slices.Contains(enumerated, name) {
		return
	}
	values := quoted(f.Meaning)
	if !slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) }) {
		d.warnf(n, "unknown value %q of %s%s", shorten(value), name, didYouMeanOf(value, values))
	}
}

// quoted gives the words that stand in backquotes.
func quoted(text string) []string {
	var words []string
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			words = append(words, part)
		}
	}
	return words
}

func isObject(path event.Path) bool {
	name := strings.Join(path, ".")
	f, ok := event.FieldNamed(name)
	return ok && (f.Type == event.Object || f.Type == event.Objects) && len(path) > 0 && name != "raw" || !ok && firstBelow(name) != ""
}

// checkPairs warns of a pattern that counts operations which are reported at their begin and at their end: it counts each twice.
func (d *document) checkPairs(p *Pattern, at *yaml.Node) {
	if p.Having == nil || !slices.ContainsFunc(aggregateNames(p), func(f string) bool { return f == "count" || f == "sum" || f == "avg" }) {
		return
	}
	paired, phased := "", false
	eachTest(p.Match, func(t *Test) {
		name := t.Field.String()
		if name == "metadata.event_code" || name == "raw.eventType" {
			if s, ok := t.Value.(string); ok && (hasPhase(s) || t.Op == OpSuffix) {
				phased = true
			}
		}
		if s, ok := t.Value.(string); ok && t.Op == OpEqual && (name == "api.operation" || name == "raw.data.eventName") && event.Paired(s) {
			paired = s
		}
	})
	codes := exactCodes(p.Match)
	for _, code := range codes {
		base, isBegin := strings.CutSuffix(code, ".begin")
		if isBegin && slices.Contains(codes, base+".end") {
			paired, phased = base, false
		}
	}
	if paired != "" && !phased {
		d.warnf(at, "%s is reported twice, at its begin and at its end, and count() counts both: add `metadata.event_code|endswith: .begin`, or count distinct(resources.uid)", paired)
	}
}

func hasPhase(s string) bool {
	s = strings.ToLower(s)
	return strings.HasSuffix(s, ".begin") || strings.HasSuffix(s, ".end")
}

func exactCodes(c Condition) []string {
	var codes []string
	eachTest(c, func(t *Test) {
		if s, ok := t.Value.(string); ok && t.Op == OpEqual && t.Field.String() == "metadata.event_code" {
			codes = append(codes, strings.ToLower(s))
		}
	})
	return codes
}

func aggregateNames(p *Pattern) []string {
	var names []string
	for _, a := range p.Having.Aggregates() {
		names = append(names, a.Func)
	}
	return names
}

// eachTest calls f for every test of a condition.
func eachTest(c Condition, f func(*Test)) {
	switch c := c.(type) {
	case All:
		for _, p := range c {
			eachTest(p, f)
		}
	case Any:
		for _, p := range c {
			eachTest(p, f)
		}
	case None:
		eachTest(c.Of, f)
	case *Test:
		f(c)
	}
}
