package bolt

import (
	"context"
	"errors"
	"os"
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
	t.Cleanup(func() { _ = out.Close(context.WithoutCancel(t.Context())) })
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

func TestEachCaseOfTheTestCommandHasAStoreOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "s.db")
	config := filepath.Join(dir, "config.yaml")
	// The value that a case finds is that of an earlier case, where stores are shared.
	for name, content := range map[string]string{
		"config.yaml": `
pipeline:
  processors:
    - branch:
        processors: [ { cache: { resource: state, operator: add, key: k, value: '${! content() }' } } ]
        result_map: root.added = true
cache_resources:
  - label: state
    bolt: { path: ` + path + ` }
`,
		"config_benthos_test.yaml": `
tests:
  - name: first
    input_batch: [ { json_content: { a: 1 } } ]
    output_batches: [ [ { json_equals: { a: 1, added: true } } ] ]
  - name: second
    environment: { X: "1" }
    input_batch: [ { json_content: { a: 2 } } ]
    output_batches: [ [ { json_equals: { a: 2, added: true } } ] ]
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		code, err := service.RunCLIToCode(t.Context(), service.CLIOptSetArgs("benthos", "test", config))
		if err != nil || code != 0 {
			t.Fatalf("benthos test: got code %d, %v, want that both cases pass", code, err)
		}
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path after the tests: got %v, want that it was not touched", err)
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
	defer func() { _ = stop(context.WithoutCancel(t.Context())) }()
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
