package lint

import (
	"slices"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"
)

// kinds says how fields are read that are no text: Benthos's linter looks only at whether they are one value, and run refuses them.
var kinds = map[string]struct {
	into func() any
	want string
}{
	"bool":  {func() any { return new(bool) }, "true or false"},
	"int":   {func() any { return new(int) }, "a whole number"},
	"float": {func() any { return new(float64) }, "a number"},
}

// scalarsOf gives the types of the fields of a component of this program, by their paths; nil for any other.
func scalarsOf(name string) map[string]string { return ours()[name] }

var ours = sync.OnceValue(func() map[string]map[string]string {
	env, all := service.GlobalEnvironment(), map[string]map[string]string{}
	add := func(name string, view *service.ConfigView, ok bool) {
		if !ok {
			return // a program may have fewer components
		}
		data, err := view.TemplateData()
		if err != nil {
			return // its fields are then not looked at here
		}
		all[name] = map[string]string{}
		for _, f := range data.Fields {
			all[name][f.FullName] = f.Type
		}
	}
	for _, name := range slices.Concat(keepers, []string{"oci_streaming", "correlate_source"}) {
		view, ok := env.GetInputConfig(name)
		add(name, view, ok)
	}
	view, ok := env.GetProcessorConfig("correlate")
	add("correlate", view, ok)
	view, ok = env.GetCacheConfig("bolt")
	add("bolt", view, ok)
	return all
})

// scalars finds fields that hold what their type does not allow.
func (n *named) scalars(at *yaml.Node, types map[string]string, prefix string, depth int) {
	if types == nil || at.Kind != yaml.MappingNode || depth > maxDepth {
		return
	}
	for i := 0; i+1 < len(at.Content); i += 2 {
		path, value := prefix+at.Content[i].Value, at.Content[i+1]
		kind, known := kinds[types[path]]
		if !known {
			n.scalars(value, types, path+".", depth+1)
			continue
		}
		if value.Kind != yaml.ScalarNode {
			continue // the schema's linter complains
		}
		text, whole := expand(value.Value)
		if !whole {
			continue
		}
		err := value.Decode(kind.into())
		if text != value.Value {
			err = yaml.Unmarshal([]byte(text), kind.into())
		}
		if err != nil {
			n.say(value, "%s: must be %s, not %q", path, kind.want, text)
		}
	}
}
