package engine

import (
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// closing is the condition that closes a rule's incidents.
type closing struct {
	root *cond
	// candidates has the patterns at whose times it is judged; shift is what a closing lies behind them.
	candidates uint64
	shift      int64
	// lag is how far behind such a time the watermark must be for it to be judged: the closing is known for good then,
	// and so is every firing that is not behind it. What has closed never has to be taken back.
	lag int64
}

func (p *plan) readClosing(r *rule.Rule) error {
	p.every = r.Incident.UpdateEvery.Milliseconds()
	p.closeAfter = r.Incident.CloseAfter.Milliseconds()
	if r.Incident.CloseOn == nil {
		return nil
	}
	root, err := p.compile(r.Incident.CloseOn)
	if err != nil {
		return err
	}
	root.lookAhead(p.window)
	c := &closing{root: root}
	c.candidates, c.shift = root.ends()
	c.lag = max(root.ahead, add(c.shift, p.firingLag()))
	p.closing = c
	p.horizon = max(p.horizon, add(add(p.window, root.lookBehind(p.window, true)), c.lag))
	return nil
}

// firingLag is how far behind a time the watermark must be for all firings until then to be known.
func (p *plan) firingLag() int64 { return max(p.ahead-p.shift, 1) }

// open says whether the incident is not closed.
func (s *slot) open() bool { return s.closed == window.MaxTime }

// reopen opens the incident and says whether it was closed.
func (s *slot) reopen() bool {
	was := !s.open()
	s.closed = window.MaxTime
	return was
}

// close closes the incident of an open slot if the mark says so: at the earliest closing that is not before its last firing,
// and at the end of its slot.
func (r *record) close(s *slot, mark int64) bool {
	at := int64(window.MaxTime)
	last := add(s.last, r.plan.shift)
	if t := add(last, r.plan.closeAfter); r.plan.closeAfter > 0 && add(t, r.plan.firingLag()) <= mark {
		at = t
	}
	if c := r.plan.closing; c != nil {
		j := r.judge()
		j.root = c.root
		r.eachClosing(last, add(mark, -c.lag), func(t int64) bool {
			if !j.holds(t) {
				return true
			}
			at = min(at, add(t, c.shift))
			return false
		})
	}
	if r.closes(s) <= mark {
		at = min(at, add(s.start, r.plan.per))
	}
	s.closed = at
	return !s.open()
}

// eachClosing calls f with the times, each once, up to the time until at which a closing not before last may be, unless it was judged before.
// Those judged before came before every firing that is known since.
func (r *record) eachClosing(last, until int64, f func(t int64) bool) {
	c := r.plan.closing
	done := int64(window.MinTime)
	for _, e := range r.series.Between(max(r.closings, add(last, -c.shift)-1), until) {
		if e.Patterns&c.candidates == 0 || e.Time == done {
			continue
		}
		done = e.Time
		if !f(e.Time) {
			return
		}
	}
}

// closingsJudged says that all slots have been judged at the mark.
func (r *record) closingsJudged(mark int64) {
	// At the end of all inputs everything is judged, but time has not come that far.
	if r.plan.closing != nil && mark != window.MaxTime {
		r.closings = max(r.closings, add(mark, -r.plan.closing.lag))
	}
}

// closesBy gives the mark for which an open slot waits: its end, or that of what may close it before.
func (r *record) closesBy(s *slot) int64 {
	due := r.closes(s)
	last := add(s.last, r.plan.shift)
	if r.plan.closeAfter > 0 {
		due = min(due, add(add(last, r.plan.closeAfter), r.plan.firingLag()))
	}
	if c := r.plan.closing; c != nil {
		r.eachClosing(last, window.MaxTime, func(t int64) bool {
			due = min(due, add(t, c.lag))
			return false
		})
	}
	return due
}

// keepsForClosing gives the time above which entries are needed for closings that time has passed but that are not judged yet.
func (r *record) keepsForClosing(mark int64) int64 {
	c := r.plan.closing
	if c == nil {
		return window.MaxTime
	}
	first := add(mark, -c.lag)
	for _, s := range r.slots {
		if s.created && s.open() {
			r.eachClosing(add(s.last, r.plan.shift), first, func(t int64) bool {
				first = min(first, t-1)
				return false
			})
		}
	}
	return add(add(first, c.lag), -r.plan.horizon)
}
