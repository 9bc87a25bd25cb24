package ocilogging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// disk is what is left when a process ends.
type disk struct {
	mu    sync.Mutex
	items map[string]string // mu
	fail  bool              // mu
}

// position is all that is saved but for when the regions were last listed.
func (d *disk) position() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for key, value := range d.items {
		if !strings.HasSuffix(key, "/ledger") {
			all = append(all, key+"="+value)
		}
	}
	return fmt.Sprint(len(all), strings.Join(sorted(all), "\n"))
}

func (d *disk) down(fail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// handle is a process's access to the disk; of a killed process nothing is written any more.
type handle struct {
	*disk
	dead bool // mu of the disk
}

var errDown = errors.New("the cache is down")

func (h *handle) Get(_ context.Context, key string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail {
		return nil, errDown
	}
	value, ok := h.items[key]
	if !ok {
		return nil, service.ErrKeyNotFound
	}
	return []byte(value), nil
}

func (h *handle) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail {
		return errDown
	}
	if !h.dead {
		h.items[key] = string(value)
	}
	return nil
}

func (h *handle) Add(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	return h.Set(ctx, key, value, ttl)
}

func (h *handle) Delete(_ context.Context, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dead {
		delete(h.items, key)
	}
	return nil
}

func (*handle) Close(context.Context) error { return nil }
