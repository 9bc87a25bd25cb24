package explain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/rule"
)

// read reads the rule of a file.
func read(t *testing.T, file string) *rule.Rule {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found, problems := rule.Parse(file, data, rule.Options{})
	if problems.Err() != nil || len(found) != 1 {
		t.Fatalf("got %d rules and these problems:\n%s", len(found), problems)
	}
	return found[0]
}

// golden compares with a file; UPDATE=1 rewrites it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("other words than in %s (-want +got):\n%s", file, diff)
	}
}

func TestExplanationsOfRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules to explain: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			golden(t, strings.TrimSuffix(file, ".yaml")+".explain.txt", Rule(read(t, file)))
		})
	}
}

func TestEachShippedRuleHasAnExplanation(t *testing.T) {
	files, err := filepath.Glob("../../../rules/oci/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules to explain: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.yaml") {
			continue
		}
		r := read(t, file)
		text := Rule(r)
		if strings.Contains(text, "something") {
			t.Errorf("%s has a part without words:\n%s", r.ID, text)
		}
		if atOnce := strings.Contains(text, "At once"); atOnce != r.Monotone() {
			t.Errorf("%s: the words say at once: %t, the rule %t", r.ID, atOnce, r.Monotone())
		}
		if !r.Monotone() && len(reasons(r)) == 0 {
			t.Errorf("%s waits, and nothing says why", r.ID)
		}
	}
}
