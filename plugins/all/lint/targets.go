package lint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// ErrNoMatch says that a pattern names no file: nothing was checked.
var ErrNoMatch = errors.New("no file matches")

// Targets gives the files that the arguments name: files, folders, `dir/...`, and globs, in which ** stands for any folders.
// A folder gives every .yaml and .yml file in it and below it, but not those in folders that begin with a dot
// or an underscore, or are named testdata. An argument that names nothing is an error.
func Targets(args []string) ([]string, error) {
	var all []string
	for _, arg := range args {
		found, err := target(arg)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("looking for %s: %w", arg, ErrNoMatch)
		}
		for _, path := range found {
			if !slices.Contains(all, path) {
				all = append(all, path)
			}
		}
	}
	return all, nil
}

func target(arg string) ([]string, error) {
	if dir, ok := strings.CutSuffix(arg, "..."); ok {
		return walk(filepath.Clean(dir), yamlFile)
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return walk(filepath.Clean(arg), yamlFile)
	case err == nil:
		return []string{arg}, nil
	case strings.Contains(arg, "**"):
		return globAll(arg)
	case strings.ContainsAny(arg, "*?["):
		found, err := filepath.Glob(arg)
		if err != nil {
			return nil, fmt.Errorf("reading the pattern %s: %w", arg, err)
		}
		return found, nil
	}
	return nil, fmt.Errorf("looking for a file to lint: %w", err)
}

// globAll gives the files below the fixed part of a pattern with ** that match it.
func globAll(pattern string) ([]string, error) {
	pattern = filepath.ToSlash(filepath.Clean(pattern))
	segments := strings.Split(pattern, "/")
	fixed := 0
	for fixed < len(segments)-1 && !strings.ContainsAny(segments[fixed], "*?[") {
		fixed++
	}
	base := strings.Join(segments[:fixed], "/")
	switch {
	case base == "" && strings.HasPrefix(pattern, "/"):
		base = "/"
	case base == "":
		base = "."
	}
	return walk(base, func(path string) bool {
		rest := strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(path), base), "/")
		return matches(segments[fixed:], strings.Split(rest, "/"))
	})
}

func matches(pattern, path []string) bool {
	switch {
	case len(pattern) == 0:
		return len(path) == 0
	case pattern[0] == "**":
		return matches(pattern[1:], path) || len(path) > 0 && matches(pattern, path[1:])
	case len(path) == 0:
		return false
	}
	ok, err := filepath.Match(pattern[0], path[0])
	return err == nil && ok && matches(pattern[1:], path[1:])
}

func yamlFile(path string) bool {
	ext := filepath.Ext(path)
	return ext == ".yaml" || ext == ".yml"
}

func walk(dir string, want func(path string) bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		hidden := path != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_"))
		switch {
		case d.IsDir() && (hidden || path != dir && name == "testdata"):
			return filepath.SkipDir
		case !d.IsDir() && !hidden && want(path):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walking %s: %w", dir, err)
	}
	sort.Strings(found)
	return found, nil
}
