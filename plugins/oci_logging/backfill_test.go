package ocilogging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

func TestBackfillAndLiveSearchOfAProcessShareItsCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Truncate(time.Minute)
		r := newRig(t, ocisim.Config{
			Start: now.Add(-30 * 24 * time.Hour), End: now.Add(time.Hour), Events: 1500, Compartments: 3, Users: 20, LateFraction: -1, IndexLag: -1,
		}, "")
		live := r.start("start: -2h\n" + r.whole())
		backfill := func() process {
			return r.startIn(live.res, live.disk, fmt.Sprintf("start: %s\nend: %s\n", now.Add(-30*24*time.Hour).Format(time.RFC3339), now.Add(-2*time.Hour).Format(time.RFC3339))+r.whole())
		}
		first, old, recent := backfill(), newInbox(), newInbox()
		over := make(chan struct{})
		go func() {
			defer close(over)
			r.drain(first, old, func() bool { return old.count() >= 300 })
			r.stop(first)
			second := backfill() // goes on where the first was stopped
			r.drain(second, old, nil)
			r.stop(second)
		}()
		r.drain(live, recent, func() bool {
			for _, e := range r.sim.Truth().Events {
				if e.Time.After(now.Add(-2*time.Hour)) && recent.ids[e.ID] == 0 {
					return false
				}
			}
			return true
		})
		<-over
		r.stop(live)
		for _, e := range r.sim.Truth().Events {
			if n, m := old.ids[e.ID], recent.ids[e.ID]; n > 1 || m > 1 || n+m == 0 {
				t.Fatalf("the record of %s left %d times in the backfill and %d times live, want once in one of them, or in each at the seam", e.Time, n, m)
			}
		}
	})
}

// subscriptions shows the first region only, until all are to be seen.
type subscriptions struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  bool // mu
}

func (s *subscriptions) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(req)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.all || !strings.HasSuffix(req.URL.Path, "/regionSubscriptions") {
		return resp, err
	}
	var list []json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, err
	}
	resp.Body.Close()
	body, err := json.Marshal(list[:1])
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func TestRegionSubscribedLaterIsSearchedWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := newRig(t, ocisim.Config{
			Start: now.Truncate(time.Minute), End: now.Add(5 * time.Hour).Truncate(time.Minute), Events: 800, Compartments: 2, Users: 20, NoStories: true, LateFraction: -1, IndexLag: -1,
		}, "start: -1h\npoll_interval: 15m\n")
		later := &subscriptions{}
		r.via = func(next http.RoundTripper) http.RoundTripper {
			later.next = next
			return later
		}
		p, got := r.start(r.whole()), newInbox()
		go func() {
			time.Sleep(2*time.Hour + 30*time.Minute)
			later.mu.Lock()
			later.all = true
			later.mu.Unlock()
		}()
		// The regions are looked for every hour: the other is found at 3 h, and the listing before did not show it at 2 h.
		r.drain(p, got, func() bool {
			for _, e := range r.sim.Truth().Events {
				if (e.Region == "eu-frankfurt-1" || e.Time.Sub(now) > 2*time.Hour) && got.ids[e.ID] == 0 {
					return false
				}
			}
			return true
		})
		r.stop(p)
		other := 0
		for _, e := range r.sim.Truth().Events {
			if since := e.Time.Sub(now); e.Region != "eu-frankfurt-1" {
				other++
				if since < 90*time.Minute && got.ids[e.ID] != 0 {
					t.Fatalf("a record of %s that happened %s after the start left, before the region was subscribed to", e.Region, since)
				}
			}
			if got.ids[e.ID] > 1 {
				t.Fatalf("a record of %s left %d times, want once", e.Region, got.ids[e.ID])
			}
		}
		if other == 0 {
			t.Fatal("the other region has no record: the test shows nothing")
		}
	})
}
