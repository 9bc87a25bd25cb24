package docs

import (
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// component is one of ours, and the folder that holds it.
type component struct {
	folder string
	view   func(*service.Environment) (*service.ConfigView, bool)
}

func input(name string) component {
	return component{name, func(e *service.Environment) (*service.ConfigView, bool) { return e.GetInputConfig(name) }}
}

func ours() []component {
	return []component{
		input("oci_audit"),
		input("oci_cloudguard"),
		input("correlate_source"),
		{"correlate", func(e *service.Environment) (*service.ConfigView, bool) { return e.GetProcessorConfig("correlate") }},
		{"bolt", func(e *service.Environment) (*service.ConfigView, bool) { return e.GetCacheConfig("bolt") }},
	}
}

func components(root string) ([]Document, error) {
	var all []Document
	for _, c := range ours() {
		view, ok := c.view(service.GlobalEnvironment())
		if !ok {
			return nil, fmt.Errorf("documenting %s: it is not registered", c.folder)
		}
		data, err := view.TemplateData()
		if err != nil {
			return nil, fmt.Errorf("documenting %s: %w", c.folder, err)
		}
		sections := []section{{"fields", "Fields", fieldTable(data.Fields)}}
		metrics, err := metricsOf(root, "plugins/"+c.folder)
		if err != nil {
			return nil, fmt.Errorf("documenting %s: %w", c.folder, err)
		}
		if len(metrics) > 0 {
			sections = append(sections, section{"metrics", "Metrics", metricTable(metrics)})
		}
		d, err := withSections(root, "plugins/"+c.folder+"/README.md", sections...)
		if err != nil {
			return nil, fmt.Errorf("documenting %s: %w", c.folder, err)
		}
		all = append(all, d)
	}
	return all, nil
}

func fieldTable(fields []service.TemplateDataPluginField) string {
	var b strings.Builder
	b.WriteString("| Field | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, f := range fields {
		value := "required"
		if f.DefaultMarshalled != "" {
			value = "`" + f.DefaultMarshalled + "`"
		}
		kind := f.Type
		if f.IsInterpolated {
			kind += ", interpolated"
		}
		if f.IsSecret {
			kind += ", secret"
		}
		if f.Type == "object" && f.DefaultMarshalled == "" {
			value = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.FullName, kind, value, cell(f.Description+options(f)+examples(f)))
	}
	return b.String()
}

func options(f service.TemplateDataPluginField) string {
	var all []string
	for _, o := range f.AnnotatedOptions {
		all = append(all, fmt.Sprintf("`%s` (%s)", o[0], strings.TrimSuffix(o[1], ".")))
	}
	for _, o := range f.Options {
		all = append(all, "`"+o+"`")
	}
	if len(all) == 0 {
		return ""
	}
	return "\n\nOne of " + strings.Join(all, ", ") + "."
}

// examples gives those that fit on one line; longer ones stand in the component's own examples.
func examples(f service.TemplateDataPluginField) string {
	var all []string
	for _, e := range f.ExamplesMarshalled {
		if e = strings.TrimSpace(e); !strings.Contains(e, "\n") {
			all = append(all, "`"+e+"`")
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "\n\nExample: " + strings.Join(all, ", ")
}

func methodTable(prefix string) string {
	var b strings.Builder
	b.WriteString("| Method | Parameters | Meaning |\n|---|---|---|\n")
	bloblang.GlobalEnvironment().WalkMethods(func(name string, view *bloblang.MethodView) {
		if !strings.HasPrefix(name, prefix) {
			return
		}
		data := view.TemplateData()
		var params []string
		for _, p := range data.Params.Definitions {
			text := "`" + p.Name + "` (" + p.ValueType + ")"
			if p.Description != "" {
				text += ": " + p.Description
			}
			if p.DefaultMarshalled != "" {
				text += " Default `" + p.DefaultMarshalled + "`."
			}
			params = append(params, text)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, cell(strings.Join(params, "\n\n")), cell(data.Description))
	})
	return b.String()
}
