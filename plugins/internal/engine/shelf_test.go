package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/window"
)

// TestShelfIsAMap puts, takes, drops and tidies in any order, and compares the shelf with a map. Sums collide in all but a few bits.
func TestShelfIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &shelf{due: window.MaxTime}
		want := map[keySum][]byte{}
		sum := func() keySum {
			var k keySum
			binary.LittleEndian.PutUint32(k[1:], uint32(rapid.IntRange(0, 5).Draw(rt, "home")))
			k[9] = byte(rapid.IntRange(0, 20).Draw(rt, "rest"))
			return k
		}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			k := sum()
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0, 1, 2, 3, 4:
				if _, ok := want[k]; ok {
					continue
				}
				size := rapid.SampledFrom([]int{0, 1, 100, 300, 20_000, shelfPiece - 20, shelfPiece + 5}).Draw(rt, "size")
				body := bytes.Repeat([]byte{k[1], k[9]}, size/2)
				s.put(k, body)
				want[k] = body
			case 5, 6, 7:
				body, ok := s.take(k)
				if have, known := want[k]; ok != known || !bytes.Equal(body, have) {
					rt.Fatalf("took %d bytes, %t; want %d, %t", len(body), ok, len(have), known)
				}
				delete(want, k)
			case 8:
				s.tidy()
			case 9:
				s.each(func(each keySum, _ []byte) bool { return each[9] == k[9] })
				maps.DeleteFunc(want, func(each keySum, _ []byte) bool { return each[9] == k[9] })
			}
			if s.count != len(want) {
				rt.Fatalf("%d items, want %d", s.count, len(want))
			}
		}
		got := map[keySum][]byte{}
		s.each(func(k keySum, body []byte) bool {
			got[k] = slices.Clone(body)
			return false
		})
		if !maps.EqualFunc(want, got, bytes.Equal) {
			rt.Fatalf("%d items by each, want %d", len(got), len(want))
		}
		for k, body := range want {
			if have, ok := s.look(k); !ok || !bytes.Equal(have, body) {
				rt.Fatal("an item is not found")
			}
		}
	})
}

// TestShelfGivesRoomBack puts and takes the same keys many times: what it takes does not grow with that.
func TestShelfGivesRoomBack(t *testing.T) {
	s := &shelf{due: window.MaxTime}
	body := make([]byte, 150)
	most := 0
	for round := range 300 {
		for k := range 200 {
			var sum keySum
			copy(sum[1:], fmt.Sprintf("%08d", k))
			if round > 0 {
				if _, ok := s.take(sum); !ok {
					t.Fatal("an item is gone")
				}
			}
			s.put(sum, body)
			if k%50 == 0 {
				s.tidy()
			}
		}
		size := 0
		for _, p := range s.pieces {
			size += cap(p)
		}
		most = max(most, size)
	}
	if bound := 3 * 200 * (len(body) + shelfItem); most > bound {
		t.Errorf("200 items of %d bytes took %d, want at most %d", len(body), most, bound)
	}
}
