package e2e

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"benthos-oci/plugins/ocisim"
)

// TestTwoProcessesFindWhatOneFinds runs config/collect.yaml into Kafka and config/detect.yaml out of it;
// the second is stopped halfway and started again. The topic is put in order between the two, as a live collector fills it:
// one that reads a span of the past brings hours beside each other, which is more than lateness allows
// as soon as a tick comes between them.
func TestTwoProcessesFindWhatOneFinds(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2000 })
	want := settledSet(t, collectAll(t, w, nil))
	kafka := newKafka(t, "oci-events", "oci-ordered")
	env := map[string]string{
		"KAFKA_BROKERS": brokers(kafka), "STATE_FILE": filepath.Join(t.TempDir(), "collect.db"),
		"DEAD_LETTERS": filepath.Join(t.TempDir(), "dead.jsonl"),
	}
	run(t, marshal(t, shipped(t, "collect.yaml", w, env)), soon)
	records := consume(t, kafka, "oci-events")
	events := auditIDs(t, fromKafka(records, "event"))
	checkNoneMissing(t, w.auditIDs(), events)
	checkOnce(t, events)
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return happened(t, a.Value).Compare(happened(t, b.Value)) })
	half := len(records) / 2

	hook := newEndpoint(t, func(int) int { return http.StatusOK })
	env["WEBHOOK_URL"], env["STATE_FILE"], env["KAFKA_EVENTS"] = hook.server.URL, filepath.Join(t.TempDir(), "detect.db"), "oci-ordered"
	produce(t, kafka, "oci-ordered", records[:half])
	first := start(t, marshal(t, read(t, "detect.yaml", env)))
	eventually(t, soon, "a quarter of the incidents", func() bool { return len(ids(t, hook.deliveries())) >= len(want)/4 })
	first.stop(t)
	produce(t, kafka, "oci-ordered", records[half:])
	second := start(t, marshal(t, read(t, "detect.yaml", env)))
	eventually(t, soon, "all of the incidents", func() bool { return len(ids(t, hook.deliveries())) >= len(want) })
	second.stop(t)
	got := ids(t, hook.deliveries())
	for id := range got {
		got[id] = 1 // at least once, across the restart
	}
	checkSameIDs(t, want, got)
}
