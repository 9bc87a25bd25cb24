package foreign

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNotFortiSIEM says that a file holds no rule of FortiSIEM.
var ErrNotFortiSIEM = errors.New("a rule of FortiSIEM is a Rule element with a PatternClause")

// xmlRule is a rule as FortiSIEM exports it.
type xmlRule struct {
	Function    string `xml:"function,attr"`
	SubFunction string `xml:"subFunction,attr"`
	Technique   string `xml:"technique,attr"`
	Name        string `xml:"Name"`
	Title       string `xml:"IncidentTitle"`
	Active      string `xml:"active"`
	Description string `xml:"Description"`
	Technology  string `xml:"DetectionTechnology"`
	Scope       struct {
		Each string `xml:"groupByEachCustomer,attr"`
	} `xml:"CustomerScope"`
	Incident struct {
		EventType string `xml:"eventType,attr"`
		Severity  string `xml:"severity,attr"`
		Args      string `xml:"ArgList"`
	} `xml:"IncidentDef"`
	Pattern xmlPattern `xml:"PatternClause"`
	Clear   struct {
		Type  string `xml:"type,attr"`
		Quiet string `xml:"QuietPeriod"`
	} `xml:"ClearCondition"`
}

type xmlPattern struct {
	Window    string          `xml:"window,attr"`
	Parts     []xmlSubPattern `xml:"SubPattern"`
	Operators []struct {
		Type string `xml:"type,attr"`
	} `xml:"Operator"`
	Global string `xml:"GlobalConstr"`
}

type xmlSubPattern struct {
	Name    string `xml:"name,attr"`
	Filter  string `xml:"SingleEvtConstr"`
	GroupBy string `xml:"GroupByAttr"`
	Having  string `xml:"GroupEvtConstr"`
}

// fortiRule is a rule that is being carried over.
type fortiRule struct {
	draft
	xmlRule
	// names are the patterns' names here, in the order of the sub-patterns.
	names []string
	// off is true where something was left out without which the rule means more than it did.
	off bool
}

// FortiSIEM reads rules as FortiSIEM exports them: filters, aggregates, operators between sub-patterns, relations,
// the mapping of the incident, and the quiet period that clears it. A rule of which a condition was left out is switched off.
func FortiSIEM(file string, data []byte) ([]Rule, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s:1:1: the file is larger than %d KiB", file, maxFile>>10)
	}
	decoder := xml.NewDecoder(bytes.NewReader(data))
	var rules []Rule
	taken := map[string]bool{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: reading XML: %w", file, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Rule" {
			continue
		}
		line, column := decoder.InputPos()
		var f fortiRule
		if err := decoder.DecodeElement(&f.xmlRule, &start); err != nil {
			return nil, fmt.Errorf("%s: reading XML: %w", file, err)
		}
		if len(f.Pattern.Parts) == 0 {
			return nil, fmt.Errorf("%s:%d:%d: %w", file, line, column, ErrNotFortiSIEM)
		}
		for f.id = slug(f.Name); f.id == "" || taken[f.id]; f.id = strings.TrimPrefix(f.id+"-2", "-") {
		}
		taken[f.id] = true
		r, err := f.carry()
		if err != nil {
			return nil, fmt.Errorf("%s:%d:%d: %w", file, line, column, err)
		}
		if rules = append(rules, r); len(rules) > maxDocuments {
			return nil, fmt.Errorf("%s:1:1: the file has more than %d rules", file, maxDocuments)
		}
	}
	if len(rules) == 0 {
		return nil, fmt.Errorf("%s:1:1: %w", file, ErrNotFortiSIEM)
	}
	return rules, nil
}

func (f *fortiRule) carry() (Rule, error) {
	head, body := &mapping{}, &mapping{}
	f.head(head)
	f.body(body)
	if f.off || strings.EqualFold(strings.TrimSpace(f.Active), "false") {
		head.add("enabled", truth(false))
	}
	head.content = append(head.content, body.content...)
	return f.finish(head)
}

func (f *fortiRule) head(out *mapping) {
	out.text("id", f.id)
	title := strings.TrimSpace(f.Name)
	if title == "" {
		title = f.id
	}
	out.text("title", title)
	out.text("status", "experimental")
	out.text("severity", f.severity())
	if category := strings.ToLower(f.Function); category != "" {
		out.text("category", category)
	}
	if s := strings.TrimSpace(f.Description); s != "" {
		out.text("description", s)
	}
	var tags []string
	for technique := range strings.SplitSeq(f.Technique, ",") {
		if technique = strings.ToLower(strings.TrimSpace(technique)); technique != "" {
			tags = append(tags, "attack."+technique)
		}
	}
	out.texts("tags", tags)
	if f.SubFunction != "" {
		f.note("the subcategory %q was not carried over", f.SubFunction)
	}
	if f.Technology != "" && f.Technology != "Correlation" {
		f.note("the detection technology %q was not carried over", f.Technology)
	}
	if f.Incident.EventType != "" {
		f.note("its incident's event type was %s", f.Incident.EventType)
	}
}

// severity gives the word for a number from 1 to 10.
func (f *fortiRule) severity() string {
	const medium, high = 5, 9
	n, err := strconv.Atoi(f.Incident.Severity)
	switch {
	case err != nil:
		f.note("it has no severity: medium is written")
		return "medium"
	case n >= high:
		return "high"
	case n >= medium:
		return "medium"
	}
	return "low"
}

func (f *fortiRule) body(out *mapping) {
	if strings.EqualFold(f.Scope.Each, "false") {
		out.text("scope", "all")
	}
	if seconds, err := strconv.Atoi(f.Pattern.Window); err == nil && seconds > 0 {
		out.text("window", strconv.Itoa(seconds)+"s")
	} else {
		out.text("window", "120s")
		f.note("it has no window: 120s is written")
	}
	parts := f.Pattern.Parts
	for _, part := range parts {
		f.names = append(f.names, patternName(part.Name, f.names))
	}
	if len(parts) == 1 {
		if keys := f.groupBy(parts[0].GroupBy); len(keys.content) > 0 {
			out.add("group_by", keys.node())
		}
		f.part(out, parts[0])
	} else {
		f.several(out)
	}
	f.incident(out)
}

// part writes the filter and the aggregates of a sub-pattern.
func (f *fortiRule) part(out *mapping, part xmlSubPattern) {
	detection, err := f.filter(part.Filter)
	if err != nil {
		f.off = true
		f.note("a part of the filter of %s was not carried over, and the rule is switched off: %v", part.Name, err)
	}
	out.add("detection", detection.node())
	having, err := f.having(part.Having)
	if err != nil {
		f.off = true
		f.note("the aggregates of %s were not carried over, and the rule is switched off: %v", part.Name, err)
		return
	}
	if having != "" && having != "count() >= 1" {
		out.text("having", having)
	}
}

// several writes the sub-patterns and what stands between them.
func (f *fortiRule) several(out *mapping) {
	keys := f.joins()
	patterns := &mapping{}
	for i, part := range f.Pattern.Parts {
		p := &mapping{}
		f.part(p, part)
		if len(keys[i].content) > 0 {
			p.add("group_by", keys[i].node())
		} else if part.GroupBy != "" {
			f.note("the group by of %s (%s) was not carried over: no relation names it", part.Name, part.GroupBy)
		}
		patterns.add(f.names[i], p.node())
	}
	out.add("patterns", patterns.node())
	out.text("when", f.when())
}

var operatorWords = map[string]string{
	"AND": "and", "OR": "or", "FOLLOWED_BY": "then", "AND_NOT": "and not", "NOT_FOLLOWED_BY": "then not",
}

// when joins the patterns in the order of the operators; parentheses stand where two different ones meet.
func (f *fortiRule) when() string {
	text, last := f.names[0], ""
	for i, name := range f.names[1:] {
		word := "and"
		if i < len(f.Pattern.Operators) {
			kind := f.Pattern.Operators[i].Type
			if known, ok := operatorWords[kind]; ok {
				word = known
			} else {
				f.off = true
				f.note("the operator %q was not carried over, `and` stands for it, and the rule is switched off", kind)
			}
		}
		joins := strings.Fields(word)[0]
		if last != "" && last != joins {
			text = "(" + text + ")"
		}
		text = strings.Join([]string{text, word, name}, " ")
		last = joins
	}
	return text
}

var equality = regexp.MustCompile(`^\s*(\w+)\.(\w+)\s*=\s*(\w+)\.(\w+)\s*$`)

// joins makes the relations between sub-patterns keys: one name for the attributes that must be equal.
func (f *fortiRule) joins() []*mapping {
	keys := make([]*mapping, len(f.Pattern.Parts))
	for i := range keys {
		keys[i] = &mapping{}
	}
	if strings.TrimSpace(f.Pattern.Global) == "" {
		return keys
	}
	aliases := map[string]string{} // sub-pattern.attribute -> name
	add := func(part, attribute, alias string) {
		i := slices.IndexFunc(f.Pattern.Parts, func(p xmlSubPattern) bool { return p.Name == part })
		if _, done := aliases[part+"."+attribute]; i < 0 || done {
			return
		}
		aliases[part+"."+attribute] = alias
		keys[i].text(alias, f.attribute(attribute))
	}
	for constraint := range strings.SplitSeq(andWord.ReplaceAllString(f.Pattern.Global, "\x00"), "\x00") {
		m := equality.FindStringSubmatch(strings.Trim(strings.TrimSpace(constraint), "()"))
		if m == nil {
			f.off = true
			f.note("the relation `%s` was not carried over, and the rule is switched off: write it as `where`", strings.TrimSpace(constraint))
			continue
		}
		alias := m[2]
		if old, ok := aliases[m[1]+"."+m[2]]; ok {
			alias = old
		} else if old, ok := aliases[m[3]+"."+m[4]]; ok {
			alias = old
		}
		add(m[1], m[2], alias)
		add(m[3], m[4], alias)
	}
	return keys
}

var andWord = regexp.MustCompile(`(?i)\s+AND\s+`)

// groupBy makes a list of attributes the key of the rule.
func (f *fortiRule) groupBy(text string) *mapping {
	keys := &mapping{}
	for attribute := range strings.SplitSeq(text, ",") {
		if attribute = strings.TrimSpace(attribute); attribute != "" {
			keys.text(strings.ReplaceAll(slug(attribute), "-", "_"), f.attribute(attribute))
		}
	}
	return keys
}

var (
	assignment = regexp.MustCompile(`^\s*(\w+)\s*=\s*(?:(\w+)\.)?(\w+|\w+\([^()]*\))\s*$`)
	titleWord  = regexp.MustCompile(`\$\{?(\w+)\}?`)
)

// incident writes the title, the mapping and what clears the incident.
func (f *fortiRule) incident(out *mapping) {
	values := map[string]string{}
	attributes := &mapping{}
	for argument := range strings.SplitSeq(f.Incident.Args, ",") {
		if strings.TrimSpace(argument) == "" {
			continue
		}
		m := assignment.FindStringSubmatch(argument)
		value := ""
		if m != nil {
			value = f.value(m[2], m[3])
		}
		if value == "" {
			f.note("the incident attribute `%s` was not carried over", strings.TrimSpace(argument))
			continue
		}
		values[m[1]] = value
		attributes.text(m[1], value)
	}
	i := &mapping{}
	if title := strings.TrimSpace(f.Title); title != "" {
		i.text("title", titleWord.ReplaceAllStringFunc(strings.NewReplacer("{", "{{", "}", "}}").Replace(title), func(word string) string {
			if value := values[titleWord.FindStringSubmatch(word)[1]]; value != "" {
				return "{" + value + "}"
			}
			return strings.TrimPrefix(word, "$")
		}))
	}
	if len(attributes.content) > 0 {
		i.add("attributes", attributes.node())
	}
	switch seconds, err := strconv.Atoi(strings.TrimSpace(f.Clear.Quiet)); {
	case f.Clear.Type == "timebased" && err == nil && seconds > 0:
		i.text("close_after", strconv.Itoa(seconds)+"s")
	case f.Clear.Type != "":
		f.note("the clear condition (%s) was not carried over: write it as `close_on`", f.Clear.Type)
	}
	if len(i.content) > 0 {
		out.add("incident", i.node())
	}
}

// value gives an attribute or an aggregate of a sub-pattern as an expression over the firing's events; "" where there is none.
func (f *fortiRule) value(part, text string) string {
	at := slices.IndexFunc(f.Pattern.Parts, func(p xmlSubPattern) bool { return p.Name == part })
	if at < 0 && (part != "" || len(f.Pattern.Parts) > 1) {
		return ""
	}
	if len(f.Pattern.Parts) > 1 && at > 0 && at <= len(f.Pattern.Operators) && strings.Contains(f.Pattern.Operators[at-1].Type, "NOT") {
		return ""
	}
	value, err := f.having(text)
	if !strings.Contains(text, "(") {
		value, err = "last("+expression(f.attribute(text))+")", nil
	}
	if err != nil {
		return ""
	}
	if len(f.Pattern.Parts) > 1 {
		return f.names[at] + "." + value
	}
	return value
}
