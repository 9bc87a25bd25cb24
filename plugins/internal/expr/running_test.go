package expr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRunningAggregatesAreThoseOverAllEvents lets events come and go, and holds each aggregate to its definition.
func TestRunningAggregatesAreThoseOverAllEvents(t *testing.T) {
	given := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SampledFrom([][]any{
			{int64(1), int64(2), int64(-7), nil},
			{int64(1), int64(2), "a", "b", true, []any{int64(4), nil, "c", []any{int64(9)}}, []any{}},
			{int64(1), 2.5, int64(3)},
			{int64(maxWhole), int64(-maxWhole), int64(maxWhole + 1), int64(5)},
			{"a", "b", nil},
		}).Draw(t, "kind")
		value := rapid.SampledFrom(kinds)
		if rapid.Bool().Draw(t, "many numbers") {
			value = rapid.Int64Range(-500, 500).AsAny()
		}
		text := rapid.SampledFrom([]string{"count(x)", "sum(x)", "avg(x)", "min(x)", "max(x)", "median(x)", "percentile(x, 90)", "percentile(x, 1)", "percentile(x, 100)"}).Draw(t, "aggregate")
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		a := e.Aggregates()[0]
		runs, orders := a.Runs()
		if !runs {
			t.Fatalf("%s does not run", text)
		}
		r := &Running{Ordered: orders}
		var events []any
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			if len(events) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				i := rapid.IntRange(0, len(events)-1).Draw(t, "which")
				r.Remove(events[i])
				events = append(events[:i:i], events[i+1:]...)
				continue
			}
			v := value.Draw(t, "value")
			r.Add(v)
			events = append(events, v)
		}
		got, ok := r.Over(a)
		if !ok {
			return
		}
		given[a.Func]++
		if diff := cmp.Diff(a.Over(events), got); diff != "" {
			t.Fatalf("%s over %v (-definition +running)\n%s", text, events, diff)
		}
	})
	for _, name := range []string{"count", "sum", "avg", "min", "max", "median", "percentile"} {
		if given[name] == 0 {
			t.Errorf("%s was never given", name)
		}
	}
}
