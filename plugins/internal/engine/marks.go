package engine

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/internal/window"
)

// marks is where time stands, by scope: a tenancy, or all of them. A mark never goes back.
type marks struct {
	by map[string]int64
	// ticked is true once a clock has spoken.
	ticked     bool
	known      []watermark.ID
	incomplete map[string][]string
}

func newMarks() marks { return marks{by: map[string]int64{}} }

// at gives the mark of a scope; MinTime where nothing is known of it.
// A tenancy that no clock has named follows the partitions that carry events of every tenancy.
func (m *marks) at(scope string) int64 {
	if t, ok := m.by[scope]; ok {
		return t
	}
	if scope != scopeAll {
		if t, ok := m.by[""]; ok && m.ticked {
			return t
		}
	}
	return window.MinTime
}

// picture gives where time stands now.
func (m *marks) picture() *marks { return &marks{by: maps.Clone(m.by), ticked: m.ticked} }

// raise moves a mark forward and says whether it moved. The end of all inputs is no time.
func (m *marks) raise(scope string, t int64) bool {
	if t <= m.at(scope) || t == window.MaxTime {
		return false
	}
	m.by[scope] = t
	return true
}

// tick takes what the clock says.
func (m *marks) tick(t watermark.Tick) (moved bool) {
	if !m.ticked {
		// What was guessed without a clock is forgotten.
		m.by = map[string]int64{}
		m.ticked, moved = true, true
	}
	shared, ok := t.Tenancies[""]
	for tenancy, at := range t.Tenancies {
		if ok {
			at = min(at, shared)
		}
		moved = m.raise(tenancy, int64(at)) || moved
	}
	moved = m.raise(scopeAll, int64(t.All)) || moved
	m.incomplete = t.Incomplete
	return moved
}

// meet takes the partitions behind the watermarks and says whether they are others than before.
func (m *marks) meet(known []watermark.ID) bool {
	if len(known) == 0 || slices.Equal(known, m.known) {
		return false
	}
	m.known = slices.Clone(known)
	return true
}

// silentSources names the partitions that time went on without.
func (m *marks) silentSources(scope string) []string {
	if scope != scopeAll {
		return union(m.incomplete[scope], m.incomplete[""])
	}
	var all []string
	for _, list := range m.incomplete {
		all = append(all, list...)
	}
	return union(all, nil)
}

func union(a, b []string) []string {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := append(append([]string(nil), a...), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// front follows the largest event times while there is no clock.
type front struct {
	mu sync.Mutex // guards all below
	by map[string]int64
	// doubted holds, by scope, an event so far ahead that it moves time only when a later batch is there as well.
	doubted map[string]int64
}

// saw takes the largest event time of a batch, by scope, and gives the marks that follow from it.
func (f *front) saw(newest map[string]int64, lateness, maxFuture time.Duration) map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by, f.doubted = map[string]int64{}, map[string]int64{}
	}
	out := make(map[string]int64, len(newest))
	for scope, t := range newest {
		have, ok := f.by[scope]
		limit := int64(window.MaxTime)
		if ok && maxFuture > 0 {
			limit = add(have, maxFuture.Milliseconds())
		}
		if t > limit {
			doubt, doubted := f.doubted[scope]
			f.doubted[scope] = t
			if !doubted {
				continue
			}
			t = min(t, doubt)
		} else {
			delete(f.doubted, scope)
		}
		if !ok || t > have {
			f.by[scope] = t
		}
		out[scope] = add(f.by[scope], -lateness.Milliseconds())
	}
	return out
}

// history knows since when rules of first_seen have watched, by plan and scope.
type history struct {
	mu    sync.Mutex // guards all below
	since map[string]int64
	dirty bool
}

func historyKey(p *plan, scope string) string { return p.key + "\x00" + scope }

func (h *history) saw(p *plan, scope string, t event.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := historyKey(p, scope)
	if have, ok := h.since[key]; !ok || int64(t) < have {
		h.since[key] = int64(t)
		h.dirty = true
	}
}

// learned says whether the rule has seen enough at t.
func (h *history) learned(p *plan, scope string, t int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	since, ok := h.since[historyKey(p, scope)]
	return ok && t >= add(since, p.firstSeen.learn)
}

// until gives the event time until which the rule learns, in the scope that began last.
func (h *history) until(p *plan) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	until := int64(window.MinTime)
	for key, since := range h.since {
		if strings.HasPrefix(key, historyKey(p, "")) {
			until = max(until, add(since, p.firstSeen.learn))
		}
	}
	if until == window.MinTime {
		return window.MaxTime
	}
	return until
}

// latest gives the mark that has come furthest.
func (m *marks) latest() int64 {
	latest := int64(window.MinTime)
	for _, t := range m.by {
		latest = max(latest, t)
	}
	return latest
}
