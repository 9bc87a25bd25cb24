package all

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/all/lint"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/ruletest"
)

func rulesCommand() *cli.Command {
	asJSON := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	command := &cli.Command{
		Name:  "rules",
		Usage: "Check, test, list and explain rules",
		Subcommands: []*cli.Command{
			{
				Name:      "lint",
				Usage:     "Report every mistake in rules, rule tests and overrides, with its place",
				ArgsUsage: "[files, folders or globs; the current folder without any]",
				Flags:     []cli.Flag{asJSON, &cli.BoolFlag{Name: "verbose", Usage: "print the result for each file"}},
				Action:    lintRules,
			},
			{
				Name:      "test",
				Usage:     "Replay the tests beside rules, and compare what comes out with what is expected",
				ArgsUsage: "[files, folders or globs; the current folder without any]",
				Flags:     []cli.Flag{asJSON, &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "print each case, also those that pass"}},
				Action:    testRules,
			},
			{
				Name:      "list",
				Usage:     "List rules: those in the binary, or those of files",
				ArgsUsage: "[files, folders or globs]",
				Flags:     []cli.Flag{asJSON},
				Action:    listRules,
			},
			explainCommand(),
			traceCommand(),
			importCommand(),
			{
				Name:  "schema",
				Usage: "Print the JSON Schema of rule files, for editors",
				Action: func(c *cli.Context) error {
					_, err := c.App.Writer.Write(rule.JSONSchema())
					return err
				},
			},
		},
	}
	for _, sub := range command.Subcommands {
		sub.Before = flagsFirst
	}
	return command
}

// flagsFirst refuses a flag behind a file, which would be taken for the name of another.
func flagsFirst(c *cli.Context) error {
	for _, arg := range c.Args().Slice() {
		if strings.HasPrefix(arg, "-") {
			return fmt.Errorf("%s stands behind a file: write `benthos-oci rules %s %s ...`, flags first: %w", arg, c.Command.Name, arg, errUsage)
		}
	}
	return nil
}

// noRule says what a file that was named is not.
const noRule = "this is no rule, rule test or overrides file: a rule has at least `id`, `title`, `severity` and `match`"

// ruleTargets gives the files that have to do with rules. In a folder others are passed over, but not those whose YAML
// cannot be read, since nobody knows what they were meant to be. Named files that are something else are strange.
func ruleTargets(args []string) (some []string, strange []lint.Report, err error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	paths, err := lint.Targets(args)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("reading rules: %w", err)
		}
		var root yaml.Node
		unread := yaml.Unmarshal(data, &root) != nil
		switch kind := lint.KindOf(path, data); {
		case kind == lint.Rule || kind == lint.RuleTest || kind == lint.Overrides || kind == lint.Config && unread:
			some = append(some, path)
		case slices.Contains(args, path):
			strange = append(strange, lint.Report{File: path, Kind: kind, Findings: []lint.Finding{{File: path, Line: 1, Column: 1, Message: noRule}}})
		}
	}
	if len(some)+len(strange) == 0 {
		return nil, nil, fmt.Errorf("looking for rules in %s: %w", strings.Join(args, " "), lint.ErrNoMatch)
	}
	return some, strange, nil
}

func lintRules(c *cli.Context) error {
	paths, strange, err := ruleTargets(c.Args().Slice())
	if err != nil {
		return err
	}
	reports := append(lint.Files(paths, LintOptions()), strange...)
	if err := printReports(c, reports); err != nil {
		return err
	}
	if !c.Bool("json") {
		counts := map[lint.Kind]int{}
		for _, r := range reports {
			counts[r.Kind]++
		}
		fmt.Fprintf(c.App.Writer, "%s, %s, %s: no mistakes\n",
			oci.Counted(counts[lint.Rule], "rule"), oci.Counted(counts[lint.RuleTest], "rule test"), oci.Counted(counts[lint.Overrides], "override"))
	}
	return nil
}

// caseResult is one case of a rule test, as --json prints it.
type caseResult struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Rule string `json:"rule"`
	Case string `json:"case"`
	Pass bool   `json:"pass"`
	// Diff lists the incidents that are missing (-) or not expected (+).
	Diff string `json:"diff,omitempty"`
}

func testRules(c *cli.Context) error {
	paths, strange, err := ruleTargets(c.Args().Slice())
	if err != nil {
		return err
	}
	if len(strange) > 0 {
		return printReports(c, strange)
	}
	files, err := testFiles(paths)
	if err != nil {
		return err
	}
	results := []caseResult{}
	var broken []error
	failed := 0
	for _, file := range files {
		some, err := testFile(c.Context, file)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		for _, r := range some {
			if !r.Pass {
				failed++
			}
			if !c.Bool("json") && (!r.Pass || c.Bool("verbose")) {
				printCase(c, r)
			}
		}
		if !c.Bool("json") && !c.Bool("verbose") && passed(some) {
			fmt.Fprintf(c.App.Writer, "PASS %s: %s\n", file, oci.Counted(len(some), "case"))
		}
		results = append(results, some...)
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, results); err != nil {
			return err
		}
	}
	for _, err := range broken {
		fmt.Fprintln(c.App.ErrWriter, err)
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "%s, %s, %d failed, %s with mistakes\n",
			oci.Counted(len(files), "test file"), oci.Counted(len(results), "case"), failed, oci.Counted(len(broken), "file"))
	}
	if failed > 0 || len(broken) > 0 {
		return errFailed
	}
	return nil
}

// testFiles gives the rule tests among the paths, and the tests of the rules among them. A rule without a test is an error.
func testFiles(paths []string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	add := func(path string) {
		if !seen[path] {
			seen[path] = true
			files = append(files, path)
		}
	}
	var missing []error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading rule tests: %w", err)
		}
		switch lint.KindOf(path, data) {
		case lint.RuleTest:
			add(path)
		case lint.Rule:
			test := strings.TrimSuffix(path, filepath.Ext(path)) + ruletest.Suffix + filepath.Ext(path)
			if _, err := os.Stat(test); err != nil {
				missing = append(missing, fmt.Errorf("%s:1:1: the rule has no test: write %s", path, filepath.Base(test)))
				continue
			}
			add(test)
		case lint.Config, lint.Document, lint.List, lint.Overrides:
		}
	}
	return files, errors.Join(missing...)
}

// testFile runs the cases of one file on the rule that stands beside it.
func testFile(ctx context.Context, path string) ([]caseResult, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a rule test: %w", err)
	}
	test, problems := ruletest.Parse(path, data)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	tested, err := ruleBeside(test)
	if err != nil {
		return nil, err
	}
	with, err := rulesWith(test)
	if err != nil {
		return nil, err
	}
	results, err := test.Run(ctx, tested, with...)
	if err != nil {
		return nil, err
	}
	out := make([]caseResult, len(results))
	for i, r := range results {
		out[i] = caseResult{File: path, Line: r.Pos.Line, Rule: test.Rule, Case: r.Case, Pass: r.Passed(), Diff: r.Diff}
	}
	return out, nil
}

// rulesWith gives the rules that a test names under `with`: those beside it, else those in the binary.
func rulesWith(test *ruletest.File) ([]*rule.Rule, error) {
	var with []*rule.Rule
	for _, id := range test.With {
		path := filepath.Join(filepath.Dir(test.Path), id+filepath.Ext(test.Path))
		if _, err := os.Stat(path); err != nil {
			shipped := shippedRules()
			i := slices.IndexFunc(shipped, func(r *rule.Rule) bool { return r.ID == id })
			if i < 0 {
				return nil, fmt.Errorf("%s:1:1: `with` names the rule %q, which is neither beside the test nor in the binary", test.Path, id)
			}
			with = append(with, shipped[i])
			continue
		}
		found, problems := rule.LoadFiles([]string{path})
		if err := problems.Err(); err != nil {
			return nil, err
		}
		with = append(with, found...)
	}
	return with, nil
}

func ruleBeside(test *ruletest.File) (*rule.Rule, error) {
	path := filepath.Join(filepath.Dir(test.Path), test.Rule+filepath.Ext(test.Path))
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s:%d:%d: there is no rule %s beside its test: %w", test.Path, test.RulePos.Line, test.RulePos.Column, test.Rule, err)
	}
	found, problems := rule.Parse(path, data, rule.Options{})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%s:1:1: the file holds %d rules, want 1", path, len(found))
	}
	return found[0], nil
}

func passed(results []caseResult) bool {
	for _, r := range results {
		if !r.Pass {
			return false
		}
	}
	return true
}

func printCase(c *cli.Context, r caseResult) {
	if r.Pass {
		fmt.Fprintf(c.App.Writer, "PASS %s:%d: %s\n", r.File, r.Line, r.Case)
		return
	}
	fmt.Fprintf(c.App.Writer, "FAIL %s:%d: %s\n", r.File, r.Line, r.Case)
	for line := range strings.SplitSeq(r.Diff, "\n") {
		fmt.Fprintf(c.App.Writer, "    %s\n", line)
	}
}

// listed is one rule, as --json prints it.
type listed struct {
	ID          string            `json:"id"`
	Title       string            `json:"title"`
	Status      rule.Status       `json:"status"`
	Severity    rule.Severity     `json:"severity"`
	Description string            `json:"description"`
	Window      string            `json:"window,omitempty"`
	Key         []string          `json:"key"`
	Tags        []string          `json:"tags"`
	DataSources []string          `json:"data_sources"`
	Labels      map[string]string `json:"labels,omitempty"`
	// Clock is true where the rule is judged when time has passed: it needs correlate_source.
	Clock bool `json:"clock"`
	// Learn is for how long a rule with first_seen watches before it fires.
	Learn string `json:"learn,omitempty"`
}

func listRules(c *cli.Context) error {
	found := shippedRules()
	if c.NArg() > 0 {
		var problems rule.Problems
		if found, problems = rule.LoadFiles(c.Args().Slice()); problems.Err() != nil {
			return problems.Err()
		}
	}
	if c.Bool("json") {
		all := make([]listed, len(found))
		for i, r := range found {
			all[i] = listed{
				ID: r.ID, Title: r.Title, Status: r.Status, Severity: r.Severity, Description: r.Description, Window: windowOf(r),
				Key: r.KeyNames, Tags: r.Tags, DataSources: r.DataSources, Labels: r.Labels, Clock: !r.Monotone(), Learn: learnOf(r),
			}
		}
		return printJSON(c.App.Writer, all)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSEVERITY\tSTATUS\tWINDOW\tKEY\tFIRES\tTITLE")
	for _, r := range found {
		fires := "at once"
		if !r.Monotone() {
			fires = "by time"
		}
		if learn := learnOf(r); learn != "" {
			fires += ", silent for " + learn
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Severity, r.Status, windowOf(r), strings.Join(r.KeyNames, ", "), fires, r.Title)
	}
	return w.Flush()
}

// windowOf gives the window of a rule as rules write it; "" where each of its steps has its own.
func windowOf(r *rule.Rule) string {
	if r.Window < time.Second {
		return ""
	}
	return expr.FormatDuration(r.Window)
}

// learnOf gives for how long a rule watches before it fires; "" where it does not.
func learnOf(r *rule.Rule) string {
	if r.FirstSeen == nil || r.FirstSeen.Learn == 0 {
		return ""
	}
	return expr.FormatDuration(r.FirstSeen.Learn)
}
