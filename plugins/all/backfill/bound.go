package backfill

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"
)

// stateLabel is the cache that holds the positions and windows of a backfill.
const stateLabel = "benthos_oci_backfill"

// Inputs that can be bounded, and those that may stand around or beside them.
var (
	boundable = []string{"oci_audit", "oci_logging", "oci_cloudguard"}
	around    = []string{"broker", "batched", "resource", "correlate_source"}
)

// bounded is a config whose inputs can be bounded.
type bounded struct{ root *yaml.Node }

// bound judges the inputs of the config. All that cannot be bounded are named at once.
func (o Options) bound() (bounded, error) {
	var found int
	var others []string
	err := o.Schema.NewStreamConfigWalker().WalkComponentsYAML([]byte(o.Config), func(w *service.WalkedComponent) error {
		switch {
		case w.ComponentType != "input" || slices.Contains(around, w.Name):
		case slices.Contains(boundable, w.Name):
			found++
		default:
			others = append(others, fmt.Sprintf("%s at line %d", w.Name, w.LineStart))
		}
		return nil
	})
	var doc yaml.Node
	if err == nil {
		err = yaml.Unmarshal([]byte(o.Config), &doc)
	}
	if err == nil && (len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode) {
		err = errors.New("it is no map")
	}
	switch {
	case err != nil:
		return bounded{}, fmt.Errorf("reading the config %s: %w; benthos-oci lint says more", o.Name, err)
	case len(others) > 0:
		return bounded{}, fmt.Errorf("reading the config %s: %s cannot be bounded; take it out for a backfill, which reads %s, with correlate_source beside them",
			o.Name, strings.Join(others, ", "), strings.Join(boundable, ", "))
	case found == 0:
		return bounded{}, fmt.Errorf("reading the config %s: %w", o.Name, ErrNoInput)
	}
	return bounded{root: doc.Content[0]}, nil
}

// text writes the config of the run: its inputs end, its state is that of the backfill, and it listens to no port.
func (b bounded) text(p plan, o Options) (string, error) {
	each(b.root, func(name string, fields *yaml.Node) {
		switch {
		case slices.Contains(boundable, name):
			set(fields, "start", stamp(p.Start))
			set(fields, "end", stamp(p.End))
			set(fields, "checkpoint_cache", stateLabel)
			if o.Rate > 0 {
				set(fields, "max_requests_per_second", o.Rate)
			}
			remove(fields, "threads") // as many as the rate can use
		case name == "correlate":
			set(fields, "state_cache", stateLabel)
		}
	})
	http := mapping(b.root, "http")
	set(http, "enabled", false)
	caches := value(b.root, "cache_resources")
	if caches == nil || caches.Kind != yaml.SequenceNode {
		caches = &yaml.Node{Kind: yaml.SequenceNode}
		put(b.root, "cache_resources", caches)
	}
	state := &yaml.Node{Kind: yaml.MappingNode}
	set(state, "label", stateLabel)
	set(mapping(state, "bolt"), "path", o.State)
	caches.Content = append(caches.Content, state)
	text, err := yaml.Marshal(b.root)
	if err != nil {
		return "", fmt.Errorf("writing the config of the backfill: %w", err)
	}
	return o.Literal(string(text)), nil
}

// each calls fn for every component of the config that has a name of interest, with the node of its fields.
func each(n *yaml.Node, fn func(name string, fields *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		for _, child := range n.Content {
			each(child, fn)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, fields := n.Content[i].Value, n.Content[i+1]
		if slices.Contains(boundable, name) && fields.Tag == "!!null" {
			*fields = yaml.Node{Kind: yaml.MappingNode}
		}
		if fields.Kind == yaml.AliasNode {
			fields = fields.Alias
		}
		if fields.Kind == yaml.MappingNode {
			fn(name, fields)
		}
		each(n.Content[i+1], fn)
	}
}

// value is the value of a key, nil where there is none.
func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// put gives a key a value.
func put(n *yaml.Node, key string, to *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = to
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, to)
}

// set gives a key a value that is a text, a number or a truth.
func set(n *yaml.Node, key string, to any) {
	scalar := &yaml.Node{}
	_ = scalar.Encode(to) // scalars always encode
	put(n, key, scalar)
}

// mapping is the map under a key, made where there is none.
func mapping(n *yaml.Node, key string) *yaml.Node {
	m := value(n, key)
	if m == nil || m.Kind != yaml.MappingNode {
		m = &yaml.Node{Kind: yaml.MappingNode}
		put(n, key, m)
	}
	return m
}

func remove(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}
