package engine

import (
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/window"
)

// message makes the next message of a slot's incident. at is the event time that limits the next update.
func (r *record) message(s *slot, action incident.Action, at int64) *incident.Incident {
	if action == incident.Create {
		r.say(s, s.fired)
	} else {
		r.say(s, s.last)
	}
	s.revision++
	s.sent, s.sentAt = s.total, at
	r.dirty = true
	return r.incident(s, action)
}

// again gives a message of the slot that was sent before; it has a new revision if the incident has grown since.
func (r *record) again(s *slot, action incident.Action) *incident.Incident {
	if s.sent != s.total {
		s.revision++
		s.sent = s.total
		r.dirty = true
	}
	return r.incident(s, action)
}

func (r *record) incident(s *slot, action incident.Action) *incident.Incident {
	p := r.plan
	inc := &incident.Incident{
		Rule: p.rule, Tenancy: r.tenancy, Key: r.key, Slot: event.Time(s.start), Per: event.Time(p.per).Sub(0),
		Action: action, Revision: s.revision,
		Count: s.total.count, First: event.Time(s.total.first), Last: event.Time(s.total.last),
		Fired: event.Time(add(s.fired, p.shift)),
		Title: s.text.title, Attributes: s.text.attributes, Response: s.text.response,
		Evidence: r.evidence(s), Truncated: r.truncates(s), IncompleteSources: s.incomplete,
	}
	if action == incident.Close {
		inc.Closed = event.Time(s.closed)
	}
	inc.ID = incident.ID(p.rule.ID, r.tenancy, r.key, inc.Slot)
	return inc
}

// truncates says whether events that count in the slot may have been lost.
func (r *record) truncates(s *slot) bool {
	return r.short != window.MinTime && min(add(s.fired, -r.plan.window), s.start) < r.short
}

// say writes title, attributes and response of the slot as they are for the firing at t.
// Where the events of that firing are gone, what was said last stays.
func (r *record) say(s *slot, t int64) {
	if t <= r.pruned && s.text.title != "" {
		return
	}
	env := &firingEnv{r: r, t: t, whole: window.Interval{After: add(t, -r.plan.window), To: t}}
	if r.plan.joined != 0 {
		env.bound = r.judge().binding(t)
	}
	of := r.plan.rule
	s.text = text{title: of.Incident.Title.Text(env)}
	if of.Incident.Title == nil {
		s.text.title = of.Title
	}
	for _, a := range of.Incident.Attributes {
		if v := a.Expr.Eval(env); v != nil {
			if s.text.attributes == nil {
				s.text.attributes = map[string]any{}
			}
			s.text.attributes[a.Name] = v
		}
	}
	for _, t := range of.Response {
		s.text.response = append(s.text.response, t.Text(env))
	}
}

// binding gives, by pattern, the events that were compared with each other when the condition held at t.
func (j *judge) binding(t int64) []*window.Entry {
	var found []*window.Entry
	j.holdsWith(t, func() bool {
		found = slices.Clone(j.bound)
		return true
	})
	return found
}

// firingEnv gives the values of the events of a firing's window.
type firingEnv struct {
	r     *record
	t     int64
	whole window.Interval
	bound []*window.Entry
}

// Field gives a component of the key, or what was captured from the event of the pattern that is meant:
// the one that was compared, else the last one in the window.
func (v *firingEnv) Field(ref expr.Ref) any {
	p := v.r.plan
	if ref.Key != "" {
		return p.keyValue(v.r.key, ref.Key)
	}
	if ref.Pattern != "" {
		i, ok := p.byName[ref.Pattern]
		if !ok {
			return nil
		}
		return v.of(i, ref)
	}
	for _, i := range v.order() {
		if value := v.of(i, ref); value != nil {
			return value
		}
	}
	return nil
}

// order gives the patterns, those of the firing's own events first.
func (v *firingEnv) order() []int {
	p := v.r.plan
	var first, rest []int
	at := uint64(0)
	for _, e := range v.r.series.Between(v.t-1, v.t) {
		at |= e.Patterns & p.candidates
	}
	for i := range p.patterns {
		switch {
		case at&(1<<i) != 0:
			first = append(first, i)
		case p.positive&(1<<i) != 0:
			rest = append(rest, i)
		}
	}
	return append(first, rest...)
}

func (v *firingEnv) of(i int, ref expr.Ref) any {
	if v.bound != nil && v.bound[i] != nil {
		return v.r.plan.captured(v.bound[i], i, ref)
	}
	list := v.r.series.Select(i, v.whole)
	for _, e := range slices.Backward(list) {
		if value := v.r.plan.captured(e, i, ref); value != nil {
			return value
		}
	}
	return nil
}

// Aggregate gives the value of a over a pattern's events in the window; without a pattern, over all that have the value.
func (v *firingEnv) Aggregate(a *expr.Aggregate) any {
	p := v.r.plan
	if i, ok := p.byName[a.Pattern]; ok {
		return p.aggregate(a, i, v.r.series.Select(i, v.whole))
	}
	if len(p.patterns) == 1 {
		return p.aggregate(a, 0, v.r.series.Select(0, v.whole))
	}
	var values []any
	for _, e := range v.r.series.Between(v.whole.After, v.whole.To) {
		if e.Patterns&p.positive == 0 {
			continue
		}
		if a.Arg == nil {
			values = append(values, nil)
			continue
		}
		for i := range p.patterns {
			if c, ok := p.patterns[i].index[a.Arg.String()]; ok && e.Patterns&p.positive&(1<<i) != 0 {
				values = append(values, capture(e, i, c))
				break
			}
		}
	}
	return a.Over(values)
}
