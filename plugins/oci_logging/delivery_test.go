package ocilogging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

func TestEveryRecordLeavesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		p, got := r.start(r.whole()), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		if n := r.log.Count("Read everything up to"); n != 1 {
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
		before := r.position()
		if err := ack(ctx, errors.New("the output is full")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.position(); after != before {
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
		yaml, _, _ = strings.Cut(yaml, "end:") // one window after the other
		r := newRig(t, c, yaml)
		p := r.start(r.whole())
		ctx := t.Context()
		r.connect(ctx, p)
		first, ackFirst, err := p.in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before := r.position()
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
		if after := r.position(); after != before {
			t.Errorf("the position moved past a batch of %d records without an ack: %s to %s", len(first), before, after)
		}
		if err := ackFirst(ctx, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.position(); after == before {
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
