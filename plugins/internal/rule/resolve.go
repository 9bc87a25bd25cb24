package rule

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// resolve reads the expressions of a rule whose patterns and condition are known, and gives every name in them its meaning.
// Names of `let` are replaced by their expressions, so that what is left are fields, components of the key and aggregates.
func (r *reading) resolve() {
	for i := range r.Patterns {
		r.lettings(i)
	}
	for i := range r.Patterns {
		for _, l := range r.sources[i].lets {
			if e := r.letValue(i, l); e != nil {
				r.Patterns[i].Let = append(r.Patterns[i].Let, Binding{Name: l.name, Expr: e})
			}
		}
	}
	r.groups()
	for i := range r.Patterns {
		r.where(i)
		r.having(i)
	}
	r.windows()
	r.firstSeen()
	r.incident()
}

// letting is one name of a `let`.
type letting struct {
	name  string
	node  *yaml.Node
	raw   *expr.Expr
	value *expr.Expr
	state letState
}

type letState uint8

const (
	letNew letState = iota
	letOpen
	letDone
)

// maxLets is the most names of one `let`.
const maxLets = 50

func (r *reading) lettings(pattern int) {
	s := r.sources[pattern]
	s.byName = map[string]*letting{}
	e, ok := s.at["let"]
	if !ok {
		return
	}
	entries := r.bindings(e.value, "let")
	if len(entries) > maxLets {
		r.errorf(e.value, "a `let` has at most %d names, not %d", maxLets, len(entries))
		entries = entries[:maxLets]
	}
	for _, b := range entries {
		if !aliasPattern.MatchString(b.name) || expr.Usage(b.name) != "" {
			r.errorf(b.key, "%q cannot be a name: letters, digits and _, and no function", shorten(b.name))
			continue
		}
		if _, known := event.FieldNamed(b.name); known {
			r.errorf(b.key, "%q cannot be a name: it is a field of events", b.name)
			continue
		}
		l := &letting{name: b.name, node: b.value, raw: r.parse(b.value, "let "+b.name)}
		s.lets = append(s.lets, l)
		s.byName[b.name] = l
	}
}

// parse reads a value that is an expression; nil, and an error, where it is none.
func (r *reading) parse(n *yaml.Node, what string) *expr.Expr {
	text, ok := r.text(n, what)
	if !ok {
		return nil
	}
	e, err := expr.Parse(text)
	if err != nil {
		r.expressionError(n, 0, err)
		return nil
	}
	return e
}

// letValue gives the expression of a name, with the names in it replaced; nil where something is wrong with it.
func (r *reading) letValue(pattern int, l *letting) *expr.Expr {
	switch {
	case l.raw == nil || l.state == letDone:
		return l.value
	case l.state == letOpen:
		r.errorf(l.node, "the name %q is explained by itself", l.name)
		return nil
	}
	l.state = letOpen
	l.value = r.inContext(l.node, 0, l.raw, context{pattern: pattern, where: "a `let`", others: true})
	l.state = letDone
	return l.value
}

// context says what the names of an expression can mean.
type context struct {
	// pattern is the pattern at hand, -1 in titles and attributes.
	pattern int
	// where names the place in errors.
	where string
	// others is true where fields of other patterns can be named.
	others bool
	// keys is true where components of the key can be named, and aggregates called.
	keys bool
	// group is true in `having`, which speaks of many events: it knows no field of one.
	group bool
}

// inContext gives the names in e their meanings. It notes what is wrong, with its place in n; then the result is nil.
// start is the byte of n's text at which the expression begins.
func (r *reading) inContext(n *yaml.Node, start int, e *expr.Expr, c context) *expr.Expr {
	failed := false
	if c.keys && len(e.Lookups()) > 0 {
		over, err := e.OverEvents()
		if err != nil {
			r.expressionError(n, start, err)
			return nil
		}
		e = over
	}
	fail := func(offset int, format string, args ...any) {
		failed = true
		r.errorAt(r.within(n, start+offset), format, args...)
	}
	for _, use := range e.Uses() {
		if use.IsCall {
			r.checkCall(use, c, fail)
			continue
		}
		r.checkRef(use, c, fail)
	}
	if failed {
		return nil
	}
	out, err := e.Replace(func(ref expr.Ref, in *expr.Aggregate) *expr.Expr {
		meaning, problem := r.meaning(ref, in, c)
		if problem != "" || meaning == nil {
			failed = true // a name whose own explanation is wrong, which is noted there
			return nil
		}
		return meaning
	})
	if err != nil {
		r.errorf(n, "%v", err)
		return nil
	}
	if failed {
		return nil
	}
	if c.keys && len(out.Lookups()) > 0 { // a name of `let` may read a table
		if out, err = out.OverEvents(); err != nil {
			r.errorf(n, "%v", err)
			return nil
		}
	}
	return out
}

type failing func(offset int, format string, args ...any)

func (r *reading) checkCall(use expr.Use, c context, fail failing) {
	a := use.Call
	if !c.keys {
		fail(use.Offset, "%s() counts over many events and cannot stand in %s, which looks at one: write it in `having`", a.Func, c.where)
		return
	}
	if a.Pattern == "" {
		return
	}
	other := r.patternNamed(a.Pattern)
	switch {
	case other < 0:
		fail(use.Offset, "unknown pattern %q%s", a.Pattern, didYouMeanOf(a.Pattern, r.patternNames()))
	case c.group && other != c.pattern:
		fail(use.Offset, "a `having` speaks of its own pattern's events, not of %s's", a.Pattern)
	case !c.group && r.closes(other):
		fail(use.Offset, "the pattern %q only closes incidents: it has no events where the rule fires", a.Pattern)
	case !c.group && !positives(r.When, len(r.Patterns))[other]:
		fail(use.Offset, "the pattern %q stands under `not`: it has no events where the rule fires", a.Pattern)
	}
}

func (r *reading) checkRef(use expr.Use, c context, fail failing) {
	if _, problem := r.meaning(use.Ref, use.Call, c); problem != "" {
		fail(use.Offset, "%s", problem)
	}
}

// meaning gives what a reference stands for, or what is wrong with it. Both are empty where a name's own explanation is wrong.
// A key of the group goes before a name of `let`, and that before a pattern, and that before a field.
func (r *reading) meaning(ref expr.Ref, in *expr.Aggregate, c context) (*expr.Expr, string) {
	name := strings.Join(ref.Path, ".")
	if c.keys && in == nil && slices.Contains(r.KeyNames, name) {
		return expr.Field(expr.Ref{Path: ref.Path, Key: name}), ""
	}
	pattern := c.pattern
	if in != nil && in.Pattern != "" {
		pattern = r.patternNamed(in.Pattern)
		if pattern < 0 {
			return nil, "" // the call is wrong already
		}
	}
	if l, owner, problem := r.letNamed(name, pattern, in); problem != "" {
		return nil, problem
	} else if l != nil {
		value := r.letValue(owner, l)
		if value == nil || pattern == owner || in != nil || !r.named {
			return value, ""
		}
		return ofPatternNamed(value, r.Patterns[owner].Name), ""
	}
	if other := r.patternNamed(ref.Path[0]); other >= 0 && len(ref.Path) > 1 && r.named {
		return r.ofOther(other, ref.Path[1:], in, pattern, c)
	}
	if c.group && in == nil {
		return nil, fmt.Sprintf("a `having` speaks of many events, and %q is a field of each: write first(%s), or name it in group_by", name, name)
	}
	if problem := fieldProblem(ref.Path); problem != "" {
		return nil, r.orName(name, pattern, problem)
	}
	return expr.Field(expr.Ref{Path: ref.Path}), ""
}

// letNamed finds a name of `let`: the own pattern's, or, where no pattern is at hand, that of the only one that has it.
func (r *reading) letNamed(name string, pattern int, in *expr.Aggregate) (*letting, int, string) {
	if pattern >= 0 {
		return r.sources[pattern].byName[name], pattern, ""
	}
	positive := positives(r.When, len(r.Patterns))
	var owners []string
	owner := -1
	for i, s := range r.sources {
		if s.byName[name] != nil && positive[i] {
			owners = append(owners, r.Patterns[i].Name)
			owner = i
		}
	}
	switch {
	case len(owners) == 0:
		return nil, -1, ""
	case len(r.Patterns) > 1 && in != nil:
		return nil, -1, fmt.Sprintf("%q is a name of the pattern %s: write %s.%s(...)", name, owners[0], owners[0], in.Func)
	case len(owners) > 1:
		return nil, -1, fmt.Sprintf("%q is a name of the patterns %s: write %s.%s", name, strings.Join(owners, " and "), owners[0], name)
	}
	return r.sources[owner].byName[name], owner, ""
}

// ofOther gives the meaning of `other.path`.
func (r *reading) ofOther(other int, path event.Path, in *expr.Aggregate, pattern int, c context) (*expr.Expr, string) {
	name := r.Patterns[other].Name
	value := expr.Field(expr.Ref{Path: path})
	if l := r.sources[other].byName[strings.Join(path, ".")]; l != nil {
		if value = r.letValue(other, l); value == nil {
			return nil, ""
		}
	} else if problem := fieldProblem(path); problem != "" {
		return nil, r.orName(strings.Join(path, "."), other, problem)
	}
	switch {
	case in != nil && other != pattern:
		return nil, fmt.Sprintf("write %s.%s(%s)", name, in.Func, path)
	case in != nil, other == pattern && !c.group:
		return value, ""
	case c.group:
		return nil, fmt.Sprintf("a `having` speaks of many events: %s.%s is a field of one", name, path)
	case !c.others:
		return nil, c.where + " cannot name another pattern's field"
	case r.closes(other):
		return nil, fmt.Sprintf("the pattern %q only closes incidents: it has no event where the rule fires", name)
	case !positives(r.When, len(r.Patterns))[other]:
		return nil, fmt.Sprintf("the pattern %q stands under `not`: it has no event where the rule fires", name)
	}
	return ofPatternNamed(value, name), ""
}

// ofPatternNamed gives an expression over one event with its fields named as another pattern's.
func ofPatternNamed(e *expr.Expr, pattern string) *expr.Expr {
	out, err := e.Replace(func(ref expr.Ref, _ *expr.Aggregate) *expr.Expr {
		if ref.Pattern != "" {
			return nil
		}
		return expr.Field(expr.Ref{Pattern: pattern, Path: ref.Path})
	})
	if err != nil {
		return nil // it cannot grow: each name is replaced by one
	}
	return out
}

// orName adds to an unknown field the names of `let` and the patterns that were perhaps meant.
func (r *reading) orName(written string, pattern int, problem string) string {
	var names []string
	for i, s := range r.sources {
		for _, l := range s.lets {
			if i == pattern || pattern < 0 {
				names = append(names, l.name)
			}
		}
	}
	if r.named && strings.Contains(written, ".") {
		first, rest, _ := strings.Cut(written, ".")
		if near := expr.Nearest(first, r.patternNames()); near != "" && fieldProblem(strings.Split(rest, ".")) == "" {
			return fmt.Sprintf("unknown field %q: did you mean \"%s.%s\"?", written, near, rest)
		}
	}
	if near := expr.Nearest(written, names); near != "" {
		return fmt.Sprintf("unknown field %q: did you mean %q?", written, near)
	}
	return problem
}

func (r *reading) patternNamed(name string) int {
	return slices.IndexFunc(r.Patterns, func(p *Pattern) bool { return p.Name == name })
}

func (r *reading) patternNames() []string {
	names := make([]string, len(r.Patterns))
	for i, p := range r.Patterns {
		names[i] = p.Name
	}
	return names
}
