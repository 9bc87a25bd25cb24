package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	bbolt "go.etcd.io/bbolt"
)

// ErrDamaged says that what is stored is not what was written.
var ErrDamaged = errors.New("the file is damaged")

// A stored item is the time when it expires (milliseconds since 1970, big endian, 0 for never),
// the CRC-32C of its key, that time and its value, and its value.
const (
	sumAt  = 8
	header = sumAt + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type item struct {
	key, value []byte
	expires    int64
}

func (it item) sum() uint32 {
	var expires [sumAt]byte
	binary.BigEndian.PutUint64(expires[:], uint64(it.expires))
	sum := crc32.Update(0, castagnoli, it.key)
	sum = crc32.Update(sum, castagnoli, expires[:])
	return crc32.Update(sum, castagnoli, it.value)
}

func (it item) encode() []byte {
	stored := make([]byte, 0, header+len(it.value))
	stored = binary.BigEndian.AppendUint64(stored, uint64(it.expires))
	stored = binary.BigEndian.AppendUint32(stored, it.sum())
	return append(stored, it.value...)
}

// readItem reads a stored item; its value is a part of what is stored.
func readItem(key, stored []byte) (item, error) {
	if len(stored) < header {
		return item{}, fmt.Errorf("%w: the item %q is cut short", ErrDamaged, key)
	}
	it := item{key: key, value: stored[header:], expires: int64(binary.BigEndian.Uint64(stored))}
	if binary.BigEndian.Uint32(stored[sumAt:]) != it.sum() {
		return item{}, fmt.Errorf("%w: the item %q is not what was written", ErrDamaged, key)
	}
	return it, nil
}

// total is what all items of a bucket come to, so that one which is not there any more is missed.
type total struct {
	items int64
	sum   uint64 // of the items' sums
}

func (n *total) add(it item)  { n.items, n.sum = n.items+1, n.sum+uint64(it.sum()) }
func (n *total) take(it item) { n.items, n.sum = n.items-1, n.sum-uint64(it.sum()) }

const totalBytes = 16

// save writes the total of a bucket beside the format of the file.
func (n total) save(tx *bbolt.Tx, bucket []byte) error {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, totalBytes), uint64(n.items))
	return tx.Bucket([]byte(metaBucket)).Put(bucket, binary.BigEndian.AppendUint64(b, n.sum))
}

func readTotal(tx *bbolt.Tx, bucket []byte) (total, error) {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil {
		return total{}, fmt.Errorf("%w: it does not say what it is any more", ErrDamaged)
	}
	b := meta.Get(bucket)
	if len(b) != totalBytes {
		return total{}, fmt.Errorf("%w: it does not say what %s holds", ErrDamaged, bucket)
	}
	return total{items: int64(binary.BigEndian.Uint64(b)), sum: binary.BigEndian.Uint64(b[8:])}, nil
}

// verify reads everything that is stored: each item is what was written, is found by its key, and none is missing.
func (s *Store) verify(tx *bbolt.Tx) error {
	err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if !bytes.HasPrefix(name, []byte("values/")) && !bytes.HasPrefix(name, []byte("expiry/")) && string(name) != metaBucket {
			return fmt.Errorf("%w: it holds %.40q", ErrDamaged, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	want, err := readTotal(tx, s.values)
	if err != nil {
		return err
	}
	values := tx.Bucket(s.values)
	if values == nil || tx.Bucket(s.expiry) == nil {
		return fmt.Errorf("%w: %s is not there any more", ErrDamaged, s.values)
	}
	var have total
	expiring := 0
	err = values.ForEach(func(key, stored []byte) error {
		if s.watch.stop.Load() {
			return errStopped
		}
		it, err := readItem(key, stored)
		if err != nil {
			return err
		}
		if !bytes.Equal(values.Get(key), stored) {
			return fmt.Errorf("%w: the item %q is not found by its key", ErrDamaged, key)
		}
		if it.expires != 0 {
			expiring++
		}
		have.add(it)
		return nil
	})
	if err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("%w: it holds %d items, and %d were written", ErrDamaged, have.items, want.items)
	}
	err = tx.Bucket(s.expiry).ForEach(func(row, _ []byte) error {
		if s.watch.stop.Load() {
			return errStopped
		}
		if len(row) <= expiryBytes || len(row) > expiryBytes+bbolt.MaxKeySize {
			return fmt.Errorf("%w: a time of expiry cannot be", ErrDamaged)
		}
		stored := values.Get(row[expiryBytes:])
		if len(stored) < header || !bytes.Equal(stored[:expiryBytes], row[:expiryBytes]) {
			return fmt.Errorf("%w: %q does not expire when it says", ErrDamaged, row[expiryBytes:])
		}
		expiring--
		return nil
	})
	if err != nil {
		return err
	}
	if expiring != 0 {
		return fmt.Errorf("%w: %d times of expiry are not there any more", ErrDamaged, expiring)
	}
	return nil
}
