package docs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"benthos-oci/plugins/internal/rule"
)

var errNoRows = errors.New("there is no archive of rules")

// tables are the archives of tests/language in the order of the documents, with what stands above each.
var tables = []struct{ archive, title string }{
	{"fortisiem-filters", "FortiSIEM: filters"},
	{"fortisiem-functions", "FortiSIEM: functions"},
	{"fortisiem-aggregates", "FortiSIEM: aggregates"},
	{"fortisiem-patterns", "FortiSIEM: patterns, relations, incidents"},
	{"sigma-modifiers", "Sigma: modifiers"},
	{"sigma-conditions", "Sigma: selections and conditions"},
	{"sigma-correlations", "Sigma: correlations"},
}

// language writes how the parts of other rule languages are written here, and which rule of tests/language shows it.
func language(root string) (string, error) {
	known, err := filepath.Glob(filepath.Join(root, "tests", "language", "*.txtar"))
	if err != nil {
		return "", fmt.Errorf("listing the rows of the language: %w", err)
	}
	if len(known) != len(tables) {
		return "", fmt.Errorf("found %d archives and not %d: %w", len(known), len(tables), errNoRows)
	}
	var b strings.Builder
	for i, table := range tables {
		file := "tests/language/" + table.archive + ".txtar"
		archive, err := txtar.ParseFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return "", fmt.Errorf("reading the rows of the language: %w", err)
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "| %s | Written here | Shown by [%s](../%s) |\n|---|---|---|\n", table.title, table.archive, file)
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, "_test.yaml") {
				continue
			}
			found, problems := rule.Parse(file, f.Data, rule.Options{Inline: true})
			if err := problems.Err(); err != nil {
				return "", err
			}
			for _, r := range found {
				fmt.Fprintf(&b, "| %s | `%s` | %s |\n", cell(r.Title), cell(r.Description), r.ID)
			}
		}
	}
	return b.String(), nil
}
