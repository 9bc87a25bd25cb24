package engine

import (
	"slices"
	"sync"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// batch is one call of Observe.
type batch struct {
	e        *Engine
	rules    *ruleset
	events   []*event.Event
	outcomes []Outcome
	evidence []*window.Evidence
	hashes   []uint32
	// nodes are the keys that the events name; byKey finds them by their sums.
	nodes []node
	byKey map[keySum]int32
	// works is what is done to each record, in the order in which the events name them.
	works   []work
	adds    []addition
	list    []wanted
	records []*record
	// drawings are what is done to the records of rules that have a pool; drawn those records.
	drawings []drawing
	drawn    []wanted
	nulls    map[string]int
	newest   map[string]int64
	// front is the scope of the last hit and its newest event, which newest has not been told of.
	front scopeFront
	// summed are the keys of the event at hand: rules that group by the same fields share them.
	summed []summed

	// fresh are the entries of the record at hand that count for the first time; repeats those that came again.
	fresh   []*window.Entry
	repeats []repeat
	// carried is what repeats carry from now on.
	carried []carrying
}

type scopeFront struct {
	scope string
	time  int64
	known bool
}

// node is a key: the records of all rules that share it.
type node struct {
	sum keySum
	// first and last are the ends of a list of works; cursor is the one that was found last.
	first, last, cursor int32
}

// placed says which record a hit belongs to.
type placed struct {
	id      recordID
	plan    *plan
	scope   string
	tenancy string
	key     []any
}

// work is what a batch does to one record.
type work struct {
	placed
	// first and last are the ends of a list of additions.
	first, last int32
	// next is the next work of the node; 0 where there is none.
	next int32
	// drawn says that a pool has the additions, too.
	drawn bool
}

// addition is one hit.
type addition struct {
	event    int32
	pattern  int32
	captures []any
	// next is the next addition to the same record; 0 where there is none.
	next int32
}

type repeat struct {
	event int32
	entry *window.Entry
}

// carrying says that an incident leaves with an event.
type carrying struct {
	entry *window.Entry
	slot  int64
}

// summed is a key whose node is known.
type summed struct {
	scope string
	null  int
	key   []any
	node  int32
}

var batches = sync.Pool{New: func() any {
	return &batch{byKey: map[keySum]int32{}, nulls: map[string]int{}, newest: map[string]int64{}}
}}

func newBatch(e *Engine, rules *ruleset, events []*event.Event) *batch {
	b := batches.Get().(*batch)
	b.e, b.rules, b.events, b.outcomes = e, rules, events, make([]Outcome, len(events))
	return b
}

// done gives the batch back, without what it knew.
func (b *batch) done() {
	clear(b.evidence)
	clear(b.works)
	clear(b.adds)
	clear(b.list)
	clear(b.records)
	clear(b.drawings[:cap(b.drawings)])
	clear(b.drawn[:cap(b.drawn)])
	clear(b.summed)
	clear(b.byKey)
	clear(b.nulls)
	clear(b.newest)
	clear(b.fresh[:cap(b.fresh)])
	clear(b.repeats[:cap(b.repeats)])
	clear(b.carried[:cap(b.carried)])
	*b = batch{
		evidence: b.evidence[:0], hashes: b.hashes[:0], nodes: b.nodes[:0], byKey: b.byKey, works: b.works[:0], adds: b.adds[:0],
		list: b.list[:0], records: b.records[:0], drawings: b.drawings[:0], drawn: b.drawn[:0], nulls: b.nulls, newest: b.newest, summed: b.summed[:0], fresh: b.fresh[:0], repeats: b.repeats[:0], carried: b.carried[:0],
	}
	batches.Put(b)
}

// take notes the hits of one event.
func (b *batch) take(i int, hits []match.Hit) {
	ev := b.events[i]
	b.summed = b.summed[:0]
	for h := range hits {
		hit := &hits[h]
		p := b.rules.units[hit.Rule]
		b.outcomes[i].Matched = true
		if hit.Null {
			p.eachRule(func(of *plan) { b.nulls[of.rule.ID]++ })
		}
		at, null, ok := p.place(hit, ev.Tenancy)
		if !ok {
			continue
		}
		b.saw(at.scope, int64(ev.Time))
		b.add(b.node(at.scope, at.key, null), at, addition{event: int32(i), pattern: int32(hit.Pattern), captures: hit.Captures})
	}
}

// saw takes notice of an event's time, by scope.
func (b *batch) saw(scope string, t int64) {
	f := &b.front
	if f.known && f.scope == scope {
		f.time = max(f.time, t)
		return
	}
	b.tell()
	*f = scopeFront{scope: scope, time: t, known: true}
}

func (b *batch) tell() {
	f := &b.front
	if !f.known {
		return
	}
	if t, ok := b.newest[f.scope]; !ok || f.time > t {
		b.newest[f.scope] = f.time
	}
	f.known = false
}

// node gives the node of a key.
func (b *batch) node(scope string, key []any, null int) int32 {
	for i := range b.summed {
		if s := &b.summed[i]; s.null == null && s.scope == scope && slices.Equal(s.key, key) {
			return s.node
		}
	}
	sum := sumOf(scope, key, null)
	n, known := b.byKey[sum]
	if !known {
		n = int32(len(b.nodes))
		b.byKey[sum] = n
		b.nodes = append(b.nodes, node{sum: sum, first: none, last: none, cursor: none})
	}
	b.summed = append(b.summed, summed{scope: scope, null: null, key: key, node: n})
	return n
}

// none is the number of no work.
const none = -1

// add puts an addition behind the others of its record. Events name the rules of a key in the same order,
// so the record is mostly the one behind that of the last addition.
func (b *batch) add(number int32, at placed, a addition) {
	n := int32(len(b.adds))
	b.adds = append(b.adds, a)
	to := &b.nodes[number]
	at.id = recordID{of: at.plan.state.number, sum: to.sum}
	if to.cursor != none {
		for w := b.works[to.cursor].next; w != none; w = b.works[w].next {
			if b.works[w].id.of == at.id.of {
				b.join(to, w, n)
				return
			}
		}
	}
	for w := to.first; w != none; w = b.works[w].next {
		if b.works[w].id.of == at.id.of {
			b.join(to, w, n)
			return
		}
		if w == to.cursor {
			break
		}
	}
	w := int32(len(b.works))
	b.works = append(b.works, work{placed: at, first: n, last: n, next: none})
	if to.last != none {
		b.works[to.last].next = w
	} else {
		to.first = w
	}
	to.last, to.cursor = w, w
}

func (b *batch) join(to *node, w, n int32) {
	b.adds[b.works[w].last].next = n
	b.works[w].last, to.cursor = n, w
}

// each calls f with the additions of a record, in the order of their events.
func (b *batch) each(w *work, f func(a *addition)) {
	for n := w.first; ; n = b.adds[n].next {
		f(&b.adds[n])
		if n == w.last {
			return
		}
	}
}

// place says which record a hit belongs to, but for the sum of its key, and which pattern it belongs to alone; ok is false where it belongs to none.
func (p *plan) place(hit *match.Hit, tenancy string) (at placed, null int, ok bool) {
	if hit.Null && len(p.patterns) > 1 {
		if p.alone&(1<<hit.Pattern) == 0 {
			return at, 0, false
		}
		null = hit.Pattern + 1
	}
	scope := p.scope(tenancy)
	if p.rule.Scope == rule.ScopeAll {
		tenancy = ""
	}
	return placed{plan: p, scope: scope, tenancy: tenancy, key: hit.Key}, null, true
}
