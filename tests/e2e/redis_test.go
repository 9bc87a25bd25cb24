package e2e

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"benthos-oci/plugins/ocisim"
)

// TestRedisKeepsStateAcrossRestartsAndAnOutage keeps cursors and windows in Redis, stops the pipeline on its way, and
// takes Redis away while it runs.
func TestRedisKeepsStateAcrossRestartsAndAnOutage(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2000 })
	quiet := settledSet(t, collectAll(t, w, func(p *pipeline) { busy(t, p.correlate) }))
	calls := w.calls.Load()
	redis := miniredis.RunT(t)
	name := "redis"
	out := newSink(t, name)
	p := pipeline{
		inputs:    []map[string]any{w.input("oci_audit", 0), w.input("oci_cloudguard", 0)},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": name}},
		cache: map[string]any{"label": "state", "redis": map[string]any{
			"url": "redis://" + redis.Addr(), "retries": map[string]any{"initial_interval": "10ms", "max_elapsed_time": "100ms"},
		}},
	}
	busy(t, p.correlate)

	until := w.calls.Load() + calls/3
	open := w.holdAfter(t, calls/3+calls/12) // it may run on until the stop comes, but not away from it
	s := start(t, p.yaml(t))
	eventually(t, soon, "a third of the requests", func() bool { return w.calls.Load() >= until })
	s.stop(t)
	open()
	first := len(auditIDs(t, out.deliveries()))
	if all := len(w.auditIDs()); first == 0 || first == all {
		t.Fatalf("%d of %d events were delivered before the stop: the test stopped nothing", first, all)
	}

	open = w.holdAfter(t, calls/3)
	s = start(t, p.yaml(t))
	eventually(t, soon, "events after the restart", func() bool { return len(auditIDs(t, out.deliveries())) > first })
	redis.SetError("LOADING Redis is loading the dataset in memory")
	before := len(auditIDs(t, out.deliveries()))
	open()
	time.Sleep(time.Second) // an outage lasts in real time
	redis.SetError("")
	s.wait(t, soon)
	if after := len(auditIDs(t, out.deliveries())); after == before {
		t.Fatal("all was delivered before the outage: the test took nothing away")
	}

	ids := auditIDs(t, out.deliveries())
	checkNoneMissing(t, w.auditIDs(), ids)
	checkOnce(t, ids)
	checkSameSet(t, quiet, settledSet(t, out.deliveries()))
	for _, d := range out.deliveries() {
		if d.err != nil {
			t.Fatalf("an outage of the state made a dead letter: %v", d.err)
		}
	}
}
