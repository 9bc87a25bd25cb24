package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// large gives a file of many items, and the place in it of the value of one of them.
func large(t *testing.T) (path string, at int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state.db")
	s, err := Open(Options{Path: path, Bucket: "b", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var items []Item
	for i := range 2000 {
		items = append(items, Item{Key: fmt.Sprintf("k%04d", i), Value: []byte(strings.Repeat(fmt.Sprintf("value %04d ", i), 30))})
	}
	if err := errors.Join(s.Save(items), s.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, bytes.Index(data, []byte("value 1999 "))
}

// TestLargeFileIsReadWhileItIsUsed opens a file that is too large to be read first: it is used at once, and its items are read meanwhile.
func TestLargeFileIsReadWhileItIsUsed(t *testing.T) {
	path, at := large(t)
	for _, damaged := range []bool{false, true} {
		if damaged {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[at] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(Options{Path: path, Bucket: "b"}); err == nil {
				t.Error("a damaged file of no great size was opened", s.Close())
			}
		}
		s, err := Open(Options{Path: path, Bucket: "b", whole: 1})
		if err != nil {
			t.Fatalf("damaged: %t: %v", damaged, err)
		}
		s.watch.done.Wait()
		_, err = s.Load([]string{"k0001"})
		if errors.Is(err, ErrDamaged) != damaged {
			t.Errorf("damaged: %t: loading gave %v", damaged, err)
		}
		err = s.Save([]Item{{Key: "k0001", Value: []byte("x")}})
		if errors.Is(err, ErrDamaged) != damaged {
			t.Errorf("damaged: %t: saving gave %v", damaged, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClosingDoesNotWaitForTheReading closes a store at once: what reads it ends.
func TestClosingDoesNotWaitForTheReading(t *testing.T) {
	path, _ := large(t)
	for range 20 {
		s, err := Open(Options{Path: path, Bucket: "b", whole: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Save([]Item{{Key: "another", Value: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.found(); err != nil {
			t.Error(err)
		}
	}
}

// TestWritesDoNotLookLikeDamage writes, rewrites and deletes items while the file is read, so that it grows and its pages move.
func TestWritesDoNotLookLikeDamage(t *testing.T) {
	path, _ := large(t)
	for round := range 10 {
		s, err := Open(Options{Path: path, Bucket: "b", NoSync: true, whole: 1})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 30 {
			items := []Item{{Key: fmt.Sprintf("k%04d", 31*n)}, {Key: fmt.Sprintf("new%d", round), Value: make([]byte, 30_000*(n%4))}}
			for i := range 50 {
				items = append(items, Item{Key: fmt.Sprintf("k%04d", (i*37+n*91)%2000), Value: []byte(strings.Repeat("y", n*20))})
			}
			if err := s.Save(items); err != nil {
				t.Fatal(err)
			}
		}
		s.watch.done.Wait()
		if err := errors.Join(s.found(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
