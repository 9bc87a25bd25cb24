package ocistreaming

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
)

// Waits of the reader.
const (
	saveTimeout  = 10 * time.Second // for the last commit at shutdown
	tryBeforeRed = 3                // failures in a row of every consumer before the input counts as disconnected
	measureEvery = 10 * time.Second // between two measurements of the lag
)

// reader reads a stream with one goroutine for each consumer, which is an instance of the group or a partition.
type reader struct {
	*input
	client *oci.Client
	stream oci.Stream
	from   oci.Beginning // where a new group begins
	end    time.Time     // zero: none
	lanes  []*lane

	ctx    context.Context //nolint:containedctx // it is the lifetime of the reader's goroutines, not of a call
	cancel context.CancelFunc
	// keeping outlives ctx a little, so that what was acked is committed at a clean stop.
	keeping context.Context //nolint:containedctx // as above
	forget  context.CancelFunc
	done    sync.WaitGroup

	trouble atomic.Pointer[error] // why nothing can be read, nil where something can
	events  atomic.Int64          // delivered so far
	caught  atomic.Bool           // everything was read once

	mu     sync.Mutex
	marks  map[string]*mark // mu; by partition
	over   int              // mu; lanes that have come to the end of a bounded run
	passed map[string]bool  // mu; partitions that were read beyond it
}

// openReader finds the stream and, where there is no group, the positions. Nothing is lost when it fails: it is called again.
func openReader(ctx context.Context, in *input) (*reader, error) {
	client, err := in.client(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{input: in, client: client, marks: map[string]*mark{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.keeping, r.forget = context.WithCancel(context.Background())
	if err := r.open(ctx); err != nil {
		r.release()
		r.cancel()
		r.forget()
		client.Close()
		return nil, err
	}
	return r, nil
}

func (r *reader) open(ctx context.Context) error {
	var err error
	if r.stream, err = r.client.Stream(ctx, r.conf.region, r.conf.stream); err != nil {
		return err
	}
	// What is relative to now is made absolute before anything is read.
	if !r.conf.start.IsZero() {
		r.from.At = r.conf.start.At(r.client.Now())
	}
	r.end = r.conf.End.At(r.client.Now())
	if r.conf.grouped() {
		name, err := r.conf.instanceName()
		if err != nil {
			return err
		}
		for n := range r.conf.consumers {
			instance := name
			if r.conf.consumers > 1 {
				instance += "-" + strconv.Itoa(n+1)
			}
			r.lanes = append(r.lanes, &lane{reader: r, name: "stream " + r.stream.Name + " as " + instance, instance: instance})
		}
		r.log.Infof("Reading stream %s with %s in %s, in group %s as %s", r.stream.Name, oci.Counted(r.stream.Partitions, "partition"), r.conf.region, r.conf.group, name)
		return nil
	}
	partitions, err := r.partitions()
	if err != nil {
		return err
	}
	for _, p := range partitions {
		l := &lane{reader: r, name: "partition " + p + " of stream " + r.stream.Name, partition: p}
		r.lanes = append(r.lanes, l)
		if err := l.restore(ctx); err != nil {
			return err
		}
	}
	r.log.Infof("Reading %d of %s of stream %s in %s", len(partitions), oci.Counted(r.stream.Partitions, "partition"), r.stream.Name, r.conf.region)
	return nil
}

// partitions are those of the configuration, which must exist.
func (r *reader) partitions() ([]string, error) {
	if r.conf.partitions[0] == all {
		names := make([]string, r.stream.Partitions)
		for n := range names {
			names[n] = strconv.Itoa(n)
		}
		return names, nil
	}
	for _, p := range r.conf.partitions {
		if n, err := strconv.Atoi(p); err != nil || n >= r.stream.Partitions {
			return nil, fmt.Errorf("reading %s: the stream %s has no partition %s, only 0 to %d", fieldPartitions, r.stream.Name, p, r.stream.Partitions-1)
		}
	}
	return r.conf.partitions, nil
}

// instanceName is what this process is called in its group. It must be nobody else's: the two would take each other's partitions for their own.
func (c *config) instanceName() (string, error) {
	if c.instance != "" {
		return c.instance, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("finding a name for the instance: %w; set %s", err, fieldInstance)
	}
	const ending = 8
	host, _, _ = strings.Cut(host, ".")
	return host[:min(len(host), maxName/2)] + "-" + strings.ToLower(rand.Text()[:ending]), nil
}

func (r *reader) start() {
	r.done.Add(len(r.lanes) + 1)
	for _, l := range r.lanes {
		go l.run()
	}
	go func() {
		defer r.done.Done()
		for oci.Sleep(r.ctx, measureEvery) == nil {
			r.measure()
		}
	}()
}

// close stops reading, and waits for what was acked to be committed.
func (r *reader) close(ctx context.Context) error {
	defer r.release()
	r.cancel()
	defer r.forget()
	late := time.AfterFunc(saveTimeout, r.forget)
	defer late.Stop()
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
	r.client.Close()
	return nil
}

// release gives back the positions that the lanes have claimed.
func (r *reader) release() {
	for _, l := range r.lanes {
		if l.release != nil {
			l.release()
		}
	}
}

// ill tells why nothing can be read, nil where something can.
func (r *reader) ill() error {
	if err := r.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// fails notes that a lane could not read, and says that the input is disconnected when none of them can.
func (l *lane) fails(err error) (times int64) {
	l.health.Failed(l.name, err)
	r := l.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	l.failures++
	if failing, alive := r.failing(); !alive && failing > 0 {
		r.trouble.Store(&err)
		if r.outlet.InFlight() == 0 {
			r.outlet.Disconnect()
		}
	}
	return l.failures
}

// works notes that a lane has read something.
func (l *lane) works() {
	l.health.Worked(l.name)
	r := l.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	l.failures = 0
	r.failing()
	r.trouble.Store(nil)
}

// failing counts the lanes that fail, and tells whether any can be hoped for; mu is held.
func (r *reader) failing() (failing int, alive bool) {
	for _, l := range r.lanes {
		if l.failures > 0 {
			failing++
		}
		alive = alive || l.failures < tryBeforeRed
	}
	r.metrics.Failing.Set(int64(failing))
	return failing, alive
}

// finish notes that a lane has come to the end of a bounded run, and ends the input after the last. It is false where the last
// one has to go on: a partition that went from one lane to another in between may have been read by neither.
func (r *reader) finish(l *lane) bool {
	r.mu.Lock()
	if r.passed == nil {
		r.passed = map[string]bool{}
	}
	maps.Copy(r.passed, l.beyond)
	if !l.over {
		l.over = true
		r.over++
	}
	last := r.over == len(r.lanes)
	r.mu.Unlock()
	if !last {
		return true
	}
	if l.partition == "" && !r.allPassed(l) {
		return false
	}
	r.log.Infof("Read stream %s up to %s: %d messages", r.stream.Name, r.end.Format(time.RFC3339), r.events.Load())
	r.source.End()
	r.outlet.End()
	return true
}

// allPassed is true where no partition that this process has, or nobody has, is left to read. Those of other processes are theirs.
// Where it may not be asked, what the lanes have read must do.
func (r *reader) allPassed(l *lane) bool {
	reservations, err := r.client.Reservations(r.ctx, r.stream, r.conf.group)
	if err != nil {
		return oci.KindOf(err) == oci.NoPermission
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range reservations {
		ours := one.Instance == ""
		for _, other := range r.lanes {
			ours = ours || other.instance == one.Instance
		}
		if ours && !r.passed[one.Partition] {
			l.ownedAt = time.Now().Add(-ownEvery) // look at once which partitions it has now
			return false
		}
	}
	return true
}

// measure sets how old the oldest message is that may not have been delivered yet.
func (r *reader) measure() {
	now := r.client.Now()
	var most time.Duration
	caught := true
	for _, l := range r.lanes {
		at := l.behind.Load()
		if at == nil {
			caught = false
			continue
		}
		if !at.IsZero() {
			most = max(most, now.Sub(*at))
			caught = false
		}
	}
	r.metrics.Behind(r.conf.region, most)
	if caught && r.caught.CompareAndSwap(false, true) {
		r.log.Infof("Read stream %s up to now: %d messages delivered", r.stream.Name, r.events.Load())
	}
}

// position is what is kept of a partition that is read without a group.
type position struct {
	Version int `json:"version"`
	// After is the offset of the last message that was delivered, nil where none was.
	After *int64 `json:"after,omitempty"`
	// From is where the first run began; nil: at the oldest message.
	From *time.Time `json:"from,omitempty"`
}

const positionVersion = 1

// restore finds the saved position of a partition, or saves where it begins: before the first request, so that a crash cannot move it.
func (l *lane) restore(ctx context.Context) error {
	prefix := l.conf.Key
	if prefix == "" {
		prefix = Name + "/" + l.client.Tenancy()
	}
	l.key = prefix + "/" + l.stream.ID + "/" + l.partition
	var err error
	if l.release, err = l.store.Claim(l.key, l.input.name); err != nil {
		return err
	}
	values, err := l.store.Load(ctx, []string{l.key})
	if err != nil {
		return err
	}
	if values[0] == nil {
		l.at = position{Version: positionVersion}
		if !l.from.At.IsZero() {
			l.at.From = &l.from.At
		}
		return l.save(ctx, l.at)
	}
	l.at, err = parsePosition(l.key, values[0])
	return err
}

func parsePosition(key string, value []byte) (position, error) {
	var at position
	if err := json.Unmarshal(value, &at); err != nil {
		return at, fmt.Errorf("reading the position %s: it is damaged (%w): restore the cache, or delete the key to begin at %s again", key, err, fieldStart)
	}
	switch {
	case at.Version != positionVersion:
		return at, fmt.Errorf("reading the position %s: its version is %d and this program knows %d only: run the newer program, or delete the key to begin at %s again",
			key, at.Version, positionVersion, fieldStart)
	case at.After != nil && *at.After < 0:
		return at, fmt.Errorf("reading the position %s: it is damaged (the offset is %d): restore the cache, or delete the key to begin at %s again", key, *at.After, fieldStart)
	}
	return at, nil
}

func (l *lane) save(ctx context.Context, at position) error {
	value, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("writing the position %s: %w", l.key, err)
	}
	return l.store.Save(ctx, []collect.Change{{Key: l.key, Value: value}})
}

// errRefused says that the output has refused a page. Benthos sends what is refused again, so this is seen by tests only.
var errRefused = errors.New("the output refused the page: it is read again")

// sorted gives a list in order.
func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
