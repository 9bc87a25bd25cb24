package correlatesource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
)

// child is a wrapped input; service.OwnedInput is one.
type child interface {
	ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error)
	ConnectionTest(ctx context.Context) service.ConnectionTestResults
	Close(ctx context.Context) error
}

const (
	// closeTimeout is how long the wrapped inputs get to close.
	closeTimeout = 10 * time.Second
	// noSourceWait is how long to wait before looking again for inputs that report their progress.
	noSourceWait = time.Minute
	// Rejected batches are sent again after a wait that doubles from the one to the other.
	firstWait = 5 * time.Millisecond
	lastWait  = time.Second
)

var (
	errNoSource = errors.New("no input of this stream reports its progress, so time cannot move: " +
		"put inputs other than oci_audit, oci_cloudguard, oci_logging and oci_streaming under `inputs` of correlate_source")
	errClosing = errors.New("the stream is closing")
)

// input hands on the batches of its children and the ticks of its clock.
type input struct {
	clock    *clock
	children []*reader
	interval time.Duration
	tracker  *watermark.Tracker
	log      *service.Logger
	resent   *service.MetricCounter
	failing  *service.MetricGauge
	forget   func() // called once it is closed

	incoming chan *delivery
	wake     chan struct{} // something has changed that ReadBatch should look at; capacity 1

	mu      sync.Mutex // guards what follows
	retries []*delivery
	out     map[*delivery]struct{} // everything that is not settled
	stop    context.CancelFunc     // nil until connected
	pumps   sync.WaitGroup
	closed  bool
	red     bool // Benthos was told that a child cannot connect, and the next answer lets through what waits
	offered int  // batches that wait to be read
}

// reader is one wrapped input and what it has brought.
type reader struct {
	in     child
	timeOf func(*service.Message) (event.Time, bool)
	// believes is false for times that must not move time.
	believes func(event.Time) bool
	source   *watermark.Source
	// whole stands for the input until its first batch shows its partitions.
	whole *watermark.Partition
	parts map[string]*watermark.Partition
	probe probe
}

// delivery is a batch that must be taken by the output.
type delivery struct {
	batch    service.MessageBatch
	settle   func(ctx context.Context, err error) error // called once: nil when it was taken
	attempts int
	due      time.Time
}

func newInput(c config, tracker *watermark.Tracker, res *service.Resources) *input {
	c.limits.Now = time.Now
	tracker.Limit(c.limits)
	i := &input{
		clock:    newClock(tracker, res),
		interval: c.tickInterval,
		tracker:  tracker,
		log:      res.Logger(),
		failing:  res.Metrics().NewGauge("correlate_source_failing_inputs"), // wrapped inputs that cannot connect, as far as they can be tested
		forget:   func() { progress.Forget(res) },
		resent:   res.Metrics().NewCounter("correlate_source_resent_total"), // messages sent again after a rejection
		incoming: make(chan *delivery),
		wake:     make(chan struct{}, 1),
		out:      map[*delivery]struct{}{},
	}
	every := silentFor
	if c.limits.IdleTimeout > 0 {
		// It must be known before time runs on whether silence is idleness.
		every = min(every, max(time.Second, c.limits.IdleTimeout/2))
	}
	name := progress.Name(res)
	for n, in := range c.inputs {
		source := tracker.RegisterForeign(fmt.Sprintf("%s.inputs.%d", name, n))
		i.children = append(i.children, &reader{
			in: in, timeOf: c.timeOf(), believes: tracker.Believes, source: source, whole: source.Partition("", ""), parts: map[string]*watermark.Partition{},
			probe: probe{every: every},
		})
	}
	return i
}

// ConnectionTest tests the wrapped inputs.
func (i *input) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	if len(i.children) == 0 {
		return service.ConnectionTestNotSupported().AsList()
	}
	var all service.ConnectionTestResults
	for _, c := range i.children {
		all = append(all, c.in.ConnectionTest(ctx)...)
	}
	return all
}

// Connect starts to read the wrapped inputs. While one of them cannot connect it says so, so that /ready does;
// every other time it lets through what the others have brought.
func (i *input) Connect(ctx context.Context) error {
	if i.tracker.Sources() == 0 {
		return service.NewErrBackOff(errNoSource, noSourceWait)
	}
	if !i.connected() {
		// Before they are read: not every input is made for being tested while it reads.
		i.testAll(ctx)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	if i.stop == nil {
		// The children are read for as long as the input lives, not only while it connects.
		ctx, i.stop = context.WithCancel(context.Background())
		for _, c := range i.children {
			i.start(ctx, c)
		}
	}
	err := i.ill()
	i.red = err != nil && !i.red && i.offered == 0 && len(i.retries) == 0
	if i.red {
		return service.NewErrBackOff(err, stayRed)
	}
	return nil
}

func (i *input) connected() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stop != nil || i.closed
}

func (i *input) testAll(ctx context.Context) {
	var tests sync.WaitGroup
	for _, c := range i.children {
		tests.Go(func() { i.test(ctx, c) })
	}
	tests.Wait()
}

// start reads a child until it ends, and tests it meanwhile.
func (i *input) start(ctx context.Context, c *reader) {
	ctx, ended := context.WithCancel(ctx)
	i.pumps.Go(func() {
		defer ended()
		i.pump(ctx, c)
	})
	i.pumps.Go(func() { i.watch(ctx, c) })
}

// pump reads one child until it ends.
func (i *input) pump(ctx context.Context, c *reader) {
	for {
		c.probe.asked(time.Now())
		batch, ack, err := c.in.ReadBatch(ctx)
		if (err == nil || errors.Is(err, service.ErrEndOfInput)) && c.probe.brought() {
			c.source.Down(false)
			i.told(c, nil)
		}
		if errors.Is(err, service.ErrEndOfInput) {
			c.source.End()
			i.nudge()
			return
		}
		if ctx.Err() != nil {
			if err == nil {
				_ = ack(ctx, errClosing)
			}
			return
		}
		if err != nil {
			// An owned input retries by itself: what it returns is the end or its context's error.
			continue
		}
		if len(batch) == 0 {
			_ = ack(ctx, nil) // Benthos would never answer it
			continue
		}
		d := i.adopt(batch, c.note(batch), ack)
		i.offer(1)
		select {
		case i.incoming <- d:
			i.offer(-1)
		case <-ctx.Done():
			return // Close settles it
		}
	}
}

func (i *input) offer(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.offered += n
}

// adopt takes responsibility for a batch of a child.
func (i *input) adopt(batch service.MessageBatch, noted []func(), ack service.AckFunc) *delivery {
	d := &delivery{batch: batch}
	d.settle = func(ctx context.Context, err error) error {
		if err != nil {
			return ack(ctx, err)
		}
		// The child learns of it first: time may move once nothing can bring the batch back.
		err = ack(ctx, nil)
		for _, done := range noted {
			done()
		}
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.out[d] = struct{}{}
	return d
}

// part is what a batch brings of one partition.
type part struct {
	name   string
	newest event.Time
}

// note tells the tracker what a batch brings, and gives what is to be called when the batch was taken.
func (c *reader) note(batch service.MessageBatch) []func() {
	parts := c.split(batch, func(event.Time) bool { return true })
	for _, p := range parts {
		if !c.believes(p.newest) {
			// Rare, so that the clock is asked about each message only now.
			parts = c.split(batch, c.believes)
			break
		}
	}
	noted := make([]func(), 0, len(parts))
	for _, read := range parts {
		p := c.parts[read.name]
		if p == nil {
			p = c.source.Partition("", read.name)
			c.parts[read.name] = p
		}
		noted = append(noted, p.Read(read.newest))
	}
	if c.parts[""] == nil {
		c.whole.Retire()
	}
	return noted
}

// split gives the partitions of a batch in the order of their first messages, each with the largest of the times that are believed.
func (c *reader) split(batch service.MessageBatch, believes func(event.Time) bool) []part {
	var parts []part
	last := -1
	for _, m := range batch {
		name := partitionOf(m)
		at, ok := c.timeOf(m)
		if !ok || !believes(at) {
			at = event.MinTime
		}
		if last < 0 || parts[last].name != name {
			last = slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		}
		if last < 0 {
			last = len(parts)
			parts = append(parts, part{name: name, newest: at})
			continue
		}
		parts[last].newest = max(parts[last].newest, at)
	}
	return parts
}

// partitionOf names the partition of its input that a message came from: that of its topic, or "" for the whole input.
func partitionOf(m *service.Message) string {
	topic, ok := m.MetaGetImmut("kafka_topic")
	if !ok {
		return ""
	}
	name, _ := topic.(string)
	number, _ := m.MetaGetImmut("kafka_partition")
	switch n := number.(type) {
	case int:
		return name + "/" + strconv.Itoa(n)
	case int32:
		return name + "/" + strconv.Itoa(int(n))
	case int64:
		return name + "/" + strconv.FormatInt(n, 10)
	case string:
		return name + "/" + n
	}
	return name
}

// ReadBatch gives the next batch of a child, a rejected one again, or a tick.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		now := time.Now()
		d, wait := i.again(now)
		if d == nil {
			tick, end := i.clock.tick(now, i.interval)
			if end && i.idle() {
				return nil, nil, service.ErrEndOfInput
			}
			if tick != nil {
				d = i.adoptTick(tick)
			}
		}
		if d == nil {
			if d = i.waiting(); d == nil && i.ill() != nil {
				return nil, nil, service.ErrNotConnected
			}
		}
		if d == nil {
			var err error
			if d, err = i.wait(ctx, min(wait, i.clock.next(now, i.interval))); err != nil {
				return nil, nil, err
			}
		}
		if d != nil {
			return d.batch.Copy(), i.ackOf(d), nil
		}
	}
}

// waiting gives a batch that is there already.
func (i *input) waiting() *delivery {
	select {
	case d := <-i.incoming:
		return d
	default:
		return nil
	}
}

// wait gives a new batch, or nil when something else should be looked at.
func (i *input) wait(ctx context.Context, most time.Duration) (*delivery, error) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case d := <-i.incoming:
		return d, nil
	case <-i.wake:
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return nil, nil
}

// again gives a rejected batch whose time has come, or how long the next one has to wait.
func (i *input) again(now time.Time) (*delivery, time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	wait := lastWait
	for n, d := range i.retries {
		left := d.due.Sub(now)
		if left <= 0 {
			i.retries = slices.Delete(i.retries, n, n+1)
			i.resent.Incr(int64(len(d.batch)))
			return d, 0
		}
		wait = min(wait, left)
	}
	return nil, wait
}

func (i *input) idle() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.out) == 0
}

func (i *input) adoptTick(t *tick) *delivery {
	d := &delivery{batch: service.MessageBatch{t.message}}
	d.settle = func(_ context.Context, err error) error {
		if err == nil {
			i.clock.acked(t)
		}
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.out[d] = struct{}{}
	return d
}

// ackOf gives the function by which the output answers this sending of d.
func (i *input) ackOf(d *delivery) service.AckFunc {
	var once sync.Once
	return func(ctx context.Context, err error) (settled error) {
		once.Do(func() {
			if err == nil {
				settled = i.settle(ctx, d, nil)
				i.nudge()
				return
			}
			i.mu.Lock()
			defer i.mu.Unlock()
			if i.closed {
				return
			}
			d.due = time.Now().Add(min(lastWait, firstWait<<min(d.attempts, 10)))
			d.attempts++
			i.retries = append(i.retries, d)
			i.nudge()
		})
		return settled
	}
}

func (i *input) settle(ctx context.Context, d *delivery, err error) error {
	i.mu.Lock()
	_, open := i.out[d]
	delete(i.out, d)
	i.mu.Unlock()
	if !open {
		return nil
	}
	return d.settle(ctx, err)
}

func (i *input) nudge() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// Close gives back to the wrapped inputs what was not delivered, then closes them. Closing again does nothing.
func (i *input) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return nil
	}
	i.closed = true
	defer i.forget()
	if i.stop != nil {
		i.stop()
	}
	i.mu.Unlock()
	i.pumps.Wait()

	i.mu.Lock()
	open := make([]*delivery, 0, len(i.out))
	for d := range i.out {
		open = append(open, d)
	}
	i.mu.Unlock()
	for _, d := range open {
		_ = i.settle(ctx, d, errClosing)
	}
	var errs []error
	for _, c := range i.children {
		if err := c.in.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing input %s: %w", c.source.Name(), err))
		}
	}
	return errors.Join(errs...)
}
