package foreign

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// attributes of FortiSIEM that have a field here.
var attributes = map[string]string{
	"eventType": "metadata.event_code", "user": "actor.user.name", "userId": "actor.user.uid", "targetUser": "user.name", "targetUserId": "user.uid",
	"userGrp": "group.name", "targetUserGrp": "group.name", "srcIpAddr": "src_endpoint.ip", "httpUserAgent": "http_request.user_agent",
	"region": "cloud.region", "tenantId": "metadata.tenant_uid", "phRecvTime": "time", "deviceTime": "time",
	"compartmentId": "raw.data.compartmentId", "compartmentName": "raw.data.compartmentName", "resourceId": "raw.data.resourceId",
	"resourceName": "raw.data.resourceName", "policyName": "raw.data.resourceName", "rawEventMsg": "",
}

// attribute gives the field of an attribute.
func (f *fortiRule) attribute(name string) string {
	if field := attributes[name]; field != "" {
		return field
	}
	f.note("the attribute %s has no field here: it is written unmapped.%s", name, name)
	return "unmapped." + name
}

// fortiToken is a word, a text in quotes or a sign of a constraint.
type fortiToken struct {
	text   string
	quoted bool
}

func (t fortiToken) is(word string) bool { return !t.quoted && strings.EqualFold(t.text, word) }

var errConstraint = errors.New("the constraint cannot be read")

// fortiTokens cuts a constraint into its words.
func fortiTokens(text string) ([]fortiToken, error) {
	var tokens []fortiToken
	runes := []rune(text)
	for i := 0; i < len(runes); {
		switch c := runes[i]; {
		case unicode.IsSpace(c):
			i++
		case c == '"':
			var b strings.Builder
			for i++; i < len(runes) && runes[i] != '"'; i++ {
				if runes[i] == '\\' && i+1 < len(runes) && (runes[i+1] == '"' || runes[i+1] == '\\') {
					i++
				}
				b.WriteRune(runes[i])
			}
			if i == len(runes) {
				return nil, fmt.Errorf("%w: a text is not closed", errConstraint)
			}
			i++
			tokens = append(tokens, fortiToken{text: b.String(), quoted: true})
		case strings.ContainsRune("!<>=", c):
			sign := string(c)
			if i++; i < len(runes) && runes[i] == '=' {
				sign += "="
				i++
			}
			tokens = append(tokens, fortiToken{text: sign})
		case strings.ContainsRune("(),*+/", c):
			i++
			tokens = append(tokens, fortiToken{text: string(c)})
		default:
			start := i
			for i < len(runes) && !unicode.IsSpace(runes[i]) && !strings.ContainsRune("!<>=(),*+/\"", runes[i]) {
				i++
			}
			tokens = append(tokens, fortiToken{text: string(runes[start:i])})
		}
	}
	return tokens, nil
}

// fortiFilter reads a filter: comparisons joined by AND, OR and parentheses.
type fortiFilter struct {
	rule   *fortiRule
	tokens []fortiToken
	next   int
	depth  int
	// selections has a selection for each comparison.
	selections *mapping
	count      int
}

// filter gives a filter as a detection. Where it cannot be read the detection matches nothing.
func (f *fortiRule) filter(text string) (*mapping, error) {
	none := &mapping{}
	never := &mapping{}
	never.text("metadata.event_code", "not carried over")
	none.add("selection", never.node())
	none.text("condition", "selection")
	tokens, err := fortiTokens(text)
	if err != nil {
		return none, err
	}
	if len(tokens) == 0 {
		return none, fmt.Errorf("%w: it is empty", errConstraint)
	}
	p := &fortiFilter{rule: f, tokens: tokens, selections: &mapping{}}
	condition, err := p.or()
	if err == nil && p.next < len(tokens) {
		err = fmt.Errorf("%w behind %q", errConstraint, tokens[p.next-1].text)
	}
	if err != nil {
		return none, err
	}
	p.selections.text("condition", condition)
	return p.selections, nil
}

func (p *fortiFilter) peek() fortiToken {
	if p.next == len(p.tokens) {
		return fortiToken{}
	}
	return p.tokens[p.next]
}

func (p *fortiFilter) accept(word string) bool {
	if p.next < len(p.tokens) && p.peek().is(word) {
		p.next++
		return true
	}
	return false
}

func (p *fortiFilter) take() fortiToken {
	t := p.peek()
	p.next = min(p.next+1, len(p.tokens))
	return t
}

func (p *fortiFilter) or() (string, error)  { return p.chain("OR", p.and) }
func (p *fortiFilter) and() (string, error) { return p.chain("AND", p.atom) }

func (p *fortiFilter) chain(word string, part func() (string, error)) (string, error) {
	var parts []string
	for {
		one, err := part()
		if err != nil {
			return "", err
		}
		parts = append(parts, one)
		if !p.accept(word) {
			return strings.Join(parts, " "+strings.ToLower(word)+" "), nil
		}
	}
}

// maxNested is how deep parentheses are read.
const maxNested = 30

func (p *fortiFilter) atom() (string, error) {
	if !p.accept("(") {
		return p.comparison()
	}
	if p.depth++; p.depth > maxNested {
		return "", fmt.Errorf("%w: it is nested too deep", errConstraint)
	}
	defer func() { p.depth-- }()
	inner, err := p.or()
	if err == nil && !p.accept(")") {
		err = fmt.Errorf("%w: a parenthesis is not closed", errConstraint)
	}
	return "(" + inner + ")", err
}

var fortiModifiers = map[string]string{
	"=": "", "!=": "|neq", "<": "|lt", "<=": "|lte", ">": "|gt", ">=": "|gte", "CONTAIN": "|contains", "CONTAINS": "|contains", "REGEXP": "|re", "IN": "",
}

// comparison reads one comparison and gives the name of its selection.
func (p *fortiFilter) comparison() (string, error) {
	attribute := p.take()
	field, keyword := "", false
	switch {
	case attribute.text == "" || attribute.quoted:
		return "", fmt.Errorf("%w: an attribute is missing", errConstraint)
	case p.accept("("):
		inner := p.take()
		if !attribute.is("HourOfDay") || !p.accept(")") {
			return "", fmt.Errorf("%w: the function %s has no counterpart in a filter, write it as `where`", errConstraint, attribute.text)
		}
		field = p.rule.attribute(inner.text) + "|hour"
	case attribute.is("rawEventMsg"):
		keyword = true
	default:
		field = p.rule.attribute(attribute.text)
	}
	not := p.accept("NOT")
	op := p.take()
	switch {
	case op.is("IS"):
		not = p.accept("NOT")
		if !p.accept("NULL") {
			return "", fmt.Errorf("%w: NULL is missing behind IS", errConstraint)
		}
		return p.select1(field+"|exists", truth(not)), nil
	case op.is("BETWEEN"):
		return p.between(field, not)
	}
	modifier, known := fortiModifiers[strings.ToUpper(op.text)]
	if !known || op.quoted {
		return "", fmt.Errorf("%w: the operator %q is not known", errConstraint, op.text)
	}
	if not {
		modifier += "|neq"
	}
	if keyword {
		return p.keyword(op, not)
	}
	if op.is("IN") {
		return p.in(attribute.text, field, modifier)
	}
	value := p.take()
	if value.text == "" && !value.quoted {
		return "", fmt.Errorf("%w: a value is missing behind %s", errConstraint, op.text)
	}
	if !value.quoted && isAttribute(value.text) {
		if op.text != "=" && op.text != "!=" {
			return "", fmt.Errorf("%w: two attributes are compared by %s", errConstraint, op.text)
		}
		return p.select1(field+"|fieldref"+modifier, scalar(p.rule.attribute(value.text))), nil
	}
	return p.select1(field+modifier, p.rule.literal(attribute.text, modifier, value)), nil
}

// isAttribute says whether a word without quotes is an attribute, and not a number or an address.
func isAttribute(word string) bool {
	if word == "" || !unicode.IsLetter(rune(word[0])) {
		return false
	}
	_, err := netip.ParseAddr(word)
	return err != nil
}

func (p *fortiFilter) keyword(op fortiToken, not bool) (string, error) {
	value := p.take()
	if !op.is("CONTAIN") && !op.is("CONTAINS") || value.text == "" {
		return "", fmt.Errorf("%w: the raw message can be searched by CONTAIN only", errConstraint)
	}
	name := p.name()
	p.selections.add(name, list([]string{escaped(value.text)}))
	if not {
		return "not " + name, nil
	}
	return name, nil
}

func (p *fortiFilter) between(field string, not bool) (string, error) {
	if !p.accept("(") {
		return "", fmt.Errorf("%w: ( is missing behind BETWEEN", errConstraint)
	}
	least := p.take()
	if !p.accept(",") {
		return "", fmt.Errorf("%w: BETWEEN takes two values", errConstraint)
	}
	most := p.take()
	if !p.accept(")") {
		return "", fmt.Errorf("%w: a parenthesis is not closed", errConstraint)
	}
	for _, bound := range []fortiToken{least, most} {
		if _, err := strconv.ParseFloat(bound.text, 64); err != nil {
			return "", fmt.Errorf("%w: BETWEEN of other values than numbers is written `where: between(...)`", errConstraint)
		}
	}
	name := p.name()
	s := &mapping{}
	s.add(field+"|gte", number(least.text))
	s.add(field+"|lte", number(most.text))
	p.selections.add(name, s.node())
	if not {
		return "not " + name, nil
	}
	return name, nil
}

// in reads a list of values and groups; each group is a list here.
func (p *fortiFilter) in(attribute, field, modifier string) (string, error) {
	if !p.accept("(") {
		return "", fmt.Errorf("%w: ( is missing behind IN", errConstraint)
	}
	values := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	var names []string
	for {
		value := p.take()
		group, isGroup := strings.CutPrefix(value.text, "Group@")
		switch {
		case value.text == "" && !value.quoted:
			return "", fmt.Errorf("%w: the list behind IN is not closed", errConstraint)
		case isGroup && !value.quoted:
			p.rule.note("the group %s is the list %%%s%%: give `correlate` a file for it", group, group)
			names = append(names, p.select1(field+"|expand"+modifier, scalar("%"+group+"%")))
		default:
			values.Content = append(values.Content, p.rule.literal(attribute, modifier, value))
		}
		if p.accept(")") {
			break
		}
		if !p.accept(",") {
			return "", fmt.Errorf("%w: the list behind IN is not closed", errConstraint)
		}
	}
	if len(values.Content) > 0 {
		names = append(names, p.select1(field+modifier, values))
	}
	word := " or "
	if strings.Contains(modifier, "neq") {
		word = " and "
	}
	if len(names) > 1 {
		return "(" + strings.Join(names, word) + ")", nil
	}
	return strings.Join(names, ""), nil
}

func (p *fortiFilter) name() string {
	p.count++
	return "c" + strconv.Itoa(p.count)
}

// select1 adds a selection with one key.
func (p *fortiFilter) select1(key string, value *yaml.Node) string {
	name := p.name()
	s := &mapping{}
	s.add(key, value)
	p.selections.add(name, s.node())
	return name
}

// literal gives a value as rules write it. FortiSIEM names Oracle's events Oracle-OCI-<service>-<operation>.
func (f *fortiRule) literal(attribute, modifier string, value fortiToken) *yaml.Node {
	if !value.quoted {
		return number(value.text)
	}
	text := value.text
	if rest, ok := strings.CutPrefix(text, "Oracle-OCI-"); ok && attribute == "eventType" {
		f.note("the event type %s is written com.oraclecloud.%s", text, strings.ReplaceAll(rest, "-", "."))
		text = "com.oraclecloud." + strings.ReplaceAll(rest, "-", ".")
	}
	if !strings.Contains(modifier, "re") {
		text = escaped(text)
	}
	return scalar(text)
}

// escaped gives a text in which nothing is a wildcard.
func escaped(text string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`).Replace(text)
}

// number gives a word without quotes: a number where it is one.
func number(word string) *yaml.Node {
	if _, err := strconv.ParseInt(word, 10, 64); err == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: word}
	}
	if _, err := strconv.ParseFloat(word, 64); err == nil && strings.Trim(word, "-.0123456789") == "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: word}
	}
	return scalar(word)
}

func truth(v bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
}

var fortiAggregates = map[string]string{
	"COUNT": "count", "SUM": "sum", "AVG": "avg", "MIN": "min", "MAX": "max", "FIRST": "first", "LAST": "last", "MEDIAN": "median", "MODE": "mode",
	"PCTILE": "percentile", "PCTILE95": "percentile", "PCTCHANGE": "pctchange", "STDDEV": "stddev", "VARIANCE": "variance",
}

// having gives a constraint over aggregates as an expression; "" for none.
func (f *fortiRule) having(text string) (string, error) {
	tokens, err := fortiTokens(text)
	if err != nil {
		return "", err
	}
	var words []string
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		aggregate, known := fortiAggregates[strings.ToUpper(t.text)]
		called := i+1 < len(tokens) && tokens[i+1].is("(")
		switch {
		case t.quoted:
			words = append(words, strconv.Quote(t.text))
		case called && known:
			call, used, err := f.call(aggregate, strings.EqualFold(t.text, "Pctile95"), tokens[i+2:])
			if err != nil {
				return "", err
			}
			words = append(words, call)
			i += 1 + used
		case t.is("AND"), t.is("OR"):
			words = append(words, strings.ToLower(t.text))
		case isAttribute(t.text):
			return "", fmt.Errorf("%w: %s is no aggregate that is known here", errConstraint, t.text)
		case t.text == ",":
			return "", fmt.Errorf("%w: a comma stands outside of an aggregate", errConstraint)
		default:
			words = append(words, t.text)
		}
	}
	joined := strings.Join(words, " ")
	return strings.NewReplacer("( ", "(", " )", ")").Replace(joined), nil
}

// call gives one aggregate, its parenthesis open, and how many tokens it used.
func (f *fortiRule) call(aggregate string, ninetyFifth bool, tokens []fortiToken) (string, int, error) {
	end := 0
	for end < len(tokens) && !tokens[end].is(")") {
		end++
	}
	if end == len(tokens) {
		return "", 0, fmt.Errorf("%w: a parenthesis is not closed", errConstraint)
	}
	args := tokens[:end]
	if len(args) > 0 && args[0].is("DISTINCT") && aggregate == "count" {
		aggregate, args = "distinct", args[1:]
	}
	if len(args) == 1 && args[0].is("*") && aggregate == "count" {
		return "count()", end + 1, nil
	}
	limit := ""
	if aggregate == "percentile" {
		limit = ", 95"
		if !ninetyFifth {
			if len(args) != 3 || !args[1].is(",") {
				return "", 0, fmt.Errorf("%w: PCTILE takes an attribute and a number", errConstraint)
			}
			limit, args = ", "+args[2].text, args[:1]
		}
	}
	if len(args) != 1 || !isAttribute(args[0].text) {
		return "", 0, fmt.Errorf("%w: an aggregate takes one attribute", errConstraint)
	}
	return aggregate + "(" + expression(f.attribute(args[0].text)) + limit + ")", end + 1, nil
}
