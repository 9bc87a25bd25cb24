package tests

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachPackageHasOneComment(t *testing.T) {
	comments := map[string][]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("reading %s: %v", file, err)
			continue
		}
		dir := filepath.Dir(file)
		comments[dir] = append(comments[dir], "")
		if parsed.Doc != nil {
			comments[dir][len(comments[dir])-1] = parsed.Doc.Text()
		}
	}
	if want := 15; len(comments) < want {
		t.Fatalf("found %d packages, want at least %d", len(comments), want)
	}
	for dir, texts := range comments {
		var found []string
		for _, text := range texts {
			if text != "" {
				found = append(found, text)
			}
		}
		if len(found) != 1 {
			t.Errorf("%s: got %d package comments, want 1", dir, len(found))
			continue
		}
		if words := len(strings.Fields(found[0])); words < 8 {
			t.Errorf("%s: the package comment has %d words: say its purpose and its place in the data's way", dir, words)
		}
	}
}

func TestNoFileIsLongerThanOneIdea(t *testing.T) {
	const most = 500
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if lines := strings.Count(read(t, file), "\n"); lines > most {
			t.Errorf("%s has %d lines, want at most %d", file, lines, most)
		}
	}
}

// goFiles gives every Go file of the module, by its path.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root(t) && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walking the module: %v", err)
	}
	if len(files) < 30 {
		t.Fatalf("found %d Go files, want more: the walk is broken", len(files))
	}
	return files
}
