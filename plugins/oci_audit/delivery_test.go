package ociaudit

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/ocisim"
)

func TestRestartResumesWithoutARepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		got := newInbox()
		for round := 1; round <= 5; round++ {
			in := r.input("")
			stop := got.took + 17
			r.drain(in, got, func() bool { return round < 5 && got.took >= stop })
			r.close(in)
		}
		r.wantAll(got, 0)
	})
}

func TestKillAtAnyPointLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		got := newInbox()
		random := rand.New(rand.NewPCG(1, 2))
		for kills := 0; ; kills++ {
			in := r.input("")
			stop := got.took + random.IntN(9)
			ended := true
			r.drain(in, got, func() bool {
				if kills < 20 && got.took >= stop {
					ended = false
					return true
				}
				return false
			})
			if ended {
				r.close(in)
				break
			}
			if random.IntN(2) == 0 {
				synctest.Wait() // what was acked is saved, or not
			}
			r.kill(in)
		}
		if missing, _, invented := r.missing(got); missing != 0 || invented != 0 {
			t.Errorf("got %d missing, %d invented after 20 kills, want 0", missing, invented)
		}
	})
}

func TestNackKeepsCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events, c.Compartments = 60, -1
		r := newRig(t, c, yaml+"regions: [ eu-frankfurt-1 ]\n")
		in, refused, got := r.input(""), newInbox(), newInbox()
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		batch, ack, err := in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		refused.take(batch)
		before := r.positions()
		if err := ack(ctx, errors.New("the output is full")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.positions(); after != before {
			t.Errorf("the position moved from %s to %s after a nack", before, after)
		}
		r.drain(in, got, nil)
		r.close(in)
		for id := range refused.ids {
			if got.ids[id] != 1 {
				t.Errorf("event %s was refused and came %d times after that, want once", id, got.ids[id])
			}
		}
	})
}

func TestUnackedBatchKeepsCursorWhileLaterOnesAreAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Compartments = -1
		yaml, _, _ = strings.Cut(yaml, "end:") // one window after the other
		r := newRig(t, c, yaml+"regions: [ eu-frankfurt-1 ]\n")
		in := r.input("")
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		first, ackFirst, err := in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before := r.positions()
		for range 15 {
			_, ack, err := in.ReadBatch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if after := r.positions(); after != before {
			t.Errorf("the position moved past a batch of %d events without an ack: %s to %s", len(first), before, after)
		}
		if err := ackFirst(ctx, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.positions(); after == before {
			t.Error("the position did not move after the last ack")
		}
		r.close(in)
	})
}

func TestAckedBatchesOfAStoppedInputAreSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		again := newInbox()
		in = r.input("")
		r.drain(in, again, nil)
		r.close(in)
		if n := again.count(); n != 0 {
			t.Errorf("got %d events a second time after a clean end, want 0", n)
		}
	})
}

func TestLateEventsLeaveOnceInQuietTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		// The tenancy lives while it is read: events are processed late and become visible later still.
		r := newRig(t, ocisim.Config{
			Start: now.Add(-time.Hour).Truncate(time.Minute), End: now.Add(5 * time.Hour).Truncate(time.Minute), Events: 3000, Compartments: 2, Users: 20,
			LateFraction: 0.3, IndexLag: 9 * time.Minute,
		}, "start: -2h\n")
		in, got := r.input("poll_interval: 10m\n"), newInbox()
		r.drainFor(in, got, 7*time.Hour)
		r.close(in)
		r.wantAll(got, 0)
		if r.log.Count("after their window was read, more than half of the overlap") != 1 {
			t.Errorf("it was not said once that events appear late: either the test shows nothing, or the warning is wrong:\n%s", r.log)
		}
	})
}

// watcher sees each request before it is answered.
type watcher struct {
	next http.RoundTripper
	see  func(*http.Request)
}

func (w watcher) RoundTrip(req *http.Request) (*http.Response, error) {
	w.see(req)
	return w.next.RoundTrip(req)
}

func TestStartIsSavedBeforeTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -36h\n")
		var saved []byte
		seen := false
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return watcher{next, func(*http.Request) {
				if seen {
					return
				}
				seen = true
				saved = r.disk.Item(r.prefix() + "/ledger")
			}}
		}
		in := r.input("")
		want := time.Now().Add(-36 * time.Hour).Truncate(time.Minute)
		if err := in.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.close(in)
		l, err := collect.ParseLedger("k", saved)
		if err != nil || !l.Start.Equal(want) {
			t.Errorf("got start %s, %v at the first request; want %s", l.Start, err, want)
		}
		// A day later the start is still the same.
		time.Sleep(24 * time.Hour)
		in = r.input("")
		if err := in.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer r.close(in)
		if got := r.ledger().Start; !got.Equal(want) {
			t.Errorf("got start %s after a restart, want %s", got, want)
		}
	})
}

func TestOutputThatIsDownPausesTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		in := r.input("checkpoint_limit: 3\n")
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		var acks []service.AckFunc
		for range 3 {
			_, ack, err := in.ReadBatch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, ack)
		}
		time.Sleep(time.Hour)
		before := r.sim.Count("ListEvents", 0)
		short, cancel := context.WithTimeout(ctx, 24*time.Hour)
		defer cancel()
		if _, _, err := in.ReadBatch(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v with 3 batches on their way, want nothing to read", err)
		}
		if after := r.sim.Count("ListEvents", 0); after != before {
			t.Errorf("%d requests were made while the output was down, want none", after-before)
		}
		for _, ack := range acks {
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := newInbox()
		r.drain(in, got, nil)
		r.close(in)
		if got.count() == 0 {
			t.Error("nothing left after the output came back")
		}
	})
}

func TestPartialNacksComeBackAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 200
		r := newRig(t, c, yaml)
		child := r.input("")
		in := retrying(child)
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		batch, ack, err := in.ReadBatch(ctx)
		for err == nil && len(batch) < 2 {
			if err = ack(ctx, nil); err == nil {
				batch, ack, err = in.ReadBatch(ctx)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		first := newInbox()
		first.take(batch)
		if err := ack(ctx, service.NewBatchError(batch, errors.New("one failed")).Failed(1, errors.New("no"))); err != nil {
			t.Fatal(err)
		}
		again, ack, err := in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) != len(batch) {
			t.Errorf("got %d messages again of a batch of %d of which one failed, want all", len(again), len(batch))
		}
		if err := ack(ctx, nil); err != nil {
			t.Fatal(err)
		}
		r.close(in)
	})
}
