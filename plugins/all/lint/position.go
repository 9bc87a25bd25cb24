package lint

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// keepers are the inputs that keep a position for each tenancy, one to a key.
var keepers = []string{"oci_audit", "oci_cloudguard", "oci_logging"}

// position finds inputs that would keep their positions under the same keys: the second one does not start.
func (n *named) position(key, fields *yaml.Node) {
	label := child(fields, "checkpoint_cache")
	if !slices.Contains(keepers, key.Value) || label == nil {
		return
	}
	cache, known := expand(label.Value)
	if cache == "" || !known {
		return
	}
	whose := cache + "\x00" + key.Value
	if own := child(fields, "checkpoint_key"); own != nil && own.Value != "" {
		prefix, known := expand(own.Value)
		if !known {
			return
		}
		whose = cache + "\x00" + prefix
	} else if auth := child(fields, "auth"); auth != nil {
		text, err := yaml.Marshal(auth)
		if err != nil {
			return
		}
		whose += "\x00" + string(text)
	}
	first, taken := n.positions[whose]
	if !taken {
		n.positions[whose] = key.Line
		return
	}
	n.say(key, "%s keeps its position in cache %q under the same keys as the one at line %d, and only one of the two can start: set checkpoint_key on one of them", key.Value, cache, first)
}
