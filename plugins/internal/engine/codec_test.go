package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// filled gives a record of a rule of two patterns with entries, an incident and rows of its own.
func filled(t testing.TB, entries int) (*plan, *testStore) {
	t.Helper()
	r := parseRule(t, "window: 1h\npatterns: {a: {match: {unmapped.p: a}, having: count() >= 2}, b: {match: {unmapped.p: b}}}\n"+
		"when: a then b\nincident: {title: '{a.unmapped.v} {b.unmapped.v}', per: 1h}")
	store := newStore()
	e, err := New(context.Background(), Options{Rules: []*rule.Rule{r}, Store: store, Lateness: 24 * time.Hour, Emit: EmitOptions{Create: true}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		names := "a"
		if i%7 == 6 {
			names = "b"
		}
		ev := eventOf(t, []string{fmt.Sprintf("%ds", i), fmt.Sprintf("e%d", i), names, "x", fmt.Sprintf("v=%d", i)})
		if _, err := e.Observe(context.Background(), []*event.Event{ev}); err != nil {
			t.Fatal(err)
		}
	}
	return e.rules.Load().plans[0], store
}

func TestRecordSurvivesEncoding(t *testing.T) {
	for _, entries := range []int{1, 10, chunkSize - 1, chunkSize, 3*chunkSize + 5} {
		t.Run(strconv.Itoa(entries), func(t *testing.T) {
			p, store := filled(t, entries)
			e, err := New(context.Background(), Options{Rules: []*rule.Rule{p.rule}, Store: store, Emit: EmitOptions{Create: true}})
			if err != nil {
				t.Fatal(err)
			}
			list := []wanted{{id: recordID{sum: sumOf("t1", []any{"x"}, 0)}, plan: p}}
			l := e.lock(allShards)
			defer l.unlock()
			if err := l.load(context.Background(), list); err != nil {
				t.Fatal(err)
			}
			r := list[0].record
			if r.series.Len() != entries || len(r.chunks.rows) != entries/chunkSize {
				t.Fatalf("%d entries in %d rows, want %d in %d", r.series.Len(), len(r.chunks.rows), entries, entries/chunkSize)
			}
			if diff := gocmp.Diff(store.rows[r.row()], r.encode(new(window.Encoder))); diff != "" {
				t.Errorf("encoded again it is another row (-saved +again)\n%s", diff)
			}
			for _, row := range r.chunks.rows {
				if diff := gocmp.Diff(store.rows[r.chunkKey(row.number)], r.encodeChunk(new(window.Encoder), row)); diff != "" {
					t.Errorf("encoded again row %d is another (-saved +again)\n%s", row.number, diff)
				}
			}
		})
	}
}

// TestSavingAHotKeyWritesAFewRows holds the bytes written for one more event to those of a chunk, however many there are.
func TestSavingAHotKeyWritesAFewRows(t *testing.T) {
	written := func(entries int) int {
		_, store := filled(t, entries)
		before := store.written
		_, store = filled(t, entries+1)
		return store.written - before
	}
	few, many := written(30), written(30+20*chunkSize)
	if many > 2*few {
		t.Errorf("one event writes %d bytes after %d events, and %d after 30", many, 30+20*chunkSize, few)
	}
}

func TestWordsOfARuleMayChangeWithoutItsState(t *testing.T) {
	p, store := filled(t, 3)
	sum := sumOf("t1", []any{"x"}, 0)
	// The same patterns capture other fields, in another order.
	next := *p
	next.captures = [][]string{{"unmapped.k", "unmapped.v"}, {}}
	next.patterns = []patternPlan{{name: "a", index: map[string]int{"unmapped.k": 0, "unmapped.v": 1}}, {name: "b", index: map[string]int{}}}
	r, err := decodeRecord(&next, recordID{sum: sum}, store.rows[rowKey(p.key, sum)])
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range r.series.All() {
		if diff := gocmp.Diff([][]any{{nil, int64(i)}, nil}, e.Values); diff != "" {
			t.Errorf("entry %d (-want +got)\n%s", i, diff)
		}
	}
}

func TestIncidentsOfTheOutboxSurviveEncoding(t *testing.T) {
	want := &incident.Incident{
		ID: "i", Tenancy: "t1", Key: []any{nil, int64(1), 1.5, "k", true}, Slot: 5, Per: time.Hour, Action: incident.Close, Revision: 3,
		Count: 2, First: -1, Last: 1 << 60, Fired: 7, Title: "title", Attributes: map[string]any{"n": int64(1), "list": []any{"a"}},
		Response: []string{"do"}, Truncated: true, IncompleteSources: []string{"s"},
		Evidence: []incident.Evidence{{ID: "e", Time: 1, Pattern: "a", TypeUID: 600301, Product: "OCI Audit", Doc: map[string]any{"actor": map[string]any{"n": int64(5)}}}},
		Rule: &rule.Rule{
			ID: "r", Title: "T", Status: rule.StatusTest, Severity: rule.SeverityLow, Category: "c", Description: "d", Author: "a", Date: "2026",
			References: []string{"x"}, Tags: []string{"attack.impact"}, DataSources: []string{"s"}, FalsePositives: []string{"f"},
			Labels: map[string]string{"team": "iam"}, Scope: rule.ScopeAll, Window: time.Minute, KeyNames: []string{"k"},
			Patterns: []*rule.Pattern{{Name: "p", Tags: []string{"attack.t1485"}}}, StateHash: "h",
		},
	}
	got, err := decodeIncidents(encodeIncidents([]*incident.Incident{want}), &ruleset{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]*incident.Incident{want}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := gocmp.Diff(want.OCSF(), got[0].OCSF()); diff != "" {
		t.Errorf("as OCSF (-want +got)\n%s", diff)
	}
}

// FuzzDecodeRecord reads rows whose checksum is right and whose body is anything.
func FuzzDecodeRecord(f *testing.F) {
	p, store := filled(f, 10)
	for _, row := range store.rows {
		if body, err := window.Open(row); err == nil {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeRecord(p, recordID{}, window.Seal(body))
		if err != nil {
			if !errors.Is(err, window.ErrCorrupt) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		for _, row := range r.chunks.rows {
			_ = r.readChunk(row, window.Seal(body)) // must not panic
		}
		r.rebuild()
		r.settle(int64(zero), event.MinTime, nil)
		r.prune(int64(zero), EmitOptions{Close: true}, true)
		r.encode(new(window.Encoder))
		if _, err := decodeIncidents(window.Seal(body), &ruleset{}); err != nil && !errors.Is(err, window.ErrCorrupt) {
			t.Fatalf("an error of another kind: %v", err)
		}
	})
}
