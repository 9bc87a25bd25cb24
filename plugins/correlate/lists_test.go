package correlate

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

func TestListIsReadAgainWhenItsFileChanges(t *testing.T) {
	path := write(t, t.TempDir(), "admins.txt", "alice\n")
	l, err := newLists(map[string]string{"admins": path}, service.MockResources())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if _, changed := l.refresh(now); changed {
		t.Error("nothing changed: got a change")
	}
	write(t, filepath.Dir(path), "admins.txt", "alice\nbob\n")
	if _, changed := l.refresh(now.Add(listInterval - time.Millisecond)); changed {
		t.Error("before the interval: got a change, want that the file was not looked at")
	}
	now = now.Add(listInterval)
	lists, changed := l.refresh(now)
	if !changed || lists["admins"].Len() != 2 {
		t.Errorf("after the change: got %d values, changed %v, want 2, true", lists["admins"].Len(), changed)
	}

	write(t, filepath.Dir(path), "admins.txt", "\xff\n")
	now = now.Add(listInterval)
	if _, changed := l.refresh(now); changed || l.current()["admins"].Len() != 2 {
		t.Errorf("a list that cannot be read: got %d values, changed %v, want the last good 2", l.current()["admins"].Len(), changed)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(listInterval)
	if _, changed := l.refresh(now); changed {
		t.Error("the file is gone: got a change, want the last good list")
	}
	write(t, filepath.Dir(path), "admins.txt", "carol\n")
	now = now.Add(listInterval)
	if lists, changed := l.refresh(now); !changed || lists["admins"].Len() != 1 {
		t.Errorf("the file is back: got %d values, changed %v, want 1, true", lists["admins"].Len(), changed)
	}
}
