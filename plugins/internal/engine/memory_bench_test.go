//go:build unix

package engine

import (
	"context"
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

// manyKeys is enough to see what one takes; OPEN_KEYS says otherwise.
func manyKeys(t testing.TB) int { return sized(t, "OPEN_KEYS", 100_000) }

// countOfUsers is a rule that counts by user.
const countOfUsers = "window: 24h\ngroup_by: {user: actor.user.uid}\nmatch: {api.operation: UploadApiKey}\nhaving: count() >= 5"

// fill counts three events in each of so many keys, as they come: key by key, three times.
func fill(t testing.TB, e *Engine, keys int) {
	t.Helper()
	batch := make([]*event.Event, 0, 1000)
	for round := range 3 {
		for k := range keys {
			batch = append(batch, auditEvent(round*keys+k, userOf(k), zero+event.Time(1000*round)))
			if len(batch) == cap(batch) || k == keys-1 {
				if _, err := e.Observe(t.Context(), batch); err != nil {
					t.Fatal(err)
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

func pass(b testing.TB, e *Engine, n int, to event.Time) {
	b.Helper()
	tick := watermark.Tick{Number: strconv.Itoa(n), Boot: "b", Tenancies: map[string]event.Time{auditTenancy: to}, All: to}
	if _, err := e.Advance(b.Context(), tick); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpenKeys says what a key takes with three counted events, while they lie above the watermark and when it has passed them.
func BenchmarkOpenKeys(b *testing.B) {
	for _, name := range []string{"memory", "store"} {
		b.Run(name, func(b *testing.B) {
			keys := manyKeys(b)
			for b.Loop() {
				before := heap()
				opt := Options{Rules: []*rule.Rule{parseRule(b, countOfUsers)}, Emit: EmitOptions{Create: true}}
				if name == "store" {
					opt.Store = nowhere{}
				}
				e, err := New(b.Context(), opt)
				if err != nil {
					b.Fatal(err)
				}
				pass(b, e, 0, zero-1000)
				fill(b, e, keys)
				b.ReportMetric((heap()-before)/float64(keys), "above-B/key")
				for n := range 2 * shardCount {
					pass(b, e, n+1, zero+10_000+event.Time(n))
				}
				b.ReportMetric((heap()-before)/float64(keys), "below-B/key")
				runtime.KeepAlive(e)
			}
		})
	}
}

// BenchmarkRestart starts over the state of many keys and counts one event.
func BenchmarkRestart(b *testing.B) {
	keys := manyKeys(b)
	opt := Options{
		Rules: []*rule.Rule{parseRule(b, "window: 24h\npatterns: {a: {match: {api.operation: UploadApiKey}, having: count() >= 3}, b: {match: {unmapped.p: b}}}\ngroup_by: {user: actor.user.uid}\nwhen: a then not b within 10h")},
		Emit:  EmitOptions{Create: true}, Store: newStore(),
	}
	e, err := New(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	pass(b, e, 0, zero-1000)
	fill(b, e, keys)
	for b.Loop() {
		again, err := New(b.Context(), opt)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := again.Observe(b.Context(), []*event.Event{auditEvent(5*keys, userOf(7), zero+5000)}); err != nil {
			b.Fatal(err)
		}
	}
}
