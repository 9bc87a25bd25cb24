package oci

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackfillUsesTheWholeRateAndLetsLiveRequestsGoBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, workers = 10, 40
		l := NewLimiter(perSecond)
		ctx := t.Context()
		began := time.Now()
		var sent int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for time.Since(began) < time.Minute {
					if err := l.WaitBehind(ctx, time.Now); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					sent++
					mu.Unlock()
				}
			})
		}
		time.Sleep(10 * time.Second)
		for range 20 {
			asked := time.Now()
			if err := l.Wait(ctx, time.Now); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(asked); waited > 2*time.Second/perSecond {
				t.Errorf("a live request waited %s behind %d of a backfill, want at most one before it", waited, workers)
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
		if want := 60*perSecond - 20; sent < want || sent > want+perSecond+workers {
			t.Errorf("the backfill made %d requests in a minute, want about %d", sent, want)
		}
	})
}
