package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

// pollers are the inputs that ask Oracle's APIs again and again.
var pollers = []string{"oci_audit", "oci_cloudguard", "oci_logging", "oci_streaming"}

// twoTenancies simulates the last hours of two tenancies, and gives live inputs for both.
func twoTenancies(t *testing.T) (*world, []map[string]any) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Minute)
	w := newWorld(t, func(c *ocisim.Config) {
		c.Tenancies, c.Compartments, c.Users, c.Events, c.Problems = 2, 2, 20, 600, 8
		c.Regions = []string{"eu-frankfurt-1"}
		c.Start, c.End, c.NoStories = now.Add(-3*time.Hour), now.Add(-time.Hour), true
	})
	var inputs []map[string]any
	for n := range 2 {
		for _, component := range pollers {
			inputs = append(inputs, w.poller(component, n))
		}
	}
	return w, inputs
}

// poller gives an input that goes on reading what happened in the last hours.
func (w *world) poller(component string, tenancy int) map[string]any {
	in := w.input(component, tenancy)
	fields, _ := in[component].(map[string]any)
	delete(fields, "end")
	fields["start"], fields["poll_interval"] = "-4h", "1s"
	where := w.sim.Tenancies()[tenancy]
	switch component {
	case "oci_logging":
		fields["queries"] = []any{map[string]any{"name": "audit", "search": fmt.Sprintf(`search "%s/_Audit_Include_Subcompartment"`, where.OCID)}}
	case "oci_streaming":
		delete(fields, "start")
		delete(fields, "checkpoint_cache")
		fields["stream_id"], fields["group"] = w.sim.Stream(tenancy, where.Home, ocisim.AuditStream).OCID, "siem"
	}
	return in
}

// labels are those of the inputs of a tenancy.
func labels(tenancy int) []string {
	var all []string
	for _, component := range pollers {
		all = append(all, fmt.Sprintf("%s_%d", strings.TrimPrefix(component, "oci_"), tenancy))
	}
	return all
}

// TestTroubleOfOneTenancyIsNotTheOthers lets everything go wrong in one tenancy that can, from the start on.
func TestTroubleOfOneTenancyIsNotTheOthers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trouble func(w *world, ill string)
		said    string
		metric  string // what is counted of it
	}{
		{"bad key", func(w *world, _ string) { _, _ = w.sim.RotateKey(0) }, "401", "requests_total"},
		{"throttled", func(w *world, ill string) {
			w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusTooManyRequests, Tenancy: ill, RetryAfter: time.Second})
		}, "throttled", "throttles_total"},
		{"outage", func(w *world, ill string) {
			w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusServiceUnavailable, Tenancy: ill})
		}, "503", "retries_total"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, inputs := twoTenancies(t)
			ill, well := w.sim.Tenancies()[0].OCID, w.sim.Tenancies()[1].OCID
			tt.trouble(w, ill)
			dir := t.TempDir()
			s := serve(t, pipeline{
				inputs: inputs, state: filepath.Join(dir, "state.db"),
				output: map[string]any{"file": map[string]any{"path": filepath.Join(dir, "out.jsonl"), "codec": "lines"}},
			}.yaml(t))

			want := map[string]float64{}
			for _, e := range w.sim.Truth().Events {
				if e.Tenancy == well {
					want["oci_audit"]++
					want["oci_logging"]++
					want["oci_streaming"]++
				}
			}
			for _, p := range w.sim.Truth().Problems {
				if p.Tenancy == well {
					want["oci_cloudguard"]++
				}
			}
			// What /ready and /metrics say is judged as it was when it was all there: later it is another moment's.
			var code int
			var said map[string]connection
			var all []series
			eventually(t, soon, "everything of the tenancy that is well, and the other disconnected", func() bool {
				code, said = s.ready(t)
				all = s.metrics(t)
				for component, n := range want {
					if sum(all, component+"_events_total", map[string]string{"tenancy": well}) < n {
						return false
					}
				}
				return !slices.ContainsFunc(labels(0), func(label string) bool { return said[label].Error == "" })
			})
			if code != http.StatusServiceUnavailable {
				t.Errorf("/ready answers %d, want 503", code)
			}
			for _, label := range labels(0) {
				c := said[label]
				if c.Connected || !strings.Contains(c.Error, ill) || !strings.Contains(c.Error, tt.said) || !strings.Contains(c.Path, "input.broker.inputs") {
					t.Errorf("/ready says of %s: %+v, want tenancy %s and %q", label, c, ill, tt.said)
				}
			}
			for _, label := range labels(1) {
				if c := said[label]; !c.Connected || c.Error != "" {
					t.Errorf("/ready says of %s: %+v, want it connected", label, c)
				}
			}
			for _, component := range pollers {
				for _, name := range []string{"throttles_total", "retries_total", "malformed_total", "failing_partitions"} {
					if n := sum(all, component+"_"+name, map[string]string{"tenancy": well}); n != 0 {
						t.Errorf("%s_%s of the tenancy that is well: got %g, want 0", component, name, n)
					}
				}
				if n := sum(all, component+"_"+tt.metric, map[string]string{"tenancy": ill}); n == 0 {
					t.Errorf("%s_%s of the tenancy in trouble: got 0, want some", component, tt.metric)
				}
				if n := sum(all, component+"_events_total", map[string]string{"tenancy": ill}); n != 0 {
					t.Errorf("%s_events_total of the tenancy in trouble: got %g, want 0", component, n)
				}
			}
		})
	}
}

// TestReadyFollowsThePolls takes the permissions of one tenancy away while it is polled, and gives them back.
func TestReadyFollowsThePolls(t *testing.T) {
	t.Parallel()
	w, inputs := twoTenancies(t)
	ill := w.sim.Tenancies()[0].OCID
	dir := t.TempDir()
	s := serve(t, pipeline{
		inputs: inputs, state: filepath.Join(dir, "state.db"),
		output: map[string]any{"file": map[string]any{"path": filepath.Join(dir, "out.jsonl"), "codec": "lines"}},
	}.yaml(t))
	eventually(t, soon, "ready", func() bool { return s.status("/ready") == http.StatusOK })

	denial := ocisim.Denial{Tenancy: ill}
	w.sim.Deny(denial)
	var code int
	var said map[string]connection
	eventually(t, soon, "every input of the tenancy disconnected", func() bool {
		code, said = s.ready(t)
		return !slices.ContainsFunc(labels(0), func(label string) bool { return !strings.Contains(said[label].Error, ill) })
	})
	if code != http.StatusServiceUnavailable {
		t.Errorf("/ready answers %d, want 503", code)
	}
	for _, label := range labels(1) {
		if !said[label].Connected {
			t.Errorf("/ready says of %s: %+v, want it connected", label, said[label])
		}
	}
	all := s.metrics(t)
	for _, component := range pollers {
		if n := sum(all, component+"_failing_partitions", map[string]string{"tenancy": ill}); n == 0 {
			t.Errorf("%s_failing_partitions of the tenancy: got 0, want some", component)
		}
	}
	// It stays so: Benthos would log each attempt to connect.
	before := w.calls.Load()
	eventually(t, soon, "polled on", func() bool { return w.calls.Load() > before+100 })
	for _, label := range labels(0) {
		lines := 0
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, "Failed to connect") && strings.Contains(line, "label="+label) {
				lines++
			}
		}
		if lines < 1 || lines > 2 {
			t.Errorf("got %d lines of the log that say that %s cannot connect, want one for its cause", lines, label)
		}
	}
	w.sim.Allow(denial)
	eventually(t, soon, "ready again", func() bool { return s.status("/ready") == http.StatusOK })
}

// TestInputsShareTheNamesOfTheirMetrics reads the metrics of a healthy run.
func TestInputsShareTheNamesOfTheirMetrics(t *testing.T) {
	t.Parallel()
	_, inputs := twoTenancies(t)
	dir := t.TempDir()
	s := serve(t, pipeline{
		inputs: inputs, state: filepath.Join(dir, "state.db"),
		output: map[string]any{"file": map[string]any{"path": filepath.Join(dir, "out.jsonl"), "codec": "lines"}},
	}.yaml(t))
	common := map[string][]string{
		"events_total": {"region", "tenancy"}, "requests_total": {"operation", "status", "tenancy"},
		"lag_seconds": {"region", "tenancy"}, "failing_partitions": {"tenancy"},
	}
	lacking := func() []string {
		var all []string
		have := s.metrics(t)
		for _, component := range pollers {
			for name := range maps.Keys(common) {
				if !slices.ContainsFunc(have, func(one series) bool { return one.name == component+"_"+name }) {
					all = append(all, component+"_"+name)
				}
			}
		}
		return all
	}
	eventually(t, soon, "all metrics there", func() bool { return len(lacking()) == 0 })
	// Where everything was delivered, the lag falls to what polling takes.
	eventually(t, soon, "every lag below five minutes", func() bool {
		all := s.metrics(t)
		return !slices.ContainsFunc(all, func(one series) bool {
			return strings.HasSuffix(one.name, "_lag_seconds") && strings.HasPrefix(one.name, "oci_") && one.value > 300
		})
	})
	tenancies := map[string]bool{}
	for _, one := range s.metrics(t) {
		for _, component := range pollers {
			name, ours := strings.CutPrefix(one.name, component+"_")
			want, known := common[name]
			if !ours || !known {
				continue
			}
			var got []string
			for label := range one.labels {
				if label != "label" && label != "path" && label != "stream" {
					got = append(got, label)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("labels of %s (-want +got):\n%s", one.name, diff)
			}
			tenancies[one.labels["tenancy"]] = true
			if name == "requests_total" && (one.labels["operation"] == "" || one.labels["status"] == "") {
				t.Errorf("%s has no operation or no status: %v", one.name, one.labels)
			}
		}
	}
	if len(tenancies) != 2 || tenancies[""] {
		t.Errorf("got the tenancies %v, want both and no other", tenancies)
	}
}

// TestLagIsToldWhileCatchingUp reads a month from an API that takes its time.
func TestLagIsToldWhileCatchingUp(t *testing.T) {
	t.Parallel()
	w, _ := twoTenancies(t)
	w.put(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(200 * time.Millisecond):
			case <-r.Context().Done():
			}
			next.ServeHTTP(out, r)
		})
	})
	in := w.poller("oci_audit", 0)
	fields, _ := in["oci_audit"].(map[string]any)
	fields["start"] = "-300d"
	dir := t.TempDir()
	s := serve(t, pipeline{
		inputs: []map[string]any{in}, state: filepath.Join(dir, "state.db"),
		output: map[string]any{"file": map[string]any{"path": filepath.Join(dir, "out.jsonl"), "codec": "lines"}},
	}.yaml(t))
	const lag = "oci_audit_lag_seconds"
	var n float64
	eventually(t, soon, "the lag told", func() bool {
		n = sum(s.metrics(t), lag, nil)
		return n > 0
	})
	if n < 100*24*3600 {
		t.Errorf("got a lag of %g s, want the best part of a year", n)
	}
}

// TestReadyNamesAWrappedInputThatCannotConnect wraps an input whose broker is not there.
func TestReadyNamesAWrappedInputThatCannotConnect(t *testing.T) {
	t.Parallel()
	kafka := newKafka(t, "oci-raw")
	gone := brokers(kafka)
	kafka.Close()
	dir := t.TempDir()
	s := serve(t, marshal(t, map[string]any{
		"input": map[string]any{"label": "clock", "correlate_source": map[string]any{"inputs": []any{map[string]any{
			"label":       "raw",
			"kafka_franz": map[string]any{"seed_brokers": []any{gone}, "topics": []any{"oci-raw"}, "consumer_group": "detect"},
		}}}},
		"output": map[string]any{"file": map[string]any{"path": filepath.Join(dir, "out.jsonl"), "codec": "lines"}},
	}))
	var code int
	var said map[string]connection
	eventually(t, soon, "the wrapped input named", func() bool {
		code, said = s.ready(t)
		return strings.Contains(said["clock"].Error, "raw")
	})
	if c := said["clock"]; code != http.StatusServiceUnavailable || c.Connected || !strings.Contains(c.Error, "cannot connect") {
		t.Errorf("/ready answers %d and %+v, want 503 and that the input cannot connect", code, c)
	}
}
