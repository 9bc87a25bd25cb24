package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
)

// configure writes a config for a process of its own.
func configure(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// toFile gives an output that appends what comes to a file, line by line.
func toFile(path string) map[string]any {
	return map[string]any{"file": map[string]any{"path": path, "codec": "lines"}}
}

// delivered counts the ids of the lines of a file.
func delivered(t *testing.T, path string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for _, line := range fileLines(t, path) {
		ids[recordID(line.body)]++
	}
	return ids
}

// peak is the largest amount of memory that the process has had so far, in MiB; 0 where the system does not tell.
func (p *program) peak() int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}

// finish waits until the process has ended by itself, and gives its peak.
func (p *program) finish(t *testing.T, limit time.Duration) (peak int) {
	t.Helper()
	deadline := time.After(limit)
	for {
		peak = max(peak, p.peak())
		select {
		case err := <-p.done:
			if err != nil {
				t.Fatalf("the program ended with %v:\n%s", err, tail(p.log.String(), 40))
			}
			return peak
		case <-deadline:
			t.Fatalf("the program has not ended after %s:\n%s", limit, tail(p.log.String(), 40))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// standstill gives for how long the whole machine has stood still since it was called: what is bounded in time did not get that time.
func standstill(t *testing.T) func() time.Duration {
	t.Helper()
	const tick = 20 * time.Millisecond
	var lost atomic.Int64
	go func() {
		for t.Context().Err() == nil {
			before := time.Now()
			time.Sleep(tick)
			if late := time.Since(before) - 10*tick; late > 0 {
				lost.Add(int64(late))
			}
		}
	}()
	return func() time.Duration { return time.Duration(lost.Load()) }
}

// TestStopUnderLoadIsPromptAndRepeatsNothing sends SIGTERM in the middle of a run: while the output takes everything,
// and while it takes nothing.
func TestStopUnderLoadIsPromptAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 4000, 5 })
	for _, blocked := range []bool{false, true} {
		t.Run(fmt.Sprintf("blocked %v", blocked), func(t *testing.T) {
			taken := newIntake(t)
			doc := pipeline{
				inputs: []map[string]any{w.input("oci_audit", 0)}, output: taken.output(),
				state: filepath.Join(t.TempDir(), "state.db"),
			}
			const limit = 5 * time.Second
			config := configure(t, "shutdown_timeout: "+limit.String()+"\n"+doc.yaml(t))
			var p *program
			var asked time.Time
			var before time.Duration
			signaled, stood := make(chan struct{}), standstill(t)
			open := func() {}
			terminate := func() {
				open = w.holdAfter(t, 10) // there is something left to read, however late the signal comes
				asked, before = time.Now(), stood()
				if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
				close(signaled)
			}
			taken.at(200, func() {
				taken.down.Store(blocked)
				if !blocked {
					terminate()
				}
			})
			taken.mu.Lock() // until p is there
			p = startProgram(t, config)
			taken.mu.Unlock()
			if blocked {
				eventually(t, soon, "what is on its way meeting the closed door", func() bool { return taken.refused.Load() > 0 })
				terminate()
			}
			select {
			case <-signaled:
			case <-time.After(soon):
				t.Fatalf("the program does not get on:\n%s", tail(p.log.String(), 20))
			}
			select {
			case <-p.done:
			case <-time.After(soon):
				t.Fatalf("the program has not stopped:\n%s", tail(p.log.String(), 20))
			}
			took := time.Since(asked) - (stood() - before)
			open()
			if took > limit+2*time.Second {
				t.Errorf("stopping took %s, want it within shutdown_timeout, %s", took, limit)
			}
			if taken.count() == len(w.auditIDs()) {
				t.Fatal("all was delivered before the stop: the test shows nothing")
			}
			first := taken.count()
			taken.down.Store(false)
			startProgram(t, config).finish(t, soon)
			checkNoneMissing(t, w.auditIDs(), taken.ids)
			if !blocked {
				checkOnce(t, taken.ids)
			}
			faults.Measured(t, "stop, output blocked "+strconv.FormatBool(blocked), "output blocked %t: stopped after %d ms, %d of %d events before the stop, none missing after the next start",
				blocked, took.Milliseconds(), first, len(w.auditIDs()))
		})
	}
}

// intake is a server that takes lines, or refuses them while it is down.
type intake struct {
	server  *httptest.Server
	down    atomic.Bool
	refused atomic.Int64 // requests while it was down
	mu      sync.Mutex
	ids     map[string]int // mu; how often each record came
	many    int            // mu; once so many have come, reached is called
	reached func()         // mu
}

func newIntake(t *testing.T) *intake {
	t.Helper()
	in := &intake{ids: map[string]int{}}
	in.server = httptest.NewServer(in)
	t.Cleanup(in.server.Close)
	return in
}

// ServeHTTP takes the lines of a body.
func (in *intake) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err != nil || in.down.Load() {
		in.refused.Add(1)
		out.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for line := range bytes.Lines(body) {
		in.ids[recordID(line)]++
	}
	if in.reached != nil && len(in.ids) >= in.many {
		in.reached()
		in.reached = nil
	}
}

// at has do called when so many records have come, before whoever brought them is answered: nothing more comes meanwhile.
func (in *intake) at(many int, do func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.many, in.reached = many, do
}

func (in *intake) count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.ids)
}

// output gives an output that posts lines to the server, and waits while they are refused.
func (in *intake) output() map[string]any {
	url := in.server.URL
	return map[string]any{"retry": map[string]any{
		"max_retries": 0, "backoff": map[string]any{"initial_interval": "50ms", "max_interval": "1s", "max_elapsed_time": "0s"},
		"output": map[string]any{"http_client": map[string]any{
			"url": url, "verb": "POST", "retries": 0, "max_in_flight": 4,
			"batching": map[string]any{"count": 200, "period": "50ms", "processors": []any{map[string]any{"archive": map[string]any{"format": "lines"}}}},
		}},
	}}
}

// TestSecondProcessOnOneStateIsRefused starts the same config twice: the second says who holds the state and delivers nothing.
func TestSecondProcessOnOneStateIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 1000, 3 })
	gate := make(chan struct{})
	w.put(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			<-gate
			next.ServeHTTP(out, r)
		})
	})
	dir := t.TempDir()
	doc := func(to string) string {
		return pipeline{
			inputs: []map[string]any{w.input("oci_audit", 0)}, output: toFile(filepath.Join(dir, to)), state: filepath.Join(dir, "state.db"),
		}.yaml(t)
	}
	first := startProgram(t, configure(t, doc("first.jsonl")))
	eventually(t, soon, "the first process holding the state", func() bool {
		_, err := os.Stat(filepath.Join(dir, "state.db.pid"))
		return err == nil
	})
	second := startProgram(t, configure(t, doc("second.jsonl")))
	says := fmt.Sprintf("the process with id %d holds it", first.cmd.Process.Pid)
	eventually(t, soon, "the second process saying "+says, func() bool { return strings.Contains(second.log.String(), says) })
	second.kill()
	close(gate)
	first.finish(t, soon)
	ids := delivered(t, filepath.Join(dir, "first.jsonl"))
	checkNoneMissing(t, w.auditIDs(), ids)
	checkOnce(t, ids)
	if n := len(delivered(t, filepath.Join(dir, "second.jsonl"))); n > 0 {
		t.Errorf("the second process delivered %d events, want none", n)
	}
}

// memoryOf runs the program with an input that writes to a file, and gives its peak and what it delivered.
func memoryOf(t *testing.T, w *world, input map[string]any) (peak int, ids map[string]int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.jsonl")
	doc := pipeline{inputs: []map[string]any{input}, output: toFile(out), state: filepath.Join(t.TempDir(), "state.db")}
	peak = startProgram(t, configure(t, doc.yaml(t))).finish(t, soon)
	return peak, delivered(t, out)
}

// TestHugeBodiesFitIntoMemory has the first listings answered with more than anybody expects.
func TestHugeBodiesFitIntoMemory(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	// bound is what the program may take in all. It takes some 60 MiB without any fault.
	const bound = 288
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := bytes.Repeat([]byte(" "), mib)
	for range 1024 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	item := `{"eventId":"huge","eventTime":"2026-11-10T10:00:00Z","data":{"message":"` + strings.Repeat("x", 10*mib) + `"}}`
	answers := map[string]func(out http.ResponseWriter, body []byte){
		"no fault": nil,
		"a body of 100 MiB": func(out http.ResponseWriter, _ []byte) {
			_, _ = out.Write([]byte("["))
			for range 100 {
				if _, err := out.Write(zeros); err != nil {
					return
				}
			}
		},
		"a gzip bomb of 1 GiB": func(out http.ResponseWriter, _ []byte) {
			out.Header().Set("Content-Encoding", "gzip")
			_, _ = out.Write(bomb.Bytes())
		},
		"an item of 10 MiB in its page": func(out http.ResponseWriter, body []byte) {
			comma := ""
			if len(body) > len("[]") {
				comma = ","
			}
			_, _ = out.Write([]byte("[" + item + comma + string(body[1:])))
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 1000, 2 })
			var asked, injected atomic.Int64
			w.put(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
					n := int64(0)
					if answer != nil && strings.Contains(r.URL.Path, "auditEvents") {
						n = asked.Add(1)
					}
					if n == 3 || n == 4 {
						injected.Add(1)
						kept := httptest.NewRecorder()
						next.ServeHTTP(kept, r)
						for name, values := range kept.Header() {
							if name != "Content-Length" {
								out.Header()[name] = values
							}
						}
						answer(out, kept.Body.Bytes())
						return
					}
					next.ServeHTTP(out, r)
				})
			})
			peak, ids := memoryOf(t, w, w.input("oci_audit", 0))
			if n := injected.Load(); (n > 0) != (answer != nil) {
				t.Errorf("got the answer to %d of %d lists of events, want it some times: nothing was tried", n, asked.Load())
			}
			extra := ids["huge"]
			delete(ids, "huge")
			if strings.Contains(name, "item") != (extra > 0) {
				t.Errorf("the huge item left %d times", extra)
			}
			checkNoneMissing(t, w.auditIDs(), ids)
			checkOnce(t, ids)
			checkPeak(t, peak, bound)
			faults.Measured(t, "memory, "+name, "%s: %d MiB at most in all", name, peak)
		})
	}
	t.Run("pages of 20,000 events", func(t *testing.T) {
		w := newWorld(t, func(c *ocisim.Config) {
			c.Events, c.Compartments, c.PageSize, c.Regions = 25_000, -1, 20_000, []string{"eu-frankfurt-1"}
		})
		peak, ids := memoryOf(t, w, w.input("oci_audit", 0))
		checkNoneMissing(t, w.auditIDs(), ids)
		checkOnce(t, ids)
		checkPeak(t, peak, bound)
		faults.Measured(t, "memory, pages of 20,000 events", "pages of 20,000 events: %d MiB at most in all", peak)
	})
}

// checkPeak compares memory with a bound; the race detector takes many times as much.
func checkPeak(t *testing.T, peak, bound int) {
	t.Helper()
	if peak > bound && !raceDetector {
		t.Errorf("the program took %d MiB, want at most %d", peak, bound)
	}
}

// TestOutputThatIsDownPausesTheProgram takes the output away under load, for E2E_OUTAGE seconds: the source is not asked any more,
// memory stays where it is, and afterwards everything drains, each event once.
func TestOutputThatIsDownPausesTheProgram(t *testing.T) {
	t.Parallel()
	outage := time.Duration(size(t, "E2E_OUTAGE", 3)) * time.Second
	// bound is what the program may take while its output is down, in MiB.
	const bound = 192
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = size(t, "E2E_OUTAGE_EVENTS", 15_000), 5 })
	// during watches the program through the outage and lets it end, then drained tells what has arrived.
	during := func(t *testing.T, name string, p *program, arrived func() int, end func()) {
		t.Helper()
		eventually(t, soon, "load", func() bool { return arrived() > 0 || w.calls.Load() > 40 })
		began := time.Now()
		// What it may hold is full when nothing is asked for any more; how long that takes is the machine's.
		quiet := began
		for last := w.calls.Load(); time.Since(quiet) < time.Second || time.Since(began) < outage/2; time.Sleep(10 * time.Millisecond) {
			if calls := w.calls.Load(); calls != last {
				last, quiet = calls, time.Now()
			}
			if time.Since(began) > outage/2+soon {
				t.Fatalf("after %s the source is still asked", time.Since(began))
			}
		}
		second := time.Now()
		half, calls := p.peak(), w.calls.Load()
		for time.Since(second) < outage/2 {
			time.Sleep(50 * time.Millisecond)
		}
		full, more := p.peak(), w.calls.Load()-calls
		if more > 2 {
			t.Errorf("%d requests in the second half of the outage, want that the source is not asked", more)
		}
		checkPeak(t, full, bound)
		waiting := len(w.auditIDs()) - arrived()
		if waiting == 0 {
			t.Fatal("everything had arrived before the outage: the test shows nothing")
		}
		end()
		drain := time.Now()
		p.finish(t, patience)
		faults.Measured(t, "output down, "+name, "%s: down for %s with %d of %d events undelivered: %d MiB at most after half of the time, %d MiB at its end; %d requests in its second half; drained in %.0f s",
			name, outage, waiting, len(w.auditIDs()), half, full, more, time.Since(drain).Seconds())
	}
	t.Run("HTTP", func(t *testing.T) {
		taken := newIntake(t)
		taken.at(1, func() { taken.down.Store(true) })
		doc := pipeline{inputs: []map[string]any{w.input("oci_audit", 0)}, output: taken.output(), state: filepath.Join(t.TempDir(), "state.db")}
		p := startProgram(t, configure(t, doc.yaml(t)))
		during(t, "HTTP 503", p, taken.count, func() { taken.down.Store(false) })
		checkNoneMissing(t, w.auditIDs(), taken.ids)
		checkOnce(t, taken.ids)
	})
	t.Run("Kafka", func(t *testing.T) {
		w.calls.Store(0)
		kafka := newKafka(t, "oci-events", "oci-incidents")
		topics := follow(t, kafka, "oci-events", "oci-incidents")
		doc := shipped(t, "kafka.yaml", w, map[string]string{
			"KAFKA_BROKERS": brokers(kafka), "STATE_FILE": filepath.Join(t.TempDir(), "state.db"), "DEAD_LETTERS": filepath.Join(t.TempDir(), "dead.jsonl"),
		})
		outage := kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
		p := startProgram(t, configure(t, marshal(t, doc)))
		during(t, "Kafka", p, func() int { return int(count(t, kafka, "oci-events")) }, func() { outage.Remove() })
		topics.catchUp(t, map[string]string{"oci-events": "event", "oci-incidents": "incident"})
		checkNoneMissing(t, w.auditIDs(), topics.tally.events)
		checkOnce(t, topics.tally.events)
	})
}
