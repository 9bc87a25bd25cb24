package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// searchInput gives an oci_logging input that searches the whole day's audit events of a tenancy and ends.
func (w *world) searchInput(tenancy int) map[string]any {
	in := w.input("oci_logging", tenancy)
	fields, _ := in["oci_logging"].(map[string]any)
	fields["queries"] = []any{map[string]any{
		"name": "all", "search": `search "` + w.sim.Tenancies()[tenancy].OCID + `/_Audit_Include_Subcompartment" | sort by datetime desc`,
	}}
	return in
}

// TestSearchingRaisesWhatListingRaises reads the same day once from the Audit API and once from Logging, whose records have
// another shape and come in another order: the incidents are the same.
func TestSearchingRaisesWhatListingRaises(t *testing.T) {
	w := newWorld(t, nil)
	settledFrom := func(name string, input map[string]any) []string {
		out := newSink(t, name)
		p := pipeline{
			inputs: []map[string]any{input}, correlate: detect(),
			output: map[string]any{"e2e_sink": map[string]any{"name": name}}, state: filepath.Join(t.TempDir(), "state.db"),
		}
		run(t, p.yaml(t), 10*time.Minute)
		got := out.deliveries()
		ids := map[string]int{}
		for _, d := range got {
			if d.err != nil {
				t.Fatalf("a message left with the error %v: %.300s", d.err, d.body)
			}
			if d.meta["correlate_type"] != "event" {
				continue
			}
			var e struct{ ID, EventID string }
			if err := json.Unmarshal(d.body, &e); err != nil {
				t.Fatal(err)
			}
			ids[e.ID+e.EventID]++
		}
		checkNoneMissing(t, w.auditIDs(), ids)
		checkOnce(t, ids)
		var all []string
		for _, s := range settledSet(t, got) {
			all = append(all, s.String())
		}
		slices.Sort(all)
		return all
	}
	listed := settledFrom("listed", w.input("oci_audit", 0))
	searched := settledFrom("searched", w.searchInput(0))
	if len(listed) == 0 {
		t.Fatal("no incident: the test shows nothing")
	}
	if diff := cmp.Diff(listed, searched); diff != "" {
		t.Errorf("incidents differ (-listed +searched):\n%s", diff)
	}
}

// TestLoggingConfigFindsWhatItsQueriesLetThrough runs config/logging.yaml against the simulator.
func TestLoggingConfigFindsWhatItsQueriesLetThrough(t *testing.T) {
	w := newWorld(t, nil)
	data := t.TempDir()
	doc := read(t, "logging.yaml", map[string]string{
		"TENANCY_OCID": w.sim.Tenancies()[0].OCID, "DATA_DIR": data, "STATE_FILE": filepath.Join(data, "state.db"),
	})
	inputs, _ := at(doc, "input", "broker", "inputs").([]any)
	fields, _ := at(inputs[0], "oci_logging").(map[string]any)
	fields["auth"], fields["endpoint"] = w.auth(0), w.endpoint()
	fields["start"], fields["end"] = day.Format(time.RFC3339), end.Format(time.RFC3339)
	fields["max_requests_per_second"] = 10_000
	out := newSink(t, t.Name())
	doc["output"] = map[string]any{"e2e_sink": map[string]any{"name": t.Name()}}
	run(t, marshal(t, doc), 10*time.Minute)

	found, raised := map[string]int{}, map[string]bool{}
	for _, d := range out.deliveries() {
		if d.err != nil {
			t.Fatalf("a message left with the error %v: %.300s", d.err, d.body)
		}
		found[d.meta["oci_query"]]++
		raised[d.meta["incident_rule"]] = true
	}
	for _, query := range []string{"sign_ins", "access_changes"} {
		if found[query] == 0 {
			t.Errorf("the query %s has found nothing", query)
		}
	}
	for _, rule := range []string{"oci-iam-api-key-uploaded", "oci-console-bruteforce-success", "oci-console-password-spraying", "oci-iam-key-then-policy"} {
		if !raised[rule] {
			t.Errorf("the rule %s raised nothing", rule)
		}
	}
}
