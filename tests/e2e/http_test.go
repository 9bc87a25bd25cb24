package e2e

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"benthos-oci/plugins/ocisim"
)

// endpoint is an HTTP server that takes incidents, or does not.
type endpoint struct {
	server *httptest.Server
	mu     sync.Mutex
	taken  []delivery
	asked  int
	answer func(n int) int // status of the n-th request, from 1
}

func newEndpoint(t *testing.T, answer func(n int) int) *endpoint {
	t.Helper()
	e := &endpoint{answer: answer}
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	return e
}

// ServeHTTP takes one incident.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	status := e.answer(e.asked)
	if err != nil {
		status = http.StatusBadRequest
	}
	if status < 300 {
		e.taken = append(e.taken, delivery{body: body, meta: map[string]string{"key": r.Header.Get("Idempotency-Key")}})
	}
	w.WriteHeader(status)
}

func (e *endpoint) deliveries() []delivery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]delivery(nil), e.taken...)
}

// ids gives the ids of the incidents in bodies.
func ids(t *testing.T, got []delivery) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, d := range got {
		counts[incidentID(t, d.body)]++
	}
	return counts
}

// fileLines gives the lines of a file, none where there is no file.
func fileLines(t *testing.T, path string) []delivery {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []delivery
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		all = append(all, delivery{body: append([]byte(nil), scanner.Bytes()...), meta: map[string]string{}})
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func runHTTP(t *testing.T, w *world, e *endpoint) (undelivered, dead []delivery) {
	t.Helper()
	dir := t.TempDir()
	doc := shipped(t, "http.yaml", w, map[string]string{
		"WEBHOOK_URL": e.server.URL, "WEBHOOK_TOKEN": "secret",
		"STATE_FILE":   filepath.Join(dir, "state.db"),
		"DEAD_LETTERS": filepath.Join(dir, "dead.jsonl"),
		"UNDELIVERED":  filepath.Join(dir, "undelivered.jsonl"),
	})
	// As shipped, but a refusal is not waited for a second at a time.
	fallback := at(doc, "output", "switch", "cases").([]any)[1].(map[string]any)["output"].(map[string]any)["fallback"].([]any)
	fallback[0].(map[string]any)["http_client"].(map[string]any)["retry_period"] = "10ms"
	run(t, marshal(t, doc), soon)
	return fileLines(t, filepath.Join(dir, "undelivered.jsonl")), fileLines(t, filepath.Join(dir, "dead.jsonl"))
}

// TestHTTPShortOutageIsRetried answers every third request with 503.
func TestHTTPShortOutageIsRetried(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2000 })
	want := settledSet(t, collectAll(t, w, nil))
	e := newEndpoint(t, func(n int) int {
		if n%3 == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	undelivered, dead := runHTTP(t, w, e)
	if len(undelivered) != 0 || len(dead) != 0 {
		t.Errorf("%d incidents in the fallback file and %d dead letters, want none", len(undelivered), len(dead))
	}
	checkSameIDs(t, want, ids(t, e.deliveries()))
	for _, d := range e.deliveries() {
		if d.meta["key"] != incidentID(t, d.body)+"-1" {
			t.Errorf("Idempotency-Key is %q, want the id and revision of %s", d.meta["key"], incidentID(t, d.body))
		}
	}
}

// TestHTTPLongOutageGoesToTheFallbackFile has an endpoint that never answers well.
func TestHTTPLongOutageGoesToTheFallbackFile(t *testing.T) {
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2000 })
	want := settledSet(t, collectAll(t, w, nil))
	e := newEndpoint(t, func(int) int { return http.StatusInternalServerError })
	undelivered, dead := runHTTP(t, w, e)
	if len(dead) != 0 {
		t.Errorf("%d dead letters, want none: an outage is no poison", len(dead))
	}
	checkSameIDs(t, want, ids(t, undelivered))
}
