package ociaudit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

func TestEveryEventLeavesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.wantAll(got, 0)
		r.close(in)
	})
}

func TestFirstSweepIsDoneOnceItsEventsAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Truncate(time.Hour)
		c := ocisim.Config{Start: end.Add(-24 * time.Hour), End: end.Add(-6 * time.Hour), Events: 20, Compartments: -1, Users: 5, NoStories: true}
		r := newRig(t, c, fmt.Sprintf("start: -24h\nend: %s\nregions: [ eu-frankfurt-1 ]\n", end.Format(time.RFC3339)))
		in, ctx := r.input(""), t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		var acks []service.AckFunc
		events := 0
		wait, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		for {
			batch, ack, err := in.ReadBatch(wait)
			if err != nil {
				break
			}
			events += len(batch)
			acks = append(acks, ack)
		}
		if events == 0 || r.log.Count("First sweep done") != 0 {
			t.Errorf("with %d events and none of them acked: got the log\n%s\nwant no line about the first sweep", events, r.log)
		}
		for _, ack := range acks {
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		want := fmt.Sprintf("First sweep done: %d records of 1 partition delivered", events)
		if r.log.Count(want) != 1 || r.log.Count(", waiting until "+end.Add(17*time.Minute).Format(time.RFC3339)) != 1 {
			t.Errorf("got the log\n%s\nwant %q, and until when the input waits", r.log, want)
		}
		r.close(in)
	})
}

// recorder keeps the bodies that were read.
type recorder struct {
	next   http.RoundTripper
	mu     sync.Mutex
	bodies [][]byte // mu
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, "/auditEvents") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	r.bodies = append(r.bodies, body)
	r.mu.Unlock()
	return resp, err
}

func TestEventsLeaveByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		c.Events = 300
		r := newRig(t, c, yaml)
		rec := &recorder{}
		r.via = func(next http.RoundTripper) http.RoundTripper {
			rec.next = next
			return rec
		}
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		all := bytes.Join(rec.bodies, nil)
		if len(got.all) == 0 {
			t.Fatal("nothing left the input")
		}
		for _, m := range got.all {
			if !bytes.Contains(all, []byte(m.raw)) {
				t.Fatalf("event %s left otherwise than the API returned it: %s", m.id, m.raw)
			}
		}
	})
}
