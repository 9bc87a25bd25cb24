package ocilogging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/ocisim"
)

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}

func TestEveryRecordLeavesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		if n := r.log.count("Read everything up to"); n != 1 {
			t.Errorf("got %d lines about the end, want 1:\n%s", n, r.log)
		}
	})
}

// transport sees each request before it is answered, and each body after.
type transport struct {
	next http.RoundTripper
	ask  func(path string, body []byte)
	said func(path string, body []byte)
}

func (s transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var asked []byte
	if req.Body != nil {
		var err error
		if asked, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(asked))
	}
	if s.ask != nil {
		s.ask(req.URL.Path, asked)
	}
	resp, err := s.next.RoundTrip(req)
	if err != nil || s.said == nil {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	s.said(req.URL.Path, body)
	return resp, err
}

func TestRecordsLeaveByteForByte(t *testing.T) {
	for _, tt := range []struct {
		name, fields string
		row          bool
	}{{"unwrapped", "", false}, {"as rows", "unwrap: false\n", true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, yaml := span()
				c.Events = 300
				r := newRig(t, c, yaml+tt.fields)
				var mu sync.Mutex
				var bodies []byte
				r.via = func(next http.RoundTripper) http.RoundTripper {
					return transport{next: next, said: func(_ string, body []byte) {
						mu.Lock()
						defer mu.Unlock()
						bodies = append(bodies, body...)
					}}
				}
				p, got := r.start(r.whole()), newInbox()
				r.drain(p, got, nil)
				r.stop(p)
				r.wantAll(got, 0)
				for _, m := range got.all {
					if !bytes.Contains(bodies, []byte(m.raw)) {
						t.Fatalf("a record left otherwise than the API returned it: %s", m.raw)
					}
					if strings.HasPrefix(m.raw, `{"datetime":`) != tt.row {
						t.Fatalf("got %.60s, want the whole row: %v", m.raw, tt.row)
					}
				}
			})
		})
	}
}

func TestMetadataSaysWhereARecordWasFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 300
		r := newRig(t, c, yaml)
		p, got := r.start(r.perCompartment()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		number := map[string]string{}
		for i, one := range r.sim.Tenancies()[0].Compartments {
			number[one.OCID] = fmt.Sprint("c", i)
		}
		where := map[string]ocisim.EventTruth{}
		for _, e := range r.sim.Truth().Events {
			where[e.ID] = e
		}
		for _, m := range got.all {
			e := where[idOf([]byte(m.raw))]
			if m.region != e.Region || m.compartment != e.Compartment || m.query != number[e.Compartment] {
				t.Fatalf("got %q in %q of %q, want %q in %q of %q", m.query, m.region, m.compartment, number[e.Compartment], e.Region, e.Compartment)
			}
		}
	})
}

func TestARecordThatTwoQueriesFindLeavesOnceForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 300
		r := newRig(t, c, yaml)
		p, got := r.start(r.whole()+queryYAML("again", treeOf(r.root())+" | sort by datetime desc", "")), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		for id, n := range got.ids {
			if n != 2 {
				t.Fatalf("record %s left %d times, want once for each query", id, n)
			}
		}
		if len(got.ids) != len(r.sim.Truth().Events) {
			t.Errorf("got %d records, want %d", len(got.ids), len(r.sim.Truth().Events))
		}
	})
}

func TestConditionsOfAQuerySelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		p, got := r.start("queries:\n"+queryYAML("q", treeOf(r.root())+" | where data.eventName = 'ListInstances' | sort by datetime asc", "")), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		want := 0
		for _, e := range r.sim.Truth().Events {
			if e.Operation == "ListInstances" {
				want++
			}
		}
		if got.count() != want || want == 0 {
			t.Errorf("got %d records, want %d and some", got.count(), want)
		}
	})
}

func TestRestartResumesWithoutARepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		got := newInbox()
		for round := 1; round <= 6; round++ {
			p := r.start(r.perCompartment())
			stop := got.took + 5
			r.drain(p, got, func() bool { return round < 6 && got.took >= stop })
			r.stop(p)
		}
		r.wantAll(got, 0)
	})
}

// maxWindowEvents is more than what one partition holds in one window of the tests.
const maxWindowEvents = 400

func TestKillAtAnyPointLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		got := newInbox()
		random := rand.New(rand.NewPCG(1, 2))
		for kills := 0; ; kills++ {
			p := r.start(r.perCompartment())
			stop, ended := got.took+random.IntN(9), true
			r.drain(p, got, func() bool {
				if kills < 20 && got.took >= stop {
					ended = false
					return true
				}
				return false
			})
			if ended {
				r.stop(p)
				if kills == 0 {
					t.Error("nothing was killed: the test shows nothing")
				}
				break
			}
			if random.IntN(2) == 0 {
				synctest.Wait() // what was acked is saved, or not
			}
			r.kill(p)
		}
		r.wantAll(got, 20*2*maxWindowEvents)
	})
}

func TestNackKeepsCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events, c.Compartments, c.Regions = 60, -1, []string{"eu-frankfurt-1"}
		r := newRig(t, c, yaml)
		p, refused, got := r.start(r.whole()), newInbox(), newInbox()
		ctx := t.Context()
		r.connect(ctx, p.in)
		batch, ack, err := p.in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		refused.take(t, batch)
		before := r.disk.position()
		if err := ack(ctx, errors.New("the output is full")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.disk.position(); after != before {
			t.Errorf("the position moved from %s to %s after a nack", before, after)
		}
		r.drain(p.in, got, nil)
		r.stop(p)
		for id := range refused.ids {
			if got.ids[id] != 1 {
				t.Errorf("record %s was refused and came %d times after that, want once", id, got.ids[id])
			}
		}
		r.wantAll(got, 0)
	})
}

func TestUnackedBatchKeepsCursorWhileLaterOnesAreAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Compartments, c.Regions = -1, []string{"eu-frankfurt-1"}
		r := newRig(t, c, yaml)
		p := r.start(r.whole())
		ctx := t.Context()
		r.connect(ctx, p)
		first, ackFirst, err := p.in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before := r.disk.position()
		for range 2 {
			_, ack, err := p.in.ReadBatch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if after := r.disk.position(); after != before {
			t.Errorf("the position moved past a batch of %d records without an ack: %s to %s", len(first), before, after)
		}
		if err := ackFirst(ctx, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.disk.position(); after == before {
			t.Error("the position did not move after the last ack")
		}
		r.stop(p)
	})
}

func TestAckedBatchesOfAStoppedInputAreSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		p, again := r.start(r.whole()), newInbox()
		r.drain(p, again, nil)
		r.stop(p)
		if n := again.count(); n != 0 {
			t.Errorf("got %d records a second time after a clean end, want 0", n)
		}
	})
}

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
type minutely struct{ ends map[string]int }

func (m minutely) RoundTrip(req *http.Request) (*http.Response, error) {
	var ask struct{ TimeStart, TimeEnd time.Time }
	if err := json.NewDecoder(req.Body).Decode(&ask); err != nil {
		return nil, err
	}
	var rows []string
	for at := ask.TimeStart; !at.After(ask.TimeEnd); at = at.Add(time.Minute) {
		rows = append(rows, fmt.Sprintf(`{"data":{"datetime":%d,"logContent":{"id":%q,"time":%q}}}`, at.UnixMilli(), at.Format(time.RFC3339), at.Format(time.RFC3339)))
	}
	m.ends[ask.TimeEnd.Format(time.RFC3339)]++
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Request: req,
		Body: io.NopCloser(strings.NewReader(`{"results":[` + strings.Join(rows, ",") + `]}`)),
	}, nil
}

func TestRecordsOfAWindowsVeryEndLeaveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ocisim.Config{Events: 20, NoStories: true, Users: 5}, "")
		at := time.Now().Truncate(time.Minute)
		m := minutely{ends: map[string]int{}}
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
					r.disk.mu.Lock()
					saved = r.disk.items[key]
					r.disk.mu.Unlock()
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
		if got := begins(r.disk.items[key]); !got.Equal(want) {
			t.Errorf("got start %s after a restart, want %s", got, want)
		}
		if got := begins(r.disk.items[strings.Replace(key, "whole", "later", 1)]); !got.Equal(want.Add(24 * time.Hour)) {
			t.Errorf("got start %s for a new query, want %s", got, want.Add(24*time.Hour))
		}
	})
}

func TestOutputThatIsDownPausesTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml+"checkpoint_limit: 3\n")
		p := r.start(r.perCompartment())
		ctx := t.Context()
		r.connect(ctx, p)
		var acks []service.AckFunc
		for range 3 {
			_, ack, err := p.ReadBatch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, ack)
		}
		time.Sleep(time.Hour)
		before := r.sim.Count("SearchLogs", 0)
		short, cancel := context.WithTimeout(ctx, 24*time.Hour)
		defer cancel()
		if _, _, err := p.ReadBatch(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v with 3 batches on their way, want nothing to read", err)
		}
		if after := r.sim.Count("SearchLogs", 0); after != before {
			t.Errorf("%d requests were made while the output was down, want none", after-before)
		}
		for _, ack := range acks {
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := newInbox()
		r.drain(p, got, nil)
		r.stop(p)
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
		p := r.start(r.whole())
		ctx := t.Context()
		r.connect(ctx, p)
		batch, ack, err := p.ReadBatch(ctx)
		if err != nil || len(batch) < 2 {
			t.Fatalf("got %d messages, %v; want some", len(batch), err)
		}
		if err := ack(ctx, service.NewBatchError(batch, errors.New("one failed")).Failed(1, errors.New("no"))); err != nil {
			t.Fatal(err)
		}
		again, ack, err := p.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) != len(batch) {
			t.Errorf("got %d messages again of a batch of %d of which one failed, want all", len(again), len(batch))
		}
		if err := ack(ctx, nil); err != nil {
			t.Fatal(err)
		}
		r.stop(p)
	})
}
