package oci

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Retry says how often and how long a call is tried again. Zero fields are replaced by defaults.
type Retry struct {
	// Attempts is the number of requests one call may cost.
	Attempts int
	// First is the longest wait before the second request; each later one may be twice as long.
	First time.Duration
	// Longest caps every wait, also one that Oracle asks for in Retry-After.
	Longest time.Duration
	// Jitter gives a number in [0, 1); nil: random.
	Jitter func() float64
}

// throttledAttempts is the number of requests one call may cost while Oracle throttles.
const throttledAttempts = 2

func (r Retry) withDefaults() Retry {
	if r.Attempts <= 0 {
		r.Attempts = 5
	}
	if r.First <= 0 {
		r.First = time.Second
	}
	if r.Longest <= 0 {
		r.Longest = time.Minute
	}
	if r.Jitter == nil {
		r.Jitter = rand.Float64
	}
	return r
}

// after says how long to wait after the given failed attempt, and whether to try again at all.
// Retry-After is honored up to the cap; what Oracle does not say is exponential, the upper half of it random.
func (r Retry) after(failure *Error, attempt int) (time.Duration, bool) {
	if attempt >= r.Attempts || !failure.temporary() {
		return 0, false
	}
	// Who is throttled again lets others try: the throttle may be of one place only, and all that wait for it would hold up the rest.
	if failure.Status == http.StatusTooManyRequests && attempt >= throttledAttempts {
		return 0, false
	}
	wait := r.Longest
	if shift := attempt - 1; shift < 16 {
		wait = min(r.Longest, r.First<<shift)
	}
	wait = wait/2 + time.Duration(r.Jitter()*float64(wait/2))
	return min(max(wait, failure.RetryAfter), r.Longest), true
}

// asked is how long a throttle asks everybody to wait: what Retry-After says, up to the cap, or the first wait where it says nothing.
func (r Retry) asked(failure *Error) time.Duration {
	if failure.RetryAfter <= 0 {
		return min(r.First, r.Longest)
	}
	return min(failure.RetryAfter, r.Longest)
}

// temporary is true for what may be gone at the next attempt.
func (e *Error) temporary() bool {
	switch {
	case e.Kind == TooLarge:
		return false
	case e.Kind == Unreachable || e.Kind == Garbled:
		return true
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout:
		return true
	}
	return e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// parseRetryAfter reads a Retry-After header: seconds or an HTTP date, which is measured from date, the answer's own.
// What is negative, in the past or unreadable gives 0.
func parseRetryAfter(value string, date time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(value); err == nil {
		// Beyond a day it is capped anyway; this keeps the product in range.
		return time.Duration(min(max(seconds, 0), 86400)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil || date.IsZero() {
		return 0
	}
	return max(0, at.Sub(date))
}
