package rule

import (
	"fmt"
	"strconv"
	"strings"

	"benthos-oci/plugins/internal/expr"
)

// Describe says in words when a condition holds: `api.operation is "UploadApiKey" and status is "Success"`.
func Describe(c Condition) string { return describe(c, false) }

// describe puts what is joined by words into parentheses where inner is true.
func describe(c Condition, inner bool) string {
	switch c := c.(type) {
	case All:
		if len(c) == 0 {
			return "always"
		}
		return joinWords(c, " and ", inner)
	case Any:
		if len(c) == 0 {
			return "never"
		}
		if text, ok := oneOfValues(c); ok {
			return text
		}
		return joinWords(c, " or ", inner)
	case None:
		if t, ok := c.Of.(*Test); ok {
			return t.describe(true)
		}
		if some, ok := c.Of.(Any); ok {
			if text, ok := oneOfValues(some); ok {
				return strings.Replace(text, " is one of ", " is none of ", 1)
			}
		}
		return "not " + describe(c.Of, true)
	case *Test:
		return c.describe(false)
	}
	return "something"
}

func joinWords(parts []Condition, word string, inner bool) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = describe(p, len(parts) > 1)
	}
	text := strings.Join(texts, word)
	if inner && len(parts) > 1 {
		return "(" + text + ")"
	}
	return text
}

// maxDescribed is the most values of one field that are listed.
const maxDescribed = 8

// oneOfValues describes several tests of one field that differ in their values only.
func oneOfValues(parts Any) (string, bool) {
	first, ok := parts[0].(*Test)
	if !ok || len(parts) < 2 {
		return "", false
	}
	values := make([]string, 0, maxDescribed)
	for _, p := range parts {
		t, ok := p.(*Test)
		if !ok || t.Op != first.Op || t.Op != OpEqual || t.Cased != first.Cased || t.Part != first.Part || t.Field.String() != first.Field.String() {
			return "", false
		}
		if len(values) < maxDescribed {
			values = append(values, literalText(t.Value))
		}
	}
	text := strings.Join(values, ", ")
	if more := len(parts) - len(values); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return first.subject() + " is one of " + text + first.caseText(), true
}

// Text says in words what the test asks for.
func (t *Test) Text() string { return t.describe(false) }

func (t *Test) describe(negated bool) string {
	is, does := "is ", ""
	if negated {
		is, does = "is not ", "does not "
	}
	verb := func(plain, third string) string {
		if negated {
			return does + plain
		}
		return third
	}
	switch t.Op {
	case OpEqual:
		return t.subject() + " " + is + literalText(t.Value) + t.caseText()
	case OpContains:
		return t.subject() + " " + verb("contain", "contains") + " " + literalText(t.Value) + t.caseText()
	case OpPrefix:
		return t.subject() + " " + verb("begin", "begins") + " with " + literalText(t.Value) + t.caseText()
	case OpSuffix:
		return t.subject() + " " + verb("end", "ends") + " with " + literalText(t.Value) + t.caseText()
	case OpWildcard:
		return t.subject() + " " + is + "like " + literalText(t.Value) + t.caseText()
	case OpRegexp:
		return t.subject() + " " + verb("match", "matches") + " /" + t.Regexp.String() + "/"
	case OpCIDR:
		return t.subject() + " " + is + "in " + t.Prefix.String()
	case OpLess, OpLessEqual, OpGreater, OpGreaterEqual:
		return t.subject() + " " + is + orderWords[t.Op] + " " + literalText(t.Value)
	case OpNull:
		return t.subject() + " " + is + "null"
	case OpExists:
		if t.Want != negated {
			return t.subject() + " is there"
		}
		return t.subject() + " is not there"
	case OpField:
		return t.subject() + " " + is + "the same as " + t.Other.String() + t.caseText()
	case OpList:
		return t.subject() + " " + is + "in the list %" + t.List + "%" + t.caseText()
	case OpKeyword:
		if negated {
			return literalText(t.Value) + " stands nowhere in the record"
		}
		return literalText(t.Value) + " stands anywhere in the record"
	}
	return t.subject()
}

var orderWords = map[Op]string{OpLess: "less than", OpLessEqual: "at most", OpGreater: "more than", OpGreaterEqual: "at least"}

// subject names what is compared: the field, or a part of its time.
func (t *Test) subject() string {
	if t.Part != "" {
		return "the " + t.Part + " of " + t.Field.String()
	}
	return t.Field.String()
}

func (t *Test) caseText() string {
	if t.Cased {
		return " (case counts)"
	}
	return ""
}

func literalText(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return expr.Text(v)
}

// Text says in words when the schedule holds: "mon, tue 22:00-06:00 (Europe/Berlin)".
func (s Schedule) Text() string {
	var parts []string
	if s.Days != allDays {
		var some []string
		for i, name := range days {
			if s.Days&(1<<i) != 0 {
				some = append(some, name)
			}
		}
		parts = append(parts, strings.Join(some, ", "))
	}
	if s.From != 0 || s.To != minutesOfDay {
		parts = append(parts, fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60))
	}
	if len(parts) == 0 {
		parts = append(parts, "always")
	}
	return strings.Join(parts, " ") + " (" + s.Zone.String() + ")"
}
