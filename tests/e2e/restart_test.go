package e2e

import (
	"path/filepath"
	"testing"

	"benthos-oci/plugins/ocisim"
)

// TestCleanRestartsDeliverEachEventOnce stops the pipeline as an operator does, five times on its way.
func TestCleanRestartsDeliverEachEventOnce(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2500 })
	quiet := settledSet(t, collectAll(t, w, func(p *pipeline) { busy(t, p.correlate) }))
	calls := w.calls.Load()
	name := "restarts"
	out := newSink(t, name)
	p := pipeline{
		inputs:    []map[string]any{w.input("oci_audit", 0), w.input("oci_cloudguard", 0)},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": name}},
		state:     filepath.Join(t.TempDir(), "state.db"),
	}
	busy(t, p.correlate)
	const stops = 5
	for range stops {
		more := calls / (stops + 2)
		until := w.calls.Load() + more
		open := w.holdAfter(t, more+more/4) // it may run on until the stop comes, but not away from it
		s := start(t, p.yaml(t))
		eventually(t, soon, "another seventh of the requests", func() bool { return w.calls.Load() >= until })
		s.stop(t)
		open()
	}
	if got := len(auditIDs(t, out.deliveries())); got == len(w.auditIDs()) {
		t.Fatal("all was delivered before the last stop: the test stopped nothing")
	}
	run(t, p.yaml(t), soon)
	ids := auditIDs(t, out.deliveries())
	checkNoneMissing(t, w.auditIDs(), ids)
	checkOnce(t, ids)
	checkSameSet(t, quiet, settledSet(t, out.deliveries()))
	var none []ocisim.ProblemTruth
	problems := map[string]int{}
	for _, d := range out.deliveries() {
		if d.meta["oci_source"] == "oci_cloudguard" && d.meta["correlate_type"] == "event" {
			problems[problemID(t, d.body)]++
		}
	}
	for _, p := range w.sim.Truth().Problems {
		if problems[p.ID] == 0 {
			none = append(none, p)
		}
	}
	if len(none) > 0 || len(problems) == 0 {
		t.Errorf("%d of %d problems are missing, such as %+v", len(none), len(w.sim.Truth().Problems), none)
	}
}
