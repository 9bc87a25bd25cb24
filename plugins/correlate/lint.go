package correlate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/rule"
	"benthos-oci/rules"
)

// Lint rules of fields are Bloblang mappings, so the Go checks are called through methods of ours.
// The names say that they are not for mappings of users.
const (
	methodLintRules = "correlate_lint_rules"
	methodLintPacks = "correlate_lint_packs"
	methodLintSize  = "correlate_lint_size"
	methodLintTime  = "correlate_lint_time"
)

func lintWith(method string) string { return "root = this." + method + "()" }

// lintChoice allows the given values only. A lint rule of a list is called for the list and for each of its items.
func lintChoice(values ...string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf(`root = if this.type() == "string" && ![ %s ].contains(this) { [ "%%v is none of: %s".format(this) ] }`,
		strings.Join(quoted, ", "), strings.Join(values, ", "))
}

var registerLints = sync.OnceFunc(func() {
	for name, lint := range map[string]func(v any) []string{
		methodLintRules: lintRules,
		methodLintPacks: lintPacks,
		methodLintSize:  lintText(func(s string) error { _, err := parseSize(s); return err }),
		methodLintTime: lintText(func(s string) error {
			if s == "" {
				return nil
			}
			_, err := parseTime(s)
			return err
		}),
	} {
		// The method takes part in no mapping but the lint rules here.
		s := bloblang.NewPluginSpec().Category("Plugin").Deprecated().
			Description("Checks a field of `correlate`; not for mappings.")
		bloblang.MustRegisterMethodV2(name, s, func(*bloblang.ParsedParams) (bloblang.Method, error) {
			return func(v any) (any, error) {
				lints := lint(v)
				all := make([]any, len(lints))
				for i, l := range lints {
					all[i] = l
				}
				return all, nil
			}, nil
		})
	}
})

func lintText(check func(string) error) func(any) []string {
	return func(v any) []string {
		s, ok := v.(string)
		if !ok {
			return nil // Benthos complains of the type
		}
		if err := check(s); err != nil {
			return []string{err.Error()}
		}
		return nil
	}
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
