package ocireader

import (
	"context"
	"fmt"
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
	savePart      = 2000             // records of all partitions that were delivered of windows that are not over, before they are saved
	saveLeast     = 100              // such records of one partition, so that many partitions are not saved record by record
	progressEvery = 30 * time.Second // between two lines about a long catch-up
	measureEvery  = 10 * time.Second // between two measurements of the lag
	tryBeforeRed  = 3                // failures in a row of every partition before the input counts as disconnected
	tryBeforeGone = 3                // refusals in a row before a bounded run ends without a partition
)

// reader reads all partitions. One goroutine decides, some fetch, one saves.
type reader struct {
	*Input
	client  *oci.Client
	plan    collect.Plan
	workers int // passes that are read at the same time
	prefix  string
	release func()

	ctx    context.Context //nolint:containedctx // it is the lifetime of the reader's goroutines, not of a call
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // something was acked or saved: look again
	save   chan struct{} // something was acked or read: save

	trouble atomic.Pointer[error] // why nothing can be read, nil where something can
	events  atomic.Int64          // delivered so far
	failing atomic.Int64          // partitions that cannot be read

	ledgers    map[string]collect.Ledger // by group; of whoever discovers, one at a time
	mu         sync.Mutex
	partitions map[string]*partition // mu
	sorted     []*partition          // mu; replaced, never changed
}

// partition is a place that is read.
type partition struct {
	Place
	mark *watermark.Partition

	mu        sync.Mutex
	cursor    *collect.Cursor // mu
	owed      []func()        // mu; marks of batches that were refused and are read again
	deleted   bool            // mu
	goneSince time.Time       // mu; when it was first found deleted, or not listed any more
	retired   bool            // mu; not read any more

	// What follows belongs to the goroutine that decides.
	busy      int  // passes of it that are being read
	waiting   bool // for acks or saves
	notBefore time.Time
	failures  int
	alone     *collect.Pass // what is tried again by itself, after a failure
	caught    bool          // everything up to the last sweep was read
}

// openReader loads the position and finds out what there is to read. Nothing is lost when it fails: it is called again.
func openReader(ctx context.Context, in *Input) (*reader, error) {
	client, err := in.client(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{
		Input: in, client: client, plan: in.conf.Plan, prefix: in.conf.Key,
		wake: make(chan struct{}, 1), save: make(chan struct{}, 1), partitions: map[string]*partition{}, ledgers: map[string]collect.Ledger{},
	}
	r.plan.Overlap, r.plan.End, r.workers = in.conf.Overlap, in.conf.End.At(time.Now()), in.conf.workers()
	if !r.plan.End.IsZero() {
		r.plan.Abreast, r.plan.MaxPasses = r.workers, max(r.plan.MaxPasses, r.workers)
	}
	if r.prefix == "" {
		r.prefix = in.conf.prefix(client.Tenancy())
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

// open finds where each group began; what begins now is saved before the first request.
func (r *reader) open(ctx context.Context) error {
	for _, group := range r.conf.Source.Groups() {
		key := r.ledgerKey(group)
		values, err := r.store.Load(ctx, []string{key})
		if err != nil {
			return err
		}
		if values[0] != nil {
			if r.ledgers[group], err = collect.ParseLedger(key, values[0]); err != nil {
				return err
			}
			continue
		}
		r.ledgers[group] = collect.NewLedger(r.conf.Start.At(time.Now()))
		if err := r.saveLedger(ctx, group); err != nil {
			return err
		}
	}
	return r.discover(ctx)
}

func (r *reader) ledgerKey(group string) string {
	if group == "" {
		return r.prefix + "/ledger"
	}
	return r.prefix + "/" + group + "/ledger"
}

func (r *reader) saveLedger(ctx context.Context, group string) error {
	return r.store.Save(ctx, []collect.Change{{Key: r.ledgerKey(group), Value: collect.EncodeLedger(r.ledgers[group])}})
}

// discover finds the partitions of today. New ones are saved before the time of the listing is,
// so that a crash between the two cannot make them begin later.
func (r *reader) discover(ctx context.Context) error {
	at := r.client.Now()
	places, err := r.conf.Source.Places(ctx, r.client)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, where := range places {
		listed[where.Name] = true
		if err := r.add(ctx, where); err != nil {
			return err
		}
	}
	for _, p := range r.all() {
		p.mu.Lock()
		switch gone := p.deleted || !listed[p.Name]; {
		case !gone:
			p.goneSince = time.Time{}
		case p.goneSince.IsZero():
			p.goneSince = time.Now()
		}
		p.mu.Unlock()
	}
	for _, group := range r.conf.Source.Groups() {
		ledger := r.ledgers[group]
		ledger.Refreshed = at
		for _, where := range places {
			if where.Group == group {
				ledger.Learn(where.Name)
			}
		}
		r.ledgers[group] = ledger
		if err := r.saveLedger(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// add makes a partition known, with its saved position or a new one.
func (r *reader) add(ctx context.Context, where Place) error {
	r.mu.Lock()
	old := r.partitions[where.Name]
	r.mu.Unlock()
	if old != nil {
		old.mu.Lock()
		old.deleted = where.Deleted
		old.mu.Unlock()
		return nil
	}
	cursor, err := r.restore(ctx, where)
	if err != nil {
		return err
	}
	p := &partition{Place: where, deleted: where.Deleted, cursor: cursor, mark: r.source.Partition(r.client.Tenancy(), where.Name)}
	if !r.plan.End.IsZero() {
		// One that an earlier run has read to its end has nothing more to say, and time would wait for it.
		p.mark.CaughtUp(eventTime(cursor.Delivered()))
	}
	r.mu.Lock()
	r.partitions[where.Name] = p
	r.sorted = ocifields.Sorted(r.partitions)
	r.mu.Unlock()
	return nil
}

func (r *reader) restore(ctx context.Context, where Place) (*collect.Cursor, error) {
	key := r.prefix + "/" + where.Name
	values, err := r.store.Load(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	if values[0] == nil {
		ledger := r.ledgers[where.Group]
		from := ledger.Found(r.plan.Overlap)
		// A bounded run reads the whole span of each place, whenever it is found.
		if !r.plan.End.IsZero() {
			from = ledger.Start
		}
		if ledger.Knows(where.Name) {
			// Lost is not new: rather everything again than a gap.
			from = ledger.Start
			r.log.Errorf("The cache %q has lost the position of %s: it is read again from %s on, so records leave a second time; the cache must not drop or expire what it holds",
				r.conf.Cache, where.Name, from.Format(time.RFC3339))
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
		r.log.Warnf("The cache %q has lost %d of the lists of what was delivered of %s: some records may leave a second time", r.conf.Cache, missing, where.Name)
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

// isDeleted is true where nothing new can happen any more.
func (p *partition) isDeleted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deleted
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
			if oci.Sleep(r.ctx, pause) != nil {
				return
			}
			pause = min(2*pause, 30*time.Second)
		}
		poke(r.wake)
	}
}

// saveAll saves the position of each partition that moved, and what was delivered of windows that are not over
// where that is at least so many records, or a partition's share of them.
func (r *reader) saveAll(ctx context.Context, part int) error {
	all := r.all()
	if len(all) > 1 {
		part = min(part, max(saveLeast, part/len(all)))
	}
	for _, p := range all {
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
			behind[p.Region] = max(behind[p.Region], now.Sub(p.cursor.Delivered()))
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

// poke wakes whoever waits on c, and does not wait itself.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// eventTime converts a time of the API.
func eventTime(t time.Time) event.Time { return event.TimeOf(t) }

// errRepeated says that the API gave a page token that it had given before.
func errRepeated(p *partition, requestID string) error {
	return &oci.Error{
		Kind: oci.Garbled, Region: p.Region, Subject: p.Subject, RequestID: requestID,
		Sentence: fmt.Sprintf("the same page token came twice for %s (request %s): the window is read again from its first page", p.Name, requestID),
	}
}
