// Package lint checks the files of a checkout, each by what it is: Benthos configs and their unit tests,
// rules, rule tests, overrides, and lists.
//
// It stands behind `benthos-oci lint` and `benthos-oci rules lint`, and says everything at once, with its place:
//
//	paths, err := lint.Targets([]string{"./..."})
//	reports, err := lint.Files(paths, lint.Options{Schema: schema})
package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/rule"
)

// Options say how files are checked; all but Schema are flags of Benthos's own lint command.
type Options struct {
	Schema           *service.ConfigSchema
	RejectDeprecated bool
	RequireLabels    bool
	SkipEnvVarCheck  bool
	// Known are rules beside those of the checked files that an overrides file may name.
	Known []*rule.Rule
}

// Finding is one mistake, or one thing that looks like one.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Warning bool   `json:"warning"`
	Message string `json:"message"`
}

// String gives the finding behind its place.
func (f Finding) String() string {
	if f.Warning {
		return fmt.Sprintf("%s:%d:%d: warning: %s", f.File, f.Line, f.Column, f.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Report says what was found in one file.
type Report struct {
	File     string    `json:"file"`
	Kind     Kind      `json:"kind"`
	Findings []Finding `json:"findings"`
}

// Failed reports whether there is more than warnings.
func (r Report) Failed() bool {
	for _, f := range r.Findings {
		if !f.Warning {
			return true
		}
	}
	return false
}

// Kind is what a file is.
type Kind string

// Kinds of files.
const (
	Config    Kind = "config"
	Rule      Kind = "rule"
	RuleTest  Kind = "rule test"
	Overrides Kind = "overrides"
	List      Kind = "list"
	Document  Kind = "document" // its blocks of YAML are checked, each by what it is
)

// Files checks each file by what it is. What it cannot read it reports as a finding.
func Files(paths []string, o Options) []Report {
	reports := make([]Report, len(paths))
	contents := make([][]byte, len(paths))
	var rules []*rule.Rule
	for i, path := range paths {
		reports[i].File = path
		data, err := os.ReadFile(path)
		if err != nil {
			reports[i].Findings = []Finding{{File: path, Line: 1, Column: 1, Message: fmt.Sprintf("reading the file: %v", err)}}
			continue
		}
		contents[i] = data
		reports[i].Kind = KindOf(path, data)
		if reports[i].Kind != Rule {
			continue
		}
		read, problems := rule.Parse(path, data, rule.Options{})
		reports[i].Findings = ofProblems(problems)
		rules = append(rules, read...)
	}
	o.Known = known(o.Known, rules)
	twice := ofProblems(append(rule.Duplicates(rules), rule.Cycles(o.Known)...))
	all := readAll(paths, contents, reports)
	for i, path := range paths {
		if contents[i] == nil {
			continue
		}
		if reports[i].Kind == Config {
			reports[i].Findings = append(reports[i].Findings, all.named(path, contents[i])...)
		}
		reports[i].Findings = append(reports[i].Findings, o.rest(path, reports[i].Kind, contents[i])...)
		for _, f := range twice {
			if f.File == path {
				reports[i].Findings = append(reports[i].Findings, f)
			}
		}
		inOrder(reports[i].Findings)
		reports[i].Findings = slices.Compact(reports[i].Findings)
	}
	return reports
}

// rest checks what is no rule: rules come first, because the others name them.
func (o Options) rest(path string, kind Kind, data []byte) []Finding {
	switch kind {
	case RuleTest:
		return ruleTest(path, data)
	case Overrides:
		return o.overrides(path, data)
	case List:
		return list(path, data)
	case Document:
		return markdown(path, data, o.block)
	case Config:
		return o.config(path, data)
	case Rule:
	}
	return nil
}

// block checks one block of YAML in a document; above is the number of lines above it.
func (o Options) block(path string, data []byte, above int) []Finding {
	var found []Finding
	kind := KindOf("", data)
	switch kind {
	case Rule:
		_, problems := rule.Parse(path, data, rule.Options{Inline: true})
		found = ofProblems(problems)
	case RuleTest:
		found = ruleTestBlock(path, data)
	default:
		found = o.rest(path, kind, data)
	}
	for i := range found {
		found[i].Line += above
	}
	return found
}

func known(all, read []*rule.Rule) []*rule.Rule {
	byID := map[string]bool{}
	var out []*rule.Rule
	for _, r := range append(append([]*rule.Rule{}, read...), all...) {
		if !byID[r.ID] {
			byID[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}

func ofProblems(problems rule.Problems) []Finding {
	var found []Finding
	for _, p := range problems {
		found = append(found, Finding{File: p.Pos.File, Line: p.Pos.Line, Column: p.Pos.Column, Warning: p.Warning, Message: p.Text})
	}
	return found
}

func inOrder(found []Finding) {
	sort.SliceStable(found, func(i, j int) bool {
		if found[i].File != found[j].File {
			return found[i].File < found[j].File
		}
		if found[i].Line != found[j].Line {
			return found[i].Line < found[j].Line
		}
		return found[i].Column < found[j].Column
	})
}

// KindOf says what a file is, by what it holds.
func KindOf(path string, data []byte) Kind {
	if filepath.Ext(path) == ".md" {
		return Document
	}
	switch rule.Kind(data) {
	case rule.KindRule:
		return Rule
	case rule.KindTest:
		return RuleTest
	case rule.KindOverrides:
		return Overrides
	case rule.KindList:
		return List
	case rule.KindOther:
	}
	return Config
}
