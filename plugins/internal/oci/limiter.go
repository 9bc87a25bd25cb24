package oci

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter spaces the requests of one tenancy, whichever inputs make them:
// Oracle throttles by user, so inputs that share a key share a limiter.
type Limiter struct {
	rate  *rate.Limiter
	begin sync.Once     // a backfill begins with nothing saved up, so that a short one keeps the rate, too
	back  chan struct{} // holds the one request of a backfill that may wait its turn among the others

	mu     sync.Mutex
	until  time.Time     // mu; nothing is sent before it, after a 429
	held   bool          // mu; after a 429, until a request passes: one is sent at a time, to try
	trying bool          // mu; one was sent
	passed chan struct{} // mu; closed when a request passes while others wait

	throttles map[string]*throttle // mu; by the place that is throttled
}

// throttle is that of one place. Others may pass meanwhile, so that the tenancy's pause says nothing of it.
type throttle struct {
	until time.Time     // nothing is sent there before it
	tries bool          // one request is on its way, to see whether it is over
	again int           // requests that tried and were throttled
	last  Error         // what the newest of them came back with
	news  chan struct{} // closed when there is something new of the request that tries
}

// NewLimiter allows so many requests a second. After a pause those of a quarter of a second may go at once,
// which also makes up for a machine that wakes up late.
func NewLimiter(perSecond float64) *Limiter {
	burst := max(1, int(perSecond/4))
	return &Limiter{
		rate: rate.NewLimiter(rate.Limit(perSecond), burst), back: make(chan struct{}, 1), passed: make(chan struct{}),
		throttles: map[string]*throttle{},
	}
}

// tryAgain is how long the others wait for the request that tries whether a throttle is over.
const tryAgain = time.Second

// WaitBehind blocks like Wait, but of all that wait here only one stands in the line for the rate:
// however many requests a backfill makes at the same time, those of a live input are behind one of them and not behind all.
func (l *Limiter) WaitBehind(ctx context.Context, clock func() time.Time) error {
	select {
	case l.back <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.back }()
	l.begin.Do(func() { l.rate.AllowN(clock(), l.rate.Burst()-1) })
	return l.Wait(ctx, clock)
}

// Wait blocks until a request may be sent, or ctx ends. After a throttle one request goes first; the others follow once it has passed,
// so that however many wait, Oracle sees no more of them than it asked for.
func (l *Limiter) Wait(ctx context.Context, clock func() time.Time) error {
	now := clock()
	if err := Sleep(ctx, l.rate.ReserveN(now, 1).DelayFrom(now)); err != nil {
		return err
	}
	for {
		wait, passed := l.turn(clock())
		if wait <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-passed:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// turn gives how long to wait before asking again; 0 where a request may be sent.
func (l *Limiter) turn(now time.Time) (time.Duration, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return 0, nil
	}
	if wait := l.until.Sub(now); wait > 0 {
		return wait, l.passed
	}
	l.until, l.trying = now.Add(tryAgain), true
	return 0, nil
}

// Pause lets nothing pass before t, and then one request to try.
func (l *Limiter) Pause(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.After(l.until) {
		l.until = t
	}
	l.held, l.trying = true, false
}

// Passed says that a request was not throttled. Before one was sent to try, that says nothing: it began before the throttle.
func (l *Limiter) Passed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.trying {
		return
	}
	l.held, l.trying = false, false
	close(l.passed)
	l.passed = make(chan struct{})
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
