package oci

import (
	"context"
	"errors"
	"time"
)

// throttle is that of one place. Others may pass meanwhile, so that the tenancy's pause says nothing of it.
type throttle struct {
	until time.Time     // nothing is sent there before it
	tries bool          // one request is on its way, to see whether it is over
	again int           // requests that tried and were throttled
	last  Error         // what the newest of them came back with
	news  chan struct{} // closed when there is something new of the request that tries
}

// entered is a call that asks a place, "" being none, as often as it must.
type entered struct {
	place string
	tries bool // its request is the one that tries whether a throttle is over
	waits bool // the place was throttled when it came, or when it asked
	again int  // of the throttle, then
}

// enter blocks while the place is throttled. One request tries whether that is over, and the others wait for what it finds out:
// where it is throttled again they fail as it does, for it asked for all of them. Whoever entered must leave.
func (l *Limiter) enter(ctx context.Context, e *entered, clock func() time.Time) error {
	for {
		t := l.look(e, clock())
		switch {
		case ctx.Err() != nil:
			l.leave(e, ctx.Err(), time.Time{})
			return ctx.Err()
		case e.tries || t.news == nil:
			return nil
		case e.waits && t.again > e.again:
			return &t.last
		}
		e.waits, e.again = true, t.again
		wait := time.Hour // for news
		if !t.tries {
			wait = t.until.Sub(clock())
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-t.news:
		}
		timer.Stop()
	}
}

// look gives how the place is throttled, nothing where it is not, and lets the call try where nobody does and the time has come.
func (l *Limiter) look(e *entered, now time.Time) throttle {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.throttles[e.place]
	if t == nil {
		return throttle{}
	}
	how := *t
	known := !e.waits || e.again == t.again
	if known && !t.tries && !now.Before(t.until) {
		t.tries, e.tries = true, true
	}
	return how
}

// leave says what came of a request to the place; until is zero where it was not throttled.
func (l *Limiter) leave(e *entered, err error, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.throttles[e.place]
	if t == nil {
		if e.place == "" || until.IsZero() {
			return
		}
		t = &throttle{news: make(chan struct{})}
		l.throttles[e.place] = t
	}
	if until.After(t.until) {
		t.until = until
	}
	if !until.IsZero() && !e.waits {
		e.waits, e.again = true, t.again
	}
	if !e.tries {
		return
	}
	e.tries, t.tries = false, false
	if failure, ok := errors.AsType[*Error](err); ok && !until.IsZero() {
		t.again, t.last = t.again+1, *failure
	}
	if err == nil {
		delete(l.throttles, e.place)
	}
	close(t.news)
	t.news = make(chan struct{})
}
