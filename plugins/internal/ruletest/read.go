package ruletest

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// reader collects the mistakes of one file.
type reader struct {
	file     string
	problems rule.Problems
}

func (r *reader) at(n *yaml.Node) rule.Position {
	return rule.Position{File: r.file, Line: n.Line, Column: n.Column}
}

func (r *reader) problem(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, rule.Problem{Pos: r.at(n), Text: fmt.Sprintf(format, args...)})
}

// sorted gives all problems in the order of the file.
func (r *reader) sorted() rule.Problems {
	slices.SortStableFunc(r.problems, func(a, b rule.Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	return r.problems
}

// fields calls the function of each key of a map, in the order of the file, and reports the keys that have none.
func (r *reader) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s must be a map of %s", what, strings.Join(names(known), ", "))
		return
	}
	seen := map[string]bool{}
	pairs(n, func(key, value *yaml.Node) {
		read, ok := known[key.Value]
		switch {
		case !ok:
			r.problem(key, "unknown key %q in %s%s", key.Value, what, suggestion(key.Value, names(known)))
		case seen[key.Value]:
			r.problem(key, "key %q stands twice in %s", key.Value, what)
		default:
			seen[key.Value] = true
			read(value)
		}
	})
}

func pairs(n *yaml.Node, each func(key, value *yaml.Node)) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		each(n.Content[i], value)
	}
}

func (r *reader) items(n *yaml.Node, what string, each func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.problem(n, "%s must be a list", what)
		return
	}
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		each(item)
	}
}

func (r *reader) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		r.problem(n, "%s must be text", what)
		return ""
	}
	return n.Value
}

// value gives a decoded value; maps are map[string]any.
func (r *reader) value(n *yaml.Node) any {
	var v any
	if err := n.Decode(&v); err != nil {
		r.problem(n, "reading the value: %v", err)
		return nil
	}
	return event.Normal(v)
}

func (r *reader) object(n *yaml.Node, what string) map[string]any {
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s must be a map", what)
		return nil
	}
	m := map[string]any{}
	pairs(n, func(key, value *yaml.Node) { m[key.Value] = r.value(value) })
	return m
}

// offset reads a time after the start of the case: `59m59.999s`, `1d12h`.
func (r *reader) offset(n *yaml.Node, what string, start event.Time) event.Time {
	d, err := expr.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		r.problem(n, "%s must be a time after the start, as 90s, 1h30m, 2d or 59m59.999s", what)
		return start
	}
	return start.Add(d)
}

func names(known map[string]func(*yaml.Node)) []string {
	all := make([]string, 0, len(known))
	for name := range known {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

// suggestion names the known word that is nearest to an unknown one; where none is near, all that are known.
func suggestion(word string, known []string) string {
	if s := nearest(word, known); s != "" {
		return s
	}
	return ": known are " + strings.Join(known, ", ")
}

// nearest is suggestion where the known words are too many to list.
func nearest(word string, known []string) string {
	if best := expr.Nearest(word, known); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ""
}
