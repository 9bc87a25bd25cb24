package bolt

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// A journal is the file beside a database that takes each write first: in one piece, behind the write before it, with one
// fdatasync, which is several times cheaper than a transaction of bbolt. What it holds is folded into the database when it is full,
// and when the file is closed; then it begins again from its first block, over what it held.
//
// Its first block says which database it belongs to, and with what number it begins: as many writes as that are in the database.
// The other blocks hold records, and behind the last of them whatever was there before. All of it has been written once,
// with zeros, so that the system has nothing to note about the file when a record is written.
//
// The first block is written again each time that the journal begins again. What it says stands within one sector, which a disk
// writes whole or not at all.

// ErrJournal says that a database and the journal beside it do not belong together.
var ErrJournal = errors.New("the journal and the file do not belong together")

// journalID ties a journal to a database.
type journalID [16]byte

const (
	journalMagic = "benthos-oci journal 1\n"
	// journalHeader is the magic, the id, the number of the last write before the first record, and the CRC-32C of all that.
	journalHeader = len(journalMagic) + len(journalID{}) + 8 + 4

	// smallestJournal and largestJournal bound the size of a journal, which is made larger each time that it is full.
	// It is read into memory when it is opened, and what it holds is there as long as it is used.
	smallestJournal = 64 << 10
	largestJournal  = 8 << 20
	growth          = 4
)

func journalPath(path string) string { return path + ".journal" }

type journal struct {
	path string
	id   journalID
	file *os.File // nil where it has failed, until there is another
	// sync waits until what was written is on the disk.
	sync func(*os.File) error
	size int64 // of the file, as the database has it
	most int64 // that it may grow to

	at   int64  // where the next record begins
	last uint64 // the number of the last record
}

func journalStart(id journalID, base uint64) []byte {
	b := append(make([]byte, 0, block), journalMagic...)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, base)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:block]
}

// readStart reads the first block of a journal; false where it is none.
func readStart(b []byte) (id journalID, base uint64, ok bool) {
	if len(b) < block || !bytes.HasPrefix(b, []byte(journalMagic)) {
		return id, 0, false
	}
	sumAt := journalHeader - 4
	if crc32.Checksum(b[:sumAt], castagnoli) != binary.BigEndian.Uint32(b[sumAt:]) {
		return id, 0, false
	}
	copy(id[:], b[len(journalMagic):])
	return id, binary.BigEndian.Uint64(b[sumAt-8:]), true
}

// journaled is what a journal holds.
type journaled struct {
	writes []write // that are not in the database, in their order
	at     int64   // where the next record begins
	last   uint64  // the number of the last record, or of the last write before the first
}

// readJournal reads a journal whose database says t. A last record that is not whole is what a write left that never returned;
// anything else that is not as it was written is an error.
func readJournal(data []byte, t tie) (j journaled, err error) {
	if int64(len(data)) < max(t.size, block) {
		return j, fmt.Errorf("%w: its journal is cut short: it has %d bytes, and had %d", ErrDamaged, len(data), t.size)
	}
	id, base, ok := readStart(data)
	if !ok {
		return j, fmt.Errorf("%w: its journal does not say what it is any more", ErrDamaged)
	}
	if id != t.id {
		return j, fmt.Errorf("%w: the journal is that of another file", ErrJournal)
	}
	if base > t.folded {
		return j, fmt.Errorf("%w: the journal begins behind write %d, and the file ends with write %d", ErrJournal, base, t.folded)
	}
	data = data[:len(data)/block*block] // a kill while the file grew may have left a part of a block
	j.at, j.last = block, base
	for {
		number, content, ok := recordAt(id, data[j.at:])
		if !ok || number != j.last+1 {
			break
		}
		if number > t.folded {
			w, err := readWrite(content)
			if err != nil {
				return j, err
			}
			j.writes = append(j.writes, w)
		}
		j.last, j.at = number, j.at+blocks(recordHeader+len(content))
	}
	if j.last < t.folded {
		return j, fmt.Errorf("%w: the journal ends with write %d, and the file has them up to %d", ErrJournal, j.last, t.folded)
	}
	for at := j.at; at < int64(len(data)); at += block {
		if number, _, ok := recordAt(id, data[at:]); ok && number > j.last {
			return j, fmt.Errorf("%w: write %d in its journal is not what was written, and there are later ones", ErrDamaged, j.last+1)
		}
	}
	return j, nil
}

// openJournal opens the journal that t names, and gives the writes in it that are not in the database.
func openJournal(path string, t tie, o Options) (*journal, []write, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: the journal %s is not there, and with it the last writes", ErrJournal, path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading its journal: %w", err)
	}
	held, err := readJournal(data, t)
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening its journal: %w", err)
	}
	j := newJournal(path, t, o)
	j.file, j.at, j.last = file, held.at, held.last
	return j, held.writes, nil
}

// createJournal makes a journal for a database that has none. One that is there already, and was never written to,
// is what a process left that was killed here.
func createJournal(path string, o Options) (*journal, error) {
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := neverUsed(data); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading its journal: %w", err)
	}
	t := tie{size: smallestJournal}
	_, _ = rand.Read(t.id[:]) // never fails
	j := newJournal(path, t, o)
	return j, j.replace(0)
}

// neverUsed refuses a journal that has ever taken a write.
func neverUsed(data []byte) error {
	id, base, ok := readStart(data)
	if !ok || base > 0 {
		return fmt.Errorf("%w: the journal is that of another file", ErrJournal)
	}
	for at := block; at < len(data); at += block {
		if _, _, ok := recordAt(id, data[at:]); ok {
			return fmt.Errorf("%w: the journal is that of another file", ErrJournal)
		}
	}
	return nil
}

func newJournal(path string, t tie, o Options) *journal {
	j := &journal{path: path, id: t.id, size: t.size, most: o.journal, sync: o.sync}
	if j.most == 0 {
		j.most = largestJournal
	}
	if j.sync == nil {
		j.sync = syncContents
	}
	if o.NoSync {
		j.sync = func(*os.File) error { return nil }
	}
	return j
}

// replace puts an empty journal where this one is, or is to be. The database has all writes up to base.
func (j *journal) replace(base uint64) error {
	fresh := j.path + ".new"
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("making a journal: %w", err)
	}
	_, err = f.WriteAt(journalStart(j.id, base), 0)
	err = errors.Join(err, zero(f, block, j.size))
	if err == nil {
		err = j.sync(f)
	}
	if err == nil {
		err = os.Rename(fresh, j.path)
	}
	if err == nil {
		err = j.syncDir()
	}
	if err != nil {
		return fmt.Errorf("making a journal: %w", errors.Join(err, f.Close(), os.Remove(fresh)))
	}
	j.file, j.at, j.last = f, block, base
	return nil
}

// syncDir waits until the names in the directory of the journal, and of the database, are on the disk.
func (j *journal) syncDir() error {
	dir, err := os.Open(filepath.Dir(j.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := j.sync(dir); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// zero writes zeros from one place in a file to another.
func zero(f *os.File, from, to int64) error {
	zeros := make([]byte, min(1<<20, max(0, to-from)))
	for from < to {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// fits says whether there is room for a record of n bytes.
func (j *journal) fits(n int) bool { return j.at+blocks(n) <= j.size }

// append writes a record. Where that fails the journal is given up: what of it is on the disk is not known any more,
// and the system may report a write that it has lost only once.
func (j *journal) append(record []byte) error {
	_, err := j.file.WriteAt(record, j.at)
	if err == nil {
		err = j.sync(j.file)
	}
	if err != nil {
		j.giveUp()
		return fmt.Errorf("writing to its journal: %w", err)
	}
	j.at += int64(len(record))
	j.last++
	return nil
}

func (j *journal) giveUp() {
	if j.file != nil {
		_ = j.file.Close() // what it could say is known
		j.file = nil
	}
}

// grown gives the size that the journal has after making it larger, where that is possible.
func (j *journal) grown() int64 {
	to := min(growth*j.size, j.most)
	if j.file == nil || to <= j.size {
		return j.size
	}
	if zero(j.file, j.size, to) != nil || j.sync(j.file) != nil {
		_ = j.file.Truncate(j.size) // it may be as large as it likes
		return j.size
	}
	return to
}

// restart begins again from the first block. The database has all writes up to the last.
func (j *journal) restart() {
	_, err := j.file.WriteAt(journalStart(j.id, j.last), 0)
	if err == nil {
		err = j.sync(j.file)
	}
	if err != nil {
		j.giveUp()
		return
	}
	j.at = block
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
