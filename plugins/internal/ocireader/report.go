package ocireader

import (
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/progress"
)

func newRepeated(res *service.Resources, m *ocifields.Metrics, component string) ocifields.Counter {
	// Records that were read again and known already, so that they did not leave.
	return m.Counter(res.Metrics().NewCounter(component+"_repeated_total", "tenancy", "region"))
}

// lateness watches what appears only when a window is read a second time.
type lateness struct {
	overlap time.Duration
	events  ocifields.Counter
	lag     ocifields.Gauge

	mu     sync.Mutex
	most   time.Duration // mu
	warned bool          // mu
}

func newLateness(res *service.Resources, m *ocifields.Metrics, component string, overlap time.Duration) *lateness {
	of := res.Metrics()
	return &lateness{
		overlap: overlap,
		// Records that were first found when their window was read again.
		events: m.Counter(of.NewCounter(component+"_late_events_total", "tenancy", "region")),
		// Longest time after which a record was first found.
		lag: m.Gauge(of.NewGauge(component+"_late_events_lag_seconds", "tenancy")),
	}
}

// found notes a record that appeared after its window had been read, at most lag after it happened.
func (l *lateness) found(log *service.Logger, region string, lag time.Duration) {
	l.events.Incr(1, region)
	l.mu.Lock()
	defer l.mu.Unlock()
	if lag > l.most {
		l.most = lag
		l.lag.SetFloat64(lag.Seconds())
	}
	if lag > l.overlap/2 && !l.warned {
		l.warned = true
		log.Warnf("Records of %s appear up to %s after their window was read, more than half of the overlap of %s: raise overlap if this grows", region, lag.Round(time.Second), l.overlap)
	}
}

// standing is how far a bounded run has come.
func (i *Input) standing() progress.Standing {
	i.mu.Lock()
	r := i.reader
	i.mu.Unlock()
	now := progress.Standing{Requests: i.requests.Load()}
	if r == nil {
		if i.without.Load() {
			now.Partitions, now.Failing = 1, 1
		}
		return now
	}
	now.Records, now.Failing = r.events.Load(), int(r.failing.Load())
	now.Settles = r.plan.End.Add(r.plan.Delay + r.plan.Overlap)
	for _, p := range r.all() {
		now.Partitions++
		p.mu.Lock()
		done, whole := p.cursor.Progress()
		if p.retired {
			done = whole
		}
		p.mu.Unlock()
		now.Done += done
		now.Whole += whole
	}
	return now
}

// report writes the few lines of a healthy run: how a long catch-up gets on, and what the first sweep has read.
type report struct {
	r     *reader
	began time.Time
	next  time.Time
	first bool // the first sweep is over

	from time.Duration // how far behind it was at the beginning
}

func newReport(r *reader) *report {
	now := time.Now()
	return &report{r: r, began: now, next: now.Add(progressEvery), from: r.behind()}
}

// behind is how far the partition that is furthest behind is from now, or from the end of a bounded run.
func (r *reader) behind() time.Duration {
	to := r.client.Now()
	if !r.plan.End.IsZero() && r.plan.End.Before(to) {
		to = r.plan.End
	}
	var most time.Duration
	for _, p := range r.all() {
		if p.failures > 0 || p.gone() {
			continue
		}
		p.mu.Lock()
		most = max(most, to.Sub(p.cursor.Position()))
		p.mu.Unlock()
	}
	return most
}

func (w *report) tick(now time.Time) {
	if w.first {
		return
	}
	over, failing := true, 0
	var settles time.Time
	for _, p := range w.r.all() {
		gone := p.gone()
		if p.failures > 0 && !gone {
			failing++
		}
		p.mu.Lock()
		idle := p.cursor.Idle()
		if at := p.cursor.Settles(); at.After(settles) {
			settles = at
		}
		p.mu.Unlock()
		over = over && (p.caught && idle || p.failures > 0 || gone)
	}
	behind := w.r.behind()
	if over {
		w.first = true
		w.r.log.Infof("First sweep done: %s of %s delivered, %s behind%s%s",
			oci.Counted(w.r.events.Load(), "record"), oci.Counted(len(w.r.all()), "partition"), behind.Round(time.Second), failed(failing), waits(settles, w.r.client.Now()))
		return
	}
	if now.Before(w.next) {
		return
	}
	w.next = now.Add(progressEvery)
	w.r.log.Infof("Catching up: %s delivered, %s behind%s%s", oci.Counted(w.r.events.Load(), "record"), behind.Round(time.Second), w.left(now, behind), failed(failing))
}

// left estimates when the catch-up will be over.
func (w *report) left(now time.Time, behind time.Duration) string {
	gone := w.from - behind
	if gone <= 0 {
		return ""
	}
	left := time.Duration(float64(now.Sub(w.began)) * float64(behind) / float64(gone))
	return fmt.Sprintf(", about %s left", left.Round(time.Second))
}

func failed(n int) string {
	if n == 0 {
		return ""
	}
	return ", " + oci.Counted(n, "partition") + " cannot be read"
}

// waits says why a bounded run does not end yet though everything there is was delivered.
func waits(settles, now time.Time) string {
	if !settles.After(now) {
		return ""
	}
	return fmt.Sprintf(", waiting until %s for what appears late", settles.Format(time.RFC3339))
}
