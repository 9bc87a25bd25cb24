package oci

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

func TestCheckNamesEachPermission(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config ocisim.Config
		change func(*ocisim.Sim, *Options)
		guard  bool
		detail bool
		want   []string
	}{
		{name: "all is well", want: []string{"configuration ok", "reachable ok", "authenticated ok", "inspect tenancies ok", "inspect compartments ok", "read audit-events ok"}},
		{name: "all is well in Cloud Guard", guard: true, want: []string{"configuration ok", "reachable ok", "authenticated ok", "read cloud-guard-config ok", "read cloud-guard-problems ok", "inspect compartments ok"}},
		{
			name: "all is well in Cloud Guard with details", guard: true, detail: true,
			want: []string{
				"configuration ok", "reachable ok", "authenticated ok", "read cloud-guard-config ok", "read cloud-guard-problems ok", "inspect compartments ok",
				"read cloud-guard-problems ok", "read cloud-guard-family ok",
			},
		},
		{
			name: "everything of Cloud Guard is missing", guard: true, detail: true,
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{}) },
			want: []string{
				"configuration ok", "reachable ok", "authenticated ok",
				"read cloud-guard-config Allow group SiemReaders to read cloud-guard-config in tenancy",
				"read cloud-guard-problems Allow group SiemReaders to read cloud-guard-problems in tenancy",
				"inspect compartments Allow group SiemReaders to inspect compartments in tenancy",
			},
		},
		{
			name:   "one permission is missing",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.InspectCompartments}) },
			want: []string{
				"configuration ok", "reachable ok", "authenticated ok", "inspect tenancies ok",
				"inspect compartments Allow group SiemReaders to inspect compartments in tenancy", "read audit-events ok",
			},
		},
		{
			name:   "events cannot be read",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents}) },
			want: []string{
				"configuration ok", "reachable ok", "authenticated ok", "inspect tenancies ok", "inspect compartments ok",
				"read audit-events Allow group SiemReaders to read audit-events in tenancy",
			},
		},
		{
			name: "one compartment cannot be read",
			change: func(sim *ocisim.Sim, _ *Options) {
				sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: sim.Truth().Events[0].Compartment})
			},
			want: []string{
				"configuration ok", "reachable ok", "authenticated ok", "inspect tenancies ok", "inspect compartments ok",
				"read audit-events Allow group SiemReaders to read audit-events in tenancy",
			},
		},
		{
			name:   "the key is unknown",
			change: func(sim *ocisim.Sim, _ *Options) { _, _ = sim.RotateKey(0) },
			want:   []string{"configuration ok", "reachable ok", "authenticated failed", "inspect tenancies skipped", "inspect compartments skipped", "read audit-events skipped"},
		},
		{
			name:   "nothing answers",
			change: func(_ *ocisim.Sim, o *Options) { o.Transport = refuse{io.ErrUnexpectedEOF} },
			want:   []string{"configuration ok", "reachable failed", "authenticated skipped", "inspect tenancies skipped", "inspect compartments skipped", "read audit-events skipped"},
		},
		{
			name:   "the key is damaged",
			change: func(_ *ocisim.Sim, o *Options) { o.Auth.PrivateKey = "x" },
			want:   []string{"configuration failed", "reachable skipped", "authenticated skipped", "inspect tenancies skipped", "inspect compartments skipped", "read audit-events skipped"},
		},
		{
			name: "Cloud Guard is off", config: ocisim.Config{CloudGuardOff: true}, guard: true,
			want: []string{"configuration ok", "reachable ok", "authenticated ok", "read cloud-guard-config failed", "read cloud-guard-problems skipped", "inspect compartments skipped"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simulate(t, tt.config)
				opts := options(sim)
				if tt.change != nil {
					tt.change(sim, &opts)
				}
				open := func() (*Client, error) { return New(opts) }
				report := CheckAudit(t.Context(), open, AuditScope{Listed: true})
				if tt.guard {
					report = CheckCloudGuard(t.Context(), open, CloudGuardScope{Detail: tt.detail})
				}
				var got []string
				for _, s := range report.Steps {
					state := "ok"
					switch {
					case s.Skipped:
						state = "skipped"
					case s.Statement != "":
						state = s.Statement
					case s.Err != nil:
						state = "failed"
					}
					got = append(got, s.Name+" "+state)
				}
				if diff := cmp.Diff(got, tt.want); diff != "" {
					t.Errorf("got -, want +:\n%s", diff)
				}
				var missing []string
				for _, step := range report.Steps {
					if step.Statement != "" {
						missing = append(missing, step.Statement)
					}
				}
				if diff := cmp.Diff(report.Missing(), missing); diff != "" {
					t.Errorf("missing statements: got -, want +:\n%s", diff)
				}
				if report.OK() != strings.HasPrefix(tt.name, "all is well") {
					t.Errorf("got OK %v", report.OK())
				}
			})
		})
	}
}

func TestCheckCountsTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		sim := simulate(t, ocisim.Config{Start: now.Add(-2 * time.Hour), End: now, Events: 400, NoStories: true, Users: 5, LateFraction: -1, IndexLag: -1})
		opts := options(sim)
		report := CheckAudit(t.Context(), func() (*Client, error) { return New(opts) }, AuditScope{Listed: true})
		want := 0
		var newest time.Time
		for _, e := range sim.Truth().Events {
			if e.Processed.Before(now.Add(-59*time.Minute)) || e.Processed.After(now) {
				continue
			}
			want++
			if e.Time.After(newest) {
				newest = e.Time
			}
		}
		if report.Events < want || report.Events > want+20 || !report.Newest.Equal(newest) || report.Partial {
			t.Errorf("got %d events, newest %s, partial %v; want %d, %s, false", report.Events, report.Newest, report.Partial, want, newest)
		}
	})
}
