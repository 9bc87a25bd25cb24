package correlate

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
)

// resources gives resources with one cache called state.
func resources(t *testing.T, yaml string) *service.Resources {
	t.Helper()
	b := service.NewResourceBuilder()
	if err := b.AddCacheYAML("label: state\n" + yaml); err != nil {
		t.Fatal(err)
	}
	res, stop, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop(context.WithoutCancel(t.Context())) })
	return res
}

func TestStoreSavesLoadsAndDeletes(t *testing.T) {
	for name, yaml := range map[string]string{
		"bolt":   "bolt: { path: " + filepath.Join(t.TempDir(), "s.db") + " }",
		"memory": "memory: {}",
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s, err := openStore(ctx, resources(t, yaml), "state", "p/", &lifetime{extra: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if _, transactions := s.(*boltStore); transactions != (name == "bolt") {
				t.Errorf("got %T", s)
			}
			if err := s.Save(ctx, []engine.Change{
				{Key: "a", Value: []byte("1"), Expires: event.MaxTime},
				{Key: "b", Value: []byte{}, Expires: 1},
				{Key: "c", Value: []byte("3"), Expires: event.MaxTime},
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.Save(ctx, []engine.Change{{Key: "c"}, {Key: "never"}}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Load(ctx, []string{"c", "a", "b", "never"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]byte{nil, []byte("1"), {}, nil}, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingCacheIsAnErrorAtTheStart(t *testing.T) {
	if _, err := openStore(t.Context(), resources(t, "memory: {}"), "other", "p/", &lifetime{}); err == nil {
		t.Error("a label without a cache: got no error, want one")
	}
	yaml := "bolt: { path: /proc/none/s.db }"
	if _, err := openStore(t.Context(), resources(t, yaml), "state", "p/", &lifetime{}); err == nil {
		t.Error("a path that cannot be: got no error, want one")
	}
}

func TestRowLivesBeyondItsUse(t *testing.T) {
	l := &lifetime{extra: time.Hour, maxFuture: time.Minute}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	noon := event.TimeOf(now)
	l.saw(noon, now)
	l.saw(noon.Add(-time.Hour), now)
	l.saw(noon.Add(time.Minute+time.Millisecond), now)
	for name, tt := range map[string]struct {
		expires event.Time
		want    time.Duration
	}{
		"in an hour of event time": {noon.Add(time.Hour), 2 * time.Hour},
		"in the past":              {noon.Add(-time.Hour), time.Hour},
		"in the far future":        {event.MaxTime - 1, maxTTL + time.Hour},
	} {
		if got := l.ttl(tt.expires); got == nil || *got != tt.want {
			t.Errorf("%s: got %v, want %s", name, got, tt.want)
		}
	}
	if got := l.ttl(event.MaxTime); got != nil {
		t.Errorf("a row that is always of use: got a TTL of %s, want none", *got)
	}
	if got := (&lifetime{}).ttl(noon); got != nil {
		t.Errorf("without state_ttl: got a TTL of %s, want none", *got)
	}
}

func TestTwoCorrelatorsDoNotWriteTheSameState(t *testing.T) {
	res := service.MockResources()
	first, err := claimState(res, "state")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claimState(res, "state"); err == nil {
		t.Error("a second one without a label: got no error, want one")
	}
	if _, err := claimState(res, "other"); err != nil {
		t.Errorf("with another cache: %v", err)
	}
	first.release()
	first.release()
	again, err := claimState(res, "state")
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if again.prefix != first.prefix {
		t.Errorf("prefix: got %s, want %s", again.prefix, first.prefix)
	}
}

// broken is a cache whose reads fail for one key.
type broken struct {
	service.Cache
	err error
}

func (b broken) Get(_ context.Context, key string) ([]byte, error) {
	if key == "p/bad" {
		return nil, b.err
	}
	return []byte("v"), nil
}

func TestFailedReadIsNotAnAbsentRow(t *testing.T) {
	if _, err := get(t.Context(), broken{err: errDisk}, "p/bad"); !errors.Is(err, errDisk) {
		t.Errorf("got %v, want %v", err, errDisk)
	}
	if v, err := get(t.Context(), broken{err: service.ErrKeyNotFound}, "p/bad"); v != nil || err != nil {
		t.Errorf("an absent row: got %v, %v, want nil, nil", v, err)
	}
}
