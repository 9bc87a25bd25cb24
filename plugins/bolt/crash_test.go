package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"benthos-oci/tests/faults"
)

// writesTo names the variable that makes this test binary a process which only writes: two items in each write, the same in both.
const writesTo = "BOLT_WRITES_TO"

// TestWriterThatIsKilled is that process; by itself it is no test.
func TestWriterThatIsKilled(t *testing.T) {
	path := os.Getenv(writesTo)
	if path == "" {
		return
	}
	s := openStore(t, Options{Path: path, Bucket: "cache"})
	n := position(t, s)
	for {
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
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond+time.Duration(random.Int64N(int64(60*time.Millisecond))))
		cmd := exec.CommandContext(ctx, self, "-test.run", "^TestWriterThatIsKilled$")
		cmd.Env = append(os.Environ(), writesTo+"="+path)
		out, err := cmd.CombinedOutput()
		killed := ctx.Err() != nil
		stop()
		if !killed {
			t.Fatalf("the writer ended by itself: %v\n%s", err, out)
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

func TestOtherFormatsAreRefused(t *testing.T) {
	for _, other := range []byte{format - 1, format + 1} {
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
