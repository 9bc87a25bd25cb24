package ocilogging

import (
	"slices"
	"strings"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	lintHead = "input:\n  oci_logging:\n    queries:\n"
	goodText = `search "ocid1.tenancy.oc1..a/_Audit" | where type = 'a | count' and "| top" = 1 | sort by datetime asc`
)

func TestBadQueriesAreFoundByTheLinterAndRefusedAtStart(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	for _, tt := range []struct{ name, queries, want string }{
		{"good", queryYAML("sign-ins_2.x", goodText, ""), ""},
		{"two", queryYAML("a", goodText, "") + queryYAML("b", goodText, "        regions: [ eu-frankfurt-1 ]\n"), ""},
		{"upper case", queryYAML("a", `SEARCH "c"`, ""), ""},
		{"select", queryYAML("a", `search "c" | select type`, ""), ""},
		{"a field called count", queryYAML("a", `search "c" | where data.count = 3`, ""), ""},
		{"a name with a slash", queryYAML("a/b", goodText, ""), "must consist of letters"},
		{"an empty name", queryYAML(`""`, goodText, ""), "must consist of letters"},
		{"a name of 65", queryYAML(strings.Repeat("a", 65), goodText, ""), "must consist of letters"},
		{"a name of 64", queryYAML(strings.Repeat("a", 64), goodText, ""), ""},
		{"no search", queryYAML("a", `"c" | where x = 1`, ""), "must begin with the logs"},
		{"search of nothing", queryYAML("a", `search`, ""), "must begin with the logs"},
		{"summarize", queryYAML("a", `search "c" | summarize count() by type`, ""), "must give whole records"},
		{"limit", queryYAML("a", `search "c" |limit 5`, ""), "must give whole records"},
		{"top, upper case", queryYAML("a", `search "c" | TOP 3 by x`, ""), "must give whole records"},
		{"count without a space", queryYAML("a", `search "c"|count`, ""), "must give whole records"},
		{"the same name twice", queryYAML("a", goodText, "") + queryYAML("a", goodText, ""), "same name"},
	} {
		lints, err := linter.LintYAML([]byte(lintHead + tt.queries))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		said := ""
		for _, l := range lints {
			said += l.What
		}
		if (tt.want == "") != (said == "") || !strings.Contains(said, tt.want) {
			t.Errorf("%s: the linter says %q, want %q", tt.name, said, tt.want)
		}
		parsed, err := Spec().ParseYAML("queries:\n"+tt.queries, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(tt.want, "same name", `are called "a"`, 1)
		if _, err := parse(parsed); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v at start, want %q", tt.name, err, want)
		}
	}
	lints, err := linter.LintYAML([]byte("input:\n  oci_logging:\n    queries: []\n"))
	if err != nil || len(lints) != 1 || !strings.Contains(lints[0].What, "at least one query") {
		t.Errorf("no query: got %v, %v", lints, err)
	}
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	good := "queries: [ { name: a, search: 'search \"c\"' } ]\n"
	for _, tt := range []struct{ yaml, want string }{
		{good, ""},
		{"queries: []", "name at least one query"},
		{"queries: [ { name: a, search: 'search \"c\"', regions: [] } ]", "name its regions"},
		{good + "overlap: 59s", "must be between"},
		{good + "overlap: 1m", ""},
		{good + "overlap: 168h", ""},
		{good + "overlap: 168h1s", "must be between"},
		{good + "delay: -1s", "must not be negative"},
		{good + "delay: 0s", ""},
		{good + "threads: -1", "between 0 and 64"},
		{good + "threads: 64", ""},
		{good + "threads: 65", "between 0 and 64"},
		{good + "start: soon", "reading start"},
	} {
		parsed, err := Spec().ParseYAML(tt.yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parse(parsed)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q in it", tt.yaml, err, tt.want)
		}
	}
}

func TestExamplesOfTheSpecPassTheLinter(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	view, ok := service.GlobalEnvironment().GetInputConfig(Name)
	if !ok {
		t.Fatal("the component is not registered")
	}
	data, err := view.TemplateData()
	if err != nil {
		t.Fatal(err)
	}
	if len(data.Examples) == 0 {
		t.Fatal("the spec has no examples")
	}
	for _, e := range data.Examples {
		lints, err := linter.LintYAML([]byte(e.Config))
		if err != nil || len(lints) > 0 {
			t.Errorf("%s: got %v, %v; want none", e.Title, lints, err)
		}
	}
}

func TestAuditedCompartmentsAreFound(t *testing.T) {
	for text, want := range map[string][]string{
		`search "a/_Audit"`: {"a"},
		`search "a/_Audit_Include_Subcompartment", "b" , "c/_Audit" "d/group/log" | where x = "e/_Audit"`: {"a", "c"},
		"search\n\"a/_Audit\"": {"a"},
		`search "a"`:           nil,
		`search "a/group"`:     nil,
		`where "a/_Audit"`:     nil,
	} {
		if got := (query{text: text}).audited(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestPlacesAreQueriesInTheirRegions(t *testing.T) {
	s := searches{queries: []query{
		{name: "a", regions: []string{subscribed}},
		{name: "b", regions: []string{"FRA", "eu-frankfurt-1", "us-ashburn-1"}},
	}}
	var got []string
	for _, p := range s.places([]string{"eu-frankfurt-1", "uk-london-1"}) {
		got = append(got, p.Name)
		if q, err := s.search(p); err != nil || q.Name != p.Group || q.Region != p.Region {
			t.Errorf("%s: got %+v, %v", p.Name, q, err)
		}
	}
	want := []string{"a/eu-frankfurt-1", "a/uk-london-1", "b/eu-frankfurt-1", "b/us-ashburn-1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
