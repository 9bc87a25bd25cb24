package ociaudit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// cache fails on demand.
type cache struct {
	mu    sync.Mutex
	items map[string][]byte
	fail  bool
}

func (c *cache) Get(_ context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail {
		return nil, errors.New("the cache is down")
	}
	value, ok := c.items[key]
	if !ok {
		return nil, service.ErrKeyNotFound
	}
	return value, nil
}

func (c *cache) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail {
		return errors.New("the cache is down")
	}
	c.items[key] = value
	return nil
}

func (c *cache) Add(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	return c.Set(ctx, key, value, ttl)
}

func (c *cache) Delete(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.items, key)
	return nil
}

func (*cache) Close(context.Context) error { return nil }

func (c *cache) down(fail bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

// withCache gives the rig a cache that fails on demand.
func (r *rig) withCache() *cache {
	r.t.Helper()
	c := &cache{items: map[string][]byte{}}
	env := service.GlobalEnvironment().Clone()
	if err := env.RegisterCache("failing", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Cache, error) { return c, nil }); err != nil {
		r.t.Fatal(err)
	}
	builder := env.NewResourceBuilder()
	builder.SetLogger(r.log.logger())
	if err := builder.AddCacheYAML("label: state\nfailing: {}"); err != nil {
		r.t.Fatal(err)
	}
	res, stop, err := builder.BuildSuspended()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx := context.WithoutCancel(r.t.Context())
	r.t.Cleanup(func() { _ = stop(ctx) })
	r.res = res
	return c
}

func TestCacheErrorFailsConnectAndNeverResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		cache := r.withCache()
		cache.down(true)
		in := r.input("")
		err := in.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the cache is down") {
			t.Errorf("got %v, want Connect to fail", err)
		}
		if n := r.sim.Count("", 0); n != 0 {
			t.Errorf("%d requests were made without a position, want none", n)
		}
		cache.down(false)
		got := newInbox()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
		// What cannot be read is not taken for what is not there.
		cache.items[in.reader.ledgerKey()] = []byte("{")
		err = r.input("").Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %v, want a damaged position to be refused", err)
		}
	})
}

func TestPositionThatCannotBeSavedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		cache := r.withCache()
		in, got := r.input(""), newInbox()
		r.drain(in, got, func() bool { return got.took >= 3 })
		cache.down(true)
		go func() {
			time.Sleep(10 * time.Minute)
			cache.down(false)
		}()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
		if n := r.log.count("saving the position"); n != 1 {
			t.Errorf("got %d lines about the cache, want 1:\n%s", n, r.log)
		}
	})
}

func TestPositionThatTheCacheLostIsNotTakenForANewCompartment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -48h\n")
		cache := r.withCache()
		in, got := r.input(""), newInbox()
		r.drain(in, got, func() bool { return got.count() == len(r.sim.Truth().Events) })
		synctest.Wait()
		r.close(in)
		e := r.sim.Truth().Events[0]
		if err := cache.Delete(t.Context(), in.reader.prefix+"/"+e.Region+"/"+e.Compartment); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, other := range r.sim.Truth().Events {
			if other.Region == e.Region && other.Compartment == e.Compartment {
				want++
			}
		}
		in, again := r.input(""), newInbox()
		r.drain(in, again, func() bool { return again.count() == want })
		r.close(in)
		if r.log.count("has lost the position of "+e.Region) != 1 {
			t.Errorf("the loss was not told once:\n%s", r.log)
		}
	})
}

func TestTwoInputsOnOnePositionAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		one, other := r.input(""), r.input("")
		if err := one.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := other.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "set checkpoint_key on one of them") {
			t.Errorf("got %v, want the second input to be refused", err)
		}
		third := r.input("checkpoint_key: other\n")
		if err := third.Connect(t.Context()); err != nil {
			t.Errorf("with a key of its own: %v", err)
		}
		r.close(third)
		r.close(one)
		if err := other.Connect(t.Context()); err != nil {
			t.Errorf("after the first was closed: %v", err)
		}
		r.close(other)
	})
}
