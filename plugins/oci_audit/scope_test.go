package ociaudit

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/ocisim"
)

// hider leaves compartments out of the list until they are to be found.
type hider struct {
	next http.RoundTripper
	mu   sync.Mutex
	id   string // mu
}

func (h *hider) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.next.RoundTrip(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, "/compartments") {
		return resp, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return cutList(resp, func(one map[string]any) bool { return one["id"] != h.id })
}

// cutList leaves only some items in the list of an answer.
func cutList(resp *http.Response, keep func(map[string]any) bool) (*http.Response, error) {
	var list, kept []map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, err
	}
	resp.Body.Close()
	for _, one := range list {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	body, err := json.Marshal(kept)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func TestLaterCompartmentBeginsAtTheLastListingBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := newRig(t, ocisim.Config{
			Start: now.Truncate(time.Minute), End: now.Add(6 * time.Hour).Truncate(time.Minute), Events: 1000, Compartments: 2, Users: 20, NoStories: true,
		}, "start: -1h\n")
		hidden := ""
		for _, e := range r.sim.Truth().Events {
			if e.Compartment != e.Tenancy {
				hidden = e.Compartment
				break
			}
		}
		h := &hider{id: hidden}
		r.via = func(next http.RoundTripper) http.RoundTripper {
			h.next = next
			return h
		}
		in, got := r.input("poll_interval: 15m\ncompartments:\n  refresh: 1h\n"), newInbox()
		var before, begins time.Time
		go func() {
			time.Sleep(2*time.Hour + 30*time.Minute)
			before = r.ledger().Refreshed
			h.mu.Lock()
			h.id = ""
			h.mu.Unlock()
			time.Sleep(40 * time.Minute)
			if strings.Contains(r.positions(), hidden) {
				begins = r.ledger().Refreshed
			}
		}()
		r.drainFor(in, got, 7*time.Hour+10*time.Minute)
		r.close(in)
		if begins.IsZero() {
			t.Fatal("the compartment was not found")
		}
		from := before.Add(-15 * time.Minute).Truncate(time.Minute)
		for _, e := range r.sim.Truth().Events {
			want := 1
			if e.Compartment == hidden && e.Processed.Before(from) {
				want = 0
			}
			if got.ids[e.ID] != want {
				t.Fatalf("event processed at %s left %d times, want %d: the compartment's reading begins at %s", e.Processed, got.ids[e.ID], want, from)
			}
		}
	})
}

func TestCompartmentsAreChosen(t *testing.T) {
	tree := []oci.Compartment{{ID: "root"}, {ID: "a", Parent: "root"}, {ID: "a1", Parent: "a"}, {ID: "b", Parent: "root"}, {ID: "gone", Parent: "b", Deleted: true}, {ID: "circle", Parent: "circle"}}
	for _, tt := range []struct {
		name             string
		include, exclude []string
		subtree          bool
		want             string
	}{
		{"all", nil, nil, true, "root a a1 b gone circle"},
		{"without a branch", nil, []string{"a"}, true, "root b gone circle"},
		{"without one", nil, []string{"a"}, false, "root a1 b gone circle"},
		{"a branch", []string{"a"}, nil, true, "a a1"},
		{"one", []string{"a"}, nil, false, "a"},
		{"a branch without a twig", []string{"a", "b"}, []string{"a1"}, true, "a b gone"},
		{"one that is not listed", []string{"x"}, nil, true, "x"},
		{"root only", []string{"root"}, nil, false, "root"},
	} {
		var got []string
		for _, one := range (config{include: tt.include, exclude: tt.exclude, subtree: tt.subtree}).chosen(tree) {
			got = append(got, one.ID)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, s, tt.want)
		}
	}
}

func TestNamedCompartmentsNeedNoList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		r.sim.Deny(ocisim.Denial{Permission: ocisim.InspectCompartments})
		r.sim.Deny(ocisim.Denial{Permission: ocisim.InspectTenancies})
		one := r.sim.Truth().Events[0]
		in, got := r.input("regions: [ "+one.Region+" ]\ncompartments: { include: [ "+one.Compartment+" ], subtree: false }\n"), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		want := 0
		for _, e := range r.sim.Truth().Events {
			if e.Region == one.Region && e.Compartment == one.Compartment {
				want++
			}
		}
		if got.count() != want {
			t.Errorf("got %d events, want %d", got.count(), want)
		}
	})
}

func TestDeletedCompartmentThatIsRefusedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		ctx := t.Context()
		client, err := oci.New(oci.Options{Auth: r.config("").Auth, Transport: r.sim.RoundTripper()})
		if err != nil {
			t.Fatal(err)
		}
		compartments, err := client.Compartments(ctx)
		if err != nil {
			t.Fatal(err)
		}
		deleted := ""
		for _, one := range compartments {
			if one.Deleted {
				deleted = one.ID
			}
		}
		r.sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: deleted})
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		for _, e := range r.sim.Truth().Events {
			want := 1
			if e.Compartment == deleted {
				want = 0
			}
			if got.ids[e.ID] != want {
				t.Fatalf("event of compartment %s left %d times, want %d", e.Compartment, got.ids[e.ID], want)
			}
		}
		if n := r.log.Count("was deleted, and Oracle refuses"); n != 2 {
			t.Errorf("got %d lines about the deleted compartment, want one a region:\n%s", n, r.log)
		}
		if n := r.log.Count("level=ERROR"); n != 0 {
			t.Errorf("got %d errors, want none:\n%s", n, r.log)
		}
	})
}
