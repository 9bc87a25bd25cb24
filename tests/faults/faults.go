// Package faults is the table of what can go wrong while events are collected: each fault, what is promised,
// the tests that prove it for each input, and what they measured.
//
// It stands beside the data's way, as a list of tests. The table is in tests/README.md, written by
//
//	go run ./tests/faults/faultdoc
//
// and a row that names a test which does not exist fails. Figures come from the full forms of the tests:
//
//	make soak
package faults

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Inputs are those that each fault is asked of, in the order of the table.
var Inputs = []string{"oci_audit", "oci_cloudguard", "oci_logging", "oci_streaming"}

// Row is one fault.
type Row struct {
	Fault   string
	Promise string
	// Shared prove it for all inputs at once: tests of what they are made of, and of the whole program.
	Shared []Proof
	// Own prove it for one input, by the input's name.
	Own map[string][]Proof
	// Not says why an input cannot meet the fault.
	Not map[string]string
	// Figures are names of what the proofs measure.
	Figures []string
}

// Proof is a test: the folder of its package, a space, its name.
type Proof string

// File is where the table stands, relative to the root of the checkout.
const File = "tests/README.md"

// where is the folder of the proof's package.
func (p Proof) where() string { folder, _, _ := strings.Cut(string(p), " "); return folder }

// name is the proof's function.
func (p Proof) name() string { _, name, _ := strings.Cut(string(p), " "); return name }

// Proofs gives all proofs of a row, the shared ones first.
func (r Row) Proofs() []Proof {
	all := slices.Clone(r.Shared)
	for _, input := range Inputs {
		all = append(all, r.Own[input]...)
	}
	return all
}

// Check gives everything that is wrong with the rows: tests and figures that are not there, inputs of which nothing is said.
func Check(root string, rows []Row, figures Figures) error {
	var errs []error
	tests := map[string]map[string]bool{} // by folder
	measured := map[string]bool{}
	for _, row := range rows {
		for _, proof := range row.Proofs() {
			folder := proof.where()
			if tests[folder] == nil {
				var err error
				if tests[folder], err = readTests(filepath.Join(root, folder)); err != nil {
					errs = append(errs, err)
				}
			}
			if !tests[folder][proof.name()] {
				errs = append(errs, fmt.Errorf("%s: there is no test %s in %s", row.Fault, proof.name(), folder))
			}
		}
		for _, input := range Inputs {
			if len(row.Shared) == 0 && len(row.Own[input]) == 0 && row.Not[input] == "" {
				errs = append(errs, fmt.Errorf("%s: nothing is said of %s", row.Fault, input))
			}
			if len(row.Own[input]) > 0 && row.Not[input] != "" {
				errs = append(errs, fmt.Errorf("%s: %s has a test and a reason to have none", row.Fault, input))
			}
		}
		for _, figure := range row.Figures {
			measured[figure] = true
			if figures[figure] == "" {
				errs = append(errs, fmt.Errorf("%s: nothing was measured as %q: run make soak", row.Fault, figure))
			}
		}
	}
	for name := range figures {
		if !measured[name] {
			errs = append(errs, fmt.Errorf("%s: %q was measured, and no row shows it", FiguresFile, name))
		}
	}
	return errors.Join(errs...)
}

// readTests gives the tests and fuzz targets of a folder.
func readTests(folder string) (map[string]bool, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("reading the tests of %s: %w", folder, err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				found[f.Name.Name] = true
			}
		}
	}
	return found, nil
}

const (
	begin = "<!-- faults:begin -->"
	end   = "<!-- faults:end -->"
)

// Document gives tests/README.md with the table as it ought to be.
func Document(root string) ([]byte, error) {
	old, err := os.ReadFile(filepath.Join(root, File))
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	figures, err := ReadFigures(filepath.Join(root, FiguresFile))
	if err != nil {
		return nil, err
	}
	head, rest, found := bytes.Cut(old, []byte(begin))
	_, tail, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return nil, fmt.Errorf("%s has no %s with an %s behind it", File, begin, end)
	}
	return slices.Concat(head, []byte(begin+"\n"+table(Rows, figures)+end), tail), nil
}

// table writes the rows in Markdown.
func table(rows []Row, figures Figures) string {
	var b strings.Builder
	b.WriteString("| Fault | Promise | Tests | Measured |\n|---|---|---|---|\n")
	for _, row := range rows {
		var tests, numbers []string
		if len(row.Shared) > 0 {
			tests = append(tests, "shared: "+links(row.Shared))
		}
		for _, input := range Inputs {
			if own := row.Own[input]; len(own) > 0 {
				tests = append(tests, "`"+input+"`: "+links(own))
			}
			if why := row.Not[input]; why != "" {
				tests = append(tests, "`"+input+"`: "+why)
			}
		}
		for _, name := range row.Figures {
			numbers = append(numbers, figures[name])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(row.Fault), cell(row.Promise), strings.Join(tests, "<br>"), cell(strings.Join(numbers, "<br>")))
	}
	return b.String()
}

func links(proofs []Proof) string {
	names := make([]string, len(proofs))
	for i, p := range proofs {
		names[i] = fmt.Sprintf("[%s](../%s)", p.name(), p.where())
	}
	return strings.Join(names, ", ")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
