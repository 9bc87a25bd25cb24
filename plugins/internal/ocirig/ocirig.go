// Package ocirig is what the tests of the inputs share: a disk that outlives processes, a process that can be killed, and its log.
//
// It stands beside the data's way, under tests only:
//
//	disk, log := ocirig.NewDisk(), &ocirig.Lines{}
//	res, handle := disk.Process(t, log) // the cache resource "state" is on the disk
//	handle.Kill()                       // nothing of this process is saved any more
package ocirig

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Lines keeps what is logged.
type Lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // mu
}

// Write takes what is logged.
func (l *Lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// String gives all that was logged.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Count is the number of lines that hold a text.
func (l *Lines) Count(text string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Logger is a log that is kept here.
func (l *Lines) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Disk is what is left when a process ends. It fails on demand.
type Disk struct {
	mu    sync.Mutex
	items map[string][]byte // mu
	fail  bool              // mu
}

// NewDisk gives an empty disk.
func NewDisk() *Disk { return &Disk{items: map[string][]byte{}} }

// Keys are the keys of all items, in order.
func (d *Disk) Keys() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.items))
}

// Item is the value of a key, nil where there is none.
func (d *Disk) Item(key string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.items[key]
}

// Put writes an item past all processes; a nil value takes it away.
func (d *Disk) Put(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if value == nil {
		delete(d.items, key)
		return
	}
	d.items[key] = value
}

// Down makes every access fail, until it is told otherwise.
func (d *Disk) Down(fail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// Process gives the resources of a new process, whose cache "state" is on the disk.
func (d *Disk) Process(t testing.TB, log *Lines) (*service.Resources, *Handle) {
	t.Helper()
	h := &Handle{disk: d}
	env := service.GlobalEnvironment().Clone()
	if err := env.RegisterCache("disk", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Cache, error) { return h, nil }); err != nil {
		t.Fatal(err)
	}
	builder := env.NewResourceBuilder()
	builder.SetLogger(log.Logger())
	if err := builder.AddCacheYAML("label: state\ndisk: {}"); err != nil {
		t.Fatal(err)
	}
	res, stop, err := builder.BuildSuspended()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if err := stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return res, h
}

// Handle is a process's access to the disk: a cache of Benthos.
type Handle struct {
	disk *Disk
	dead bool // mu of the disk
}

// Kill makes the process one of which nothing is written any more.
func (h *Handle) Kill() {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.dead = true
}

// errDown is what a disk says that is down.
var errDown = errors.New("the cache is down")

// Get reads an item.
func (h *Handle) Get(_ context.Context, key string) ([]byte, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.disk.fail {
		return nil, errDown
	}
	value, ok := h.disk.items[key]
	if !ok {
		return nil, service.ErrKeyNotFound
	}
	return bytes.Clone(value), nil
}

// Set writes an item.
func (h *Handle) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.disk.fail {
		return errDown
	}
	if !h.dead {
		h.disk.items[key] = bytes.Clone(value)
	}
	return nil
}

// Add writes an item that is new; the inputs add none.
func (*Handle) Add(context.Context, string, []byte, *time.Duration) error {
	return service.ErrKeyAlreadyExists
}

// Delete takes an item away.
func (h *Handle) Delete(_ context.Context, key string) error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.disk.fail {
		return errDown
	}
	if !h.dead {
		delete(h.disk.items, key)
	}
	return nil
}

// Close does nothing: the disk stays.
func (*Handle) Close(context.Context) error { return nil }
