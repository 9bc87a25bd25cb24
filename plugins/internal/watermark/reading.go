package watermark

import (
	"maps"
	"slices"
	"strings"
	"time"

	"benthos-oci/plugins/internal/event"
)

// Reading is what the clock learns at one time.
type Reading struct {
	// Tenancies holds the watermark of each tenancy that has one; All the least of them.
	Tenancies map[string]event.Time
	All       event.Time
	// Incomplete names, by tenancy, the partitions that time goes on without: those that were left out for their silence,
	// and Unread, those that their sources have ended without.
	Incomplete, Unread map[string][]string
	// Known names the partitions that time waits for, sorted.
	Known []ID
	// Done is true when there were sources, and all have ended with everything delivered.
	Done bool
	// Moved is true when anything above differs from the reading before.
	Moved bool
}

// Advance tells the tracker the wall time and gives where the watermarks stand.
func (t *Tracker) Advance(now time.Time) Reading {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.started
	if first {
		t.started, t.began = true, now
		maps.DeleteFunc(t.partitions, func(id ID, _ *Partition) bool { return t.sources[id.Source] == nil })
	}
	if now.Before(t.now) {
		now = t.now
	}
	t.now = now
	r := Reading{Done: t.ended()}
	least := marks{by: map[string]event.Time{}}
	for _, id := range slices.SortedFunc(maps.Keys(t.partitions), compare) {
		p := t.partitions[id]
		if p.gone() {
			t.left[id.Tenancy] = max(t.leftOf(id.Tenancy), p.front)
			delete(t.partitions, id)
			continue
		}
		at, state := p.at(now, t.limits)
		if state != leftOut || !p.restored {
			r.Known = append(r.Known, id)
		}
		if state == empty {
			continue
		}
		if state == leftOut {
			if r.Incomplete == nil {
				r.Incomplete = map[string][]string{}
			}
			r.Incomplete[id.Tenancy] = append(r.Incomplete[id.Tenancy], id.Source+"/"+id.Name)
			continue
		}
		least.hold(id.Tenancy, at.Add(-t.lateness))
	}
	if t.unnamed() {
		least = marks{}
	}
	t.nameUnread(&r)
	t.say(&r, least)
	t.finish(&r)
	r.Moved = first || r.All != t.last.All || r.Done != t.last.Done || !maps.Equal(r.Tenancies, t.last.Tenancies) ||
		!maps.EqualFunc(r.Incomplete, t.last.Incomplete, slices.Equal) || !slices.Equal(r.Known, t.last.Known)
	t.last = r
	return r
}

// nameUnread adds what the sources have ended without.
func (t *Tracker) nameUnread(r *Reading) {
	if len(t.unread) == 0 {
		return
	}
	if r.Incomplete == nil {
		r.Incomplete = map[string][]string{}
	}
	r.Unread = map[string][]string{}
	for tenancy, names := range t.unread {
		r.Unread[tenancy] = slices.Compact(slices.Sorted(slices.Values(names)))
		all := slices.Concat(r.Incomplete[tenancy], names)
		slices.Sort(all)
		r.Incomplete[tenancy] = slices.Compact(all)
	}
}

// startHold is how long time waits, at the start, for sources that have not named a partition yet:
// what they are about to bring may be older than what the others have.
const startHold = time.Minute

func (t *Tracker) unnamed() bool {
	if t.now.Sub(t.began) >= startHold {
		return false
	}
	for _, s := range t.sources {
		if !s.named && !s.ended {
			return true
		}
	}
	return false
}

// say raises the watermarks to what the partitions allow. A watermark never goes back.
func (t *Tracker) say(r *Reading, m marks) {
	if m.any {
		t.all = max(t.all, m.least)
	}
	for tenancy, at := range m.by {
		if shared, ok := m.by[""]; ok {
			at = min(at, shared)
		}
		t.floor[tenancy] = max(at, t.floorOf(tenancy))
	}
	r.All = t.all
	r.Tenancies = map[string]event.Time{}
	for tenancy, at := range t.floor {
		if at != event.MinTime {
			r.Tenancies[tenancy] = at
		}
	}
}

// finish raises the watermark of a tenancy whose partitions are all gone, while other tenancies go on,
// to where they had come: no event of it can be on its way. Partitions that are silent are not gone.
func (t *Tracker) finish(r *Reading) {
	if t.unnamed() {
		return
	}
	goesOn := map[string]bool{}
	for id := range t.partitions {
		goesOn[id.Tenancy] = true
	}
	if goesOn[""] {
		return
	}
	for tenancy, at := range t.left {
		if goesOn[tenancy] || at == event.MinTime {
			continue
		}
		t.floor[tenancy] = max(at.Add(-t.lateness), t.floorOf(tenancy))
		r.Tenancies[tenancy] = t.floor[tenancy]
	}
}

func (t *Tracker) leftOf(tenancy string) event.Time {
	if at, ok := t.left[tenancy]; ok {
		return at
	}
	return event.MinTime
}

func (t *Tracker) floorOf(tenancy string) event.Time {
	if at, ok := t.floor[tenancy]; ok {
		return at
	}
	return event.MinTime
}

// state says what a partition does to time.
type state int

const (
	holds   state = iota // time waits for it
	leftOut              // silent for too long: time goes on without it, and says so
	empty                // a foreign partition that has never had an event: nothing to wait for
)

// at gives the event time up to which the partition is done, and what that means.
func (p *Partition) at(now time.Time, l Limits) (event.Time, state) {
	if p.spoke || p.heard.IsZero() {
		p.spoke = false
		p.heard = now
	}
	if len(p.inFlight) > 0 {
		return max(p.front, p.moved), holds
	}
	quiet, s := now.Sub(p.heard), p.t.sources[p.id.Source]
	if s != nil && s.bounded && !s.foreign {
		return max(p.front, p.moved), holds // it ends by itself, and nothing in the past is urgent: absence is not judged without it
	}
	if s != nil && s.foreign && !s.down && l.IdleTimeout > 0 && quiet > l.IdleTimeout {
		stood := max(p.front, p.stood)
		if stood == event.MinTime {
			return event.MinTime, empty
		}
		p.moved = max(p.moved, stood.Add(quiet-l.IdleTimeout))
		return p.moved, holds
	}
	if quiet >= l.MaxHold {
		return event.MinTime, leftOut
	}
	return max(p.front, p.moved), holds
}

// marks collects the least time by tenancy and over all.
type marks struct {
	by    map[string]event.Time
	any   bool
	least event.Time
}

func (m *marks) hold(tenancy string, at event.Time) {
	if !m.any || at < m.least {
		m.least, m.any = at, true
	}
	if have, ok := m.by[tenancy]; !ok || at < have {
		m.by[tenancy] = at
	}
}

func compare(a, b ID) int {
	if c := strings.Compare(a.Source, b.Source); c != 0 {
		return c
	}
	if c := strings.Compare(a.Tenancy, b.Tenancy); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}
