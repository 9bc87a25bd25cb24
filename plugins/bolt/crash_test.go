package bolt

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bbolt "go.etcd.io/bbolt"

	"benthos-oci/tests/faults"
)

// writesTo names the variable that makes this test binary a process which only writes: two items in each write, the same in both.
const writesTo = "BOLT_WRITES_TO"

// hasWritten is what it says after its first write.
const hasWritten = "has written"

// TestWriterThatIsKilled is that process; by itself it is no test.
func TestWriterThatIsKilled(t *testing.T) {
	path := os.Getenv(writesTo)
	if path == "" {
		return
	}
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	n := position(t, s)
	first := n + 1
	for {
		if n == first {
			fmt.Println(hasWritten)
		}
		n++
		text := fmt.Sprintf("%d %s", n, make([]byte, n*997%20_000))
		if err := s.Save([]Item{{Key: "cursor", Value: []byte(text)}, {Key: "ids", Value: []byte(text)}}); err != nil {
			t.Fatal(err)
		}
	}
}

// position is the number of the last write; what belongs together must be of the same.
func position(t *testing.T, s *Store) int {
	t.Helper()
	values, err := s.Load([]string{"cursor", "ids"})
	if err != nil {
		t.Fatal(err)
	}
	if string(values[0]) != string(values[1]) {
		t.Fatalf("the two items of one write differ: %.20q and %.20q", values[0], values[1])
	}
	n := 0
	if values[0] != nil {
		if _, err := fmt.Sscan(string(values[0]), &n); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestKillInAWriteLeavesTheStateBeforeOrAfterIt kills a writer at random points, BOLT_KILLS times.
func TestKillInAWriteLeavesTheStateBeforeOrAfterIt(t *testing.T) {
	kills := 12
	if text := os.Getenv("BOLT_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s.db")
	random := rand.New(rand.NewPCG(5, 6))
	last, readable := 0, 0
	for kill := range kills {
		cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestWriterThatIsKilled$")
		cmd.Env = append(os.Environ(), writesTo+"="+path)
		said, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(said)
		for lines.Scan() && lines.Text() != hasWritten {
			t.Logf("the writer says %q", lines.Text())
		}
		time.Sleep(time.Duration(random.Int64N(int64(100 * time.Millisecond))))
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("the writer ended by itself: %v", err)
		}
		s := openStore(t, Options{Path: path, Bucket: "cache"})
		now := position(t, s)
		if now < last {
			t.Errorf("after kill %d the state is that of write %d, and it was at %d before", kill, now, last)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		last, readable = now, readable+1
	}
	if last == 0 {
		t.Fatal("nothing was written before the kills: the test shows nothing")
	}
	faults.Measured(t, "kills in a write", "%d kills within %d writes: readable after %d, always the state before or after a write", kills, last, readable)
}

// TestFileOfTheFormatBeforeIsTakenOver opens a file as the version before wrote it: its items are there, and it has a journal from then on.
func TestFileOfTheFormatBeforeIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	formatTwo(t, path)
	for round := range 2 {
		s, err := Open(Options{Path: path, Bucket: "cache"})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if diff := cmp.Diff([]string{"value a", "value b", "<none>"}, load(t, s, "a", "b", "c")); diff != "" {
			t.Errorf("round %d: items (-want +got):\n%s", round, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(journalPath(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path, Bucket: "cache"}); !errors.Is(err, ErrJournal) {
		t.Errorf("without the journal that it got: got %v, want %v", err, ErrJournal)
	}
}

// TestFileOfTheFormatBeforeWithDamageIsRefused takes an item out of one.
func TestFileOfTheFormatBeforeWithDamageIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	formatTwo(t, path)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("values/cache")).Delete([]byte("a")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path, Bucket: "cache"}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want %v", err, ErrDamaged)
	}
}

// formatTwo writes a file of the format before, with two items, as that version did.
func formatTwo(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("benthos-oci"))
		if err != nil {
			return err
		}
		values, err := tx.CreateBucket([]byte("values/cache"))
		if err != nil {
			return err
		}
		expiry, err := tx.CreateBucket([]byte("expiry/cache"))
		if err != nil {
			return err
		}
		expires := binary.BigEndian.AppendUint64(nil, 1<<50)
		var sum uint64
		put := func(key string, expires []byte) error {
			stored := crc32.Update(crc32.Update(crc32.Update(0, castagnoli, []byte(key)), castagnoli, expires), castagnoli, []byte("value "+key))
			sum += uint64(stored)
			return values.Put([]byte(key), append(binary.BigEndian.AppendUint32(bytes.Clone(expires), stored), "value "+key...))
		}
		err = errors.Join(put("a", make([]byte, 8)), put("b", expires), expiry.Put(append(expires, 'b'), nil), meta.Put([]byte("format"), []byte{2}))
		return errors.Join(err, meta.Put([]byte("values/cache"), binary.BigEndian.AppendUint64([]byte{0, 0, 0, 0, 0, 0, 0, 2}, sum)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOtherFormatsAreRefused(t *testing.T) {
	for _, other := range []byte{formatWithoutJournal - 1, formatWithoutJournal, format + 1} {
		path := filepath.Join(t.TempDir(), "s.db")
		if err := openStore(t, Options{Path: path, Bucket: "cache"}).Close(); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(metaBucket)).Put([]byte("format"), []byte{other}) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Path: path, Bucket: "cache"}); !errors.Is(err, ErrFormat) {
			t.Errorf("a file of format %d: got %v, want %v", other, err, ErrFormat)
		}
	}
}
