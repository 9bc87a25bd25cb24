package lint

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const demo = `id: demo
title: Demo
status: experimental
severity: low
description: Detects a demo.
match: {api.operation: UploadApiKey}
incident: {title: "demo"}
`

func lintFiles(t *testing.T, files map[string]string) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := Targets([]string{"./..."})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range Files(paths, Options{Schema: service.GlobalEnvironment().FullConfigSchema("", "")}) {
		for _, f := range r.Findings {
			found = append(found, f.String())
		}
	}
	return found
}

func TestFilesAreCheckedByWhatTheyAre(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"nothing wrong", map[string]string{
			"demo.yaml":           demo,
			"demo_test.yaml":      "rule: demo\ncases: [{name: a, expect: []}]\n",
			"overrides.yaml":      "rules: {demo: {severity: high}}\n",
			"list.yaml":           "alice@example.com\n10.0.0.0/8\n",
			"c.yaml":              "pipeline: {processors: [{mapping: 'root = this'}]}\n",
			"c_benthos_test.yaml": "tests: [{name: a, environment: {}, input_batch: [{content: x}], output_batches: [[{content_equals: x}]]}]\n",
		}, nil},
		{"a config that is no YAML", map[string]string{"c.yaml": "input: [\n"}, []string{
			"c.yaml:1:1: yaml: line 1: did not find expected node content",
		}},
		{"a config with an unknown field", map[string]string{"c.yaml": "inptu: {}\n"}, []string{
			"c.yaml:1:1: field inptu not recognised",
		}},
		{"a list with a value that is no text", map[string]string{"list.yaml": "a\n\xff\n"}, []string{
			"list.yaml:2:1: the value is not valid UTF-8",
		}},
		{"two rules of one id", map[string]string{"a/demo.yaml": demo, "b/demo.yaml": demo}, []string{
			`b/demo.yaml:1:1: the id "demo" is taken: it is also that of the rule at a/demo.yaml:1:1`,
		}},
		{"an override of a rule that is not there", map[string]string{"overrides.yaml": "rules: {demo: {severity: high}}\n"}, []string{
			`overrides.yaml:1:9: unknown rule "demo"`,
		}},
		{"an override of a rule that is not there, beside another mistake", map[string]string{
			"demo.yaml":      demo,
			"overrides.yaml": "rules:\n  demoo: {severity: high}\n  demo: {sverity: low, window: 5}\n",
		}, []string{
			`overrides.yaml:2:3: unknown rule "demoo": did you mean "demo"?`,
			`overrides.yaml:3:10: unknown key "sverity" in an override: did you mean "severity"?`,
			`overrides.yaml:3:32: window: duration "5": a duration is numbers with units, as in 90s, 10m, 1h30m, 30d: units are ms, s, m, h, d and w`,
		}},
		{"a mistake in a rule test", map[string]string{"demo_test.yaml": "rule: demo\ncases: []\n"}, []string{
			"demo_test.yaml:2:8: `cases` is empty: a test without a case tests nothing",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lintFiles(t, test.files)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBlocksOfDocumentsAreCheckedAtTheirLines(t *testing.T) {
	t.Chdir(t.TempDir())
	page := "# Page\n\n```yaml\n" + demo + "```\n\n```sh\nnot: [yaml\n```\n\n```yaml\noutput:\n  nowhere: {}\n```\n" +
		"\n```yaml\nrule: demo\ncases:\n  - name: a test has no name of a file here\n    expect: []\n    wanted: []\n```\n"
	if err := os.WriteFile("page.md", []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	reports := Files([]string{"page.md", "missing.md"}, Options{Schema: service.GlobalEnvironment().FullConfigSchema("", "")})
	var found []string
	for _, r := range reports {
		for _, f := range r.Findings {
			found = append(found, f.String())
		}
	}
	want := []string{
		"page.md:19:1: unable to infer component type: nowhere",
		`page.md:27:5: unknown key "wanted" in a case: known are expect, feed, name, until`,
		"missing.md:1:1: reading the file: open missing.md: no such file or directory",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if !reports[0].Failed() {
		t.Error("the report with a finding has not failed")
	}
}

func TestWarningsDoNotFail(t *testing.T) {
	r := Report{Findings: []Finding{{File: "a", Line: 1, Column: 2, Warning: true, Message: "odd"}}}
	if r.Failed() {
		t.Error("a report with a warning has failed")
	}
	if got, want := r.Findings[0].String(), "a:1:2: warning: odd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
