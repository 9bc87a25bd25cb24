package lintrule

import (
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

func TestLintSaysWhatRunWouldRefuse(t *testing.T) {
	env := service.NewEnvironment()
	spec := service.NewConfigSpec().Fields(
		service.NewDurationField("any").Default("1m").LintRule(Span("any", 0, 0)),
		service.NewDurationField("some").Default("1m").LintRule(Span("some", Positive, 0)),
		service.NewDurationField("bounded").Default("15m").LintRule(Span("bounded", 15*time.Minute, 168*time.Hour)),
		service.NewStringField("word").Default("").LintRule(Of("lintrule_test_word", Text(func(s string) error {
			_, err := time.Parse(time.DateOnly, s)
			return err
		}))),
	)
	if err := env.RegisterInput("test", spec, func(*service.ParsedConfig, *service.Resources) (service.Input, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	linter := env.NewComponentConfigLinter()
	for _, tt := range []struct{ field, want string }{
		{"any: 0s", ""},
		{"any: 1h30m", ""},
		{"any: 5", `must be a span with a unit, like 5m, not "5"`},
		{"any: 5.5", `must be a span with a unit, like 5m, not "5.5"`},
		{"any: true", `must be a span with a unit, like 5m, not "true"`},
		{"any: x", `must be a span with a unit, like 5m, not "x"`},
		{"any: 1d", `must be a span of hours, minutes or seconds, like 24h, not "1d"`},
		{"any: -1h", "is -1h and must not be negative"},
		{"any: [ 5m ]", "expected string value"},
		{"any: {}", "expected string value"},
		{`any: ""`, ""},
		{"some: 1ns", ""},
		{"some: 0s", "is 0s and must be more than 0"},
		{"bounded: 14m59s", "is 14m59s and must be at least 15m"},
		{"bounded: 15m", ""},
		{"bounded: 168h", ""},
		{"bounded: 168h1s", "is 168h1s and must be at most 168h"},
		{"word: 2026-13-01", "month out of range"},
	} {
		lints, err := linter.LintInputYAML([]byte("test:\n  " + tt.field))
		if err != nil {
			t.Errorf("%s: %v", tt.field, err)
			continue
		}
		var got []string
		for _, l := range lints {
			if l.Line != 2 {
				t.Errorf("%s: got line %d, want 2", tt.field, l.Line)
			}
			got = append(got, l.What)
		}
		if (tt.want == "") != (len(got) == 0) || len(got) > 1 || !strings.Contains(strings.Join(got, "\n"), tt.want) {
			t.Errorf("%s: got %q, want one with %q", tt.field, got, tt.want)
		}
	}
}

func TestSpansAreWrittenShort(t *testing.T) {
	for want, d := range map[string]time.Duration{"15m": 15 * time.Minute, "168h": 168 * time.Hour, "1m30s": 90 * time.Second, "10s": 10 * time.Second, "1h30m": 90 * time.Minute, "0s": 0} {
		if got := short(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
