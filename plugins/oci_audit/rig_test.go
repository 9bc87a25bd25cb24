package ociaudit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/ocireader"
	"benthos-oci/plugins/internal/ocirig"
	"benthos-oci/plugins/ocisim"
)

// rig is a simulated tenancy and the cache that outlives the inputs which read it.
type rig struct {
	t    *testing.T
	sim  *ocisim.Sim
	res  *service.Resources // of the running process
	yaml string
	disk *ocirig.Disk
	// handle is the running process's access to the disk.
	handle *ocirig.Handle
	// via wraps the transport; nil: none.
	via func(http.RoundTripper) http.RoundTripper
	// rate is the most requests a second.
	rate int
	log  *ocirig.Lines
}

// retrying wraps an input as its registration does.
func retrying(in service.BatchInput) service.BatchInput { return ocifields.Retrying(in) }

// newRig simulates a tenancy whose day lies before now; call it inside the bubble of synctest.
func newRig(t *testing.T, c ocisim.Config, yaml string) *rig {
	t.Helper()
	sim, err := ocisim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, sim: sim, yaml: yaml, rate: 100_000, log: &ocirig.Lines{}, disk: ocirig.NewDisk()}
	r.process()
	return r
}

// span gives start and end fields for the whole of a day that ended a day ago, so that nothing appears late any more.
func span() (c ocisim.Config, yaml string) {
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	start := end.Add(-6 * time.Hour)
	return ocisim.Config{Start: start, End: end, Events: 2000, Compartments: 4, Users: 50},
		fmt.Sprintf("start: %s\nend: %s\n", start.Format(time.RFC3339), end.Add(time.Hour).Format(time.RFC3339))
}

// parse reads the configuration; {auth} in the rig's own YAML is not needed, the simulator's is used.
func (r *rig) config(extra string) config {
	r.t.Helper()
	block := r.sim.ConfigBlock("http://127.0.0.1:1", 0)
	parsed, err := Spec().ParseYAML(fmt.Sprintf("%scheckpoint_cache: state\nmax_requests_per_second: %d\n", block, r.rate)+r.yaml+extra, nil)
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
func (r *rig) input(extra string) *ocireader.Input {
	r.t.Helper()
	return r.inputOf(r.config(extra))
}

func (r *rig) inputOf(c config) *ocireader.Input {
	r.t.Helper()
	in, err := newInput(c, r.res)
	if err != nil {
		r.t.Fatal(err)
	}
	transport := r.sim.RoundTripper()
	if r.via != nil {
		transport = r.via(transport)
	}
	in.Change = func(o *oci.Options) {
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

// message is what left an input.
type message struct {
	id, raw, region, compartment, fault string
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
		got.region, _ = m.MetaGet("oci_region")
		got.compartment, _ = m.MetaGet("oci_compartment")
		got.fault, _ = m.MetaGet("oci_error")
		if _, rest, ok := strings.Cut(got.raw, `"eventId":"`); ok {
			got.id, _, _ = strings.Cut(rest, `"`)
		}
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

// drainFor reads an input for so long, and acks each batch.
func (r *rig) drainFor(in service.BatchInput, to *inbox, length time.Duration) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), length)
	defer cancel()
	if err := in.Connect(ctx); err != nil {
		r.t.Fatalf("Connect: %v", err)
	}
	for {
		batch, ack, err := in.ReadBatch(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return
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

// missing compares what left with what the simulator holds.
func (r *rig) missing(got *inbox) (missing, repeated, invented int) {
	want := map[string]bool{}
	for _, e := range r.sim.Truth().Events {
		want[e.ID] = true
		if got.ids[e.ID] == 0 {
			missing++
		}
	}
	for id, n := range got.ids {
		repeated += n - 1
		if !want[id] {
			invented++
		}
	}
	return missing, repeated, invented
}

func (r *rig) wantAll(got *inbox, repeats int) {
	r.t.Helper()
	missing, repeated, invented := r.missing(got)
	if missing != 0 || invented != 0 || repeated > repeats {
		r.t.Errorf("got %d events missing, %d repeated, %d invented of %d, want 0, at most %d, 0",
			missing, repeated, invented, len(r.sim.Truth().Events), repeats)
	}
}
