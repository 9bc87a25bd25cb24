package docs

import (
	"encoding/json"
	"errors"
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
		input("oci_logging"),
		input("oci_streaming"),
		input("correlate_source"),
		{"correlate", func(e *service.Environment) (*service.ConfigView, bool) { return e.GetProcessorConfig("correlate") }},
		{"bolt", func(e *service.Environment) (*service.ConfigView, bool) { return e.GetCacheConfig("bolt") }},
	}
}

func components(root string) ([]Document, error) {
	var all []Document
	var errs []error
	for _, c := range ours() {
		d, err := c.document(root)
		if err != nil {
			errs = append(errs, fmt.Errorf("documenting %s: %w", c.folder, err))
			continue
		}
		all = append(all, d)
	}
	return all, errors.Join(errs...)
}

var errNotRegistered = errors.New("it is not registered")

func (c component) document(root string) (Document, error) {
	view, ok := c.view(service.GlobalEnvironment())
	if !ok {
		return Document{}, errNotRegistered
	}
	data, err := view.TemplateData()
	if err != nil {
		return Document{}, err
	}
	optional, err := optionalFields(view)
	if err != nil {
		return Document{}, err
	}
	sections := []section{{"fields", "Fields", fieldTable(data.Fields, optional)}}
	metrics, err := metricsOf(root, c.folder, c.sources()...)
	if err != nil {
		return Document{}, err
	}
	if len(metrics) > 0 {
		sections = append(sections, section{"metrics", "Metrics", metricTable(metrics)})
	}
	return withSections(root, "plugins/"+c.folder+"/README.md", sections...)
}

// sources gives the folders in which the metrics of the component are made.
func (c component) sources() []string {
	if strings.HasPrefix(c.folder, "oci_") {
		folders := []string{"plugins/" + c.folder, "plugins/internal/ocifields"}
		// Problems are swept, streams followed; all else is read window by window.
		if c.folder != "oci_cloudguard" && c.folder != "oci_streaming" {
			folders = append(folders, "plugins/internal/ocireader")
		}
		return folders
	}
	return []string{"plugins/" + c.folder}
}

// optionalFields gives the names of fields that may be left out though they have no default.
func optionalFields(view *service.ConfigView) (map[string]bool, error) {
	type field struct {
		Name     string  `json:"name"`
		Kind     string  `json:"kind"`
		Optional bool    `json:"is_optional"`
		Children []field `json:"children"`
	}
	var spec struct {
		Config field `json:"config"`
	}
	text, err := view.FormatJSON()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	optional := map[string]bool{}
	var visit func(prefix string, f field)
	visit = func(prefix string, f field) {
		for _, child := range f.Children {
			name := prefix + child.Name
			optional[name] = child.Optional || len(child.Children) > 0
			switch child.Kind {
			case "array":
				name += "[]"
			case "map":
				name += ".<name>"
			}
			visit(name+".", child)
		}
	}
	visit("", spec.Config)
	return optional, nil
}

func fieldTable(fields []service.TemplateDataPluginField, optional map[string]bool) string {
	var b strings.Builder
	b.WriteString("| Field | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, f := range fields {
		value := "required"
		switch {
		case f.DefaultMarshalled != "":
			value = "`" + f.DefaultMarshalled + "`"
		case optional[f.FullName]:
			value = ""
		}
		kind := f.Type
		if f.IsInterpolated {
			kind += ", interpolated"
		}
		if f.IsSecret {
			kind += ", secret"
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
