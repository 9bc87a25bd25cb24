package ocilogging

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/ocireader"
	"benthos-oci/plugins/internal/ocirig"
	"benthos-oci/plugins/ocisim"
)

// rig is a simulated tenancy and the disk that outlives the processes which read it.
type rig struct {
	t    *testing.T
	sim  *ocisim.Sim
	disk *ocirig.Disk
	yaml string
	log  *ocirig.Lines
	// via wraps the transport; nil: none.
	via func(http.RoundTripper) http.RoundTripper
}

// process is one run of the program: an input with resources of its own.
type process struct {
	service.BatchInput
	in   *ocireader.Input
	res  *service.Resources
	disk *ocirig.Handle
}

// newRig simulates a tenancy; call it inside the bubble of synctest.
func newRig(t *testing.T, c ocisim.Config, yaml string) *rig {
	t.Helper()
	sim, err := ocisim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, sim: sim, yaml: yaml, log: &ocirig.Lines{}, disk: ocirig.NewDisk()}
}

// span gives a day that ended a day ago, so that nothing appears late any more, and the fields that read it and end.
func span() (c ocisim.Config, yaml string) {
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	start := end.Add(-6 * time.Hour)
	return ocisim.Config{Start: start, End: end, Events: 1500, Compartments: 3, Users: 50},
		fmt.Sprintf("start: %s\nend: %s\n", start.Format(time.RFC3339), end.Add(time.Hour).Format(time.RFC3339))
}

// root is the OCID of the tenancy.
func (r *rig) root() string { return r.sim.Tenancies()[0].OCID }

// queryYAML is an entry of the list of queries; more are fields that already are YAML.
func queryYAML(name, search, more string) string {
	return "      - name: " + name + "\n        search: >-\n          " + search + "\n" + more
}

// auditOf searches the audit events of a compartment, treeOf those of all that lies below it, too.
func auditOf(compartment string) string { return `search "` + compartment + `/_Audit"` }

func treeOf(compartment string) string {
	return `search "` + compartment + `/_Audit_Include_Subcompartment"`
}

// whole is a query for every audit event of the tenancy.
func (r *rig) whole() string { return "queries:\n" + queryYAML("whole", treeOf(r.root()), "") }

// perCompartment is one query for each compartment, named c0, c1, ...
func (r *rig) perCompartment() string {
	text := "queries:\n"
	for i, c := range r.sim.Tenancies()[0].Compartments {
		text += queryYAML(fmt.Sprint("c", i), auditOf(c.OCID), "")
	}
	return text
}

// config reads a configuration of the rig's tenancy.
func (r *rig) config(fields string) config {
	r.t.Helper()
	block := r.sim.ConfigBlock("http://127.0.0.1:1", 0)
	parsed, err := Spec().ParseYAML(block+"checkpoint_cache: state\nmax_requests_per_second: 100000\n"+r.yaml+fields, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := parse(parsed)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// start makes an input, as a start of the process does.
func (r *rig) start(fields string) process {
	r.t.Helper()
	res, h := r.disk.Process(r.t, r.log)
	return r.startIn(res, h, fields)
}

// startIn makes an input beside others of the same process.
func (r *rig) startIn(res *service.Resources, h *ocirig.Handle, fields string) process {
	r.t.Helper()
	in, err := newInput(r.config(fields), res)
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
	return process{BatchInput: ocifields.Retrying(in), in: in, res: res, disk: h}
}

// stop ends a process cleanly.
func (r *rig) stop(p process) {
	r.t.Helper()
	if err := p.Close(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

// kill ends a process of which nothing is saved any more.
func (r *rig) kill(p process) {
	p.disk.Kill()
	r.stop(p)
}

// message is what left an input.
type message struct {
	raw, region, query, compartment, fault string
}

// inbox takes what leaves an input.
type inbox struct {
	mu   sync.Mutex
	all  []message      // mu
	ids  map[string]int // mu; how often each id left
	took int            // mu; batches
}

func newInbox() *inbox { return &inbox{ids: map[string]int{}} }

func (b *inbox) take(t *testing.T, batch service.MessageBatch) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.took++
	for _, m := range batch {
		raw, err := m.AsBytes()
		if err != nil {
			t.Fatal(err)
		}
		got := message{raw: string(raw)}
		got.region, _ = m.MetaGet("oci_region")
		got.query, _ = m.MetaGet("oci_query")
		got.compartment, _ = m.MetaGet("oci_compartment")
		got.fault, _ = m.MetaGet("oci_error")
		if (got.fault != "") != (m.GetError() != nil) {
			t.Errorf("a message says fault %q and has the error %v", got.fault, m.GetError())
		}
		b.all = append(b.all, got)
		b.ids[idOf(raw)]++
	}
}

// idOf reads the id of an event, in its row or out of it; "" where there is none.
func idOf(raw []byte) string {
	var doc struct {
		ID         string
		LogContent struct{ ID string }
	}
	if json.Unmarshal(raw, &doc) != nil {
		return ""
	}
	return doc.ID + doc.LogContent.ID
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
			r.connect(ctx, in)
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
		to.take(r.t, batch)
		if err := ack(ctx, nil); err != nil {
			r.t.Fatalf("ack: %v", err)
		}
	}
}

// connect connects as Benthos does: again and again.
func (r *rig) connect(ctx context.Context, in service.BatchInput) {
	r.t.Helper()
	for {
		err := in.Connect(ctx)
		if err == nil {
			return
		}
		var pause *service.ErrBackOff
		if !errors.As(err, &pause) || ctx.Err() != nil {
			r.t.Fatalf("Connect: %v", err)
		}
		time.Sleep(pause.Wait)
	}
}

// wantAll compares what left with what the simulator holds: each event once, some of them at most repeats times more.
func (r *rig) wantAll(got *inbox, repeats int) {
	r.t.Helper()
	want := map[string]bool{}
	missing, repeated, invented := 0, 0, 0
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
	if missing != 0 || invented != 0 || repeated > repeats {
		r.t.Errorf("got %d events missing, %d repeated, %d invented of %d, want 0, at most %d, 0", missing, repeated, invented, len(want), repeats)
	}
}
