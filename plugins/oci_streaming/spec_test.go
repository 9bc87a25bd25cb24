package ocistreaming

import (
	"strings"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const goodStream = "stream_id: ocid1.stream.oc1.eu-frankfurt-1.aaaa\n"

func TestConfigThatCannotWorkIsRefusedAndLinted(t *testing.T) {
	linter := service.GlobalEnvironment().NewComponentConfigLinter()
	for _, tt := range []struct {
		yaml, want string
		// unlinted is set where only the start finds the mistake.
		unlinted bool
	}{
		{yaml: goodStream},
		{yaml: "stream_id: ocid1.tenancy.oc1..aaaa\n", want: "must be the OCID of a stream"},
		{yaml: "stream_id: audit\n", want: "must be the OCID of a stream"},
		{yaml: "stream_id: ocid1.stream.oc1\n", want: "must be the OCID of a stream", unlinted: true},
		{yaml: goodStream + "group: a b\n", want: "must consist of at most 64"},
		{yaml: goodStream + "instance: " + strings.Repeat("a", 64) + "\n"},
		{yaml: goodStream + "instance: " + strings.Repeat("a", 65) + "\n", want: "must consist of at most 64"},
		{yaml: goodStream + "consumers: 0\n", want: "between 1 and 64"},
		{yaml: goodStream + "consumers: 64\n"},
		{yaml: goodStream + "consumers: 65\n", want: "between 1 and 64"},
		{yaml: goodStream + "session_timeout: 4999ms\n", want: "must be between 5s and 5m0s"},
		{yaml: goodStream + "session_timeout: 5s\n"},
		{yaml: goodStream + "session_timeout: 5m\n"},
		{yaml: goodStream + "session_timeout: 301s\n", want: "must be between 5s and 5m0s"},
		{yaml: goodStream + "poll_interval: 0s\n", want: "more than 0"},
		{yaml: goodStream + "max_page_messages: 10000\n"},
		{yaml: goodStream + "max_page_messages: 10001\n", want: "between 1 and 10000"},
		{yaml: goodStream + "max_page_messages: 0\n", want: "between 1 and 10000"},
		{yaml: goodStream + "start: -30d\n"},
		{yaml: goodStream + "start: latest\n"},
		{yaml: goodStream + "start: 2026-11-01T00:00:00Z\n"},
		{yaml: goodStream + "start: newest\n", want: "must be oldest, latest"},
		{yaml: goodStream + "start: ''\n", want: "must be oldest, latest"},
		{yaml: goodStream + "end: -1h\n"},
		{yaml: goodStream + "end: later\n", want: "must be a span before now"},
		{yaml: goodStream + "partitions: [ '0', '7' ]\n"},
		{yaml: goodStream + "partitions: [ all ]\n"},
		{yaml: goodStream + "partitions: [ all, '0' ]\n", want: "must stand alone", unlinted: true},
		{yaml: goodStream + "partitions: [ '00' ]\n", want: "is no number of a partition", unlinted: true},
		{yaml: goodStream + "partitions: [ '-1' ]\n", want: "is no number of a partition", unlinted: true},
		{yaml: goodStream + "partitions: [ '1', '1' ]\n", want: "named twice", unlinted: true},
		{yaml: goodStream + "max_requests_per_second: 0\n", want: "more than 0"},
	} {
		parsed, err := Spec().ParseYAML(tt.yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parse(parsed)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.yaml, err, tt.want)
		}
		lints, err := linter.LintInputYAML([]byte(Name + ":\n  " + strings.ReplaceAll(tt.yaml, "\n", "\n  ")))
		if err != nil {
			t.Fatal(err)
		}
		if bad := tt.want != "" && !tt.unlinted; (len(lints) > 0) != bad {
			t.Errorf("%q: got the lints %v, want some: %v", tt.yaml, lints, bad)
		}
	}
}

func TestRegionIsTheOneOfTheStream(t *testing.T) {
	for yaml, want := range map[string]string{
		"stream_id: ocid1.stream.oc1.iad.aaaa\n":                                   "us-ashburn-1",
		"stream_id: ocid1.stream.oc1.eu-frankfurt-1.aaaa\n":                        "eu-frankfurt-1",
		"stream_id: ocid1.stream.oc1.iad.aaaa\nregion: LHR\n":                      "uk-london-1",
		"stream_id: ocid1.stream.oc1.iad.aaaa\nregion: eu-frankfurt-1\ngroup: g\n": "eu-frankfurt-1",
	} {
		parsed, err := Spec().ParseYAML(yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parse(parsed)
		if err != nil || c.region != want {
			t.Errorf("%q: got %q, %v; want %q", yaml, c.region, err, want)
		}
	}
}

func TestInstancesWithoutANameHaveEachTheirOwn(t *testing.T) {
	c := config{}
	one, err := c.instanceName()
	if err != nil {
		t.Fatal(err)
	}
	other, err := c.instanceName()
	if err != nil || one == other || len(one) > maxName {
		t.Errorf("got %q and %q, %v; want two names", one, other, err)
	}
	c.instance = "mine"
	if one, err = c.instanceName(); one != "mine" || err != nil {
		t.Errorf("got %q, %v; want the one that is set", one, err)
	}
}

func TestLatestIsNowAndOldestIsNoTime(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for start, want := range map[string]time.Time{"oldest": {}, "latest": now, "-1h": now.Add(-time.Hour)} {
		parsed, err := Spec().ParseYAML(goodStream+"start: "+start, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parse(parsed)
		if err != nil || !c.start.At(now).Equal(want) {
			t.Errorf("%s: got %s, %v; want %s", start, c.start.At(now), err, want)
		}
	}
}

func TestExamplesOfTheSpecPassTheLinter(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	view, ok := service.GlobalEnvironment().GetInputConfig(Name)
	if !ok {
		t.Fatal("the component is not registered")
	}
	data, err := view.TemplateData()
	if err != nil {
		t.Fatal(err)
	}
	if len(data.Examples) == 0 {
		t.Fatal("the spec has no examples")
	}
	for _, e := range data.Examples {
		lints, err := linter.LintYAML([]byte(e.Config))
		if err != nil || len(lints) > 0 {
			t.Errorf("%s: got %v, %v; want none", e.Title, lints, err)
		}
	}
}
