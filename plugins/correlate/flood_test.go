package correlate

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/bolt"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
)

var noon = event.TimeOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))

// fired is the first message of an incident, so many minutes after noon.
func fired(of, id, tenancy string, minutes int) *incident.Incident {
	at := noon.Add(time.Duration(minutes) * time.Minute)
	return &incident.Incident{
		ID: id, Tenancy: tenancy, Revision: 1, Action: incident.Create, Fired: at, First: at, Last: at, Count: 1,
		Rule: &rule.Rule{ID: of, Severity: rule.SeverityLow, Labels: map[string]string{"team": "iam"}},
	}
}

// guarded gives what a guard lets through, one incident at a time: their ids, and what reports say.
func guarded(f *flood, dropped map[string]int, list ...*incident.Incident) []string {
	var out []string
	for _, inc := range list {
		for _, left := range f.pass([]*incident.Incident{inc}, func(rule string) { dropped[rule]++ }) {
			if left.Rule.ID == floodTemplate.ID {
				out = append(out, fmt.Sprintf("%s %s %s: %d", left.Action, left.Tenancy, left.Key[0], left.Count))
				continue
			}
			out = append(out, left.ID)
		}
	}
	return out
}

func TestFloodIsHeldBackAndReported(t *testing.T) {
	f := newFlood(2, 0, time.Hour)
	dropped := map[string]int{}
	var list []*incident.Incident
	for i := range 7 {
		list = append(list, fired("a", fmt.Sprintf("a%d", i), "t1", i))
	}
	list = append(list, fired("b", "b0", "t1", 59), fired("a", "other", "t2", 0), fired("a", "late", "t1", 59), fired("a", "next", "t1", 60))
	want := []string{"a0", "a1", "create t1 a: 1", "update t1 a: 2", "update t1 a: 4", "b0", "other", "next"}
	if diff := cmp.Diff(want, guarded(f, dropped, list...)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a": 6}, dropped); diff != "" {
		t.Errorf("what was counted (-want +got)\n%s", diff)
	}
}

func TestFloodOfAllRulesIsHeldBack(t *testing.T) {
	f := newFlood(0, 2, time.Hour)
	got := guarded(f, map[string]int{}, fired("a", "a0", "t1", 0), fired("b", "b0", "t1", 0), fired("c", "c0", "t1", 0), fired("a", "a1", "t1", 0))
	if diff := cmp.Diff([]string{"a0", "b0", "create t1 c: 1", "create t1 a: 1"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestFloodTreatsWhatComesAgainAsBefore is about events that were rejected downstream: they bring their incidents again.
func TestFloodTreatsWhatComesAgainAsBefore(t *testing.T) {
	f := newFlood(1, 0, time.Hour)
	list := []*incident.Incident{fired("a", "a0", "t1", 0), fired("a", "a1", "t1", 1)}
	first := guarded(f, map[string]int{}, list...)
	if diff := cmp.Diff(first, guarded(f, map[string]int{}, list...)); diff != "" {
		t.Errorf("(-first +again)\n%s", diff)
	}
	updated := fired("a", "a0", "t1", 0)
	updated.Revision = 2
	if diff := cmp.Diff([]string{"update t1 a: 2"}, guarded(f, map[string]int{}, updated)); diff != "" {
		t.Errorf("a further message is another (-want +got)\n%s", diff)
	}
}

// TestFloodReportGoesOnAfterARestart restarts in the middle of a flood: as many messages leave again, as they may never have been delivered,
// and the report counts on, with growing revisions.
func TestFloodReportGoesOnAfterARestart(t *testing.T) {
	store := &boltStore{store: temporary(t), prefix: "p/", life: &lifetime{}}
	var list []*incident.Incident
	for i := range 4 {
		list = append(list, fired("a", fmt.Sprintf("a%d", i), "t1", i))
	}
	want := [][]string{
		{"a0", "create t1 a: 1", "update t1 a: 2"},
		{"a0", "update t1 a: 4"},
		{"a0"}, // it went on at 4, and the next report is of 8
	}
	revision := int64(0)
	for run, want := range want {
		f := newFlood(1, 0, time.Hour)
		if err := f.resume(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, guarded(f, map[string]int{}, list...)); diff != "" {
			t.Errorf("run %d (-want +got)\n%s", run, diff)
		}
		r := f.spans[f.span(list[0])].rules["a"]
		if r.revision < revision {
			t.Errorf("run %d: revision %d, want at least %d", run, r.revision, revision)
		}
		revision = r.revision
		if got := f.report("t1", noon, r).Rule.Labels["team"]; got != "iam" {
			t.Errorf("run %d: the report goes to %q, want iam", run, got)
		}
	}
	if err := (*flood)(nil).resume(t.Context(), store); err != nil {
		t.Error(err)
	}
}

func temporary(t *testing.T) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(bolt.Options{Temporary: true, Bucket: "b"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestFloodKeepsSoManySpans(t *testing.T) {
	f := newFlood(1, 0, time.Hour)
	for i := range maxSpans + 10 {
		guarded(f, map[string]int{}, fired("a", strconv.Itoa(i), "t1", 60*i))
	}
	if len(f.spans) != maxSpans {
		t.Errorf("got %d spans, want %d", len(f.spans), maxSpans)
	}
}

func TestNoBoundsHoldNothingBack(t *testing.T) {
	list := []*incident.Incident{fired("a", "a0", "t1", 0)}
	if got := newFlood(0, 0, time.Hour).pass(list, nil); len(got) != 1 {
		t.Errorf("got %d messages, want 1", len(got))
	}
}

func TestFloodGuardOfTheConfigHoldsBack(t *testing.T) {
	s := newSite(t, "flood_guard: {per_rule: 1}")
	s.write("site-each.yaml", "id: site-each\ntitle: Each\nseverity: low\ndescription: Detects one.\nmatch: {class_uid: 6003}\ngroup_by: [metadata.uid]\n")
	s.later()
	got := s.titles("e1", "e2")
	want := []string{
		"1 messages of incidents of site-each were held back: more than 1 of a rule are let through in 1h0m0s", "Each", "Two of them",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
