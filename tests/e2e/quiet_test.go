package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

// collectAll runs the whole day of the world through correlate into a sink.
func collectAll(t *testing.T, w *world, change func(*pipeline)) []delivery {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "_") + "_quiet"
	out := newSink(t, name)
	p := pipeline{
		inputs:    []map[string]any{w.input("oci_audit", 0), w.input("oci_cloudguard", 0)},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": name}},
		state:     filepath.Join(t.TempDir(), "state.db"),
	}
	if change != nil {
		change(&p)
	}
	run(t, p.yaml(t), patience)
	return out.deliveries()
}

// TestQuietRunDeliversEachEventOnce collects 20 compartments in 2 regions: none is missing, none comes twice.
func TestQuietRunDeliversEachEventOnce(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = size(t, "E2E_EVENTS", 5000) })
	got := collectAll(t, w, nil)
	ids := auditIDs(t, got)
	checkNoneMissing(t, w.auditIDs(), ids)
	checkOnce(t, ids)
	for _, d := range got {
		if d.err != nil {
			t.Fatalf("a message left with the error %v: %.300s", d.err, d.body)
		}
	}
}

// TestQuietRunRaisesEveryStory compares the incidents with what the simulator wove in: rule, key, count, first and last.
func TestQuietRunRaisesEveryStory(t *testing.T) {
	w := newWorld(t, nil)
	set := settledSet(t, collectAll(t, w, nil))
	var want, got []string
	for _, story := range w.sim.Truth().Stories {
		for _, r := range story.Raises {
			key, err := json.Marshal(r.Key)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, settled{
				Rule: r.Rule, Key: string(key), Count: int64(r.Events), First: r.First.UnixMilli(), Last: r.Last.UnixMilli(),
			}.String())
		}
	}
	if len(want) == 0 {
		t.Fatal("the simulator wove no story in: nothing was checked")
	}
	for _, s := range set {
		got = append(got, s.String())
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("incidents differ from the stories (-want +got):\n%s", diff)
	}
}
