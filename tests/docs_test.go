package tests

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/all"
	"benthos-oci/plugins/all/docs"
	"benthos-oci/plugins/all/lint"
)

func TestGeneratedDocumentsAreFresh(t *testing.T) {
	documents, err := docs.Generate(root(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := 8; len(documents) < want {
		t.Fatalf("generated %d documents, want at least %d", len(documents), want)
	}
	stale, err := docs.Stale(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stale {
		t.Errorf("%s is stale: run make generate", path)
	}
}

func TestEachRuleHasATestBesideIt(t *testing.T) {
	rules := 0
	for _, path := range files(t, "rules", ".yaml") {
		if strings.HasSuffix(path, "_test.yaml") {
			continue
		}
		rules++
		test := strings.TrimSuffix(path, ".yaml") + "_test.yaml"
		if !slices.Contains(files(t, "rules", ".yaml"), test) {
			t.Errorf("%s has no %s beside it", path, filepath.Base(test))
		}
	}
	if want := 11; rules < want {
		t.Errorf("found %d rules, want at least %d", rules, want)
	}
}

func TestEachConfigLintsAndHasItsTest(t *testing.T) {
	configs := 0
	found := files(t, "config", ".yaml")
	for _, report := range lint.Files(found, all.LintOptions()) {
		for _, f := range report.Findings {
			t.Error(f)
		}
		if report.Kind != lint.Config || strings.HasSuffix(report.File, "_benthos_test.yaml") {
			continue
		}
		configs++
		if test := strings.TrimSuffix(report.File, ".yaml") + "_benthos_test.yaml"; !slices.Contains(found, test) {
			t.Errorf("%s has no %s beside it", report.File, filepath.Base(test))
		}
	}
	if want := 5; configs < want {
		t.Errorf("found %d configs, want at least %d", configs, want)
	}
}

func TestEachComponentIsDescribedAndItsExamplesLint(t *testing.T) {
	seen, examples := 0, 0
	check := func(name string, view *service.ConfigView) {
		if !slices.Contains([]string{"oci_audit", "oci_cloudguard", "oci_logging", "oci_streaming", "correlate", "correlate_source", "bolt"}, name) {
			return
		}
		seen++
		data, err := view.TemplateData()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range data.Fields {
			if strings.HasPrefix(f.Description, "Sorry!") {
				t.Errorf("%s: the field %s has no description", name, f.FullName)
			}
		}
		for _, e := range data.Examples {
			examples++
			lints, err := all.Schema().NewStreamConfigLinter().SetSkipEnvVarCheck(true).LintYAML([]byte(e.Config))
			if err != nil {
				t.Errorf("%s: example %q: %v", name, e.Title, err)
			}
			for _, l := range lints {
				t.Errorf("%s: example %q: line %d: %s", name, e.Title, l.Line, l.What)
			}
		}
	}
	service.GlobalEnvironment().WalkInputs(check)
	service.GlobalEnvironment().WalkProcessors(check)
	service.GlobalEnvironment().WalkCaches(check)
	if seen != 7 || examples < 5 {
		t.Errorf("found %d components with %d examples, want 7 with at least 5", seen, examples)
	}
}

func TestReadmeBlocksLint(t *testing.T) {
	for page, want := range map[string]int{"README.md": 2, "rules/README.md": 7, "plugins/correlate/README.md": 2} {
		path := filepath.Join(root(t), page)
		if blocks := len(blocks(read(t, path))); blocks < want {
			t.Errorf("found %d blocks of YAML in %s, want at least %d", blocks, page, want)
		}
		for _, report := range lint.Files([]string{path}, all.LintOptions()) {
			for _, f := range report.Findings {
				t.Error(f)
			}
		}
	}
}

// blocks gives the blocks of YAML in a document.
func blocks(page string) []string {
	var found []string
	for _, part := range strings.Split(page, "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		found = append(found, block+"\n")
	}
	return found
}

// TestRuleTestsOfTheRulesPagePass runs the tests that the page shows, on the rules that it shows or that are shipped.
func TestRuleTestsOfTheRulesPagePass(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range files(t, "rules", ".yaml") {
		if !strings.HasSuffix(path, "_test.yaml") {
			write(filepath.Base(path), read(t, path))
		}
	}
	args := []string{"rules", "test"}
	for _, block := range blocks(read(t, filepath.Join(root(t), "rules", "README.md"))) {
		first, _, _ := strings.Cut(block, "\n")
		first, _, _ = strings.Cut(first, "#")
		if id, ok := strings.CutPrefix(first, "id: "); ok {
			write(strings.TrimSpace(id)+".yaml", block)
		}
		if id, ok := strings.CutPrefix(first, "rule: "); ok {
			write(id+"_test.yaml", block)
			args = append(args, filepath.Join(dir, id+"_test.yaml"))
		}
	}
	if found, want := len(args)-2, 2; found < want {
		t.Fatalf("found %d tests on the page, want at least %d", found, want)
	}
	if out, err := exec.CommandContext(t.Context(), "benthos-oci", args...).CombinedOutput(); err != nil {
		t.Errorf("testing the rules of the page: %v\n%s", err, out)
	}
}

// TestReadmeCommandsRun runs each command of the README that needs no tenancy and does not end in make.
func TestReadmeCommandsRun(t *testing.T) {
	needTenancy := []string{"check config/stdout.yaml", "run config/stdout.yaml", "backfill --start -30d --rate 20 config/stdout.yaml"}
	ran := 0
	for line := range strings.SplitSeq(read(t, filepath.Join(root(t), "README.md")), "\n") {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ./benthos-oci ")
		if !ok {
			continue
		}
		command, _, _ = strings.Cut(command, "#")
		if command = strings.TrimSpace(command); slices.Contains(needTenancy, command) {
			continue
		}
		ran++
		cmd := exec.CommandContext(t.Context(), "benthos-oci", strings.Fields(command)...)
		cmd.Dir = root(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("running `benthos-oci %s`: %v\n%s", command, err, out)
		}
	}
	if want := 4; ran < want {
		t.Errorf("ran %d commands, want at least %d", ran, want)
	}
}

func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	links := 0
	for _, path := range append(files(t, ".", ".md"), filepath.Join(root(t), ".github", "CONTRIBUTING.md")) {
		for _, target := range linkTargets(read(t, path)) {
			links++
			target, _, _ = strings.Cut(target, "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), target)); err != nil || len(found) == 0 {
				t.Errorf("%s links to %s, which is not there", path, target)
			}
		}
	}
	if want := 20; links < want {
		t.Errorf("found %d links, want at least %d", links, want)
	}
}

// linkTargets gives what stands in the round brackets of Markdown links.
func linkTargets(text string) []string {
	var targets []string
	_, rest, found := strings.Cut(text, "](")
	for found {
		var target string
		target, rest, _ = strings.Cut(rest, ")")
		if !strings.ContainsAny(target, " \n") {
			targets = append(targets, target)
		}
		_, rest, found = strings.Cut(rest, "](")
	}
	return targets
}

// files gives the files below a folder of the checkout that end so, but not those in hidden folders and testdata.
func files(t *testing.T, folder, ending string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(root(t), folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root(t) && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, ending) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
