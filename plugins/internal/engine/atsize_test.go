//go:build unix

package engine

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// sized gives the number of keys of a test: few by default, and what the variable says for the test at full size.
func sized(t testing.TB, variable string, few int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("reading %s: %v", variable, err)
	}
	return n
}

// TestKeysAtRestTakeLittle counts three events in each of many keys, without a store, lets the watermark pass them,
// and holds what all of it takes to 300 bytes a key. OPEN_KEYS=1000000 is the full size.
func TestKeysAtRestTakeLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	if testing.Short() {
		t.Skip("it takes many keys")
	}
	keys := sized(t, "OPEN_KEYS", 100_000)
	before := heap()
	e, err := New(t.Context(), Options{
		Rules: []*rule.Rule{parseRule(t, countOfUsers)}, Emit: EmitOptions{Create: true},
		// A million keys have 1 GiB.
		MaxMemory: int64(keys) * (1 << 30) / 1_000_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	pass(t, e, 0, zero-1000)
	fill(t, e, keys)
	above := (heap() - before) / float64(keys)
	for n := range 2 * shardCount / 8 {
		pass(t, e, n+1, zero+10_000+event.Time(n))
	}
	below := (heap() - before) / float64(keys)
	t.Logf("%d keys: %.0f B a key above the watermark, %.0f below, %d counted by the engine", keys, above, below, e.Stats().Bytes/int64(keys))
	if records := e.Stats().Records; records != keys {
		t.Fatalf("%d records, want %d", records, keys)
	}
	if below > 300 {
		t.Errorf("%.0f bytes a key below the watermark, want at most 300", below)
	}
	if said := float64(e.Stats().Bytes) / float64(keys); said < below/1.5 || said > below*1.5 {
		t.Errorf("the engine says %.0f bytes a key, the heap %.0f", said, below)
	}
	// They are all there: two more events make the first of them fire.
	var fired int
	for _, n := range []int{7, keys - 1} {
		for more := range 2 {
			outcomes, err := e.Observe(t.Context(), []*event.Event{auditEvent((5+more)*keys+n, userOf(n), zero+20_000)})
			if err != nil {
				t.Fatal(err)
			}
			for _, inc := range outcomes[0].Incidents {
				fired++
				if inc.Count != 5 || len(inc.Evidence) != 5 {
					t.Errorf("count %d and %d events of evidence, want 5 and 5", inc.Count, len(inc.Evidence))
				}
			}
		}
	}
	if fired != 2 {
		t.Errorf("%d of 2 keys fired", fired)
	}
	runtime.KeepAlive(e)
}

// TestFloodOfKeysKeepsToItsCap gives ten times the keys that memory has room for: memory stays flat, and what is lost is counted.
// FLOOD_KEYS=10000000 is the full size.
func TestFloodOfKeysKeepsToItsCap(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	if testing.Short() {
		t.Skip("it takes many keys")
	}
	keys := sized(t, "FLOOD_KEYS", 100_000)
	opt := Options{Rules: []*rule.Rule{parseRule(t, countOfUsers)}, Emit: EmitOptions{Create: true}}
	counted := &counters{}
	opt.MaxMemory, opt.Metrics = roomFor(t, opt, keys/10), counted
	before := heap()
	e, err := New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	most := 0.0
	flood(t, e, 0, keys, func() { most = max(most, heap()-before) })
	left := e.Stats().Records
	t.Logf("%d keys against %d bytes: the heap took %.0f at most, %d records left, %d lost", keys, opt.MaxMemory, most, left, counted.lost)
	if left+counted.lost != keys {
		t.Errorf("%d records and %d lost are not %d", left, counted.lost, keys)
	}
	if left < keys/20 {
		t.Errorf("%d records are left, want about a tenth of %d", left, keys)
	}
	// What is not counted does not grow with the keys.
	if bound := 1.3*float64(opt.MaxMemory) + 12<<20; most > bound {
		t.Errorf("the heap took %.0f bytes, want at most %.0f", most, bound)
	}
}

// roomFor gives what one event in each of so many keys takes.
func roomFor(t *testing.T, opt Options, keys int) int64 {
	t.Helper()
	e, err := New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	flood(t, e, 0, keys, nil)
	for range 3 {
		e.sweep(shardCount)
	}
	return e.Stats().Bytes
}

// flood counts one event in each of many keys; look is called twenty times meanwhile.
func flood(t testing.TB, e *Engine, first, keys int, look func()) {
	t.Helper()
	batch := make([]*event.Event, 0, 1000)
	for k := range keys {
		batch = append(batch, auditEvent(first+k, userOf(first+k), zero+event.Time(k/100)))
		if len(batch) < cap(batch) && k < keys-1 {
			continue
		}
		if _, err := e.Observe(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
		if look != nil && (k+1)%(keys/20) < 1000 {
			look()
		}
	}
}
