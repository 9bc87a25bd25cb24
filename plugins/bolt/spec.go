// Package bolt is a Benthos cache in one local file: durable, with TTL, and with transactions for those who know it.
//
// It stands beside the data's way and holds what must survive a restart: the cursors of the inputs and the windows of
// correlate. As every cache it has a label and is named by it:
//
//	cache_resources:
//	  - label: state
//	    bolt: { path: /var/lib/benthos-oci/state.db }
package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
)

const (
	fieldPath       = "path"
	fieldBucket     = "bucket"
	fieldDefaultTTL = "default_ttl"
	fieldFsync      = "fsync"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Categories("Local").
		Summary("Stores items in one local file, durably, with one fsync for each write or batch of writes.").
		Description(`
The file is a [bbolt](https://github.com/etcd-io/bbolt) database, with a journal beside it (`+"`<path>.journal`"+`). The inputs of this program save their cursors in it,
and `+"`correlate`"+` its windows; any other component that takes a cache may use it too.

## Durability

A write has reached the disk when it returns. `+"`correlate`"+` writes everything that a batch of messages changed in one
piece, so that after a crash either all of it is there or nothing. A process killed at any point leaves the state
of its last finished write. Writes go to the journal, which is folded into the database when it is full and when the process ends:
the two files belong together, and are copied, moved and restored together.

## Damage

Each item and each write carries a checksum, and the file the total of all items. When it is opened everything is read and compared, a second or two
for each gigabyte: a file with a flipped bit, a torn page or a missing item is refused with a sentence, and is never taken for an empty one,
nor is one whose journal is missing or another one.
Where only the page is damaged that makes the last write count, the state before that write is used.

## One process

The file is locked while it is open. Caches of the same process that name the same path share one handle; a second
process waits for one second, then reports the id of the process that holds the file.

## Size

Expired items are removed as later writes come by, a few at a time. The file does not shrink: free pages are used again.
The journal has at most 8 MiB.

## Tests

Under `+"`benthos-oci test`"+` each test case gets an empty store of its own that is gone afterwards; the path is not touched.
`).
		Fields(
			service.NewStringField(fieldPath).
				Description("The file. It and its directory are created where absent, readable by their owner only.").
				Example("/var/lib/benthos-oci/state.db").
				Example("./state.db"),
			service.NewStringField(fieldBucket).
				Description("Caches with the same path and another bucket see nothing of each other's items.").
				Default("cache").
				Example("cursors").
				Advanced(),
			service.NewDurationField(fieldDefaultTTL).
				LintRule(lintrule.Span(fieldDefaultTTL, lintrule.Positive, 0)).
				Description("How long an item lives that was written without a TTL of its own. Without it, for ever.").
				Optional().
				Example("720h").
				Advanced(),
			service.NewBoolField(fieldFsync).
				Description("Wait for the disk with every write. Without it a power cut can lose the last writes or the whole file; "+
					"a killed process loses nothing.").
				Default(true).
				Example(false).
				Advanced(),
		).
		Example("State of the inputs and of correlate", "One file for the cursors of all inputs and the windows of all rules.", `
input:
  generate: { count: 1, mapping: 'root = "hello"' }
pipeline:
  processors:
    - cache: { resource: state, operator: set, key: greeting, value: '${! content() }' }
output:
  drop: {}
cache_resources:
  - label: state
    bolt:
      path: ./state.db
`)
}

func init() {
	service.MustRegisterCache("bolt", spec(), func(conf *service.ParsedConfig, res *service.Resources) (service.Cache, error) {
		c, err := configFromParsed(conf)
		if err != nil {
			return nil, err
		}
		return newCache(c, res)
	})
}

type config struct {
	path       string
	bucket     string
	defaultTTL time.Duration
	fsync      bool
}

func configFromParsed(conf *service.ParsedConfig) (c config, err error) {
	if c.path, err = conf.FieldString(fieldPath); err != nil {
		return c, err
	}
	if c.path == "" {
		return c, fmt.Errorf("reading field %s: it is empty; name a file, like ./state.db", fieldPath)
	}
	if c.bucket, err = conf.FieldString(fieldBucket); err != nil {
		return c, err
	}
	if c.bucket == "" {
		return c, fmt.Errorf("reading field %s: it is empty; leave it out for the default", fieldBucket)
	}
	if conf.Contains(fieldDefaultTTL) {
		if c.defaultTTL, err = conf.FieldDuration(fieldDefaultTTL); err != nil {
			return c, err
		}
		if c.defaultTTL <= 0 {
			return c, fmt.Errorf("reading field %s: %s is not above zero; leave it out for items that live for ever", fieldDefaultTTL, c.defaultTTL)
		}
	}
	c.fsync, err = conf.FieldBool(fieldFsync)
	return c, err
}

// cache is the Benthos side of a Store.
type cache struct {
	store      *Store
	defaultTTL time.Duration
}

func newCache(c config, res *service.Resources) (*cache, error) {
	store, err := Open(Options{Path: c.path, Bucket: c.bucket, NoSync: !c.fsync, Temporary: underTest()})
	if err != nil {
		return nil, err
	}
	if label := res.Label(); label != "" {
		res.SetGeneric(labelKey{label}, store)
	}
	return &cache{store: store, defaultTTL: c.defaultTTL}, nil
}

// labelKey finds the store of a cache resource.
type labelKey struct{ label string }

// Find gives the store behind the cache resource of that label, where it is a bolt cache that has been opened.
// Resources open caches when they are first used: access the cache once before asking.
func Find(res *service.Resources, label string) (*Store, bool) {
	v, ok := res.GetGeneric(labelKey{label})
	if !ok {
		return nil, false
	}
	s, ok := v.(*Store)
	return s, ok
}

func (c *cache) Get(_ context.Context, key string) ([]byte, error) {
	values, err := c.store.Load([]string{key})
	if err != nil {
		return nil, err
	}
	if values[0] == nil {
		return nil, service.ErrKeyNotFound
	}
	return values[0], nil
}

func (c *cache) item(key string, value []byte, ttl *time.Duration) Item {
	if value == nil {
		value = []byte{}
	}
	it := Item{Key: key, Value: value, TTL: c.defaultTTL}
	if ttl != nil {
		it.TTL = *ttl
	}
	return it
}

func (c *cache) Set(_ context.Context, key string, value []byte, ttl *time.Duration) error {
	return c.store.Save([]Item{c.item(key, value, ttl)})
}

func (c *cache) SetMulti(_ context.Context, items ...service.CacheItem) error {
	all := make([]Item, len(items))
	for i, it := range items {
		all[i] = c.item(it.Key, it.Value, it.TTL)
	}
	return c.store.Save(all)
}

func (c *cache) Add(_ context.Context, key string, value []byte, ttl *time.Duration) error {
	added, err := c.store.Add(c.item(key, value, ttl))
	if err != nil {
		return err
	}
	if !added {
		return service.ErrKeyAlreadyExists
	}
	return nil
}

func (c *cache) Delete(_ context.Context, key string) error {
	return c.store.Save([]Item{{Key: key}})
}

func (c *cache) Close(context.Context) error { return c.store.Close() }
