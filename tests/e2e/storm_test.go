package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
)

// TestStormOfThrottlesIsWaitedOut answers a part of the calls with 429 for as long as it likes: what is refused is asked for no more often
// than Retry-After says, the rest goes on meanwhile, and when the storm is over nothing is missing.
func TestStormOfThrottlesIsWaitedOut(t *testing.T) {
	t.Parallel()
	const retryAfter = time.Second
	lasts := time.Duration(size(t, "E2E_STORM", 4)) * time.Second
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *ocisim.Config) {
				c.Events, c.Compartments = 600, 3
				if s.world != nil {
					s.world(c)
				}
			})
			fault := ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusTooManyRequests, Operation: s.list, RetryAfter: retryAfter}
			others := s.others(w, &fault)
			seen := &pace{}
			w.put(seen.watch)
			shut := &refusals{}
			w.put(shut.watch)
			stop := w.sim.Faults().Add(fault)
			name := strings.ReplaceAll(t.Name(), "/", "_")
			out := newSink(t, name)
			p := pipeline{
				inputs: []map[string]any{s.input(w)}, output: map[string]any{"e2e_sink": map[string]any{"name": name}},
				state: filepath.Join(t.TempDir(), "state.db"),
			}
			stream := start(t, p.yaml(t))
			got := func() map[string]int {
				ids := map[string]int{}
				for _, d := range out.deliveries() {
					ids[s.id(d.body)]++
				}
				return ids
			}
			refused := func() int { return w.sim.Count(s.list, http.StatusTooManyRequests) }
			eventually(t, soon, "what the storm does not touch, and a refusal", func() bool {
				return len(got()) >= len(others) && refused() > 0
			})
			before, began := refused(), time.Now()
			time.Sleep(lasts)
			asked, took := refused()-before, time.Since(began)
			if most := int(took/retryAfter) + 1; asked > most {
				t.Errorf("%d requests were refused in %s, want at most %d: Retry-After is %s", asked, took, most, retryAfter)
			}
			if !s.parts {
				eventually(t, soon, "a request that was sent after the refusal", func() bool { return shut.check(t, retryAfter) > 0 })
			}
			checkNoneMissing(t, append(others, "nothing"), with(got(), "nothing"))
			if hit := stop(); hit == 0 {
				t.Fatal("the storm hit nothing")
			}
			stream.wait(t, soon)
			ids := got()
			checkNoneMissing(t, s.want(w), ids)
			checkOnce(t, ids)
			checkPace(t, seen)
			faults.Measured(t, "storm, "+s.name, "%s: %.1f requests a second while Retry-After asked for 1; %d records of other places came meanwhile; none missing, none twice",
				s.name, float64(asked)/took.Seconds(), len(others))
		})
	}
}

// refusals notes each request that was throttled.
type refusals struct {
	mu  sync.Mutex
	all []refusal // mu; in the order of their answers
}

// refusal is when a request was sent, to the second, when it came, and when its answer was given.
type refusal struct{ sent, came, answered time.Time }

// watch puts the refusals before a handler.
func (s *refusals) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := refusal{came: time.Now()}
		one.sent, _ = http.ParseTime(r.Header.Get("Date")) // which is signed
		kept := httptest.NewRecorder()
		next.ServeHTTP(kept, r)
		one.answered = time.Now() // and nobody has it yet, so that however slow we are, whoever waits as told comes later
		if kept.Code == http.StatusTooManyRequests {
			s.mu.Lock()
			s.all = append(s.all, one)
			s.mu.Unlock()
		}
		maps.Copy(w.Header(), kept.Header())
		w.WriteHeader(kept.Code)
		_, _ = w.Write(kept.Body.Bytes())
	})
}

// check says that none came sooner after a refusal than that asked for, and gives how many it has judged:
// what was sent before the first refusal was answered is nobody's mistake.
func (s *refusals) check(t *testing.T, retryAfter time.Duration) (judged int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i < len(s.all); i++ {
		if s.all[i].sent.Unix() <= s.all[0].answered.Unix() {
			continue
		}
		judged++
		if gap := s.all[i].came.Sub(s.all[i-1].answered); gap < retryAfter {
			t.Fatalf("request %d of the throttled place came %s after a refusal, want at least %s", i+1, gap, retryAfter)
		}
	}
	return judged
}

func with(ids map[string]int, one string) map[string]int {
	ids[one] = 1
	return ids
}

// others narrows a fault to one place that the input reads, where there are several, and gives what lies outside it.
func (s subject) others(w *world, fault *ocisim.Fault) []string {
	var ids []string
	switch s.name {
	case "oci_audit":
		fault.Region, fault.Compartment = w.sim.Truth().Events[0].Region, w.sim.Truth().Events[0].Compartment
		for _, e := range w.sim.Truth().Events {
			if e.Region != fault.Region || e.Compartment != fault.Compartment {
				ids = append(ids, e.ID)
			}
		}
	case "oci_logging":
		fault.Region = "us-ashburn-1"
		for _, e := range w.sim.Truth().Events {
			if e.Region != fault.Region {
				ids = append(ids, e.ID)
			}
		}
	}
	return ids
}

// TestTwoInputsOnOnePositionAreRefused gives two inputs one checkpoint_key: the second says so and does not read.
func TestTwoInputsOnOnePositionAreRefused(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			if s.grouped {
				t.Skip("a consumer group keeps its position at Oracle's, for as many as read in it")
			}
			w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 100, 1 })
			one, two := s.input(w), s.input(w)
			two["label"] = "second"
			name := strings.ReplaceAll(t.Name(), "/", "_")
			newSink(t, name)
			p := pipeline{
				inputs: []map[string]any{one, two}, output: map[string]any{"e2e_sink": map[string]any{"name": name}},
				state: filepath.Join(t.TempDir(), "state.db"),
			}
			stream := start(t, p.yaml(t))
			eventually(t, soon, "a sentence that says what to do", func() bool {
				return strings.Contains(stream.log.String(), "two would spoil each other's: set checkpoint_key on one of them")
			})
			stream.stop(t)
		})
	}
}
