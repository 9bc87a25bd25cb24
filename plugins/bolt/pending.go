package bolt

import (
	"cmp"
	"maps"
	"slices"
)

// pending is what is in the journal and not in the database, by bucket.
type pending map[string]*pendingBucket

type pendingBucket struct {
	items  map[string]pendingItem // the last of each key
	writes int
}

func (p pending) add(w write) {
	b := p[w.bucket]
	if b == nil {
		b = &pendingBucket{items: make(map[string]pendingItem, len(w.items))}
		p[w.bucket] = b
	}
	b.writes++
	for _, it := range w.items {
		b.items[it.key] = it
	}
}

// get gives the item of a key, one that deletes it included; false where the database has the last word.
func (p pending) get(bucket, key string) (it pendingItem, ok bool) {
	if b := p[bucket]; b != nil {
		it, ok = b.items[key]
	}
	return it, ok
}

// with gives what is to be written to the database: all that is pending, and one write more.
func (p pending) with(w write) []folding {
	var all []folding
	for _, bucket := range slices.Sorted(maps.Keys(p)) {
		b := p[bucket]
		all = append(all, folding{bucket: bucket, items: sorted(slices.Collect(maps.Values(b.items))), writes: b.writes})
	}
	if w.bucket == "" {
		return all
	}
	last := folding{bucket: w.bucket, items: sorted(slices.Clone(w.items)), writes: 1}
	return append(all, last)
}

// sorted puts items in the order of their keys, so that each page is found and split once. Those of one key stay in their order.
func sorted(items []pendingItem) []pendingItem {
	slices.SortStableFunc(items, func(a, b pendingItem) int { return cmp.Compare(a.key, b.key) })
	return items
}

// read gives the value, or nil where the item deletes it or has expired.
func (it pendingItem) read(now int64) []byte {
	if it.value == nil || it.expires != 0 && it.expires <= now {
		return nil
	}
	return append([]byte{}, it.value...)
}
