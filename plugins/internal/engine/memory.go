package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

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

// rests takes notice of records that began to rest, or ended to.
func (m *memory) rests(state *ruleState, records int64, bytes int) {
	m.records.Add(records)
	m.total.Add(int64(bytes))
	state.bytes.Add(int64(bytes))
}

// The archive of evidence takes a part of the memory that there is.
const (
	archivePart    = 16
	archiveDefault = 64 << 20
)

func archiveBytes(maxMemory int64) int64 {
	if maxMemory <= 0 {
		return archiveDefault
	}
	return maxMemory / archivePart
}

// bytes is all that state takes in memory.
func (e *Engine) bytes() int64 {
	if e.archive == nil {
		return e.memory.total.Load()
	}
	return e.memory.total.Load() + e.archive.Bytes()
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
	if e.store == nil {
		e.layOver(over)
	}
	for _, state := range over {
		e.evictRule(state)
	}
}

// overQuota gives the states that take more than their share while all together take more than there is; largest first.
func (e *Engine) overQuota() []*ruleState {
	if e.bytes() <= e.opt.MaxMemory {
		return nil
	}
	type use struct {
		of    *ruleState
		bytes int64
	}
	var over []use
	for _, s := range e.states.all() {
		if n := s.bytes.Load(); n > e.quota(s) {
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

// quota is the share of one rule, or of those that share a pool, in the memory that the archive leaves.
func (e *Engine) quota(state *ruleState) int64 {
	room := e.opt.MaxMemory
	if e.archive != nil {
		room -= e.archive.Bytes()
	}
	rules := e.rules.Load()
	share := 1
	if p := rules.byState[state.number]; p != nil {
		share = max(len(p.members), 1)
	}
	return room / int64(max(rules.shares, 1)) * int64(share)
}

// spared is what a rule over its quota keeps: a tenth less, so that not each batch has to make room.
func (e *Engine) spared(state *ruleState) int64 {
	quota := e.quota(state)
	return quota - quota/10
}

// evictRule drops records of one rule until it keeps to its share or everything fits, with a tenth to spare.
func (e *Engine) evictRule(state *ruleState) {
	if !e.crowded(state) {
		return
	}
	dropped := 0
	drop := func(v *victim) bool {
		if !e.crowded(state) {
			return false
		}
		if e.store == nil {
			state.lose(v.touched)
		}
		dropped++
		return true
	}
	limit, exact := e.choose(state)
	if exact != nil {
		for i := range exact {
			if v := &exact[i]; e.crowded(state) {
				e.dropOne(state, v.id, drop)
			}
		}
	} else {
		e.eachVictim(state, 0, shardCount, func(v *victim) bool { return compareWorth(v, &limit) <= 0 && drop(v) })
	}
	if dropped == 0 {
		return
	}
	if p := e.rules.Load().byState[state.number]; p != nil {
		p.eachRule(func(of *plan) { e.metrics.Evicted(of.rule.ID, dropped, e.store == nil) })
		return
	}
	e.metrics.Evicted(state.key[:keyRule(state.key)], dropped, e.store == nil)
}

// layOver makes records of these rules rest until everything fits, with a tenth to spare. It goes on where it stopped before.
func (e *Engine) layOver(over []*ruleState) {
	wanted := map[uint32]bool{}
	for _, state := range over {
		wanted[state.number] = true
	}
	for range shardCount {
		if e.bytes() <= e.opt.MaxMemory-e.opt.MaxMemory/10 {
			return
		}
		s := &e.shards[e.laid%shardCount] // guarded by evicting
		e.laid++
		s.mu.Lock()
		e.layShard(s, wanted)
		s.mu.Unlock()
	}
}

// layShard makes all records of these rules in a shard rest that can. The caller holds the shard.
func (e *Engine) layShard(s *shard, wanted map[uint32]bool) {
	s.each(func(r *record) {
		if wanted[r.id.of] && r.rests() {
			e.lay(r)
		}
	})
	s.shrink()
}

// sampled is how many records are looked at to choose whom to drop. Where there are more, those of a few shards stand for all:
// sorting millions would take more memory than dropping them gives.
const sampled = 1 << 16

// choose gives the records of a rule, those that matter least first; or where there are too many, what is to be dropped up to.
func (e *Engine) choose(state *ruleState) (limit victim, exact []victim) {
	shards := shardCount
	if few := e.memory.records.Load() / sampled; few > 0 {
		shards = int(max(shardCount/(few+1), 1)) // keys are spread evenly
	}
	var list []victim
	e.eachVictim(state, 0, shards, func(v *victim) bool {
		list = append(list, *v)
		return false
	})
	slices.SortFunc(list, compareVictims)
	if shards == shardCount || len(list) == 0 {
		return limit, list
	}
	have := state.bytes.Load()
	wanted := min(e.bytes()-(e.opt.MaxMemory-e.opt.MaxMemory/10), have-e.spared(state))
	// A little more than what is wanted: those at hand when it is reached stay.
	at := int(1.1*float64(len(list))*float64(wanted)/float64(have)) + 1
	return list[min(max(at, 0), len(list)-1)], nil
}

// eachVictim calls f with all records of a rule in these shards that could leave memory, and drops those that f wants to be rid of.
func (e *Engine) eachVictim(state *ruleState, from, to int, f func(v *victim) (drop bool)) {
	for i := from; i < to; i++ {
		s := &e.shards[i]
		s.mu.Lock()
		s.each(func(r *record) {
			if r.id.of == state.number && (e.store == nil || r.rests()) && f(victimOf(r)) {
				s.remove(r)
				e.memory.drop(r)
			}
		})
		e.clear(s, state, func(sum keySum, at resting) bool {
			return f(&victim{id: recordID{of: state.number, sum: sum}, incident: at.incident, entries: at.entries, touched: at.touched})
		})
		s.shrink()
		s.mu.Unlock()
	}
}

func victimOf(r *record) *victim {
	return &victim{id: r.id, incident: len(r.slots) > 0, entries: r.series.Len(), touched: r.touched}
}

// dropOne drops a record if it is still there and f wants to be rid of it.
func (e *Engine) dropOne(state *ruleState, id recordID, f func(v *victim) bool) {
	s := &e.shards[id.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.find(id, nil); r != nil {
		if (e.store == nil || r.rests()) && f(victimOf(r)) {
			s.remove(r)
			e.memory.drop(r)
		}
		return
	}
	if int(id.of) >= len(s.shelves) || s.shelves[id.of] == nil {
		return
	}
	at := s.shelves[id.of]
	body, ok := at.look(id.sum)
	if !ok {
		return
	}
	head := readResting(window.NewCompactDecoder(body, e.archive))
	if f(&victim{id: id, incident: head.incident, entries: head.entries, touched: head.touched}) {
		e.memory.rests(state, -1, -len(body)-shelfItem)
		at.take(id.sum)
	}
}

// compareWorth orders the records of one rule by how much they matter: those with an incident, then by progress and time.
func compareWorth(a, b *victim) int {
	if a.incident != b.incident {
		if b.incident {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.entries, b.entries), cmp.Compare(a.touched, b.touched))
}

func compareVictims(a, b victim) int { return cmp.Or(compareWorth(&a, &b), a.id.compare(b.id)) }

// crowded says whether a rule must give more room.
func (e *Engine) crowded(state *ruleState) bool {
	return e.bytes() > e.opt.MaxMemory-e.opt.MaxMemory/10 && state.bytes.Load() > e.spared(state)
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

// sweep drops the records of the next n shards that can matter no more. Of the others, those that nothing has touched since
// the last sweep, or that time has passed, go where they belong: with a store they are in it, else they rest.
// The caller holds the clock for reading.
func (e *Engine) sweep(n int64) {
	for range n {
		s := &e.shards[e.swept.Add(1)%shardCount]
		if !s.mu.TryLock() {
			continue
		}
		e.sweepShard(s)
		s.mu.Unlock()
	}
}

func (e *Engine) sweepShard(s *shard) {
	var last string // the scope of the record before, which is mostly that of the next one
	mark, known := int64(0), false
	s.each(func(r *record) {
		if scope := r.plan.scope(r.tenancy); !known || scope != last {
			last, mark, known = scope, e.marks.at(scope), true
		}
		switch {
		case r.over(mark, e.opt.Emit) || e.store != nil && r.cold(mark):
			s.remove(r)
			e.memory.drop(r)
		case e.store == nil && r.rests() && (r.idle || r.touched < mark):
			e.lay(r)
		default:
			r.idle = true
		}
	})
	s.shrink()
	rules := e.rules.Load()
	for number, at := range s.shelves {
		if at == nil {
			continue
		}
		at.tidy()
		p := rules.byState[uint32(number)]
		if p == nil || at.due > e.marks.latest() {
			continue
		}
		var marks []int64 // by the number of the tenancy
		for _, tenancy := range p.state.tenants() {
			marks = append(marks, e.marks.at(p.scope(tenancy)))
		}
		e.clear(s, p.state, func(_ keySum, head resting) bool {
			return head.tenancy < uint64(len(marks)) && head.expires <= marks[head.tenancy]
		})
	}
}

// shrink gives back what the table of records took when there were many more: a map never does so by itself.
func (s *shard) shrink() {
	if s.most < 64 || 4*len(s.records) > s.most {
		return
	}
	small := make(map[keySum]*record, len(s.records))
	maps.Copy(small, s.records)
	s.records, s.most = small, len(small)
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
