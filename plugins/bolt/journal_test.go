package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// set writes one item.
func set(t *testing.T, s *Store, key, value string) {
	t.Helper()
	if err := s.Save([]Item{{Key: key, Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
}

func TestFileAndJournalThatDoNotBelongTogetherAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	set(t, s, "a", "1")
	first := taken(t, path)
	fold(t, s)
	folded := taken(t, path)
	set(t, s, "a", "2")
	killed := taken(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closed := taken(t, path)
	other := filepath.Join(t.TempDir(), "s.db")
	s = openStore(t, Options{Path: other, Bucket: "cache"})
	set(t, s, "a", "other")
	foreign := taken(t, other)
	for _, tc := range []struct {
		name string
		files
		want string
	}{
		{"no file, after a kill", files{nil, killed.journal}, "the file is not there, and its journal is"},
		{"no file, closed", files{nil, closed.journal}, "the file is not there, and its journal is"},
		{"no journal, after a kill", files{killed.db, nil}, "is not there, and with it the last writes"},
		{"no journal, closed", files{closed.db, nil}, "is not there, and with it the last writes"},
		{"empty file", files{[]byte{}, killed.journal}, "it is empty"},
		{"empty journal", files{killed.db, []byte{}}, "cut short"},
		{"journal of another file", files{killed.db, foreign.journal}, "the journal is that of another file"},
		{"older journal", files{closed.db, folded.journal}, "the journal ends with write 1, and the file has them up to 2"},
		{"journal from before the last fold", files{closed.db, first.journal}, "the journal ends with write 1, and the file has them up to 2"},
		{"older file", files{folded.db, closed.journal}, "the journal begins behind write 2, and the file ends with write 1"},
		{"file from before the first fold", files{first.db, killed.journal}, "the journal begins behind write 1, and the file ends with write 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := tc.put(t)
			_, err := Open(Options{Path: path, Bucket: "cache"})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "move") || !strings.Contains(err.Error(), journalPath(path)) {
				t.Errorf("got %v\nwant %s, and that both are to be moved away", err, tc.want)
			}
			if _, err := Open(Options{Path: path, Bucket: "cache"}); err == nil {
				t.Error("it was opened the second time")
			}
		})
	}
}

// TestKillBetweenFoldAndRestartIsHarmless kills the process when the database has what is in the journal, and the journal does not know yet.
func TestKillBetweenFoldAndRestartIsHarmless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	set(t, s, "a", "1")
	set(t, s, "a", "2")
	before := taken(t, path)
	fold(t, s)
	between := files{taken(t, path).db, before.journal}
	s = openStore(t, Options{Path: between.put(t), Bucket: "cache"})
	if n := len(s.file.pending); n > 0 {
		t.Errorf("%d buckets are pending, want none: all is in the database", n)
	}
	set(t, s, "b", "3")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, Options{Path: s.file.key, Bucket: "cache"})
	if got := load(t, s, "a", "b"); got[0] != "2" || got[1] != "3" {
		t.Errorf("got %q, want 2 and 3", got)
	}
}

// TestWriteThatNeverReturnedIsDropped cuts the power in the last write, so that only some of its pages are on the disk.
func TestWriteThatNeverReturnedIsDropped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	set(t, s, "a", "1")
	before := taken(t, path)
	set(t, s, "a", strings.Repeat("2", 3*block+100))
	after := taken(t, path)
	const pages = 4
	for there := range 1 << pages {
		torn := files{after.db, bytes.Clone(before.journal)}
		for page := range pages {
			if from := (2 + page) * block; there&(1<<page) != 0 {
				copy(torn.journal[from:from+block], after.journal[from:])
			}
		}
		s := openStore(t, Options{Path: torn.put(t), Bucket: "cache"})
		want := "1"
		if there == 1<<pages-1 {
			want = strings.Repeat("2", 3*block+100)
		}
		if got := load(t, s, "a")[0]; got != want {
			t.Errorf("pages %04b of the last write: got %.10s, want %.10s", there, got, want)
		}
		set(t, s, "a", "3")
		set(t, s, "b", "4")
		again := openStore(t, Options{Path: taken(t, s.file.key).put(t), Bucket: "cache"})
		if got := load(t, again, "a", "b"); got[0] != "3" || got[1] != "4" {
			t.Errorf("pages %04b of the last write, then two more and a kill: got %.10q, want 3 and 4", there, got)
		}
		if err := errors.Join(s.Close(), again.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestDamagedWriteWithLaterOnesIsRefused takes each write but the last.
func TestDamagedWriteWithLaterOnesIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	const writes = 5
	for i := range writes {
		set(t, s, "a", strconv.Itoa(i))
	}
	for i := range writes - 1 {
		damaged := taken(t, path)
		clear(damaged.journal[(1+i)*block : (2+i)*block])
		_, err := Open(Options{Path: damaged.put(t), Bucket: "cache"})
		if !errors.Is(err, ErrDamaged) || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("write %d in its journal", i+1)) {
			t.Errorf("without write %d of %d: got %v, want %v", i+1, writes, err, ErrDamaged)
		}
	}
}

// TestWriteThatIsMissingIsDamage reads a journal in which a number follows that is not the next.
func TestWriteThatIsMissingIsDamage(t *testing.T) {
	of := tie{id: journalID{1}, folded: 7, size: 4 * block}
	w := write{bucket: "cache", items: []pendingItem{{key: "a", value: []byte("1")}}}
	for _, tc := range []struct {
		numbers []uint64
		want    error
		writes  int
	}{
		{[]uint64{6, 7}, nil, 0},
		{[]uint64{6, 7, 8}, nil, 1},
		{[]uint64{6, 7, 4}, nil, 0}, // from before the journal began again
		{[]uint64{6, 8}, ErrJournal, 0},
		{[]uint64{6, 7, 9}, ErrDamaged, 0},
		{[]uint64{7}, ErrJournal, 0},
	} {
		data := journalStart(of.id, 5)
		for _, n := range tc.numbers {
			data = append(data, w.record(of.id, n)...)
		}
		held, err := readJournal(append(data, make([]byte, 4*block)...), of)
		if !errors.Is(err, tc.want) || len(held.writes) != tc.writes && err == nil {
			t.Errorf("writes %v behind the fifth, with 7 in the file: got %d, %v, want %d, %v", tc.numbers, len(held.writes), err, tc.writes, tc.want)
		}
	}
}

// TestValueIsNeverTakenForAWrite saves the journal of one store in another, where its records begin at blocks, too.
func TestValueIsNeverTakenForAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	for i := range 12 {
		set(t, s, "a", strconv.Itoa(i))
	}
	records := string(taken(t, path).journal[block : 13*block])
	other := openStore(t, Options{Path: filepath.Join(t.TempDir(), "o.db"), Bucket: "cache", journal: 1 << 20})
	set(t, other, "large", string(make([]byte, 100_000))) // so that there is room
	before := other.file.journal.at
	w := write{bucket: "cache", items: []pendingItem{{key: "theirs", value: []byte(records)}}}
	at := bytes.Index(w.record(journalID{}, 1), []byte(records))
	set(t, other, "theirs", string(make([]byte, block-at))+records)
	killed := taken(t, other.file.key)
	if !bytes.Equal(killed.journal[before+block:][:block], []byte(records[:block])) {
		t.Fatal("the records of the value do not begin at a block: the test shows nothing")
	}
	clear(killed.journal[before : before+block]) // as if this page of the last write had not reached the disk
	again, err := Open(Options{Path: killed.put(t), Bucket: "cache"})
	if err != nil {
		t.Fatalf("what a value holds was taken for later writes: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStoresOfOnePathWriteIntoOneJournal kills a process that has written to two buckets in turns.
func TestStoresOfOnePathWriteIntoOneJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	a := openStore(t, Options{Path: path, Bucket: "a"})
	b := openStore(t, Options{Path: path, Bucket: "b"})
	for i := range 5 {
		set(t, a, "k", fmt.Sprint("a", i))
		set(t, b, "k", fmt.Sprint("b", i))
	}
	killed := taken(t, path).put(t)
	for bucket, want := range map[string]string{"a": "a4", "b": "b4", "c": "<none>"} {
		if got := load(t, openStore(t, Options{Path: killed, Bucket: bucket}), "k")[0]; got != want {
			t.Errorf("bucket %s: got %s, want %s", bucket, got, want)
		}
	}
}

// failing is a disk that fails for a while.
type failing struct{ err error }

func (f *failing) sync(*os.File) error { return f.err }

// TestFailedWriteIsNotThereAndLaterOnesAre lets the disk fail: the write is an error and not to be seen, and so is each one until the disk
// works again; a kill at any time leaves all that returned, and nothing else but the write that failed first.
func TestFailedWriteIsNotThereAndLaterOnesAre(t *testing.T) {
	for name, breaks := range map[string]func(*Store, *failing){
		"fsync": func(_ *Store, f *failing) { f.err = syscall.EIO },
		"write": func(s *Store, f *failing) { f.err = syscall.EIO; _ = s.file.journal.file.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			var disk failing
			s := openStore(t, Options{Path: path, Bucket: "cache", sync: disk.sync})
			set(t, s, "a", "1")
			breaks(s, &disk)
			for i := range 3 {
				if err := s.Save([]Item{{Key: "a", Value: []byte("failed")}, {Key: fmt.Sprint("failed", i), Value: []byte("x")}}); err == nil {
					t.Fatal("no error of a disk that fails")
				}
				if got := load(t, s, "a", fmt.Sprint("failed", i)); got[0] != "1" || got[1] != "<none>" {
					t.Errorf("after failure %d: got %q, want 1 and none", i, got)
				}
				killed := openStore(t, Options{Path: taken(t, path).put(t), Bucket: "cache"})
				if got := load(t, killed, "a", "failed0", "failed1"); got[0] != "1" && got[1] != "x" || got[2] != "<none>" {
					t.Errorf("after failure %d and a kill: got %q, want the state before or after the write that failed first", i, got)
				}
				if err := killed.Close(); err != nil {
					t.Error(err)
				}
			}
			disk.err = nil
			set(t, s, "b", "2")
			killed := openStore(t, Options{Path: taken(t, path).put(t), Bucket: "cache"})
			for what, s := range map[string]*Store{"itself": s, "what a kill leaves of it": killed} {
				if got := load(t, s, "a", "b", "failed0"); got[0] != "1" || got[1] != "2" || got[2] != "<none>" {
					t.Errorf("after the disk works again, %s: got %q, want 1, 2 and none", what, got)
				}
			}
		})
	}
}

// TestJournalThatCannotBeginAgainLosesNothing fails when the journal is to begin again after a fold.
func TestJournalThatCannotBeginAgainLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	var disk failing
	s := openStore(t, Options{Path: path, Bucket: "cache", sync: disk.sync})
	set(t, s, "a", "1")
	disk.err = syscall.EIO
	fold(t, s)
	if err := s.Save([]Item{{Key: "a", Value: []byte("2")}}); !errors.Is(err, syscall.EIO) {
		t.Errorf("without a journal: got %v, want %v", err, syscall.EIO)
	}
	disk.err = nil
	set(t, s, "b", "3")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := load(t, openStore(t, Options{Path: path, Bucket: "cache"}), "a", "b"); got[0] != "1" || got[1] != "3" {
		t.Errorf("got %q, want 1 and 3", got)
	}
}

// TestKillWhileAFileBeginsIsHarmless takes the files at each point at which the first process waits for the disk.
func TestKillWhileAFileBeginsIsHarmless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	var points []files
	point := func(*os.File) error {
		var f files
		f.db, _ = os.ReadFile(path)
		f.journal, _ = os.ReadFile(journalPath(path)) // not there at first
		points = append(points, f)
		return nil
	}
	s := openStore(t, Options{Path: path, Bucket: "cache", sync: point})
	set(t, s, "a", "1")
	if len(points) < 3 {
		t.Fatalf("%d points: the test shows nothing", len(points))
	}
	for i, f := range points[:len(points)-1] { // at the last the write is in the journal
		s, err := Open(Options{Path: f.put(t), Bucket: "cache"})
		if err != nil {
			t.Errorf("point %d: %v", i, err)
			continue
		}
		if got := load(t, s, "a")[0]; got != "<none>" {
			t.Errorf("point %d: got %s, want none", i, got)
		}
		set(t, s, "a", "2")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	f := points[len(points)-2]
	if f.journal == nil {
		t.Fatal("the journal was never there without the database naming it")
	}
	used := files{f.db, taken(t, path).journal}
	if _, err := Open(Options{Path: used.put(t), Bucket: "cache"}); !errors.Is(err, ErrJournal) {
		t.Errorf("a new file beside a journal with writes: got %v, want %v", err, ErrJournal)
	}
}

// TestJournalGrowsToItsBoundAndNotBeyond writes much more than the journal may hold, and one value larger than it.
func TestJournalGrowsToItsBoundAndNotBeyond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	const most = 4 * smallestJournal
	s := openStore(t, Options{Path: path, Bucket: "cache", journal: most})
	want := map[string]string{}
	for i := range 300 {
		key, value := strconv.Itoa(i%40), strings.Repeat(fmt.Sprint(i, " "), i*7)
		set(t, s, key, value)
		want[key] = value
		if i%50 == 49 {
			want["large"] = strings.Repeat(fmt.Sprint(i, " "), most)
			set(t, s, "large", want["large"])
		}
	}
	info, err := os.Stat(journalPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != most {
		t.Errorf("size of the journal: got %d, want %d", info.Size(), most)
	}
	killed := openStore(t, Options{Path: taken(t, path).put(t), Bucket: "cache"})
	for key, value := range want {
		if got := load(t, killed, key)[0]; got != value {
			t.Errorf("key %s: got %.20q, want %.20q", key, got, value)
		}
	}
}
