package engine

import (
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/window"
)

// slide keeps the aggregates of a rule of one pattern while its window moves from event to event,
// so that an event costs what enters and leaves the window and not the window.
type slide struct {
	*window.Slide
	tallies map[string]*window.Tally // by the text of their expression
}

func newSlide(p *plan) *slide {
	s := &slide{tallies: map[string]*window.Tally{}}
	var list []*window.Tally
	for _, c := range p.patterns[0].tallied {
		t := &window.Tally{Identity: expr.Identity, Value: func(e *window.Entry) []any { return flat(capture(e, 0, c)) }}
		s.tallies[p.captures[0][c]] = t
		list = append(list, t)
	}
	s.Slide = window.NewSlide(0, list)
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

func (s *slide) distinct(a *expr.Aggregate) (int64, bool) {
	t, ok := s.tallies[a.Arg.String()]
	if !ok {
		return 0, false
	}
	return int64(t.Distinct()), true
}

// slides says whether the rule is one pattern whose window can be slid.
func (p *plan) slides() bool { return p.root.kind == kindRef && !p.root.joins }

// slideHolds says the same as judge.holds for a rule that slides.
func (r *record) slideHolds(t int64) bool {
	pp := &r.plan.patterns[0]
	iv := window.Interval{After: add(t, -r.plan.window), To: t}
	if pp.having == nil {
		return r.series.Count(0, iv) > 0
	}
	if r.slide == nil {
		r.slide = newSlide(r.plan)
	}
	r.slide.Move(r.series, iv.After, iv.To)
	j := r.judge()
	j.whole = iv
	return pp.having.Holds(&groupEnv{j: j, iv: iv, count: r.slide.Count(), slide: r.slide})
}
