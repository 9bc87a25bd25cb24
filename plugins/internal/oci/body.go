package oci

import (
	"context"
	"errors"
	"io"
)

// maxErrorBody bounds what is read of the body of a refusal.
const maxErrorBody = 64 << 10

var errTooLarge = errors.New("the body is larger than the limit")

const (
	firstPiece = 64 << 10
	largePiece = 4 << 20
)

// bodies reads bodies; beyond largePiece they take turns, so that not as many of them stand in memory as there are requests.
type bodies struct{ turn chan struct{} }

func newBodies() *bodies { return &bodies{turn: make(chan struct{}, 1)} }

// read reads a body of at most limit bytes. length is what the answer says of it, less than 0 where it says nothing.
func (b *bodies) read(ctx context.Context, from io.Reader, length, limit int64) ([]byte, error) {
	if length > limit {
		return nil, errTooLarge
	}
	next, waited := int64(firstPiece), false
	if length >= 0 {
		next = length + 1 // one more, to see the end
	}
	var pieces [][]byte
	for total := int64(0); ; {
		if !waited && total+next > largePiece {
			select {
			case b.turn <- struct{}{}:
				defer func() { <-b.turn }()
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			waited = true
		}
		piece := make([]byte, min(next, limit+1-total))
		n, err := fill(piece, from)
		pieces, total = append(pieces, piece[:n]), total+int64(n)
		switch {
		case total > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return joined(pieces, total), nil
		case err != nil:
			return nil, err
		}
		next = min(2*next, largePiece)
	}
}

// fill reads until the piece is full. Unlike io.ReadFull it tells the end of a body from one that breaks off.
func fill(piece []byte, from io.Reader) (n int, err error) {
	for n < len(piece) && err == nil {
		var more int
		more, err = from.Read(piece[n:])
		n += more
	}
	return n, err
}

// joined puts the pieces together; one that is alone is not copied.
func joined(pieces [][]byte, total int64) []byte {
	if len(pieces) == 1 {
		return pieces[0]
	}
	whole := make([]byte, 0, total)
	for _, piece := range pieces {
		whole = append(whole, piece...)
	}
	return whole
}
