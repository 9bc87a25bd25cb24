package ocifields

import (
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().Fields(Auth()...).Fields(Reading(Cadence{Poll: "5m", Overlap: "15m", OverlapMeaning: "x"})...)
}

func TestMomentsAreSpansDaysOrTimes(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"-24h": "2026-11-19T12:00:00Z", "24h": "2026-11-19T12:00:00Z", "-30d": "2026-10-21T12:00:00Z", "-1w": "2026-11-13T12:00:00Z",
		"-1h30m": "2026-11-20T10:30:00Z", "-0.5d": "2026-11-20T00:00:00Z", "2026-11-01": "2026-11-01T00:00:00Z",
		"2026-11-01T10:00:00Z": "2026-11-01T10:00:00Z", "2026-11-01T10:00:00+02:00": "2026-11-01T08:00:00Z", "-0s": "2026-11-20T12:00:00Z",
	} {
		m, err := ParseMoment(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := m.At(now).Format(time.RFC3339); got != want || m.IsZero() {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"yesterday", "-24", "--24h", "2026-13-01", "1e9d", "-99999d", "01.11.2026"} {
		if _, err := ParseMoment(in); err == nil {
			t.Errorf("%s: got no error, want one", in)
		}
	}
	if m, err := ParseMoment(" "); err != nil || !m.IsZero() || !m.At(now).IsZero() {
		t.Errorf("empty: got %v, %v; want no time", m, err)
	}
}

func TestLintAgreesWithTheParser(t *testing.T) {
	env := service.NewEnvironment()
	if err := env.RegisterInput("test", spec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	linter := env.NewComponentConfigLinter()
	for _, tt := range []struct {
		yaml string
		bad  bool
	}{
		{"start: -24h", false},
		{"start: -30d", false},
		{"start: -1h30m", false},
		{"start: 2026-11-01T00:00:00Z", false},
		{"start: 2026-11-01T00:00:00.5+02:00", false},
		{`start: "2026-11-01"`, false},
		{`start: 2026-11-01`, false},
		{"start: yesterday", true},
		{"start: -24", true},
		{"end: soon", true},
		{`end: ""`, false},
		{"checkpoint_limit: 0", true},
		{"checkpoint_limit: 1", false},
		{"max_requests_per_second: 0", true},
		{"max_requests_per_second: 0.1", false},
		{"max_page_bytes: 1023", true},
		{"max_page_bytes: 1024", false},
		{"strat: -24h", true},
		{"auth: { regoin: x }", true},
	} {
		lints, err := linter.LintInputYAML([]byte("test:\n  " + tt.yaml))
		if err != nil {
			t.Errorf("%s: %v", tt.yaml, err)
			continue
		}
		if got := len(lints) > 0; got != tt.bad {
			t.Errorf("%s: got lints %v, want some: %v", tt.yaml, lints, tt.bad)
		}
	}
}

func TestParseRefusesWhatCannotWork(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{"", ""},
		{`start: ""`, "must not be empty"},
		{"start: -1h\nend: -2h", "end: it must lie after start"},
		{"start: -2h\nend: -1h", ""},
		{"start: 2026-11-01\nend: 2026-11-02", ""},
		{"start: 2026-11-02T00:00:00Z\nend: 2026-11-01T00:00:00Z", "end: it must lie after start"},
		{"start: 2026-11-01T00:00:00Z\nend: -1h", ""},
		{"poll_interval: 0s", "poll_interval: it must be more than 0"},
		{"checkpoint_limit: 0", "checkpoint_limit: it must be at least 1"},
		{"max_requests_per_second: 0", "must be more than 0"},
	} {
		parsed, err := spec().ParseYAML(tt.yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(parsed)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q in it", tt.yaml, err, tt.want)
		}
	}
}

func TestSecretsAreMarkedAsSecret(t *testing.T) {
	env := service.NewEnvironment()
	if err := env.RegisterInput("test", spec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	var schema []byte
	env.WalkInputs(func(name string, view *service.ConfigView) {
		if name != "test" {
			return
		}
		var err error
		if schema, err = view.FormatJSON(); err != nil {
			t.Fatal(err)
		}
	})
	for _, field := range []string{"private_key", "passphrase"} {
		_, rest, ok := strings.Cut(string(schema), `"name":"`+field+`"`)
		if !ok {
			t.Fatalf("no field %s in %s", field, schema)
		}
		own, _, _ := strings.Cut(rest, `"name":`)
		if !strings.Contains(own, `"is_secret":true`) {
			t.Errorf("%s is not marked as secret", field)
		}
	}
}
