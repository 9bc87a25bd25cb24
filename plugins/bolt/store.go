package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Store is a set of items in a file. Its methods are safe for concurrent use.
type Store struct {
	file   *file
	bucket string
	values []byte // names of the buckets of the database
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

	whole   int64                // wholeBytes where it is 0
	journal int64                // largestJournal where it is 0
	sync    func(*os.File) error // syncContents where it is nil
}

// ErrFormat says that a file was written by another version of this program, or by another program.
var ErrFormat = errors.New("the file is not a state store of this version")

const (
	format = 3
	// formatWithoutJournal is the one before, which is the same but for the journal.
	formatWithoutJournal = 2

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
	s := &Store{file: f, bucket: o.Bucket, values: valuesOf(o.Bucket), expiry: expiryOf(o.Bucket), whole: cmp.Or(o.whole, wholeBytes)}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", o.Path, explain(f.path, err)), f.release(false))
	}
	return s, nil
}

// prepare makes the buckets. Where they exist it writes nothing, and reads everything: a state that is not what was written must not be used.
// A large file is read while it is used.
func (s *Store) prepare() error {
	ready := false
	err := s.file.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
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
	s.file.writing.Lock()
	defer s.file.writing.Unlock()
	return s.file.update(func(tx *bbolt.Tx) error {
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
	err := s.found()
	var found [][]byte
	if err == nil {
		found, err = s.load(keys, s.file.now().UnixMilli())
	}
	if err != nil {
		return nil, fmt.Errorf("loading from %s: %w", s.file.path, err)
	}
	return found, nil
}

func (s *Store) load(keys []string, now int64) ([][]byte, error) {
	found := make([][]byte, len(keys))
	var rest []int // that are not pending
	// Until all is read no write becomes visible, so that what is found is of one moment.
	s.file.mu.RLock()
	defer s.file.mu.RUnlock()
	for i, key := range keys {
		if key == "" {
			return nil, bolterrors.ErrKeyRequired
		}
		it, ok := s.file.pending.get(s.bucket, key)
		if !ok {
			rest = append(rest, i)
			continue
		}
		found[i] = it.read(now)
	}
	if len(rest) == 0 {
		return found, nil
	}
	err := s.file.view(func(tx *bbolt.Tx) error {
		values := tx.Bucket(s.values)
		for _, i := range rest {
			var err error
			if found[i], err = alive([]byte(keys[i]), values.Get([]byte(keys[i])), now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
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

// Save writes all items in one go, or none.
func (s *Store) Save(items []Item) error {
	if err := s.save(items); err != nil {
		return fmt.Errorf("saving to %s: %w", s.file.path, err)
	}
	return nil
}

func (s *Store) save(items []Item) error {
	if err := s.found(); err != nil {
		return err
	}
	s.file.writing.Lock()
	defer s.file.writing.Unlock()
	w := write{bucket: s.bucket, items: make([]pendingItem, 0, len(items))}
	now := s.file.now().UnixMilli()
	for _, it := range items {
		one, err := s.pending(it, now)
		if err != nil {
			return fmt.Errorf("key %q: %w", it.Key, err)
		}
		w.items = append(w.items, one)
	}
	return s.file.write(w)
}

// pending gives an item as it is written, or why it cannot be. Whoever calls it holds s.file.writing.
func (s *Store) pending(it Item, now int64) (pendingItem, error) {
	most := bbolt.MaxKeySize
	if it.TTL != 0 {
		most -= expiryBytes
	}
	switch {
	case it.Key == "":
		return pendingItem{}, bolterrors.ErrKeyRequired
	case len(it.Key) > most:
		return pendingItem{}, bolterrors.ErrKeyTooLarge
	case len(it.Value) > bbolt.MaxValueSize-header:
		return pendingItem{}, bolterrors.ErrValueTooLarge
	}
	one := pendingItem{key: it.Key, value: it.Value}
	if it.Value == nil || it.TTL == 0 {
		return one, nil
	}
	had := int64(0)
	if it.Slack > 0 {
		if old, ok := s.file.pending.get(s.bucket, it.Key); ok {
			had = old.expires
		}
	}
	one.expires = it.expires(now, had)
	one.slack = max(0, one.expires-it.expires(now, 0)+it.Slack.Milliseconds())
	return one, nil
}

// Add writes the item unless its key has a value; added is false where it has.
func (s *Store) Add(it Item) (added bool, err error) {
	if added, err = s.add(it); err != nil {
		return false, fmt.Errorf("saving to %s: key %q: %w", s.file.path, it.Key, err)
	}
	return added, nil
}

func (s *Store) add(it Item) (added bool, err error) {
	if err := s.found(); err != nil {
		return false, err
	}
	s.file.writing.Lock()
	defer s.file.writing.Unlock()
	now := s.file.now().UnixMilli()
	one, err := s.pending(it, now)
	if err != nil {
		return false, err
	}
	have, err := s.load([]string{it.Key}, now)
	if err != nil || have[0] != nil {
		return false, err
	}
	return true, s.file.write(write{bucket: s.bucket, items: []pendingItem{one}})
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

// Close lets go of the file; the last store that does so closes it. Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.end()
		s.closed = s.file.release(s.found() == nil)
	})
	return s.closed
}
