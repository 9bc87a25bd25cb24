package e2e

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
)

// streamWorld simulates the day before yesterday, all of which is in the streams and can still be read from them.
func streamWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, func(c *ocisim.Config) {
		c.End = time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour)
		c.Start = c.End.Add(-24 * time.Hour)
		c.Events, c.Compartments, c.PageSize = 2500, 5, 500
	})
}

// streamInput gives an oci_streaming input that reads the audit events of a region, and ends.
func (w *world) streamInput(region string) map[string]any {
	return map[string]any{
		"label": "stream_" + strings.ReplaceAll(region, "-", "_"),
		"oci_streaming": map[string]any{
			"auth": w.auth(0), "endpoint": w.endpoint(), "stream_id": w.sim.Stream(0, region, ocisim.AuditStream).OCID,
			"consumers": 2, "end": "-0s", "max_requests_per_second": 10_000,
		},
	}
}

// streamedIDs counts how often each event of Connector Hub's envelope was delivered.
func streamedIDs(t *testing.T, got []delivery) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for _, d := range got {
		if d.meta["correlate_type"] != "event" {
			continue
		}
		var e struct{ ID string }
		if err := json.Unmarshal(d.body, &e); err != nil || d.err != nil {
			t.Fatalf("an event cannot be read (%v, %v): %.300s", err, d.err, d.body)
		}
		ids[e.ID]++
	}
	return ids
}

// TestStreamingRaisesWhatListingRaises reads the same day once from the Audit API and once from the streams that Connector Hub fills,
// partition beside partition, while the output is down for a while: the incidents are the same.
func TestStreamingRaisesWhatListingRaises(t *testing.T) {
	w := streamWorld(t)
	settledOf := func(got []delivery) []string {
		var all []string
		for _, s := range settledSet(t, got) {
			all = append(all, s.String())
		}
		slices.Sort(all)
		return all
	}
	listing := w.input("oci_audit", 0)
	fields, _ := listing["oci_audit"].(map[string]any)
	fields["start"], fields["end"] = "-96h", "-1h"
	listedOut := newSink(t, "listed_for_streaming")
	p := pipeline{
		inputs: []map[string]any{listing}, correlate: detect(), state: filepath.Join(t.TempDir(), "state.db"),
		output: map[string]any{"e2e_sink": map[string]any{"name": "listed_for_streaming"}},
	}
	run(t, p.yaml(t), soon)
	listed := settledOf(listedOut.deliveries())
	if len(listed) == 0 {
		t.Fatal("no incident: the test shows nothing")
	}

	out := newSink(t, "streamed")
	p = pipeline{
		inputs: []map[string]any{w.streamInput("eu-frankfurt-1"), w.streamInput("us-ashburn-1")}, correlate: detect(),
		output: map[string]any{"e2e_sink": map[string]any{"name": "streamed"}}, state: filepath.Join(t.TempDir(), "state.db"),
	}
	var refused atomic.Int64
	out.mu.Lock()
	out.refuse = func() error {
		if refused.Add(1) <= 20 {
			return errors.New("the output is down")
		}
		return nil
	}
	out.mu.Unlock()
	run(t, p.yaml(t), soon)
	got := out.deliveries()
	ids := streamedIDs(t, got)
	checkNoneMissing(t, w.auditIDs(), ids)
	if diff := cmp.Diff(listed, settledOf(got)); diff != "" {
		t.Errorf("incidents differ (-listed +streamed):\n%s", diff)
	}
}

// TestTwoProcessesShareAStream runs config/streaming_native.yaml in two processes of one group, and kills one of them again and again.
func TestTwoProcessesShareAStream(t *testing.T) {
	t.Parallel()
	const region, page, kills = "eu-frankfurt-1", 20, 4
	w := streamWorld(t)
	of := w.sim.Stream(0, region, ocisim.AuditStream)
	taken := newIntake(t)
	start := func(name string) *program {
		data := t.TempDir()
		doc := read(t, "streaming_native.yaml", map[string]string{
			"OCI_STREAM_OCID": of.OCID, "OCI_STREAM_INSTANCE": name, "DATA_DIR": data, "STATE_FILE": filepath.Join(data, "state.db"),
		})
		inputs, _ := at(doc, "input", "broker", "inputs").([]any)
		fields, _ := at(inputs[0], "oci_streaming").(map[string]any)
		fields["auth"], fields["endpoint"], fields["end"] = w.auth(0), w.endpoint(), "-0s"
		fields["max_page_messages"], fields["session_timeout"], fields["consumers"] = page, "5s", 1
		detect, _ := at(doc, "pipeline", "processors").([]any)
		settings, _ := at(detect[0], "correlate").(map[string]any)
		settings["forward"] = []any{"events"}
		doc["output"] = taken.output()
		return startProgram(t, configure(t, marshal(t, doc)))
	}
	var want []string
	for _, e := range w.sim.Truth().Events {
		if e.Region == region {
			want = append(want, e.ID)
		}
	}
	one, two := start("one"), start("two")
	shared := 0
	for killed := range kills {
		until := len(want) * (killed + 1) / (kills + 2)
		if !two.runUntil(t, func() bool { return taken.count() >= until }) {
			t.Fatalf("the program was done before kill %d", killed+1)
		}
		if readers, _ := w.sim.Reservations(of.OCID, "benthos-oci"); !slices.Contains(readers, "one") || !slices.Contains(readers, "two") {
			t.Logf("at kill %d the partitions are read by %v", killed+1, readers)
		} else {
			shared++
		}
		two.kill()
		<-two.done
		// It comes again under its name, as a pod that keeps its own does.
		two = start("two")
	}
	one.finish(t, soon)
	two.finish(t, soon)
	if shared == 0 {
		t.Errorf("at none of %d kills both processes read, want it at most of them: nothing was shared", kills)
	}
	taken.mu.Lock()
	defer taken.mu.Unlock()
	checkNoneMissing(t, want, taken.ids)
	twice := 0
	for _, n := range taken.ids {
		twice += n - 1
	}
	// At each hand-over the page that either has on its way may come again: when one is killed, when it comes, when one has ended.
	if most := (2*kills + 3) * 2 * page; twice > most {
		t.Errorf("%d events left twice, want at most %d", twice, most)
	}
	_, committed := w.sim.Reservations(of.OCID, "benthos-oci")
	all := 0
	for _, offset := range committed {
		all += int(offset) + 1
	}
	if all != len(want) {
		t.Errorf("committed up to %v, want all %d events", committed, len(want))
	}
	faults.Measured(t, "stream shared by two processes", "%d events in %d partitions, %d kills of one of two processes: none missing, %d left twice", len(want), of.Partitions, kills, twice)
}
