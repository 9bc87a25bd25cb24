package bolt

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	bbolt "go.etcd.io/bbolt"
)

// wholeBytes is how large a file may be to be read whole before it is used. The state of a million keys is a thousand times as much:
// the items of a larger file are read while it is used, so that the first event need not wait for the last item.
// Each item that is loaded is checked in any case.
const wholeBytes = 64 << 20

// watch reads a store while it is used.
type watch struct {
	stop    atomic.Bool
	done    sync.WaitGroup
	trouble atomic.Pointer[error]
}

var errStopped = errors.New("the store is closed")

// tooLarge says whether the file is too large to be read whole first.
func (s *Store) tooLarge() bool {
	info, err := os.Stat(s.file.db.Path())
	return err == nil && info.Size() > s.whole
}

// verifyMeanwhile reads everything beside the writes that go on. What it finds is the error of all that is asked for afterwards.
func (s *Store) verifyMeanwhile() {
	s.watch.done.Go(func() {
		err := s.file.view(func(tx *bbolt.Tx) error {
			// What tx can see stays where it is as long as tx is open.
			return errors.Join(checkPages(s.file.db.Path(), true), s.verify(tx))
		})
		if err != nil && !errors.Is(err, errStopped) {
			err = explain(s.file.path, err)
			s.watch.trouble.Store(&err)
		}
	})
}

// found gives what verifyMeanwhile has found so far.
func (s *Store) found() error {
	if trouble := s.watch.trouble.Load(); trouble != nil {
		return fmt.Errorf("reading all of it: %w", *trouble)
	}
	return nil
}

// end stops the reading: a file cannot be closed meanwhile.
func (s *Store) end() {
	s.watch.stop.Store(true)
	s.watch.done.Wait()
}
