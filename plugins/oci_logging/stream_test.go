package ocilogging

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/ocisim"
)

// TestStreamSearchesASimulatedTenancyOverHTTP runs a whole Benthos stream against a server on this machine.
func TestStreamSearchesASimulatedTenancyOverHTTP(t *testing.T) {
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	sim, err := ocisim.New(ocisim.Config{Start: end.Add(-24 * time.Hour), End: end, Events: 3000, Compartments: 5})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	builder := service.NewStreamBuilder()
	if err := builder.SetLoggerYAML("level: none"); err != nil {
		t.Fatal(err)
	}
	if err := builder.AddInputYAML(fmt.Sprintf(`
label: logging
oci_logging:
    %s
    queries:
      - name: all
        search: search "%s/_Audit_Include_Subcompartment"
    start: %s
    end: %s
    max_requests_per_second: 10000
    checkpoint_cache: state
`, strings.ReplaceAll(strings.TrimSpace(sim.ConfigBlock(server.URL, 0)), "\n", "\n    "), sim.Tenancies()[0].OCID,
		end.Add(-25*time.Hour).Format(time.RFC3339), end.Add(time.Hour).Format(time.RFC3339))); err != nil {
		t.Fatal(err)
	}
	if err := builder.AddCacheYAML("label: state\nmemory: {}"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got := map[string]int{}
	if err := builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range batch {
			raw, err := m.AsBytes()
			if err != nil {
				return err
			}
			got[idOf(raw)]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stream, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := stream.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, e := range sim.Truth().Events {
		if got[e.ID] != 1 {
			t.Fatalf("record %s left %d times, want once", e.ID, got[e.ID])
		}
	}
	if len(got) != len(sim.Truth().Events) {
		t.Errorf("got %d records, want %d", len(got), len(sim.Truth().Events))
	}
}

// TestConnectionTestNamesWhatIsMissing runs the test of the connection as the command line does.
func TestConnectionTestNamesWhatIsMissing(t *testing.T) {
	for _, tt := range []struct{ name, denied, search, want string }{
		{name: "nothing"},
		{name: "log content", denied: ocisim.ReadLogContent, want: "read log-content in tenancy"},
		{name: "audit events", denied: ocisim.ReadAuditEvents, want: "read audit-events in tenancy"},
		{name: "regions", denied: ocisim.InspectTenancies, want: "inspect tenancies in tenancy"},
		{name: "sense", search: `search "x" | where`, want: "correct its search"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim, err := ocisim.New(ocisim.Config{Events: 20, NoStories: true, Users: 5})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(sim)
			defer server.Close()
			if tt.denied != "" {
				sim.Deny(ocisim.Denial{Permission: tt.denied})
			}
			if tt.search == "" {
				tt.search = `search "` + sim.Tenancies()[0].OCID + `/_Audit"`
			}
			parsed, err := Spec().ParseYAML(sim.ConfigBlock(server.URL, 0)+"queries:\n"+queryYAML("q", tt.search, ""), nil)
			if err != nil {
				t.Fatal(err)
			}
			report, err := Check(t.Context(), parsed)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, step := range report.Steps {
				if step.Err != nil {
					said += step.Err.Error()
				}
			}
			if report.OK() != (tt.want == "") || !strings.Contains(said, tt.want) {
				t.Errorf("got OK %v and %q, want %q in it", report.OK(), said, tt.want)
			}
			c, err := parse(parsed)
			if err != nil {
				t.Fatal(err)
			}
			in, err := newInput(c, service.MockResources())
			if err != nil {
				t.Fatal(err)
			}
			testable, ok := ocifields.Retrying(in).(service.ConnectionTestable)
			if !ok {
				t.Fatal("the input cannot be tested")
			}
			failed := ""
			for _, one := range testable.ConnectionTest(t.Context()) {
				if one.Err != nil {
					failed += one.Err.Error()
				}
			}
			if (failed == "") != (tt.want == "") || !strings.Contains(failed, tt.want) {
				t.Errorf("the test of the connection says %q, want %q in it", failed, tt.want)
			}
		})
	}
}
