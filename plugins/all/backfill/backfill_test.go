package backfill

import (
	"bytes"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"

	_ "benthos-oci/plugins/bolt"
	_ "benthos-oci/plugins/correlate"
	_ "benthos-oci/plugins/correlate_source"
	"benthos-oci/plugins/internal/progress"
	_ "benthos-oci/plugins/oci_audit"
	_ "benthos-oci/plugins/oci_cloudguard"
	_ "benthos-oci/plugins/oci_logging"
)

var now = time.Date(2026, 11, 21, 12, 0, 30, 0, time.UTC)

func options(t *testing.T, config string) Options {
	t.Helper()
	return Options{
		Name: "site.yaml", Config: config, Literal: func(s string) string { return s }, Start: "-30d", State: filepath.Join(t.TempDir(), "state.db"),
		Schema: service.GlobalEnvironment().FullConfigSchema("", ""), Err: &bytes.Buffer{},
	}
}

const live = `
input:
  broker:
    inputs:
      - label: audit
        oci_audit: &defaults
          auth: { profile: PROD }
          start: -24h
          checkpoint_cache: state
          threads: 1
      - label: guard
        oci_cloudguard:
          <<: *defaults
          detail: true
      - oci_audit:
      - correlate_source: {}
pipeline:
  processors:
    - correlate: { packs: [oci] }
output:
  drop: {}
cache_resources:
  - label: state
    bolt: { path: ./live.db }
`

func TestInputsAreBoundedAndStateIsTheBackfillsOwn(t *testing.T) {
	o := options(t, live)
	o.Rate = 20
	b, err := o.bound()
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.plan(now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.text(p, o)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	bounds := func(more map[string]any) map[string]any {
		all := map[string]any{
			"start": "2026-10-22T12:00:00Z", "end": "2026-11-21T12:00:00Z", "checkpoint_cache": stateLabel, "max_requests_per_second": 20,
		}
		maps.Copy(all, more)
		return all
	}
	auth := map[string]any{"profile": "PROD"}
	want := map[string]any{
		"input": map[string]any{"broker": map[string]any{"inputs": []any{
			map[string]any{"label": "audit", "oci_audit": bounds(map[string]any{"auth": auth})},
			map[string]any{"label": "guard", "oci_cloudguard": bounds(map[string]any{"auth": auth, "detail": true})},
			map[string]any{"oci_audit": bounds(nil)},
			map[string]any{"correlate_source": map[string]any{}},
		}}},
		"pipeline": map[string]any{"processors": []any{map[string]any{"correlate": map[string]any{"packs": []any{"oci"}, "state_cache": stateLabel}}}},
		"output":   map[string]any{"drop": map[string]any{}},
		"http":     map[string]any{"enabled": false},
		"cache_resources": []any{
			map[string]any{"label": "state", "bolt": map[string]any{"path": "./live.db"}},
			map[string]any{"label": stateLabel, "bolt": map[string]any{"path": o.State}},
		},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if _, err := o.build(text, newShow(o)); err != nil {
		t.Errorf("building the pipeline: got %v, want it built", err)
	}
}

func TestWhatCannotBeBoundedIsRefusedAtOnce(t *testing.T) {
	for _, tt := range []struct{ name, config, want string }{
		{"nothing to bound", "input: { broker: { inputs: [ { correlate_source: {} } ] } }\n", "no input oci_audit, oci_logging or oci_cloudguard"},
		{
			"inputs that never end", "input:\n  broker:\n    inputs:\n      - oci_audit: {}\n      - generate: { mapping: 'root = 1' }\n      - correlate_source:\n          inputs:\n            - stdin: {}\n",
			"generate at line 5, stdin at line 8 cannot be bounded",
		},
		{"no map", "[]", "it is no map"},
		{"nothing", "", "reading the config site.yaml"},
		{"no YAML", "input: [", "benthos-oci lint says more"},
	} {
		_, err := options(t, tt.config).bound()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func TestSpansThatCannotBeReadAreRefused(t *testing.T) {
	for _, tt := range []struct{ start, end, want string }{
		{"-30d", "", ""},
		{"-30d", "-1d", ""},
		{"2026-11-01", "2026-11-02T00:00:00Z", ""},
		{"", "", "say where the backfill begins"},
		{"yesterday", "", "reading --start"},
		{"-30d", "soon", "reading --end"},
		{"-1d", "-2d", "does not lie after the start"},
		{"-1d", "-1d", "does not lie after the start"},
		{"-1d", "2026-11-21T12:00:00Z", ""},
		{"-1d", "2026-11-21T12:01:00Z", "lies in the future"},
		{"-365d", "", ""},
		{"-366d", "", "more than 365 days back, and Oracle keeps nothing older: begin at 2025-11-21T12:00:30Z or later"},
	} {
		_, err := Options{Start: tt.start, End: tt.end}.plan(now)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q to %q: got %v, want %q in it", tt.start, tt.end, err, tt.want)
		}
	}
}

func TestSecondRunReadsTheSpanOfTheFirst(t *testing.T) {
	o := options(t, live)
	first, err := remember(o, now)
	if err != nil {
		t.Fatal(err)
	}
	if first.resumed {
		t.Error("the first run says that it resumes")
	}
	first.close()
	again, err := remember(o, now)
	if err != nil {
		t.Fatal(err)
	}
	if again.resumed {
		t.Error("a run that did not begin is resumed")
	}
	if err := again.begin(); err != nil {
		t.Fatal(err)
	}
	again.close()
	second, err := remember(o, now.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(second.plan, first.plan); diff != "" || !second.resumed {
		t.Errorf("two days later: resumed %v, got -, want +:\n%s", second.resumed, diff)
	}
	if err := second.end(now.Add(49 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	second.close()
	other := o
	other.Start = "-31d"
	if _, err := remember(other, now); err == nil || !strings.Contains(err.Error(), "2026-11-23T13:00:30Z: delete it") {
		t.Errorf("another span where one has ended: got %v, want it refused", err)
	}
	other.State = filepath.Join(t.TempDir(), "state.db")
	going, err := remember(other, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := going.begin(); err != nil {
		t.Fatal(err)
	}
	going.close()
	o.State = other.State
	if _, err := remember(o, now); err == nil || !strings.Contains(err.Error(), `give --start "-31d" --end "" to go on with it`) {
		t.Errorf("another span where one goes on: got %v, want it refused", err)
	}
}

func TestProgressSaysWhatIsLeft(t *testing.T) {
	at := func(seconds int, share float64, requests int64) look {
		return look{at: now.Add(time.Duration(seconds) * time.Second), Standing: progress.Standing{
			Done: time.Duration(share * float64(100*time.Hour)), Whole: 100 * time.Hour, Records: 7, Requests: requests, Partitions: 3,
		}}
	}
	failing := at(30, 0.6, 400)
	failing.Failing = 2
	waiting := at(50, 0.999, 600)
	waiting.Settles = now.Add(10 * time.Minute)
	nearly := at(40, 0.99, 600)
	nearly.Settles = waiting.Settles
	var out bytes.Buffer
	s := newShow(Options{Err: &out})
	s.recent = []look{{at: now}}
	for _, l := range []look{{at: now.Add(5 * time.Second)}, at(10, 0.4, 0), at(20, 0.5, 200), failing, nearly, waiting} {
		s.draw(l)
	}
	want := `finding out what there is to read
40.0 %, 7 records, 0.0 requests a second
50.0 %, 7 records, 20.0 requests a second, about 50s left
60.0 %, 7 records, 20.0 requests a second, 2 of 3 partitions cannot be read at present, about 40s left
99.0 %, 7 records, 20.0 requests a second, about 9m20s left
99.9 %, 7 records, 0.0 requests a second, waiting until 2026-11-21T12:10:30Z for what appears late
`
	if diff := cmp.Diff(out.String(), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestTerminalGetsABarThatMakesRoomForTheLog(t *testing.T) {
	var out bytes.Buffer
	s := newShow(Options{Err: &out, Terminal: true})
	s.recent = []look{{at: now}}
	s.draw(look{at: now.Add(time.Second), Standing: progress.Standing{Done: time.Hour, Whole: 2 * time.Hour, Requests: 20}})
	if _, err := s.Write([]byte("level=WARN\n")); err != nil {
		t.Fatal(err)
	}
	s.finish()
	if got := out.String(); !strings.Contains(got, "50%") || !strings.Contains(got, "20.0 requests a second") || !strings.Contains(got, "\rlevel=WARN\n") {
		t.Errorf("got %q, want a bar at 50%%, and the log at the start of a line", got)
	}
}
