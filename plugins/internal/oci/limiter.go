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
	rate *rate.Limiter
	back chan struct{} // holds the one request of a backfill that may wait its turn among the others

	mu    sync.Mutex
	until time.Time // mu; nothing is sent before it, after a 429
}

// NewLimiter allows so many requests a second.
func NewLimiter(perSecond float64) *Limiter {
	burst := max(1, int(perSecond))
	return &Limiter{rate: rate.NewLimiter(rate.Limit(perSecond), burst), back: make(chan struct{}, 1)}
}

// WaitBehind blocks like Wait, but of all that wait here only one stands in the line for the rate:
// however many requests a backfill makes at the same time, those of a live input are behind one of them and not behind all.
func (l *Limiter) WaitBehind(ctx context.Context, clock func() time.Time) error {
	select {
	case l.back <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.back }()
	return l.Wait(ctx, clock)
}

// Wait blocks until a request may be sent, or ctx ends.
func (l *Limiter) Wait(ctx context.Context, clock func() time.Time) error {
	now := clock()
	wait := l.rate.ReserveN(now, 1).DelayFrom(now)
	l.mu.Lock()
	wait = max(wait, l.until.Sub(now))
	l.mu.Unlock()
	return Sleep(ctx, wait)
}

// Pause lets nothing pass before t.
func (l *Limiter) Pause(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.After(l.until) {
		l.until = t
	}
}
