package oci

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

// slowly is a transport whose answers take a while, so that what is asked at the same time is on its way together.
type slowly struct{ http.RoundTripper }

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(100 * time.Millisecond)
	return s.RoundTripper.RoundTrip(r)
}

// TestThrottledPlaceIsAskedByOneCallAtATime asks one of two places by ten calls at once, as a backfill does, and throttles it
// while the other one passes, so that nothing holds back the whole tenancy.
func TestThrottledPlaceIsAskedByOneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var refused []time.Time // mu; when
		sim := simulate(t, ocisim.Config{Compartments: 3, Observe: func(one ocisim.Call) {
			mu.Lock()
			defer mu.Unlock()
			if one.Status == http.StatusTooManyRequests {
				refused = append(refused, time.Now())
			}
		}})
		ill := hour(sim)
		well := ill
		for _, e := range sim.Truth().Events {
			if e.Compartment != ill.Compartment {
				well.Region, well.Compartment = e.Region, e.Compartment
			}
		}
		if well == ill {
			t.Fatal("all events are of one compartment: the test shows nothing")
		}
		opts := options(sim)
		opts.Transport = slowly{opts.Transport}
		c := client(t, opts)
		const retryAfter, calls = 7 * time.Second, 10
		stop := sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusTooManyRequests, RetryAfter: retryAfter, Compartment: ill.Compartment})
		ctx, cancel := context.WithCancel(t.Context())
		passed := 0
		var others sync.WaitGroup
		others.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.AuditEvents(ctx, well); err == nil {
					passed++
				} else if ctx.Err() == nil {
					t.Errorf("the place that is well: %v", err)
				}
				_ = Sleep(ctx, 10*time.Millisecond)
			}
		})
		// round makes the calls at once, and gives how many were told of the throttle, each by an error of its own.
		round := func() int {
			errs := make(chan error, calls)
			for range calls {
				go func() {
					_, err := c.AuditEvents(ctx, ill)
					errs <- err
				}()
			}
			told := map[error]bool{}
			for range calls {
				switch err := <-errs; {
				case KindOf(err) == Throttled:
					told[err] = true
				case err != nil:
					t.Errorf("got %v, want a throttle or nothing", err)
				}
			}
			return len(told)
		}
		for n := range 3 {
			if got := round(); got != calls {
				t.Errorf("round %d: %d of %d calls were told of the throttle, want all", n+1, got, calls)
			}
			time.Sleep(time.Duration(n) * retryAfter) // the second comes at once, the third late
		}
		stop()
		if got := round(); got != 0 {
			t.Errorf("%d of %d calls were told of the throttle when it was over, want none", got, calls)
		}
		cancel()
		others.Wait()
		// The first ten are on their way before anybody knows; then one asks for all of them, once in each round.
		if want := calls + 3; len(refused) != want {
			t.Fatalf("%d requests were refused, want %d", len(refused), want)
		}
		for i := calls; i < len(refused); i++ {
			if gap := refused[i].Sub(refused[i-1]); gap < retryAfter {
				t.Errorf("refusal %d came %s after the one before, want at least %s", i+1, gap, retryAfter)
			}
		}
		if passed < 10 {
			t.Errorf("the place that is well was read %d times, want that it goes on", passed)
		}
	})
}
