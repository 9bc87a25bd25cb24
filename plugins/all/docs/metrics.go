package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// metric is one that the source of a component makes.
type metric struct {
	name, kind string
	labels     []string
	// meaning is the comment at the end of its line, or above it.
	meaning string
}

var metricKinds = map[string]string{"NewCounter": "counter", "NewGauge": "gauge", "NewTimer": "timer"}

// metricsOf reads the metrics of a component out of its source: the calls that make them, with their comments.
// Packages that several components share call the component's name `component`.
func metricsOf(root, component string, folders ...string) ([]metric, error) {
	var files []string
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", folder, err)
		}
		files = append(files, found...)
	}
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the metrics: %w", err)
		}
		f, err := parser.ParseFile(set, file, source, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading the metrics: %w", err)
		}
		parsed = append(parsed, f)
	}
	texts := constants(parsed)
	texts["component"] = component
	byName := map[string]metric{}
	for _, f := range parsed {
		comments := commentsByLine(set, f)
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || metricKinds[selector.Sel.Name] == "" || len(call.Args) == 0 {
				return true
			}
			name, ok := textOf(call.Args[0], texts)
			if !ok {
				return true
			}
			m := metric{name: name, kind: metricKinds[selector.Sel.Name]}
			for _, arg := range call.Args[1:] {
				if label, ok := textOf(arg, texts); ok {
					m.labels = append(m.labels, label)
				}
			}
			line := set.Position(call.Pos()).Line
			if m.meaning = comments[line]; m.meaning == "" {
				m.meaning = comments[line-1]
			}
			byName[name] = m
			return true
		})
	}
	var all []metric
	for _, m := range byName {
		all = append(all, m)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all, nil
}

// constants gives the texts that the package names.
func constants(files []*ast.File) map[string]string {
	texts := map[string]string{}
	for _, f := range files {
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				continue
			}
			for _, s := range decl.Specs {
				spec, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, value := range spec.Values {
					if text, ok := textOf(value, nil); ok && i < len(spec.Names) {
						texts[spec.Names[i].Name] = text
					}
				}
			}
		}
	}
	return texts
}

func textOf(e ast.Expr, texts map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.Ident:
		text, ok := texts[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		left, ok := textOf(e.X, texts)
		right, also := textOf(e.Y, texts)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

func commentsByLine(set *token.FileSet, f *ast.File) map[int]string {
	lines := map[int]string{}
	for _, group := range f.Comments {
		lines[set.Position(group.End()).Line] = strings.TrimSpace(group.Text())
	}
	return lines
}

func metricTable(metrics []metric) string {
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, cell(m.meaning))
	}
	return b.String()
}
