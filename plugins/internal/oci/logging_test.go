package oci

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

const row = `{"data":{"datetime":1763546400123,"logContent":{"data":{"x":[1,{"y":"],\"}"}]},"id":"a","oracle":{"compartmentid":"c"},"time":"2025-11-19T10:00:00.123Z"}}}`

func TestRowsAreCutWithoutBeingDecoded(t *testing.T) {
	at := time.UnixMilli(1763546400123).UTC()
	for _, tt := range []struct {
		name, row, id string
		time          time.Time
		bad           bool
	}{
		{name: "whole", row: row, id: "a", time: at},
		{name: "without a time of its own", row: `{"data":{"datetime":1763546400123,"logContent":{"id":"a"}}}`, id: "a", time: at},
		{name: "projected", row: `{"data":{"datetime":1763546400123,"type":"x"}}`, time: at},
		{name: "counted", row: `{"data":{"count":7}}`},
		{name: "a time that is none", row: `{"data":{"datetime":"soon","logContent":{"id":"a","time":7}}}`, id: "a", bad: true},
		{name: "a time of another form", row: `{"data":{"datetime":1763546400123,"logContent":{"id":"a","time":"20.11.2026 10:00"}}}`, id: "a", time: at, bad: true},
		{name: "without an id", row: `{"data":{"datetime":1763546400123,"logContent":{"type":"x"}}}`, time: at, bad: true},
		{name: "an id that is a number", row: `{"data":{"datetime":1763546400123,"logContent":{"id":7}}}`, time: at, bad: true},
		{name: "content that is a text", row: `{"data":{"datetime":1763546400123,"logContent":"x"}}`, time: at, bad: true},
		{name: "without data", row: `{"id":"a"}`, bad: true},
		{name: "null", row: `null`, bad: true},
		{name: "a control character", row: strings.Replace(row, `"x":`, "\"\x01\":", 1), id: "a", time: at, bad: true},
	} {
		items, err := rows([]byte(`{"summary":{"resultCount":3},"results":[` + row + `, ` + tt.row + ` ,` + row + `],"fields":[]}`))
		if err != nil || len(items) != 3 || items[0].ID != "a" || items[2].ID != "a" || items[2].Err != nil {
			t.Errorf("%s: got %+v, %v; want 3 rows, the others whole", tt.name, items, err)
			continue
		}
		got := items[1]
		if got.ID != tt.id || !got.Time.Equal(tt.time) || (got.Err != nil) != tt.bad {
			t.Errorf("%s: got id %q, time %s, error %v; want %q, %s, an error: %v", tt.name, got.ID, got.Time, got.Err, tt.id, tt.time, tt.bad)
		}
		if !strings.Contains(tt.row, string(got.Raw)) || !strings.Contains(tt.row, string(got.Content)) {
			t.Errorf("%s: got %s, %s: want bytes of the row", tt.name, got.Raw, got.Content)
		}
	}
	if items, _ := rows([]byte(`{"results":[` + row + `]}`)); items[0].Compartment != "c" || !strings.HasPrefix(string(items[0].Content), `{"data":{"x"`) || !strings.HasPrefix(string(items[0].Raw), `{"datetime"`) {
		t.Errorf("got %+v", items[0])
	}
}

func TestSearchWithoutAListHasFoundNothing(t *testing.T) {
	for body, bad := range map[string]bool{
		`{"summary":{"resultCount":0}}`: false, `{"results":null}`: false, `{"results":[]}`: false,
		`[]`: true, `<html>`: true, `{"results":[`: true, `{"results":{}}`: true,
	} {
		items, err := rows([]byte(body))
		if len(items) != 0 || (err != nil) != bad {
			t.Errorf("%s: got %d rows, %v; want none, an error: %v", body, len(items), err, bad)
		}
	}
}

// FuzzRows holds that no body panics, and that each row is bytes of the body.
func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"results":[` + row + `]}`))
	f.Add([]byte(`{"results":[{"data":{"logContent":{"id":`))
	f.Add([]byte(`{"results":[{"data":7},null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := rows(body)
		if err != nil && len(items) > 0 {
			t.Errorf("got %d rows beside %v", len(items), err)
		}
		for _, item := range items {
			if !bytes.Contains(body, item.Raw) {
				t.Errorf("row %q is not in the body", item.Raw)
			}
		}
	})
}

func TestSearchesAreSignedAndPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{Events: 2500, Users: 20, NoStories: true})
		c := client(t, options(sim))
		first := sim.Truth().Events[0]
		q := SearchQuery{
			Name: "all", Region: first.Region, Text: `search "` + c.Tenancy() + `/_Audit_Include_Subcompartment"`, Audit: true,
			Start: first.Time.Add(-time.Hour), End: first.Time.Add(48 * time.Hour),
		}
		got, pages := map[string]bool{}, 0
		for {
			page, err := c.SearchLogs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, item := range page.Items {
				if item.Err != nil || item.Compartment == "" || item.Content == nil {
					t.Fatalf("got %+v", item)
				}
				got[item.ID] = true
			}
			if q.Page = page.Next; q.Page == "" {
				break
			}
		}
		want := 0
		for _, e := range sim.Truth().Events {
			if e.Region == first.Region && !e.Ingested.After(time.Now()) {
				want++
				if !got[e.ID] {
					t.Fatalf("event %s was not found", e.ID)
				}
			}
		}
		if len(got) != want || pages < 2 {
			t.Errorf("got %d events in %d pages, want %d in at least 2", len(got), pages, want)
		}
	})
}

func TestRefusedSearchesSayWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{})
		root := sim.Tenancies()[0].OCID
		sim.Deny(ocisim.Denial{Permission: ocisim.ReadLogContent})
		for _, tt := range []struct {
			query SearchQuery
			kind  Kind
			want  []string
		}{
			{SearchQuery{Name: "broken", Text: `search "` + root + `" | where`}, BadRequest, []string{`the query "broken"`, "400 InvalidParameter", "searchQuery: it ends where", "correct its search"}},
			{SearchQuery{Name: "signins", Text: `search "` + root + `/_Audit"`, Audit: true}, NoPermission, []string{`the query "signins"`, "to read log-content in tenancy", "to read audit-events in tenancy"}},
			{SearchQuery{Name: "flows", Text: `search "` + root + `"`}, NoPermission, []string{`the query "flows"`, "to read log-content in tenancy"}},
		} {
			tt.query.End = time.Now()
			tt.query.Start = tt.query.End.Add(-time.Hour)
			calls := sim.Count("SearchLogs", 0)
			_, err := client(t, options(sim)).SearchLogs(t.Context(), tt.query)
			if KindOf(err) != tt.kind {
				t.Errorf("%s: got %v of kind %q, want %q", tt.query.Name, err, KindOf(err), tt.kind)
				continue
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %q, want it to say %q", tt.query.Name, err, want)
				}
			}
			if tt.query.Name == "flows" && strings.Contains(err.Error(), "audit-events") {
				t.Errorf("got %q, want no word of a permission that the query does not need", err)
			}
			if !strings.Contains(Where(err), tt.query.Name) {
				t.Errorf("got %q as where it failed, want the query's name in it", Where(err))
			}
			if n := sim.Count("SearchLogs", 0) - calls; n != 1 {
				t.Errorf("%s: %d requests, want 1: it is refused for good", tt.query.Name, n)
			}
		}
	})
}

func TestThrottledSearchesAreTriedAgainWithAWholeBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{})
		sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusTooManyRequests, Times: 1, RetryAfter: 7 * time.Second})
		began := time.Now()
		q := SearchQuery{Name: "all", Text: `search "` + sim.Tenancies()[0].OCID + `"`, Start: began.Add(-time.Hour), End: began}
		if _, err := client(t, options(sim)).SearchLogs(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 7*time.Second || sim.Count("SearchLogs", 0) != 2 {
			t.Errorf("took %s and %d requests, want 2, the second when it was told", took, sim.Count("SearchLogs", 0))
		}
	})
}

func TestCheckOfSearchesTellsThePermissionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			denied []string
			query  string
			bad    string
		}{
			{name: "nothing is missing"},
			{name: "log content", denied: []string{ocisim.ReadLogContent}, bad: "read log-content"},
			{name: "regions", denied: []string{ocisim.InspectTenancies}, bad: "inspect tenancies"},
			{name: "the query is wrong", query: "search", bad: "queries"},
			{name: "audit events", denied: []string{ocisim.ReadAuditEvents}, bad: "read audit-events, read log-content"},
		} {
			sim := simulate(t, ocisim.Config{})
			root := sim.Tenancies()[0].OCID
			for _, p := range tt.denied {
				sim.Deny(ocisim.Denial{Permission: p})
			}
			if tt.query == "" {
				tt.query = `search "` + root + `/_Audit"`
			}
			report := CheckLogging(t.Context(), func() (*Client, error) { return New(options(sim)) }, LoggingScope{
				Listed: true, Audited: []string{root},
				Queries: func(regions []string) (all []SearchQuery) {
					for _, region := range regions {
						all = append(all, SearchQuery{Name: "q", Region: region, Text: tt.query, Audit: true})
					}
					return all
				},
			})
			var bad []string
			for _, s := range report.Steps {
				if s.Name == queriesStep && tt.bad == "" && s.Detail != "1 accepted in 2 regions" {
					t.Errorf("%s: got %q of the queries, want 1 accepted in 2 regions", tt.name, s.Detail)
				}
				if s.Err != nil {
					bad = append(bad, s.Name)
				}
			}
			if got := strings.Join(bad, ", "); got != tt.bad || report.OK() != (tt.bad == "") {
				t.Errorf("%s: got %q as what is bad, want %q: %+v", tt.name, got, tt.bad, report.Steps)
			}
		}
		wrong := CheckLogging(t.Context(), func() (*Client, error) { return nil, &Error{Kind: BadConfig, Sentence: "no key"} }, LoggingScope{})
		if wrong.OK() || len(wrong.Steps) != 5 {
			t.Errorf("without a client: got %+v", wrong.Steps)
		}
	})
}
