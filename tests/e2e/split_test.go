package e2e

import (
	"net/http"
	"path/filepath"
	"testing"

	"benthos-oci/plugins/ocisim"
)

// TestTwoProcessesFindWhatOneFinds runs config/collect.yaml into Kafka and config/detect.yaml out of it;
// the second is stopped halfway and started again.
func TestTwoProcessesFindWhatOneFinds(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2000 })
	want := settledSet(t, collectAll(t, w, nil))
	kafka := newKafka(t, "oci-events")
	env := map[string]string{
		"KAFKA_BROKERS": brokers(kafka), "STATE_FILE": filepath.Join(t.TempDir(), "collect.db"),
		"DEAD_LETTERS": filepath.Join(t.TempDir(), "dead.jsonl"),
	}
	run(t, marshal(t, shipped(t, "collect.yaml", w, env)), soon)
	events := auditIDs(t, fromKafka(consume(t, kafka, "oci-events"), "event"))
	checkNoneMissing(t, w.auditIDs(), events)
	checkOnce(t, events)

	hook := newEndpoint(t, func(int) int { return http.StatusOK })
	env["WEBHOOK_URL"], env["STATE_FILE"] = hook.server.URL, filepath.Join(t.TempDir(), "detect.db")
	first := start(t, marshal(t, read(t, "detect.yaml", env)))
	eventually(t, soon, "half of the incidents", func() bool { return len(ids(t, hook.deliveries())) >= len(want)/2 })
	first.stop(t)
	second := start(t, marshal(t, read(t, "detect.yaml", env)))
	eventually(t, soon, "all of the incidents", func() bool { return len(ids(t, hook.deliveries())) >= len(want) })
	second.stop(t)
	got := ids(t, hook.deliveries())
	for id := range got {
		got[id] = 1 // at least once, across the restart
	}
	checkSameIDs(t, want, got)
}
