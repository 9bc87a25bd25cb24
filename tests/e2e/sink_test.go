package e2e

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// delivery is a message that a sink has taken.
type delivery struct {
	body []byte
	meta map[string]string
	err  error
}

// sink is an output of a stream that keeps what it takes.
type sink struct {
	mu    sync.Mutex
	got   []delivery // guarded by mu
	tally *tally     // takes what comes instead of got, where there is one
	// refuse says why a batch is not taken; nil takes all. It is called by one goroutine at a time.
	refuse func() error // guarded by mu
}

var sinks sync.Map // name -> *sink

// newSink gives an output named after the test: `e2e_sink: {name: ...}`.
func newSink(t *testing.T, name string) *sink {
	t.Helper()
	s := &sink{}
	sinks.Store(name, s)
	t.Cleanup(func() { sinks.Delete(name) })
	return s
}

func (s *sink) deliveries() []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivery(nil), s.got...)
}

// Connect implements service.BatchOutput.
func (*sink) Connect(context.Context) error { return nil }

// Close implements service.BatchOutput.
func (*sink) Close(context.Context) error { return nil }

// WriteBatch takes the batch whole or not at all.
func (s *sink) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	if err := s.refusal(); err != nil {
		return err
	}
	taken := make([]delivery, 0, len(batch))
	for _, m := range batch {
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		d := delivery{body: append([]byte(nil), body...), meta: map[string]string{}, err: m.GetError()}
		_ = m.MetaWalk(func(k, v string) error { d.meta[k] = v; return nil })
		taken = append(taken, d)
	}
	if s.tally != nil {
		for _, d := range taken {
			s.tally.take(d)
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, taken...)
	return nil
}

func (s *sink) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil {
		return nil
	}
	return s.refuse()
}

// replay is an input of a stream: it gives its batches in their order, again where they come back, and ends.
type replay struct {
	mu      sync.Mutex
	batches [][][]byte // guarded by mu; what is still to give
}

var replays sync.Map // name -> *replay

func newReplay(t *testing.T, name string, batches [][][]byte) {
	t.Helper()
	replays.Store(name, &replay{batches: batches})
	t.Cleanup(func() { replays.Delete(name) })
}

// Connect implements service.BatchInput.
func (*replay) Connect(context.Context) error { return nil }

// Close implements service.BatchInput.
func (*replay) Close(context.Context) error { return nil }

// ReadBatch implements service.BatchInput.
func (r *replay) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.batches) == 0 {
		return nil, nil, service.ErrEndOfInput
	}
	var batch service.MessageBatch
	for _, b := range r.batches[0] {
		batch = append(batch, service.NewMessage(b))
	}
	r.batches = r.batches[1:]
	return batch, func(context.Context, error) error { return nil }, nil
}

func init() {
	spec := service.NewConfigSpec().Field(service.NewStringField("name"))
	must(service.RegisterBatchOutput("e2e_sink", spec,
		func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			name, err := conf.FieldString("name")
			if err != nil {
				return nil, service.BatchPolicy{}, 0, err
			}
			s, ok := sinks.Load(name)
			if !ok {
				return nil, service.BatchPolicy{}, 0, errors.New("no sink " + name)
			}
			return s.(*sink), service.BatchPolicy{}, 64, nil
		}))
	must(service.RegisterBatchInput("e2e_replay", spec,
		func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchInput, error) {
			name, err := conf.FieldString("name")
			if err != nil {
				return nil, err
			}
			r, ok := replays.Load(name)
			if !ok {
				return nil, errors.New("no replay " + name)
			}
			return service.AutoRetryNacksBatched(r.(*replay)), nil
		}))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
