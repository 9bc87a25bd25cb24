package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBadFilesGiveAllTheirProblemsWithPositions compares with testdata/*.bad.txt; UPDATE=1 rewrites them.
func TestBadFilesGiveAllTheirProblemsWithPositions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files to check: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// The id is the file's name up to its first dot.
			name := strings.TrimSuffix(filepath.Base(file), ".bad.yaml") + ".yaml"
			rules, problems := Parse(name, data, Options{})
			if len(problems) == 0 {
				t.Fatal("got no problem")
			}
			if (len(rules) > 0) != (len(problems.Errors()) == 0) {
				t.Errorf("got %d rules beside %d errors", len(rules), len(problems.Errors()))
			}
			got := problems.String() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("other problems than in %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}
