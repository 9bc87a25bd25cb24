package ocicloudguard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/watermark"
)

// Waits of the reader.
const (
	firstPause   = 5 * time.Second  // after the first failure; doubles up to the poll interval
	saveTimeout  = 10 * time.Second // for the last save at shutdown
	saveEvery    = 5 * time.Second  // between two saves within a sweep
	measureEvery = 30 * time.Second // between two looks at how far behind it is
	tryBefore    = 3                // failures in a row before the input counts as disconnected
)

// reader sweeps over the problems of a tenancy, again and again, in one goroutine.
type reader struct {
	*input
	client  *oci.Client
	prefix  string
	end     time.Time // zero: none
	release func()
	mark    *watermark.Partition

	ctx    context.Context //nolint:containedctx // it is the lifetime of the reader's goroutine, not of a call
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // something was acked

	trouble atomic.Pointer[error] // why nothing can be read, nil where something can

	mu       sync.Mutex
	problems *collect.Problems // mu
	flying   int               // mu; batches without an ack
	refused  bool              // mu; a batch of this sweep was refused
	owed     []func()          // mu; marks of batches that were refused and are read again

	// What follows belongs to the sweeping goroutine.
	region   string
	position event.Time // everything before it was delivered
	savedAt  time.Time
	budget   int              // requests for details that this sweep may still make
	given    map[string]error // what of details is not asked for any more in this sweep
	thin     int              // problems of this sweep whose details the budget did not reach
	told     bool             // the log knows that it did not
	swept    bool
}

// openReader loads what was delivered and finds the reporting region. Nothing is lost when it fails: it is called again.
func openReader(ctx context.Context, in *input) (*reader, error) {
	client, err := in.client(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{
		input: in, client: client, prefix: in.conf.Key, end: in.conf.End.At(time.Now()), wake: make(chan struct{}, 1),
		region: oci.CanonicalRegion(in.conf.region),
	}
	if r.prefix == "" {
		r.prefix = Name + "/" + client.Tenancy()
	}
	if r.release, err = in.store.Claim(r.prefix, in.name); err != nil {
		return nil, err
	}
	if err := r.open(ctx); err != nil {
		r.release()
		client.Close()
		return nil, err
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

func (r *reader) open(ctx context.Context) error {
	key := r.prefix + "/ledger"
	values, err := r.store.Load(ctx, []string{key})
	if err != nil {
		return err
	}
	var ledger collect.Ledger
	if values[0] != nil {
		if ledger, err = collect.ParseLedger(key, values[0]); err != nil {
			return err
		}
	}
	if values[0] == nil {
		ledger = collect.NewLedger(r.conf.Start.At(time.Now()))
		if err := r.store.Save(ctx, []collect.Change{{Key: key, Value: collect.EncodeLedger(ledger)}}); err != nil {
			return err
		}
	}
	r.problems = collect.NewProblems(r.prefix+"/problems", ledger.Start, r.conf.Overlap)
	if values, err = r.store.Load(ctx, r.problems.Keys()); err != nil {
		return err
	}
	if err := r.problems.Restore(values); err != nil {
		return err
	}
	r.position = event.TimeOf(r.problems.Position())
	if r.region == "" {
		if r.region, err = r.client.ReportingRegion(ctx); err != nil {
			return err
		}
	}
	r.mark = r.source.Partition(r.client.Tenancy(), r.region)
	return nil
}

func (r *reader) start() {
	r.done.Add(1)
	go r.run()
}

// close stops reading, waits for its goroutine and saves what was acked.
func (r *reader) close(ctx context.Context) error {
	defer r.release()
	r.cancel()
	stopped := make(chan struct{})
	go func() {
		r.done.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	r.client.Close()
	return r.saveAcks(ctx)
}

// ill tells why nothing can be read, nil where something can.
func (r *reader) ill() error {
	if err := r.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// run sweeps until the reader is closed or a bounded run has ended.
func (r *reader) run() {
	defer r.done.Done()
	failures := 0
	for {
		if !r.end.IsZero() && oci.Sleep(r.ctx, r.end.Sub(r.client.Now())) != nil {
			return
		}
		err := r.sweep()
		pause := r.conf.Poll
		switch {
		case r.ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			r.trouble.Store(nil)
			r.failing.Store(false)
			r.health.Worked("the problems")
			if !r.end.IsZero() {
				r.through.Store(true)
				r.log.Infof("Read everything up to %s: %s", r.end.Format(time.RFC3339), oci.Counted(r.events.Load(), "problem"))
				r.source.End()
				r.outlet.End()
				return
			}
		default:
			failures++
			r.failing.Store(true)
			pause = min(firstPause<<min(failures-1, 16), max(pause, firstPause))
			r.health.Failed("the problems", err)
			if failures >= tryBefore && r.hopeless(err) && r.settled() {
				r.metrics.Failing.Set(1)
				// Benthos may be waiting for the input to be connected again, to hear that it has ended.
				r.trouble.Store(nil)
				r.endWithout(r.region)
				return
			}
			if failures >= tryBefore {
				r.trouble.Store(&err)
				if r.outlet.InFlight() == 0 {
					r.outlet.Disconnect()
				}
			}
		}
		r.metrics.Failing.Set(int64(min(failures, 1)))
		if r.rest(pause) != nil {
			return
		}
	}
}

// sweep reads all problems that may have changed, and returns once those that have were delivered and remembered.
func (r *reader) sweep() error {
	to := r.client.Now()
	if !r.end.IsZero() && r.end.Before(to) {
		to = r.end
	}
	r.mu.Lock()
	s := r.problems.Begin(to)
	r.refused = false
	r.mu.Unlock()
	r.budget, r.given, r.thin = r.conf.budget, map[string]error{}, 0
	for _, state := range []string{"ACTIVE", "INACTIVE"} {
		if err := r.list(s, state); err != nil {
			return err
		}
	}
	if err := r.askForMissing(s); err != nil {
		return err
	}
	r.tellOfBudget()
	if err := r.delivered(); err != nil {
		return err
	}
	// Saved last: whatever is read until then and not remembered is read again.
	r.mu.Lock()
	changes := r.problems.Done(to)
	all, open := r.problems.Known()
	owed := r.owed
	r.owed = nil
	r.mu.Unlock()
	if err := r.persist(changes); err != nil {
		return err
	}
	for _, done := range owed {
		done()
	}
	r.position = event.TimeOf(to)
	r.mark.CaughtUp(r.position)
	r.measure()
	if !r.swept {
		r.swept = true
		r.log.Infof("First sweep done: %s delivered, %d known and %d of them open, in the reporting region %s",
			oci.Counted(r.events.Load(), "problem"), all, open, r.region)
	}
	return nil
}

// tellOfBudget says once that the budget is too small, until it is not.
func (r *reader) tellOfBudget() {
	if r.thin > 0 && !r.told {
		r.log.Warnf("%s left without all details, because detail_budget allows %s a sweep: raise it if this stays",
			oci.Counted(r.thin, "problem"), oci.Counted(r.conf.budget, "request"))
	}
	r.told = r.thin > 0
}

// measure sets how far delivery is behind.
func (r *reader) measure() {
	r.metrics.Behind(r.region, r.client.Now().Sub(r.position.Time()))
}

// rest waits until the next sweep. What is not read meanwhile gets older.
func (r *reader) rest(pause time.Duration) error {
	for until := time.Now().Add(pause); ; {
		r.measure()
		left := time.Until(until)
		if left <= 0 {
			return r.ctx.Err()
		}
		if err := oci.Sleep(r.ctx, min(left, measureEvery)); err != nil {
			return err
		}
	}
}

// delivered waits for the acks of the sweep.
func (r *reader) delivered() error {
	for {
		r.mu.Lock()
		flying, refused := r.flying, r.refused
		r.mu.Unlock()
		switch {
		case refused:
			return errors.New("the output refused problems: they are read again")
		case flying == 0:
			return nil
		}
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-r.wake:
		}
	}
}

// settled is true once nothing is in flight. What was refused is not remembered, so the next run sends it: time need not wait for it.
func (r *reader) settled() bool {
	r.mu.Lock()
	flying, owed := r.flying, r.owed
	if flying == 0 {
		r.owed = nil
	}
	r.mu.Unlock()
	if flying > 0 {
		return false
	}
	for _, done := range owed {
		done()
	}
	return true
}

// persist writes until it works: a sweep that is not remembered would be sent again as a whole.
func (r *reader) persist(changes []collect.Change) error {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := r.store.Save(r.ctx, changes)
		if err == nil {
			r.health.Worked("the saved position")
			return nil
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		r.health.Failed("the saved position", err)
		if err := oci.Sleep(r.ctx, pause); err != nil {
			return err
		}
	}
}

// saveAcks remembers what was delivered so far.
func (r *reader) saveAcks(ctx context.Context) error {
	r.mu.Lock()
	changes := r.problems.Acks()
	r.mu.Unlock()
	if len(changes) == 0 {
		return nil
	}
	err := r.store.Save(ctx, changes)
	if err != nil {
		r.mu.Lock()
		r.problems.Unsaved(changes)
		r.mu.Unlock()
	}
	return err
}

// errRepeated says that the API gave a page token that it had given before.
func errRepeated(region, requestID string) error {
	return &oci.Error{
		Kind: oci.Garbled, Operation: "ListProblems", Region: region, RequestID: requestID,
		Sentence: fmt.Sprintf("ListProblems in %s gave the same page token twice (request %s): the list is read again from its first page", region, requestID),
	}
}
