package rule

import (
	"bytes"
	"strings"

	"gopkg.in/yaml.v3"
)

// FileKind is what a file holds.
type FileKind string

// Kinds of files.
const (
	KindRule      FileKind = "rule"
	KindTest      FileKind = "rule test"
	KindOverrides FileKind = "overrides"
	KindList      FileKind = "list"
	KindOther     FileKind = "other"
)

// Kind tells what a file holds by what stands at its top, also where the YAML is broken further down:
// a test has `cases`, a rule says which events it is about, overrides have only `rules`; a list is lines without keys.
// Everything else, such as a Benthos config and its tests, is other.
func Kind(data []byte) FileKind {
	top := topKeys(data)
	has := func(names ...string) bool {
		for _, n := range names {
			if top[n] {
				return true
			}
		}
		return false
	}
	switch {
	case has("cases"):
		return KindTest
	case has("input", "output", "pipeline", "buffer", "input_resources", "output_resources", "processor_resources", "cache_resources", "rate_limit_resources", "tests", "http", "logger", "metrics"):
		return KindOther
	case has("match", "detection", "patterns"), has("id") && has("severity", "title", "window", "when", "incident", "status"):
		return KindRule
	case has("rules", overridesKey) && len(top) == 1:
		return KindOverrides
	case len(top) == 0 && isList(data):
		return KindList
	}
	return KindOther
}

// topKeys gives the keys at the top of a file: of its YAML where that can be read, else of the lines that look like it.
func topKeys(data []byte) map[string]bool {
	top := map[string]bool{}
	if len(data) > maxFile {
		data = data[:maxFile]
	}
	if root, err := parseYAML(data); err == nil && root != nil && root.Kind == yaml.MappingNode {
		for i := 0; i < len(root.Content); i += 2 {
			top[root.Content[i].Value] = true
		}
		return top
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		name, _, ok := strings.Cut(line, ":")
		if ok && aliasPattern.MatchString(name) {
			top[name] = true
		}
	}
	return top
}

// isList says whether a file is lines of values: text without the signs of other formats.
func isList(data []byte) bool {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || bytes.IndexByte(data, 0) >= 0 {
		return false
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.ContainsAny(line[:1], "{[-<") || strings.HasSuffix(line, ":") || strings.Contains(line, ": ") {
			return false
		}
	}
	return true
}
