package rule

import (
	"math"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// Limits of a selection.
const (
	maxPattern      = 2048
	maxInstructions = 10_000
	maxValues       = 10_000
	maxSelections   = 200
)

// modifiers of Sigma that are known.
var modifiers = []string{
	"contains", "startswith", "endswith", "all", "re", "i", "m", "s", "cased", "cidr", "lt", "lte", "gt", "gte", "exists", "expand", "fieldref",
	"base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "windash", "neq", "minute", "hour", "day", "week", "month", "year",
}

// selection reads a Sigma selection: a mapping is AND, a list of mappings OR.
func (d *document) selection(n *yaml.Node, what string) Condition {
	switch n.Kind {
	case yaml.MappingNode:
		entries := d.mapping(n, what)
		if len(n.Content) == 0 {
			d.errorf(n, "%s is empty and would match every event: name a field, as in `api.operation|exists: true`", what)
		}
		all := make(All, 0, len(entries))
		for _, e := range entries {
			if c := d.comparison(e); c != nil {
				all = append(all, c)
			}
		}
		if len(all) == 1 {
			return all[0]
		}
		return all
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			d.errorf(n, "%s is an empty list and would match nothing", what)
		}
		some := make(Any, 0, len(n.Content))
		for _, item := range n.Content {
			if item.Kind == yaml.ScalarNode {
				if k := d.keyword(item); k != nil {
					some = append(some, k)
				}
				continue
			}
			some = append(some, d.selection(item, what))
		}
		if len(some) == 1 {
			return some[0]
		}
		return some
	default:
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Value != "" && strings.HasPrefix(what, "selection ") {
			if k := d.keyword(n); k != nil {
				return k
			}
			return Any{}
		}
		d.errorf(n, "%s is a mapping of fields to values, or a list of such mappings, not %s", what, kindOf(n))
		return Any{}
	}
}

// comparison is one line of a selection, its key taken apart.
type comparison struct {
	field event.Path
	key   *yaml.Node
	// one is the modifier that says how to compare, "" for equality.
	one string
	// part is the modifier that compares a part of a time, "" for the whole value.
	part  string
	flags map[string]bool
}

func (d *document) comparison(e entry) Condition {
	field, rest := splitField(e.name)
	if field == "" && rest == "all" {
		return d.keywords(e)
	}
	path, err := event.ParsePath(strings.TrimSpace(field))
	if err != nil {
		d.errorf(e.key, "%v", err)
		return nil
	}
	c := &comparison{field: path, key: e.key, flags: map[string]bool{}}
	if !d.modifiers(c, rest, len(field)) {
		return nil
	}
	if c.one != "exists" || !isObject(path) { // an object can be there or not
		d.checkField(path, d.position(e.key))
	}
	if c.flags["all"] && e.value.Kind != yaml.SequenceNode {
		d.errorf(e.value, "`|all` asks for every value of a list, and this is none")
	}
	if n := len(e.value.Content); n > maxValues {
		d.errorf(e.value, "a field has at most %d values here, not %d: put them into a list, and write `|expand: '%%name%%'`", maxValues, n)
		return nil
	}
	var parts []Condition
	for _, item := range d.items(e.value) {
		if part := d.value(c, item); part != nil {
			parts = append(parts, part)
		}
	}
	switch {
	case e.value.Kind == yaml.SequenceNode && len(e.value.Content) == 0:
		d.errorf(e.value, "the list of values is empty and would match nothing")
		return nil
	case len(parts) == 0:
		return nil
	case c.flags["neq"]:
		return None{Of: Any(parts)}
	case len(parts) == 1:
		return parts[0]
	case c.flags["all"]:
		return All(parts)
	}
	return Any(parts)
}

// splitField cuts a key at its first bar outside of quotes.
func splitField(key string) (field, rest string) {
	quoted := false
	for i := range len(key) {
		switch {
		case key[i] == '"':
			quoted = !quoted
		case key[i] == '|' && !quoted:
			return key[:i], key[i+1:]
		}
	}
	return key, ""
}

// modifiers reads what follows the field, which ends at byte offset of the key.
func (d *document) modifiers(c *comparison, rest string, offset int) bool {
	if rest == "" {
		return true
	}
	for m := range strings.SplitSeq(rest, "|") {
		at := d.within(c.key, offset+1)
		offset += 1 + len(m)
		if !slices.Contains(modifiers, m) {
			d.errorAt(at, "unknown modifier %q%s", m, didYouMeanOf(m, modifiers))
			return false
		}
		switch m {
		case "all", "i", "m", "s", "cased", "base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "windash", "neq":
			c.flags[m] = true
			continue
		case "minute", "hour", "day", "week", "month", "year":
			if c.part != "" {
				d.errorAt(at, "%q and %q cannot stand together", c.part, m)
				return false
			}
			c.part = m
			continue
		}
		if c.one != "" {
			d.errorAt(at, "%q and %q cannot stand together", c.one, m)
			return false
		}
		c.one = m
	}
	return d.together(c)
}

// together refuses modifiers that do not go with the way of comparing.
func (d *document) together(c *comparison) bool {
	for _, m := range modifiers {
		if !c.flags[m] {
			continue
		}
		fits := true
		switch m {
		case "neq":
			fits = c.one != "exists" && !c.flags["all"]
		case "i", "m", "s":
			fits = c.one == "re"
		case "cased":
			fits = c.one == "" || c.one == "contains" || c.one == "startswith" || c.one == "endswith" || c.one == "fieldref" || c.one == "expand"
		case "base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "windash":
			fits = c.one == "" || c.one == "contains" || c.one == "startswith" || c.one == "endswith"
		}
		if !fits {
			with := "without another modifier"
			if c.one != "" {
				with = "with \"" + c.one + "\""
			}
			if m == "neq" && c.flags["all"] {
				with = "with \"all\": it means none of the values"
			}
			d.errorf(c.key, "the modifier %q cannot stand %s", m, with)
			return false
		}
	}
	if numeric := c.one == "" || c.one == "lt" || c.one == "lte" || c.one == "gt" || c.one == "gte"; c.part != "" && !numeric {
		d.errorf(c.key, "the modifier %q gives a number, and cannot stand with %q", c.part, c.one)
		return false
	}
	return true
}

func didYouMeanOf(written string, names []string) string {
	if near := didYouMean(written, names); near != "" {
		return near
	}
	if len(names) > maxNames {
		return ": known are " + strings.Join(names[:maxNames], ", ") + ", ..."
	}
	return ": known are " + strings.Join(names, ", ")
}

// maxNames is the most names that an error lists.
const maxNames = 30

// value gives the test for one value; nil where it is wrong.
func (d *document) value(c *comparison, n *yaml.Node) Condition {
	if n.Kind != yaml.ScalarNode {
		d.errorf(n, "a value is a text, a number, true, false or null, or a list of these, not %s", kindOf(n))
		return nil
	}
	v, ok := d.scalar(n)
	if !ok {
		return nil
	}
	t := &Test{Field: c.field, Cased: c.flags["cased"], Part: c.part, Pos: d.position(n)}
	if _, isWhole := v.(int64); c.part != "" && !isWhole {
		d.errorf(n, "`|%s` compares with a whole number, not %s", c.part, kindOf(n))
		return nil
	}
	switch c.one {
	case "":
		return d.equality(c, t, v, n)
	case "contains", "startswith", "endswith":
		return d.part(c, t, v, n)
	case "re":
		return d.regexp(c, t, v, n)
	case "cidr":
		return d.network(t, v, n)
	case "lt", "lte", "gt", "gte":
		if _, isNumber := expr.Number(v); !isNumber {
			d.errorf(n, "`|%s` compares with a number, not %s", c.one, kindOf(n))
			return nil
		}
		t.Op = map[string]Op{"lt": OpLess, "lte": OpLessEqual, "gt": OpGreater, "gte": OpGreaterEqual}[c.one]
		t.Value = v
	case "exists":
		want, isTruth := v.(bool)
		if !isTruth {
			d.errorf(n, "`|exists` is true or false, not %s", kindOf(n))
			return nil
		}
		t.Op, t.Want = OpExists, want
	case "expand":
		s, isText := v.(string)
		if !isText || len(s) < 3 || s[0] != '%' || s[len(s)-1] != '%' || !wordPattern.MatchString(s[1:len(s)-1]) {
			d.errorf(n, "`|expand` names a list, as in '%%oci_admins%%', not %s", kindOf(n))
			return nil
		}
		t.Op, t.List = OpList, s[1:len(s)-1]
	case "fieldref":
		s, _ := v.(string)
		other, err := event.ParsePath(s)
		if err != nil {
			d.errorf(n, "`|fieldref` names a field: %v", err)
			return nil
		}
		d.checkField(other, d.position(n))
		t.Op, t.Other = OpField, other
	}
	return t
}

var wordPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// scalar gives a value with its type: nil, bool, int64, float64 or string.
func (d *document) scalar(n *yaml.Node) (any, bool) {
	if n.Tag == "!!str" || n.Tag == "!!timestamp" || n.Tag == "!!binary" {
		return n.Value, true
	}
	var v any
	if err := n.Decode(&v); err != nil {
		d.errorf(n, "this value cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, false
	}
	switch v := event.Normal(v).(type) {
	case nil, bool, int64, string:
		return v, true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			break
		}
		return v, true
	case time.Time:
		return n.Value, true
	}
	d.errorf(n, "a value is a text, a number, true, false or null, not %s", kindOf(n))
	return nil, false
}

// equality compares the whole value; a text may have wildcards.
func (d *document) equality(c *comparison, t *Test, v any, n *yaml.Node) Condition {
	s, ok := v.(string)
	if !ok {
		t.Op, t.Value = OpEqual, v
		if v == nil {
			t.Op = OpNull
		}
		return t
	}
	d.checkName(c.field, s, n)
	d.checkValue(c.field, s, n)
	return d.variants(c, t, s, n, func(t *Test, s string, plain bool) {
		if plain {
			t.Op, t.Value = OpEqual, s
			return
		}
		wildcard(t, s)
	})
}

// wildcard chooses the cheapest test for a text with wildcards.
func wildcard(t *Test, s string) {
	g := newGlob(s, true)
	t.Value = s
	last := len(g.tokens) - 1
	switch {
	case !g.wild():
		t.Op = OpEqual
		t.Value, _ = literal(g.tokens)
		return
	case last == 0 && g.tokens[0].kind == globMany:
		t.Op, t.Value, t.Want = OpExists, nil, true
		return
	}
	front, back := g.tokens[0].kind == globMany, g.tokens[last].kind == globMany
	inner := g.tokens
	if front {
		inner = inner[1:]
	}
	if back {
		inner = inner[:len(inner)-1]
	}
	text, ok := literal(inner)
	switch {
	case !ok || text == "":
		t.Op, t.Glob = OpWildcard, newGlob(s, t.Cased)
		return
	case front && back:
		t.Op = OpContains
	case front:
		t.Op = OpSuffix
	default:
		t.Op = OpPrefix
	}
	t.Value = text
}

// part compares the beginning, the end or any part of a text.
func (d *document) part(c *comparison, t *Test, v any, n *yaml.Node) Condition {
	s, ok := v.(string)
	if !ok {
		if v == nil {
			d.errorf(n, "`|%s` cannot compare with null", c.one)
			return nil
		}
		s = n.Value
	}
	if s == "" {
		d.errorf(n, "`|%s` of an empty text is always true: write `|exists: true`", c.one)
		return nil
	}
	return d.variants(c, t, s, n, func(t *Test, s string, plain bool) {
		if plain {
			t.Value = s
			t.Op = map[string]Op{"contains": OpContains, "startswith": OpPrefix, "endswith": OpSuffix}[c.one]
			return
		}
		switch c.one {
		case "contains":
			s = "*" + s + "*"
		case "startswith":
			s += "*"
		default:
			s = "*" + s
		}
		wildcard(t, s)
	})
}

func (d *document) regexp(c *comparison, t *Test, v any, n *yaml.Node) Condition {
	s, ok := v.(string)
	if !ok {
		s = n.Value
	}
	if v == nil || s == "" || len(s) > maxPattern {
		d.errorf(n, "a regular expression has 1 to %d bytes", maxPattern)
		return nil
	}
	var flags strings.Builder
	for _, f := range []string{"i", "m", "s"} {
		if c.flags[f] {
			flags.WriteString(f)
		}
	}
	if flags.Len() > 0 {
		s = "(?" + flags.String() + ")" + s
	}
	parsed, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		d.errorf(n, "%s (RE2, without look-around and back references)", strings.Replace(err.Error(), "error parsing regexp", "reading the regular expression", 1))
		return nil
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxInstructions {
		d.errorf(n, "the regular expression is too large: it compiles to more than %d steps", maxInstructions)
		return nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		d.errorf(n, "reading the regular expression: %v", err)
		return nil
	}
	t.Op, t.Regexp = OpRegexp, re
	return t
}

func (d *document) network(t *Test, v any, n *yaml.Node) Condition {
	s, _ := v.(string)
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		if ip, ipErr := netip.ParseAddr(s); ipErr == nil {
			prefix, err = ip.Prefix(ip.BitLen())
		}
	}
	if err != nil {
		d.errorf(n, "`|cidr` compares with a network such as 10.0.0.0/8, not %s", kindOf(n))
		return nil
	}
	if prefix != prefix.Masked() {
		d.warnf(n, "the network %s has bits beyond its mask: it is read as %s", prefix, prefix.Masked())
	}
	t.Op, t.Prefix = OpCIDR, prefix.Masked()
	return t
}
