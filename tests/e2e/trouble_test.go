package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
)

// TestSourceTroubleLosesNothing has every kind of bad answer come now and then.
func TestSourceTroubleLosesNothing(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 1000, 3 })
	quiet := settledSet(t, collectAll(t, w, nil))
	for i, effect := range []ocisim.Effect{ocisim.EffectReset, ocisim.EffectTruncated, ocisim.EffectHTML, ocisim.EffectLoop} {
		w.sim.Faults().Add(ocisim.Fault{Effect: effect, Operation: "ListEvents", After: 3 + 2*i, Times: 1})
	}
	for i, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway} {
		w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: status, After: 2 * i, Times: 1, RetryAfter: time.Second})
	}
	before := w.calls.Load()
	name := "trouble"
	out := newSink(t, name)
	p := pipeline{
		inputs:    []map[string]any{w.input("oci_audit", 0), w.input("oci_cloudguard", 0)},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": name}},
		state:     filepath.Join(t.TempDir(), "state.db"),
	}
	run(t, p.yaml(t), soon)
	if n := w.sim.Count("", http.StatusTooManyRequests) + w.sim.Count("", http.StatusInternalServerError) + w.sim.Count("", http.StatusBadGateway); n != 3 {
		t.Errorf("%d of %d calls were answered with an error, want 3: the trouble did not happen", n, w.calls.Load()-before)
	}
	ids := auditIDs(t, out.deliveries())
	checkNoneMissing(t, w.auditIDs(), ids)
	checkOnce(t, ids)
	checkSameSet(t, quiet, settledSet(t, out.deliveries()))
}

// TestOneTenancyInTroubleChangesNothingInTheOther has one of two tenancies refuse to give any event:
// the other's come in full, and so does the incident that waits for time.
func TestOneTenancyInTroubleChangesNothingInTheOther(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Tenancies, c.Events, c.Compartments = 2, 2000, 3 })
	bad := w.sim.Tenancies()[1].OCID
	w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusTooManyRequests, Operation: "ListEvents", Tenancy: bad, RetryAfter: time.Hour})
	var want []string
	for _, e := range w.sim.Truth().Events {
		if e.Tenancy != bad {
			want = append(want, e.ID)
		}
	}
	raised := 0
	for _, s := range w.sim.Truth().Stories {
		if s.Tenancy != bad {
			raised += len(s.Raises)
		}
	}
	name := "isolation"
	out := newSink(t, name)
	p := pipeline{
		inputs:    []map[string]any{w.input("oci_audit", 0), w.input("oci_audit", 1)},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": name}},
		state:     filepath.Join(t.TempDir(), "state.db"),
	}
	s := start(t, p.yaml(t))
	eventually(t, soon, "all events and incidents of the good tenancy", func() bool {
		got := out.deliveries()
		return len(auditIDs(t, got)) >= len(want) && len(settledSet(t, got)) >= raised
	})
	s.stop(t)
	ids := auditIDs(t, out.deliveries())
	checkNoneMissing(t, want, ids)
	checkOnce(t, ids)
	if got := len(settledSet(t, out.deliveries())); got != raised {
		t.Errorf("%d incidents, want %d", got, raised)
	}
}

// TestUnreadableCompartmentDoesNotFreezeTime takes the right to read one compartment away. The others are read,
// and the rule that waits for something that does not happen fires, its incident naming what is missing.
func TestUnreadableCompartmentDoesNotFreezeTime(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 1000, 3 })
	story := map[string]bool{} // compartments of the stories stay readable
	for _, e := range w.sim.Truth().Events {
		if e.Story != "" {
			story[e.Compartment] = true
		}
	}
	var unreadable string
	for _, e := range w.sim.Truth().Events {
		if !story[e.Compartment] {
			unreadable = e.Compartment
			break
		}
	}
	if unreadable == "" {
		t.Fatal("every compartment has a story: there is none to take away")
	}
	var want []string
	for _, e := range w.sim.Truth().Events {
		if e.Compartment != unreadable {
			want = append(want, e.ID)
		}
	}
	w.sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: unreadable})
	name := "unreadable"
	out := newSink(t, name)
	// A live input: time waits for one that is bounded, however long.
	live := w.input("oci_audit", 0)
	delete(live["oci_audit"].(map[string]any), "end")
	p := pipeline{
		inputs:    []map[string]any{live},
		clock:     map[string]any{"max_hold": "2s", "tick_interval": "100ms"},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": name}},
		state:     filepath.Join(t.TempDir(), "state.db"),
	}
	s := start(t, p.yaml(t))
	var silent []delivery
	eventually(t, soon, "all readable events and the incident of silence", func() bool {
		silent = nil
		for _, d := range out.deliveries() {
			if d.meta["incident_rule"] == "oci-audit-retention-reduced" {
				silent = append(silent, d)
			}
		}
		return len(auditIDs(t, out.deliveries())) >= len(want) && len(silent) > 0
	})
	s.stop(t)
	checkNoneMissing(t, want, auditIDs(t, out.deliveries()))
	if !strings.Contains(string(silent[0].body), unreadable) {
		t.Errorf("the incident does not say that %s was not read: %s", unreadable, silent[0].body)
	}
}

// TestMalformedItemsGoToTheDeadLetters runs config/files.yaml on pages that hold broken items among the good ones.
func TestMalformedItemsGoToTheDeadLetters(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 1000, 3 })
	broken := []ocisim.Effect{ocisim.EffectMalformed, ocisim.EffectControl}
	for i, effect := range broken {
		w.sim.Faults().Add(ocisim.Fault{Effect: effect, Operation: "ListEvents", After: 2 * i, Times: 1})
	}
	dir := t.TempDir()
	doc := shipped(t, "files.yaml", w, map[string]string{"DATA_DIR": dir, "STATE_FILE": filepath.Join(dir, "state.db")})
	run(t, marshal(t, doc), soon)

	dead := fileLines(t, filepath.Join(dir, "dead-letters.jsonl"))
	if len(dead) != len(broken) {
		t.Errorf("%d dead letters, want %d", len(dead), len(broken))
	}
	for _, d := range dead {
		var letter struct {
			Error    string            `json:"error"`
			Raw      string            `json:"raw"`
			Metadata map[string]string `json:"metadata"`
		}
		if err := json.Unmarshal(d.body, &letter); err != nil {
			t.Errorf("reading a dead letter: %v: %.300s", err, d.body)
			continue
		}
		if letter.Error == "" || letter.Raw == "" || letter.Metadata["oci_region"] == "" {
			t.Errorf("a dead letter says not what, why and from where: %.300s", d.body)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "events-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, f := range files {
		for _, line := range fileLines(t, f) {
			var e struct {
				ID string `json:"eventId"`
			}
			if err := json.Unmarshal(line.body, &e); err != nil {
				t.Fatalf("a line of %s is no JSON: %v", f, err)
			}
			if e.ID != "" { // problems have another shape
				ids[e.ID]++
			}
		}
	}
	checkNoneMissing(t, w.auditIDs(), ids)
	checkOnce(t, ids)
}
