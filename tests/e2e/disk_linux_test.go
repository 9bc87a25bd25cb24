package e2e

import (
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
)

// fullAt names the variable that holds the size in bytes beyond which no file of the program can grow: a disk that is full.
const fullAt = "E2E_FULL_AT"

func init() {
	text := os.Getenv(fullAt)
	if text == "" || os.Getenv(asProgram) == "" {
		return
	}
	n, err := strconv.ParseUint(text, 10, 64)
	must(err)
	signal.Ignore(syscall.SIGXFSZ) // so that writing fails with an error
	must(limitFiles(0, n))
}

const unlimited = 1 << 40

// limitFiles says how large files of a process may become; 0 is this one.
func limitFiles(pid int, bytes uint64) error {
	limit := syscall.Rlimit{Cur: bytes, Max: ^uint64(0)}
	_, _, failed := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if failed != 0 {
		return failed
	}
	return nil
}

// TestDiskThatIsFullLosesNothing lets the state file grow no further for a while.
func TestDiskThatIsFullLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ocisim.Config) { c.Events, c.Compartments = 12_000, 5 })
	taken := newIntake(t)
	state := filepath.Join(t.TempDir(), "state.db")
	doc := pipeline{inputs: []map[string]any{w.input("oci_audit", 0)}, output: taken.output(), state: state}
	const some = 1000
	gate := make(chan struct{}) // the rest is served once the disk is full
	var open sync.Once
	defer open.Do(func() { close(gate) })
	w.put(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if taken.count() >= some {
				<-gate
			}
			next.ServeHTTP(out, r)
		})
	})
	p := command(t, []string{fullAt + "=" + strconv.FormatUint(unlimited, 10)}, "run", configure(t, doc.yaml(t)))
	eventually(t, soon, "some of the events", func() bool { return taken.count() >= some })
	// No page but the first four can be written.
	if err := limitFiles(p.cmd.Process.Pid, 16<<10); err != nil {
		t.Fatal(err)
	}
	open.Do(func() { close(gate) })
	eventually(t, soon, "the program saying that the position cannot be saved", func() bool {
		return strings.Contains(p.log.String(), "saving the position")
	})
	time.Sleep(time.Second)
	if n := strings.Count(p.log.String(), "saving the position"); n > 3 {
		t.Errorf("the program says %d times that the position cannot be saved, want it once a cause:\n%s", n, tail(p.log.String(), 20))
	}
	before := taken.count()
	if before == len(w.auditIDs()) {
		t.Fatal("everything was delivered before there was room: the test shows nothing")
	}
	if err := limitFiles(p.cmd.Process.Pid, unlimited); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	p.finish(t, soon)
	checkNoneMissing(t, w.auditIDs(), taken.ids)
	checkOnce(t, taken.ids)
	faults.Measured(t, "disk full", "%d of %d events delivered while the state could not be saved; done %.0f s after there was room: none missing, none twice",
		before, len(w.auditIDs()), time.Since(freed).Seconds())
}
