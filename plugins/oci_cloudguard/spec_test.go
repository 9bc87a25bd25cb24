package ocicloudguard

import (
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
