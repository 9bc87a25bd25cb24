package demo

import (
	_ "embed"
	"strings"
	"text/template"
	"time"

	"benthos-oci/plugins/ocisim"
)

//go:embed pipeline.yaml.tmpl
var pipelineText string

var pipelineTemplate = template.Must(template.New("pipeline").Funcs(template.FuncMap{"indent": indent}).Parse(pipelineText))

// pipeline gives the config of the demo, for one day from start on.
func pipeline(sim *ocisim.Sim, endpoint string, start time.Time, state string) string {
	var b strings.Builder
	// The template is ours and its fields are texts: it cannot fail, and a test runs it.
	_ = pipelineTemplate.Execute(&b, map[string]string{
		"Block": sim.ConfigBlock(endpoint, 0),
		"Start": start.Format(time.RFC3339),
		"End":   start.Add(25 * time.Hour).Format(time.RFC3339),
		"State": state,
	})
	return b.String()
}

func indent(by int, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines, "\n"+strings.Repeat(" ", by))
}
