package correlate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/rule"
	"benthos-oci/rules"
)

// lintChoice allows the given values only. A lint rule of a list is called for the list and for each of its items.
func lintChoice(values ...string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf(`root = if this.type() == "string" && ![ %s ].contains(this) { [ "%%v is none of: %s".format(this) ] }`,
		strings.Join(quoted, ", "), strings.Join(values, ", "))
}

// lintTime refuses what is no time; empty is none.
func lintTime(s string) error {
	if s == "" {
		return nil
	}
	_, err := parseTime(s)
	return err
}

// lintSize refuses what is no size.
func lintSize(s string) error {
	_, err := parseSize(s)
	return err
}

func lintPacks(v any) []string {
	name, ok := v.(string)
	if !ok {
		return nil // the whole list; its items come one by one
	}
	if known := rule.Packs(rules.FS); !slices.Contains(known, name) {
		return []string{fmt.Sprintf("there is no pack %q; packs: %s", name, strings.Join(known, ", "))}
	}
	return nil
}

// lintRules is called with each rule, so that what is wrong with it is told at its line,
// and once with the whole list, for what is wrong between rules.
func lintRules(v any) []string {
	if items, ok := v.([]any); ok {
		var lints []string
		var all []*rule.Rule
		first := map[string]bool{}
		for _, item := range items {
			id := idOf(item)
			if id != "" && first[id] {
				lints = append(lints, fmt.Sprintf("two rules have the id %q", id))
			}
			first[id] = true
			read, _ := parseInline("rules", item)
			all = append(all, read...)
		}
		for _, p := range rule.Cycles(all) {
			lints = append(lints, p.Text)
		}
		return lints
	}
	_, problems := parseInline("rules", v)
	lints := make([]string, len(problems))
	for i, p := range problems {
		lints[i] = p.Text
		if _, block := v.(string); block {
			lints[i] = fmt.Sprintf("line %d, column %d of the block: %s", p.Pos.Line, p.Pos.Column, p.Text)
		}
	}
	return lints
}

func idOf(item any) string {
	if text, ok := item.(string); ok {
		var head struct {
			ID string `yaml:"id"`
		}
		if yaml.Unmarshal([]byte(text), &head) == nil {
			return head.ID
		}
		return ""
	}
	doc, _ := item.(map[string]any)
	id, _ := doc["id"].(string)
	return id
}

var errInline = errors.New("a rule in place is an object, or a text block with one")

// parseInline reads a rule as the config gives it: an object, whose positions are gone, or a text block.
func parseInline(name string, v any) ([]*rule.Rule, rule.Problems) {
	text, ok := v.(string)
	if !ok {
		data, err := yaml.Marshal(plain(v))
		if err != nil {
			return nil, rule.Problems{{Pos: rule.Position{File: name, Line: 1, Column: 1}, Text: fmt.Sprintf("%v: %v", errInline, err)}}
		}
		text = string(data)
	}
	return rule.Parse(name, []byte(text), rule.Options{Inline: true})
}

// plain undoes what YAML makes of dates that are not quoted.
func plain(v any) any {
	switch t := v.(type) {
	case time.Time:
		if t.Equal(t.Truncate(24 * time.Hour)) {
			return t.Format(time.DateOnly)
		}
		return t.Format(time.RFC3339Nano)
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, x := range t {
			out[k] = plain(x)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, x := range t {
			out[i] = plain(x)
		}
		return out
	}
	return v
}
