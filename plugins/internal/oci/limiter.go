package oci

import (
	"context"
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
