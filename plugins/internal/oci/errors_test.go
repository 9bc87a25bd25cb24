package oci

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

// TestEachMistakeHasItsSentence shows what an operator reads: what, why, and what to do.
func TestEachMistakeHasItsSentence(t *testing.T) {
	audit := func(ctx context.Context, sim *ocisim.Sim, c *Client) error {
		_, err := c.AuditEvents(ctx, hour(sim))
		return err
	}
	for _, tt := range []struct {
		name   string
		config ocisim.Config
		change func(*ocisim.Sim, *Options)
		call   func(context.Context, *ocisim.Sim, *Client) error
		kind   Kind
		want   []string
	}{
		{
			name:   "a key that Oracle does not know",
			change: func(sim *ocisim.Sim, _ *Options) { _, _ = sim.RotateKey(0) },
			call:   audit, kind: Refused,
			want: []string{"401 NotAuthenticated", "knows no active API key", "upload this key's public half", "auth.region"},
		},
		{
			name:   "a first region that the tenancy is not subscribed to",
			change: func(_ *ocisim.Sim, o *Options) { o.Auth.Region = "ap-tokyo-1" },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.Regions(ctx)
				return err
			},
			kind: Refused, want: []string{"ListRegionSubscriptions in ap-tokyo-1", "auth.region", "not subscribed to"},
		},
		{
			name:   "another user",
			change: func(_ *ocisim.Sim, o *Options) { o.Auth.User = "ocid1.user.oc1..other" },
			call:   audit, kind: Refused, want: []string{"of user ocid1.user.oc1..other", "correct auth.user"},
		},
		{
			name:   "a clock that is behind",
			change: func(_ *ocisim.Sim, o *Options) { o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) } },
			call:   audit, kind: ClockSkew, want: []string{"clock is 10m0s behind Oracle's", "set the clock"},
		},
		{
			name:   "a clock that is ahead",
			change: func(_ *ocisim.Sim, o *Options) { o.Now = func() time.Time { return time.Now().Add(7 * time.Minute) } },
			call:   audit, kind: ClockSkew, want: []string{"clock is 7m0s ahead of Oracle's"},
		},
		{
			name: "a region that the tenancy is not subscribed to",
			call: func(ctx context.Context, sim *ocisim.Sim, c *Client) error {
				if err := audit(ctx, sim, c); err != nil {
					return err
				}
				q := hour(sim)
				q.Region = "ap-tokyo-1"
				_, err := c.AuditEvents(ctx, q)
				return err
			},
			kind: WrongRegion, want: []string{"in ap-tokyo-1 was refused", "not subscribed to ap-tokyo-1", "take the region out of `regions`"},
		},
		{
			name:   "a region whose name is misspelled",
			change: func(_ *ocisim.Sim, o *Options) { o.Auth.Region = "us-asburn-1" },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.Regions(ctx)
				return err
			},
			kind: WrongRegion, want: []string{`"us-asburn-1" is no region that this program knows`, "correct auth.region"},
		},
		{
			name:   "no right to read events",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents}) },
			call:   audit, kind: NoPermission,
			want: []string{"404 NotAuthorizedOrNotFound", "may not read audit-events in compartment ocid1.", "`Allow group SiemReaders to read audit-events in tenancy`"},
		},
		{
			name:   "no right to list compartments",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.InspectCompartments}) },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.Compartments(ctx)
				return err
			},
			kind: NoPermission, want: []string{"`Allow group SiemReaders to inspect compartments in tenancy`"},
		},
		{
			name:   "no right to list regions",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.InspectTenancies}) },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.Regions(ctx)
				return err
			},
			kind: NoPermission, want: []string{"`Allow group SiemReaders to inspect tenancies in tenancy`"},
		},
		{
			name:   "no right to read problems",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.ReadCloudGuardProblems}) },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.Problems(ctx, ProblemQuery{State: "ACTIVE", From: time.Now().Add(-time.Hour), To: time.Now(), Limit: 10})
				return err
			},
			kind: NoPermission, want: []string{"`Allow group SiemReaders to read cloud-guard-problems in tenancy`"},
		},
		{
			name:   "no right to read Cloud Guard's configuration",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Deny(ocisim.Denial{Permission: ocisim.ReadCloudGuardConfig}) },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.ReportingRegion(ctx)
				return err
			},
			kind: NoPermission, want: []string{"`Allow group SiemReaders to read cloud-guard-config in tenancy`"},
		},
		{
			name: "Cloud Guard is off", config: ocisim.Config{CloudGuardOff: true},
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.ReportingRegion(ctx)
				return err
			},
			kind: NotEnabled, want: []string{"Cloud Guard is not enabled in this tenancy", "enable it", "take oci_cloudguard out"},
		},
		{
			name: "throttled for good",
			change: func(sim *ocisim.Sim, _ *Options) {
				sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429})
			},
			call: audit, kind: Throttled, want: []string{"is throttled (429", "lower max_requests_per_second"},
		},
		{
			name: "an outage",
			change: func(sim *ocisim.Sim, _ *Options) {
				sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503})
			},
			call: audit, kind: Outage, want: []string{"fails at Oracle's side (503", "tried again"},
		},
		{
			name:   "a proxy's page",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectHTML}) },
			call:   audit, kind: Garbled, want: []string{"not what the API returns", "proxy"},
		},
		{
			name:   "a cut off body",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectTruncated}) },
			call:   audit, kind: Garbled, want: []string{"not what the API returns"},
		},
		{
			name:   "a connection that breaks",
			change: func(sim *ocisim.Sim, _ *Options) { sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectReset}) },
			call:   audit, kind: Unreachable, want: []string{"got no answer", "check the network"},
		},
		{
			name: "a body that never ends",
			change: func(sim *ocisim.Sim, _ *Options) {
				sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectSlow, Delay: 80 * time.Second})
			},
			call: audit, kind: Unreachable, want: []string{"not answered in full within 1m30s"},
		},
		{
			name:   "a body that is too large",
			change: func(_ *ocisim.Sim, o *Options) { o.MaxBody = 10 },
			call: func(ctx context.Context, _ *ocisim.Sim, c *Client) error {
				_, err := c.Regions(ctx)
				return err
			},
			kind: TooLarge, want: []string{"more than 10 bytes", "raise max_page_bytes"},
		},
		{
			name: "a region that does not exist",
			change: func(_ *ocisim.Sim, o *Options) {
				o.Transport = refuse{&net.DNSError{Err: "no such host", Name: "audit.us-asburn-1.oraclecloud.com", IsNotFound: true}}
			},
			call: audit, kind: WrongRegion, want: []string{"no host audit.us-asburn-1.oraclecloud.com", "regions are called like us-ashburn-1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simulate(t, tt.config)
				opts := options(sim)
				if tt.change != nil {
					tt.change(sim, &opts)
				}
				err := tt.call(t.Context(), sim, client(t, opts))
				if err == nil {
					t.Fatal("got no error, want one")
				}
				if got := KindOf(err); got != tt.kind {
					t.Errorf("got kind %q, want %q", got, tt.kind)
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("got %q, want %q in it", err, want)
					}
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("got more than one line: %q", err)
				}
			})
		})
	}
}
