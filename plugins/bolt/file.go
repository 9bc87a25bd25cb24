package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long Open waits for another process to let go of a file.
const lockTimeout = time.Second

// testCommand is the package of Benthos that runs test cases. It builds the resources of a config for each case,
// never closes them, and gives no other sign of itself than its place on the stack, where caches are opened.
const testCommand = "github.com/redpanda-data/benthos/v4/internal/cli/test."

// underTest is true in a case of the `test` command.
func underTest() bool {
	callers := make([]uintptr, 256)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, testCommand) {
			return true
		}
		if !more {
			return false
		}
	}
}

// file is an open database, shared by the stores of this process that name its path.
type file struct {
	db   *bbolt.DB
	path string // as it is reported
	key  string // in the table of open files; "" for a temporary one
	now  func() time.Time
	refs int // guarded by open.mu

	// writing is held for a write: one at a time, in the order of the journal.
	writing sync.Mutex
	journal *journal // guarded by writing; nil for a temporary file
	// lost is why a transaction never ended; bbolt waits for it for ever. Guarded by writing.
	lost error
	// mu is held to change pending, which only happens while writing is held, too.
	mu      sync.RWMutex
	pending pending
}

// open is the table of files that this process holds.
var open = struct {
	mu    sync.Mutex
	files map[string]*file
}{files: map[string]*file{}}

func openFile(o Options) (*file, error) {
	if o.Temporary {
		return openTemporary(o)
	}
	key, err := canonical(o.Path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", o.Path, err)
	}
	open.mu.Lock()
	defer open.mu.Unlock()
	if f := open.files[key]; f != nil {
		f.refs++
		return f, nil
	}
	db, err := openNewDB(key, o.NoSync, cmp.Or(o.whole, wholeBytes))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", o.Path, explain(key, err))
	}
	f := &file{db: db, path: o.Path, key: key, now: o.Now, refs: 1, pending: pending{}}
	if err := f.begin(o); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", o.Path, explain(key, err)), f.close())
	}
	// The id is only for the message that another process shows; without it the lock works as well.
	_ = os.WriteFile(holderPath(key), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	open.files[key] = f
	return f, nil
}

// canonical makes the directory of path and gives the one name under which the file is known in this process.
func canonical(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(abs)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making its directory: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	key := filepath.Join(dir, filepath.Base(abs))
	if target, err := filepath.EvalSymlinks(key); err == nil {
		return target, nil
	}
	return key, nil
}

// openNewDB opens a database and makes it where there is none. It is made under another name and appears whole, so that a file
// without content is never one that was just begun: it has lost what was in it.
func openNewDB(path string, noSync bool, whole int64) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(journalPath(path)); !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("%w: the file is not there, and its journal is", ErrJournal), err)
		}
		if err := create(path, noSync); err != nil {
			return nil, err
		}
	case err == nil && info.Size() == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	// While it is open for reading nobody else writes to it.
	reading, err := openDB(path, bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkPages(path, info == nil || info.Size() <= whole), reading.Close()); err != nil {
		return nil, err
	}
	return openDB(path, writing(noSync))
}

// create makes an empty database at path, unless somebody else has made one meanwhile.
func create(path string, noSync bool) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays behind is empty, and harms nobody
	fresh := filepath.Join(dir, "state.db")
	db, err := openDB(fresh, writing(noSync))
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := os.Link(fresh, path); err != nil && !errors.Is(err, fs.ErrExist) {
		// Not every file system has links; there the last of two that begin at the same moment wins, before anything was saved.
		return os.Rename(fresh, path)
	}
	return nil
}

// writing gives the options by which a database is written to.
func writing(noSync bool) bbolt.Options {
	return bbolt.Options{Timeout: lockTimeout, NoSync: noSync, FreelistType: bbolt.FreelistMapType}
}

func openDB(path string, o bbolt.Options) (db *bbolt.DB, err error) {
	err = guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	return db, err
}

// guard turns what a damaged file makes of bbolt, panics and faults in its mapped pages, into errors.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the file is damaged: %v", bolterrors.ErrInvalid, r)
		}
	}()
	return fn()
}

func (f *file) view(fn func(*bbolt.Tx) error) error {
	return guard(func() error { return f.db.View(fn) })
}

// update changes the database. Whoever calls it holds f.writing.
func (f *file) update(fn func(*bbolt.Tx) error) error {
	if f.lost != nil {
		return f.lost
	}
	ended := false
	err := guard(func() (err error) {
		err = f.db.Update(fn)
		ended = true
		return err
	})
	if !ended {
		f.lost = err
	}
	return err
}

func holderPath(path string) string { return path + ".pid" }

// explain says what a person can do about err.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		holder := "another process"
		if pid, e := os.ReadFile(holderPath(path)); e == nil {
			holder = "the process with id " + strings.TrimSpace(string(pid))
		}
		return fmt.Errorf("%s holds it (%w): stop that one, or give each its own path", holder, err)
	case errors.Is(err, ErrJournal):
		return fmt.Errorf("put back the two that were written together, or move both away, the file and %s, to begin with an empty one, "+
			"then the inputs read again from their `start`: %w", journalPath(path), err)
	case errors.Is(err, ErrDamaged), errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch),
		strings.Contains(err.Error(), "file size too small"):
		return fmt.Errorf("the file is damaged, or no state store; move it away, with %s, to begin with an empty one, "+
			"then the inputs read again from their `start`: %w", journalPath(path), err)
	case errors.Is(err, ErrFormat):
		return fmt.Errorf("use the program that wrote it, or move it away to begin with an empty one, "+
			"then the inputs read again from their `start`: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not read and write it: %w", err)
	}
	return err
}

func openTemporary(o Options) (*file, error) {
	dir, err := os.MkdirTemp("", "benthos-oci-state-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary store: %w", err)
	}
	path := filepath.Join(dir, "state.db")
	db, err := openDB(path, writing(true))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a temporary store: %w", err), os.RemoveAll(dir))
	}
	// An open file lives on without its name, so nothing is left behind however the process ends.
	// Where the system does not allow that, the directory stays until it is cleaned.
	_ = os.RemoveAll(dir)
	f := &file{db: db, path: path, now: o.Now, refs: 1, pending: pending{}}
	if err := f.describe(); err != nil {
		return nil, errors.Join(fmt.Errorf("making a temporary store: %w", err), f.close())
	}
	return f, nil
}

// release closes the file once all its stores have let go; what is pending is folded first where fold says so.
func (f *file) release(fold bool) error {
	open.mu.Lock()
	defer open.mu.Unlock()
	f.refs--
	if f.refs > 0 {
		return nil
	}
	if f.key != "" {
		delete(open.files, f.key)
		_ = os.Remove(holderPath(f.key))
	}
	var err error
	f.writing.Lock()
	defer f.writing.Unlock()
	if fold && len(f.pending) > 0 {
		err = f.fold(write{})
	}
	if err = errors.Join(err, f.close()); err != nil {
		return fmt.Errorf("closing %s: %w", f.path, err)
	}
	return nil
}

func (f *file) close() error {
	var err error
	if f.journal != nil {
		err = f.journal.close()
	}
	if f.lost != nil {
		return err
	}
	return errors.Join(err, f.db.Close())
}
