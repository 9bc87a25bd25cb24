package engine

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

// nowhere is a store that takes no memory: what it is given is gone.
type nowhere struct{}

func (nowhere) Load(_ context.Context, keys []string) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}
func (nowhere) Save(context.Context, []Change) error { return nil }

// manyKeys is enough to see what one takes; a million differ by a few bytes a key.
const manyKeys = 100_000

// fill counts three events in each of so many keys.
func fill(b *testing.B, e *Engine, keys int) {
	b.Helper()
	batch := make([]*event.Event, 0, 1000)
	for round := range 3 {
		for k := range keys {
			batch = append(batch, eventOf(b, []string{
				strconv.Itoa(round) + "s", fmt.Sprintf("0b7d1f6e-55aa-4c1e-9d55-%d-%09d", round, k), "a", fmt.Sprintf("ocid1.user.oc1..%016d", k),
			}))
			if len(batch) == cap(batch) || k == keys-1 {
				if _, err := e.Observe(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				batch = batch[:0]
			}
		}
	}
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func pass(b *testing.B, e *Engine, n int, to event.Time) {
	b.Helper()
	tick := watermark.Tick{Number: strconv.Itoa(n), Boot: "b", Tenancies: map[string]event.Time{"t1": to}, All: to}
	if _, err := e.Advance(b.Context(), tick); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpenKeys says what a key takes with three counted events, while they lie above the watermark and when it has passed them.
func BenchmarkOpenKeys(b *testing.B) {
	for _, name := range []string{"memory", "store"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				opt := Options{Rules: []*rule.Rule{parseRule(b, "window: 24h\nmatch: {unmapped.p: a}\nhaving: count() >= 5")}, Emit: EmitOptions{Create: true}}
				if name == "store" {
					opt.Store = nowhere{}
				}
				e, err := New(b.Context(), opt)
				if err != nil {
					b.Fatal(err)
				}
				pass(b, e, 0, zero-1000)
				fill(b, e, manyKeys)
				b.ReportMetric((heap()-before)/manyKeys, "above-B/key")
				for n := range 2 * shardCount {
					pass(b, e, n+1, zero+10_000+event.Time(n))
				}
				b.ReportMetric((heap()-before)/manyKeys, "below-B/key")
				runtime.KeepAlive(e)
			}
		})
	}
}

// BenchmarkCap feeds ten times the keys that memory has room for.
func BenchmarkCap(b *testing.B) {
	for b.Loop() {
		before := heap()
		counted := &counters{}
		e, err := New(b.Context(), Options{
			Rules: []*rule.Rule{parseRule(b, "window: 24h\nmatch: {unmapped.p: a}\nhaving: count() >= 5")}, Emit: EmitOptions{Create: true},
			MaxMemory: 200 << 20, Metrics: counted,
		})
		if err != nil {
			b.Fatal(err)
		}
		fill(b, e, manyKeys)
		b.ReportMetric((heap()-before)/(1<<20), "MiB")
		b.ReportMetric(float64(counted.evicted), "evicted")
		runtime.KeepAlive(e)
	}
}

// BenchmarkRestart starts over the state of many keys and counts one event.
func BenchmarkRestart(b *testing.B) {
	opt := Options{
		Rules: []*rule.Rule{parseRule(b, "window: 24h\npatterns: {a: {match: {unmapped.p: a}, having: count() >= 3}, b: {match: {unmapped.p: b}}}\nwhen: a then not b within 10h")},
		Emit:  EmitOptions{Create: true}, Store: newStore(),
	}
	e, err := New(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	pass(b, e, 0, zero-1000)
	fill(b, e, manyKeys)
	for b.Loop() {
		again, err := New(b.Context(), opt)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := again.Observe(b.Context(), []*event.Event{eventOf(b, []string{"5s", "last", "a", "ocid1.user.oc1..0000000000000007"})}); err != nil {
			b.Fatal(err)
		}
	}
}
