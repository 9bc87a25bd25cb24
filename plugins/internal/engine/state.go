package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"benthos-oci/plugins/internal/window"
)

// shardCount is how many locks the records are spread over.
const shardCount = 64

// shard owns a part of the records. Whoever needs several shards locks them in ascending order
// and holds them until what it changed is saved, so that an older version never overwrites a newer one.
type shard struct {
	mu      sync.Mutex
	records map[string]*record // guarded by mu
}

func shardOf(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return int(h.Sum32() % shardCount)
}

// recordID gives the key of the row of a rule, scope and key. A key with a null belongs to its pattern alone:
// across patterns null equals nothing.
func recordID(p *plan, scope string, key []any, nullPattern int) string {
	var c window.Encoder
	c.String(scope)
	c.Int(int64(nullPattern))
	c.Values(key)
	sum := sha256.Sum256(c.Body())
	return "record/" + p.key + "/" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// locked is a set of records whose shards are locked.
type locked struct {
	e      *Engine
	shards []int
	byID   map[string]*record
	// extra are rows to write beside the records: what was quarantined.
	extra []Change
}

// lock locks the shards of ids.
func (e *Engine) lock(ids []string) *locked {
	l := &locked{e: e, byID: make(map[string]*record, len(ids))}
	var used [shardCount]bool
	for _, id := range ids {
		used[shardOf(id)] = true
	}
	for i, u := range used {
		if u {
			l.shards = append(l.shards, i)
			e.shards[i].mu.Lock()
		}
	}
	return l
}

// lockAll locks every shard.
func (e *Engine) lockAll() *locked {
	l := &locked{e: e, byID: map[string]*record{}}
	for i := range e.shards {
		l.shards = append(l.shards, i)
		e.shards[i].mu.Lock()
	}
	return l
}

func (l *locked) unlock() {
	for _, i := range l.shards {
		l.e.shards[i].mu.Unlock()
	}
}

// load brings the records of ids into memory; those without a row stay absent. plans gives the plan of each id.
func (l *locked) load(ctx context.Context, ids []string, plans map[string]*plan) error {
	var missing []string
	for _, id := range ids {
		if r := l.e.shards[shardOf(id)].records[id]; r != nil {
			l.byID[id] = r
			continue
		}
		missing = append(missing, id)
	}
	if len(missing) == 0 || l.e.store == nil {
		return nil
	}
	rows, err := l.loadRows(ctx, missing)
	if err != nil {
		return err
	}
	var loaded []*record
	for i, id := range missing {
		if rows[i] == nil {
			continue
		}
		r, err := decodeRecord(plans[id], id, rows[i])
		if errors.Is(err, window.ErrVersion) {
			return err
		}
		if err != nil {
			l.quarantine(id, rows[i], err)
			r = newRecord(plans[id], id, "", nil)
			r.short, r.dirty = window.MaxTime, true
		}
		loaded = append(loaded, r)
	}
	if err := l.loadChunks(ctx, loaded); err != nil {
		return err
	}
	for _, r := range loaded {
		r.rebuild()
		l.put(r)
	}
	return nil
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
			keys = append(keys, chunkKey(r.id, row.number))
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
	l.byID[r.id] = r
	l.e.shards[shardOf(r.id)].records[r.id] = r
	l.e.memory.change(r)
}

// changes gives the rows of the records that changed: chunks before the records that name them.
func (l *locked) changes(ids []string) (writes, deletes []Change) {
	for _, id := range ids {
		r := l.byID[id]
		if r == nil || !r.dirty && !r.unsaved {
			continue
		}
		expires := timeOf(r.expires())
		r.chunks.renumber(r.unsaved)
		for _, row := range r.chunks.rows {
			if row.dirty || r.unsaved {
				row.written = true
				writes = append(writes, Change{Key: chunkKey(id, row.number), Value: r.encodeChunk(row), Expires: expires})
			}
		}
		writes = append(writes, Change{Key: id, Value: r.encode(), Expires: expires})
		for _, number := range r.chunks.gone {
			deletes = append(deletes, Change{Key: chunkKey(id, number)})
		}
	}
	return append(l.extra, writes...), deletes
}

// saved says that what changes gave is written; failed that it may not be.
func (l *locked) saved(ids []string) {
	for _, id := range ids {
		r := l.byID[id]
		if r == nil {
			continue
		}
		r.dirty, r.unsaved = false, false
		r.chunks.gone = nil
		for _, row := range r.chunks.rows {
			row.dirty = false
		}
		l.e.unsaved.Delete(id)
		l.e.memory.change(r)
	}
	l.extra = nil
}

func (l *locked) failed(ids []string) {
	for _, id := range ids {
		r := l.byID[id]
		if r == nil || !r.dirty && !r.unsaved {
			continue
		}
		r.unsaved = true
		// Its deadline may not be saved either: it is registered again with the next save.
		r.due = window.MaxTime
		l.e.unsaved.Store(id, r.plan)
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

// sortedIDs gives ids in order, each once.
func sortedIDs(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}
