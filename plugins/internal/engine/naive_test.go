package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
)

// seen is one event of a history.
type seen struct {
	id       string
	time     event.Time
	patterns map[int]bool
	key      string
	v        int64
}

// naive judges a rule over a whole history, straight from the definition: by trying everything.
type naive struct {
	r   *rule.Rule
	w   event.Time
	all []seen // of one key, by (time, id)
	// began is the time of the first event of all keys.
	began event.Time
	// bound is the choice of an event for each pattern that others compare with.
	bound map[int]seen
}

// foundByDefinition gives the incidents of a rule over a history.
func foundByDefinition(r *rule.Rule, history []seen, tenancy string) []found {
	byKey := map[string][]seen{}
	for _, s := range history {
		// The rule may have fewer patterns than the history.
		s.patterns = maps.Clone(s.patterns)
		maps.DeleteFunc(s.patterns, func(p int, _ bool) bool { return p >= len(r.Patterns) })
		if len(s.patterns) > 0 {
			byKey[s.key] = append(byKey[s.key], s)
		}
	}
	began := event.MaxTime
	for _, list := range byKey {
		for _, s := range list {
			if r.FirstSeen != nil && !s.patterns[0] {
				continue
			}
			began = min(began, s.time)
		}
	}
	var out []found
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		list := byKey[key]
		slices.SortFunc(list, byTime)
		n := &naive{r: r, all: list, w: event.Time(r.Window.Milliseconds()), began: began}
		if n.w == 0 {
			n.w = max(n.span(r.When), 1)
		}
		for slot, f := range n.incidents() {
			f.key, f.slot, f.closed = key, slot, n.closed(slot, f.last)
			f.id = incident.ID(r.ID, tenancy, []any{key}, slot)
			out = append(out, *f)
		}
	}
	return out
}

// settledByDefinition gives what must be left when all time has passed: id, count, first and last of each incident.
func settledByDefinition(r *rule.Rule, history []seen, tenancy string) map[string]string {
	out := map[string]string{}
	for _, f := range foundByDefinition(r, history, tenancy) {
		events := slices.SortedFunc(maps.Values(f.covered), byTime)
		text := fmt.Sprintf("%s slot %d count %d first %d last %d", f.key, f.slot-zero, len(events),
			events[0].time-zero, events[len(events)-1].time-zero)
		for i, s := range events {
			if i < evidenceFirst || i >= len(events)-evidenceLast {
				text += " " + s.id
			}
		}
		out[f.id] = text + fmt.Sprintf(" closed %d", f.closed-zero)
	}
	return out
}

// found is one incident of the definition.
type found struct {
	id, key string
	slot    event.Time
	// first and last are the times of its firings.
	first, last, closed event.Time
	covered             map[string]seen
}

func byTime(a, b seen) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id)) }

// incidents gives the events of each slot's firings' windows.
func (n *naive) incidents() map[event.Time]*found {
	positive := n.r.Positive()
	out := map[event.Time]*found{}
	per := event.Time(n.r.Incident.Per.Milliseconds())
	for _, s := range n.all {
		t := s.time
		fires, shift := n.fires(t, s)
		if !fires {
			continue
		}
		slot := (t + shift) / per * per
		if out[slot] == nil {
			out[slot] = &found{first: t + shift, covered: map[string]seen{}}
		}
		out[slot].first, out[slot].last = min(out[slot].first, t+shift), max(out[slot].last, t+shift)
		for _, e := range n.all {
			for p := range e.patterns {
				if positive[p] && e.time > t-n.w && e.time <= t {
					out[slot].covered[e.id] = e
				}
			}
		}
	}
	return out
}

// closed gives the time that closes the incident of a slot for good: the first that is not before its last firing.
func (n *naive) closed(slot, last event.Time) event.Time {
	at := slot.Add(n.r.Incident.Per)
	if d := n.r.Incident.CloseAfter; d > 0 {
		at = min(at, last.Add(d))
	}
	for _, s := range n.all {
		if n.r.Incident.CloseOn == nil {
			break
		}
		if closes, shift := n.fulfilled(n.r.Incident.CloseOn, s.time, s); closes && s.time+shift >= last {
			at = min(at, s.time+shift)
		}
	}
	return at
}

// fires says whether t, the time of s, is a firing.
func (n *naive) fires(t event.Time, s seen) (fires bool, shift event.Time) {
	if f := n.r.FirstSeen; f != nil {
		return s.patterns[0] && t >= n.began.Add(f.Learn) && n.isNew(t, event.Time(f.Within.Milliseconds())), 0
	}
	return n.fulfilled(n.r.When, t, s)
}

// fulfilled says whether the condition holds at t, the time of s, and how far behind that it takes effect.
func (n *naive) fulfilled(when rule.Node, t event.Time, s seen) (holds bool, shift event.Time) {
	last := when
	if then, ok := when.(*rule.Then); ok {
		for _, step := range then.Steps {
			if _, not := step.Node.(*rule.Not); not {
				shift = max(shift, event.Time(step.Within.Milliseconds()))
				continue
			}
			last, shift = step.Node, 0
		}
	}
	candidates := n.positives(when)
	if shift > 0 {
		candidates = n.completers(last)
	}
	hit := false
	for p := range s.patterns {
		hit = hit || candidates[p]
	}
	if !hit {
		return false, 0
	}
	return n.choose(n.joined(), func() bool {
		return n.sat(when, n.between(t-n.w, t), t, shift > 0, true)
	}), shift
}

// isNew says whether an event at t has a value that none in (t-within, t) has.
func (n *naive) isNew(t, within event.Time) bool {
	for _, e := range n.between(t-1, t) {
		if e.patterns[0] && !slices.ContainsFunc(n.between(t-within, t-1), func(old seen) bool { return old.patterns[0] && old.v == e.v }) {
			return true
		}
	}
	return false
}

// joined gives the patterns that conditions of others compare with.
func (n *naive) joined() []int {
	var list []int
	for _, p := range n.r.Patterns {
		if p.JoinWhere == nil {
			continue
		}
		for _, ref := range p.JoinWhere.Refs() {
			for i, other := range n.r.Patterns {
				if other.Name == ref.Pattern && !slices.Contains(list, i) {
					list = append(list, i)
				}
			}
		}
	}
	return list
}

// choose tries every event for every pattern of list.
func (n *naive) choose(list []int, f func() bool) bool {
	if len(list) == 0 {
		return f()
	}
	if n.bound == nil {
		n.bound = map[int]seen{}
	}
	for _, e := range n.all {
		if e.patterns[list[0]] {
			n.bound[list[0]] = e
			if n.choose(list[1:], f) {
				return true
			}
		}
	}
	delete(n.bound, list[0])
	return false
}

func (n *naive) between(after, to event.Time) []seen {
	var list []seen
	for _, e := range n.all {
		if e.time > after && e.time <= to {
			list = append(list, e)
		}
	}
	return list
}
