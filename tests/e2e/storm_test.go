package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
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
			eventually(t, time.Minute, "what the storm does not touch, and a refusal", func() bool {
				return len(got()) >= len(others) && refused() > 0
			})
			before, began := refused(), time.Now()
			time.Sleep(lasts)
			asked, took := refused()-before, time.Since(began)
			if most := int(took/retryAfter) + 1; asked > most {
				t.Errorf("%d requests were refused in %s, want at most %d: Retry-After is %s", asked, took, most, retryAfter)
			}
			checkNoneMissing(t, append(others, "nothing"), with(got(), "nothing"))
			if hit := stop(); hit == 0 {
				t.Fatal("the storm hit nothing")
			}
			stream.wait(t, 2*time.Minute)
			ids := got()
			checkNoneMissing(t, s.want(w), ids)
			checkOnce(t, ids)
			checkPace(t, seen)
			faults.Measured(t, "storm, "+s.name, "%s: %.1f requests a second while Retry-After asked for 1; %d records of other places came meanwhile; none missing, none twice",
				s.name, float64(asked)/took.Seconds(), len(others))
		})
	}
}

func with(ids map[string]int, one string) map[string]int {
	ids[one] = 1
	return ids
}

// others narrows a fault to a part of what the input reads, where there are parts, and gives what lies outside it.
func (s subject) others(w *world, fault *ocisim.Fault) []string {
	var ids []string
	switch s.name {
	case "oci_audit":
		fault.Compartment = w.sim.Truth().Events[0].Compartment
		for _, e := range w.sim.Truth().Events {
			if e.Compartment != fault.Compartment {
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
			eventually(t, 30*time.Second, "a sentence that says what to do", func() bool {
				return strings.Contains(stream.log.String(), "two would spoil each other's: set checkpoint_key on one of them")
			})
			stream.stop(t)
		})
	}
}
