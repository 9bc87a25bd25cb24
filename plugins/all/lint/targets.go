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

	"benthos-oci/plugins/internal/rule"
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
		found, err := rule.Files(arg)
		return slices.DeleteFunc(found, func(path string) bool {
			return inTestdata(path) && !inTestdata(arg)
		}), err
	case strings.ContainsAny(arg, "*?["):
		found, err := filepath.Glob(arg)
		if err != nil {
			return nil, fmt.Errorf("reading the pattern %s: %w", arg, err)
		}
		return found, nil
	}
	return nil, fmt.Errorf("looking for a file: %w", err)
}

func inTestdata(path string) bool {
	return slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "testdata")
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
