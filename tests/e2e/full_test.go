package e2e

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"benthos-oci/plugins/ocisim"
)

// TestFullConfigWithAllSinksInTrouble runs config/full.yaml while Kafka refuses and the webhook never answers well.
func TestFullConfigWithAllSinksInTrouble(t *testing.T) {
	t.Chdir(root(t)) // its paths are relative to the repository
	w := newWorld(t, func(c *ocisim.Config) { c.Tenancies, c.Events = 2, 3000 })
	quiet := settledSet(t, collectAll(t, w, func(p *pipeline) {
		p.inputs = append(p.inputs, w.input("oci_audit", 1), w.input("oci_cloudguard", 1))
		p.correlate["overrides"] = []any{"./config/overrides.yaml"}
	}))

	kafka := newKafka(t, "oci-events")
	hook := newEndpoint(t, func(int) int { return http.StatusBadGateway })
	dir := t.TempDir()
	doc := shipped(t, "full.yaml", w, map[string]string{
		"KAFKA_BROKERS": brokers(kafka), "WEBHOOK_URL": hook.server.URL,
		"DATA_DIR": dir, "STATE_FILE": filepath.Join(dir, "state.db"),
	})
	sinks := at(doc, "output", "switch", "cases").([]any)[1].(map[string]any)["output"]
	webhook := at(sinks, "broker", "outputs").([]any)[0].(map[string]any)["fallback"].([]any)[0]
	at(webhook, "http_client").(map[string]any)["retry_period"] = "10ms"
	outage := kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	s := start(t, marshal(t, doc))
	eventually(t, soon, "a refused produce request", func() bool { return outage.Hits() > 3 })
	outage.Remove()
	s.wait(t, soon)

	events := auditIDs(t, fromKafka(consume(t, kafka, "oci-events"), "event"))
	checkNoneMissing(t, w.auditIDs(), events)
	checkOnce(t, events)
	checkSameIDs(t, quiet, ids(t, fileLines(t, filepath.Join(dir, "webhook-undelivered.jsonl"))))
	files, err := filepath.Glob(filepath.Join(dir, "incidents-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var written []delivery
	for _, f := range files {
		written = append(written, fileLines(t, f)...)
	}
	checkSameIDs(t, quiet, ids(t, written))
	if dead := fileLines(t, filepath.Join(dir, "dead-letters.jsonl")); len(dead) != 0 {
		t.Errorf("%d dead letters, want none: %.300s", len(dead), dead[0].body)
	}
}
