package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
)

// timed is a raw event with when it happened.
type timed struct {
	at   time.Time
	body []byte
}

func byTime(t *testing.T, got []delivery) []timed {
	t.Helper()
	var all []timed
	for _, d := range got {
		if d.meta["correlate_type"] != "event" {
			continue
		}
		var e struct {
			Time time.Time `json:"eventTime"`
		}
		if err := json.Unmarshal(d.body, &e); err != nil || e.Time.IsZero() {
			t.Fatalf("an event without eventTime (%v): %.200s", err, d.body)
		}
		all = append(all, timed{e.Time, d.body})
	}
	slices.SortStableFunc(all, func(a, b timed) int { return a.at.Compare(b.at) })
	return all
}

// shuffled moves events by less than 15 minutes: those 15 or more minutes apart keep their order.
func shuffled(events []timed, seed uint64) []timed {
	random := rand.New(rand.NewPCG(seed, 1))
	type moved struct {
		timed
		arrives time.Time
	}
	all := make([]moved, len(events))
	for i, e := range events {
		all[i] = moved{e, e.at.Add(time.Duration(random.Int64N(int64(15 * time.Minute))))}
	}
	slices.SortStableFunc(all, func(a, b moved) int { return a.arrives.Compare(b.arrives) })
	out := make([]timed, len(all))
	for i, m := range all {
		out[i] = m.timed
	}
	return out
}

// feed runs the events through a wrapped input, without state on disk, and gives the settled set.
func feed(t *testing.T, events []timed, batch, threads int) map[string]settled {
	t.Helper()
	name := fmt.Sprintf("%s_%d_%d", strings.ReplaceAll(t.Name(), "/", "_"), batch, threads)
	var batches [][][]byte
	for part := range slices.Chunk(events, batch) {
		var bodies [][]byte
		for _, e := range part {
			bodies = append(bodies, e.body)
		}
		batches = append(batches, bodies)
	}
	newReplay(t, name, batches)
	out := newSink(t, name)
	c := detect()
	c["forward"], c["lateness"] = []any{"incidents", "late"}, "30m"
	busy(t, c)
	run(t, marshal(t, map[string]any{
		"input": map[string]any{"correlate_source": map[string]any{
			"inputs": []any{map[string]any{"e2e_replay": map[string]any{"name": name}}},
		}},
		"pipeline": map[string]any{
			"threads":    threads,
			"processors": []any{map[string]any{"correlate": c}},
		},
		"output": map[string]any{"e2e_sink": map[string]any{"name": name}},
		"cache_resources": []any{map[string]any{
			"label": "state", "bolt": map[string]any{"path": filepath.Join(t.TempDir(), "state.db"), "fsync": false},
		}},
	}), patience)
	for _, d := range out.deliveries() {
		if d.meta["correlate_type"] == "late" {
			t.Fatalf("an event was late: %.300s", d.body)
		}
	}
	return settledSet(t, out.deliveries())
}

// TestOrderThreadsAndBatchesChangeNoIncident feeds the same day shuffled, in 8 threads, in small and large batches.
func TestOrderThreadsAndBatchesChangeNoIncident(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = size(t, "E2E_EVENTS", 3000) })
	got := collectAll(t, w, func(p *pipeline) {
		p.inputs = p.inputs[:1]
		busy(t, p.correlate)
	})
	collected := settledSet(t, got)
	checkBusy(t, collected)
	events := byTime(t, got)

	t.Run("in order", func(t *testing.T) { checkSameSet(t, collected, feed(t, events, 100, 1)) })
	for seed := range uint64(2) {
		mixed := shuffled(events, seed)
		for _, batch := range []int{1, 1000} {
			t.Run(fmt.Sprintf("shuffled by seed %d in batches of %d", seed, batch), func(t *testing.T) {
				checkSameSet(t, collected, feed(t, mixed, batch, 8))
			})
		}
	}
}
