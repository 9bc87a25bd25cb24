package ociaudit

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
)

// disk is a cache that outlives processes, and fails on demand.
type disk struct {
	mu    sync.Mutex
	items map[string][]byte // mu
	fail  bool              // mu
}

// handle is one process's access to the disk; of a killed process nothing is written any more.
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
	return value, nil
}

func (h *handle) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail {
		return errDown
	}
	if !h.dead {
		h.items[key] = value
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

func (d *disk) down(fail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *disk) get(key string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.items[key]
}

func (d *disk) set(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.items[key] = value
	if value == nil {
		delete(d.items, key)
	}
}

// positions are the saved positions of all partitions, as one text.
func (r *rig) positions() string {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	var all []string
	for key, value := range r.disk.items {
		if strings.Count(key, "/") == 3 { // the component, the tenancy, the region and the compartment
			all = append(all, key+" "+string(value))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// prefix is what the keys of the first tenancy begin with.
func (r *rig) prefix() string {
	prefix := Name + "/" + r.sim.Tenancies()[0].OCID
	if c := r.config(""); !c.End.IsZero() {
		prefix += "@" + c.Start.String()
	}
	return prefix
}

// behind is how old the saved position of the compartment is that is furthest behind, of a live input; false before there is one.
func (r *rig) behind() (lag time.Duration, ok bool) {
	for line := range strings.Lines(r.positions()) {
		key, value, _ := strings.Cut(line, " ")
		var saved struct{ End time.Time }
		if strings.Contains(key, "@") || json.Unmarshal([]byte(value), &saved) != nil {
			continue
		}
		lag, ok = max(lag, time.Since(saved.End)), true
	}
	return lag, ok
}

// ledger is what is saved of the tenancy as a whole.
func (r *rig) ledger() collect.Ledger {
	r.t.Helper()
	l, err := collect.ParseLedger("ledger", r.disk.get(r.prefix()+"/ledger"))
	if err != nil {
		r.t.Error(err)
	}
	return l
}

// process gives the rig the resources of a new process.
func (r *rig) process() {
	r.t.Helper()
	h := &handle{disk: r.disk}
	env := service.GlobalEnvironment().Clone()
	if err := env.RegisterCache("disk", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Cache, error) { return h, nil }); err != nil {
		r.t.Fatal(err)
	}
	builder := env.NewResourceBuilder()
	builder.SetLogger(r.log.logger())
	if err := builder.AddCacheYAML("label: state\ndisk: {}"); err != nil {
		r.t.Fatal(err)
	}
	res, stop, err := builder.BuildSuspended()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx := context.WithoutCancel(r.t.Context())
	r.t.Cleanup(func() { _ = stop(ctx) })
	r.res, r.handle = res, h
}

// kill ends the process of which nothing is saved any more, and begins another.
func (r *rig) kill(in service.BatchInput) {
	r.t.Helper()
	r.disk.mu.Lock()
	r.handle.dead = true
	r.disk.mu.Unlock()
	r.close(in)
	r.process()
}
