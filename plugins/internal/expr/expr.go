// Package expr is the small expression language of rules: `let`, `where`, `having`, titles and attributes.
//
//	e, err := expr.Parse("count() >= 5 and distinct(user.name) > 5")
//	v := e.Eval(env) // bool, or nil where a value was null
//
// It stands beside package rule, which parses and resolves expressions when it reads a rule file,
// and is evaluated by match (over one event) and by engine (over the events of a group).
//
// It knows fields (`user.name`, `fail.src_endpoint.ip`, `raw.data."a-b"`), literals (strings, numbers, durations such as 10m and 30d,
// lists, true, false, null), comparison, `in`, `is null`, arithmetic, and/or/not, functions of values and aggregates over a pattern's events.
//
// Nulls are as in SQL: whatever is calculated from null is null, a comparison with null is null, and a null condition does not hold;
// `false and null` is false, `true or null` is true. A division by zero, an overflow and an aggregate without values are null.
// Values compare by type and exact value: "400" is not 400 (number("400") is), and "Alice" is not "alice" (use lower).
// Values of different types are never equal, and neither is less than the other: that is null.
// An array compares as `one of its elements does`.
package expr

import (
	"fmt"
	"strings"

	"benthos-oci/plugins/internal/event"
)

// Ref names a value outside the expression: a field, a let name, or one of these of another pattern.
// The parser cannot tell `fail.user.name` (pattern fail) from a field; Replace does, with the help of package rule.
type Ref struct {
	// Pattern is "" for the event or group at hand.
	Pattern string
	Path    event.Path
	// Key is the name of the component of the group's key that the reference means; "" for a field.
	// Path then holds the name as it was written.
	Key string
}

// String gives the reference as it is written in an expression.
func (r Ref) String() string {
	var b strings.Builder
	writeRef(&b, r)
	return b.String()
}

// Aggregate is a call over the events of a pattern: count(), distinct(user.name), fail.count().
type Aggregate struct {
	// Func is one of the names of Aggregates.
	Func string
	// Pattern is "" for the pattern at hand.
	Pattern string
	// Arg is the expression over each event; nil for count().
	Arg *Expr
	// Limit is the second argument of values and percentile; 0 where there is none.
	Limit float64
}

// String gives the canonical text of the call.
func (a *Aggregate) String() string {
	var b strings.Builder
	writeAggregate(&b, a)
	return b.String()
}

// Env gives the values that an expression asks for.
type Env interface {
	// Field gives the value of ref, nil where it is null.
	Field(ref Ref) any
	// Aggregate gives the value of a, nil where it has none.
	Aggregate(a *Aggregate) any
}

// Expr is a parsed expression. It never changes, and may be used by any number of goroutines.
type Expr struct {
	root node
	text string
	size int
}

func newExpr(root node) *Expr {
	var b strings.Builder
	root.write(&b)
	e := &Expr{root: root, text: b.String()}
	walk(root, func(node) { e.size++ })
	return e
}

// Field gives the expression that is nothing but ref.
func Field(ref Ref) *Expr { return newExpr(&refNode{ref: ref}) }

// String gives the canonical text of the expression: Parse reads it to an equal one.
func (e *Expr) String() string { return e.text }

// Eval gives the value of the expression: nil, bool, int64, float64, string, []any or map[string]any.
func (e *Expr) Eval(env Env) any { return e.root.eval(env) }

// Holds says whether the expression is true; null is not.
func (e *Expr) Holds(env Env) bool { return e.root.eval(env) == true }

// Refs gives the references that Eval asks Field for, without repetition, in the order of the text.
// Those inside aggregates are not among them: see Aggregate.Arg.
func (e *Expr) Refs() []Ref {
	var refs []Ref
	seen := map[string]bool{}
	walk(e.root, func(n node) {
		r, ok := n.(*refNode)
		if !ok || seen[r.ref.Pattern+"\x00"+r.ref.Key+"\x00"+r.ref.String()] {
			return
		}
		seen[r.ref.Pattern+"\x00"+r.ref.Key+"\x00"+r.ref.String()] = true
		refs = append(refs, r.ref)
	})
	return refs
}

// Aggregates gives the aggregates that Eval asks Aggregate for, without repetition, in the order of the text.
func (e *Expr) Aggregates() []*Aggregate {
	var all []*Aggregate
	seen := map[string]bool{}
	walk(e.root, func(n node) {
		a, ok := n.(*aggregateNode)
		if !ok || seen[a.agg.String()] {
			return
		}
		seen[a.agg.String()] = true
		all = append(all, a.agg)
	})
	return all
}

// AsRef gives the reference that the expression consists of, if it is nothing else.
func (e *Expr) AsRef() (Ref, bool) {
	r, ok := e.root.(*refNode)
	if !ok {
		return Ref{}, false
	}
	return r.ref, true
}

// Conjuncts gives the parts that are joined by `and` at the top of the expression.
func (e *Expr) Conjuncts() []*Expr {
	var parts []*Expr
	var split func(node)
	split = func(n node) {
		if l, ok := n.(*logicNode); ok && !l.or {
			split(l.left)
			split(l.right)
			return
		}
		parts = append(parts, newExpr(n))
	}
	split(e.root)
	return parts
}

// And joins expressions; nil where there are none.
func And(parts []*Expr) *Expr {
	if len(parts) == 0 {
		return nil
	}
	root := parts[0].root
	for _, p := range parts[1:] {
		root = &logicNode{left: root, right: p.root}
	}
	return newExpr(root)
}

// Use is one place where an expression names something outside itself: a reference, or an aggregate.
type Use struct {
	// Ref is set for a reference.
	Ref Ref
	// Call is the aggregate that is called, or the one whose argument the reference stands in; else nil.
	Call *Aggregate
	// IsCall is true for the call of Call itself.
	IsCall bool
	// Offset is where it stands in the text that Parse read, in bytes.
	Offset int
}

// Uses gives every reference and aggregate with its place, those inside of aggregates too.
func (e *Expr) Uses() []Use {
	var uses []Use
	collectUses(e.root, nil, &uses)
	return uses
}

func collectUses(root node, in *Aggregate, uses *[]Use) {
	walk(root, func(n node) {
		switch n := n.(type) {
		case *refNode:
			*uses = append(*uses, Use{Ref: n.ref, Call: in, Offset: n.offset})
		case *aggregateNode:
			*uses = append(*uses, Use{Call: n.agg, IsCall: true, Offset: n.offset})
			if n.agg.Arg != nil {
				collectUses(n.agg.Arg.root, n.agg, uses)
			}
		}
	})
}

// Replace gives the expression with each reference replaced by what f gives for it; nil keeps it.
// References inside of aggregates are replaced too; f is told the aggregate, else nil.
// The result is refused where it would grow beyond the limits of Parse.
func (e *Expr) Replace(f func(ref Ref, in *Aggregate) *Expr) (*Expr, error) {
	size := 0
	root, err := replace(e.root, nil, f, &size)
	if err != nil {
		return nil, err
	}
	out := newExpr(root)
	if len(out.text) > maxText {
		return nil, fmt.Errorf("the expression is longer than %d bytes once its names are put in", maxText)
	}
	return out, nil
}

func replace(n node, in *Aggregate, f func(Ref, *Aggregate) *Expr, size *int) (node, error) {
	if *size++; *size > maxNodes {
		return nil, fmt.Errorf("the expression has more than %d parts once its names are put in", maxNodes)
	}
	switch n := n.(type) {
	case *refNode:
		with := f(n.ref, in)
		if with == nil {
			return n, nil
		}
		*size += with.size - 1
		return with.root, nil
	case *aggregateNode:
		if n.agg.Arg == nil {
			return n, nil
		}
		arg, err := replace(n.agg.Arg.root, n.agg, f, size)
		if err != nil {
			return nil, err
		}
		agg := *n.agg
		agg.Arg = newExpr(arg)
		return &aggregateNode{agg: &agg, offset: n.offset}, nil
	}
	return rebuild(n, func(c node) (node, error) { return replace(c, in, f, size) })
}

// rebuild gives the node with each of its children replaced by what f gives for it.
func rebuild(n node, f func(node) (node, error)) (node, error) {
	children := n.children()
	if len(children) == 0 {
		return n, nil
	}
	with := make([]node, len(children))
	for i, c := range children {
		var err error
		if with[i], err = f(c); err != nil {
			return nil, err
		}
	}
	return n.with(with), nil
}

// MapAggregates gives the expression with each of its aggregates replaced by what f gives for it.
func (e *Expr) MapAggregates(f func(*Aggregate) *Aggregate) *Expr {
	return newExpr(mapAggregates(e.root, f))
}

func mapAggregates(n node, f func(*Aggregate) *Aggregate) node {
	if a, ok := n.(*aggregateNode); ok {
		return &aggregateNode{agg: f(a.agg), offset: a.offset}
	}
	children := n.children()
	if len(children) == 0 {
		return n
	}
	with := make([]node, len(children))
	for i, c := range children {
		with[i] = mapAggregates(c, f)
	}
	return n.with(with)
}
