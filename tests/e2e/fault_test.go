package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
)

// subject is an input that faults are tried on.
type subject struct {
	name  string
	list  string // the operation that gives records
	input func(w *world) map[string]any
	want  func(w *world) []string
	id    func(body []byte) string
	// grouped is an input that keeps its position at Oracle's, for as many as read in its group.
	grouped bool
	// parts is an input whose list is of several places; a fault can be narrowed to none of them.
	parts bool
	// world changes the simulator for it.
	world func(*ocisim.Config)
}

var subjects = []subject{
	{
		name: "oci_audit", list: "ListEvents",
		input: func(w *world) map[string]any { return w.input("oci_audit", 0) },
		want:  (*world).auditIDs, id: recordID,
	},
	{
		name: "oci_cloudguard", list: "ListProblems",
		input: func(w *world) map[string]any { return w.input("oci_cloudguard", 0) },
		want: func(w *world) []string {
			var ids []string
			for _, p := range w.sim.Truth().Problems {
				ids = append(ids, p.ID)
			}
			return ids
		},
		id: recordID,
	},
	{
		name: "oci_logging", list: "SearchLogs",
		input: func(w *world) map[string]any { return w.searchInput(0) },
		want:  (*world).auditIDs, id: recordID,
	},
	{
		name: "oci_streaming", list: "GetMessages", grouped: true, parts: true,
		input: func(w *world) map[string]any { return w.streamInput("eu-frankfurt-1") },
		want:  (*world).homeIDs, id: recordID,
		// A stream forgets; what is in this one happened the day before yesterday, and has all arrived.
		world: func(c *ocisim.Config) {
			c.End = time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour)
			c.Start = c.End.Add(-24 * time.Hour)
		},
	},
}

// homeIDs gives the id of every audit event of the home region.
func (w *world) homeIDs() []string {
	var ids []string
	for _, e := range w.sim.Truth().Events {
		if e.Region == w.sim.Tenancies()[0].Home {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// recordID gives the id of a record of whatever input, "" where it has none.
func recordID(body []byte) string {
	var r struct {
		ID      string `json:"id"`
		EventID string `json:"eventId"`
	}
	_ = json.Unmarshal(body, &r) // one that cannot be read has no id
	return r.ID + r.EventID
}

// trouble is a fault, tried on every subject.
type trouble struct {
	name string
	// fault is what the simulator does to the operation that lists.
	fault ocisim.Fault
	// world changes the simulator, fields the input, between what stands between the two.
	world   func(*ocisim.Config)
	fields  map[string]any
	between func(http.Handler) http.Handler
	// lasts is how long the fault lasts; 0: as its Times say.
	lasts time.Duration
	// refuse is the part of the batches that the output refuses.
	refuse float64
	// extra is how many records more than the simulator's own leave, flagged.
	extra int
	// not are inputs for which it means nothing.
	not []string
	// calm means that the fault shows in no count of the simulator.
	calm bool
}

const (
	tooMany = http.StatusTooManyRequests
	down    = http.StatusServiceUnavailable
)

var troubles = []trouble{
	{name: "throttled, Retry-After in seconds", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: tooMany, Times: 3, RetryAfter: time.Second}},
	{name: "throttled, Retry-After as a date", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: tooMany, Times: 3, RetryAfter: time.Second, RetryAsDate: true}},
	{name: "throttled, no Retry-After", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: tooMany, Times: 2}},
	{name: "outage", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: down, Times: 3}},
	{name: "outage of all calls for two seconds", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: down}, lasts: 2 * time.Second},
	{name: "flapping", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusInternalServerError, Probability: 0.3}, calm: true},
	{name: "not authenticated for a while", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusUnauthorized, After: 1, Times: 1}},
	{name: "not authorized for a while", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusNotFound, After: 1, Times: 1}},
	{name: "page token that has expired", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: http.StatusBadRequest, After: 1, Times: 1}},
	{name: "connection reset in a body", fault: ocisim.Fault{Effect: ocisim.EffectReset, Times: 2}},
	{name: "body that trickles", fault: ocisim.Fault{Effect: ocisim.EffectSlow, Delay: 30 * time.Millisecond, Times: 3}},
	{
		name: "body that trickles beyond the timeout", fault: ocisim.Fault{Effect: ocisim.EffectSlow, Delay: time.Minute, Times: 1},
		fields: map[string]any{"request_timeout": "2s"}, // an answer that is given is not so late on the slowest machine
	},
	{
		name: "no answer at all", fault: ocisim.Fault{Effect: ocisim.EffectHang, Times: 2},
		fields: map[string]any{"request_timeout": "2s"}, // an answer that is given is not so late on the slowest machine
	},
	{name: "page of a proxy with status 200", fault: ocisim.Fault{Effect: ocisim.EffectHTML, Times: 2}},
	{name: "truncated JSON", fault: ocisim.Fault{Effect: ocisim.EffectTruncated, Times: 2}},
	{name: "token of the same page", fault: ocisim.Fault{Effect: ocisim.EffectLoop, Times: 1}},
	{name: "item of wrong types", fault: ocisim.Fault{Effect: ocisim.EffectMalformed, Times: 1}, extra: 1},
	{name: "item that is no UTF-8", fault: ocisim.Fault{Effect: ocisim.EffectUTF8, Times: 1}, extra: 1},
	{name: "item with a control character", fault: ocisim.Fault{Effect: ocisim.EffectControl, Times: 1}, extra: 1},
	{name: "item with a member twice", fault: ocisim.Fault{Effect: ocisim.EffectDuplicate, Times: 1}, extra: 1},
	{name: "empty pages with a token", world: func(c *ocisim.Config) { c.EmptyPages, c.PageSize = 0.6, 20 }},
	// A stream's messages are told apart by their offsets, which the API cannot give twice.
	{name: "every record twice in its page", between: twice, not: []string{"oci_streaming"}},
	{name: "Oracle's clock 4 minutes ahead", world: func(c *ocisim.Config) { c.Clock = func() time.Time { return time.Now().Add(4 * time.Minute) } }},
	{name: "Oracle's clock 4 minutes behind", world: func(c *ocisim.Config) { c.Clock = func() time.Time { return time.Now().Add(-4 * time.Minute) } }},
	{name: "output that refuses a third", refuse: 0.3},
}

// twice lets each item of a list stand twice in it.
func twice(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := httptest.NewRecorder()
		next.ServeHTTP(kept, r)
		body := kept.Body.Bytes()
		for _, list := range []string{`"items":[`, `"results":[`, `[`} {
			head, rest, found := bytes.Cut(body, []byte(list))
			end := bytes.LastIndexByte(rest, ']')
			if found && end > 0 && (list != "[" || len(head) == 0) {
				items := rest[:end]
				body = bytes.Join([][]byte{head, []byte(list), items, []byte(","), items, rest[end:]}, nil)
				break
			}
		}
		maps.Copy(w.Header(), kept.Header())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(kept.Code)
		_, _ = w.Write(body)
	})
}

// TestFaultsOverEveryInput lets each input read a day to its end while something goes wrong: nothing is missing, nothing leaves twice,
// and nothing is asked for in a busy loop.
func TestFaultsOverEveryInput(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	cells, busiest := 0, 0
	t.Run("all", func(t *testing.T) {
		for _, s := range subjects {
			for _, f := range troubles {
				if slices.Contains(f.not, s.name) {
					continue
				}
				t.Run(s.name+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					_, n := meet(t, s, f).busiest()
					mu.Lock()
					defer mu.Unlock()
					cells, busiest = cells+1, max(busiest, n)
				})
			}
		}
	})
	faults.Measured(t, "every input", "%d faults, %d times on %d inputs: nothing missing, nothing twice; the same request at most %d times within a second",
		len(troubles), cells, len(subjects), busiest)
}

// meet runs an input into a fault, and gives the pace of its requests.
func meet(t *testing.T, s subject, f trouble) *pace {
	t.Helper()
	w := newWorld(t, func(c *ocisim.Config) {
		c.Events, c.Compartments, c.Regions, c.PageSize = 300, 2, []string{"eu-frankfurt-1"}, 50
		for _, change := range []func(*ocisim.Config){s.world, f.world} {
			if change != nil {
				change(c)
			}
		}
	})
	if f.between != nil {
		w.put(f.between)
	}
	seen := &pace{}
	w.put(seen.watch)
	hits := func() int { return 1 }
	if f.fault.Effect != "" {
		fault := f.fault
		fault.Operation = s.list
		hits = w.sim.Faults().Add(fault)
	}
	input := s.input(w)
	maps.Copy(input[s.name].(map[string]any), f.fields)
	name := strings.NewReplacer("/", "_", " ", "_", ",", "").Replace(t.Name())
	out := newSink(t, name)
	if f.refuse > 0 {
		random := rand.New(rand.NewPCG(3, 4))
		refused := 0
		out.refuse = func() error {
			if refused == 0 || random.Float64() < f.refuse {
				refused++
				return errors.New("the output refuses")
			}
			return nil
		}
	}
	p := pipeline{
		inputs: []map[string]any{input}, output: map[string]any{"e2e_sink": map[string]any{"name": name}},
		state: filepath.Join(t.TempDir(), "state.db"),
	}
	stream := start(t, p.yaml(t))
	if f.lasts > 0 {
		eventually(t, soon, "the first call that fails", func() bool { return w.sim.Count(s.list, f.fault.Status) > 0 })
		time.Sleep(f.lasts)
		n := hits()
		hits = func() int { return n }
	}
	stream.wait(t, soon)

	if n := hits(); n == 0 && !f.calm {
		t.Error("the fault hit nothing: the test shows nothing")
	}
	ids, flagged := map[string]int{}, 0
	for _, d := range out.deliveries() {
		if d.meta["oci_error"] != "" {
			flagged++
			continue
		}
		ids[s.id(d.body)]++
	}
	extra := len(ids) + flagged - len(s.want(w))
	if extra != f.extra {
		t.Errorf("%d records more than the simulator holds, %d of them flagged; want %d more", extra, flagged, f.extra)
	}
	known := map[string]int{}
	for _, id := range s.want(w) {
		known[id] = ids[id]
	}
	checkNoneMissing(t, s.want(w), known)
	checkOnce(t, ids)
	checkPace(t, seen)
	return seen
}
