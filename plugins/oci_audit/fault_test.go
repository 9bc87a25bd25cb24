package ociaudit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/ocireader"
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
		{name: "bodies that break off", fault: ocisim.Fault{Effect: ocisim.EffectReset, Operation: "ListEvents", Probability: 0.2}},
		{name: "bodies that trickle", fault: ocisim.Fault{Effect: ocisim.EffectSlow, Operation: "ListEvents", Probability: 0.1, Delay: 20 * time.Second, Times: 20}},
		{name: "pages of a proxy", fault: ocisim.Fault{Effect: ocisim.EffectHTML, Operation: "ListEvents", Probability: 0.2}},
		{name: "truncated pages", fault: ocisim.Fault{Effect: ocisim.EffectTruncated, Operation: "ListEvents", Probability: 0.2}},
		{name: "a token that comes again", fault: ocisim.Fault{Effect: ocisim.EffectLoop, Operation: "ListEvents", Times: 3}},
		{name: "an item with a control character", fault: ocisim.Fault{Effect: ocisim.EffectControl, Operation: "ListEvents", Times: 1}, malformed: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, yaml := span()
				r := newRig(t, c, yaml)
				r.sim.Faults().Add(tt.fault)
				in, got := r.input(""), newInbox()
				var inner service.BatchInput = patient{in}
				r.drain(inner, got, nil)
				r.close(in)
				flagged := 0
				for _, m := range got.all {
					if m.fault != "" {
						flagged++
						delete(got.ids, m.id)
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

// patient connects as Benthos does: again and again.
type patient struct{ *ocireader.Input }

func (p patient) Connect(ctx context.Context) error {
	for {
		err := p.Input.Connect(ctx)
		var wait *service.ErrBackOff
		if ctx.Err() != nil || !errors.As(err, &wait) {
			return err
		}
		time.Sleep(wait.Wait)
	}
}

func TestMalformedItemsLeaveFlaggedAndTheirPageWhole(t *testing.T) {
	for _, effect := range []ocisim.Effect{ocisim.EffectMalformed, ocisim.EffectUTF8, ocisim.EffectControl, ocisim.EffectDuplicate} {
		t.Run(string(effect), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, yaml := span()
				c.Events = 200
				r := newRig(t, c, yaml)
				r.sim.Faults().Add(ocisim.Fault{Effect: effect, Operation: "ListEvents", Times: 1})
				in, got := r.input(""), newInbox()
				r.drain(in, got, nil)
				r.close(in)
				missing, _, invented := r.missing(got)
				if missing != 0 || invented != 1 {
					t.Errorf("got %d missing, %d more than the simulator holds; want 0 and the malformed one", missing, invented)
				}
				for _, m := range got.all {
					if m.fault != "" && json.Valid([]byte(m.raw)) && effect == ocisim.EffectControl {
						t.Errorf("a whole record was flagged: %s", m.fault)
					}
				}
			})
		})
	}
}

func TestEmptyPagesWithATokenAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.EmptyPages, c.PageSize = 0.6, 10
		r := newRig(t, c, yaml)
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
	})
}

func TestOneUnreadableCompartmentStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, strings.Replace(yaml, "end:", "end: \"\"\n#", 1))
		bad := r.sim.Truth().Events[0].Compartment
		denial := ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: bad}
		r.sim.Deny(denial)
		in, got := r.input(""), newInbox()
		here, there := 0, 0
		for _, e := range r.sim.Truth().Events {
			if e.Compartment == bad {
				here++
				continue
			}
			there++
		}
		r.drain(in, got, func() bool { return got.count() == there })
		time.Sleep(2 * time.Hour)
		if n := r.log.Count("Allow group SiemReaders to read audit-events in tenancy"); n != 2 {
			t.Errorf("got %d lines about the compartment after two hours, want one a region:\n%s", n, r.log)
		}
		if n := r.log.Count("First sweep done"); n != 1 {
			t.Errorf("got %d lines about the first sweep, want 1:\n%s", n, r.log)
		}
		r.sim.Allow(denial)
		r.drain(in, got, func() bool { return got.count() == here+there })
		synctest.Wait()
		if n := r.log.Count("works again"); n == 0 {
			t.Errorf("got no line after the compartment could be read:\n%s", r.log)
		}
		r.close(in)
		r.wantAll(got, 0)
	})
}

func TestBoundedRunEndsWithoutWhatMayNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		denial := ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: r.sim.Truth().Events[0].Compartment}
		r.sim.Deny(denial)
		tracker := progress.Of(r.res)
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		if n := r.log.Count("Read everything"); n != 0 {
			t.Errorf("the log says %d times that everything was read, want never:\n%s", n, r.log)
		}
		if n := r.log.Count("has ended without 2 of 10 partitions"); n != 1 {
			t.Errorf("got %d lines about what is missing, want 1:\n%s", n, r.log)
		}
		// What its absence brings about is said to be incomplete.
		names := tracker.Advance(time.Now()).Incomplete[r.sim.Tenancies()[0].OCID]
		if len(names) != 2 || !strings.Contains(names[0], denial.Compartment) || !strings.Contains(names[1], denial.Compartment) {
			t.Errorf("got %q as incomplete, want the two partitions of %s", names, denial.Compartment)
		}
		r.sim.Allow(denial)
		in = r.input("")
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
	})
}

func TestBoundedRunEndsWhereNothingMayBeRead(t *testing.T) {
	for _, tt := range []struct{ name, denied string }{
		{"no events", ocisim.ReadAuditEvents},
		{"no list of compartments", ocisim.InspectCompartments},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, yaml := span()
				r := newRig(t, c, yaml)
				tracker := progress.Of(r.res)
				denial := ocisim.Denial{Permission: tt.denied}
				r.sim.Deny(denial)
				in, got, began := r.input(""), newInbox(), time.Now()
				r.drain(patient{in}, got, nil)
				if took := time.Since(began); took > time.Hour {
					t.Errorf("the run took %s to end, want it ended after a few tries", took)
				}
				board := progress.BoardOf(r.res).Look()
				if board.Failing == 0 {
					t.Errorf("got none of %d partitions failing, want those that are not deleted", board.Partitions)
				}
				if reading := tracker.Advance(time.Now()); !reading.Done || len(reading.Incomplete) == 0 {
					t.Errorf("got ended %v and %v as incomplete, want an end that names what was not read", reading.Done, reading.Incomplete)
				}
				r.close(in)
				if n := r.log.Count("has ended without"); n != 1 {
					t.Errorf("got %d lines about what is missing, want 1:\n%s", n, r.log)
				}
				r.sim.Allow(denial)
				in = r.input("")
				r.drain(patient{in}, got, nil)
				r.close(in)
				r.wantAll(got, 0)
			})
		})
	}
}

func TestInputIsNotConnectedWhileNothingCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -48h\n")
		in, got := r.input(""), newInbox()
		r.drain(in, got, func() bool { return got.took >= 5 })
		r.sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents})
		ctx := t.Context()
		var err error
		for err == nil {
			var ack service.AckFunc
			if _, ack, err = in.ReadBatch(ctx); err == nil {
				err = ack(ctx, nil)
			}
		}
		if !errors.Is(err, service.ErrNotConnected) {
			t.Fatalf("got %v, want ErrNotConnected", err)
		}
		if err := in.Connect(ctx); err == nil || !strings.Contains(err.Error(), "read audit-events") {
			t.Errorf("got %v from Connect, want the sentence about the permission", err)
		}
		r.sim.Allow(ocisim.Denial{Permission: ocisim.ReadAuditEvents})
		time.Sleep(10 * time.Minute)
		if err := in.Connect(ctx); err != nil {
			t.Errorf("got %v from Connect after the permission came back, want none", err)
		}
		r.close(in)
	})
}

func TestLargeBodiesSplitTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.PageSize = 1000
		r := newRig(t, c, yaml)
		in, got := r.input("max_page_bytes: 60000\n"), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
	})
}

func TestLargeEventsLeaveFlagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 200
		r := newRig(t, c, yaml)
		in, got := r.input("max_event_bytes: 2200\n"), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		flagged := 0
		for _, m := range got.all {
			if large := len(m.raw) > 2200; large != (m.fault != "") {
				t.Errorf("an event of %d bytes left with fault %q", len(m.raw), m.fault)
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
		parsed, err := Spec().ParseYAML(r.sim.ConfigBlock("http://127.0.0.1:1", 1)+"checkpoint_cache: state\n"+yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		conf, err := parse(parsed)
		if err != nil {
			t.Fatal(err)
		}
		bad := r.inputOf(conf)
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
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		cancel()
		<-done
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the healthy tenancy took %s beside the throttled one, want it not to wait", took)
		}
		missing := 0
		for _, e := range r.sim.Truth().Events {
			if e.Tenancy != other.OCID && got.ids[e.ID] != 1 {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d events of the healthy tenancy did not leave once", missing)
		}
	})
}

func TestNoEventLiesBelowTheWatermarkWhenItLeaves(t *testing.T) { noneBelowTheWatermark(t, 2) }

// Of each compartment several windows are read at once, and their events leave in any order.
func TestNoEventOfABackfillLiesBelowTheWatermarkWhenItLeaves(t *testing.T) {
	noneBelowTheWatermark(t, 64)
}

func noneBelowTheWatermark(t *testing.T, threads int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		tracker := progress.Of(r.res)
		const lateness = 30 * time.Minute
		tracker.Listen(lateness, time.Hour)
		tracker.Limit(watermark.Limits{MaxHold: 100 * time.Hour})
		in := r.input(fmt.Sprintf("threads: %d\n", threads))
		times := map[string]event.Time{}
		for _, e := range r.sim.Truth().Events {
			times[e.ID] = event.TimeOf(e.Time)
		}
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		moved := event.MinTime
		var acks []service.AckFunc
		// Acks come late, the newest first.
		settle := func(keep int) {
			for i := len(acks) - 1; i >= keep; i-- {
				if err := acks[i](ctx, nil); err != nil {
					t.Fatal(err)
				}
			}
			acks = acks[:keep]
		}
		for n := 0; ; n++ {
			short, cancel := context.WithTimeout(ctx, time.Minute)
			batch, ack, err := in.ReadBatch(short)
			cancel()
			if errors.Is(err, service.ErrEndOfInput) {
				break
			}
			if errors.Is(err, context.DeadlineExceeded) && len(acks) > 0 {
				settle(0)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			at := tracker.Advance(time.Now()).All
			moved = max(moved, at)
			got := newInbox()
			got.take(batch)
			for id := range got.ids {
				if when, known := times[id]; known && when < at {
					t.Fatalf("an event at %s leaves when the watermark is at %s", when, at)
				}
			}
			acks = append(acks, ack)
			switch {
			case n%23 == 0:
				settle(0)
			case len(acks) >= 8:
				settle(2)
			}
		}
		if moved < event.TimeOf(c.Start.Add(time.Hour)) && threads == 2 {
			t.Errorf("the watermark came to %s only, want it to follow the events", moved)
		}
		if !tracker.Advance(time.Now()).Done {
			t.Error("the source has not ended for the tracker, want it ended")
		}
		r.close(in)
	})
}

func TestSecretsStandInNoLogAndNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 200
		r := newRig(t, c, yaml)
		sent := map[string]bool{}
		var mu sync.Mutex
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return watcher{next, func(req *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				_, signature, _ := strings.Cut(req.Header.Get("Authorization"), `signature="`)
				sent[signature[:40]] = true
				if _, err := url.ParseQuery(req.URL.RawQuery); err != nil {
					t.Error(err)
				}
			}}
		}
		_, _ = r.sim.RotateKey(0)
		in := r.input("")
		r.sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: r.sim.Truth().Events[0].Compartment})
		got := newInbox()
		r.drain(in, got, nil)
		r.close(in)
		who := r.sim.Tenancies()[0]
		secrets := []string{who.Fingerprint, strings.Split(who.PrivateKeyPEM, "\n")[1]}
		for signature := range sent {
			secrets = append(secrets, signature)
		}
		for _, secret := range secrets {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("a secret stands in the log: %s...", secret[:8])
			}
		}
		if len(sent) == 0 || r.log.String() == "" {
			t.Error("nothing was sent or logged: the test shows nothing")
		}
	})
}
