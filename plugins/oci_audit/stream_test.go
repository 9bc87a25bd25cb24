package ociaudit

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

// TestStreamReadsASimulatedTenancyOverHTTP runs a whole Benthos stream against a server on this machine.
func TestStreamReadsASimulatedTenancyOverHTTP(t *testing.T) {
	events := 3000
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	sim, err := ocisim.New(ocisim.Config{Start: end.Add(-24 * time.Hour), End: end, Events: events, Compartments: 5, PageSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	block := strings.ReplaceAll(strings.TrimSpace(sim.ConfigBlock(server.URL, 0)), "\n", "\n    ")
	builder := service.NewStreamBuilder()
	if err := builder.SetLoggerYAML("level: none"); err != nil {
		t.Fatal(err)
	}
	if err := builder.AddInputYAML(fmt.Sprintf(`
label: audit
oci_audit:
    %s
    start: %s
    end: %s
    max_requests_per_second: 10000
    checkpoint_cache: state
`, block, end.Add(-25*time.Hour).Format(time.RFC3339), end.Add(time.Hour).Format(time.RFC3339))); err != nil {
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
			_, rest, _ := strings.Cut(string(raw), `"eventId":"`)
			id, _, _ := strings.Cut(rest, `"`)
			got[id]++
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
	began := time.Now()
	if err := stream.Run(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events in %s", len(got), time.Since(began).Round(time.Millisecond))
	for _, e := range sim.Truth().Events {
		if got[e.ID] != 1 {
			t.Fatalf("event %s left %d times, want once", e.ID, got[e.ID])
		}
	}
}

// TestConnectionTestNamesWhatIsMissing runs the test of the connection as the command line does.
func TestConnectionTestNamesWhatIsMissing(t *testing.T) {
	sim, err := ocisim.New(ocisim.Config{Events: 20, NoStories: true, Users: 5})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	for _, denied := range []string{"", ocisim.ReadAuditEvents} {
		if denied != "" {
			sim.Deny(ocisim.Denial{Permission: denied})
		}
		parsed, err := Spec().ParseYAML(sim.ConfigBlock(server.URL, 0), nil)
		if err != nil {
			t.Fatal(err)
		}
		report, err := Check(t.Context(), parsed)
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() != (denied == "") {
			t.Errorf("without %q: got OK %v, steps %+v", denied, report.OK(), report.Steps)
		}
		c, err := parse(parsed)
		if err != nil {
			t.Fatal(err)
		}
		in, err := newInput(c, service.MockResources())
		if err != nil {
			t.Fatal(err)
		}
		results := retrying(in).(service.ConnectionTestable).ConnectionTest(t.Context())
		failed := ""
		for _, one := range results {
			if one.Err != nil {
				failed += one.Err.Error()
			}
		}
		if strings.Contains(failed, "Allow group") != (denied != "") || len(results) == 0 {
			t.Errorf("without %q: got %q", denied, failed)
		}
	}
}
