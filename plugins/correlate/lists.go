package correlate

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/match"
)

const (
	// listInterval is how often list files are looked at, while messages come.
	listInterval = 3 * time.Second
	// maxListBytes bounds a list file.
	maxListBytes = 64 << 20
)

// lists are the list files of a correlator; they are read again when they change.
type lists struct {
	fs  *service.FS
	log *service.Logger

	mu     sync.Mutex // guards what follows
	looked time.Time
	files  map[string]*listFile // by the name of the list
}

type listFile struct {
	path     string
	modified time.Time
	size     int64
	list     match.List
	broken   string // the last complaint, so that it is made once
}

func newLists(paths map[string]string, res *service.Resources) (*lists, error) {
	l := &lists{fs: res.FS(), log: res.Logger(), files: map[string]*listFile{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		f := &listFile{path: paths[name]}
		l.files[name] = f
		if _, err := l.read(f); err != nil {
			errs = append(errs, err)
		}
	}
	return l, errors.Join(errs...)
}

// read reads the file where it differs from what was read before.
func (l *lists) read(f *listFile) (changed bool, err error) {
	info, err := l.fs.Stat(f.path)
	if err != nil {
		return false, fmt.Errorf("reading list %s: %w", f.path, err)
	}
	if info.ModTime().Equal(f.modified) && info.Size() == f.size && !f.modified.IsZero() {
		return false, nil
	}
	file, err := l.fs.Open(f.path)
	if err != nil {
		return false, fmt.Errorf("reading list %s: %w", f.path, err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxListBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return false, fmt.Errorf("reading list %s: %w", f.path, err)
	}
	list, err := match.ParseList(f.path, data)
	if err != nil {
		return false, err
	}
	f.list, f.modified, f.size = list, info.ModTime(), info.Size()
	return true, nil
}

// current gives all lists by name.
func (l *lists) current() map[string]match.List {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot()
}

func (l *lists) snapshot() map[string]match.List {
	all := make(map[string]match.List, len(l.files))
	for name, f := range l.files {
		all[name] = f.list
	}
	return all
}

// refresh looks at the files once in a while and gives all lists when one of them has changed.
// A file that cannot be read keeps its last good list, and is complained of once.
func (l *lists) refresh(now time.Time) (map[string]match.List, bool) {
	if len(l.files) == 0 || !l.mu.TryLock() {
		return nil, false // another thread looks
	}
	defer l.mu.Unlock()
	if now.Sub(l.looked) < listInterval {
		return nil, false
	}
	l.looked = now
	some := false
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		f := l.files[name]
		changed, err := l.read(f)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				f.modified = time.Time{} // whatever comes back is new
			}
			if f.broken != err.Error() {
				f.broken = err.Error()
				l.log.Errorf("Keeping the last good list %s: %v", name, err)
			}
			continue
		}
		f.broken = ""
		some = some || changed
		if changed {
			l.log.Infof("Read list %s again: %d values", name, f.list.Len())
		}
	}
	if !some {
		return nil, false
	}
	return l.snapshot(), true
}
