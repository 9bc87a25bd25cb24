package ocistreaming

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/ocisim"
)

const region = "eu-frankfurt-1"

// rig is a simulated tenancy with a stream, and the disk that outlives the processes which read it.
type rig struct {
	t      *testing.T
	sim    *ocisim.Sim
	stream ocisim.Stream
	disk   *disk
	yaml   string
	log    *lines

	mu    sync.Mutex
	calls []ocisim.Call // mu
}

// process is one run of the program: an input with resources of its own.
type process struct {
	service.BatchInput
	in   *input
	disk *handle
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

// newRig simulates a tenancy whose audit events are all in the stream; call it inside the bubble of synctest.
func newRig(t *testing.T, stream string, change func(*ocisim.Config)) *rig {
	t.Helper()
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	r := &rig{t: t, log: &lines{}, disk: &disk{items: map[string]string{}}}
	c := ocisim.Config{
		Start: end.Add(-6 * time.Hour), End: end, Events: 1500, Compartments: 3, Users: 50, Regions: []string{region},
		Observe: func(call ocisim.Call) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.calls = append(r.calls, call)
		},
	}
	if change != nil {
		change(&c)
	}
	var err error
	if r.sim, err = ocisim.New(c); err != nil {
		t.Fatal(err)
	}
	r.stream = r.sim.Stream(0, region, stream)
	return r
}

// inbox gives a rig with an empty stream of so many partitions.
func inboxRig(t *testing.T, partitions int) *rig {
	t.Helper()
	return newRig(t, ocisim.InboxStream, func(c *ocisim.Config) { c.Partitions, c.Events, c.NoStories = partitions, 1, true })
}

// put puts so many messages into each partition, named by partition and number.
func (r *rig) put(from, to int) {
	r.t.Helper()
	for p := range r.stream.Partitions {
		for n := from; n < to; n++ {
			r.putOne(p, fmt.Sprintf("%d/%d", p, n))
		}
	}
}

func (r *rig) putOne(partition int, value string) {
	r.t.Helper()
	if _, err := r.sim.Publish(r.stream.OCID, partition, []byte("a key"), []byte(value)); err != nil {
		r.t.Fatal(err)
	}
}

// rate is the largest number of calls of an operation, "" for all, that the simulator saw within a second since a time.
func (r *rig) rate(operation string, since time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 0
	var last []time.Time
	for _, call := range r.calls {
		if operation != "" && call.Operation != operation || call.Time.Before(since) {
			continue
		}
		last = append(last, call.Time)
		for call.Time.Sub(last[0]) >= time.Second {
			last = last[1:]
		}
		most = max(most, len(last))
	}
	return most
}

// config reads a configuration of the rig's tenancy.
func (r *rig) config(fields string) config {
	r.t.Helper()
	block := r.sim.ConfigBlock("http://127.0.0.1:1", 0)
	parsed, err := Spec().ParseYAML(block+"stream_id: "+r.stream.OCID+"\ncheckpoint_cache: state\n"+fields+r.yaml, nil)
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
	h := &handle{disk: r.disk}
	res := r.resources(h)
	in, err := newInput(r.config(fields), res)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.started(in, h)
}

func (r *rig) resources(h *handle) *service.Resources {
	r.t.Helper()
	env := service.GlobalEnvironment().Clone()
	if err := env.RegisterCache("disk", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Cache, error) { return h, nil }); err != nil {
		r.t.Fatal(err)
	}
	builder := env.NewResourceBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(r.log, nil)))
	if err := builder.AddCacheYAML("label: state\ndisk: {}"); err != nil {
		r.t.Fatal(err)
	}
	res, stop, err := builder.BuildSuspended()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := stop(context.WithoutCancel(r.t.Context())); err != nil {
			r.t.Error(err)
		}
	})
	return res
}

func (r *rig) started(in *input, h *handle) process {
	in.change = func(o *oci.Options) {
		o.Transport = mortal{next: r.sim.RoundTripper(), of: h}
		o.Retry = oci.Retry{Jitter: func() float64 { return 0.5 }}
	}
	return process{BatchInput: ocifields.Retrying(in), in: in, disk: h}
}

// mortal is the network of a process; after a kill nothing goes out any more.
type mortal struct {
	next http.RoundTripper
	of   *handle
}

var errDead = errors.New("the process is dead")

func (m mortal) RoundTrip(req *http.Request) (*http.Response, error) {
	m.of.mu.Lock()
	dead := m.of.dead
	m.of.mu.Unlock()
	if dead {
		return nil, errDead
	}
	return m.next.RoundTrip(req)
}

// stop ends a process cleanly.
func (r *rig) stop(p process) {
	r.t.Helper()
	if err := p.Close(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

// kill ends a process of which nothing is saved or committed any more.
func (r *rig) kill(p process) {
	r.disk.mu.Lock()
	p.disk.dead = true
	r.disk.mu.Unlock()
	r.stop(p)
}

// message is what left an input.
type message struct {
	raw  string
	meta map[string]string
}

// inbox takes what leaves inputs.
type inbox struct {
	mu   sync.Mutex
	all  []message      // mu
	ids  map[string]int // mu; how often each left: by the id of an event, or by what it is
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
		got := message{raw: string(raw), meta: map[string]string{}}
		if err := m.MetaWalk(func(key, value string) error {
			got.meta[key] = value
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if (got.meta["oci_error"] != "") != (m.GetError() != nil) {
			t.Errorf("a message says fault %q and has the error %v", got.meta["oci_error"], m.GetError())
		}
		b.all = append(b.all, got)
		b.ids[idOf(raw)]++
	}
}

func idOf(raw []byte) string {
	var doc struct{ ID string }
	if json.Unmarshal(raw, &doc) != nil || doc.ID == "" {
		return string(raw)
	}
	return doc.ID
}

func (b *inbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ids)
}

func (b *inbox) batches() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.took
}

// drain reads an input until stop says so, and acks each batch.
func (r *rig) drain(in service.BatchInput, to *inbox, stop func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 24*time.Hour)
	defer cancel()
	r.pump(ctx, in, to, stop)
	if ctx.Err() != nil {
		r.t.Fatalf("not all came within a day: %d messages in %d batches\n%s", to.count(), to.batches(), r.log)
	}
}

func (r *rig) pump(ctx context.Context, in service.BatchInput, to *inbox, stop func() bool) {
	r.t.Helper()
	connected := false
	for !stop() {
		if !connected {
			if !r.connect(ctx, in) {
				return
			}
			connected = true
		}
		batch, ack, err := in.ReadBatch(ctx)
		if errors.Is(err, service.ErrNotConnected) {
			connected = false
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.t.Errorf("ReadBatch: %v", err)
			return
		}
		to.take(r.t, batch)
		if err := ack(ctx, nil); err != nil {
			r.t.Errorf("ack: %v", err)
			return
		}
	}
}

// background drains an input until the function that it returns is called.
func (r *rig) background(in service.BatchInput, to *inbox) (halt func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		r.pump(ctx, in, to, func() bool { return false })
	}()
	return func() {
		cancel()
		<-over
	}
}

// connect connects as Benthos does: again and again.
func (r *rig) connect(ctx context.Context, in service.BatchInput) bool {
	r.t.Helper()
	for {
		err := in.Connect(ctx)
		if err == nil {
			return true
		}
		var pause *service.ErrBackOff
		if ctx.Err() != nil {
			return false
		}
		if !errors.As(err, &pause) {
			r.t.Errorf("Connect: %v", err)
			return false
		}
		if oci.Sleep(ctx, pause.Wait) != nil {
			return false
		}
	}
}

// events is the number of events that the stream holds.
func (r *rig) events() int { return len(r.sim.Truth().Events) }

// wantAll compares what left with what the stream holds: each once, some of them at most repeats times more.
func (r *rig) wantAll(got *inbox, repeats int) {
	r.t.Helper()
	want := map[string]bool{}
	missing, repeated, invented := 0, 0, 0
	for _, m := range r.sim.Messages(r.stream.OCID) {
		id := idOf(m.Value)
		want[id] = true
		if got.ids[id] == 0 {
			missing++
		}
	}
	for id, n := range got.ids {
		repeated += n - 1
		if !want[id] {
			invented++
		}
	}
	if len(want) == 0 || missing != 0 || invented != 0 || repeated > repeats {
		r.t.Errorf("got %d messages missing, %d repeated, %d invented of %d, want 0, at most %d, 0", missing, repeated, invented, len(want), repeats)
	}
}

// committed is the number of messages of a group that are committed.
func (r *rig) committed(group string) int {
	_, offsets := r.sim.Reservations(r.stream.OCID, group)
	n := 0
	for _, offset := range offsets {
		n += int(offset) + 1
	}
	return n
}

// disk is what is left when a process ends.
type disk struct {
	mu    sync.Mutex
	items map[string]string // mu
	fail  bool              // mu
}

func (d *disk) down(fail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// handle is a process's access to the disk; of a killed process nothing is written any more.
type handle struct {
	*disk
	dead bool // mu of the disk
}

var errDown = errors.New("the cache is down")

func (h *handle) Get(_ context.Context, key string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail {
		return nil, errDown
	}
	value, ok := h.items[key]
	if !ok {
		return nil, service.ErrKeyNotFound
	}
	return []byte(value), nil
}

func (h *handle) Set(ctx context.Context, key string, value []byte, _ *time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail {
		return errDown
	}
	if !h.dead {
		h.items[key] = string(value)
	}
	return nil
}

func (h *handle) Add(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	return h.Set(ctx, key, value, ttl)
}

func (h *handle) Delete(_ context.Context, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dead {
		delete(h.items, key)
	}
	return nil
}

func (*handle) Close(context.Context) error { return nil }
