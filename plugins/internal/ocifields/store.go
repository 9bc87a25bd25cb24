package ocifields

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
)

// Store keeps positions in a cache resource, or in memory where none is named.
type Store struct {
	res    *service.Resources
	label  string
	memory map[string][]byte // used by one goroutine at a time, as Save is
	mu     sync.Mutex
}

// NewStore finds the cache.
func NewStore(res *service.Resources, label string) (*Store, error) {
	if label != "" && !res.HasCache(label) {
		return nil, fmt.Errorf("reading %s: there is no cache resource labeled %q: add one under cache_resources, for example `bolt`", fieldCache, label)
	}
	return &Store{res: res, label: label, memory: map[string][]byte{}}, nil
}

// Durable is true where a cache keeps the position.
func (s *Store) Durable() bool { return s.label != "" }

// Load gives the values of keys, nil where there is none. An absent key is no error; a cache that cannot be asked is one.
func (s *Store) Load(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if s.label == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, key := range keys {
			values[i] = s.memory[key]
		}
		return values, nil
	}
	var failed error
	err := s.res.AccessCache(ctx, s.label, func(c service.Cache) {
		for i, key := range keys {
			value, err := c.Get(ctx, key)
			if errors.Is(err, service.ErrKeyNotFound) {
				continue
			}
			if err != nil {
				failed = err
				return
			}
			values[i] = value
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("reading the position from cache %q: %w", s.label, err)
	}
	return values, nil
}

// Save writes the changes in their order and stops at the first that fails.
func (s *Store) Save(ctx context.Context, changes []collect.Change) error {
	if s.label == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, change := range changes {
			if change.Value == nil {
				delete(s.memory, change.Key)
				continue
			}
			s.memory[change.Key] = change.Value
		}
		return nil
	}
	var failed error
	err := s.res.AccessCache(ctx, s.label, func(c service.Cache) {
		for _, change := range changes {
			if failed = write(ctx, c, change); failed != nil {
				return
			}
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("saving the position in cache %q: %w", s.label, err)
	}
	return nil
}

func write(ctx context.Context, c service.Cache, change collect.Change) error {
	if change.Value != nil {
		return c.Set(ctx, change.Key, change.Value, nil)
	}
	err := c.Delete(ctx, change.Key)
	if errors.Is(err, service.ErrKeyNotFound) {
		return nil
	}
	return err
}

// claims holds which position is used by which input of this process.
type claims struct {
	mu   sync.Mutex
	held map[string]string // mu
}

type claimsKey struct{}

// Claim keeps other inputs of this process away from the keys that begin with prefix; release gives them back.
// In memory every input has a store of its own, so there is nothing to claim.
func (s *Store) Claim(prefix, name string) (release func(), err error) {
	if s.label == "" {
		return func() {}, nil
	}
	v, _ := s.res.GetOrSetGeneric(claimsKey{}, &claims{held: map[string]string{}})
	all, ok := v.(*claims)
	if !ok {
		return func() {}, nil
	}
	key := s.label + "\x00" + prefix
	all.mu.Lock()
	defer all.mu.Unlock()
	if holder, taken := all.held[key]; taken {
		return nil, fmt.Errorf("the input %s keeps its position in cache %q under %s already, and two would spoil each other's: set %s on one of them", holder, s.label, prefix, fieldKey)
	}
	all.held[key] = name
	return func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		delete(all.held, key)
	}, nil
}
