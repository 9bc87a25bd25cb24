package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func newTestCache(t *testing.T, yaml string) *cache {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := configFromParsed(conf)
	if err != nil {
		t.Fatal(err)
	}
	out, err := newCache(c, service.MockResources())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close(context.Background()) })
	return out
}

func TestCacheKeepsTheContractOfBenthos(t *testing.T) {
	ctx := t.Context()
	c := newTestCache(t, "path: "+filepath.Join(t.TempDir(), "s.db"))
	if _, err := c.Get(ctx, "k"); !errors.Is(err, service.ErrKeyNotFound) {
		t.Errorf("Get of an absent key: got %v, want %v", err, service.ErrKeyNotFound)
	}
	if err := c.Add(ctx, "k", nil, nil); err != nil {
		t.Errorf("Add of an absent key: %v", err)
	}
	if v, err := c.Get(ctx, "k"); err != nil || v == nil || len(v) != 0 {
		t.Errorf("Get of an empty value: got %v, %v, want an empty one", v, err)
	}
	if err := c.Add(ctx, "k", []byte("2"), nil); !errors.Is(err, service.ErrKeyAlreadyExists) {
		t.Errorf("Add of a present key: got %v, want %v", err, service.ErrKeyAlreadyExists)
	}
	if err := c.SetMulti(ctx, service.CacheItem{Key: "k", Value: []byte("3")}, service.CacheItem{Key: "l", Value: []byte("4")}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"k": "3", "l": "4"} {
		if v, err := c.Get(ctx, key); err != nil || string(v) != want {
			t.Errorf("Get(%s): got %q, %v, want %q", key, v, err, want)
		}
	}
	for range 2 {
		if err := c.Delete(ctx, "k"); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
}

func TestItemsWithoutTTLTakeTheDefault(t *testing.T) {
	c := newTestCache(t, "path: "+filepath.Join(t.TempDir(), "s.db")+"\ndefault_ttl: 1h")
	if got := c.item("k", nil, nil).TTL; got != time.Hour {
		t.Errorf("TTL of an item without one: got %s, want 1h", got)
	}
	own := time.Minute
	if got := c.item("k", nil, &own).TTL; got != own {
		t.Errorf("TTL of an item with its own: got %s, want %s", got, own)
	}
}

func TestMistakesInTheConfigAreErrors(t *testing.T) {
	for name, yaml := range map[string]string{
		"empty path":   `path: ""`,
		"empty bucket": "path: a\nbucket: ''",
		"zero ttl":     "path: a\ndefault_ttl: 0s",
	} {
		t.Run(name, func(t *testing.T) {
			conf, err := spec().ParseYAML(yaml, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := configFromParsed(conf); err == nil {
				t.Error("got no error, want one")
			}
		})
	}
}

func TestStoreIsFoundByItsLabelThroughTheStream(t *testing.T) {
	b := service.NewResourceBuilder()
	if err := b.AddCacheYAML("label: state\nbolt: { path: " + filepath.Join(t.TempDir(), "s.db") + " }"); err != nil {
		t.Fatal(err)
	}
	res, stop, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(context.Background()) }()
	if err := res.AccessCache(t.Context(), "state", func(service.Cache) {}); err != nil {
		t.Fatal(err)
	}
	if s, ok := Find(res, "state"); !ok || s == nil {
		t.Error("Find(state) after the cache was touched: got nothing, want its store")
	}
	if _, ok := Find(res, "other"); ok {
		t.Error("Find(other): got a store, want none")
	}
}
