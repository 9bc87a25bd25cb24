package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// pace notes when each request came, those without an answer too.
type pace struct {
	mu sync.Mutex
	at map[string][]time.Time // mu; by all that is asked for
}

// watch puts the pace before a handler.
func (p *pace) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.mu.Lock()
		if p.at == nil {
			p.at = map[string][]time.Time{}
		}
		key := fmt.Sprintf("%s %s %x", r.Method, r.RequestURI, sha256.Sum256(body))
		p.at[key] = append(p.at[key], time.Now())
		p.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// count is the number of requests so far.
func (p *pace) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, times := range p.at {
		n += len(times)
	}
	return n
}

// busiest gives the request that came most often within one second, and how often.
func (p *pace) busiest() (request string, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, at := range p.at {
		slices.SortFunc(at, time.Time.Compare)
		first := 0
		for i := range at {
			for at[i].Sub(at[first]) >= time.Second {
				first++
			}
			if n := i - first + 1; n > times || n == times && key < request {
				request, times = key, n
			}
		}
	}
	return request, times
}

// sameInASecond is how often one and the same request may come within a second, whatever has gone wrong:
// the first wait is half a second at least, so a request and what repeats it.
const sameInASecond = 2

// checkPace says that nothing is asked for in a busy loop.
func checkPace(t *testing.T, p *pace) {
	t.Helper()
	if p.count() == 0 {
		t.Fatal("nothing was asked for: nothing was checked")
	}
	if request, n := p.busiest(); n > sameInASecond {
		t.Errorf("the same request came %d times within a second, want at most %d: %.200s", n, sameInASecond, request)
	}
}
