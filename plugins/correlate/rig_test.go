package correlate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "benthos-oci/plugins/bolt"
	_ "benthos-oci/plugins/correlate"
	_ "benthos-oci/plugins/correlate_source"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/sample"
	"benthos-oci/plugins/internal/watermark"
	_ "benthos-oci/plugins/oci_normalize"
)

// The rig's components find what a test gives them by name.
var (
	feeds  sync.Map // of *feed
	sinks  sync.Map // of *sink
	stores sync.Map // of *store
	names  atomic.Int64
)

var errDown = errors.New("it is down")

func init() {
	named := service.NewConfigSpec().Field(service.NewStringField("name")).
		Field(service.NewBoolField("reports").Default(false)).Field(service.NewBoolField("bounded").Default(false))
	service.MustRegisterBatchInput("test_feed", named, func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
		name, err := conf.FieldString("name")
		if err != nil {
			return nil, err
		}
		reports, err := conf.FieldBool("reports")
		if err != nil {
			return nil, err
		}
		v, _ := feeds.Load(name)
		in := &feedInput{feed: v.(*feed)}
		bounded, err := conf.FieldBool("bounded")
		if err != nil {
			return nil, err
		}
		if reports {
			in.source = progress.Of(res).Register(progress.Name(res), bounded)
			in.feed.source.Store(in.source)
		}
		return service.AutoRetryNacksBatched(in), nil
	})
	service.MustRegisterBatchOutput("test_sink", named, func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
		name, err := conf.FieldString("name")
		v, _ := sinks.Load(name)
		return v.(*sink), service.BatchPolicy{}, 64, err
	})
	service.MustRegisterCache("test_store", named, func(conf *service.ParsedConfig, _ *service.Resources) (service.Cache, error) {
		name, err := conf.FieldString("name")
		v, _ := stores.Load(name)
		return v.(*store), err
	})
}

// feed is what an input gives; closing batches ends it.
type feed struct {
	batches chan service.MessageBatch
	source  atomic.Pointer[watermark.Source]
	acked   atomic.Int64 // batches
	mu      sync.Mutex
	next    int          // batches read
	open    map[int]bool // those of them that are not acked
	// pace is how long each batch takes to come, so that the clock ticks in between.
	pace time.Duration
}

func newFeed(batches ...service.MessageBatch) *feed {
	f := &feed{open: map[int]bool{}, batches: make(chan service.MessageBatch, max(16, len(batches)))}
	for _, b := range batches {
		f.batches <- b
	}
	return f
}

// delivered is the number of batches before the first that is not acked.
func (f *feed) delivered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.next
	for i := range f.open {
		n = min(n, i)
	}
	return n
}

func (f *feed) ends() *feed {
	close(f.batches)
	return f
}

// feedInput reads a feed. One that reports does it as the oci inputs do, all its batches in one partition.
type feedInput struct {
	*feed
	source *watermark.Source
}

func (f *feedInput) Connect(context.Context) error { return nil }

func (f *feedInput) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case b, ok := <-f.batches:
		if !ok {
			if f.source != nil {
				f.source.End()
			}
			return nil, nil, service.ErrEndOfInput
		}
		time.Sleep(f.pace)
		done := func() {}
		if f.source != nil {
			done = f.source.Partition(tenancy, "p").Read(event.MinTime)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		n := f.next
		f.next++
		f.open[n] = true
		return b, func(_ context.Context, err error) error {
			if err != nil {
				return nil // the input itself is closed before it could send the batch again
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.open, n)
			f.acked.Add(1)
			done()
			return nil
		}, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (f *feedInput) Close(context.Context) error { return nil }

// sink is an output that a test can make fail.
type sink struct {
	// fail gives the error for a batch; nil takes it. It may be a *service.BatchError.
	fail func(service.MessageBatch) error
	// takes is how long the sink takes for a batch.
	takes time.Duration

	mu       sync.Mutex
	attempts int
	got      []*service.Message
}

func (s *sink) Connect(context.Context) error { return nil }
func (s *sink) Close(context.Context) error   { return nil }

func (s *sink) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	index := batch.Index()
	var err error
	if s.fail != nil {
		err = s.fail(batch)
	}
	var partial *service.BatchError
	switch {
	case err == nil:
		s.got = append(s.got, batch...)
	case errors.As(err, &partial):
		partial.WalkMessagesIndexedBy(index, func(_ int, m *service.Message, err error) bool {
			if err == nil {
				s.got = append(s.got, m)
			}
			return true
		})
	}
	return err
}

// taken gives what the sink took so far.
func (s *sink) taken() []*service.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// found is the last that was heard of an incident.
type found struct {
	Rule, User, Action string
	Count              int64
	First, Last        string
}

// incidents gives the last message of each incident by id, and how often each id came.
func (s *sink) incidents(t *testing.T) (map[string]found, map[string]int) {
	t.Helper()
	last, times, revisions := map[string]found{}, map[string]int{}, map[string]int64{}
	for _, m := range s.taken() {
		if kind, _ := m.MetaGet("correlate_type"); kind != "incident" {
			continue
		}
		id, _ := m.MetaGet("incident_id")
		times[id]++
		v, _ := m.MetaGetImmut("incident_revision")
		revision, _ := v.(int64)
		if revision < revisions[id] {
			continue
		}
		revisions[id] = revision
		doc, err := m.AsStructured()
		if err != nil {
			t.Fatal(err)
		}
		f := found{}
		f.Rule, _ = m.MetaGet("incident_rule")
		f.Action, _ = m.MetaGet("incident_action")
		f.User = fmt.Sprint(at(doc, "unmapped", "key", "user"))
		f.Count, _ = at(doc, "count").(int64)
		f.First = fmt.Sprint(at(doc, "finding_info", "first_seen_time"))
		f.Last = fmt.Sprint(at(doc, "finding_info", "last_seen_time"))
		last[id] = f
	}
	return last, times
}

func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// store is a cache in memory that outlives its stream, and that a test can make fail.
type store struct {
	fail func() error

	mu    sync.Mutex
	items map[string][]byte
}

func (s *store) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.items[key]
	if !ok {
		return nil, service.ErrKeyNotFound
	}
	return v, nil
}

func (s *store) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	s.items[key] = slices.Clone(value)
	return nil
}

func (s *store) Add(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	if _, err := s.Get(ctx, key); err == nil {
		return service.ErrKeyAlreadyExists
	}
	return s.Set(ctx, key, value, ttl)
}

func (s *store) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, key)
	return nil
}

func (s *store) Close(context.Context) error { return nil }

// use gives components of the rig a name for a config.
func use(t *testing.T, table *sync.Map, v any) string {
	t.Helper()
	name := fmt.Sprint("c", names.Add(1))
	table.Store(name, v)
	t.Cleanup(func() { table.Delete(name) })
	return name
}

// running is a stream of a test.
type running struct {
	t      *testing.T
	stream *service.Stream
	ended  chan error
}

// start runs a config in which {{name}} stands for a component of the rig.
func start(t *testing.T, threads int, config string, components map[string]any) *running {
	t.Helper()
	for name, v := range components {
		table := &stores
		switch v.(type) {
		case *feed:
			table = &feeds
		case *sink:
			table = &sinks
		}
		config = strings.ReplaceAll(config, "{{"+name+"}}", use(t, table, v))
	}
	b := service.NewStreamBuilder()
	b.SetLogger(slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err := b.SetYAML(config); err != nil {
		t.Fatalf("reading the config: %v\n%s", err, config)
	}
	b.SetThreads(threads)
	s, err := b.Build()
	if err != nil {
		t.Fatalf("building the stream: %v", err)
	}
	r := &running{t: t, stream: s, ended: make(chan error, 1)}
	go func() { r.ended <- s.Run(context.WithoutCancel(t.Context())) }()
	return r
}

// kill stops the stream without waiting for anything.
func (r *running) kill() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	cancel()
	_ = r.stream.Stop(ctx)
	<-r.ended
}

// withState says in a config which cache is STATE.
func withState(config, cache string) string { return strings.ReplaceAll(config, "STATE", cache) }

// testWriter gives log lines to a test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	fmt.Fprint(w.t.Output(), string(p))
	return len(p), nil
}

var _ io.Writer = testWriter{}

// wait waits for the stream to end by itself.
func (r *running) wait() {
	r.t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(24 * time.Hour): // of the bubble's time
		r.t.Error("the stream does not end")
		r.stop()
	}
}

// stop stops the stream, by force where it does not stop in time.
func (r *running) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), 10*time.Second)
	defer cancel()
	_ = r.stream.Stop(ctx)
	<-r.ended
}

// noon is when the events of these tests begin: the day before the clock of a bubble begins.
var noon = time.Date(1999, 12, 31, 12, 0, 0, 0, time.UTC)

// user names a principal of the tests' tenancy.
func user(name string) sample.Principal {
	return sample.Principal{Name: name, ID: "ocid1.user.oc1.." + name}
}

const tenancy = "ocid1.tenancy.oc1..acme"

// raw gives a record of the Audit API.
func raw(op, actor string, at time.Time) *service.Message {
	m := service.NewMessage(sample.JSON(op, sample.Options{
		ID: fmt.Sprintf("%s-%s-%d", op, actor, at.UnixNano()), Time: at, Tenancy: sample.Principal{Name: "acme", ID: tenancy}, Actor: user(actor),
	}))
	m.MetaSetMut("oci_tenancy", tenancy)
	return m
}

// caughtUp says for a feed that reports that it has read everything of a partition up to at.
func (f *feed) caughtUp(partition string, at time.Time) {
	f.source.Load().Partition(tenancy, partition).CaughtUp(event.TimeOf(at))
}
