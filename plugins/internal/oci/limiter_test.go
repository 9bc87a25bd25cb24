package oci

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestOneRequestTriesWhetherAThrottleIsOver has a hundred requests wait behind a throttle.
func TestOneRequestTriesWhetherAThrottleIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1e6)
		throttled := time.Now()
		l.Pause(throttled.Add(7 * time.Second))
		var sent atomic.Int64
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := l.Wait(t.Context(), time.Now); err != nil {
					t.Error(err)
				}
				sent.Add(1)
			})
		}
		l.Passed() // of a request that was on its way when the throttle came
		time.Sleep(7*time.Second - time.Nanosecond)
		synctest.Wait()
		if n := sent.Load(); n != 0 {
			t.Fatalf("got %d requests before the pause was over, want none", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := sent.Load(); n != 1 {
			t.Fatalf("got %d requests at the end of the pause, want one that tries", n)
		}
		l.Pause(time.Now().Add(3 * time.Second)) // it was throttled again
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := sent.Load(); n != 2 {
			t.Fatalf("got %d requests after the second pause, want one more", n)
		}
		time.Sleep(tryAgain)
		synctest.Wait()
		if n := sent.Load(); n != 3 {
			t.Fatalf("got %d requests while the one that tries is not answered, want one more a second", n)
		}
		l.Passed()
		synctest.Wait()
		if n := sent.Load(); n != 100 {
			t.Fatalf("got %d requests once one has passed, want all", n)
		}
		all.Wait()
	})
}

// TestShortRunKeepsTheRate makes a hundred requests as fast as it may, and then some after a pause.
func TestShortRunKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond = 20
		l := NewLimiter(perSecond)
		began := time.Now()
		for range 100 {
			if err := l.WaitBehind(t.Context(), time.Now); err != nil {
				t.Fatal(err)
			}
		}
		// The first one goes at once.
		if got, want := time.Since(began), 99*time.Second/perSecond; got < want || got > want+10*time.Millisecond {
			t.Errorf("100 requests at %d a second: got them in %s, want %s", perSecond, got, want)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		for range perSecond {
			if err := l.Wait(t.Context(), time.Now); err != nil {
				t.Fatal(err)
			}
		}
		// After a pause a quarter of a second's requests go at once.
		if got, want := time.Since(began), 750*time.Millisecond; got < want || got > want+10*time.Millisecond {
			t.Errorf("%d requests after a pause: got them in %s, want %s", perSecond, got, want)
		}
	})
}

func TestSlowRateStillLetsRequestsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0.5)
		began := time.Now()
		for range 3 {
			if err := l.Wait(t.Context(), time.Now); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := time.Since(began), 4*time.Second; got != want {
			t.Errorf("3 requests at one each two seconds: got them in %s, want %s", got, want)
		}
	})
}
