package ocicloudguard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/ocisim"
)

func TestDetailThatFailsLeavesTheSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\ndetail: true\n")
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 400, Operation: "GetProblem"})
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		if got.count() != 30 {
			t.Errorf("got %d problems, want 30", got.count())
		}
		if n := r.log.count("GetProblem"); n != 1 {
			t.Errorf("got %d lines about details, want 1:\n%s", n, r.log)
		}
	})
}

func TestFaultsLoseNothing(t *testing.T) {
	for _, fault := range []ocisim.Fault{
		{Effect: ocisim.EffectStatus, Status: 429, Probability: 0.5, RetryAfter: 7 * time.Second},
		{Effect: ocisim.EffectStatus, Status: 503, After: 1, Times: 40},
		{Effect: ocisim.EffectReset, Operation: "ListProblems", Times: 8},
		{Effect: ocisim.EffectHTML, Operation: "ListProblems", Times: 8},
		{Effect: ocisim.EffectTruncated, Operation: "ListProblems", Times: 8},
		{Effect: ocisim.EffectLoop, Operation: "ListProblems", Times: 2},
	} {
		t.Run(fmt.Sprint(fault.Effect, " ", fault.Status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := span()
				r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\n")
				r.sim.Faults().Add(fault)
				in, got := r.input(""), newInbox()
				r.drain(patient{in}, got, nil)
				r.close(in)
				for _, p := range r.sim.Truth().Problems {
					if got.ids[p.ID] != 1 {
						t.Errorf("problem %s left %d times, want once", p.ID, got.ids[p.ID])
					}
				}
			})
		})
	}
}

// patient connects as Benthos does: again and again.
type patient struct{ *input }

func (p patient) Connect(ctx context.Context) error {
	for {
		err := p.input.Connect(ctx)
		var wait *service.ErrBackOff
		if !errors.As(err, &wait) {
			return err
		}
		time.Sleep(wait.Wait)
	}
}

func TestMalformedProblemLeavesFlaggedAndOnce(t *testing.T) {
	for _, effect := range []ocisim.Effect{ocisim.EffectMalformed, ocisim.EffectControl} {
		t.Run(string(effect), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := span()
				r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\n")
				r.sim.Faults().Add(ocisim.Fault{Effect: effect, Operation: "ListProblems"})
				in, got := r.input(""), newInbox()
				after(in, 5*time.Hour)
				r.drain(in, got, nil)
				r.close(in)
				flagged := map[string]int{}
				for _, m := range got.all {
					if m.fault != "" {
						flagged[m.raw]++
					}
				}
				if len(flagged) == 0 {
					t.Fatal("no problem left flagged, want the malformed one")
				}
				for raw, n := range flagged {
					if n != 1 {
						t.Errorf("a malformed problem left %d times in five hours, want once: %s", n, raw)
					}
				}
				for _, p := range r.sim.Truth().Problems {
					if got.ids[p.ID] == 0 {
						t.Errorf("problem %s was lost beside the malformed one", p.ID)
					}
				}
			})
		})
	}
}

func TestCloudGuardThatIsOffSaysSoAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		c.CloudGuardOff = true
		r := newRig(t, c, "")
		err := r.input("").Connect(t.Context())
		var wait *service.ErrBackOff
		if !errors.As(err, &wait) || wait.Wait < time.Minute || oci.KindOf(wait.Err) != oci.NotEnabled {
			t.Errorf("got %v, want the sentence that Cloud Guard is off, and a long wait", err)
		}
	})
}

func TestInputIsNotConnectedWhileNothingCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\n")
		denial := ocisim.Denial{Permission: ocisim.ReadCloudGuardProblems}
		r.sim.Deny(denial)
		in, got := r.input(""), newInbox()
		if err := in.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := in.ReadBatch(t.Context()); !errors.Is(err, service.ErrNotConnected) {
			t.Errorf("got %v, want ErrNotConnected", err)
		}
		if err := in.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "read cloud-guard-problems in tenancy") {
			t.Errorf("got %v, want the missing policy statement", err)
		}
		r.sim.Allow(denial)
		r.drain(patient{in}, got, func() bool { return got.count() == 30 })
		r.close(in)
		if n := r.log.count("read cloud-guard-problems"); n != 1 {
			t.Errorf("got %d lines about the permission, want 1:\n%s", n, r.log)
		}
	})
}
