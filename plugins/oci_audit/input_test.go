package ociaudit

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
