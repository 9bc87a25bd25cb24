package docs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

var errNoRules = errors.New("there is no rule")

// rules writes the index of the shipped rules.
func rules(root string) ([]Document, error) {
	files, err := filepath.Glob(filepath.Join(root, "rules", "oci", "*", "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("listing rules: %w", err)
	}
	var b strings.Builder
	b.WriteString("| Rule | Severity | Status | Window | ATT&CK | Detects |\n|---|---|---|---|---|---|\n")
	count := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.yaml") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a rule: %w", err)
		}
		path, err := filepath.Rel(filepath.Join(root, "rules"), file)
		if err != nil {
			return nil, fmt.Errorf("naming a rule: %w", err)
		}
		found, problems := rule.Parse(file, data, rule.Options{})
		if err := problems.Err(); err != nil {
			return nil, err
		}
		for _, r := range found {
			count++
			fmt.Fprintf(&b, "| [%s](%s) | %s | %s | %s | %s | %s |\n",
				r.ID, filepath.ToSlash(path), r.Severity, r.Status, window(r), techniques(r), cell(r.Title))
		}
	}
	if count == 0 {
		return nil, fmt.Errorf("writing the index of rules: %w", errNoRules)
	}
	rows, err := language(root)
	if err != nil {
		return nil, err
	}
	d, err := withSections(root, "rules/README.md", section{"rules", "Rules", b.String()}, section{"functions", "Functions", functions()}, section{"language", "Language", rows})
	if err != nil {
		return nil, fmt.Errorf("writing the index of rules: %w", err)
	}
	return []Document{d}, nil
}

// functions writes what the expressions of rules can call.
func functions() string {
	var b strings.Builder
	b.WriteString("| Over the events of a window | |\n|---|---|\n")
	for _, name := range expr.Aggregates() {
		writeUsage(&b, expr.Usage(name))
	}
	b.WriteString("\n| Over values | |\n|---|---|\n")
	for _, name := range expr.Functions() {
		writeUsage(&b, expr.Usage(name))
	}
	return b.String()
}

// writeUsage puts the call into one cell, and what is said about it into the next.
func writeUsage(b *strings.Builder, usage string) {
	depth, end := 0, 0
	for end < len(usage) {
		c := usage[end]
		end++
		if c == '(' {
			depth++
		}
		if c != ')' {
			continue
		}
		if depth--; depth == 0 {
			break
		}
	}
	fmt.Fprintf(b, "| `%s` | %s |\n", usage[:end], cell(strings.TrimLeft(usage[end:], ",; ")))
}

func window(r *rule.Rule) string {
	const second = 1000
	if r.Window.Milliseconds() < second {
		return ""
	}
	return expr.FormatDuration(r.Window)
}

// techniques gives the ATT&CK techniques among the tags of a rule and its patterns.
func techniques(r *rule.Rule) string {
	tags := r.Tags
	for _, p := range r.Patterns {
		tags = append(tags[:len(tags):len(tags)], p.Tags...)
	}
	var all []string
	seen := map[string]bool{}
	for _, tag := range tags {
		id, ok := strings.CutPrefix(tag, "attack.t")
		if !ok || id == "" || id[0] < '0' || id[0] > '9' || seen[id] {
			continue
		}
		seen[id] = true
		all = append(all, "T"+id)
	}
	return strings.Join(all, ", ")
}

// schema writes the JSON Schema of rule files.
func schema(string) ([]Document, error) {
	return []Document{{Path: "rules/rule.schema.json", Content: rule.JSONSchema()}}, nil
}
