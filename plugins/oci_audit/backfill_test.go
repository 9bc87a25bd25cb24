package ociaudit

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

const day = 24 * time.Hour

// slow answers each request after so long.
type slow struct {
	next http.RoundTripper
	by   time.Duration
}

func (s slow) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(s.by)
	return s.next.RoundTrip(req)
}

// asked is a window of which the first page was asked for.
type asked struct {
	place      string
	start, end time.Time
}

// requests keeps what was asked of the simulator.
type requests struct {
	mu      sync.Mutex
	windows []asked     // mu
	times   []time.Time // mu; of all pages of events
}

func (r *requests) observe(call ocisim.Call) {
	if call.Operation != "ListEvents" {
		return
	}
	query, err := url.ParseQuery(call.Query)
	if err != nil {
		panic(err)
	}
	one := asked{place: call.Region + "/" + call.Compartment}
	for name, to := range map[string]*time.Time{"startTime": &one.start, "endTime": &one.end} {
		if *to, err = time.Parse(time.RFC3339, query.Get(name)); err != nil {
			panic(err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times = append(r.times, call.Time)
	if query.Get("page") == "" {
		r.windows = append(r.windows, one)
	}
}

// twice counts the windows of which anything was asked for again later.
func (r *requests) twice(first int) int {
	n := 0
	for _, a := range r.windows[:first] {
		if slices.ContainsFunc(r.windows[first:], func(b asked) bool {
			return a.place == b.place && a.start.Before(b.end) && b.start.Before(a.end)
		}) {
			n++
		}
	}
	return n
}

// thirtyDays is the history of 50 compartments, read at 20 requests a second of 200 ms each.
func thirtyDays(t *testing.T) (*rig, *requests) {
	t.Helper()
	end := time.Now().Add(-day).Truncate(time.Hour)
	seen := &requests{}
	r := newRig(t, ocisim.Config{
		Start: end.Add(-30 * day), End: end, Events: 4000, Compartments: 49, Users: 50, Regions: []string{"eu-frankfurt-1"}, Observe: seen.observe,
	}, fmt.Sprintf("start: %s\nend: %s\n", end.Add(-30*day).Format(time.RFC3339), end.Add(time.Hour).Format(time.RFC3339)))
	r.rate = 20
	r.via = func(next http.RoundTripper) http.RoundTripper { return slow{next, 200 * time.Millisecond} }
	return r, seen
}

func TestBackfillOfThirtyDaysUsesUpItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, seen := thirtyDays(t)
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
		sort.Slice(seen.times, func(i, j int) bool { return seen.times[i].Before(seen.times[j]) })
		took := seen.times[len(seen.times)-1].Sub(seen.times[0])
		used := float64(len(seen.times)) / took.Seconds() / float64(r.rate)
		t.Logf("%d requests in %s: %.0f %% of %d a second", len(seen.times), took, 100*used, r.rate)
		if used < 0.9 || used > 1.01 || len(seen.times) < 1000 {
			t.Errorf("got %.0f %% of the rate used over %d requests, want at least 90 and no more than all of it", 100*used, len(seen.times))
		}
		if refused := r.sim.Count("", 429); refused != 0 {
			t.Errorf("got %d requests refused, want none", refused)
		}
	})
}

func TestKillOfABackfillCostsAWindowForEachWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, seen := thirtyDays(t)
		const workers = 32 // two for each of twenty requests a second, but no more than that
		got := newInbox()
		for kill := range 2 {
			in := r.input("")
			stop := got.took + 150
			r.drain(in, got, func() bool { return got.took >= stop })
			seen.mu.Lock()
			before := len(seen.windows)
			seen.mu.Unlock()
			r.kill(in)
			in = r.input("")
			stop = got.took + 150
			r.drain(in, got, func() bool { return got.took >= stop })
			r.close(in)
			if n := seen.twice(before); n > workers {
				t.Errorf("kill %d cost %d windows, want at most one for each of %d workers", kill, n, workers)
			} else {
				t.Logf("kill %d cost %d of %d windows; %d workers", kill, n, before, workers)
			}
		}
		in := r.input("")
		r.drain(in, got, nil)
		r.close(in)
		if missing, _, invented := r.missing(got); missing != 0 || invented != 0 {
			t.Errorf("got %d events missing, %d invented, want none", missing, invented)
		}
	})
}

func TestOneCompartmentIsBackfilledInWindowsAbreast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, seen := thirtyDays(t)
		r.yaml += "compartments: { include: [ " + r.sim.Tenancies()[0].OCID + " ], subtree: false }\n"
		in, got := r.input(""), newInbox()
		began := time.Now()
		r.drain(in, got, nil)
		r.close(in)
		// A window after the other would take 200 ms for each page.
		if took, alone := time.Since(began), time.Duration(len(seen.times))*200*time.Millisecond; took > alone/3 {
			t.Errorf("%d pages of one compartment took %s, want them read abreast, in less than %s", len(seen.times), took, alone/3)
		}
		for _, e := range r.sim.Truth().Events {
			if want := map[bool]int{true: 1}[e.Compartment == e.Tenancy]; got.ids[e.ID] != want {
				t.Fatalf("event %s left %d times, want %d", e.ID, got.ids[e.ID], want)
			}
		}
	})
}

func TestLiveInputStaysInTimeBesideABackfillOfAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Truncate(time.Minute)
		r := newRig(t, ocisim.Config{
			Start: now.Add(-364 * day), End: now.Add(time.Hour), Events: 1000, Compartments: 5, Users: 50, Regions: []string{"eu-frankfurt-1"},
			LateFraction: -1, IndexLag: -1,
		}, "")
		r.rate = 2
		r.via = func(next http.RoundTripper) http.RoundTripper { return slow{next, 200 * time.Millisecond} }
		live, old := newInbox(), newInbox()
		// One process, one cache and one rate for both; the backfill has far more requests ready.
		liveInput := r.input("start: -1h\n")
		backfill := r.input(fmt.Sprintf("threads: 20\nstart: %s\nend: %s\n", now.Add(-364*day).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)))
		ended, over := make(chan time.Duration, 1), make(chan struct{})
		go func() {
			r.drain(backfill, old, nil)
			ended <- time.Since(now)
			over <- struct{}{}
		}()
		var lags []time.Duration
		go func() {
			time.Sleep(5 * time.Minute) // for the first sweep, which begins an hour ago
			for {
				select {
				case <-over:
					return
				case <-time.After(20 * time.Second):
				}
				if lag, ok := r.behind(); ok {
					lags = append(lags, lag)
				}
			}
		}()
		r.drainFor(liveInput, live, 90*time.Minute)
		took := <-ended
		r.close(liveInput)
		r.close(backfill)
		if took < 15*time.Minute || took > 60*time.Minute {
			t.Errorf("the backfill took %s, want it to last for several sweeps of the live input and to end before this test", took)
		}
		slices.Sort(lags)
		p99 := lags[len(lags)*99/100]
		t.Logf("a backfill of %s; what is not delivered live is at most %s old in 99 %% of %d looks, %s in half of them", took.Round(time.Second), p99, len(lags), lags[len(lags)/2])
		// The delay, the poll interval, and a sweep of twelve requests of which each may wait for one of the backfill's.
		if most := 2*time.Minute + 5*time.Minute + 2*time.Minute; p99 > most {
			t.Errorf("what is not delivered live is %s old, want at most %s", p99, most)
		}
		for _, e := range r.sim.Truth().Events {
			if live.ids[e.ID] > 1 || old.ids[e.ID] > 1 || live.ids[e.ID]+old.ids[e.ID] == 0 {
				t.Fatalf("event processed at %s left %d times live and %d times in the backfill, want once in one of them, or once in each at the seam", e.Processed, live.ids[e.ID], old.ids[e.ID])
			}
		}
	})
}

func TestRegionSubscribedLaterIsReadWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := newRig(t, ocisim.Config{
			Start: now.Truncate(time.Minute), End: now.Add(6 * time.Hour).Truncate(time.Minute), Events: 1000, Compartments: 2, Users: 20, NoStories: true,
		}, "start: -1h\n")
		later := &subscriptions{}
		r.via = func(next http.RoundTripper) http.RoundTripper {
			later.next = next
			return later
		}
		in, got := r.input("poll_interval: 15m\ncompartments:\n  refresh: 1h\n"), newInbox()
		go func() {
			time.Sleep(2*time.Hour + 30*time.Minute)
			later.mu.Lock()
			later.all = true
			later.mu.Unlock()
		}()
		r.drainFor(in, got, 7*time.Hour+10*time.Minute)
		r.close(in)
		regions := map[string]int{}
		for _, e := range r.sim.Truth().Events {
			first := e.Region == "eu-frankfurt-1"
			// The other region was found at 3 h; the listing before did not show it at 2 h.
			switch since := e.Processed.Sub(now); {
			case (first || since > 2*time.Hour) && got.ids[e.ID] != 1:
				t.Fatalf("event of %s processed %s after the start left %d times, want once", e.Region, since, got.ids[e.ID])
			case !first && since < 90*time.Minute && got.ids[e.ID] != 0:
				t.Fatalf("event of %s processed %s after the start left, before the region was subscribed to", e.Region, since)
			}
			regions[e.Region]++
		}
		if len(regions) != 2 {
			t.Fatalf("got regions %v, want two", regions)
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
	return cutList(resp, func(one map[string]any) bool { return one["regionName"] == "eu-frankfurt-1" })
}

func TestDeletedCompartmentIsReadWhileItHasHistoryAndThenLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		seen := &requests{}
		// The fourth compartment is deleted after three hours.
		r := newRig(t, ocisim.Config{
			Start: now.Truncate(time.Minute), End: now.Add(6 * time.Hour).Truncate(time.Minute), Events: 3000, Compartments: 4, Users: 20, Observe: seen.observe,
			Regions: []string{"eu-frankfurt-1"},
		}, "start: -1h\n")
		deleted := r.sim.Tenancies()[0].Compartments[4].OCID
		in, got := r.input("poll_interval: 10m\ncompartments:\n  refresh: 30m\n"), newInbox()
		r.drainFor(in, got, 12*time.Hour)
		r.close(in)
		r.wantAll(got, 0)
		last, of := time.Duration(0), 0
		for i, one := range seen.windows {
			if strings.HasSuffix(one.place, deleted) {
				of++
				last = max(last, seen.windows[i].end.Sub(now))
			}
		}
		events := 0
		for _, e := range r.sim.Truth().Events {
			if e.Compartment == deleted {
				events++
			}
		}
		if of == 0 || events == 0 || last < 3*time.Hour || last > 6*time.Hour {
			t.Errorf("the deleted compartment with %d events was asked %d times, last for what happened %s after the start; want it read past its end at 3h, and left alone once nothing can appear", events, of, last)
		}
	})
}
