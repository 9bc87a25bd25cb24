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

// files are a database and its journal.
type files struct{ db, journal []byte }

// taken reads the files as they are now, as after a kill.
func taken(t *testing.T, path string) files {
	t.Helper()
	db, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(journalPath(path))
	if err != nil {
		t.Fatal(err)
	}
	return files{db, journal}
}

// put writes the files; one that is nil is missing.
func (f files) put(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.db")
	for name, data := range map[string][]byte{path: f.db, journalPath(path): f.journal} {
		if data == nil {
			continue
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// written makes a store of some items, some written over and some deleted, and gives what it holds and its files: as they are after
// a kill, when the last writes are in the journal only, and after it was closed.
func written(t *testing.T) (killed, closed files, want map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "good.db")
	s := openStore(t, Options{Path: path, Bucket: "cache", NoSync: true, journal: smallestJournal})
	want = map[string]string{}
	for i := range 50 {
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
	killed = taken(t, path)
	if n := len(s.file.pending["cache"].items); n == 0 || n > 20 {
		t.Fatalf("%d items are in the journal only, want some", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return killed, taken(t, path), want
}

// judge opens files, reads all and writes once more. It gives true where that was refused, and fails where something else than
// what was written is taken for it. The state before the last write may be: that is what is left where the page which makes
// a write count is damaged, as after a power cut in the middle of one, and it costs repeats, no gap.
func judge(t *testing.T, what string, f files, want map[string]string) (refused bool) {
	t.Helper()
	path := f.put(t)
	defer func() { _ = os.RemoveAll(filepath.Dir(path)) }() // tens of thousands of them would fill the disk
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

// eachFile calls f with each of the two files, after a kill and after it was closed, and with what makes the two of one that was changed.
func eachFile(t *testing.T, f func(what string, data []byte, with func([]byte) files, want map[string]string)) {
	t.Helper()
	killed, closed, want := written(t)
	for _, each := range []struct {
		when string
		files
	}{{"after a kill", killed}, {"after it was closed", closed}} {
		if judge(t, "all, "+each.when, each.files, want) {
			t.Fatal("the whole files were refused")
		}
		f("the file "+each.when, each.db, func(b []byte) files { return files{b, each.journal} }, want)
		f("the journal "+each.when, each.journal, func(b []byte) files { return files{each.db, b} }, want)
	}
}

// TestNoFlippedBitIsTakenForState flips bits all over the files: each is found, or harms nothing.
// The short form flips one bit in each stretch of a file, with BOLT_FLIPS=all every byte has one flipped.
func TestNoFlippedBitIsTakenForState(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	flips, found, size := 0, 0, 0
	eachFile(t, func(what string, data []byte, with func([]byte) files, want map[string]string) {
		of, size0 := found, len(data)
		size += size0
		for at := 0; at < len(data); {
			damaged := bytes.Clone(data)
			damaged[at] ^= 1 << random.IntN(8)
			if judge(t, fmt.Sprintf("a bit of byte %d of %s", at, what), with(damaged), want) {
				found++
			}
			flips++
			at++
			if os.Getenv("BOLT_FLIPS") != "all" {
				at += random.IntN(120)
			}
		}
		if found == of {
			t.Errorf("no flipped bit of %s was found: the test shows nothing", what)
		}
	})
	faults.Measured(t, "flipped bits", "%d flipped bits in files of %d bytes: %d found and refused, %d where nothing stands, 0 taken for state",
		flips, size, found, flips-found)
}

// TestNoTornFileIsTakenForState cuts the files at many places, and leaves pages of zeros in them.
func TestNoTornFileIsTakenForState(t *testing.T) {
	const step = 509
	cuts, found := 0, 0
	eachFile(t, func(what string, data []byte, with func([]byte) files, want map[string]string) {
		for at := 0; at < len(data); at += step {
			cuts++
			refused := judge(t, fmt.Sprintf("%s cut at %d", what, at), with(data[:at]), want)
			if refused {
				found++
			}
			if !refused && strings.Contains(what, "journal") {
				t.Errorf("%s cut at %d: it was opened", what, at)
			}
		}
		for page := 0; page < len(data); page += os.Getpagesize() {
			torn := bytes.Clone(data)
			clear(torn[page:min(page+os.Getpagesize(), len(torn))])
			cuts++
			if judge(t, fmt.Sprintf("page at %d of %s zeroed", page, what), with(torn), want) {
				found++
			}
		}
	})
	faults.Measured(t, "torn files", "%d cuts and zeroed pages: %d found and refused, %d where nothing stands, 0 taken for state", cuts, found, cuts-found)
}
