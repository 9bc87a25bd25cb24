// Package docs writes the generated parts of the documents: field tables, metrics, the field catalog, the index of rules,
// and the JSON Schema of rule files.
//
// It stands beside the data's way: it asks the registered components, the catalog and the rules what they say of themselves,
// so that no table can lie. A generated part stands between two comments that name it:
//
//	<!-- fields:begin -->
//	...
//	<!-- fields:end -->
package docs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Document is one file that is generated in whole or in part.
type Document struct {
	// Path is relative to the root of the checkout.
	Path    string
	Content []byte
}

// Generate gives every generated document of the checkout at root as it ought to be, those that it can where there is an error.
func Generate(root string) ([]Document, error) {
	var all []Document
	var errs []error
	for _, generate := range []func(string) ([]Document, error){components, catalog, rules, schema} {
		documents, err := generate(root)
		errs = append(errs, err)
		all = append(all, documents...)
	}
	return all, errors.Join(errs...)
}

// Write writes every generated document of the checkout at root and gives the paths of those that changed.
func Write(root string) ([]string, error) {
	stale, failed := compare(root)
	var paths []string
	for _, d := range stale {
		if err := os.WriteFile(filepath.Join(root, d.Path), d.Content, 0o644); err != nil { // documents are for everybody
			return paths, fmt.Errorf("writing %s: %w", d.Path, err)
		}
		paths = append(paths, d.Path)
	}
	return paths, failed
}

// Stale gives the paths of the documents that Write would change.
func Stale(root string) ([]string, error) {
	stale, err := compare(root)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, d := range stale {
		paths = append(paths, d.Path)
	}
	return paths, nil
}

func compare(root string) ([]Document, error) {
	documents, failed := Generate(root)
	var stale []Document
	for _, d := range documents {
		old, err := os.ReadFile(filepath.Join(root, d.Path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading %s: %w", d.Path, err)
		}
		if !bytes.Equal(old, d.Content) {
			stale = append(stale, d)
		}
	}
	return stale, failed
}

// section is one generated part of a document.
type section struct {
	name string
	// heading stands above the part where the document does not have it yet.
	heading string
	body    string
}

// withSections gives the document at path with its generated parts replaced; parts that it does not have are added at its end.
func withSections(root, path string, sections ...section) (Document, error) {
	old, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return Document{}, fmt.Errorf("reading the document: %w", err)
	}
	text := string(old)
	for _, s := range sections {
		if text, err = s.into(text); err != nil {
			return Document{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return Document{Path: path, Content: []byte(text)}, nil
}

func (s section) into(text string) (string, error) {
	begin, end := "<!-- "+s.name+":begin -->", "<!-- "+s.name+":end -->"
	part := begin + "\n" + strings.TrimRight(s.body, "\n") + "\n" + end
	from := strings.Index(text, begin)
	if from < 0 {
		return strings.TrimRight(text, "\n") + "\n\n## " + s.heading + "\n\n" + part + "\n", nil
	}
	length := strings.Index(text[from:], end)
	if length < 0 {
		return "", fmt.Errorf("%q has no %q behind it", begin, end)
	}
	return text[:from] + part + text[from+length+len(end):], nil
}

// cell makes text fit for a cell of a Markdown table.
func cell(text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "|", `\|`))
	text = strings.ReplaceAll(text, "\n\n", "<br><br>")
	return strings.ReplaceAll(text, "\n", " ")
}
