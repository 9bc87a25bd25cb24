package main

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// batchSize is how many events an input gives at once, as the pages of the Audit API and of Kafka do.
const batchSize = 1000

// feed gives the events of one row in batches, and is told of each that was delivered.
// One process measures one row, so there is one.
type feed struct {
	warmUp func(at int) []byte // gives the events before the clock starts, nil behind the last; may be nil
	// settle is how many batches follow those, each the first event again: what was opened a moment ago comes to rest meanwhile.
	settle int
	events [][]byte
	// built says that messages are made before the clock starts.
	built bool
	begin func() // called when all of warmUp was delivered
	end   func() // called when all of events were delivered

	mu      sync.Mutex // guards next, as Benthos may read from several places
	warm    int        // events of warmUp that were read
	next    int        // events that were read
	begun   bool
	ended   bool
	ready   []service.MessageBatch
	pending sync.WaitGroup
	failed  atomic.Int64 // batches that were rejected
}

// source is the feed that the input bench_events reads.
var source atomic.Pointer[feed]

func registerFeed() {
	service.MustRegisterBatchInput("bench_events", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
		return source.Load(), nil
	})
}

// Connect does nothing: the events are in memory.
func (*feed) Connect(context.Context) error { return nil }

// ReadBatch gives the next batch. Between the events that warm up and those that count, and at the end,
// it waits until all that it gave was delivered.
func (f *feed) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun {
		if lines := f.warming(); len(lines) > 0 {
			return f.give(messages(lines))
		}
		f.pending.Wait()
		f.begun = true
		f.build()
		f.begin()
	}
	at := f.next
	if at >= len(f.events) {
		f.pending.Wait()
		if !f.ended {
			f.ended = true
			f.end()
		}
		return nil, nil, service.ErrEndOfInput
	}
	f.next = min(at+batchSize, len(f.events))
	if f.built {
		batch := f.ready[at/batchSize]
		f.ready[at/batchSize] = nil // what was delivered is nobody's any more, as behind a real input
		return f.give(batch)
	}
	return f.give(messages(f.events[at:f.next]))
}

// warming gives the next of the events before the clock starts, none when all were read.
func (f *feed) warming() [][]byte {
	var lines [][]byte
	for f.warmUp != nil && len(lines) < batchSize {
		line := f.warmUp(f.warm)
		if line == nil {
			break
		}
		f.warm++
		lines = append(lines, line)
	}
	if len(lines) == 0 && f.settle > 0 {
		f.settle--
		return [][]byte{f.warmUp(0)}
	}
	return lines
}

func (f *feed) build() {
	if !f.built {
		return
	}
	for at := 0; at < len(f.events); at += batchSize {
		f.ready = append(f.ready, messages(f.events[at:min(at+batchSize, len(f.events))]))
	}
}

func (f *feed) give(batch service.MessageBatch) (service.MessageBatch, service.AckFunc, error) {
	f.pending.Add(1)
	return batch, func(_ context.Context, err error) error {
		if err != nil {
			f.failed.Add(1)
		}
		f.pending.Done()
		return nil
	}, nil
}

// messages makes a batch. Its bytes are in the caches of the processor then, as they are when an input has just received them:
// the first to touch them is the input in every row, and not whatever comes behind it.
func messages(lines [][]byte) service.MessageBatch {
	batch := make(service.MessageBatch, len(lines))
	for i, line := range lines {
		touched.Add(touch(line))
		batch[i] = service.NewMessage(line)
	}
	return batch
}

// touched keeps touch from being optimized away.
var touched atomic.Int64

func touch(b []byte) (sum int64) {
	const cacheLine = 64
	for i := 0; i < len(b); i += cacheLine {
		sum += int64(b[i])
	}
	return sum
}

// Close does nothing.
func (*feed) Close(context.Context) error { return nil }
