package ocilogging

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/ocisim"
)

func TestLateIngestionInsideTheOverlapIsFoundOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		// The tenancy lives while it is read, and a third of its records is ingested minutes after they happened.
		r := newRig(t, ocisim.Config{
			Start: now.Add(-time.Hour).Truncate(time.Minute), End: now.Add(5 * time.Hour).Truncate(time.Minute), Events: 3000, Compartments: 2, Users: 20, LateFraction: 0.3,
		}, "start: -2h\n")
		p, got := r.start(r.whole()), newInbox()
		late := 0
		for _, e := range r.sim.Truth().Events {
			if e.Ingested.Sub(e.Time) > 7*time.Minute {
				late++
			}
		}
		if late == 0 {
			t.Fatal("no record is ingested later than a sweep: the test shows nothing")
		}
		r.drain(p, got, func() bool { return time.Since(now) > 6*time.Hour || got.count() == len(r.sim.Truth().Events) })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if batch, _, err := p.ReadBatch(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %d records, %v two hours after everything had left; want nothing", len(batch), err)
		}
		r.stop(p)
		r.wantAll(got, 0)
	})
}

// minutely answers each search with a record for every full minute of its range, both ends included.
type minutely struct {
	mu   sync.Mutex
	ends map[string]int // mu; how often a search had that end
}

func (m *minutely) RoundTrip(req *http.Request) (*http.Response, error) {
	var ask struct{ TimeStart, TimeEnd time.Time }
	if err := json.NewDecoder(req.Body).Decode(&ask); err != nil {
		return nil, err
	}
	var rows []string
	for at := ask.TimeStart; !at.After(ask.TimeEnd); at = at.Add(time.Minute) {
		rows = append(rows, fmt.Sprintf(`{"data":{"datetime":%d,"logContent":{"id":%q,"time":%q}}}`, at.UnixMilli(), at.Format(time.RFC3339), at.Format(time.RFC3339)))
	}
	m.mu.Lock()
	m.ends[ask.TimeEnd.Format(time.RFC3339)]++
	m.mu.Unlock()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Request: req,
		Body: io.NopCloser(strings.NewReader(`{"results":[` + strings.Join(rows, ",") + `]}`)),
	}, nil
}

func TestRecordsOfAWindowsVeryEndLeaveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ocisim.Config{Events: 20, NoStories: true, Users: 5}, "")
		at := time.Now().Truncate(time.Minute)
		m := &minutely{ends: map[string]int{}}
		r.via = func(http.RoundTripper) http.RoundTripper { return m }
		got := newInbox()
		// Over a restart, too: the ids of the last window are saved.
		for _, end := range []time.Duration{15 * 24 * time.Hour, time.Hour} {
			p := r.start(fmt.Sprintf("start: %s\nend: %s\nqueries:\n"+queryYAML("q", auditOf("c"), "        regions: [ eu-frankfurt-1 ]\n"),
				at.Add(-30*24*time.Hour).Format(time.RFC3339), at.Add(-end).Format(time.RFC3339)))
			r.drain(p, got, nil)
			r.stop(p)
		}
		if want := 30*24*60 - 60; got.count() < want || len(m.ends) < 8 {
			t.Errorf("got %d records in %d windows, want at least %d in at least 8", got.count(), len(m.ends), want)
		}
		for id, n := range got.ids {
			if n > 1 {
				t.Errorf("the record of %s left %d times, want once", id, n)
			}
		}
	})
}

func TestNoSearchSpansMoreThanFourteenDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
		// Almost nothing in a year, so that windows grow as far as they may.
		r := newRig(t, ocisim.Config{Start: end.Add(-300 * 24 * time.Hour), End: end, Events: 40, Compartments: -1, Users: 5, NoStories: true},
			"start: -360d\noverlap: 168h\nend: "+end.Add(time.Hour).Format(time.RFC3339)+"\n")
		longest := time.Duration(0)
		var mu sync.Mutex
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return transport{next: next, ask: func(_ string, body []byte) {
				var span [2]time.Time
				for i, name := range []string{`"timeStart":"`, `"timeEnd":"`} {
					_, text, _ := strings.Cut(string(body), name)
					text, _, _ = strings.Cut(text, `"`)
					span[i], _ = time.Parse(time.RFC3339, text)
				}
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, span[1].Sub(span[0]))
			}}
		}
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		if longest != 14*24*time.Hour {
			t.Errorf("the longest search spans %s, want windows of 14 days and none longer", longest)
		}
		if bad := r.sim.Count("SearchLogs", 400); bad != 0 {
			t.Errorf("%d searches were refused, want none", bad)
		}
	})
}

func TestPagesAreFollowedToTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		var pages atomic.Int64
		c.Start = c.End.Add(-2 * time.Hour)
		c.Events, c.EmptyPages, c.Regions = 4500, 0.5, []string{"eu-frankfurt-1"}
		c.Observe = func(call ocisim.Call) {
			if strings.Contains(call.Query, "page=") {
				pages.Add(1)
			}
		}
		r := newRig(t, c, yaml)
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		if n := pages.Load(); n < 4 {
			t.Errorf("got %d pages beyond the first of a window, want pages of at most 1,000 records and empty ones", n)
		}
	})
}

func TestStartIsSavedBeforeTheFirstRequestForEachQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -36h\n")
		key := Name + "/" + r.root() + "/whole/ledger"
		saved, asked := "", false
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return transport{next: next, ask: func(string, []byte) {
				if !asked {
					asked = true
					saved = string(r.disk.Item(key))
				}
			}}
		}
		want := time.Now().Add(-36 * time.Hour).Truncate(time.Minute)
		begins := func(value string) time.Time {
			t.Helper()
			l, err := collect.ParseLedger("k", []byte(value))
			if err != nil {
				t.Fatal(err)
			}
			return l.Start
		}
		p := r.start(r.whole())
		r.connect(t.Context(), p)
		r.stop(p)
		if got := begins(saved); !got.Equal(want) {
			t.Errorf("got start %s at the first request, want %s", got, want)
		}
		// A day later the old query's start is still the same, and a new query has its own.
		time.Sleep(24 * time.Hour)
		p = r.start(r.whole() + queryYAML("later", auditOf(r.root()), ""))
		r.connect(t.Context(), p)
		r.stop(p)
		if got := begins(string(r.disk.Item(key))); !got.Equal(want) {
			t.Errorf("got start %s after a restart, want %s", got, want)
		}
		if got := begins(string(r.disk.Item(strings.Replace(key, "whole", "later", 1)))); !got.Equal(want.Add(24 * time.Hour)) {
			t.Errorf("got start %s for a new query, want %s", got, want.Add(24*time.Hour))
		}
	})
}
