package expr

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMonotoneConditionsKeepHoldingWhenEventsAreAdded draws conditions and events, and puts one more event anywhere among them.
func TestMonotoneConditionsKeepHoldingWhenEventsAreAdded(t *testing.T) {
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		aggregates := []string{"count()", "count(x)", "distinct(x)", "sum(x)", "sum(nonnegative(x))", "max(x)", "min(x)", "avg(x)", "last(x)", "median(x)", "stddev(x)"}
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			part := rapid.SampledFrom(aggregates).Draw(t, "aggregate") + " " + rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op") + " " +
				rapid.SampledFrom([]string{"0", "1", "2", "-1", "1.5", "1 + 1"}).Draw(t, "bound")
			parts = append(parts, part)
		}
		e, err := Parse(strings.Join(parts, rapid.SampledFrom([]string{" and ", " or "}).Draw(t, "join")))
		if err != nil {
			t.Fatal(err)
		}
		if !e.Monotone() {
			return
		}
		seen++
		value := rapid.SampledFrom([]any{nil, int64(-2), int64(0), int64(1), int64(2), 2.5, "a", []any{int64(3), "b"}})
		events := rapid.SliceOfN(value, 0, 5).Draw(t, "events")
		at := rapid.IntRange(0, len(events)).Draw(t, "at")
		more := append(append(append([]any{}, events[:at]...), value.Draw(t, "added")), events[at:]...)
		if e.Holds(over(events)) && !e.Holds(over(more)) {
			t.Fatalf("%s holds over %v, and not over %v", e, events, more)
		}
	})
	if seen == 0 {
		t.Fatal("no monotone condition was drawn")
	}
}

// over is an Env whose events have these values of x, and of every function of it.
type over []any

func (over) Field(Ref) any { return nil }

func (o over) Aggregate(a *Aggregate) any {
	if a.Arg == nil {
		return a.Over(o)
	}
	values := make([]any, len(o))
	for i, v := range o {
		values[i] = a.Arg.Eval(single{v})
	}
	return a.Over(values)
}

type single struct{ v any }

func (s single) Field(Ref) any          { return s.v }
func (single) Aggregate(*Aggregate) any { return nil }

// TestLeastEventsAreNeeded draws conditions and events: where one holds there are at least as many as it says.
func TestLeastEventsAreNeeded(t *testing.T) {
	more := 0
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Custom(func(t *rapid.T) string {
			aggregate := rapid.SampledFrom([]string{"count()", "count(x)", "distinct(x)", "sum(x)", "max(x)"}).Draw(t, "aggregate")
			op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op")
			bound := rapid.SampledFrom([]string{"0", "1", "2", "3", "-1", "1.5", "1 + 1", "2 - 4"}).Draw(t, "bound")
			if rapid.Bool().Draw(t, "turned") {
				return bound + " " + op + " " + aggregate
			}
			return aggregate + " " + op + " " + bound
		})
		text := part.Draw(t, "first")
		for range rapid.IntRange(0, 2).Draw(t, "parts") {
			text = "(" + text + rapid.SampledFrom([]string{" and ", " or "}).Draw(t, "join") + part.Draw(t, "part") + ")"
		}
		if rapid.IntRange(0, 5).Draw(t, "negated") == 0 {
			text = "not (" + text + ")"
		}
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if e.Least() > 1 {
			more++
		}
		value := rapid.SampledFrom([]any{nil, int64(-2), int64(2), 2.5, []any{int64(3), "b", "c"}})
		events := rapid.SliceOfN(value, 1, 6).Draw(t, "events")
		if e.Holds(over(events)) && len(events) < e.Least() {
			t.Fatalf("%s holds over %v, and says that it needs %d", e, events, e.Least())
		}
	})
	if more == 0 {
		t.Fatal("no condition needed more than one event")
	}
}
