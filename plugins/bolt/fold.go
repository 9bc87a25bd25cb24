package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"

	bbolt "go.etcd.io/bbolt"
)

// write writes w, in the journal, or in the database where the journal has no room for it. Whoever calls it holds f.writing.
func (f *file) write(w write) error {
	if f.journal == nil {
		return f.fold(w)
	}
	if f.journal.file == nil {
		if err := f.renew(); err != nil {
			return err
		}
	}
	if len(w.items) > 0 {
		if !f.journal.fits(w.bound()) {
			return f.fold(w)
		}
		if err := f.journal.append(w.record(f.journal.id, f.journal.last+1)); err != nil {
			return err
		}
	}
	f.mu.Lock()
	f.pending.add(w)
	f.mu.Unlock()
	return nil
}

// renew replaces a journal that was given up. What it held is folded first, and nothing is written until there is another:
// the one on the disk may end with a write that has failed, which must not come behind later ones.
func (f *file) renew() error {
	return errors.Join(f.fold(write{}), f.journal.replace(f.journal.last))
}

// folding is what is to be written to a bucket of the database.
type folding struct {
	bucket string
	items  []pendingItem // in the order of their keys; the last of a key counts
	writes int           // in which they came
}

// fold moves what is pending into the database, and w with it, in one transaction; then the journal begins again.
// Whoever calls it holds f.writing. Where it fails all stays as it was.
func (f *file) fold(w write) error {
	now := f.now().UnixMilli()
	var t tie
	if f.journal != nil {
		t = f.journal.tie()
		if w.bucket != "" {
			t.size = f.journal.grown()
		}
	}
	err := f.update(func(tx *bbolt.Tx) error {
		for _, each := range f.pending.with(w) {
			if err := each.fold(tx, now); err != nil {
				return err
			}
		}
		if f.journal == nil {
			return nil
		}
		return t.save(tx)
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	clear(f.pending)
	f.mu.Unlock()
	if f.journal != nil {
		f.journal.size = t.size
		f.journal.restart()
	}
	return nil
}

// fold writes the items of a bucket, removes some of those that have expired, and keeps the total of what is stored.
func (c folding) fold(tx *bbolt.Tx, now int64) error {
	b := bucket{values: tx.Bucket(valuesOf(c.bucket)), expiry: tx.Bucket(expiryOf(c.bucket))}
	var err error
	if b.total, err = readTotal(tx, valuesOf(c.bucket)); err != nil {
		return err
	}
	for i, it := range c.items {
		if i+1 < len(c.items) && c.items[i+1].key == it.key {
			continue
		}
		if err := b.put(it); err != nil {
			return err
		}
	}
	if err := b.sweep(now, sweepLimit*c.writes); err != nil {
		return err
	}
	return b.total.save(tx, valuesOf(c.bucket))
}

// bucket is a bucket of the database in a transaction.
type bucket struct {
	values, expiry *bbolt.Bucket
	total          total
}

func (b *bucket) put(it pendingItem) error {
	key := []byte(it.key)
	had := int64(0)
	if stored := b.values.Get(key); stored != nil {
		old, err := readItem(key, stored)
		if err != nil {
			return err
		}
		b.total.take(old)
		had = old.expires
		if had <= it.expires && had >= it.expires-it.slack {
			it.expires = had
		}
	}
	if had != 0 && had != it.expires {
		if err := b.expiry.Delete(expiryKey(had, key)); err != nil {
			return err
		}
	}
	if it.value == nil {
		return b.values.Delete(key)
	}
	if it.expires != 0 && had != it.expires {
		if err := b.expiry.Put(expiryKey(it.expires, key), []byte{}); err != nil {
			return err
		}
	}
	fresh := item{key: key, value: it.value, expires: it.expires}
	b.total.add(fresh)
	return b.values.Put(key, fresh.encode())
}

// sweep removes a few of the items that have expired, oldest first.
func (b *bucket) sweep(now int64, limit int) error {
	var gone [][]byte
	cursor := b.expiry.Cursor()
	for k, _ := cursor.First(); k != nil && len(gone) < limit; k, _ = cursor.Next() {
		if len(k) <= expiryBytes || int64(binary.BigEndian.Uint64(k)) > now {
			break
		}
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		if err := b.expiry.Delete(k); err != nil {
			return err
		}
		key := k[expiryBytes:]
		stored := b.values.Get(key)
		if stored == nil {
			continue
		}
		old, err := readItem(key, stored)
		if err != nil {
			return err
		}
		// The item itself says when it expires: a row that a fault has changed takes nothing with it.
		if old.expires == 0 || old.expires > now {
			continue
		}
		b.total.take(old)
		if err := b.values.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// expiryBytes is the length of the time before the key in a row of the expiry bucket.
const expiryBytes = 8

func expiryKey(expires int64, key []byte) []byte {
	row := binary.BigEndian.AppendUint64(make([]byte, 0, expiryBytes+len(key)), uint64(expires))
	return append(row, key...)
}

func valuesOf(bucket string) []byte { return []byte("values/" + bucket) }
func expiryOf(bucket string) []byte { return []byte("expiry/" + bucket) }
