// Package expr is the small expression language of rules: `let`, `where`, `having`, titles and attributes.
//
//	e, err := expr.Parse("count() >= 5 and distinct(user.name) > 5")
//	v := e.Eval(env) // bool, or nil where a value was null
//
// It knows fields (`user.name`, `fail.src_endpoint.ip`), literals (strings, numbers, durations, true, false, null),
// comparison, arithmetic, and/or/not, functions of values and aggregates over a pattern's events.
// Nulls are as in SQL: a comparison with null is null, and a null condition does not hold.
package expr

import "benthos-oci/plugins/internal/event"

// Ref names a value outside the expression: a field, a let name, or one of these of another pattern.
// The parser cannot tell `fail.user.name` (pattern fail) from a field; Resolve does.
type Ref struct {
	// Pattern is "" for the event or group at hand.
	Pattern string
	Path    event.Path
}

// Aggregate is a call over the events of a pattern: count(), distinct(user.name), fail.count().
type Aggregate struct {
	// Func is count, distinct, sum, avg, min, max, first, last, values, median, percentile, stddev.
	Func string
	// Pattern is "" for the pattern at hand.
	Pattern string
	// Arg is the expression over each event; nil for count().
	Arg *Expr
	// Limit is the second argument of values, percentile; 0 where there is none.
	Limit float64
}

// Env gives the values that an expression asks for.
type Env interface {
	// Field gives the value of ref, nil where it is null.
	Field(ref Ref) any
	// Aggregate gives the value of a, nil where it has none.
	Aggregate(a *Aggregate) any
}

// Expr is a parsed expression.
type Expr struct{ text string }

// String gives the canonical text of the expression.
func (e *Expr) String() string { return e.text }
