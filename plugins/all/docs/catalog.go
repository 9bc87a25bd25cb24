package docs

import (
	"fmt"
	"strings"

	"benthos-oci/plugins/internal/event"
)

// catalog writes the methods and the fields that they fill into one document.
func catalog(root string) ([]Document, error) {
	d, err := withSections(root, "plugins/oci_normalize/README.md",
		section{"methods", "Methods", methodTable("oci_")},
		section{"catalog", "Fields that rules may name", fieldCatalog()})
	if err != nil {
		return nil, fmt.Errorf("documenting the field catalog: %w", err)
	}
	return []Document{d}, nil
}

func fieldCatalog() string {
	var b strings.Builder
	b.WriteString("| Field | Type | Meaning | In an audit event | In a Cloud Guard problem |\n|---|---|---|---|---|\n")
	for _, f := range event.Fields() {
		meaning := f.Meaning
		if f.Open {
			meaning += " Any path below it may be named."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, cell(meaning), source(f.Audit), source(f.Problem))
	}
	return b.String()
}

func source(path string) string {
	if path == "" {
		return ""
	}
	return cell(path)
}
