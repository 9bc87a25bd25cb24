package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestBodiesAreReadToTheirEndAndNoFurther(t *testing.T) {
	broken := errors.New("broken")
	for _, size := range []int{0, 1, firstPiece - 1, firstPiece, firstPiece + 1, 3 * firstPiece, largePiece + 1, 3*largePiece + 7} {
		want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		for name, tt := range map[string]struct {
			from          io.Reader
			length, limit int64
			err           error
		}{
			"known length":           {bytes.NewReader(want), int64(size), int64(size), nil},
			"unknown length":         {bytes.NewReader(want), -1, int64(size), nil},
			"small reads":            {iotest.HalfReader(bytes.NewReader(want)), -1, int64(size), nil},
			"end with the last byte": {iotest.DataErrReader(bytes.NewReader(want)), -1, int64(size), nil},
			"too large, and it says": {bytes.NewReader(append(want, 'x')), int64(size) + 1, int64(size), errTooLarge},
			"too large":              {bytes.NewReader(append(want, 'x')), -1, int64(size), errTooLarge},
			"larger than it says":    {bytes.NewReader(append(want, 'x')), int64(size), int64(size), errTooLarge},
			"breaks off":             {io.MultiReader(bytes.NewReader(want), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, int64(size) + 10, io.ErrUnexpectedEOF},
			"fails":                  {io.MultiReader(bytes.NewReader(want), iotest.ErrReader(broken)), -1, int64(size) + 10, broken},
		} {
			got, err := newBodies().read(t.Context(), tt.from, tt.length, tt.limit)
			if !errors.Is(err, tt.err) || err == nil && !bytes.Equal(got, want) {
				t.Errorf("%s of %d bytes: got %d bytes and %v, want all and %v", name, size, len(got), err, tt.err)
			}
		}
	}
}

// TestLargeBodiesTakeTurns has one large body come slowly: a small one passes it, another large one waits.
func TestLargeBodiesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBodies()
		in, slow := io.Pipe()
		first := make(chan error, 1)
		go func() {
			_, err := b.read(t.Context(), in, -1, 10*largePiece)
			first <- err
		}()
		if _, err := slow.Write(make([]byte, 2*largePiece)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.read(t.Context(), strings.NewReader("small"), 5, 10*largePiece); err != nil {
			t.Errorf("a small body beside it: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.read(ctx, bytes.NewReader(make([]byte, 2*largePiece)), -1, 10*largePiece); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a large body beside it: got %v, want that it waits", err)
		}
		if err := slow.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if _, err := b.read(t.Context(), bytes.NewReader(make([]byte, 2*largePiece)), -1, 10*largePiece); err != nil {
			t.Errorf("a large body after it: %v", err)
		}
	})
}
