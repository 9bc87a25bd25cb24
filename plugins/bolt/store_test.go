package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bbolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// clock is wall time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatalf("Open(%+v): %v", o, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func load(t *testing.T, s *Store, keys ...string) []string {
	t.Helper()
	values, err := s.Load(keys)
	if err != nil {
		t.Fatalf("Load(%q): %v", keys, err)
	}
	got := make([]string, len(values))
	for i, v := range values {
		got[i] = string(v)
		if v == nil {
			got[i] = "<none>"
		}
	}
	return got
}

func TestItemsSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "state.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	if err := s.Save([]Item{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}, {Key: "c", Value: []byte("3")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Save([]Item{{Key: "c"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, Options{Path: path, Bucket: "cache"})
	if diff := cmp.Diff([]string{"1", "", "<none>", "<none>"}, load(t, s, "a", "b", "c", "never")); diff != "" {
		t.Errorf("items after reopening (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: got %v, want -rw-------", info.Mode())
	}
}

func TestItemExpiresAtItsTTLAndNotBefore(t *testing.T) {
	c := newClock()
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache", Now: c.now})
	if err := s.Save([]Item{{Key: "k", Value: []byte("v"), TTL: time.Minute}}); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(time.Minute - time.Millisecond)
	if got := load(t, s, "k")[0]; got != "v" {
		t.Errorf("a millisecond before: got %s, want v", got)
	}
	if added, err := s.Add(Item{Key: "k", Value: []byte("w")}); err != nil || added {
		t.Errorf("Add before the item expires: got %v, %v, want false", added, err)
	}
	c.at = c.at.Add(time.Millisecond)
	if got := load(t, s, "k")[0]; got != "<none>" {
		t.Errorf("at its TTL: got %s, want none", got)
	}
	if added, err := s.Add(Item{Key: "k", Value: []byte("w")}); err != nil || !added {
		t.Errorf("Add after the item expired: got %v, %v, want true", added, err)
	}
}

func TestRewrittenItemTakesItsNewTTL(t *testing.T) {
	c := newClock()
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache", Now: c.now})
	for _, it := range []Item{{Key: "k", Value: []byte("1"), TTL: time.Minute}, {Key: "k", Value: []byte("2")}} {
		if err := s.Save([]Item{it}); err != nil {
			t.Fatal(err)
		}
	}
	c.at = c.at.Add(time.Hour)
	if err := s.Save([]Item{{Key: "other", Value: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s, "k")[0]; got != "2" {
		t.Errorf("an item that was written again without TTL: got %s, want 2", got)
	}
}

// TestSlackKeepsTheTimeThatAnItemHas writes an item again and again: it never expires before its TTL, nor later than the slack allows.
func TestSlackKeepsTheTimeThatAnItemHas(t *testing.T) {
	const minute = int64(time.Minute / time.Millisecond)
	it := Item{TTL: 10 * time.Minute, Slack: 5 * time.Minute}
	for _, tc := range []struct{ now, had, want int64 }{
		{now: 0, had: 0, want: 15 * minute},
		{now: 5 * minute, had: 15 * minute, want: 15 * minute},
		{now: 5*minute + 1, had: 15 * minute, want: 20*minute + 1},
		{now: 0, had: 15*minute + 1, want: 15 * minute},
		{now: 0, had: 10*minute - 1, want: 15 * minute},
	} {
		if got := it.expires(tc.now, tc.had); got != tc.want {
			t.Errorf("now %d, had %d: got %d, want %d", tc.now, tc.had, got, tc.want)
		}
	}
	c := newClock()
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache", Now: c.now})
	it.Key, it.Value = "k", []byte("1")
	for range 30 {
		if err := s.Save([]Item{it}); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(10*time.Minute - time.Millisecond)
		if got := load(t, s, "k")[0]; got != "1" {
			t.Fatalf("before its TTL: got %s", got)
		}
		c.at = c.at.Add(-6 * time.Minute)
	}
	c.at = c.at.Add(15 * time.Minute)
	if got := load(t, s, "k")[0]; got != "<none>" {
		t.Errorf("behind its TTL and slack: got %s", got)
	}
}

func TestWritesSweepWhatHasExpired(t *testing.T) {
	c := newClock()
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache", Now: c.now})
	var items []Item
	for i := range sweepLimit + 1 {
		items = append(items, Item{Key: strconv.Itoa(i), Value: []byte("v"), TTL: time.Second})
	}
	if err := s.Save(items); err != nil {
		t.Fatal(err)
	}
	fold(t, s)
	c.at = c.at.Add(time.Second)
	for _, want := range []int{1, 0} {
		if err := s.Save(nil); err != nil {
			t.Fatal(err)
		}
		fold(t, s)
		var got int
		if err := s.file.db.View(func(tx *bbolt.Tx) error {
			got = tx.Bucket(s.values).Stats().KeyN
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("items left in the file: got %d, want %d", got, want)
		}
	}
}

// fold moves what is pending into the database.
func fold(t *testing.T, s *Store) {
	t.Helper()
	s.file.writing.Lock()
	defer s.file.writing.Unlock()
	if err := s.file.fold(write{}); err != nil {
		t.Fatal(err)
	}
}

// TestItemThatExpiresBeforeItIsFoldedIsGone lets items expire in the journal.
func TestItemThatExpiresBeforeItIsFoldedIsGone(t *testing.T) {
	c := newClock()
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache", Now: c.now})
	for _, value := range []string{"stored", "pending"} {
		if err := s.Save([]Item{{Key: "k", Value: []byte(value), TTL: time.Second}}); err != nil {
			t.Fatal(err)
		}
		if value == "stored" {
			fold(t, s)
		}
	}
	c.at = c.at.Add(time.Second)
	if got := load(t, s, "k")[0]; got != "<none>" {
		t.Errorf("at its TTL: got %s, want none", got)
	}
	fold(t, s)
	if err := s.file.db.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket(s.values).Stats().KeyN + tx.Bucket(s.expiry).Stats().KeyN; n != 0 {
			t.Errorf("rows left in the file: got %d, want 0", n)
		}
		return s.verify(tx)
	}); err != nil {
		t.Fatal(err)
	}
}

// TestKeysAndValuesThatCannotBeStoredAreRefusedAtOnce keeps out of the journal what could never be folded.
func TestKeysAndValuesThatCannotBeStoredAreRefusedAtOnce(t *testing.T) {
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache"})
	longest := strings.Repeat("k", bbolt.MaxKeySize)
	for _, tc := range []struct {
		name string
		it   Item
		want error
	}{
		{"the longest key", Item{Key: longest, Value: []byte("v")}, nil},
		{"a longer one", Item{Key: longest + "k", Value: []byte("v")}, bolterrors.ErrKeyTooLarge},
		{"the longest that expires", Item{Key: longest[expiryBytes:], Value: []byte("v"), TTL: time.Hour}, nil},
		{"a longer one that expires", Item{Key: longest[expiryBytes-1:], Value: []byte("v"), TTL: time.Hour}, bolterrors.ErrKeyTooLarge},
	} {
		if err := s.Save([]Item{tc.it}); !errors.Is(err, tc.want) {
			t.Errorf("saving %s: got %v, want %v", tc.name, err, tc.want)
		}
		if _, err := s.Add(tc.it); !errors.Is(err, tc.want) {
			t.Errorf("adding %s: got %v, want %v", tc.name, err, tc.want)
		}
		fold(t, s)
	}
}

// TestLoadIsOfOneMoment writes two keys together and reads them beside that, while the journal is folded again and again.
func TestLoadIsOfOneMoment(t *testing.T) {
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache", NoSync: true, journal: smallestJournal})
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := range 2000 {
			value := []byte(strconv.Itoa(i))
			if err := s.Save([]Item{{Key: "a", Value: value}, {Key: strconv.Itoa(i % 7), Value: value}, {Key: "b", Value: value}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	last := -1
	for range 20_000 {
		values := load(t, s, "a", "b", "never")
		n, _ := strconv.Atoi(strings.ReplaceAll(values[0], "<none>", "-1"))
		if values[0] != values[1] || n < last {
			t.Fatalf("two keys that are written together: got %q and %q behind %d", values[0], values[1], last)
		}
		last = n
	}
	writers.Wait()
}

func TestFailedItemWritesNothingOfItsBatch(t *testing.T) {
	s := openStore(t, Options{Path: filepath.Join(t.TempDir(), "s.db"), Bucket: "cache"})
	if err := s.Save([]Item{{Key: "a", Value: []byte("1")}, {Key: "", Value: []byte("2")}}); !errors.Is(err, bolterrors.ErrKeyRequired) {
		t.Fatalf("Save with an empty key: got %v, want %v", err, bolterrors.ErrKeyRequired)
	}
	if got := load(t, s, "a")[0]; got != "<none>" {
		t.Errorf("the item before the bad one: got %s, want none", got)
	}
}

func TestStoresOfOnePathShareAHandle(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	a := openStore(t, Options{Path: path, Bucket: "cache"})
	b := openStore(t, Options{Path: filepath.Join(dir, ".", "x", "..", "s.db"), Bucket: "cache"})
	other := openStore(t, Options{Path: path, Bucket: "other"})
	if err := a.Save([]Item{{Key: "k", Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if got := load(t, b, "k")[0]; got != "v" {
		t.Errorf("through the second store, the first closed: got %s, want v", got)
	}
	if got := load(t, other, "k")[0]; got != "<none>" {
		t.Errorf("in another bucket: got %s, want none", got)
	}
}

func TestSecondProcessIsToldWhoHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	holder, err := bbolt.Open(path, 0o600, nil) // a lock of its own, as another process has
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Close() })
	if err := os.WriteFile(holderPath(path), []byte("4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Path: path, Bucket: "cache"})
	if !errors.Is(err, bolterrors.ErrTimeout) || !strings.Contains(fmt.Sprint(err), "process with id 4711") {
		t.Errorf("Open of a held file: got %v, want a timeout that names process 4711", err)
	}
}

func TestHolderIsNamedWhileOpenOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	pid, err := os.ReadFile(holderPath(path))
	if err != nil || strings.TrimSpace(string(pid)) != strconv.Itoa(os.Getpid()) {
		t.Errorf("holder: got %q, %v, want %d", pid, err, os.Getpid())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(holderPath(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("holder after closing: got %v, want none", err)
	}
}

func TestDamagedFileIsAnErrorThatSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	s := openStore(t, Options{Path: good, Bucket: "cache"})
	for i := range 200 {
		if err := s.Save([]Item{{Key: strconv.Itoa(i), Value: make([]byte, 1000)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(journalPath(good))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"not a database": []byte(strings.Repeat("hello ", 4000)),
		"cut short":      data[:9000],
		"cut to a page":  data[:4096],
		"metas zeroed":   append(make([]byte, 8192), data[8192:]...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			if err := errors.Join(os.WriteFile(path, content, 0o600), os.WriteFile(journalPath(path), journal, 0o600)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(Options{Path: path, Bucket: "cache"})
			if err == nil || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("Open: got %v, want an error that says to move the file away", err)
			}
		})
	}
}

func TestDamageInsideIsAnErrorAndNoCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	for i := range 200 {
		if err := s.Save([]Item{{Key: strconv.Itoa(i), Value: make([]byte, 1000)}}); err != nil {
			t.Fatal(err)
		}
	}
	fold(t, s)
	if err := s.Save([]Item{{Key: "0", Value: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load([]string{"0", "199"}); err == nil {
		t.Error("Load from a file that was cut under the process: got no error, want one")
	}
	if err := s.Close(); !errors.Is(err, bolterrors.ErrInvalid) {
		t.Errorf("Close of a file that was cut under the process, with writes in its journal: got %v, want %v", err, bolterrors.ErrInvalid)
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path, Bucket: "cache"}); !errors.Is(err, ErrFormat) {
		t.Errorf("Open of another program's database: got %v, want %v", err, ErrFormat)
	}
}

func TestTemporaryStoreIsEmptyAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	path := filepath.Join(t.TempDir(), "never", "s.db")
	a := openStore(t, Options{Path: path, Bucket: "cache", Temporary: true})
	b := openStore(t, Options{Path: path, Bucket: "cache", Temporary: true})
	if err := a.Save([]Item{{Key: "k", Value: make([]byte, 1<<20)}}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, b, "k")[0]; got != "<none>" {
		t.Errorf("in a second temporary store: got %d bytes, want none", len(got))
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path of a temporary store: got %v, want that it was not touched", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
