package rule

import (
	"fmt"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// detection reads a whole Sigma block: named selections and a condition over them.
func (d *document) detection(n *yaml.Node) Condition {
	s := &selections{byName: map[string]Condition{}, used: map[string]bool{}}
	var condition *yaml.Node
	if len(n.Content)/2 > maxSelections {
		d.errorf(n, "a detection has at most %d selections", maxSelections)
		return Any{}
	}
	for _, e := range d.mapping(n, "detection") {
		switch e.name {
		case "condition":
			condition = e.value
		case "timeframe":
			d.errorf(e.key, "a timeframe stands beside `detection`, as `window`")
		default:
			if !namePattern.MatchString(e.name) || conditionWords[e.name] {
				d.errorf(e.key, "%q cannot be the name of a selection: letters, digits, - and _, and no word of a condition", e.name)
			}
			s.names = append(s.names, e.name)
			s.byName[e.name] = d.selection(e.value, "selection "+e.name)
		}
	}
	sort.Strings(s.names)
	if n.Kind != yaml.MappingNode {
		return Any{}
	}
	if condition == nil {
		d.errorf(n, "the detection has no `condition`")
		return Any{}
	}
	c, ok := d.detectionCondition(condition, s)
	for _, e := range d.mapping(n, "detection") {
		if ok && s.byName[e.name] != nil && !s.used[e.name] {
			d.warnf(e.key, "the condition does not use the selection %q", e.name)
		}
	}
	return c
}

var conditionWords = map[string]bool{"and": true, "or": true, "not": true, "of": true, "all": true, "any": true, "them": true, "condition": true}

// selections are the names that a condition may use.
type selections struct {
	names  []string
	byName map[string]Condition
	used   map[string]bool
}

func (d *document) detectionCondition(n *yaml.Node, s *selections) (Condition, bool) {
	var some Any
	for _, item := range d.items(n) {
		text, ok := d.text(item, "a condition")
		if !ok {
			return Any{}, false
		}
		c, err := parseCondition(text, s)
		if err != nil {
			d.expressionError(item, 0, err)
			return Any{}, false
		}
		some = append(some, c)
	}
	if len(some) == 1 {
		return some[0], true
	}
	return some, true
}

// conditionParser reads `selection and not 1 of filter_*`.
type conditionParser struct {
	words
	*selections
}

func parseCondition(text string, s *selections) (Condition, error) {
	w, err := splitWords(text, "|")
	if err != nil {
		return nil, err
	}
	p := &conditionParser{words: *w, selections: s}
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.text != "" {
		if t.text == "|" {
			return nil, p.errorAt(t, "aggregations are not read here: write them as `having: count() >= 5` with `group_by` and `window`")
		}
		return nil, p.errorAt(t, "%q stands where the condition should end, or `and` or `or` should follow", t.text)
	}
	return c, nil
}

func (p *conditionParser) or() (Condition, error) {
	first, err := p.and()
	if err != nil {
		return nil, err
	}
	some := Any{first}
	for p.accept("or") {
		next, err := p.and()
		if err != nil {
			return nil, err
		}
		some = append(some, next)
	}
	if len(some) == 1 {
		return first, nil
	}
	return some, nil
}

func (p *conditionParser) and() (Condition, error) {
	first, err := p.not()
	if err != nil {
		return nil, err
	}
	all := All{first}
	for p.accept("and") {
		next, err := p.not()
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if len(all) == 1 {
		return first, nil
	}
	return all, nil
}

func (p *conditionParser) not() (Condition, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer p.higher()
	if p.accept("not") {
		of, err := p.not()
		if err != nil {
			return nil, err
		}
		return None{Of: of}, nil
	}
	if p.accept("(") {
		inner, err := p.or()
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	}
	return p.atom()
}

func (p *conditionParser) atom() (Condition, error) {
	t := p.take()
	next := p.peek()
	if next.is("of") && (t.is("all") || t.is("any") || t.text == "1") {
		p.take()
		return p.of(t)
	}
	if next.is("of") {
		return nil, p.errorAt(t, "write `1 of` or `all of`, not `%s of`", t.text)
	}
	if t.text == "" || conditionWords[strings.ToLower(t.text)] || !namePattern.MatchString(t.text) {
		return nil, p.errorAt(t, "the name of a selection is missing%s", p.before(t))
	}
	c := p.byName[t.text]
	if c == nil {
		return nil, p.errorAt(t, "unknown selection %q%s", t.text, didYouMeanOf(t.text, p.names))
	}
	p.used[t.text] = true
	return c, nil
}

// of reads what follows `1 of` and `all of`: a name with wildcards, or `them`.
func (p *conditionParser) of(quantity word) (Condition, error) {
	t := p.take()
	pattern := t.text
	var some []Condition
	glob := newGlob(pattern, true)
	for _, name := range p.names {
		if t.is("them") && !strings.HasPrefix(name, "_") || !t.is("them") && glob.Match(name) {
			some = append(some, p.byName[name])
			p.used[name] = true
		}
	}
	if len(some) == 0 {
		return nil, p.errorAt(t, "no selection is named %q", pattern)
	}
	if quantity.is("all") {
		return All(some), nil
	}
	return Any(some), nil
}

// before says what stands where something is missing.
func (*words) before(t word) string {
	if t.text == "" {
		return " at the end"
	}
	return fmt.Sprintf(" before %q", t.text)
}
