package correlatesource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
	"go.uber.org/goleak"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lateness = 30 * time.Minute

var errDown = errors.New("the output is down")

// source is a child that gives the batches it is fed, and takes note of what becomes of them.
type source struct {
	feed   chan service.MessageBatch
	mu     sync.Mutex
	acks   []error
	closed bool
	// state is what a test of the connection says; nil: nothing.
	state  *error
	tested int
}

func newSource() *source { return &source{feed: make(chan service.MessageBatch, 100)} }

func (s *source) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case b, ok := <-s.feed:
		if !ok {
			return nil, nil, service.ErrEndOfInput
		}
		return b, func(_ context.Context, err error) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.acks = append(s.acks, err)
			return nil
		}, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (s *source) ConnectionTest(context.Context) service.ConnectionTestResults {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tested++
	switch {
	case s.state == nil:
		return service.ConnectionTestNotSupported().AsList()
	case *s.state == nil:
		return service.ConnectionTestSucceeded().AsList()
	}
	return service.ConnectionTestFailed(*s.state).AsList()
}

// is says what tests of the connection find from now on.
func (s *source) is(state error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = &state
}

// tests is how often the connection was tested.
func (s *source) tests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tested
}

func (s *source) Close(context.Context) error {
	s.closed = true
	return nil
}

// acked gives the answers that the child got.
func (s *source) acked() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error{}, s.acks...)
}

// eventAt is an OCSF document of that time; a tracker needs nothing else of it.
func eventAt(at time.Time) *service.Message {
	return service.NewMessage(fmt.Appendf(nil, `{"class_uid":6003,"metadata":{"uid":"x"},"time":%d}`, at.UnixMilli()))
}

// stream is an input in a test, with a correlator that listens.
type stream struct {
	*input
	t       *testing.T
	tracker *watermark.Tracker
}

func newStream(t *testing.T, c config, children ...child) *stream {
	t.Helper()
	tracker := watermark.New()
	if c.tickInterval == 0 {
		c.tickInterval = time.Second
	}
	if c.limits.MaxHold == 0 {
		c.limits = watermark.Limits{MaxHold: time.Hour, IdleTimeout: 5 * time.Minute}
	}
	c.inputs = children
	return &stream{input: newInput(c, tracker, service.MockResources()), t: t, tracker: tracker}
}

func (s *stream) connect() {
	s.t.Helper()
	if err := s.Connect(s.t.Context()); err != nil {
		s.t.Fatalf("Connect: %v", err)
	}
}

func (s *stream) close() {
	s.t.Helper()
	if err := s.Close(context.WithoutCancel(s.t.Context())); err != nil {
		s.t.Errorf("Close: %v", err)
	}
}

// read gives the next batch within a minute; nil where there is none.
func (s *stream) read() (service.MessageBatch, service.AckFunc) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	b, ack, err := s.ReadBatch(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.t.Fatalf("ReadBatch: %v", err)
	}
	return b, ack
}

// tick reads the next batch, which must be a tick.
func (s *stream) tick() (watermark.Tick, service.AckFunc) {
	s.t.Helper()
	b, ack := s.read()
	if len(b) != 1 {
		s.t.Fatalf("got a batch of %d, want a tick", len(b))
	}
	v, ok := b[0].MetaGetImmut(watermark.MetaTick)
	if !ok {
		s.t.Fatalf("got an event, want a tick")
	}
	var tick watermark.Tick
	if err := json.Unmarshal([]byte(v.(string)), &tick); err != nil {
		s.t.Fatal(err)
	}
	return tick, ack
}

func ackOK(t *testing.T, ack service.AckFunc) {
	t.Helper()
	if err := ack(t.Context(), nil); err != nil {
		t.Errorf("ack: %v", err)
	}
}

func TestBatchPassesUnchangedAndIsAckedToItsInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.connect()
		defer s.close()
		src.feed <- service.MessageBatch{service.NewMessage([]byte("a")), service.NewMessage([]byte("b"))}
		b, ack := s.read()
		var got []string
		for _, m := range b {
			text, _ := m.AsBytes()
			got = append(got, string(text))
		}
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
			t.Errorf("batch (-want +got):\n%s", diff)
		}
		if len(src.acked()) != 0 {
			t.Error("acked to its input before the output took it")
		}
		ackOK(t, ack)
		ackOK(t, ack)
		if got := src.acked(); len(got) != 1 || got[0] != nil {
			t.Errorf("answers to the input: got %v, want one ack", got)
		}
	})
}

func TestRejectedBatchComesAgainWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.connect()
		defer s.close()
		sent := service.MessageBatch{service.NewMessage([]byte("a")), service.NewMessage([]byte("b")), service.NewMessage([]byte("c"))}
		src.feed <- sent
		for range 5 {
			b, ack := s.read()
			if len(b) != 3 {
				t.Fatalf("got %d messages, want all 3", len(b))
			}
			// An error that names one message must not narrow what comes again: behind a processor it names the wrong one.
			if err := ack(t.Context(), service.NewBatchError(sent, errDown).Failed(1, errDown)); err != nil {
				t.Errorf("nack: %v", err)
			}
		}
		_, ack := s.read()
		ackOK(t, ack)
		if got := src.acked(); len(got) != 1 || got[0] != nil {
			t.Errorf("answers to the input: got %v, want one ack and no rejection", got)
		}
	})
}

func TestUndeliveredBatchHoldsTimeThroughItsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.tracker.Listen(lateness, time.Minute)
		s.connect()
		defer s.close()
		old := time.Now().Add(-24 * time.Hour)
		src.feed <- service.MessageBatch{eventAt(old)}
		src.feed <- service.MessageBatch{eventAt(time.Now())}
		last := event.MinTime
		for rejected := 0; rejected < 20; {
			b, ack := s.read()
			if v, ok := b[0].MetaGetImmut(watermark.MetaTick); ok {
				var tick watermark.Tick
				if err := json.Unmarshal([]byte(v.(string)), &tick); err != nil {
					t.Fatal(err)
				}
				if tick.All != event.MinTime {
					t.Fatalf("watermark while the first batch is rejected: got %s, want none", tick.All)
				}
				ackOK(t, ack)
				continue
			}
			text, _ := b[0].AsBytes()
			if want, _ := eventAt(old).AsBytes(); string(text) != string(want) {
				ackOK(t, ack)
				continue
			}
			rejected++
			if rejected < 20 {
				_ = ack(t.Context(), errDown)
				continue
			}
			ackOK(t, ack)
		}
		for last == event.MinTime {
			tick, ack := s.tick()
			ackOK(t, ack)
			last = tick.All
		}
		if last <= event.TimeOf(old) {
			t.Errorf("watermark once all is delivered: got %s, want near now", last)
		}
	})
}

func TestStreamWithoutCorrelateEndsWithItsInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		close(src.feed)
		s := newStream(t, config{}, src)
		s.connect()
		defer s.close()
		if b, _, err := s.ReadBatch(t.Context()); !errors.Is(err, service.ErrEndOfInput) {
			t.Errorf("got %v, %v, want the end", b, err)
		}
	})
}

func TestPartitionsOfATopicAreKeptApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.tracker.Listen(lateness, time.Minute)
		s.connect()
		defer s.close()
		ahead, behind := eventAt(time.Now()), eventAt(time.Now().Add(-6*time.Hour))
		for n, m := range []*service.Message{ahead, behind} {
			m.MetaSetMut("kafka_topic", "oci-raw")
			m.MetaSetMut("kafka_partition", n)
		}
		src.feed <- service.MessageBatch{ahead, behind}
		known := 0
		note := func(tick watermark.Tick) {
			// Told once: a tick may come before the batch.
			if len(tick.Known) > 0 {
				known = len(tick.Known)
			}
		}
		for {
			b, ack := s.read()
			v, isTick := b[0].MetaGetImmut(watermark.MetaTick)
			ackOK(t, ack)
			if !isTick {
				break
			}
			var tick watermark.Tick
			if err := json.Unmarshal([]byte(v.(string)), &tick); err != nil {
				t.Fatal(err)
			}
			note(tick)
		}
		for {
			tick, ack := s.tick()
			ackOK(t, ack)
			note(tick)
			if tick.All == event.MinTime {
				continue
			}
			want := event.TimeOf(time.Now().Add(-6*time.Hour - lateness))
			if tick.All > want || want.Sub(tick.All) > time.Minute {
				t.Errorf("watermark: got %s, want that of the partition behind, about %s", tick.All, want)
			}
			if known != 2 {
				t.Errorf("partitions told: got %d, want both", known)
			}
			return
		}
	})
}

func TestEventOfTheFutureMovesTimeNoFurtherThanItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.tracker.Listen(lateness, time.Minute)
		s.connect()
		defer s.close()
		src.feed <- service.MessageBatch{eventAt(time.Now().Add(-time.Hour)), eventAt(time.Now().Add(100 * 24 * time.Hour))}
		want := event.TimeOf(time.Now().Add(-time.Hour - lateness))
		for got := event.MinTime; got == event.MinTime; {
			b, ack := s.read()
			ackOK(t, ack)
			v, isTick := b[0].MetaGetImmut(watermark.MetaTick)
			if !isTick {
				continue
			}
			var tick watermark.Tick
			if err := json.Unmarshal([]byte(v.(string)), &tick); err != nil {
				t.Fatal(err)
			}
			if got = tick.All; got != event.MinTime && got != want {
				t.Errorf("watermark: got %s, want %s, by the event that is believed", got, want)
			}
		}
	})
}

func TestStreamWithoutReportingInputsSaysSo(t *testing.T) {
	s := newStream(t, config{})
	var backOff *service.ErrBackOff
	if err := s.Connect(t.Context()); !errors.As(err, &backOff) || !errors.Is(backOff.Err, errNoSource) {
		t.Errorf("Connect: got %v, want %v", err, errNoSource)
	}
	s.close()
}

func TestCloseGivesUndeliveredBatchesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.connect()
		for range 3 {
			src.feed <- service.MessageBatch{eventAt(time.Now())}
		}
		_, ack := s.read()
		synctest.Wait() // the next one has been read ahead
		s.close()
		s.close()
		for _, err := range src.acked() {
			if !errors.Is(err, errClosing) {
				t.Errorf("answer to the input: got %v, want %v", err, errClosing)
			}
		}
		if n := len(src.acked()); n != 2 {
			t.Errorf("answers to the input: got %d, want 2: one on its way, one read ahead", n)
		}
		ackOK(t, ack) // too late: it was given back
		if n := len(src.acked()); n != 2 || !src.closed {
			t.Errorf("after a late ack: got %d answers, closed %v, want 2, true", n, src.closed)
		}
	})
}

func TestClosedClockLeavesNoTraceForTheNextStream(t *testing.T) {
	res := service.MockResources()
	tracker := progress.Of(res)
	in := newInput(config{tickInterval: time.Second}, tracker, res)
	if progress.Of(res) != tracker {
		t.Fatal("the same stream: got another tracker, want the same")
	}
	if err := in.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if progress.Of(res) == tracker {
		t.Error("after the clock closed: got the old tracker, whose sources are gone")
	}
}

func TestConnectionTestReachesTheInputs(t *testing.T) {
	down := newSource()
	down.is(errDown)
	s := newStream(t, config{}, down, newSource())
	defer s.close()
	results := s.ConnectionTest(t.Context())
	if len(results) != 2 || !errors.Is(results[0].Err, errDown) || !errors.Is(results[1].Err, service.ErrConnectionTestNotSupported) {
		t.Errorf("got %v, want the results of both inputs", results)
	}
}
