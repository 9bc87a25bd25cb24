package foreign

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// get gives the value of a key of a mapping; nil where there is none.
func get(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// text gives a scalar, "" for anything else.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// texts gives the scalars of a list, or the one that stands in its place.
func texts(n *yaml.Node) []string {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		if s := text(n); s != "" {
			return []string{s}
		}
		return nil
	}
	var list []string
	for _, item := range n.Content {
		if s := text(item); s != "" {
			list = append(list, s)
		}
	}
	return list
}

func isTrue(n *yaml.Node) bool { return strings.EqualFold(text(n), "true") }

// mapping is a mapping that is being written, in order.
type mapping struct{ content []*yaml.Node }

func (m *mapping) add(name string, value *yaml.Node) {
	m.content = append(m.content, scalar(name), value)
}

func (m *mapping) text(name, value string) { m.add(name, scalar(value)) }

// texts adds a list, unless it is empty.
func (m *mapping) texts(name string, values []string) {
	if len(values) > 0 {
		m.add(name, list(values))
	}
}

func (m *mapping) node() *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: m.content}
}

// scalar gives a text; the encoder quotes it where it needs quotes.
func scalar(value string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(value)
	return n
}

func list(values []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, v := range values {
		n.Content = append(n.Content, scalar(v))
	}
	return n
}
