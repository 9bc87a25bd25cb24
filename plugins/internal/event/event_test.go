package event_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
)

func path(t *testing.T, s string) event.Path {
	t.Helper()
	p, err := event.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPathsReadAsTheyAreWritten(t *testing.T) {
	tests := []struct {
		in   string
		want event.Path
	}{
		{"status", event.Path{"status"}},
		{"actor.user.name", event.Path{"actor", "user", "name"}},
		{`raw.data."a.b".c`, event.Path{"raw", "data", "a.b", "c"}},
		{`"with space"`, event.Path{"with space"}},
		{"raw.data.opc-id.@x_1", event.Path{"raw", "data", "opc-id", "@x_1"}},
	}
	for _, test := range tests {
		got := path(t, test.in)
		if diff := cmp.Diff(got, test.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", test.in, diff)
		}
		if again := path(t, got.String()); !cmp.Equal(again, got) {
			t.Errorf("%s: %s reads as %v, want %v", test.in, got, again, got)
		}
	}
}

func TestPathsThatAreNone(t *testing.T) {
	for _, in := range []string{"", ".", "a.", ".a", "a..b", "a b", `"a`, `""`, `"a"b`, "a/b", "ä"} {
		if p, err := event.ParsePath(in); !errors.Is(err, event.ErrPath) {
			t.Errorf("%q: got %v %v, want an error", in, p, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a.b", `raw."a.b".c`, `"`, "a..b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := event.ParsePath(s)
		if err != nil {
			return
		}
		again, err := event.ParsePath(p.String())
		if err != nil || !cmp.Equal(again, p) {
			t.Errorf("%q: %s reads as %v %v, want %v", s, p, again, err, p)
		}
	})
}

func TestLookupReadsDocumentAndRecord(t *testing.T) {
	reads := 0
	ev, err := event.FromDocument(map[string]any{
		"time": 1795176000000.0, "metadata": map[string]any{"uid": "1", "tenant_uid": "t"},
		"resources": []any{map[string]any{"uid": "a", "tags": []any{"x", "y"}}, map[string]any{"name": "no uid"}, map[string]any{"uid": "b"}},
		"count":     json.Number("7"), "raw": "not the record",
	}, nil, func() map[string]any {
		reads++
		return map[string]any{"data": map[string]any{"n": 1.5}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if reads != 0 {
		t.Error("the record was read before it was asked for")
	}
	for name, want := range map[string]any{
		"metadata.uid": "1", "resources.uid": []any{"a", "b"}, "resources.tags": []any{"x", "y"}, "resources.nothing": nil,
		"count": int64(7), "time": int64(1795176000000), "raw.data.n": 1.5, "raw.data.none": nil, "metadata.uid.below": nil, "none.at.all": nil,
	} {
		if diff := cmp.Diff(ev.Lookup(path(t, name)), want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
	if reads != 1 {
		t.Errorf("the record was read %d times, want once", reads)
	}
	if ev.ID != "1" || ev.Tenancy != "t" || ev.Time != 1795176000000 {
		t.Errorf("got %q %q %v", ev.ID, ev.Tenancy, ev.Time)
	}
}

func TestDeferredPartsAreBuiltOnceWhenAsked(t *testing.T) {
	builds := 0
	ev := &event.Event{Doc: map[string]any{"status": "Success", "http_request": map[string]any{"http_method": "GET"}}}
	ev.Defer(func() map[string]any {
		builds++
		return map[string]any{"status": "Success", "unmapped": map[string]any{"site": "hq"}, "http_request": map[string]any{"http_headers": "h", "http_method": "GET"}}
	})
	for _, name := range []string{"status", "http_request.http_method", "user.name"} {
		ev.Lookup(path(t, name))
	}
	if builds != 0 {
		t.Error("the whole document was built for a field that was there")
	}
	for name, want := range map[string]any{"unmapped.site": "hq", "http_request.http_headers": "h", "http_request.http_method": "GET"} {
		if got := ev.Lookup(path(t, name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if builds != 1 {
		t.Errorf("the whole document was built %d times, want once", builds)
	}
	if _, changed := ev.Doc["unmapped"]; changed {
		t.Error("Doc was changed")
	}
}

func TestEventWithoutIDHasTheHashOfItsBytes(t *testing.T) {
	doc := map[string]any{"time": int64(1)}
	a, err := event.FromDocument(doc, []byte("a"), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := event.FromDocument(doc, []byte("a"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := event.FromDocument(doc, []byte("b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != again.ID || a.ID == b.ID || len(a.ID) != 64 {
		t.Errorf("got %q, %q, %q", a.ID, again.ID, b.ID)
	}
	if a.Record() != nil || a.Lookup(path(t, "raw.x")) != nil {
		t.Error("an event without a record has one")
	}
}

func TestEventNeedsATime(t *testing.T) {
	for _, doc := range []map[string]any{{}, {"time": "2026-11-20T10:00:00Z"}, {"time": nil}} {
		if _, err := event.FromDocument(doc, nil, nil); !errors.Is(err, event.ErrNoTime) {
			t.Errorf("%v: got %v, want ErrNoTime", doc, err)
		}
	}
}

func TestTimeStopsAtItsBounds(t *testing.T) {
	tests := []struct {
		name string
		at   event.Time
		add  time.Duration
		want event.Time
	}{
		{"forward", 1000, time.Second, 2000},
		{"back", 1000, -time.Second, 0},
		{"before all", event.MinTime, time.Hour, event.MinTime},
		{"after all", event.MaxTime, -time.Hour, event.MaxTime},
		{"over the end", event.MaxTime - 1, time.Hour, event.MaxTime},
		{"over the beginning", event.MinTime + 1, -time.Hour, event.MinTime},
		{"less than a millisecond", 1000, 999 * time.Microsecond, 1000},
	}
	for _, test := range tests {
		if got := test.at.Add(test.add); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
	at := event.TimeOf(time.Date(2026, 11, 20, 10, 21, 33, 123456789, time.FixedZone("", 3600)))
	if got, want := at.String(), "2026-11-20T09:21:33.123Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := event.MinTime.String() + event.MaxTime.String(); got != "-inf+inf" {
		t.Errorf("got %s", got)
	}
	if got := event.Time(5000).Sub(2000); got != 3*time.Second {
		t.Errorf("got %v", got)
	}
}

func TestNormalKeepsNumbersExact(t *testing.T) {
	tests := []struct{ in, want any }{
		{7, int64(7)},
		{int32(7), int64(7)},
		{uint32(7), int64(7)},
		{uint64(7), int64(7)},
		{uint64(math.MaxUint64), float64(math.MaxUint64)},
		{7.0, int64(7)},
		{7.5, 7.5},
		{float32(0.5), 0.5},
		{1e300, 1e300},
		{float64(1 << 53), float64(1 << 53)},
		{json.Number("9007199254740993"), int64(9007199254740993)},
		{json.Number("1.50"), 1.5},
		{json.Number("1e400"), "1e400"},
		{"7", "7"},
		{true, true},
		{nil, nil},
	}
	for _, test := range tests {
		if got := event.Normal(test.in); got != test.want {
			t.Errorf("%v (%T): got %v (%T), want %v (%T)", test.in, test.in, got, got, test.want, test.want)
		}
	}
}
