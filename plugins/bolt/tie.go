package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bbolt "go.etcd.io/bbolt"
)

// tie says, in the database, which journal belongs to it, and what of that the database holds.
type tie struct {
	id     journalID
	folded uint64 // the number of the last write that is in the database
	size   int64  // of the journal, at least
}

const (
	tieKey   = "journal"
	tieBytes = len(journalID{}) + 8 + 8 + 4
)

// save writes the tie beside the format of the file.
func (t tie) save(tx *bbolt.Tx) error {
	b := append(make([]byte, 0, tieBytes), t.id[:]...)
	b = binary.BigEndian.AppendUint64(b, t.folded)
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return tx.Bucket([]byte(metaBucket)).Put([]byte(tieKey), b)
}

func readTie(b []byte) (t tie, err error) {
	if len(b) != tieBytes || crc32.Checksum(b[:tieBytes-4], castagnoli) != binary.BigEndian.Uint32(b[tieBytes-4:]) {
		return t, fmt.Errorf("%w: it does not say which journal belongs to it", ErrDamaged)
	}
	rest := b[copy(t.id[:], b):]
	t.folded, t.size = binary.BigEndian.Uint64(rest), int64(binary.BigEndian.Uint64(rest[8:]))
	return t, nil
}

// identify reads what the database says of itself; tied is false for one that has no journal yet.
func (f *file) identify() (t tie, tied bool, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%w: it holds %q", ErrFormat, name)
			}
			return nil
		}
		version, known := meta.Get([]byte("format")), meta.Get([]byte(tieKey))
		switch {
		case len(version) == 1 && version[0] == formatWithoutJournal && known == nil:
			return nil
		case len(version) != 1 || version[0] != format:
			return fmt.Errorf("%w: its format is %v, this one reads %d", ErrFormat, version, format)
		}
		tied = true
		t, err = readTie(known)
		return err
	})
	return t, tied, err
}

// begin opens the journal of the database, and takes what is in it and not in the database. A database without one gets one:
// there must be a journal before the database says so, and from then on it is missed.
func (f *file) begin(o Options) error {
	t, tied, err := f.identify()
	if err != nil {
		return err
	}
	path := journalPath(f.key)
	if tied {
		j, writes, err := openJournal(path, t, o)
		if err != nil {
			return err
		}
		f.journal = j
		for _, w := range writes {
			f.pending.add(w)
		}
		return f.checkPending()
	}
	if f.journal, err = createJournal(path, o); err != nil {
		return err
	}
	return f.describe()
}

// describe writes what the database says of itself.
func (f *file) describe() error {
	return f.update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
		if err != nil {
			return err
		}
		if err := meta.Put([]byte("format"), []byte{format}); err != nil || f.journal == nil {
			return err
		}
		return f.journal.tie().save(tx)
	})
}

func (j *journal) tie() tie { return tie{id: j.id, folded: j.last, size: j.size} }

// checkPending refuses writes into buckets that are not there.
func (f *file) checkPending() error {
	return f.view(func(tx *bbolt.Tx) error {
		for bucket := range f.pending {
			if tx.Bucket(valuesOf(bucket)) == nil {
				return fmt.Errorf("%w: its journal writes to %q, which is not there any more", ErrDamaged, bucket)
			}
		}
		return nil
	})
}
