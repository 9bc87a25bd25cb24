package ocifields

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Outlet hands batches from the goroutines that read to Benthos, and acks back to them.
// It holds at most so many batches that were handed on and not yet acked.
type Outlet struct {
	slots    chan struct{}
	out      chan delivery
	red      chan error
	end      chan struct{}
	endOnce  sync.Once
	inFlight atomic.Int64
}

type delivery struct {
	batch service.MessageBatch
	ack   func(error)
}

// NewOutlet makes an outlet for so many batches on their way.
func NewOutlet(limit int) *Outlet {
	return &Outlet{slots: make(chan struct{}, limit), out: make(chan delivery), red: make(chan error, 1), end: make(chan struct{})}
}

// Send hands a batch on and blocks while too many are on their way. ack is called once, when the batch was accepted or refused;
// it must not block. When Send fails, ack is not called.
func (o *Outlet) Send(ctx context.Context, batch service.MessageBatch, ack func(error)) error {
	select {
	case o.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case o.out <- delivery{batch: batch, ack: ack}:
		return nil
	case <-ctx.Done():
		<-o.slots
		return ctx.Err()
	}
}

// Read waits for the next batch, the end of the input, or the news that nothing can be read.
func (o *Outlet) Read(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case d := <-o.out:
		o.inFlight.Add(1)
		var once sync.Once
		return d.batch, func(_ context.Context, err error) error {
			once.Do(func() {
				<-o.slots
				o.inFlight.Add(-1)
				d.ack(err)
			})
			return nil
		}, nil
	case <-o.red:
		return nil, nil, service.ErrNotConnected
	case <-o.end:
		return nil, nil, service.ErrEndOfInput
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// InFlight is the number of batches that were handed on and not yet acked.
func (o *Outlet) InFlight() int { return int(o.inFlight.Load()) }

// Disconnect makes Read say once that the connection is lost.
func (o *Outlet) Disconnect() {
	select {
	case o.red <- service.ErrNotConnected:
	default:
	}
}

// End makes Read say that the input has ended.
func (o *Outlet) End() { o.endOnce.Do(func() { close(o.end) }) }

// Ended is closed once the input has ended.
func (o *Outlet) Ended() <-chan struct{} { return o.end }

// Retrying wraps an input so that a batch that was refused is sent again until it is accepted, always as a whole:
// when a processor has changed a batch, an error that names single messages names the wrong ones.
func Retrying(input service.BatchInput) service.BatchInput {
	return &whole{child: service.AutoRetryNacksBatched(input)}
}

// whole makes errors of single messages errors of their batch.
type whole struct{ child service.BatchInput }

// Connect connects the child.
func (w *whole) Connect(ctx context.Context) error { return w.child.Connect(ctx) }

// Close closes the child.
func (w *whole) Close(ctx context.Context) error { return w.child.Close(ctx) }

// ReadBatch reads from the child.
func (w *whole) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	batch, ack, err := w.child.ReadBatch(ctx)
	if err != nil {
		return nil, nil, err
	}
	return batch, func(ctx context.Context, err error) error { return ack(ctx, batchWide(err)) }, nil
}

// ConnectionTest passes through to the child.
func (w *whole) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	if t, ok := w.child.(service.ConnectionTestable); ok {
		return t.ConnectionTest(ctx)
	}
	return service.ConnectionTestNotSupported().AsList()
}

// batchWide keeps the text of an error and drops which messages it names.
func batchWide(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}
