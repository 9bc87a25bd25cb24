package all

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/all/lint"
)

const absence = `          - id: absent
            title: Absent
            status: experimental
            severity: low
            description: Detects nothing.
            patterns:
              a: {match: {api.operation: CreateUser}}
              b: {match: {api.operation: DeleteUser}}
            when: a then not b within 1h
            incident: {title: absent}
`

func warnings(t *testing.T, config string) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range lint.Files([]string{"c.yaml"}, LintOptions()) {
		for _, f := range r.Findings {
			found = append(found, f.String())
		}
	}
	return found
}

// guarded is a config that reads problems, with one rule.
func guarded(lateness, sources, match string) string {
	return "input: {broker: {inputs: [{oci_cloudguard: {}}, {correlate_source: {}}]}}\npipeline: {processors: [{correlate: {lateness: " + lateness +
		", rules: [{id: r, title: R, status: experimental, severity: low, description: Detects nothing., " + sources + ", match: {" + match + "}, incident: {title: r}}]}}]}\n"
}

func TestLintWarnsOfConfigsWhoseRulesNeedMoreTime(t *testing.T) {
	for _, test := range []struct {
		name, config string
		want         []string
	}{
		{
			"a rule that waits, without a clock",
			"input: {stdin: {}}\npipeline:\n  processors:\n    - correlate:\n        rules:\n" + absence,
			[]string{"c.yaml:4:1: warning: absent cannot fire: nothing keeps time, so add `correlate_source: {}` beside the inputs"},
		},
		{
			"with a clock around the input",
			"input: {correlate_source: {inputs: [{stdin: {}}]}}\npipeline:\n  processors:\n    - correlate:\n        rules:\n" + absence, nil,
		},
		{
			"with a clock beside the input",
			"input: {broker: {inputs: [{stdin: {}}, {correlate_source: {}}]}}\npipeline:\n  processors:\n    - correlate:\n        rules:\n" + absence, nil,
		},
		{
			"a pack with a rule that waits",
			"input: {stdin: {}}\npipeline:\n  processors:\n    - correlate: {packs: [oci]}\n",
			[]string{"c.yaml:4:1: warning: oci-audit-retention-reduced cannot fire: nothing keeps time, so add `correlate_source: {}` beside the inputs"},
		},
		{
			"a file of resources has no input",
			"processor_resources:\n  - label: x\n    correlate: {packs: [oci]}\n", nil,
		},
		{
			"less lateness than the input takes",
			"input: {broker: {inputs: [{oci_audit: {}}, {correlate_source: {}}]}}\npipeline: {processors: [{correlate: {packs: [oci], lateness: 6m59s}}]}\n",
			[]string{"c.yaml:2:1: warning: lateness 6m59s is less than the 7m that oci_audit at line 1 may take to read an event: such events come too late"},
		},
		{
			"just enough lateness",
			"input: {broker: {inputs: [{oci_audit: {}}, {correlate_source: {}}]}}\npipeline: {processors: [{correlate: {packs: [oci], lateness: 7m}}]}\n", nil,
		},
		{
			"less lateness than Cloud Guard takes, and a rule over its problems",
			guarded("44m", "data_sources: [oci_cloudguard]", "severity: High"),
			[]string{"c.yaml:2:1: warning: lateness 44m is less than the 45m that oci_cloudguard at line 1 may take to read an event: such events come too late"},
		},
		{
			"a rule over findings by their class",
			guarded("30m", "data_sources: [site]", "class_name: [Detection Finding, API Activity]"),
			[]string{"c.yaml:2:1: warning: lateness 30m is less than the 45m that oci_cloudguard at line 1 may take to read an event: such events come too late"},
		},
		{
			"a rule over findings by the number of their class",
			guarded("30m", "data_sources: [site]", "class_uid: 2003"),
			[]string{"c.yaml:2:1: warning: lateness 30m is less than the 45m that oci_cloudguard at line 1 may take to read an event: such events come too late"},
		},
		{"just enough lateness for Cloud Guard", guarded("45m", "data_sources: [oci_cloudguard]", "severity: High"), nil},
		{"no rule over its problems", guarded("8m", "data_sources: [oci_audit]", "api.operation: CreateUser"), nil},
		{
			"a lateness from the environment is not judged",
			"input: {broker: {inputs: [{oci_audit: {}}, {correlate_source: {}}]}}\npipeline: {processors: [{correlate: {packs: [oci], lateness: \"${LATENESS:1s}\"}}]}\n", nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, warnings(t, test.config)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// The linter compares with the defaults of components that it does not import.
func TestLintKnowsTheDefaultsOfTheComponents(t *testing.T) {
	for _, test := range []struct {
		component, field, want string
		view                   func(string) (*service.ConfigView, bool)
	}{
		{"correlate", "lateness", `"30m"`, service.GlobalEnvironment().GetProcessorConfig},
		{"oci_audit", "poll_interval", `"5m"`, service.GlobalEnvironment().GetInputConfig},
		{"oci_audit", "delay", `"2m"`, service.GlobalEnvironment().GetInputConfig},
		{"oci_cloudguard", "poll_interval", `"30m"`, service.GlobalEnvironment().GetInputConfig},
		{"oci_logging", "poll_interval", `"5m"`, service.GlobalEnvironment().GetInputConfig},
		{"oci_logging", "delay", `"1m"`, service.GlobalEnvironment().GetInputConfig},
	} {
		view, ok := test.view(test.component)
		if !ok {
			t.Fatalf("%s is not registered", test.component)
		}
		data, err := view.TemplateData()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range data.Fields {
			if f.FullName == test.field {
				got = f.DefaultMarshalled
			}
			if test.component == "oci_cloudguard" && strings.HasSuffix(f.FullName, "delay") {
				t.Errorf("oci_cloudguard has a field %s now, which the linter takes for none", f.FullName)
			}
		}
		if got != test.want {
			t.Errorf("default of %s.%s: got %s, want %s", test.component, test.field, got, test.want)
		}
	}
}
