package engine

import (
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/window"
)

// slide keeps the aggregates of one pattern while the rule's window moves from event to event,
// so that an event costs what enters and leaves the window and not the window.
type slide struct {
	*window.Slide
	tallies map[int]*window.Tally // by capture
	running map[int]*running      // by capture
}

// running counts the values of a capture.
type running struct {
	expr.Running
	pattern, capture int
}

// Count takes an entry that entered the window, or left it.
func (r *running) Count(e *window.Entry, entered bool) {
	if v := capture(e, r.pattern, r.capture); entered {
		r.Add(v)
	} else {
		r.Remove(v)
	}
}

// Reset forgets all entries.
func (r *running) Reset() { r.Running = expr.Running{Ordered: r.Ordered} }

func newSlide(p *plan, pattern int) *slide {
	s := &slide{tallies: map[int]*window.Tally{}, running: map[int]*running{}}
	var list []window.Counter
	pp := &p.patterns[pattern]
	for _, c := range pp.tallied {
		t := &window.Tally{Identity: expr.Identity, Value: func(e *window.Entry) []any { return flat(capture(e, pattern, c)) }}
		s.tallies[c] = t
		list = append(list, t)
	}
	for _, c := range pp.running {
		r := &running{Running: expr.Running{Ordered: c.ordered}, pattern: pattern, capture: c.capture}
		s.running[c.capture] = r
		list = append(list, r)
	}
	s.Slide = window.NewSlide(pattern, list)
	return s
}

// flat gives the values that aggregates count: nulls left out, arrays taken apart.
func flat(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return expr.Flatten(v)
	}
	return []any{v}
}

// aggregate gives the value of an aggregate over the window; ok is false where the events have to be looked at.
func (s *slide) aggregate(pp *patternPlan, a *expr.Aggregate) (value any, ok bool) {
	c, ok := pp.aggregated[a]
	if !ok {
		if a.Arg == nil {
			return nil, false
		}
		if c, ok = pp.index[a.Arg.String()]; !ok {
			return nil, false
		}
	}
	if a.Func == "distinct" {
		if t := s.tallies[c]; t != nil {
			return int64(t.Distinct()), true
		}
		return nil, false
	}
	runs, orders := a.Runs()
	if r := s.running[c]; runs && r != nil && (r.Ordered || !orders) {
		return r.Over(a)
	}
	return nil, false
}

// slideOf gives the slide of a pattern, made when it is first needed. It is rebuilt after a restart and never saved.
func (r *record) slideOf(pattern int) *slide {
	if r.slides == nil {
		r.slides = make([]*slide, len(r.plan.patterns))
	}
	if r.slides[pattern] == nil {
		r.slides[pattern] = newSlide(r.plan, pattern)
	}
	return r.slides[pattern]
}

// slides says whether the rule is one pattern whose window can be slid.
func (p *plan) slides() bool { return p.root.kind == kindRef && !p.root.joins }

// havingOver judges a pattern's having over all its events in iv by its slide.
// Without joins that is the pattern's part of a condition; with them it is what must hold at least.
func (r *record) havingOver(j *judge, pattern int, iv window.Interval) bool {
	having := r.plan.patterns[pattern].having
	if having == nil {
		return len(r.series.Range(pattern, iv.After, iv.To)) > 0
	}
	s := r.slideOf(pattern)
	s.Move(&r.series, iv.After, iv.To)
	return s.Count() > 0 && having.Holds(&groupEnv{j: j, pattern: pattern, iv: iv, count: s.Count(), slide: s})
}

// slideHolds says the same as judge.holds for a rule that slides.
func (r *record) slideHolds(j *judge, t int64) bool {
	j.whole = window.Interval{After: add(t, -r.plan.window), To: t}
	return r.havingOver(j, r.plan.root.pattern, j.whole)
}

// feasible is false where a pattern that the condition needs cannot do its part even with all events of the window.
func (r *record) feasible(j *judge, n *cond, iv window.Interval) bool {
	switch n.kind {
	case kindRef:
		having := r.plan.patterns[n.pattern].having
		if having == nil || !n.monotone {
			return len(r.series.Range(n.pattern, iv.After, iv.To)) > 0
		}
		return r.havingOver(j, n.pattern, iv)
	case kindOr:
		for _, kid := range n.kids {
			if r.feasible(j, kid, iv) {
				return true
			}
		}
		return false
	case kindThen:
		for i := range n.steps {
			if !r.feasible(j, n.steps[i].node, iv) {
				return false
			}
		}
	case kindAnd:
		for _, kid := range n.kids {
			if !r.feasible(j, kid, iv) {
				return false
			}
		}
	}
	return true
}

// witness is a part of a key's history that fulfils a monotone condition by itself:
// the condition holds wherever a window contains it.
type witness struct{ after, to int64 }

// conditionHolds judges a rule of several patterns.
func (r *record) conditionHolds(j *judge, t int64) bool {
	iv := window.Interval{After: add(t, -r.plan.window), To: t}
	j.whole = iv
	if r.plan.monotone && r.witness.after < r.witness.to && iv.After <= r.witness.after && r.witness.to <= t {
		return true
	}
	if !r.feasible(j, r.plan.root, iv) || !j.holds(t) {
		return false
	}
	if r.plan.monotone {
		r.witness = witness{after: r.latestStart(j, iv), to: t}
	}
	return true
}

// latestStart gives the latest time behind which the events until iv's end still fulfil the condition.
func (r *record) latestStart(j *judge, iv window.Interval) int64 {
	list := r.series.Between(iv.After, iv.To)
	lo, hi := 0, len(list) // the events from lo on fulfil it, those from hi on do not
	for hi-lo > 1 {
		mid := int(uint(lo+hi) >> 1)
		if j.sat(r.plan.root, window.Interval{After: list[mid].Time - 1, To: iv.To}, false, yes) {
			lo = mid
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return iv.After
	}
	return list[lo].Time - 1
}
