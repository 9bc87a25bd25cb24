package engine

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// BenchmarkHotKey counts events of one key, whose window holds 10, 1,000 and 10,000 of them.
// The time of an event must not grow with the window.
func BenchmarkHotKey(b *testing.B) {
	for _, having := range []string{"count() >= 1000000", "distinct(unmapped.v) >= 1000000", "count() >= 5"} {
		for _, held := range []int{10, 1000, 10_000} {
			for _, store := range []string{"memory", "store"} {
				b.Run(fmt.Sprintf("%s/window=%d/%s", having, held, store), func(b *testing.B) {
					hotKey(b, "window: "+strconv.Itoa(held)+"s\nmatch: {unmapped.p: a}\nhaving: "+having, store == "store")
				})
			}
		}
	}
}

// BenchmarkHotKeyThen is the same for rules of two patterns, of which the second comes never, or with every tenth event.
func BenchmarkHotKeyThen(b *testing.B) {
	for _, having := range []string{"count() >= 5", "distinct(unmapped.v) > 5", "distinct(unmapped.v) > 1000000"} {
		for _, held := range []int{1000, 10_000} {
			for _, second := range []string{"z", "s"} {
				b.Run(fmt.Sprintf("%s/window=%d/second=%t", having, held, second == "s"), func(b *testing.B) {
					hotKey(b, fmt.Sprintf("window: %ds\npatterns: {a: {match: {unmapped.p: a}, having: %s}, b: {match: {unmapped.p: %s}}}\nwhen: a then b", held, having, second), false)
				})
			}
		}
	}
}

func hotKey(b *testing.B, text string, durable bool) {
	opt := Options{Rules: []*rule.Rule{parseRule(b, text)}, Emit: EmitOptions{Create: true}}
	if durable {
		opt.Store = newStore()
	}
	e, err := New(context.Background(), opt)
	if err != nil {
		b.Fatal(err)
	}
	const size = 100
	batch := make([]*event.Event, size)
	n := 0
	next := func() {
		for i := range batch {
			name := "a"
			if n%10 == 9 {
				name = "s"
			}
			ev := eventOf(b, []string{fmt.Sprintf("%ds", n), fmt.Sprintf("e%d", n), name, "x", fmt.Sprintf("v=%d", n%5000)})
			batch[i] = ev
			n++
		}
	}
	for n < 10_000 {
		next()
		if _, err := e.Observe(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		b.StopTimer()
		next()
		b.StartTimer()
		if _, err := e.Observe(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		events += size
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}

// BenchmarkKeys counts events spread over many keys.
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{100, 10_000} {
		b.Run(strconv.Itoa(keys), func(b *testing.B) {
			e, err := New(context.Background(), Options{
				Rules: []*rule.Rule{parseRule(b, "window: 120s\nmatch: {unmapped.p: a}\nhaving: count() >= 5")}, Emit: EmitOptions{Create: true},
			})
			if err != nil {
				b.Fatal(err)
			}
			const size = 1000
			batch := make([]*event.Event, size)
			n := 0
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				b.StopTimer()
				for i := range batch {
					batch[i] = eventOf(b, []string{fmt.Sprintf("%dms", n*10), fmt.Sprintf("e%d", n), "a", fmt.Sprintf("k%d", n*7919%keys)})
					n++
				}
				b.StartTimer()
				if _, err := e.Observe(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
				events += size
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}

// TestEventsThatMatchNothingCostNothing holds the allocations of a batch to a few for the batch, and none for its events.
func TestEventsThatMatchNothingCostNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget on purpose")
	}
	e, err := New(context.Background(), Options{Rules: []*rule.Rule{parseRule(t, "window: 10s\nmatch: {unmapped.p: a}")}})
	if err != nil {
		t.Fatal(err)
	}
	allocs := func(size int) float64 {
		batch := make([]*event.Event, size)
		for i := range batch {
			batch[i] = eventOf(t, []string{"0s", strconv.Itoa(i), "z", "x"})
		}
		return testing.AllocsPerRun(20, func() {
			if _, err := e.Observe(context.Background(), batch); err != nil {
				t.Fatal(err)
			}
		})
	}
	one, many := allocs(1), allocs(1000)
	if many > one+1 || many > 16 {
		t.Errorf("%v allocations for 1,000 events, %v for one", many, one)
	}
}
