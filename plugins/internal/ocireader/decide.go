package ocireader

import (
	"slices"
	"time"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/watermark"
)

// result is what came of reading a pass.
type result struct {
	p    *partition
	pass *collect.Pass
	err  error
}

// decide gives out passes until the reader is closed or a bounded run has ended. It owns the schedule of all partitions.
func (r *reader) decide() {
	defer r.done.Done()
	results := make(chan result, r.workers)
	found := make(chan error, 1)
	running, refreshing := 0, false
	refresh := time.Now().Add(r.conf.Refresh)
	report := newReport(r)
	var measured time.Time
	defer func() {
		for range running {
			<-results
		}
		if refreshing {
			<-found
		}
	}()
	for {
		full := r.full()
		for ; running < r.workers; full = r.full() {
			p, pass := r.choose(time.Now(), full)
			if p == nil {
				break
			}
			running++
			p.busy++
			p.alone = nil
			if p.failures > 0 {
				p.alone = pass
			}
			go func() { results <- result{p: p, pass: pass, err: r.read(p, pass)} }()
		}
		if now := time.Now(); !refreshing && !now.Before(refresh) {
			refreshing = true
			go func() { found <- r.discover(r.ctx) }()
		}
		report.tick(time.Now())
		// A reader that is busy has no pause, and is behind just then.
		if now := time.Now(); now.Sub(measured) >= measureEvery {
			measured = now
			r.measure()
		}
		if running == 0 && r.finished() {
			r.finish()
			return
		}
		timer := time.NewTimer(r.pause(refresh, refreshing, full || running == r.workers))
		select {
		case <-r.ctx.Done():
			timer.Stop()
			return
		case one := <-results:
			running--
			r.settle(one)
		case err := <-found:
			refreshing, refresh = false, time.Now().Add(r.conf.Refresh)
			if err != nil {
				r.health.Failed("the list of what there is to read", err)
				refresh = time.Now().Add(min(r.conf.Refresh, time.Minute))
				break
			}
			r.health.Worked("the list of what there is to read")
		case <-r.wake:
			for _, p := range r.all() {
				p.waiting = false
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// full is true where a bounded run has as many windows open as it has workers: read or being read, and not yet saved.
// So a crash costs no more than one window for each worker. What cannot be read holds up nothing else.
func (r *reader) full() bool {
	if r.plan.End.IsZero() {
		return false
	}
	open := 0
	for _, p := range r.all() {
		if p.failures > 0 || p.gone() {
			continue
		}
		p.mu.Lock()
		open += p.cursor.Open()
		p.mu.Unlock()
	}
	return open >= r.workers
}

// choose gives the partition that is furthest behind and has something to read, with what to read of it.
// Taking the furthest behind keeps the partitions together, so that event time moves on evenly.
func (r *reader) choose(now time.Time, full bool) (*partition, *collect.Pass) {
	if full {
		return r.again(now)
	}
	all := r.all()
	for {
		var least *partition
		var at time.Time
		for _, p := range all {
			// What could not be read is tried again by itself.
			if p.waiting || now.Before(p.notBefore) || p.busy > 0 && p.failures > 0 {
				continue
			}
			p.mu.Lock()
			position, retired := p.cursor.Position(), p.retired
			p.mu.Unlock()
			if !retired && (least == nil || position.Before(at)) {
				least, at = p, position
			}
		}
		if least == nil {
			return nil, nil
		}
		oracle := r.client.Now()
		least.mu.Lock()
		pass, ok := least.cursor.Next(oracle)
		lost, some := least.cursor.Lost()
		caught := least.cursor.CaughtUp(oracle)
		settles := least.cursor.Settles()
		least.mu.Unlock()
		if some {
			r.log.Errorf("The position of %s is older than what Oracle keeps: what happened between %s and %s cannot be read any more",
				least.Name, lost.Start.Format(time.RFC3339), lost.End.Format(time.RFC3339))
		}
		switch {
		case ok:
			return least, pass
		case caught:
			r.idle(least, now, settles.Sub(oracle))
		default:
			least.waiting = true
		}
	}
}

// again gives a window that was given out before and must be read again.
func (r *reader) again(now time.Time) (*partition, *collect.Pass) {
	for _, p := range r.all() {
		if now.Before(p.notBefore) || p.busy > 0 && p.failures > 0 || p.gone() {
			continue
		}
		p.mu.Lock()
		pass, ok := p.cursor.Again()
		p.mu.Unlock()
		if ok {
			return p, pass
		}
	}
	return nil, nil
}

// idle puts a partition that has caught up to sleep until the next sweep, or until what appears late in a bounded run had its time.
func (r *reader) idle(p *partition, now time.Time, settles time.Duration) {
	p.caught = true
	p.notBefore = now.Add(r.conf.Poll)
	if settles > 0 {
		p.notBefore = now.Add(min(settles, r.conf.Poll))
	}
	p.mu.Lock()
	over := !p.goneSince.IsZero() && now.Sub(p.goneSince) > r.plan.Overlap+time.Hour && p.cursor.Idle()
	p.mu.Unlock()
	// What is not listed any more is read for as long as something may still appear in it.
	if over {
		p.retire()
	}
}

// settle notes what came of a pass.
func (r *reader) settle(one result) {
	p := one.p
	p.busy--
	p.waiting = false
	switch {
	case r.ctx.Err() != nil:
		return
	case p.failures > 0 && one.pass != p.alone:
		// Begun before something beside it failed: that one counts, and is tried again by itself.
		return
	case one.err == nil:
		p.failures = 0
		p.notBefore = time.Time{}
		r.health.Worked(p.Name)
	default:
		p.failures++
		pause := min(firstPause<<min(p.failures-1, 16), max(r.conf.Poll, firstPause))
		p.notBefore = time.Now().Add(pause)
		r.failed(p, one.err)
	}
	failing, alive := 0, false
	for _, other := range r.all() {
		if other.gone() {
			continue
		}
		if other.failures > 0 {
			failing++
		}
		alive = alive || other.failures < tryBeforeRed
	}
	r.metrics.Failing.Set(int64(failing))
	r.failing.Store(int64(failing))
	if !alive && one.err != nil {
		r.trouble.Store(&one.err)
		if r.outlet.InFlight() == 0 {
			r.outlet.Disconnect()
		}
	}
}

// failed notes why a partition cannot be read. A deleted place whose history is refused is nobody's mistake: it is left alone.
func (r *reader) failed(p *partition, err error) {
	if !p.isDeleted() || oci.KindOf(err) != oci.NoPermission {
		r.health.Failed(p.Name, err)
		return
	}
	if p.failures < tryBeforeGone {
		return
	}
	p.mu.Lock()
	from := p.cursor.Delivered()
	p.mu.Unlock()
	r.log.Warnf("%s was deleted, and Oracle refuses to list what happened there: what was processed after %s is not read", p.Name, from.Format(time.RFC3339))
	p.retire()
}

// pause is how long to wait when nothing happens. While nothing new may be begun, only what failed can be due.
func (r *reader) pause(refresh time.Time, refreshing, full bool) time.Duration {
	now := time.Now()
	next := now.Add(measureEvery)
	if !refreshing && refresh.Before(next) {
		next = refresh
	}
	for _, p := range r.all() {
		due := !full || p.failures > 0
		if due && p.busy == 0 && !p.waiting && p.notBefore.Before(next) && !p.gone() {
			next = p.notBefore
		}
	}
	return max(next.Sub(now), time.Millisecond)
}

// finished is true once a bounded run has delivered everything that it may read.
func (r *reader) finished() bool {
	if r.plan.End.IsZero() {
		return false
	}
	for _, p := range r.all() {
		p.mu.Lock()
		over, idle := p.cursor.Finished() || p.retired, p.cursor.Idle()
		p.mu.Unlock()
		if !over && (p.failures < tryBeforeGone || !idle) {
			return false
		}
	}
	// Outages end; only what is hopeless is left out.
	for _, p := range r.all() {
		if p.failures >= tryBeforeGone && !p.gone() && !slices.Contains(r.conf.Hopeless, oci.KindOf(r.health.Of(p.Name))) {
			return false
		}
	}
	return true
}

// finish ends a bounded run.
func (r *reader) finish() {
	var left []watermark.Unread
	for _, p := range r.all() {
		if p.failures >= tryBeforeGone && !p.gone() {
			left = append(left, watermark.Unread{Tenancy: r.client.Tenancy(), Name: p.Name})
		}
	}
	// Benthos may be waiting for the input to be connected again, to hear that it has ended.
	r.trouble.Store(nil)
	switch len(left) {
	case 0:
		r.log.Infof("Read everything up to %s: %s", r.plan.End.Format(time.RFC3339), oci.Counted(r.events.Load(), "record"))
	default:
		r.log.Errorf("Reading up to %s has ended without %d of %s, which cannot be read: their position is kept, so run it again once what the log says is mended",
			r.plan.End.Format(time.RFC3339), len(left), oci.Counted(len(r.all()), "partition"))
	}
	r.source.End(left...)
	r.outlet.End()
}
