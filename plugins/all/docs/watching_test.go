package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWatchingNamesMetricsThatThereAre holds the section about monitoring to the tables that are generated.
func TestWatchingNamesMetricsThatThereAre(t *testing.T) {
	plugins := filepath.Join("..", "..")
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:counter|gauge|timer) \\|")
	have := map[string]bool{}
	pages, err := filepath.Glob(filepath.Join(plugins, "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			have[m[1]] = true
		}
	}
	text, err := os.ReadFile(filepath.Join(plugins, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Watching it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	named := regexp.MustCompile(`(?:<input>|oci_(?:audit|cloudguard|logging|streaming)|correlate(?:_source)?)_[a-z]+(?:_[a-z]+)*`).FindAllString(section, -1)
	if len(named) < 15 || len(have) < 40 {
		t.Fatalf("the section names %d metrics and the pages list %d: there is nothing to compare", len(named), len(have))
	}
	for _, name := range named {
		inputs := []string{""}
		if rest, ok := strings.CutPrefix(name, "<input>"); ok {
			inputs, name = []string{"oci_audit", "oci_cloudguard", "oci_logging", "oci_streaming"}, rest
		}
		for _, input := range inputs {
			if metric := input + name; !have[metric] && metric != "correlate_source" {
				t.Errorf("the section names the metric %s, which no component has", metric)
			}
		}
	}
}

// TestStreamHasNoMetricOfRepeatedRecords holds for an input that knows no ids: it could only ever say nothing.
func TestStreamHasNoMetricOfRepeatedRecords(t *testing.T) {
	for _, folder := range []string{"oci_audit", "oci_cloudguard", "oci_logging", "oci_streaming"} {
		all, err := metricsOf(filepath.Join("..", "..", ".."), folder, component{folder: folder}.sources()...)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, m := range all {
			found = found || m.name == folder+"_repeated_total"
		}
		if want := folder != "oci_streaming"; found != want {
			t.Errorf("%s_repeated_total: got registered %v, want %v", folder, found, want)
		}
	}
}
