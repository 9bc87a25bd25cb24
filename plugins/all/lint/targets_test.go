package lint

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTargetsNameEachFileOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{
		"a.yaml", "b.yml", "c.txt", "d/e.yaml", "d/f/g.yaml", "d/f/g.md",
		"d/testdata/bad.yaml", ".hidden/h.yaml", "_old/i.yaml", ".dot.yaml",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"a file", []string{"a.yaml"}, []string{"a.yaml"}},
		{"a file of another kind, when it is named", []string{"d/f/g.md"}, []string{"d/f/g.md"}},
		{"a hidden file, when it is named", []string{".hidden/h.yaml"}, []string{".hidden/h.yaml"}},
		{"everything", []string{"./..."}, []string{"a.yaml", "b.yml", "d/e.yaml", "d/f/g.yaml"}},
		{"below a folder", []string{"d/..."}, []string{"d/e.yaml", "d/f/g.yaml"}},
		{"a folder", []string{"d"}, []string{"d/e.yaml", "d/f/g.yaml"}},
		{"testdata, when it is named", []string{"d/testdata"}, []string{"d/testdata/bad.yaml"}},
		{"a glob", []string{"*.y*ml"}, []string{".dot.yaml", "a.yaml", "b.yml"}},
		{"a glob over folders", []string{"d/**/*.yaml"}, []string{"d/e.yaml", "d/f/g.yaml"}},
		{"a glob over folders from here", []string{"**/g.yaml"}, []string{"d/f/g.yaml"}},
		{"twice", []string{"d/e.yaml", "d"}, []string{"d/e.yaml", "d/f/g.yaml"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Targets(test.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTargetsRefuseWhatNamesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, arg := range []string{"./...", "*.yaml", "x/**/*.yaml", "missing.yaml"} {
		if got, err := Targets([]string{arg}); err == nil {
			t.Errorf("Targets(%q): got %q, want an error", arg, got)
		}
	}
	if _, err := Targets([]string{"*.yaml"}); !errors.Is(err, ErrNoMatch) {
		t.Errorf("Targets: got %v, want %v", err, ErrNoMatch)
	}
}
