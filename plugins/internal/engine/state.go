package engine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"benthos-oci/plugins/internal/window"
)

// shardCount is how many locks the records are spread over.
const shardCount = 64

// shard owns a part of the records. Whoever needs several shards locks them in ascending order
// and holds them until what it changed is saved, so that an older version never overwrites a newer one.
type shard struct {
	mu sync.Mutex
	// records has, by key, the first of its records: they are chained in the order of their rules. Guarded by mu.
	records map[keySum]*record
	// most is how many keys there were since the table was made. Guarded by mu.
	most int
	// shelves hold the records at rest, by the number of their rule's state; only where there is no store. Guarded by mu.
	shelves []*shelf
	buffer  []byte // guarded by mu
}

// find gives a record, or nil. near may be a record of the same key that comes before it.
func (s *shard) find(id recordID, near *record) *record {
	r := near
	if near == nil || near.id.sum != id.sum || near.id.of >= id.of {
		r = s.records[id.sum]
	}
	for r != nil && r.id.of < id.of {
		r = r.next
	}
	if r == nil || r.id.of != id.of {
		return nil
	}
	return r
}

// add takes a record in that is not there. near is as in find.
func (s *shard) add(r, near *record) {
	if near == nil || near.id.sum != r.id.sum || near.id.of >= r.id.of {
		first := s.records[r.id.sum]
		if first == nil || first.id.of > r.id.of {
			r.next = first
			s.records[r.id.sum] = r
			s.most = max(s.most, len(s.records))
			return
		}
		near = first
	}
	for near.next != nil && near.next.id.of < r.id.of {
		near = near.next
	}
	r.next, near.next = near.next, r
}

func (s *shard) remove(r *record) {
	first := s.records[r.id.sum]
	switch {
	case first != r:
		for first.next != r {
			first = first.next
		}
		first.next = r.next
	case r.next == nil:
		delete(s.records, r.id.sum)
	default:
		s.records[r.id.sum] = r.next
	}
	r.next = nil
}

// each calls f with all records; f may remove the one that it is given.
func (s *shard) each(f func(r *record)) {
	for _, r := range s.records {
		for r != nil {
			next := r.next
			f(r)
			r = next
		}
	}
}

// recordID names the state of one rule and key: by the number of the rule's state, and by scope and key.
type recordID struct {
	of  uint32
	sum keySum
}

// keySum stands for a scope and a key; it is the same for all rules that follow the same scope and group by the same fields.
type keySum [16]byte

func (id recordID) shard() int { return int(id.sum[0] % shardCount) }

func (id recordID) compare(other recordID) int {
	return cmp.Or(bytes.Compare(id.sum[:], other.sum[:]), cmp.Compare(id.of, other.of))
}

// sumOf gives the sum of a scope and key. A key with a null belongs to its pattern alone: across patterns null equals nothing.
func sumOf(scope string, key []any, nullPattern int) keySum {
	var c window.Encoder
	c.String(scope)
	c.Int(int64(nullPattern))
	c.Values(key)
	sum := sha256.Sum256(c.Body())
	return keySum(sum[:16])
}

// rowKey gives the key of a record's row.
func rowKey(planKey string, sum keySum) string {
	return "record/" + planKey + "/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// locked is a set of shards that are locked.
type locked struct {
	e *Engine
	// shards has a bit for each of them.
	shards uint64
	// near is the record that was added last.
	near *record
	// extra are rows to write beside the records: what was quarantined.
	extra []Change
}

// lock locks the shards of a mask.
func (e *Engine) lock(shards uint64) *locked {
	for i := range e.shards {
		if shards&(1<<i) != 0 {
			e.shards[i].mu.Lock()
		}
	}
	return &locked{e: e, shards: shards}
}

// allShards is the mask of every shard.
const allShards = 1<<shardCount - 1

func (l *locked) unlock() {
	for i := range l.e.shards {
		if l.shards&(1<<i) != 0 {
			l.e.shards[i].mu.Unlock()
		}
	}
}

// wanted is a record that is to be brought into memory.
type wanted struct {
	id   recordID
	plan *plan
	// work is the number of what a batch does to it.
	work int32
	// record is what was found; nil where there is none.
	record *record
}

// load brings records into memory; those without a row stay absent.
func (l *locked) load(ctx context.Context, list []wanted) error {
	var missing, behind []*wanted
	var near *record
	for i := range list {
		w := &list[i]
		l.find(w, near)
		switch {
		case w.record != nil:
			if near = w.record; near.asks && !w.plan.shared() {
				behind = append(behind, w)
			}
		case l.e.store != nil:
			missing = append(missing, w)
		}
	}
	if len(missing)+len(behind) == 0 {
		return nil
	}
	if err := l.fetch(ctx, missing); err != nil {
		return err
	}
	return l.kin(ctx, append(missing, behind...))
}

func (l *locked) loadRows(ctx context.Context, keys []string) ([][]byte, error) {
	rows, err := l.e.store.Load(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("loading %d rows of state: %w", len(keys), err)
	}
	if len(rows) != len(keys) {
		return nil, fmt.Errorf("loading %d rows of state: the store gave %d", len(keys), len(rows))
	}
	return rows, nil
}

func (l *locked) loadChunks(ctx context.Context, records []*record) error {
	var keys []string
	for _, r := range records {
		for _, row := range r.chunks.rows {
			keys = append(keys, r.chunkKey(row.number))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	values, err := l.loadRows(ctx, keys)
	if err != nil {
		return err
	}
	i := 0
	for _, r := range records {
		for _, row := range r.chunks.rows {
			err := r.readChunk(row, values[i])
			if errors.Is(err, window.ErrVersion) {
				return err
			}
			if err != nil {
				l.quarantine(keys[i], values[i], err)
				r.short, r.dirty = window.MaxTime, true
			}
			i++
		}
	}
	return nil
}

// quarantine sets a row aside that cannot be read, and says so.
func (l *locked) quarantine(key string, value []byte, cause error) {
	if value != nil {
		l.extra = append(l.extra, Change{Key: "quarantine/" + key, Value: value, Expires: timeOf(window.MaxTime)})
	}
	l.e.metrics.Quarantined(key, cause)
}

// put takes a record into memory.
func (l *locked) put(r *record) {
	l.e.shards[r.id.shard()].add(r, l.near)
	l.near = r
	l.e.memory.change(r)
}

// changes gives the rows of the records that changed: chunks before the records that name them.
func (l *locked) changes(records []*record) (writes, deletes []Change) {
	var c window.Encoder
	for _, r := range records {
		if r == nil || !r.dirty && !r.unsaved {
			continue
		}
		expires := timeOf(r.expires())
		r.chunks.renumber(r.unsaved)
		for _, row := range r.chunks.rows {
			if row.dirty || r.unsaved {
				row.written = true
				writes = append(writes, Change{Key: r.chunkKey(row.number), Value: r.encodeChunk(&c, row), Expires: expires})
			}
		}
		writes = append(writes, Change{Key: r.row(), Value: r.encode(&c), Expires: expires})
		for _, number := range r.chunks.gone {
			deletes = append(deletes, Change{Key: r.chunkKey(number)})
		}
	}
	return append(l.extra, writes...), deletes
}

// saved says that what changes gave is written; failed that it may not be.
func (l *locked) saved(records []*record) {
	for _, r := range records {
		if r == nil {
			continue
		}
		r.dirty = false
		if r.unsaved {
			r.unsaved = false
			l.e.unsaved.Delete(r.id)
		}
		r.chunks.gone = nil
		for _, row := range r.chunks.rows {
			row.dirty = false
		}
		l.e.memory.change(r)
	}
	l.extra = nil
}

func (l *locked) failed(records []*record) {
	for _, r := range records {
		if r == nil || !r.dirty && !r.unsaved {
			continue
		}
		r.unsaved = true
		// Its deadline may not be saved either: it is registered again with the next save.
		r.due = window.MaxTime
		l.e.unsaved.Store(r.id, r.plan)
		l.e.memory.change(r)
	}
}

// expires gives the event time after which the record has no meaning.
func (r *record) expires() int64 {
	t := int64(window.MinTime)
	if list := r.series.All(); len(list) > 0 {
		t = add(list[len(list)-1].Time, r.plan.horizon)
	}
	for _, s := range r.slots {
		t = max(t, add(r.closes(s), r.plan.horizon))
	}
	t = add(t, r.plan.lag)
	if r.due != window.MaxTime {
		t = max(t, r.due)
	}
	return t
}
