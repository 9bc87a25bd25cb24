package correlate

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// learning says of rules with `first_seen` how long they stay silent: a gauge at each tick, and a line when one begins to learn
// and when it has learned.
type learning struct {
	left func(seconds int64, rule string)
	log  *service.Logger

	mu   sync.Mutex // guards what follows
	span map[string]time.Duration
	// begun are the rules that were said to learn.
	begun map[string]bool
}

func newLearning(m *metrics, log *service.Logger) *learning {
	return &learning{
		left: func(seconds int64, rule string) { m.learning.Set(seconds, rule) }, log: log,
		span: map[string]time.Duration{}, begun: map[string]bool{},
	}
}

// watch names the rules there are now. One that is gone has nothing left to learn.
func (l *learning) watch(rules []*rule.Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.span
	l.span = map[string]time.Duration{}
	for _, r := range rules {
		if r.Enabled && r.FirstSeen != nil {
			l.span[r.ID] = r.FirstSeen.Learn
		}
	}
	for id := range before {
		if _, still := l.span[id]; !still {
			l.left(0, id)
			delete(l.begun, id)
		}
	}
}

// passed looks at how far the rules are, now that time has passed.
func (l *learning) passed(stats engine.Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := stats.All
	for _, t := range stats.Watermarks {
		at = max(at, t)
	}
	for _, id := range slices.Sorted(maps.Keys(l.span)) {
		span := l.span[id]
		until, learns := stats.Learning[id]
		switch {
		case !learns:
			l.left(0, id)
			if l.begun[id] {
				delete(l.begun, id)
				l.log.Infof("The rule %s has learned what is usual: from now on it fires", id)
			}
		case until == event.MaxTime: // it has met no event
			l.left(int64(span.Seconds()), id)
		default:
			left := span // also where no time has passed at all
			if at > until.Add(-span) {
				left = until.Sub(at)
			}
			l.left(int64(left.Seconds()), id)
			if !l.begun[id] {
				l.begun[id] = true
				l.log.Infof("The rule %s learns what is usual, %s of event time, and is silent until %s in the tenancy that it met last; "+
					"at a first start the past can teach it, by incidents_from",
					id, expr.FormatDuration(span), until)
			}
		}
	}
}
