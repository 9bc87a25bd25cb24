package window

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestIDsAreFound inserts and prunes entries whose hashes collide, and finds each of those that are there, and no other.
func TestIDsAreFound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := New(1)
		there := map[string]int64{}
		modulus := uint32(rapid.IntRange(1, 40).Draw(rt, "modulus"))
		for n := range rapid.IntRange(1, 200).Draw(rt, "steps") {
			if rapid.IntRange(0, 9).Draw(rt, "prune") == 0 {
				limit := int64(rapid.IntRange(0, n).Draw(rt, "limit"))
				s.Prune(limit)
				for id, at := range there {
					if at <= limit {
						delete(there, id)
					}
				}
				continue
			}
			id := strconv.Itoa(rapid.IntRange(0, 150).Draw(rt, "id"))
			_, known := there[id]
			_, grown := s.Insert(Entry{ID: id, Hash: HashID(id) % modulus * 64, Time: int64(n), Patterns: 1})
			if grown == known {
				rt.Fatalf("%s known: %t, inserted: %t", id, known, grown)
			}
			if !known {
				there[id] = int64(n)
			}
			if s.Len() != len(there) {
				rt.Fatalf("%d entries, want %d", s.Len(), len(there))
			}
		}
		for id := range there {
			if s.find(HashID(id)%modulus*64, id) == nil && HashID(id)%modulus != 0 {
				rt.Fatalf("%s is not found", id)
			}
		}
	})
}
