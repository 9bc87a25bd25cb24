package ociaudit

import (
	"strings"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	"github.com/redpanda-data/benthos/v4/public/service"
)

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

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{"", ""},
		{"overlap: 14m59s", "must be at least 15m"},
		{"overlap: 15m", ""},
		{"regions: []", "name regions"},
		{"compartments: { refresh: 59s }", "must be at least 1m"},
		{"delay: -1s", "must not be negative"},
		{"threads: -1", "between 0 and 64"},
		{"threads: 65", "between 0 and 64"},
	} {
		parsed, err := Spec().ParseYAML(tt.yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parse(parsed)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q in it", tt.yaml, err, tt.want)
		}
	}
}
