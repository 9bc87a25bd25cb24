package ocicloudguard

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/ocisim"
)

// rig is a simulated tenancy and the cache that outlives the inputs which read it.
type rig struct {
	t    *testing.T
	sim  *ocisim.Sim
	res  *service.Resources
	yaml string
	// via wraps the transport; nil: none.
	via func(http.RoundTripper) http.RoundTripper
	log *lines
}

// lines keeps what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// count is the number of lines that hold a text.
func (l *lines) count(text string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// newRig simulates a tenancy whose day lies before now; call it inside the bubble of synctest.
func newRig(t *testing.T, c ocisim.Config, yaml string) *rig {
	t.Helper()
	sim, err := ocisim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	return &rig{
		t: t, sim: sim, yaml: yaml, log: log,
		res: service.MockResources(service.MockResourcesOptAddCache("state"), service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(log.logger()))),
	}
}

// span gives a tenancy whose problems arise over the day before yesterday.
func span() ocisim.Config {
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	return ocisim.Config{Start: end.Add(-24 * time.Hour), End: end, Events: 1, NoStories: true, Compartments: 4, Users: 5, Problems: 30}
}

// parse reads the configuration; {auth} in the rig's own YAML is not needed, the simulator's is used.
func (r *rig) config(extra string) config {
	r.t.Helper()
	block := r.sim.ConfigBlock("http://127.0.0.1:1", 0)
	parsed, err := Spec().ParseYAML(block+"checkpoint_cache: state\nmax_requests_per_second: 100000\n"+r.yaml+extra, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := parse(parsed)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// input makes an input, as a start of the process does.
func (r *rig) input(extra string) *input {
	r.t.Helper()
	in, err := newInput(r.config(extra), r.res)
	if err != nil {
		r.t.Fatal(err)
	}
	transport := r.sim.RoundTripper()
	if r.via != nil {
		transport = r.via(transport)
	}
	in.change = func(o *oci.Options) {
		o.Transport = transport
		o.Retry = oci.Retry{Jitter: func() float64 { return 0.5 }}
	}
	return in
}

// close stops an input as a clean stop of the process does.
func (r *rig) close(in service.BatchInput) {
	r.t.Helper()
	if err := in.Close(r.t.Context()); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

// kill ends an input as a killed process does: nothing is saved any more.
func kill(in *input) {
	r := in.reader
	if r == nil {
		return
	}
	r.cancel()
	r.done.Wait()
	r.release()
}

// message is what left an input.
type message struct {
	id, raw, state, change, fault string
	detail, detailFault           string
}

// inbox takes what leaves an input.
type inbox struct {
	mu   sync.Mutex
	all  []message      // mu
	ids  map[string]int // mu; how often each id left
	took int            // mu; batches
}

func newInbox() *inbox { return &inbox{ids: map[string]int{}} }

func (b *inbox) take(batch service.MessageBatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.took++
	for _, m := range batch {
		raw, err := m.AsBytes()
		if err != nil {
			panic(err)
		}
		got := message{raw: string(raw)}
		got.change, _ = m.MetaGet("oci_change")
		got.fault, _ = m.MetaGet("oci_error")
		got.detail, _ = m.MetaGet("oci_detail")
		got.detailFault, _ = m.MetaGet("oci_detail_error")
		got.id, got.state = field(got.raw, "id"), field(got.raw, "lifecycleDetail")
		b.all = append(b.all, got)
		b.ids[got.id]++
	}
}

func (b *inbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ids)
}

// drain reads an input to its end, or until stop says so, and acks each batch.
func (r *rig) drain(in service.BatchInput, to *inbox, stop func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*24*time.Hour)
	defer cancel()
	connected := false
	for stop == nil || !stop() {
		if !connected {
			err := in.Connect(ctx)
			if errors.Is(err, service.ErrEndOfInput) {
				return
			}
			if err != nil {
				r.t.Fatalf("Connect: %v", err)
			}
			connected = true
		}
		batch, ack, err := in.ReadBatch(ctx)
		if errors.Is(err, service.ErrEndOfInput) {
			return
		}
		if errors.Is(err, service.ErrNotConnected) {
			connected = false
			continue
		}
		if err != nil {
			r.t.Fatalf("ReadBatch: %v", err)
		}
		to.take(batch)
		if err := ack(ctx, nil); err != nil {
			r.t.Fatalf("ack: %v", err)
		}
	}
}

// field reads a string of a JSON object that is written without spaces.
func field(raw, name string) string {
	_, rest, _ := strings.Cut(raw, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// update lets something happen to a problem.
func (r *rig) update(id string, u ocisim.ProblemUpdate) {
	r.t.Helper()
	if err := r.sim.UpdateProblem(id, u); err != nil {
		r.t.Error(err)
	}
}
