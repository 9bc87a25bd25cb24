package collect

import (
	"slices"
	"time"
)

// Plan says how a partition is read.
type Plan struct {
	// End is where reading ends; zero: never.
	End time.Time
	// Delay is how long after they were processed records are first read.
	Delay time.Duration
	// Overlap is how far back each pass looks again for records that appeared late.
	Overlap time.Duration
	// FirstWindow is the length of the first window; quiet windows double it, up to MaxWindow.
	FirstWindow, MaxWindow time.Duration
	// Retention is how long Oracle keeps records; zero: for ever. What is older cannot be read any more.
	Retention time.Duration
	// Inclusive is true where an answer may hold records of the very end of its window: they appear in the next window, too.
	Inclusive bool
	// MaxPasses is how many passes may wait for acks and for being saved.
	MaxPasses int
	// Abreast is how many passes may be read at the same time; 0 means one.
	// Where something may still appear late, they are read one after the other all the same.
	Abreast int
}

// DefaultPlan gives the lengths that suit Oracle's Audit API.
func DefaultPlan() Plan {
	return Plan{FirstWindow: time.Hour, MaxWindow: 24 * time.Hour, Retention: 365 * 24 * time.Hour, MaxPasses: 8}
}

// Span is a half-open range of processed time, [Start, End).
type Span struct {
	Start, End time.Time
	// Again is true where the range was read before, and only what appeared late in it is new.
	Again bool
}

// Pass is one reading of a partition: what may have appeared late, and then what is new.
type Pass struct {
	// Spans are read one after the other. They belong to whoever reads the pass.
	Spans []Span

	alone  bool      // it looks for what appeared late, and is read while no other pass of its partition is
	begin  time.Time // where what is new in it begins
	end    time.Time // what lies before it was read once the pass is done
	again  time.Time // where the next pass must begin to look again
	ids    []ID      // acked, and not saved yet
	flying int       // batches without an ack
	active bool      // it is being read
	read   bool      // it was read to its end
	redo   bool      // a batch was refused while it was read
}

// End is the end of the pass: with it everything before was read.
func (p *Pass) End() time.Time { return p.end }

// Begin is where the new part of the pass begins; nothing that comes later was processed before it, but for what appears late.
func (p *Pass) Begin() time.Time { return p.begin }

// Split halves a span whose answers are too large; false where it is a minute long already.
func (p *Pass) Split(i int) bool {
	s := p.Spans[i]
	half := Floor(s.Start.Add(s.End.Sub(s.Start) / 2))
	if !half.After(s.Start) {
		return false
	}
	p.Spans = slices.Insert(p.Spans, i+1, Span{Start: half, End: s.End, Again: s.Again})
	p.Spans[i].End = half
	return true
}

// Batch is a set of records that left together.
type Batch struct {
	pass *Pass
	ids  []ID
	done bool
}

// segment is the set of ids that one saved pass delivered.
type segment struct {
	name string
	end  time.Time
	ids  []ID
}

// Cursor is the position in one partition. Its owner locks it; it starts no goroutine and reads no clock.
type Cursor struct {
	plan   Plan
	prefix string

	start  time.Time // nothing before it is read
	end    time.Time // everything before it was given out in passes
	again  time.Time // where the next pass must look again
	window time.Duration

	saved      time.Time // the end of the last pass that was saved
	savedAgain time.Time
	segments   []segment // saved, oldest first
	passes     []*Pass   // not yet saved, oldest first
	seen       map[ID]*Pass
	lost       Span
}

// Start makes a cursor for a partition without a saved position. Its keys begin with prefix.
func Start(plan Plan, prefix string, start time.Time) *Cursor {
	start = Floor(start)
	return &Cursor{
		plan: plan, prefix: prefix, start: start, end: start, again: start, saved: start, savedAgain: start,
		window: plan.FirstWindow, seen: map[ID]*Pass{},
	}
}

// Next gives the pass to read now, which is Oracle's time; false where there is nothing to read.
// A pass that could not be read to its end is given again.
func (c *Cursor) Next(now time.Time) (*Pass, bool) {
	if p, ok := c.Again(); ok {
		return p, true
	}
	reading := c.reading()
	if reading >= max(1, c.plan.Abreast) || reading > 0 && c.again.Before(c.end) || len(c.passes) >= max(1, c.plan.MaxPasses) {
		return nil, false
	}
	if slices.ContainsFunc(c.passes, func(p *Pass) bool { return !p.active && !p.read || p.active && p.alone }) {
		return nil, false
	}
	if c.plan.Retention > 0 {
		c.forget(Floor(now.Add(-c.plan.Retention)))
	}
	horizon, settled := c.horizon(now), Floor(now.Add(-c.plan.Delay)).Add(-c.plan.Overlap)
	if !horizon.After(c.end) && !c.straggling(now) {
		return nil, false
	}
	p := &Pass{begin: c.end, end: later(c.end, earlier(horizon, c.end.Add(c.window))), active: true}
	// Beyond the overlap nothing appears any more, so a backfill reads nothing twice.
	p.again = later(c.again, earlier(p.end, settled))
	if p.alone = c.again.Before(c.end); p.alone {
		p.Spans = append(p.Spans, Span{Start: c.again, End: c.end, Again: true})
	}
	if c.end.Before(p.end) {
		p.Spans = append(p.Spans, Span{Start: c.end, End: p.end})
	}
	c.end, c.again = p.end, p.again
	c.passes = append(c.passes, p)
	return p, true
}

// Again gives a pass that could not be read to its end, or of which the output refused something; false where there is none,
// or where it cannot be read beside those that are being read.
func (c *Cursor) Again() (*Pass, bool) {
	reading := c.reading()
	if reading >= max(1, c.plan.Abreast) {
		return nil, false
	}
	for _, p := range c.passes {
		switch {
		case p.active && p.alone:
			return nil, false
		case p.active || p.read:
			continue
		case reading > 0 && p.alone:
			return nil, false
		}
		p.active = true
		return p, true
	}
	return nil, false
}

// reading is the number of passes that are being read.
func (c *Cursor) reading() int {
	n := 0
	for _, p := range c.passes {
		if p.active {
			n++
		}
	}
	return n
}

// horizon is the end of what may be read at now.
func (c *Cursor) horizon(now time.Time) time.Time {
	horizon := Floor(now.Add(-c.plan.Delay))
	if !c.plan.End.IsZero() {
		horizon = earlier(horizon, c.stop())
	}
	return horizon
}

// stop is Plan.End, rounded up to the minute.
func (c *Cursor) stop() time.Time { return Floor(c.plan.End.Add(time.Minute - 1)) }

// straggling is true once a bounded reading that was read to its end must look a last time for what appeared late.
func (c *Cursor) straggling(now time.Time) bool {
	if c.plan.End.IsZero() || c.end.Before(c.stop()) || !c.again.Before(c.end) {
		return false
	}
	return !Floor(now.Add(-c.plan.Delay)).Add(-c.plan.Overlap).Before(c.stop())
}

// Settles is when a bounded reading looks a last time for what appeared late; zero where it need not.
func (c *Cursor) Settles() time.Time {
	if c.plan.End.IsZero() || c.end.Before(c.stop()) || !c.again.Before(c.end) {
		return time.Time{}
	}
	return c.stop().Add(c.plan.Delay + c.plan.Overlap)
}

// forget moves past what Oracle does not keep any more.
func (c *Cursor) forget(oldest time.Time) {
	if !c.end.Before(oldest) {
		return
	}
	c.lost = Span{Start: c.end, End: oldest}
	c.end, c.again = oldest, later(c.again, oldest)
}

// Lost gives once, and forgets, the range that was too old to be read.
func (c *Cursor) Lost() (Span, bool) {
	lost := c.lost
	c.lost = Span{}
	return lost, !lost.End.IsZero()
}

// Admit takes the ids of a page and tells which of them are new. The new ones belong to the batch, which is nil where there are none.
func (c *Cursor) Admit(p *Pass, ids []ID) (*Batch, []bool) {
	fresh := make([]bool, len(ids))
	var b *Batch
	for i, id := range ids {
		if _, known := c.seen[id]; known {
			continue
		}
		c.seen[id] = p
		fresh[i] = true
		if b == nil {
			b = &Batch{pass: p}
		}
		b.ids = append(b.ids, id)
	}
	if b != nil {
		p.flying++
	}
	return b, fresh
}

// Read says that the pass was read to its end, in so many pages.
func (c *Cursor) Read(p *Pass, pages int) {
	p.active, p.read, p.redo = false, !p.redo, false
	switch {
	case pages <= len(p.Spans):
		c.window = min(2*c.window, c.plan.MaxWindow)
	case pages > 50*len(p.Spans):
		c.window = max(c.window/2, min(c.plan.FirstWindow, 10*time.Minute))
	}
}

// Fail says that the pass could not be read to its end; Next gives it again. What it has delivered so far does not leave again.
func (*Cursor) Fail(p *Pass) { p.active, p.redo = false, false }

// Ack says that the output has the batch.
func (*Cursor) Ack(b *Batch) {
	if b.done {
		return
	}
	b.done = true
	b.pass.flying--
	b.pass.ids = append(b.pass.ids, b.ids...)
}

// Nack says that the output will not take the batch: its records are read again.
func (c *Cursor) Nack(b *Batch) {
	if b.done {
		return
	}
	b.done = true
	b.pass.flying--
	b.pass.read, b.pass.redo = false, b.pass.active
	for _, id := range b.ids {
		delete(c.seen, id)
	}
}

// CaughtUp is true where everything that could be read at now was read.
func (c *Cursor) CaughtUp(now time.Time) bool {
	for _, p := range c.passes {
		if !p.read {
			return false
		}
	}
	return !c.horizon(now).After(c.end) && !c.straggling(now)
}

// Finished is true once everything before Plan.End was delivered and saved, and what could appear late had the time to.
func (c *Cursor) Finished() bool {
	return !c.plan.End.IsZero() && len(c.passes) == 0 && !c.savedAgain.Before(c.stop())
}

// Idle is true while no batch is on its way.
func (c *Cursor) Idle() bool {
	for _, p := range c.passes {
		if p.flying > 0 {
			return false
		}
	}
	return true
}

// Position is the time before which everything was given out in passes.
func (c *Cursor) Position() time.Time { return c.end }

// Delivered is the time before which everything was delivered and saved.
func (c *Cursor) Delivered() time.Time { return c.saved }

// Low is the time before which everything that is new was read to its end, whether or not it was delivered.
func (c *Cursor) Low() time.Time {
	for _, p := range c.passes {
		if !p.read {
			return p.begin
		}
	}
	return c.end
}

// Open is the number of passes that were given out and are not saved. After a crash they are read again.
func (c *Cursor) Open() int { return len(c.passes) }

// Progress says of a bounded reading how much of its time was delivered and saved, and how much there is.
func (c *Cursor) Progress() (done, whole time.Duration) {
	return max(0, earlier(c.saved, c.stop()).Sub(c.start)), max(0, c.stop().Sub(c.start))
}

// First gives the write that makes a new partition known, before its first request.
func (c *Cursor) First() []Change {
	return []Change{{Key: c.prefix, Value: encodePosition(position{start: c.start, end: c.saved, again: c.savedAgain, segments: c.segments})}}
}

func (c *Cursor) segmentKey(name string) string { return c.prefix + "/" + name }
