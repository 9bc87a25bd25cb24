package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Version is that of the rows this program writes.
const Version = 1

// Errors of Open and of a Decoder.
var (
	// ErrVersion says that a row was written by a newer program: its state must not be guessed at.
	ErrVersion = errors.New("the state was written by a newer version of this program: start that version, or give it another state")
	// ErrCorrupt says that a row is not what was written.
	ErrCorrupt = errors.New("the row is corrupt")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal frames a row: version, body, checksum.
func Seal(body []byte) []byte { return SealVersion(Version, body) }

// SealVersion frames a row of another version; tests need them.
func SealVersion(version byte, body []byte) []byte {
	row := make([]byte, 0, len(body)+5)
	row = append(row, version)
	row = append(row, body...)
	return binary.BigEndian.AppendUint32(row, crc32.Checksum(row, castagnoli))
}

// Open gives the body of a row that Seal framed.
// The checksum is read first, so that a damaged byte is not taken for a newer version.
func Open(row []byte) ([]byte, error) {
	if len(row) < 5 {
		return nil, fmt.Errorf("opening a row of %d bytes: %w", len(row), ErrCorrupt)
	}
	n := len(row) - 4
	if crc32.Checksum(row[:n], castagnoli) != binary.BigEndian.Uint32(row[n:]) {
		return nil, fmt.Errorf("checking a row of %d bytes: %w", len(row), ErrCorrupt)
	}
	if row[0] != Version {
		return nil, fmt.Errorf("opening a row of version %d, known is %d: %w", row[0], Version, ErrVersion)
	}
	return row[1:n], nil
}

// Encoder writes a body.
type Encoder struct {
	b []byte
	// compact bodies pack texts and leave evidence to the archive: they are for memory and never saved.
	compact bool
}

// Compact gives an encoder of bodies that stay in memory; it writes over buf. All evidence must be in one archive.
func Compact(buf []byte) *Encoder { return &Encoder{b: buf[:0], compact: true} }

// Reset begins another body, over the one before.
func (c *Encoder) Reset() { c.b = c.b[:0] }

// Body gives what was written.
func (c *Encoder) Body() []byte { return c.b }

// Uint writes an unsigned number.
func (c *Encoder) Uint(n uint64) { c.b = binary.AppendUvarint(c.b, n) }

// Int writes a signed number.
func (c *Encoder) Int(n int64) { c.b = binary.AppendVarint(c.b, n) }

// Bool writes a truth value.
func (c *Encoder) Bool(v bool) {
	if v {
		c.b = append(c.b, 1)
		return
	}
	c.b = append(c.b, 0)
}

// String writes text.
func (c *Encoder) String(s string) {
	if c.compact {
		c.text(s)
		return
	}
	c.Uint(uint64(len(s)))
	c.b = append(c.b, s...)
}

// Bytes writes bytes.
func (c *Encoder) Bytes(b []byte) {
	c.Uint(uint64(len(b)))
	c.b = append(c.b, b...)
}

// Ints writes a list of numbers.
func (c *Encoder) Ints(list []int64) {
	c.Uint(uint64(len(list)))
	for _, n := range list {
		c.Int(n)
	}
}

// Tags of values.
const (
	tagNil = iota
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagString
	tagList
	tagMap
)

// maxDepth is how deep lists and maps may stand in each other; what is deeper is written as null.
const maxDepth = 64

// Value writes a value of a document; the keys of maps are sorted.
func (c *Encoder) Value(v any) { c.value(v, maxDepth) }

func (c *Encoder) value(v any, depth int) {
	if depth == 0 {
		c.b = append(c.b, tagNil)
		return
	}
	switch v := v.(type) {
	case bool:
		if v {
			c.b = append(c.b, tagTrue)
			return
		}
		c.b = append(c.b, tagFalse)
	case int64:
		c.b = append(c.b, tagInt)
		c.Int(v)
	case float64:
		c.b = append(c.b, tagFloat)
		c.b = binary.BigEndian.AppendUint64(c.b, math.Float64bits(v))
	case string:
		c.b = append(c.b, tagString)
		c.String(v)
	case []any:
		c.b = append(c.b, tagList)
		c.list(v, depth-1)
	case map[string]any:
		c.b = append(c.b, tagMap)
		c.Uint(uint64(len(v)))
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			c.String(k)
			c.value(v[k], depth-1)
		}
	default:
		c.b = append(c.b, tagNil)
	}
}

// Values writes a list of values.
func (c *Encoder) Values(list []any) { c.list(list, maxDepth) }

func (c *Encoder) list(list []any, depth int) {
	c.Uint(uint64(len(list)))
	for _, v := range list {
		c.value(v, depth)
	}
}

// Decoder reads a body. After the first error every read gives zero, and Err says what it was.
type Decoder struct {
	b       []byte
	err     error
	compact bool
	archive *Archive
}

// NewCompactDecoder reads a body that an encoder of Compact wrote.
func NewCompactDecoder(body []byte, archive *Archive) *Decoder {
	return &Decoder{b: body, compact: true, archive: archive}
}

// NewDecoder reads body.
func NewDecoder(body []byte) *Decoder { return &Decoder{b: body} }

// Err gives the first error, or that something is left over.
func (d *Decoder) Err() error {
	if d.err == nil && len(d.b) > 0 {
		return fmt.Errorf("%d bytes too many: %w", len(d.b), ErrCorrupt)
	}
	return d.err
}

// Failed says whether a read went wrong.
func (d *Decoder) Failed() bool { return d.err != nil }

func (d *Decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("reading %s: %w", what, ErrCorrupt)
	}
	d.b = nil
}

// Uint reads an unsigned number.
func (d *Decoder) Uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail("a number")
		return 0
	}
	d.b = d.b[size:]
	return n
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail("a number")
		return 0
	}
	d.b = d.b[size:]
	return n
}

// Len reads the length of a list whose elements take at least one byte each.
func (d *Decoder) Len() int {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.fail("a length")
		return 0
	}
	return int(n)
}

// Bool reads a truth value.
func (d *Decoder) Bool() bool {
	b := d.take(1)
	if len(b) == 1 && b[0] > 1 {
		d.fail("a truth value")
	}
	return len(b) == 1 && b[0] == 1
}

// String reads text.
func (d *Decoder) String() string {
	if d.compact {
		return d.text()
	}
	return string(d.take(d.Len()))
}

// Bytes reads bytes; they are a copy.
func (d *Decoder) Bytes() []byte {
	b := d.take(d.Len())
	if len(b) == 0 {
		return nil
	}
	return slices.Clone(b)
}

func (d *Decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail("bytes")
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

// Ints reads a list of numbers.
func (d *Decoder) Ints() []int64 {
	n := d.Len()
	if n == 0 {
		return nil
	}
	list := make([]int64, 0, n)
	for range n {
		list = append(list, d.Int())
	}
	return list
}

// Value reads a value.
func (d *Decoder) Value() any { return d.value(maxDepth) }

func (d *Decoder) value(depth int) any {
	tag := d.take(1)
	if len(tag) == 0 || depth == 0 && tag[0] != tagNil {
		d.fail("a value")
		return nil
	}
	switch tag[0] {
	case tagNil:
		return nil
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagInt:
		return d.Int()
	case tagFloat:
		b := d.take(8)
		if len(b) < 8 {
			return nil
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	case tagString:
		return d.String()
	case tagList:
		return d.list(depth - 1)
	case tagMap:
		n := d.Len()
		m := make(map[string]any, n)
		for range n {
			k := d.String()
			m[k] = d.value(depth - 1)
		}
		return m
	}
	d.fail("the type of a value")
	return nil
}

// Values reads a list of values; nil where it is empty.
func (d *Decoder) Values() []any { return d.list(maxDepth) }

func (d *Decoder) list(depth int) []any {
	n := d.Len()
	if n == 0 {
		return nil
	}
	list := make([]any, 0, n)
	for range n {
		list = append(list, d.value(depth))
	}
	return list
}

// Flags of entries.
const (
	flagFires = 1 << iota
	flagJudged
	flagEvidence
	flagCarried
	// Compact entries say so where they have values, or other patterns than the first alone.
	flagValues
	flagPatterns
)

func (e *Entry) flags() byte {
	flags := byte(0)
	if e.Fires {
		flags |= flagFires
	}
	if e.Judged {
		flags |= flagJudged
	}
	if e.Evidence != nil {
		flags |= flagEvidence
	}
	if len(e.Carried) > 0 {
		flags |= flagCarried
	}
	return flags
}

// Entry writes an entry. Covered and Chunk are not written.
func (c *Encoder) Entry(e *Entry) {
	c.Int(e.Time)
	c.String(e.ID)
	c.Uint(e.Patterns)
	c.b = append(c.b, e.flags())
	c.Uint(uint64(len(e.Values)))
	for _, list := range e.Values {
		c.Values(list)
	}
	if e.Evidence != nil {
		c.Evidence(e.Evidence)
	}
	if len(e.Carried) > 0 {
		c.Ints(e.Carried)
	}
}

// Entry reads an entry.
func (d *Decoder) Entry() Entry {
	e := Entry{Time: d.Int(), ID: d.String(), Patterns: d.Uint()}
	flags := byte(0)
	if b := d.take(1); len(b) == 1 {
		flags = b[0]
	}
	e.Fires, e.Judged = flags&flagFires != 0, flags&flagJudged != 0
	if n := d.Len(); n > MaxPatterns {
		d.fail("the values of an entry")
	} else if n > 0 {
		e.Values = make([][]any, n)
		for p := range e.Values {
			e.Values[p] = d.Values()
		}
	}
	if flags&flagEvidence != 0 {
		e.Evidence = d.Evidence()
	}
	if flags&flagCarried != 0 {
		e.Carried = d.Ints()
	}
	return e
}
