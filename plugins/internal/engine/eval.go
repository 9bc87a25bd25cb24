package engine

import (
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/window"
)

// judge evaluates the condition of a rule over the events of one key.
type judge struct {
	p *plan
	// root is the condition that is judged.
	root *cond
	s    *window.Series
	key  []any
	// bound holds, by pattern, the event that the conditions of other patterns look at.
	bound []*window.Entry
	// end is the time at which the last step of the root must be complete, where exact is true.
	end   int64
	exact bool
	// whole is the interval of the firing, for `having` over another pattern.
	whole window.Interval
}

// holds says whether the condition holds at t.
func (j *judge) holds(t int64) bool { return j.holdsWith(t, yes) }

// holdsWith says whether the condition holds at t in a way that k agrees to.
func (j *judge) holdsWith(t int64, k func() bool) bool {
	j.whole = window.Interval{After: add(t, -j.p.window), To: t}
	j.exact = len(j.root.trailing) > 0 && j.root.kind == kindThen
	j.end = t
	return j.sat(j.root, j.whole, false, k)
}

func yes() bool { return true }

// sat says whether n is fulfilled in iv in a way that k agrees to.
// exact binds an event that others look at to the end of iv.
func (j *judge) sat(n *cond, iv window.Interval, exact bool, k func() bool) bool {
	switch n.kind {
	case kindRef:
		return j.ref(n, iv, exact, k)
	case kindAnd:
		return j.and(n, 0, iv, k)
	case kindThen:
		return j.then(n, 0, iv, 0, k)
	case kindOr:
		for _, kid := range n.kids {
			if j.sat(kid, iv, exact, k) {
				return true
			}
		}
	}
	return false
}

func (j *judge) and(n *cond, i int, iv window.Interval, k func() bool) bool {
	if i < len(n.kids) {
		return j.sat(n.kids[i], iv, false, func() bool { return j.and(n, i+1, iv, k) })
	}
	for _, not := range n.nots {
		if j.someWindow(not, iv.To) {
			return false
		}
	}
	return k()
}

// someWindow says whether n holds in some window of W that contains c.
func (j *judge) someWindow(n *cond, c int64) bool {
	w := j.p.window
	in := func(t int64) bool {
		return j.sat(n, window.Interval{After: add(t, -w), To: t}, false, yes)
	}
	if in(c) {
		return true
	}
	// What is in the window changes when an event enters.
	last := int64(window.MinTime)
	for _, e := range j.s.Between(c, add(c, w)-1) {
		if e.Patterns&n.all == 0 || e.Time == last {
			continue
		}
		last = e.Time
		if in(e.Time) {
			return true
		}
	}
	if n.monotone {
		return false
	}
	// A condition that is not monotone can also become true when one leaves.
	for _, e := range j.s.Between(add(c, -w), c-1) {
		if e.Patterns&n.all != 0 && in(add(e.Time, w)) {
			return true
		}
	}
	return false
}

// then judges step i and what follows it. The step before it was complete at prev.
func (j *judge) then(n *cond, i int, iv window.Interval, prev int64, k func() bool) bool {
	st := &n.steps[i]
	rest := iv
	if i > 0 {
		rest.After = prev - 1
		rest.NotFirst = n.steps[i-1].node.completers
		if rest.After == iv.After {
			rest.NotFirst |= iv.NotFirst
		}
		if st.within > 0 {
			rest = until(rest, min(iv.To, add(prev, st.within)-1))
		}
	}
	last := i == len(n.steps)-1
	exactEnd := last && j.exact && n == j.root
	if last && len(st.before) == 0 && len(n.trailing) == 0 {
		return j.sat(st.node, rest, false, k)
	}
	at := func(c int64) bool {
		return j.sat(st.node, until(rest, c), true, func() bool {
			if !j.absentBetween(n, i, prev, c) {
				return false
			}
			if !last {
				return j.then(n, i+1, iv, c, k)
			}
			return j.absentAfter(n, c) && k()
		})
	}
	if exactEnd {
		return j.end > rest.After && j.end <= rest.To && at(j.end)
	}
	return j.completions(st, rest, at)
}

// completions tries the times at which the step may be complete, until at agrees to one.
func (j *judge) completions(st *step, rest window.Interval, at func(c int64) bool) bool {
	list := j.s.Between(rest.After, rest.To)
	if st.node.kind == kindRef {
		list = j.s.Range(st.node.pattern, rest.After, rest.To)
	}
	if st.earliest {
		lo, hi := 0, len(list)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if j.sat(st.node, until(rest, list[mid].Time), true, yes) {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		// The list may begin with entries of other patterns; they complete nothing, and neither do they hinder.
		for lo < len(list) && list[lo].Patterns&st.node.completers == 0 {
			lo++
		}
		return lo < len(list) && at(list[lo].Time)
	}
	last := int64(window.MinTime)
	for _, e := range list {
		if e.Patterns&st.node.completers == 0 || e.Time == last {
			continue
		}
		last = e.Time
		if at(e.Time) {
			return true
		}
	}
	return false
}

// absentBetween judges the negated steps between step i-1, complete at prev, and step i, complete at c.
func (j *judge) absentBetween(n *cond, i int, prev, c int64) bool {
	for _, a := range n.steps[i].before {
		iv := window.Interval{After: prev - 1, To: c, NotFirst: n.steps[i-1].node.completers, NotLast: n.steps[i].node.completers}
		if j.fulfilled(a.node, until(iv, min(c, add(prev, a.within)-1))) {
			return false
		}
	}
	return true
}

// absentAfter judges the negated steps behind the last step, complete at c.
func (j *judge) absentAfter(n *cond, c int64) bool {
	for _, a := range n.trailing {
		iv := window.Interval{After: c - 1, To: add(c, a.within) - 1, NotFirst: n.steps[len(n.steps)-1].node.completers}
		if j.fulfilled(a.node, iv) {
			return false
		}
	}
	return true
}

// fulfilled says whether n is fulfilled at some time in iv by its events in iv until then.
func (j *judge) fulfilled(n *cond, iv window.Interval) bool {
	if n.monotone {
		return j.sat(n, iv, false, yes)
	}
	last := int64(window.MinTime)
	for _, e := range j.s.Between(iv.After, iv.To) {
		if e.Patterns&n.all == 0 || e.Time == last {
			continue
		}
		last = e.Time
		if j.sat(n, until(iv, e.Time), false, yes) {
			return true
		}
	}
	return false
}

// until gives iv ended at t, which is not later than its end.
func until(iv window.Interval, t int64) window.Interval {
	if t != iv.To {
		iv.To, iv.NotLast = t, 0
	}
	return iv
}

// ref judges one pattern.
func (j *judge) ref(n *cond, iv window.Interval, exact bool, k func() bool) bool {
	p := n.pattern
	pp := &j.p.patterns[p]
	binds := j.p.joined&(1<<p) != 0
	if pp.join == nil && !binds {
		return j.having(p, iv, nil) && k()
	}
	list := j.s.Select(p, iv)
	if pp.join != nil {
		list = j.filter(p, list)
	}
	if !binds {
		return j.having(p, iv, list) && k()
	}
	old := j.bound[p]
	defer func() { j.bound[p] = old }()
	for _, e := range list {
		if exact && e.Time != iv.To {
			continue
		}
		j.bound[p] = e
		if k() {
			return true
		}
	}
	return false
}

// filter gives the events that the pattern's condition over earlier patterns takes; never nil.
func (j *judge) filter(p int, list []*window.Entry) []*window.Entry {
	taken := make([]*window.Entry, 0, len(list))
	for _, e := range list {
		if j.p.patterns[p].join.Holds(&joinEnv{j: j, pattern: p, entry: e}) {
			taken = append(taken, e)
		}
	}
	return taken
}

// having judges the pattern's own condition over its events in iv; list holds them where they were filtered, else nil.
// Without events nothing holds: silence is `then not`.
func (j *judge) having(p int, iv window.Interval, list []*window.Entry) bool {
	n := len(list)
	if list == nil {
		n = j.s.Count(p, iv)
	}
	if n == 0 {
		return false
	}
	having := j.p.patterns[p].having
	if having == nil {
		return true
	}
	env := &groupEnv{j: j, pattern: p, iv: iv, list: list, count: n}
	return having.Holds(env)
}

// joinEnv gives a pattern's event and the events bound to earlier patterns.
type joinEnv struct {
	j       *judge
	pattern int
	entry   *window.Entry
}

// Field gives the value that was captured from the event.
func (v *joinEnv) Field(ref expr.Ref) any {
	pattern, entry := v.pattern, v.entry
	if ref.Key != "" {
		return v.j.p.keyValue(v.j.key, ref.Key)
	}
	if ref.Pattern != "" {
		pattern = v.j.p.byName[ref.Pattern]
		if entry = v.j.bound[pattern]; entry == nil {
			return nil
		}
	}
	return v.j.p.captured(entry, pattern, ref)
}

// Aggregate gives null: a comparison of two events has no groups.
func (*joinEnv) Aggregate(*expr.Aggregate) any { return nil }

// groupEnv gives the aggregates over a pattern's events in an interval.
type groupEnv struct {
	j       *judge
	pattern int
	iv      window.Interval
	// list holds the events once they are known; count is their number.
	list  []*window.Entry
	count int
	// slide has the aggregates ready, where it stands at iv; else nil.
	slide *slide
}

// Field gives a component of the key, or the value captured from the last event of the group.
func (v *groupEnv) Field(ref expr.Ref) any {
	if ref.Key != "" {
		return v.j.p.keyValue(v.j.key, ref.Key)
	}
	list, pattern := v.events(), v.pattern
	if ref.Pattern != "" {
		pattern = v.j.p.byName[ref.Pattern]
		list = v.j.s.Select(pattern, v.j.whole)
	}
	if len(list) == 0 {
		return nil
	}
	return v.j.p.captured(list[len(list)-1], pattern, ref)
}

// Aggregate gives the value of a over the group, or over another pattern's events in the firing's window.
func (v *groupEnv) Aggregate(a *expr.Aggregate) any {
	p := v.j.p
	if a.Pattern != "" && a.Pattern != p.patterns[v.pattern].name {
		other := p.byName[a.Pattern]
		return p.aggregate(a, other, v.j.s.Select(other, v.j.whole))
	}
	if a.Func == "count" && a.Arg == nil {
		return int64(v.count)
	}
	if v.slide != nil {
		if value, ok := v.slide.aggregate(&p.patterns[v.pattern], a); ok {
			return value
		}
	}
	return p.aggregate(a, v.pattern, v.events())
}

func (v *groupEnv) events() []*window.Entry {
	if v.list == nil {
		v.list = v.j.s.Select(v.pattern, v.iv)
	}
	return v.list
}

// aggregate gives the value of a over the captures of events.
func (p *plan) aggregate(a *expr.Aggregate, pattern int, list []*window.Entry) any {
	values := make([]any, len(list))
	if a.Arg == nil {
		return a.Over(values)
	}
	c, ok := p.patterns[pattern].index[a.Arg.String()]
	if !ok {
		return nil
	}
	for i, e := range list {
		values[i] = capture(e, pattern, c)
	}
	return a.Over(values)
}

// captured gives what was captured for ref from an event of the pattern; null where nothing was.
func (p *plan) captured(e *window.Entry, pattern int, ref expr.Ref) any {
	ref.Pattern = ""
	c, ok := p.patterns[pattern].index[ref.String()]
	if !ok {
		return nil
	}
	return capture(e, pattern, c)
}

func capture(e *window.Entry, pattern, c int) any {
	if pattern >= len(e.Values) || c >= len(e.Values[pattern]) {
		return nil
	}
	return e.Values[pattern][c]
}

func (p *plan) keyValue(key []any, alias string) any {
	for i, name := range p.rule.KeyNames {
		if name == alias && i < len(key) {
			return key[i]
		}
	}
	return nil
}
