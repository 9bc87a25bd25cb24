//go:build unix

package correlate

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"benthos-oci/plugins/bolt"
	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

const restartRule = `id: r
title: Two deeds and no third
status: test
severity: medium
description: Detects a test.
tags: [attack.persistence, attack.t1098.001]
data_sources: [oci_audit]
falsepositives: [Unlikely]
window: 24h
group_by: {user: actor.user.uid}
patterns:
  a: {match: {api.operation: UploadApiKey}, having: count() >= 1}
  b: {match: {api.operation: DeleteApiKey}}
when: a then not b within 10h
`

// TestRestartOverManyKeysIsQuick saves the state of many keys, each of which waits for a deadline, in a bolt file, opens it again
// and counts one event: that must not read what it does not touch. RESTART_KEYS=1000000 is the full size.
func TestRestartOverManyKeysIsQuick(t *testing.T) {
	keys := 100_000
	if testing.Short() {
		keys = 10_000
	}
	if text := os.Getenv("RESTART_KEYS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("reading RESTART_KEYS: %v", err)
		}
		keys = n
	}
	path := filepath.Join(t.TempDir(), "state.db")
	const start = event.Time(1_795_132_800_000)
	saveKeys(t, path, keys, start)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()

	before, cpu := time.Now(), usedTime(t)
	e, closeStore := restartEngine(t, path)
	opened := time.Since(before)
	outcomes, err := e.Observe(t.Context(), []*event.Event{restartEvent(t, keys, 7, start+event.Time(keys))})
	took := time.Since(before)
	cpu = usedTime(t) - cpu
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore()
	t.Logf("%d keys in %d MB (%d B a key): the first event was processed after %v and %v of CPU; opening took %v", keys, info.Size()>>20, info.Size()/int64(keys), took, cpu, opened)
	if !outcomes[0].Matched || outcomes[0].Late {
		t.Errorf("got %+v, want a match", outcomes[0])
	}
	// Of the processors: what else the machine does is not what the file costs.
	if cpu > 2*time.Second {
		t.Errorf("the first event took %v of CPU, want at most 2s", cpu)
	}
	// It is the state that was saved: its deadline comes, with both events.
	tick := watermark.Tick{Number: "2", Boot: "b", Tenancies: map[string]event.Time{"t1": start + 7}, All: start + 7}
	tick.Tenancies["t1"] = (start + 7).Add(10 * time.Hour)
	fired, err := e.Advance(t.Context(), tick)
	if err != nil {
		t.Fatal(err)
	}
	if len(fired) != 8 {
		t.Errorf("%d keys fired, want those of the first 8 deadlines", len(fired))
	}
}

// saveKeys counts one event in each of so many keys.
func saveKeys(t *testing.T, path string, keys int, start event.Time) {
	t.Helper()
	e, closeStore := restartEngine(t, path)
	tick := watermark.Tick{Number: "1", Boot: "a", Tenancies: map[string]event.Time{"t1": start - 1000}, All: start - 1000}
	if _, err := e.Advance(t.Context(), tick); err != nil {
		t.Fatal(err)
	}
	batch := make([]*event.Event, 0, 1000)
	for k := range keys {
		batch = append(batch, restartEvent(t, k, k, start+event.Time(k)))
		if len(batch) < cap(batch) && k < keys-1 {
			continue
		}
		if _, err := e.Observe(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
	}
	if n := e.Stats().Deadlines; n != keys {
		t.Fatalf("%d deadlines, want %d", n, keys)
	}
	closeStore()
}

func restartEngine(t *testing.T, path string) (e *engine.Engine, closeStore func()) {
	t.Helper()
	store, err := bolt.Open(bolt.Options{Path: path, Bucket: "state", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := rule.Parse("", []byte(restartRule), rule.Options{Inline: true})
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	rules[0].Enabled = true
	e, err = engine.New(t.Context(), engine.Options{
		Rules: rules, Emit: engine.EmitOptions{Create: true}, MaxMemory: 256 << 20,
		Store: &boltStore{store: store, prefix: "p/", life: &lifetime{extra: 7 * 24 * time.Hour, maxFuture: time.Hour}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func restartEvent(t testing.TB, n, user int, at event.Time) *event.Event {
	t.Helper()
	ev, err := event.FromDocument(map[string]any{
		"time": int64(at), "type_uid": int64(600301),
		"metadata":     map[string]any{"uid": fmt.Sprintf("%08x-55aa-4c1e-9d55-%012x", n, n*7919), "tenant_uid": "t1", "product": map[string]any{"name": "OCI Audit"}},
		"actor":        map[string]any{"user": map[string]any{"name": "alice", "uid": fmt.Sprintf("ocid1.user.oc1..aaaaaaaaqwertyuiopasdfghjklzxcvbnm%010d", user)}},
		"api":          map[string]any{"operation": "UploadApiKey", "service": map[string]any{"name": "IdentityControlPlane"}, "request": map[string]any{"uid": fmt.Sprintf("%032x", n)}},
		"src_endpoint": map[string]any{"ip": "203.0.113.7"},
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}
