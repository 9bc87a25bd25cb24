package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Store is a set of items in a file. Its methods are safe for concurrent use.
type Store struct {
	file   *file
	values []byte // names of the buckets
	expiry []byte

	closing sync.Once
	closed  error

	whole int64 // the size from which a file is read while it is used
	watch watch
}

// Item is one key to write: a nil Value deletes it; a TTL of 0 keeps it for ever.
type Item struct {
	Key   string
	Value []byte
	TTL   time.Duration
	// Slack is how much later the item may expire: one that is written often then keeps the time that it has.
	Slack time.Duration
}

// Options say what to open.
type Options struct {
	Path   string
	Bucket string
	// NoSync leaves it to the system when writes reach the disk.
	NoSync bool
	// Temporary opens an empty store that is gone when it is closed; Path is not touched.
	Temporary bool
	// Now is the wall time for TTLs; nil means time.Now.
	Now func() time.Time

	whole int64 // wholeBytes where it is 0
}

// ErrFormat says that a file was written by another version of this program, or by another program.
var ErrFormat = errors.New("the file is not a state store of this version")

const (
	format     = 2
	metaBucket = "benthos-oci"
	// sweepLimit bounds the expired items that one write removes on its way.
	sweepLimit = 64
)

// Open opens the store, waiting at most a second for another process to let go of the file.
// Stores of one process with the same path share one handle; each must be closed.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	f, err := openFile(o)
	if err != nil {
		return nil, err
	}
	s := &Store{file: f, values: []byte("values/" + o.Bucket), expiry: []byte("expiry/" + o.Bucket), whole: cmp.Or(o.whole, wholeBytes)}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", o.Path, explain(f.path, err)), f.release())
	}
	return s, nil
}

// prepare makes the buckets. Where they exist it writes nothing, and reads everything: a state that is not what was written must not be used.
// A large file is read while it is used.
func (s *Store) prepare() error {
	ready := false
	err := s.file.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil {
			return nil
		}
		if v := meta.Get([]byte("format")); len(v) != 1 || v[0] != format {
			return fmt.Errorf("%w: its format is %v, this one reads %d", ErrFormat, v, format)
		}
		known := meta.Get(s.values) != nil
		if !known && tx.Bucket(s.values) == nil {
			return nil
		}
		ready = true
		if s.tooLarge() {
			return nil
		}
		return s.verify(tx)
	})
	if err == nil && ready && s.tooLarge() {
		s.verifyMeanwhile()
	}
	if err != nil || ready {
		return err
	}
	return s.file.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%w: it holds %q", ErrFormat, name)
			}
			created, err := tx.CreateBucket([]byte(metaBucket))
			if err != nil {
				return err
			}
			meta = created
		}
		if err := meta.Put([]byte("format"), []byte{format}); err != nil {
			return err
		}
		for _, name := range [][]byte{s.values, s.expiry} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return total{}.save(tx, s.values)
	})
}

// Load gives the values of keys, aligned with them; nil where there is none or it has expired.
// An empty value is not nil.
func (s *Store) Load(keys []string) ([][]byte, error) {
	if err := s.found(); err != nil {
		return nil, fmt.Errorf("loading from %s: %w", s.file.path, err)
	}
	found := make([][]byte, len(keys))
	now := s.file.now().UnixMilli()
	err := s.file.view(func(tx *bbolt.Tx) error {
		values := tx.Bucket(s.values)
		for i, key := range keys {
			if key == "" {
				return bolterrors.ErrKeyRequired
			}
			var err error
			if found[i], err = alive([]byte(key), values.Get([]byte(key)), now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading from %s: %w", s.file.path, err)
	}
	return found, nil
}

// alive copies the value out of a stored item: nil where it is absent or has expired.
func alive(key, stored []byte, now int64) ([]byte, error) {
	if stored == nil {
		return nil, nil
	}
	it, err := readItem(key, stored)
	if err != nil || it.expires != 0 && it.expires <= now {
		return nil, err
	}
	return append([]byte{}, it.value...), nil
}

// Save writes all items in one transaction, or none.
func (s *Store) Save(items []Item) error {
	now := s.file.now().UnixMilli()
	// In the order of the keys, so that each page is found and split once. Of one key the last item counts.
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	err := s.update(func(tx *bbolt.Tx, sum *total) error {
		for _, it := range items {
			if err := s.put(tx, sum, it, now); err != nil {
				return fmt.Errorf("key %q: %w", it.Key, err)
			}
		}
		return s.sweep(tx, sum, now)
	})
	if err != nil {
		return fmt.Errorf("saving to %s: %w", s.file.path, err)
	}
	return nil
}

// Add writes the item unless its key has a value; added is false where it has.
func (s *Store) Add(it Item) (added bool, err error) {
	now := s.file.now().UnixMilli()
	err = s.update(func(tx *bbolt.Tx, sum *total) error {
		have, err := alive([]byte(it.Key), tx.Bucket(s.values).Get([]byte(it.Key)), now)
		if err != nil || have != nil {
			return err
		}
		added = true
		return s.put(tx, sum, it, now)
	})
	if err != nil {
		return false, fmt.Errorf("saving to %s: key %q: %w", s.file.path, it.Key, err)
	}
	return added, nil
}

// update runs fn in a transaction, and keeps the total of what is stored beside it.
func (s *Store) update(fn func(*bbolt.Tx, *total) error) error {
	if err := s.found(); err != nil {
		return err
	}
	return s.file.update(func(tx *bbolt.Tx) error {
		sum, err := readTotal(tx, s.values)
		if err != nil {
			return err
		}
		if err := fn(tx, &sum); err != nil {
			return err
		}
		return sum.save(tx, s.values)
	})
}

func (s *Store) put(tx *bbolt.Tx, sum *total, it Item, now int64) error {
	values, expiry := tx.Bucket(s.values), tx.Bucket(s.expiry)
	key := []byte(it.Key)
	if len(key) == 0 {
		return bolterrors.ErrKeyRequired
	}
	had := int64(0)
	if stored := values.Get(key); stored != nil {
		old, err := readItem(key, stored)
		if err != nil {
			return err
		}
		sum.take(old)
		had = old.expires
	}
	fresh := item{key: key, value: it.Value, expires: it.expires(now, had)}
	if it.Value == nil {
		fresh.expires = 0
	}
	if had != 0 && had != fresh.expires {
		if err := expiry.Delete(expiryKey(had, key)); err != nil {
			return err
		}
	}
	if it.Value == nil {
		return values.Delete(key)
	}
	if fresh.expires != 0 && had != fresh.expires {
		if err := expiry.Put(expiryKey(fresh.expires, key), []byte{}); err != nil {
			return err
		}
	}
	sum.add(fresh)
	return values.Put(key, fresh.encode())
}

// expires gives when the item expires, in milliseconds since 1970; had is when what it replaces does, and 0 is never.
func (it Item) expires(now, had int64) int64 {
	if it.TTL == 0 {
		return 0
	}
	// An expiry before 1970 or at its first instant cannot be told from "never".
	least := max(1, now+it.TTL.Milliseconds())
	most := least + it.Slack.Milliseconds()
	if had >= least && had <= most {
		return had
	}
	return most
}

// sweep removes a few of the items that have expired, oldest first.
func (s *Store) sweep(tx *bbolt.Tx, sum *total, now int64) error {
	values, expiry := tx.Bucket(s.values), tx.Bucket(s.expiry)
	var gone [][]byte
	cursor := expiry.Cursor()
	for k, _ := cursor.First(); k != nil && len(gone) < sweepLimit; k, _ = cursor.Next() {
		if len(k) <= expiryBytes || int64(binary.BigEndian.Uint64(k)) > now {
			break
		}
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		if err := expiry.Delete(k); err != nil {
			return err
		}
		key := k[expiryBytes:]
		stored := values.Get(key)
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
		sum.take(old)
		if err := values.Delete(key); err != nil {
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

// Close lets go of the file; the last store that does so closes it. Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.end()
		s.closed = s.file.release()
	})
	return s.closed
}
