package bolt

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"benthos-oci/tests/faults"
)

// before is what the last write deletes.
var before = strings.Repeat("value 47 ", 20)

// written makes a store of some items, some written over and some deleted, and gives its file and what it holds.
func written(t *testing.T) (data []byte, want map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "good.db")
	s := openStore(t, Options{Path: path, Bucket: "cache", NoSync: true})
	want = map[string]string{}
	for i := range 60 {
		key, value := fmt.Sprintf("oci_audit/%02d", i%40), strings.Repeat(fmt.Sprintf("value %d ", i), 20)
		if err := s.Save([]Item{{Key: key, Value: []byte(value), TTL: time.Duration(i%2) * time.Hour}}); err != nil {
			t.Fatal(err)
		}
		want[key] = value
	}
	if err := s.Save([]Item{{Key: "oci_audit/07"}}); err != nil {
		t.Fatal(err)
	}
	if want["oci_audit/07"] != before {
		t.Fatalf("the last write deletes %q, want %q", want["oci_audit/07"], before)
	}
	delete(want, "oci_audit/07")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data, want
}

// judge opens a file, reads all and writes once more. It gives true where that was refused, and fails where something else than
// what was written is taken for it. The state before the last write may be: that is what is left where the page which makes
// a write count is damaged, as after a power cut in the middle of one, and it costs repeats, no gap.
func judge(t *testing.T, what string, data []byte, want map[string]string) (refused bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	defer func() { _ = os.Remove(path) }() // tens of thousands of them would fill the disk
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Path: path, Bucket: "cache", NoSync: true})
	if err != nil {
		if !strings.Contains(err.Error(), "move") {
			t.Errorf("%s: got %v, want an error that says what to do", what, err)
		}
		return true
	}
	defer s.Close()
	keys := []string{"oci_audit/07"}
	for key := range want {
		keys = append(keys, key)
	}
	for _, round := range []string{"at once", "after a write"} {
		values, err := s.Load(keys)
		if err != nil {
			return true
		}
		if values[0] != nil && string(values[0]) == before {
			values[0] = nil
		}
		for i, key := range keys {
			value, there := want[key]
			if (values[i] != nil) != there || string(values[i]) != value {
				t.Errorf("%s: %s, %s is %.40q, want %.40q or an error", what, round, key, values[i], value)
			}
		}
		if err := s.Save([]Item{{Key: "another", Value: []byte("x")}}); err != nil {
			return true
		}
	}
	return false
}

// TestNoFlippedBitIsTakenForState flips bits all over the file: each is found, or harms nothing.
// The short form flips one bit in each stretch of the file, with BOLT_FLIPS=all every byte has one flipped.
func TestNoFlippedBitIsTakenForState(t *testing.T) {
	data, want := written(t)
	if judge(t, "the whole file", data, want) {
		t.Fatal("the whole file was refused")
	}
	random := rand.New(rand.NewPCG(1, 2))
	flips, found := 0, 0
	for at := 0; at < len(data); {
		damaged := bytes.Clone(data)
		damaged[at] ^= 1 << random.IntN(8)
		if judge(t, fmt.Sprintf("a bit of byte %d", at), damaged, want) {
			found++
		}
		flips++
		at++
		if os.Getenv("BOLT_FLIPS") != "all" {
			at += random.IntN(60)
		}
	}
	faults.Measured(t, "flipped bits", "%d flipped bits in a file of %d bytes: %d found and refused, %d where nothing stands, 0 taken for state",
		flips, len(data), found, flips-found)
	if found == 0 {
		t.Error("no flipped bit was found: the test shows nothing")
	}
}

// TestNoTornFileIsTakenForState cuts the file at many places, and leaves pages of zeros in it.
func TestNoTornFileIsTakenForState(t *testing.T) {
	data, want := written(t)
	const step = 509
	cuts, found := 0, 0
	for at := 0; at < len(data); at += step {
		cuts++
		if judge(t, fmt.Sprintf("cut at %d", at), data[:at], want) {
			found++
		}
	}
	for page := 0; page < len(data); page += os.Getpagesize() {
		torn := bytes.Clone(data)
		clear(torn[page:min(page+os.Getpagesize(), len(torn))])
		cuts++
		if judge(t, fmt.Sprintf("page at %d zeroed", page), torn, want) {
			found++
		}
	}
	faults.Measured(t, "torn files", "%d cuts and zeroed pages: %d found and refused, %d where nothing stands, 0 taken for state", cuts, found, cuts-found)
}
