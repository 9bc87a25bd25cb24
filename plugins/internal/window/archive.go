package window

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// Archive holds the evidence of entries that no store has. It keeps the latest up to a bound, in pieces that are compressed
// as they fill: events are much alike. Each event's evidence is in it once, however many keys it counts for.
// It is safe for concurrent use.
type Archive struct {
	limit int64
	size  int // of a piece before it is compressed

	mu sync.Mutex // guards all below
	// pieces are compressed but for the last.
	pieces [][]byte
	// first is the number of the oldest piece; older ones are gone.
	first uint64
	bytes int64
	lost  int64
	read  [archiveRead]readPiece
	next  int // of read, to be replaced
	out   bytes.Buffer
	press *flate.Writer
}

// readPiece is a piece that was decompressed.
type readPiece struct {
	number uint64
	body   []byte
}

const (
	maxPiece = 64 << 10
	// offsetBits hold every offset in a piece.
	offsetBits = 17
	// archiveRead is how many pieces are kept as they were read: the evidence of an incident lies in few of them.
	archiveRead = 8
	// pressLevel is the fastest that finds repetitions well.
	pressLevel = 2
)

// NewArchive gives an archive of at most limit bytes.
func NewArchive(limit int64) *Archive {
	return &Archive{limit: limit, size: int(min(max(limit/8, 1), maxPiece)), first: 1}
}

// Bytes gives what the archive takes.
func (a *Archive) Bytes() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes
}

// Put puts the evidence of an event in: doc is a JSON object.
func (a *Archive) Put(typeUID int64, product string, doc []byte) *Evidence {
	v := &Evidence{archive: a}
	a.mu.Lock()
	defer a.mu.Unlock()
	v.place = a.add(typeUID, product, doc)
	return v
}

func (a *Archive) add(typeUID int64, product string, doc []byte) (place uint64) {
	if len(a.pieces) == 0 {
		a.pieces = append(a.pieces, nil)
	}
	last := len(a.pieces) - 1
	if n := len(a.pieces[last]); n > 0 && (n+len(doc) > a.size || n >= 1<<offsetBits) {
		a.compress(last)
		a.pieces = append(a.pieces, nil)
		last++
	}
	piece := a.pieces[last]
	place = (a.first+uint64(last))<<offsetBits | uint64(len(piece))
	before := cap(piece)
	c := Encoder{b: piece}
	c.Int(typeUID)
	c.String(product)
	c.Bytes(doc)
	a.pieces[last] = c.b
	a.bytes += int64(cap(c.b) - before)
	for a.bytes > a.limit && len(a.pieces) > 1 {
		a.bytes -= int64(cap(a.pieces[0]))
		a.pieces[0] = nil
		a.pieces = a.pieces[1:]
		a.first++
	}
	return place
}

// compress makes a full piece small. Writing into memory does not fail.
func (a *Archive) compress(i int) {
	a.out.Reset()
	if a.press == nil {
		a.press, _ = flate.NewWriter(&a.out, pressLevel) // only an unknown level is an error
	} else {
		a.press.Reset(&a.out)
	}
	_, _ = a.press.Write(a.pieces[i])
	_ = a.press.Close()
	small := bytes.Clone(a.out.Bytes())
	a.bytes += int64(cap(small) - cap(a.pieces[i]))
	a.pieces[i] = small
}

// look gives what was put at a place; ok is false where it is gone.
func (a *Archive) look(place uint64) (x Exhibit, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	number, offset := place>>offsetBits, int(place&(1<<offsetBits-1))
	body := a.piece(number)
	if offset >= len(body) {
		a.lost++
		return x, false
	}
	d := NewDecoder(body[offset:])
	x = Exhibit{TypeUID: d.Int(), Product: d.String(), Doc: d.Bytes()}
	return x, !d.Failed()
}

// Lost says how often evidence was asked for that was gone.
func (a *Archive) Lost() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}

// piece gives a piece as it was before it was compressed; nil where it is gone.
func (a *Archive) piece(number uint64) []byte {
	if number < a.first || number-a.first >= uint64(len(a.pieces)) {
		return nil
	}
	i := int(number - a.first)
	if i == len(a.pieces)-1 {
		return a.pieces[i]
	}
	for _, have := range a.read {
		if have.number == number {
			return have.body
		}
	}
	body, err := io.ReadAll(flate.NewReader(bytes.NewReader(a.pieces[i])))
	if err != nil {
		return nil
	}
	a.read[a.next] = readPiece{number: number, body: body}
	a.next = (a.next + 1) % archiveRead
	return body
}
