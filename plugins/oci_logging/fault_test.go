package ocilogging

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/ocisim"
)

func TestFaultsOfTheAPILoseAndRepeatNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault ocisim.Fault
		// malformed is how many records beside the simulator's own must leave flagged.
		malformed int
	}{
		{name: "throttled with seconds", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Times: 30, Probability: 0.3, RetryAfter: 7 * time.Second}},
		{name: "throttled for ten hours, it says", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Times: 5, RetryAfter: 10 * time.Hour}},
		{name: "outage of all operations", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, After: 10, Times: 60}},
		{name: "flapping", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 500, Probability: 0.3}},
		{name: "bodies that break off", fault: ocisim.Fault{Effect: ocisim.EffectReset, Operation: "SearchLogs", Probability: 0.2}},
		{name: "bodies that trickle", fault: ocisim.Fault{Effect: ocisim.EffectSlow, Operation: "SearchLogs", Probability: 0.1, Delay: 20 * time.Second, Times: 20}},
		{name: "pages of a proxy", fault: ocisim.Fault{Effect: ocisim.EffectHTML, Operation: "SearchLogs", Probability: 0.2}},
		{name: "truncated pages", fault: ocisim.Fault{Effect: ocisim.EffectTruncated, Operation: "SearchLogs", Probability: 0.2}},
		{name: "a token that comes again", fault: ocisim.Fault{Effect: ocisim.EffectLoop, Operation: "SearchLogs", Times: 3}},
		{name: "an item of the wrong types", fault: ocisim.Fault{Effect: ocisim.EffectMalformed, Operation: "SearchLogs", Times: 1}, malformed: 1},
		{name: "an item with a control character", fault: ocisim.Fault{Effect: ocisim.EffectControl, Operation: "SearchLogs", Times: 1}, malformed: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, yaml := span()
				r := newRig(t, c, yaml)
				r.sim.Faults().Add(tt.fault)
				p, got := r.start(r.perCompartment()), newInbox()
				r.drain(p, got, nil)
				r.stop(p)
				flagged := 0
				for _, m := range got.all {
					if m.fault != "" {
						flagged++
						delete(got.ids, idOf([]byte(m.raw)))
					}
				}
				if flagged != tt.malformed {
					t.Errorf("got %d flagged messages, want %d", flagged, tt.malformed)
				}
				r.wantAll(got, 0)
			})
		})
	}
}

func TestMalformedRowsLeaveFlaggedAndTheirPageWhole(t *testing.T) {
	for _, tt := range []struct {
		effect  ocisim.Effect
		flagged bool
	}{{ocisim.EffectMalformed, true}, {ocisim.EffectControl, true}, {ocisim.EffectUTF8, false}, {ocisim.EffectDuplicate, false}} {
		t.Run(string(tt.effect), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, yaml := span()
				c.Events = 200
				r := newRig(t, c, yaml)
				r.sim.Faults().Add(ocisim.Fault{Effect: tt.effect, Operation: "SearchLogs", Times: 1})
				p, got := r.start(r.whole()), newInbox()
				r.drain(p, got, nil)
				r.stop(p)
				known := map[string]bool{}
				for _, e := range r.sim.Truth().Events {
					known[e.ID] = true
					if got.ids[e.ID] != 1 {
						t.Fatalf("record %s left %d times, want once", e.ID, got.ids[e.ID])
					}
				}
				extra := 0
				for _, m := range got.all {
					if known[idOf([]byte(m.raw))] {
						continue
					}
					if extra++; (m.fault != "") != tt.flagged {
						t.Errorf("the spoiled row left with fault %q, want one: %v", m.fault, tt.flagged)
					}
				}
				if extra != 1 {
					t.Errorf("got %d messages beside the simulator's own, want the spoiled one", extra)
				}
			})
		})
	}
}

func TestInputIsNotConnectedWhileNothingCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -48h\n")
		p, got := r.start(r.perCompartment()), newInbox()
		r.drain(p.in, got, func() bool { return got.took >= 5 })
		denial := ocisim.Denial{Permission: ocisim.ReadLogContent}
		r.sim.Deny(denial)
		ctx := t.Context()
		var err error
		for err == nil {
			var ack service.AckFunc
			if _, ack, err = p.in.ReadBatch(ctx); err == nil {
				err = ack(ctx, nil)
			}
		}
		if !errors.Is(err, service.ErrNotConnected) {
			t.Fatalf("got %v, want ErrNotConnected", err)
		}
		if err := p.in.Connect(ctx); err == nil || !strings.Contains(err.Error(), "read log-content") {
			t.Errorf("got %v from Connect, want the sentence about the permission", err)
		}
		r.sim.Allow(denial)
		time.Sleep(10 * time.Minute)
		if err := p.in.Connect(ctx); err != nil {
			t.Errorf("got %v from Connect after the permission came back, want none", err)
		}
		r.stop(p)
	})
}

func TestOutageMakesFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -1h\n")
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, Operation: "SearchLogs"})
		p := r.start(r.whole())
		r.connect(t.Context(), p.in)
		time.Sleep(time.Hour)
		// Two partitions, five attempts each, at first often and then every five minutes.
		if n := r.sim.Count("SearchLogs", 0); n < 20 || n > 250 {
			t.Errorf("got %d requests in an hour of outage, want 20 to 250", n)
		}
		r.stop(p)
	})
}

func TestExpiredPageTokenBeginsTheWindowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Start = c.End.Add(-2 * time.Hour)
		c.Events, c.Regions, c.TokenLife = 4500, []string{"eu-frankfurt-1"}, 10*time.Minute
		r := newRig(t, c, yaml+"checkpoint_limit: 1\n")
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, func() bool { return got.took == 1 })
		// The output is down between two pages, for longer than Oracle keeps a token.
		r.connect(t.Context(), p)
		batch, ack, err := p.ReadBatch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.take(t, batch)
		time.Sleep(time.Hour)
		if err := ack(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		if n := r.log.Count("does not accept the page token"); n != 1 {
			t.Errorf("got %d lines about the token, want 1:\n%s", n, r.log)
		}
	})
}

func TestLargeBodiesSplitTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml+"max_page_bytes: 60000\n")
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestLargeRecordsLeaveFlagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 200
		const limit = 2400
		r := newRig(t, c, yaml+fmt.Sprintf("unwrap: false\nmax_event_bytes: %d\n", limit))
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		flagged := 0
		for _, m := range got.all {
			if large := len(m.raw) > limit; large != (m.fault != "") {
				t.Errorf("a record of %d bytes left with fault %q", len(m.raw), m.fault)
			}
			if m.fault != "" {
				flagged++
			}
		}
		if flagged == 0 || flagged == len(got.all) {
			t.Errorf("got %d of %d flagged, want some: the test shows nothing", flagged, len(got.all))
		}
		r.wantAll(got, 0)
	})
}

func TestTwoTenanciesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Tenancies = 2
		r := newRig(t, c, yaml)
		other := r.sim.Tenancies()[1]
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, RetryAfter: time.Hour, Tenancy: other.OCID})
		p, got := r.start(r.whole()), newInbox()
		block := r.sim.ConfigBlock("http://127.0.0.1:1", 1)
		parsed, err := Spec().ParseYAML(block+"checkpoint_cache: state\n"+yaml+"queries:\n"+queryYAML("q", auditOf(other.OCID), ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		conf, err := parse(parsed)
		if err != nil {
			t.Fatal(err)
		}
		bad, err := newInput(conf, p.res)
		if err != nil {
			t.Fatal(err)
		}
		bad.Change = p.in.Change
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				if bad.Connect(ctx) == nil {
					t.Error("the throttled tenancy connected")
					return
				}
			}
		}()
		began := time.Now()
		r.drain(p, got, nil)
		r.stop(p)
		cancel()
		<-done
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the healthy tenancy took %s beside the throttled one, want it not to wait", took)
		}
		for _, e := range r.sim.Truth().Events {
			if e.Tenancy != other.OCID && got.ids[e.ID] != 1 {
				t.Fatalf("record %s of the healthy tenancy left %d times, want once", e.ID, got.ids[e.ID])
			}
		}
	})
}

func TestNoRecordLiesBelowTheWatermarkWhenItLeaves(t *testing.T) {
	noneBelowTheWatermark(t, "threads: 2\n")
}

// Of each query all windows are read at once, and their records leave in any order.
func TestNoRecordOfABackfillLiesBelowTheWatermarkWhenItLeaves(t *testing.T) {
	noneBelowTheWatermark(t, "threads: 64\n")
}

func noneBelowTheWatermark(t *testing.T, threads string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml+threads)
		p := r.start(r.perCompartment())
		tracker := progress.Of(p.res)
		tracker.Listen(30*time.Minute, time.Hour)
		tracker.Limit(watermark.Limits{MaxHold: 100 * time.Hour})
		times := map[string]event.Time{}
		for _, e := range r.sim.Truth().Events {
			times[e.ID] = event.TimeOf(e.Time)
		}
		ctx := t.Context()
		r.connect(ctx, p.in)
		moved := event.MinTime
		var acks []service.AckFunc
		flush := func() {
			// Acks come late and in another order.
			for _, ack := range slices.Backward(acks) {
				if err := ack(ctx, nil); err != nil {
					t.Fatal(err)
				}
			}
			acks = nil
		}
		for {
			short, cancel := context.WithTimeout(ctx, time.Minute)
			batch, ack, err := p.in.ReadBatch(short)
			cancel()
			if errors.Is(err, service.ErrEndOfInput) {
				break
			}
			if errors.Is(err, context.DeadlineExceeded) {
				flush()
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			at := tracker.Advance(time.Now()).All
			moved = max(moved, at)
			got := newInbox()
			got.take(t, batch)
			for id := range got.ids {
				if when, known := times[id]; known && when < at {
					t.Fatalf("a record at %s leaves when the watermark is at %s", when, at)
				}
			}
			if acks = append(acks, ack); len(acks) >= 5 {
				flush()
			}
		}
		if moved < event.TimeOf(c.Start.Add(time.Hour)) && threads == "threads: 2\n" {
			t.Errorf("the watermark came to %s only, want it to follow the records", moved)
		}
		if !tracker.Advance(time.Now()).Done {
			t.Error("the source has not ended for the tracker, want it ended")
		}
		r.stop(p)
	})
}

func TestSecretsStandInNoLogAndNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 200
		r := newRig(t, c, yaml)
		signatures := make(chan string, 1000)
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				_, signature, _ := strings.Cut(req.Header.Get("Authorization"), `signature="`)
				signatures <- signature[:40]
				return next.RoundTrip(req)
			})
		}
		r.sim.Deny(ocisim.Denial{Permission: ocisim.ReadLogContent, Compartment: r.sim.Truth().Events[0].Compartment})
		p, got := r.start(r.perCompartment()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		close(signatures)
		who := r.sim.Tenancies()[0]
		secrets := []string{who.Fingerprint, strings.Split(who.PrivateKeyPEM, "\n")[1]}
		for signature := range signatures {
			secrets = append(secrets, signature)
		}
		if len(secrets) < 3 || r.log.String() == "" || len(got.all) == 0 {
			t.Error("nothing was sent, logged or delivered: the test shows nothing")
		}
		for _, secret := range secrets {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("a secret stands in the log: %s...", secret[:8])
			}
			for _, m := range got.all {
				if strings.Contains(m.raw, secret) && secret != who.Fingerprint {
					t.Errorf("a secret stands in a message: %s...", secret[:8])
				}
			}
		}
	})
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
