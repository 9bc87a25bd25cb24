package correlate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/bolt"
	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
)

// loaders bounds the keys that are read from a cache at one time.
const loaders = 16

// lifetime turns the event time at which a row loses its meaning into a TTL of the cache.
// It only clears what nobody has deleted, so it is generous: state_ttl beyond that time.
type lifetime struct {
	extra     time.Duration // 0 keeps everything for ever
	maxFuture time.Duration
	newest    atomic.Int64 // the largest event time seen
}

// saw takes note of an event. One of the far future must not make everything look old.
func (l *lifetime) saw(t event.Time, now time.Time) {
	for t <= event.TimeOf(now.Add(l.maxFuture)) {
		have := l.newest.Load()
		if int64(t) <= have || l.newest.CompareAndSwap(have, int64(t)) {
			return
		}
	}
}

// ttl is nil for a row that lives for ever.
func (l *lifetime) ttl(expires event.Time) *time.Duration {
	if l.extra == 0 || expires == event.MaxTime {
		return nil
	}
	ttl := l.extra
	switch newest := event.Time(l.newest.Load()); {
	case expires > newest.Add(maxTTL):
		ttl += maxTTL
	case expires > newest:
		ttl += expires.Sub(newest)
	}
	return &ttl
}

// maxTTL bounds what a far future adds to a TTL.
const maxTTL = 10 * 365 * 24 * time.Hour

// openStore gives the store of a cache resource, and touches it: caches open when they are first used,
// and a wrong path must be told at the start. Of a bolt cache it is the one with transactions.
func openStore(ctx context.Context, res *service.Resources, label, prefix string, life *lifetime) (engine.Store, error) {
	var touched error
	if err := res.AccessCache(ctx, label, func(c service.Cache) { _, touched = c.Get(ctx, prefix+"touch") }); err != nil {
		return nil, fmt.Errorf("opening state_cache %s: %w", label, err)
	}
	if touched != nil && !errors.Is(touched, service.ErrKeyNotFound) {
		return nil, fmt.Errorf("reading state_cache %s: %w", label, touched)
	}
	if s, ok := bolt.Find(res, label); ok {
		return &boltStore{store: s, prefix: prefix, life: life}, nil
	}
	return &cacheStore{res: res, label: label, prefix: prefix, life: life}, nil
}

// boltStore writes all changes of a batch in one transaction.
type boltStore struct {
	store  *bolt.Store
	prefix string
	life   *lifetime
}

func (s *boltStore) Load(_ context.Context, keys []string) ([][]byte, error) {
	return s.store.Load(prefixed(s.prefix, keys))
}

func (s *boltStore) Save(_ context.Context, changes []engine.Change) error {
	items := make([]bolt.Item, len(changes))
	for i, c := range changes {
		items[i] = bolt.Item{Key: s.prefix + c.Key, Value: c.Value}
		if ttl := s.life.ttl(c.Expires); ttl != nil {
			items[i].TTL, items[i].Slack = *ttl, *ttl/8
		}
	}
	return s.store.Save(items)
}

func prefixed(prefix string, keys []string) []string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = prefix + k
	}
	return all
}

// cacheStore works over any cache, key by key: the changes are written in the order given, each of them idempotent.
type cacheStore struct {
	res    *service.Resources
	label  string
	prefix string
	life   *lifetime
}

func (s *cacheStore) Load(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	errs := make([]error, len(keys))
	err := s.res.AccessCache(ctx, s.label, func(c service.Cache) {
		var readers sync.WaitGroup
		var next atomic.Int64
		for range min(loaders, len(keys)) {
			readers.Go(func() {
				for i := int(next.Add(1)) - 1; i < len(keys); i = int(next.Add(1)) - 1 {
					values[i], errs[i] = get(ctx, c, s.prefix+keys[i])
				}
			})
		}
		readers.Wait()
	})
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("reading state_cache %s: %w", s.label, err)
	}
	return values, nil
}

func get(ctx context.Context, c service.Cache, key string) ([]byte, error) {
	v, err := c.Get(ctx, key)
	if errors.Is(err, service.ErrKeyNotFound) {
		return nil, nil
	}
	if err == nil && v == nil {
		v = []byte{}
	}
	return v, err
}

func (s *cacheStore) Save(ctx context.Context, changes []engine.Change) error {
	var failed error
	err := s.res.AccessCache(ctx, s.label, func(c service.Cache) {
		for _, change := range changes {
			if failed = s.save(ctx, c, change); failed != nil {
				return
			}
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("writing state_cache %s: %w", s.label, err)
	}
	return nil
}

func (s *cacheStore) save(ctx context.Context, c service.Cache, change engine.Change) error {
	key := s.prefix + change.Key
	if change.Value != nil {
		return c.Set(ctx, key, change.Value, s.life.ttl(change.Expires))
	}
	if err := c.Delete(ctx, key); err != nil && !errors.Is(err, service.ErrKeyNotFound) {
		return err
	}
	return nil
}
