package ocifields

import (
	"context"
	"sync"
	"time"

	"benthos-oci/plugins/internal/oci"
)

const (
	// look is how often an input that cannot read is asked whether it can.
	look = 250 * time.Millisecond
	// remind is how long Benthos is kept waiting at most, until it hears and logs the same cause again.
	remind = 10 * time.Minute

	// again is how long Benthos waits after it heard a cause, before it is kept waiting.
	again = time.Second

	firstStart = 10 * time.Second // before an input that could not begin tries again; it doubles
	lastStart  = time.Minute      // up to this, as long as the cause stays
)

// Reconnect answers Benthos's attempts to connect. Benthos logs every one that fails: so each cause is told at once,
// and while it lasts the next attempt waits. The log has a line for each cause, and the input is connected again as soon as it can read.
type Reconnect struct {
	mu    sync.Mutex
	cause string        // mu; that Benthos was told last, "" where the input was well
	pause time.Duration // mu; before the next start
	tries int           // mu; starts in a row that failed for this cause
}

// Well gives nil once the input that is open can read, or why it cannot and how long Benthos is to wait. ill tells that at present.
func (r *Reconnect) Well(ctx context.Context, ill func() error) (time.Duration, error) {
	for until := time.Now().Add(remind); ; {
		err := ill()
		if r.told(err) || err == nil || !time.Now().Before(until) {
			return again, err
		}
		if err := oci.Sleep(ctx, look); err != nil {
			return again, err
		}
	}
}

// Began notes that the input has begun: whatever stops it from now on is told.
func (r *Reconnect) Began() { r.told(nil) }

// startsBefore is how often in a row the start of an input must fail for the same cause, before the cause counts as one that stays.
const startsBefore = 3

// Stays is true where an input could not begin several times for the same cause; Start was told each time.
func (r *Reconnect) Stays() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries >= startsBefore
}

// told takes note of a cause and tells whether it is another one than before.
func (r *Reconnect) told(err error) bool {
	cause := ""
	if err != nil {
		cause = causeOf(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.cause
	r.cause = cause
	return cause != before
}

// Start gives how long to wait after an input could not begin.
func (r *Reconnect) Start(err error) time.Duration {
	another := r.told(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if another || r.pause == 0 {
		r.pause, r.tries = firstStart, 1
		return r.pause
	}
	r.tries++
	r.pause = min(2*r.pause, lastStart)
	return r.pause
}
