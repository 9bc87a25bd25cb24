package ociaudit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/watermark"
)

// Waits and limits of the reader.
const (
	firstPause    = 5 * time.Second  // after the first failure of a partition; doubles up to the poll interval
	saveTimeout   = 10 * time.Second // for the last save at shutdown
	savePart      = 2000             // events delivered of windows that are not over, before they are saved
	progressEvery = 30 * time.Second // between two lines about a long catch-up
	tryBeforeRed  = 3                // failures in a row of every partition before the input counts as disconnected
	tryBeforeGone = 3                // refusals in a row before a bounded run ends without a compartment
)

// reader reads all partitions of a tenancy. One goroutine decides, some fetch, one saves.
type reader struct {
	*input
	client  *oci.Client
	plan    collect.Plan
	prefix  string
	release func()

	ctx    context.Context //nolint:containedctx // it is the lifetime of the reader's goroutines, not of a call
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // something was acked or saved: look again
	save   chan struct{} // something was acked or read: save

	trouble atomic.Pointer[error] // why nothing can be read, nil where something can
	events  atomic.Int64          // delivered so far

	ledger     collect.Ledger // of whoever discovers, one at a time
	mu         sync.Mutex
	partitions map[string]*partition // mu
	sorted     []*partition          // mu; replaced, never changed
}

// partition is one compartment in one region.
type partition struct {
	place
	mark *watermark.Partition

	mu        sync.Mutex
	cursor    *collect.Cursor // mu
	owed      []func()        // mu; marks of batches that were refused and are read again
	deleted   bool            // mu
	goneSince time.Time       // mu; when it was first found deleted or not listed any more
	retired   bool            // mu; not read any more

	// What follows belongs to the goroutine that decides.
	busy      bool
	waiting   bool // for acks or saves
	notBefore time.Time
	failures  int
	caught    bool // everything up to the last sweep was read
}

// openReader loads the position and finds out what there is to read. Nothing is lost when it fails: it is called again.
func openReader(ctx context.Context, in *input) (*reader, error) {
	client, err := in.client()
	if err != nil {
		return nil, err
	}
	r := &reader{
		input: in, client: client, plan: collect.DefaultPlan(), prefix: in.conf.Key,
		wake: make(chan struct{}, 1), save: make(chan struct{}, 1), partitions: map[string]*partition{},
	}
	r.plan.Delay, r.plan.Overlap, r.plan.End = in.conf.delay, in.conf.Overlap, in.conf.End.At(time.Now())
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
	key := r.ledgerKey()
	values, err := r.store.Load(ctx, []string{key})
	if err != nil {
		return err
	}
	if values[0] != nil {
		if r.ledger, err = collect.ParseLedger(key, values[0]); err != nil {
			return err
		}
	}
	if values[0] == nil {
		r.ledger = collect.NewLedger(r.conf.Start.At(time.Now()))
		if err := r.saveLedger(ctx); err != nil {
			return err
		}
	}
	return r.discover(ctx)
}

func (r *reader) ledgerKey() string { return r.prefix + "/ledger" }

func (r *reader) saveLedger(ctx context.Context) error {
	return r.store.Save(ctx, []collect.Change{{Key: r.ledgerKey(), Value: collect.EncodeLedger(r.ledger)}})
}

// discover finds the partitions of today. New ones are saved before the time of the listing is,
// so that a crash between the two cannot make them begin later.
func (r *reader) discover(ctx context.Context) error {
	at := r.client.Now()
	places, err := r.conf.places(ctx, r.client)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return &oci.Error{Kind: oci.BadConfig, Sentence: "compartments.include and compartments.exclude leave nothing to read: correct them"}
	}
	listed := map[string]bool{}
	for _, where := range places {
		listed[where.name()] = true
		if err := r.add(ctx, where); err != nil {
			return err
		}
	}
	r.mu.Lock()
	for name, p := range r.partitions {
		p.mu.Lock()
		if p.goneSince.IsZero() && (p.deleted || !listed[name]) {
			p.goneSince = time.Now()
		}
		p.mu.Unlock()
	}
	r.mu.Unlock()
	r.ledger.Refreshed = at
	r.ledger.Learn(slices.Collect(maps.Keys(listed))...)
	return r.saveLedger(ctx)
}

// add makes a partition known, with its saved position or a new one.
func (r *reader) add(ctx context.Context, where place) error {
	r.mu.Lock()
	old := r.partitions[where.name()]
	r.mu.Unlock()
	if old != nil {
		old.mu.Lock()
		old.deleted = where.deleted
		old.mu.Unlock()
		return nil
	}
	cursor, err := r.restore(ctx, where)
	if err != nil {
		return err
	}
	p := &partition{place: where, deleted: where.deleted, cursor: cursor, mark: r.source.Partition(r.client.Tenancy(), where.name())}
	r.mu.Lock()
	r.partitions[where.name()] = p
	r.sorted = ocifields.Sorted(r.partitions)
	r.mu.Unlock()
	return nil
}

func (r *reader) restore(ctx context.Context, where place) (*collect.Cursor, error) {
	key := r.prefix + "/" + where.name()
	values, err := r.store.Load(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	if values[0] == nil {
		from := r.ledger.Found(r.plan.Overlap)
		if r.ledger.Knows(where.name()) {
			// Lost is not new: rather everything again than a gap.
			from = r.ledger.Start
			r.log.Errorf("The cache %q has lost the position of %s: it is read again from %s on, so events leave a second time; the cache must not drop or expire what it holds",
				r.conf.Cache, where.name(), from.Format(time.RFC3339))
		}
		cursor := collect.Start(r.plan, key, from)
		return cursor, r.store.Save(ctx, cursor.First())
	}
	saved, err := collect.ParsePosition(key, values[0])
	if err != nil {
		return nil, err
	}
	segments, err := r.store.Load(ctx, saved.Segments())
	if err != nil {
		return nil, err
	}
	cursor, missing := saved.Restore(r.plan, segments)
	if missing > 0 {
		r.log.Warnf("The cache %q has lost %d of the lists of what was delivered of %s: some events may leave a second time", r.conf.Cache, missing, where.name())
	}
	return cursor, nil
}

func (r *reader) start() {
	r.done.Add(2)
	go r.decide()
	go r.keep()
}

// close stops reading, waits for its goroutines and saves what was acked.
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
	return r.saveAll(ctx, 1)
}

// ill tells why nothing can be read, nil where something can.
func (r *reader) ill() error {
	if err := r.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// keep saves what was acked, whenever something was.
func (r *reader) keep() {
	defer r.done.Done()
	pause := time.Second
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.save:
		}
		for {
			err := r.saveAll(r.ctx, savePart)
			if err == nil {
				r.health.Worked("the saved position")
				pause = time.Second
				break
			}
			if r.ctx.Err() != nil {
				return
			}
			r.health.Failed("the saved position", err)
			if wait(r.ctx, pause) != nil {
				return
			}
			pause = min(2*pause, 30*time.Second)
		}
		poke(r.wake)
	}
}

// saveAll saves the position of each partition that moved, and what was delivered of windows that are not over
// where that is at least so many events.
func (r *reader) saveAll(ctx context.Context, part int) error {
	for _, p := range r.all() {
		if err := r.savePartition(ctx, p, (*collect.Cursor).Save); err != nil {
			return err
		}
		err := r.savePartition(ctx, p, func(c *collect.Cursor) (*collect.Save, bool) { return c.SavePart(part) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) savePartition(ctx context.Context, p *partition, what func(*collect.Cursor) (*collect.Save, bool)) error {
	p.mu.Lock()
	save, ok := what(p.cursor)
	p.mu.Unlock()
	if !ok {
		return nil
	}
	if err := r.store.Save(ctx, save.Changes); err != nil {
		return err
	}
	p.mu.Lock()
	p.cursor.Saved(save)
	var owed []func()
	if p.cursor.Idle() {
		owed, p.owed = p.owed, nil
	}
	p.mu.Unlock()
	for _, done := range owed {
		done()
	}
	return nil
}

// measure sets the lag of each region: how old is what was not delivered yet.
func (r *reader) measure() {
	now := r.client.Now()
	behind := map[string]time.Duration{}
	for _, p := range r.all() {
		p.mu.Lock()
		if !p.retired {
			behind[p.region] = max(behind[p.region], now.Sub(p.cursor.Delivered()))
		}
		p.mu.Unlock()
	}
	for region, lag := range behind {
		r.metrics.Behind(region, lag)
	}
}

// all gives the partitions in order of their names.
func (r *reader) all() []*partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sorted
}

// gone is true where the partition is not read any more.
func (p *partition) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.retired
}

// retire stops reading a partition; its position is kept.
func (p *partition) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	p.mark.Retire()
}

// isDeleted is true where the compartment was deleted.
func (p *partition) isDeleted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deleted
}

// poke wakes whoever waits on c, and does not wait itself.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait waits for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// eventTime converts a time of the API.
func eventTime(t time.Time) event.Time { return event.TimeOf(t) }

// errRepeated says that the API gave a page token that it had given before.
func errRepeated(p *partition, requestID string) error {
	return &oci.Error{
		Kind: oci.Garbled, Operation: "ListEvents", Region: p.region, RequestID: requestID,
		Sentence: fmt.Sprintf("ListEvents in %s gave the same page token twice for compartment %s (request %s): the window is read again from its first page", p.region, p.compartment, requestID),
	}
}
