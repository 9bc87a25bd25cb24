package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A record of the journal is one write. It begins at a multiple of block, so that a page which a fault takes is of one record only,
// and no write touches a page of an earlier one:
//
//	4 bytes  the length of what follows the header
//	4 bytes  the CRC-32C of the journal's id, of the length, the number and what follows
//	8 bytes  the number of the record: one more than that of the write before it
//	...      the bucket, and items until the end
//
// Texts have their length before them. An item is its key, the length of its value and one (0 deletes), the value,
// when it expires, and how much earlier it may (milliseconds both).
const (
	block        = 4096
	recordHeader = 16
)

// write is a number of items of one bucket that are written together, or not at all.
type write struct {
	bucket string
	items  []pendingItem
}

// pendingItem is an item as it stands in the journal: a nil value deletes it.
type pendingItem struct {
	key     string
	value   []byte
	expires int64 // milliseconds since 1970, 0 for never
	slack   int64 // how many milliseconds earlier it may expire
}

// blocks gives the bytes that a record of n bytes takes up.
func blocks(n int) int64 { return (int64(n) + block - 1) / block * block }

// bound gives the most bytes that the record of a write can have.
func (w write) bound() int {
	n := recordHeader + binary.MaxVarintLen64 + len(w.bucket)
	for _, it := range w.items {
		n += 4*binary.MaxVarintLen64 + len(it.key) + len(it.value)
	}
	return n
}

// record encodes a write, filled up to whole blocks, and lets its items refer to the values in it.
func (w write) record(id journalID, number uint64) []byte {
	b := make([]byte, recordHeader, blocks(w.bound()))
	b = appendText(b, w.bucket)
	for i := range w.items {
		it := &w.items[i]
		b = appendText(b, it.key)
		if it.value == nil {
			b = append(b, 0)
		} else {
			b = binary.AppendUvarint(b, uint64(len(it.value))+1)
			from := len(b)
			b = append(b, it.value...)
			it.value = b[from:len(b):len(b)]
		}
		b = binary.AppendVarint(b, it.expires)
		b = binary.AppendVarint(b, it.slack)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-recordHeader))
	binary.LittleEndian.PutUint64(b[8:], number)
	binary.LittleEndian.PutUint32(b[4:], recordSum(id, b))
	return b[:blocks(len(b))]
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// recordSum gives the checksum of a record, which depends on the journal: the bytes of a value are never taken for a record.
func recordSum(id journalID, record []byte) uint32 {
	sum := crc32.Update(0, castagnoli, id[:])
	sum = crc32.Update(sum, castagnoli, record[:4])
	return crc32.Update(sum, castagnoli, record[8:])
}

// recordAt gives the number and the content of the record at the beginning of b; false where there is none.
func recordAt(id journalID, b []byte) (number uint64, content []byte, ok bool) {
	if len(b) < recordHeader {
		return 0, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n == 0 || n > uint64(len(b)-recordHeader) {
		return 0, nil, false
	}
	record := b[:recordHeader+n]
	if binary.LittleEndian.Uint32(b[4:]) != recordSum(id, record) {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b[8:]), record[recordHeader:], true
}

var errRecord = errors.New("a record of the journal does not say what was written")

// readWrite reads the content of a record; its values are parts of it.
func readWrite(content []byte) (w write, err error) {
	r := recordReader{rest: content}
	w.bucket = string(r.bytes(r.uint()))
	for r.err == nil && len(r.rest) > 0 {
		it := pendingItem{key: string(r.bytes(r.uint()))}
		if n := r.uint(); n > 0 {
			it.value = r.bytes(n - 1)
		}
		it.expires, it.slack = r.int(), r.int()
		if it.key == "" || it.expires < 0 || it.slack < 0 {
			r.err = errRecord
		}
		w.items = append(w.items, it)
	}
	if r.err != nil {
		return write{}, fmt.Errorf("%w: %w", ErrDamaged, r.err)
	}
	return w, nil
}

// recordReader reads the parts of a record, one after the other; behind an error it gives zeros.
type recordReader struct {
	rest []byte
	err  error
}

func (r *recordReader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return uint64(r.number(int64(v), n))
}

func (r *recordReader) int() int64 {
	v, n := binary.Varint(r.rest)
	return r.number(v, n)
}

func (r *recordReader) number(v int64, n int) int64 {
	if n <= 0 {
		r.err = errRecord
		r.rest = nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes gives the next n bytes, which are never nil.
func (r *recordReader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.err = errRecord
		r.rest = nil
		return []byte{}
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
