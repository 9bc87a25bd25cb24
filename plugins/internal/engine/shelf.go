package engine

import (
	"encoding/binary"

	"benthos-oci/plugins/internal/window"
)

// shelf holds the encoded records of one rule in one shard, one behind the other in a few pieces and found by a table
// of numbers: a record costs its bytes and little more, and the garbage collector has nothing to follow.
type shelf struct {
	pieces [][]byte
	// dead are the bytes, by piece, of what was taken out.
	dead []int
	// free are the numbers of pieces that hold nothing.
	free    []uint32
	current uint32

	table []shelfSlot
	count int
	// due is the earliest time at which something on the shelf is over, or before it.
	due int64
}

// shelfSlot finds an item: home is a part of its sum, at is one more than its place, and 0 where the slot is empty.
type shelfSlot struct{ home, at uint32 }

const (
	shelfPiece = 1 << 16
	// shelfItem is what an item takes beside its body: a mark, its sum, its length, and its part of the table.
	shelfItem = 1 + 16 + 2 + 12
)

// Items begin with a mark.
const (
	itemGone byte = iota
	itemThere
)

func homeOf(sum keySum) uint32 { return binary.LittleEndian.Uint32(sum[1:]) }

// put adds a body under a sum that the shelf has not.
func (s *shelf) put(sum keySum, body []byte) {
	if 4*(s.count+1) > 3*len(s.table) {
		s.grow()
	}
	place := s.append(sum, body)
	s.link(homeOf(sum), place)
	s.count++
}

// take takes the body of a sum out; it is valid until the next change of the shelf.
func (s *shelf) take(sum keySum) (body []byte, ok bool) {
	i, ok := s.find(sum)
	if !ok {
		return nil, false
	}
	place := s.table[i].at - 1
	piece := place >> 16
	_, body, size := s.item(place)
	s.pieces[piece][place&(shelfPiece-1)] = itemGone
	s.dead[piece] += size
	s.unlink(i)
	s.count--
	return body, true
}

// look gives the body of a sum under the rules of take, and leaves it there.
func (s *shelf) look(sum keySum) (body []byte, ok bool) {
	i, ok := s.find(sum)
	if !ok {
		return nil, false
	}
	_, body, _ = s.item(s.table[i].at - 1)
	return body, true
}

// each calls f with all items, and takes those out that f wants to be rid of.
func (s *shelf) each(f func(sum keySum, body []byte) (drop bool)) {
	for piece := range s.pieces {
		s.eachOf(uint32(piece), func(sum keySum, body []byte, _ uint32) {
			if f(sum, body) {
				s.take(sum)
			}
		})
	}
	s.tidy()
}

// eachOf calls f with the items of a piece that are there.
func (s *shelf) eachOf(piece uint32, f func(sum keySum, body []byte, place uint32)) {
	for at := 0; at < len(s.pieces[piece]); {
		place := piece<<16 | uint32(at)
		sum, body, size := s.item(place)
		if s.pieces[piece][at] == itemThere {
			f(sum, body, place)
		}
		at += size
	}
}

// tidy moves what is there out of pieces of which a third is gone.
func (s *shelf) tidy() {
	if s.count == 0 {
		*s = shelf{due: window.MaxTime}
		return
	}
	for piece := range s.pieces {
		if n := len(s.pieces[piece]); n > 0 && 3*s.dead[piece] > n {
			s.move(uint32(piece))
		}
	}
}

func (s *shelf) move(piece uint32) {
	old := s.pieces[piece]
	live := len(old) - s.dead[piece]
	if piece == s.current && live > 0 {
		s.current = s.newPiece(live)
	}
	s.eachOf(piece, func(sum keySum, body []byte, place uint32) {
		i := s.slotOf(homeOf(sum), place)
		s.table[i].at = s.append(sum, body) + 1
	})
	s.pieces[piece], s.dead[piece] = nil, 0
	if piece != s.current {
		s.free = append(s.free, piece)
	}
}

// item reads the item at a place.
func (s *shelf) item(place uint32) (sum keySum, body []byte, size int) {
	b := s.pieces[place>>16][place&(shelfPiece-1):]
	copy(sum[:], b[1:])
	n, width := binary.Uvarint(b[17:])
	head := 17 + width
	return sum, b[head : head+int(n) : head+int(n)], head + int(n)
}

// append puts an item at the end of the current piece and gives its place.
func (s *shelf) append(sum keySum, body []byte) uint32 {
	need := 1 + len(sum) + binary.MaxVarintLen32 + len(body)
	if len(s.pieces) == 0 {
		s.current = s.newPiece(need)
	}
	piece := s.pieces[s.current]
	if len(piece) > 0 && len(piece)+need > shelfPiece {
		s.current = s.newPiece(need)
		piece = s.pieces[s.current]
	}
	if len(piece)+need > cap(piece) {
		grown := make([]byte, len(piece), max(min(2*cap(piece), shelfPiece), len(piece)+need))
		copy(grown, piece)
		piece = grown
	}
	place := s.current<<16 | uint32(len(piece))
	piece = append(piece, itemThere)
	piece = append(piece, sum[:]...)
	piece = binary.AppendUvarint(piece, uint64(len(body)))
	s.pieces[s.current] = append(piece, body...)
	return place
}

func (s *shelf) newPiece(size int) uint32 {
	piece := make([]byte, 0, max(size, 256))
	if n := len(s.free); n > 0 {
		number := s.free[n-1]
		s.free = s.free[:n-1]
		s.pieces[number] = piece
		return number
	}
	s.pieces = append(s.pieces, piece)
	s.dead = append(s.dead, 0)
	return uint32(len(s.pieces) - 1)
}

func (s *shelf) find(sum keySum) (slot int, ok bool) {
	if s.count == 0 {
		return 0, false
	}
	home := homeOf(sum)
	mask := len(s.table) - 1
	for i := int(home) & mask; s.table[i].at != 0; i = (i + 1) & mask {
		if s.table[i].home != home {
			continue
		}
		if have, _, _ := s.item(s.table[i].at - 1); have == sum {
			return i, true
		}
	}
	return 0, false
}

// slotOf gives the slot of a place that the table has.
func (s *shelf) slotOf(home, place uint32) int {
	mask := len(s.table) - 1
	i := int(home) & mask
	for s.table[i].at != place+1 {
		i = (i + 1) & mask
	}
	return i
}

func (s *shelf) link(home, place uint32) {
	mask := len(s.table) - 1
	i := int(home) & mask
	for s.table[i].at != 0 {
		i = (i + 1) & mask
	}
	s.table[i] = shelfSlot{home: home, at: place + 1}
}

// unlink empties a slot and moves those behind it up that would not be found else.
func (s *shelf) unlink(i int) {
	mask := len(s.table) - 1
	for next := (i + 1) & mask; s.table[next].at != 0; next = (next + 1) & mask {
		if home := int(s.table[next].home) & mask; (next-home)&mask >= (next-i)&mask {
			s.table[i] = s.table[next]
			i = next
		}
	}
	s.table[i] = shelfSlot{}
}

func (s *shelf) grow() {
	old := s.table
	s.table = make([]shelfSlot, max(2*len(old), 8))
	for _, slot := range old {
		if slot.at != 0 {
			s.link(slot.home, slot.at-1)
		}
	}
}
