package engine

import (
	"cmp"
	"slices"
	"sync/atomic"

	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// Estimates of what things take in memory, in bytes.
const (
	recordBytes = 600
	slotBytes   = 400
	// evidenceBytes stands for all evidence: what it takes is not known before it is encoded.
	evidenceBytes = 600
)

func entryBytes(e *window.Entry) int64 {
	n := 240 + int64(len(e.ID))
	for _, list := range e.Values {
		n += 24
		for _, v := range list {
			n += valueBytes(v)
		}
	}
	if e.Evidence != nil {
		n += evidenceBytes
	}
	return n
}

func valueBytes(v any) int64 {
	switch v := v.(type) {
	case string:
		return 32 + int64(len(v))
	case []any:
		n := int64(40)
		for _, each := range v {
			n += valueBytes(each)
		}
		return n
	case map[string]any:
		n := int64(64)
		for k, each := range v {
			n += 32 + int64(len(k)) + valueBytes(each)
		}
		return n
	}
	return 24
}

// memory counts what the records take.
type memory struct{ total, records atomic.Int64 }

// change takes notice of a record's size. The caller holds its shard.
func (m *memory) change(r *record) {
	if r.counted == 0 {
		m.records.Add(1)
	}
	if more := r.bytes - r.counted; more != 0 {
		m.total.Add(more)
		r.plan.state.bytes.Add(more)
		r.counted = r.bytes
	}
}

func (m *memory) drop(r *record) {
	m.records.Add(-1)
	m.total.Add(-r.counted)
	r.plan.state.bytes.Add(-r.counted)
}

// lose takes notice that events until t left memory, and that no store has them.
func (s *ruleState) lose(t int64) {
	for have := s.lost.Load(); t > have && !s.lost.CompareAndSwap(have, t); {
		have = s.lost.Load()
	}
}

// victim is a record that could leave memory.
type victim struct {
	id       recordID
	severity int
	incident bool
	entries  int
	touched  int64
}

// evict makes room: from the rules that take more than their share, first what matters least.
// With a store a record that left memory is loaded again when it is touched.
func (e *Engine) evict() {
	if e.opt.MaxMemory <= 0 {
		return
	}
	e.evicting.Lock()
	defer e.evicting.Unlock()
	over := e.overQuota()
	if len(over) == 0 {
		return
	}
	for _, state := range over {
		e.evictRule(state)
	}
}

// overQuota gives the states that take more than their share while all together take more than there is; largest first.
func (e *Engine) overQuota() []*ruleState {
	if e.memory.total.Load() <= e.opt.MaxMemory {
		return nil
	}
	quota := e.quota()
	type use struct {
		of    *ruleState
		bytes int64
	}
	var over []use
	for _, s := range e.states.all() {
		if n := s.bytes.Load(); n > quota {
			over = append(over, use{of: s, bytes: n})
		}
	}
	slices.SortFunc(over, func(a, b use) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.of.key, b.of.key))
	})
	list := make([]*ruleState, len(over))
	for i := range over {
		list[i] = over[i].of
	}
	return list
}

func (e *Engine) quota() int64 {
	return e.opt.MaxMemory / int64(max(len(e.rules.Load().plans), 1))
}

// evictRule drops records of one rule until it keeps to its share or everything fits, with a tenth to spare.
func (e *Engine) evictRule(state *ruleState) {
	var victims []victim
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		for id, r := range s.records {
			if id.of == state.number && (e.store == nil || !r.dirty && !r.unsaved) {
				victims = append(victims, victim{
					id: id, severity: severityRank(r.plan.rule.Severity), incident: len(r.slots) > 0,
					entries: r.series.Len(), touched: r.touched,
				})
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(victims, compareVictims)
	dropped := 0
	for _, v := range victims {
		if !e.crowded(state) {
			break
		}
		s := &e.shards[v.id.shard()]
		s.mu.Lock()
		r := s.records[v.id]
		if r != nil && (e.store == nil || !r.dirty && !r.unsaved) {
			delete(s.records, v.id)
			e.memory.drop(r)
			if e.store == nil {
				state.lose(r.touched)
			}
			dropped++
		}
		s.mu.Unlock()
	}
	if dropped > 0 {
		e.metrics.Evicted(state.key[:keyRule(state.key)], dropped, e.store == nil)
	}
}

func compareVictims(a, b victim) int {
	if a.incident != b.incident {
		if b.incident {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.severity, b.severity), cmp.Compare(a.entries, b.entries), cmp.Compare(a.touched, b.touched), a.id.compare(b.id))
}

// crowded says whether a rule must give more room.
func (e *Engine) crowded(state *ruleState) bool {
	return e.memory.total.Load() > e.opt.MaxMemory-e.opt.MaxMemory/10 && state.bytes.Load() > e.quota()
}

func severityRank(s rule.Severity) int {
	return slices.Index([]rule.Severity{
		rule.SeverityInformational, rule.SeverityLow, rule.SeverityMedium, rule.SeverityHigh, rule.SeverityCritical,
	}, s)
}

// keyRule gives the length of the rule's id in the key of its plan.
func keyRule(key string) int {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '/' {
			return i
		}
	}
	return len(key)
}

// sweep drops the records of the next n shards that can matter no more, and those that are in the store and rest there.
// The caller holds the clock for reading.
func (e *Engine) sweep(n int64) {
	for range n {
		s := &e.shards[e.swept.Add(1)%shardCount]
		if !s.mu.TryLock() {
			continue
		}
		for id, r := range s.records {
			mark := e.marks.at(r.plan.scope(r.tenancy))
			if r.over(mark, e.opt.Emit) || e.store != nil && r.cold(mark) {
				delete(s.records, id)
				e.memory.drop(r)
			}
		}
		s.mu.Unlock()
	}
}

// cold says whether all that the record has is in the store and nothing of late has touched it: the store is where it belongs then.
func (r *record) cold(mark int64) bool {
	return !r.dirty && !r.unsaved && r.touched < mark
}

// over says whether nothing in the record can matter any more once time stands at mark.
func (r *record) over(mark int64, emit EmitOptions) bool {
	if r.dirty || r.unsaved || r.due != window.MaxTime || r.expires() > mark {
		return false
	}
	for _, s := range r.slots {
		if s.owes(emit) {
			return false
		}
	}
	return true
}

// owes says whether the slot still owes a message.
func (s *slot) owes(emit EmitOptions) bool {
	return s.created && (emit.Close && s.open() || emit.Update && s.sent != s.total)
}
