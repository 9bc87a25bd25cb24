package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eventID gives the id of a raw audit event.
func eventID(t *testing.T, body []byte) string {
	t.Helper()
	var e struct {
		ID string `json:"eventId"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.ID == "" {
		t.Fatalf("what left as an event has no eventId (%v): %.200s", err, body)
	}
	return e.ID
}

// auditIDs counts how often each audit event was delivered.
func auditIDs(t *testing.T, got []delivery) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, d := range got {
		if d.meta["correlate_type"] == "event" && d.meta["oci_source"] == "oci_audit" {
			counts[eventID(t, d.body)]++
		}
	}
	return counts
}

// checkNoneMissing compares delivered ids with what the simulator holds.
func checkNoneMissing(t *testing.T, want []string, got map[string]int) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("the simulator holds no events: nothing was checked")
	}
	var missing []string
	known := make(map[string]bool, len(want))
	for _, id := range want {
		known[id] = true
		if got[id] == 0 {
			missing = append(missing, id)
		}
	}
	var invented []string
	for id := range got {
		if !known[id] {
			invented = append(invented, id)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d of %d events are missing, such as %s", len(missing), len(want), missing[0])
	}
	if len(invented) > 0 {
		t.Errorf("%d events were delivered that the simulator does not hold, such as %s", len(invented), invented[0])
	}
}

// checkOnce says that nothing was delivered twice.
func checkOnce(t *testing.T, got map[string]int) {
	t.Helper()
	var twice []string
	for id, n := range got {
		if n > 1 {
			twice = append(twice, id)
		}
	}
	if len(twice) > 0 {
		t.Errorf("%d events were delivered more than once, such as %s", len(twice), twice[0])
	}
}

// settled is an incident as it is in the end.
type settled struct {
	Rule, Key   string
	Count       int64
	First, Last int64
}

// String is for reading differences.
func (s settled) String() string {
	return fmt.Sprintf("%s %s count=%d first=%d last=%d", s.Rule, s.Key, s.Count, s.First, s.Last)
}

// incidentDoc is the part of an incident's document that the tests read.
type incidentDoc struct {
	ClassUID    int   `json:"class_uid"`
	Count       int64 `json:"count"`
	FindingInfo struct {
		UID       string `json:"uid"`
		Title     string `json:"title"`
		FirstSeen int64  `json:"first_seen_time"`
		LastSeen  int64  `json:"last_seen_time"`
	} `json:"finding_info"`
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
	Unmapped map[string]any `json:"unmapped"`
}

// settledSet takes the newest revision of each incident, by id.
func settledSet(t *testing.T, got []delivery) map[string]settled {
	t.Helper()
	set := map[string]settled{}
	newest := map[string]int64{}
	for _, d := range got {
		if d.meta["correlate_type"] != "incident" {
			continue
		}
		id := d.meta["incident_id"]
		revision, err := strconv.ParseInt(d.meta["incident_revision"], 10, 64)
		if err != nil {
			t.Fatalf("incident %s has the revision %q", id, d.meta["incident_revision"])
		}
		if seen, ok := newest[id]; ok && seen > revision {
			continue
		}
		newest[id] = revision
		var doc incidentDoc
		if err := json.Unmarshal(d.body, &doc); err != nil {
			t.Fatalf("reading incident %s: %v", id, err)
		}
		key, err := json.Marshal(doc.Unmapped["key"])
		if err != nil {
			t.Fatal(err)
		}
		set[id] = settled{
			Rule: d.meta["incident_rule"], Key: string(key), Count: doc.Count,
			First: doc.FindingInfo.FirstSeen, Last: doc.FindingInfo.LastSeen,
		}
	}
	return set
}

// checkSameSet compares the settled sets of two runs.
func checkSameSet(t *testing.T, want, got map[string]settled) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("the quiet run raised no incident: nothing was compared")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settled set differs from the quiet run's (-want +got):\n%s", diff)
	}
}

// ruleCounts gives the number of incidents of each rule, as `rule=n` joined by spaces.
func ruleCounts(set map[string]settled) string {
	counts := map[string]int{}
	for _, s := range set {
		counts[s.Rule]++
	}
	var all []string
	for rule, n := range counts {
		all = append(all, fmt.Sprintf("%s=%d", rule, n))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// incidentID gives the id in an incident's document.
func incidentID(t *testing.T, body []byte) string {
	t.Helper()
	var doc incidentDoc
	if err := json.Unmarshal(body, &doc); err != nil || doc.Metadata.UID == "" {
		t.Fatalf("what left as an incident has no metadata.uid (%v): %.200s", err, body)
	}
	return doc.Metadata.UID
}

// checkSameIDs says that each incident of a quiet run arrived exactly once, and no other.
func checkSameIDs(t *testing.T, want map[string]settled, got map[string]int) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("the quiet run raised no incident: nothing was compared")
	}
	for id, s := range want {
		if got[id] != 1 {
			t.Errorf("incident %s (%s) arrived %d times, want once", id, s, got[id])
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("incident %s arrived, which the quiet run did not raise", id)
		}
	}
}

// problemID gives the id of a raw Cloud Guard problem.
func problemID(t *testing.T, body []byte) string {
	t.Helper()
	var p struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.ID == "" {
		t.Fatalf("what left as a problem has no id (%v): %.200s", err, body)
	}
	return p.ID
}
