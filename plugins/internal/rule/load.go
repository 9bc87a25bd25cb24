package rule

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxFiles is the most files that are read at once.
const maxFiles = 10_000

// LoadFiles reads the rules of files, folders and globs, in which ** stands for any folders: ./rules/**/*.yaml.
// Rule tests, overrides and lists that a glob names as well are left out, and what begins with a dot.
// What names no rule is an error.
func LoadFiles(globs []string) ([]*Rule, Problems) {
	var rules []*Rule
	var problems Problems
	seen := map[string]bool{}
	for _, glob := range globs {
		files, err := find(glob)
		if err != nil {
			problems = append(problems, fileProblem(glob, err.Error()))
			continue
		}
		found := 0
		for _, file := range files {
			if seen[file] {
				found++
				continue
			}
			data, err := readFile(file)
			if err != nil {
				problems = append(problems, fileProblem(file, err.Error()))
				continue
			}
			// A file that is named by itself is meant; of a glob, what is certainly something else is not.
			if kind := Kind(data); file != filepath.Clean(glob) && (kind == KindTest || kind == KindOverrides || kind == KindList) {
				continue
			}
			found++
			seen[file] = true
			some, p := Parse(file, data, Options{})
			rules = append(rules, some...)
			problems = append(problems, p...)
		}
		if found == 0 {
			problems = append(problems, fileProblem(glob, "no rule file matches"))
		}
	}
	return rules, append(problems, Duplicates(rules)...)
}

func fileProblem(file, text string) Problem {
	return Problem{Pos: Position{File: file, Line: 1, Column: 1}, Text: text}
}

// readFile reads a file that may be larger than we take, so that Parse can say so.
func readFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	if info.Size() > maxFile {
		return make([]byte, maxFile+1), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	return data, nil
}

// Files gives the files of a path or glob, in which ** stands for any folders, sorted. Of a folder it gives the .yaml files.
func Files(glob string) ([]string, error) { return find(glob) }

// find gives the files of a glob, sorted.
func find(glob string) ([]string, error) {
	glob = filepath.Clean(glob)
	if info, err := os.Stat(glob); err == nil && !info.IsDir() {
		return []string{glob}, nil
	} else if err == nil {
		glob = filepath.Join(glob, "**", "*.yaml")
	} else if !strings.ContainsAny(glob, "*?[") {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	segments := strings.Split(filepath.ToSlash(glob), "/")
	fixed := 0
	for fixed < len(segments)-1 && !strings.ContainsAny(segments[fixed], "*?[") {
		fixed++
	}
	for _, s := range segments[fixed:] {
		if _, err := path.Match(s, ""); err != nil {
			return nil, fmt.Errorf("reading the pattern %s: %w", glob, err)
		}
	}
	base := strings.Join(segments[:fixed], "/")
	if base == "" && fixed > 0 {
		base = "/"
	}
	if base == "" {
		base = "."
	}
	var files []string
	err := filepath.WalkDir(filepath.FromSlash(base), func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Kubernetes keeps the files of a mounted ConfigMap twice, once in folders that begin with a dot.
		if name := entry.Name(); len(name) > 1 && name[0] == '.' && name != ".." && file != filepath.FromSlash(base) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		rest, err := filepath.Rel(filepath.FromSlash(base), file)
		if err == nil && matchSegments(segments[fixed:], strings.Split(filepath.ToSlash(rest), "/")) {
			files = append(files, file)
		}
		if len(files) > maxFiles {
			return fmt.Errorf("%s names more than %d files", glob, maxFiles)
		}
		return err
	})
	if err != nil {
		if os.IsNotExist(err) {
			return nil, fmt.Errorf("no file matches %s", glob)
		}
		return nil, err
	}
	slices.Sort(files)
	return files, nil
}

// matchSegments matches a path, folder by folder; ** stands for any number of folders.
func matchSegments(pattern, segments []string) bool {
	for i, p := range pattern {
		if p == "**" {
			for skip := range len(segments) + 1 {
				if matchSegments(pattern[i+1:], segments[skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(segments) {
			return false
		}
		if ok, err := path.Match(p, segments[i]); err != nil || !ok {
			return false
		}
	}
	return len(pattern) == len(segments)
}

// Pack reads the rules of a pack: all files of a folder of fsys but the tests.
func Pack(fsys fs.FS, name string) ([]*Rule, Problems) {
	var rules []*Rule
	var problems Problems
	err := fs.WalkDir(fsys, name, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(file) != ".yaml" || strings.HasSuffix(file, "_test.yaml") {
			return err
		}
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return err
		}
		some, p := Parse(file, data, Options{})
		rules = append(rules, some...)
		problems = append(problems, p...)
		return nil
	})
	if !fs.ValidPath(name) || strings.ContainsAny(name, "./") || err != nil {
		return nil, append(problems, fileProblem("pack "+name, "unknown pack"+didYouMeanOf(name, Packs(fsys))))
	}
	if len(rules) == 0 && len(problems) == 0 {
		problems = append(problems, fileProblem("pack "+name, "the pack has no rules"))
	}
	return rules, append(problems, Duplicates(rules)...)
}

// Packs are the packs of fsys: the folders at its top.
func Packs(fsys fs.FS) []string {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
