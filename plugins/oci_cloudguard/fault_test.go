package ocicloudguard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/progress"
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
		if ctx.Err() != nil || !errors.As(err, &wait) {
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

func TestBoundedRunEndsWithoutCloudGuard(t *testing.T) {
	for _, tt := range []struct {
		name   string
		off    bool
		denied string
		late   bool // the permission goes while the sweep is under way
	}{
		{name: "the problems may not be read", denied: ocisim.ReadCloudGuardProblems},
		{name: "they may not be read any more", denied: ocisim.ReadCloudGuardProblems, late: true},
		{name: "its configuration may not be read", denied: ocisim.ReadCloudGuardConfig},
		{name: "it is not enabled", off: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := span()
				c.CloudGuardOff = tt.off
				r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\n")
				tracker := progress.Of(r.res)
				denial := ocisim.Denial{Permission: tt.denied}
				if tt.denied != "" && !tt.late {
					r.sim.Deny(denial)
				}
				if tt.late {
					r.via = func(next http.RoundTripper) http.RoundTripper {
						return watch{next, func(req *http.Request) {
							if req.URL.Query().Get("lifecycleState") == "INACTIVE" {
								r.sim.Deny(denial)
							}
						}}
					}
				}
				in, got, began := r.input(""), newInbox(), time.Now()
				r.drain(patient{in}, got, nil)
				if took := time.Since(began); took > 15*time.Minute {
					t.Errorf("the run took %s to end, want it ended after a few tries", took)
				}
				board := progress.BoardOf(r.res).Look()
				if board.Failing != 1 || board.Partitions != 1 || board.Done != 0 || board.Whole == 0 {
					t.Errorf("got %d of %d partitions failing and %s of %s read, want 1 of 1 and none of something", board.Failing, board.Partitions, board.Done, board.Whole)
				}
				if reading := tracker.Advance(time.Now()); !reading.Done || len(reading.Incomplete) == 0 {
					t.Errorf("got ended %v and %v as incomplete, want an end that names what was not read", reading.Done, reading.Incomplete)
				}
				r.close(in)
				if n := r.log.count("has ended without the problems of Cloud Guard"); n != 1 {
					t.Errorf("got %d lines about what is missing, want 1:\n%s", n, r.log)
				}
				// Once it is mended the same run goes on: what left is not sent again, and nothing is missing.
				if tt.off {
					return
				}
				r.sim.Allow(denial)
				r.via = nil
				in = r.input("")
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

func TestBoundedRunWaitsForAnOutageToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\n")
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, Times: 200})
		in, got := r.input(""), newInbox()
		r.drain(patient{in}, got, nil)
		board := progress.BoardOf(r.res).Look()
		r.close(in)
		if got.count() != 30 || board.Failing != 0 || board.Done != board.Whole || board.Records != 30 || board.Requests < 200 {
			t.Errorf("got %d problems and %+v, want all 30, nothing failing, all read, and each request counted", got.count(), board)
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
