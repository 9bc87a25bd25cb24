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
