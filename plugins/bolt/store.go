package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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
}

// Item is one key to write: a nil Value deletes it; a TTL of 0 keeps it for ever.
type Item struct {
	Key   string
	Value []byte
	TTL   time.Duration
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
}

// ErrFormat says that a file was written by another version of this program, or by another program.
var ErrFormat = errors.New("the file is not a state store of this version")

const (
	format     = 1
	metaBucket = "benthos-oci"
	// sweepLimit bounds the expired items that one write removes on its way.
	sweepLimit = 64
	// An item is the time when it expires (milliseconds since 1970, big endian, 0 for never), then its value.
	header = 8
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
	s := &Store{file: f, values: []byte("values/" + o.Bucket), expiry: []byte("expiry/" + o.Bucket)}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", o.Path, err), f.release())
	}
	return s, nil
}

// prepare makes the buckets, and writes nothing where they exist.
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
		ready = tx.Bucket(s.values) != nil && tx.Bucket(s.expiry) != nil
		return nil
	})
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
		return nil
	})
}

// Load gives the values of keys, aligned with them; nil where there is none or it has expired.
// An empty value is not nil.
func (s *Store) Load(keys []string) ([][]byte, error) {
	found := make([][]byte, len(keys))
	now := s.file.now().UnixMilli()
	err := s.file.view(func(tx *bbolt.Tx) error {
		values := tx.Bucket(s.values)
		for i, key := range keys {
			if key == "" {
				return bolterrors.ErrKeyRequired
			}
			found[i] = alive(values.Get([]byte(key)), now)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading from %s: %w", s.file.path, err)
	}
	return found, nil
}

// alive copies the value out of a stored item: nil where it is absent or has expired.
func alive(stored []byte, now int64) []byte {
	if len(stored) < header {
		return nil
	}
	if expires := int64(binary.BigEndian.Uint64(stored)); expires != 0 && expires <= now {
		return nil
	}
	return append([]byte{}, stored[header:]...)
}

// Save writes all items in one transaction, or none.
func (s *Store) Save(items []Item) error {
	now := s.file.now().UnixMilli()
	err := s.file.update(func(tx *bbolt.Tx) error {
		for _, it := range items {
			if err := s.put(tx, it, now); err != nil {
				return fmt.Errorf("key %q: %w", it.Key, err)
			}
		}
		return s.sweep(tx, now)
	})
	if err != nil {
		return fmt.Errorf("saving to %s: %w", s.file.path, err)
	}
	return nil
}

// Add writes the item unless its key has a value; added is false where it has.
func (s *Store) Add(it Item) (added bool, err error) {
	now := s.file.now().UnixMilli()
	err = s.file.update(func(tx *bbolt.Tx) error {
		if alive(tx.Bucket(s.values).Get([]byte(it.Key)), now) != nil {
			return nil
		}
		added = true
		return s.put(tx, it, now)
	})
	if err != nil {
		return false, fmt.Errorf("saving to %s: key %q: %w", s.file.path, it.Key, err)
	}
	return added, nil
}

func (s *Store) put(tx *bbolt.Tx, it Item, now int64) error {
	values, expiry := tx.Bucket(s.values), tx.Bucket(s.expiry)
	key := []byte(it.Key)
	if old := values.Get(key); len(old) >= header && binary.BigEndian.Uint64(old) != 0 {
		if err := expiry.Delete(expiryKey(old[:header], key)); err != nil {
			return err
		}
	}
	if it.Value == nil {
		if len(key) == 0 {
			return bolterrors.ErrKeyRequired
		}
		return values.Delete(key)
	}
	stored := make([]byte, header, header+len(it.Value))
	if it.TTL != 0 {
		// An expiry before 1970 or at its first instant cannot be told from "never".
		binary.BigEndian.PutUint64(stored, uint64(max(1, now+it.TTL.Milliseconds())))
		if err := expiry.Put(expiryKey(stored[:header], key), []byte{}); err != nil {
			return err
		}
	}
	return values.Put(key, append(stored, it.Value...))
}

// sweep removes a few of the items that have expired, oldest first.
func (s *Store) sweep(tx *bbolt.Tx, now int64) error {
	values, expiry := tx.Bucket(s.values), tx.Bucket(s.expiry)
	var gone [][]byte
	cursor := expiry.Cursor()
	for k, _ := cursor.First(); k != nil && len(gone) < sweepLimit; k, _ = cursor.Next() {
		if int64(binary.BigEndian.Uint64(k)) > now {
			break
		}
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		if err := errors.Join(expiry.Delete(k), values.Delete(k[header:])); err != nil {
			return err
		}
	}
	return nil
}

func expiryKey(expires, key []byte) []byte {
	return append(append(make([]byte, 0, header+len(key)), expires...), key...)
}

// Close lets go of the file; the last store that does so closes it. Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.file.release() })
	return s.closed
}
