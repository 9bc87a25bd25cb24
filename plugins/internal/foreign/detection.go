package foreign

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
)

// fields are the names that Sigma's rules use for what our events name otherwise.
var fields = map[string]string{
	"eventType": "metadata.event_code", "eventName": "api.operation", "data.eventName": "api.operation",
	"data.identity.principalName": "actor.user.name", "data.identity.ipAddress": "src_endpoint.ip",
}

var plainSegment = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// field gives the name that a field has here.
func (d *document) field(name string) string {
	if own, ok := fields[name]; ok {
		d.note("the field %s is written %s", name, own)
		return own
	}
	if f, ok := event.FieldNamed(name); ok && f.Type != event.Object && f.Type != event.Objects {
		return name
	}
	segments := strings.Split(name, ".")
	for i, s := range segments {
		if !plainSegment.MatchString(s) {
			segments[i] = `"` + strings.ReplaceAll(s, `"`, "") + `"`
		}
	}
	own := "raw." + strings.Join(segments, ".")
	d.note("the field %s is read from the record, as %s", name, own)
	return own
}

// detection gives the detection with our fields. prefix stands before the names of its selections.
func (d *document) detection(prefix string) *yaml.Node {
	out := &mapping{}
	source := d.get("detection")
	if source == nil || source.Kind != yaml.MappingNode {
		d.note("its detection could not be read")
		return out.node()
	}
	for i := 0; i+1 < len(source.Content); i += 2 {
		name, value := source.Content[i].Value, source.Content[i+1]
		switch name {
		case "condition":
			out.text("condition", d.condition(value, prefix))
		case "timeframe":
			d.note("`timeframe` (%s) was not carried over: it is `window` here, beside `having`", value.Value)
		default:
			out.add(prefix+name, d.selection(value))
		}
	}
	return out.node()
}

// selection gives a selection with our fields.
func (d *document) selection(n *yaml.Node) *yaml.Node {
	own := *n
	own.Content = nil
	own.HeadComment, own.LineComment, own.FootComment, own.Anchor = "", "", "", ""
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			name, modifiers, has := strings.Cut(key, "|")
			if name != "" {
				key = d.field(name)
			} else {
				key = ""
			}
			if has {
				key += "|" + d.modifiers(modifiers)
			}
			value := d.values(n.Content[i+1])
			if slices.Contains(strings.Split(modifiers, "|"), "fieldref") {
				for _, v := range leaves(value) {
					v.SetString(d.field(v.Value))
				}
			}
			own.Content = append(own.Content, scalar(key), value)
		}
		return &own
	case yaml.SequenceNode:
		for _, item := range n.Content {
			own.Content = append(own.Content, d.selection(item))
		}
		return &own
	default:
		return d.values(n)
	}
}

// modifiers gives modifiers as they are written here.
func (*document) modifiers(text string) string {
	parts := strings.Split(text, "|")
	for i, p := range parts {
		switch p {
		case "ignorecase":
			parts[i] = "i"
		case "multiline":
			parts[i] = "m"
		case "dotall":
			parts[i] = "s"
		}
	}
	return strings.Join(parts, "|")
}

// values copies values without comments and anchors.
func (d *document) values(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		d.note("a YAML alias (*%s) was not carried over: write its value", n.Value)
		return scalar("")
	}
	own := *n
	own.HeadComment, own.LineComment, own.FootComment, own.Anchor = "", "", "", ""
	own.Content = nil
	for _, c := range n.Content {
		own.Content = append(own.Content, d.values(c))
	}
	return &own
}

func leaves(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	return n.Content
}

var conditionWords = []string{"and", "or", "not", "of", "all", "any", "1"}

// condition gives the condition, with prefix before the names in it. A list of conditions is OR.
func (d *document) condition(n *yaml.Node, prefix string) string {
	parts := texts(n)
	for i, text := range parts {
		if before, after, aggregated := strings.Cut(text, "|"); aggregated {
			d.note("the aggregation `%s` was not carried over: write it as `having` with `group_by` and `window`", strings.TrimSpace(after))
			text = strings.TrimSpace(before)
		}
		if prefix != "" {
			text = renamed(text, func(word string) string {
				if word == "them" {
					return prefix + "*"
				}
				return prefix + word
			})
		}
		if len(parts) > 1 {
			text = "(" + text + ")"
		}
		parts[i] = text
	}
	return strings.Join(parts, " or ")
}

// renamed gives a condition with each of its names replaced.
func renamed(text string, rename func(string) string) string {
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, " \t\n()")
		if end == 0 {
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		if end < 0 {
			end = len(text)
		}
		word := text[:end]
		text = text[end:]
		if lower := strings.ToLower(word); slices.Contains(conditionWords, lower) {
			b.WriteString(lower)
			continue
		}
		b.WriteString(rename(word))
	}
	return b.String()
}
