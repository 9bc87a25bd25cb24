package correlate

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/rules"
)

// ruleSet is what a config loads.
type ruleSet struct {
	rules []*rule.Rule
	lists *lists
	timed []string // ids of enabled rules that need a clock
}

var errNoRules = errors.New("no rules: name packs, rule_files or rules")

// load reads all rules, overrides and lists. What is wrong comes all at once, a line for each mistake.
// have are the lists where they have been read; else they are read as well.
func load(c config, res *service.Resources, have *lists) (ruleSet, error) {
	set := ruleSet{lists: have}
	var problems rule.Problems
	var errs []error
	add := func(found []*rule.Rule, p rule.Problems) {
		set.rules = append(set.rules, found...)
		problems = append(problems, p...)
	}
	for _, name := range c.packs {
		add(rule.Pack(rules.FS, name))
	}
	if len(c.ruleFiles) > 0 {
		add(rule.LoadFiles(c.ruleFiles))
	}
	for i, item := range c.inline {
		add(parseInline(fmt.Sprintf("rules[%d]", i), item))
	}
	problems = append(problems, rule.Duplicates(set.rules)...)
	overrides, p, err := readOverrides(c.overrides, res.FS())
	if err != nil {
		errs = append(errs, err)
	}
	problems = append(problems, p...)
	// A rule with a mistake is not among the rules, and an override of it is not wrong for that.
	if len(problems.Errors()) == 0 {
		set.rules, p = rule.Apply(set.rules, overrides...)
		problems = append(problems, p...)
		_, p = rule.NewChain(set.rules)
		problems = append(problems, p...)
	}
	problems = once(append(problems, missingLists(set.rules, c.lists)...))
	err = nil
	if have == nil {
		have, err = newLists(c.lists, res)
		set.lists = have
	}
	if err != nil {
		errs = append(errs, err)
	} else {
		problems = append(problems, match.CheckTables(set.rules, set.lists.current())...)
	}
	for _, w := range problems.Warnings() {
		res.Logger().Warn(w.String())
	}
	if err := problems.Err(); err != nil {
		errs = append([]error{err}, errs...)
	}
	if len(errs) == 0 && len(set.rules) == 0 {
		errs = append(errs, errNoRules)
	}
	if err := errors.Join(errs...); err != nil {
		return ruleSet{}, fmt.Errorf("loading rules:\n%w", err)
	}
	for _, r := range set.rules {
		if r.Enabled && !r.Monotone() {
			set.timed = append(set.timed, r.ID)
		}
	}
	return set, nil
}

// readOverrides reads the override files that are without errors.
func readOverrides(files []string, fsys *service.FS) ([]*rule.Overrides, rule.Problems, error) {
	var problems rule.Problems
	var errs []error
	var all []*rule.Overrides
	for _, file := range files {
		data, err := readFile(fsys, file)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading overrides: %w", err))
			continue
		}
		o, p := rule.ParseOverrides(file, data)
		problems = append(problems, p...)
		if len(p.Errors()) == 0 {
			all = append(all, o)
		}
	}
	return all, problems, errors.Join(errs...)
}

// missingLists finds the lists that enabled rules name and the config does not.
func missingLists(rules []*rule.Rule, lists map[string]string) rule.Problems {
	var problems rule.Problems
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		for _, name := range r.Lists() {
			if _, ok := lists[name]; !ok {
				problems = append(problems, rule.Problem{
					Pos:  r.Pos,
					Text: fmt.Sprintf("rule %s uses the list %%%s%%, which `lists` does not have: write `lists: {%s: ./%s.txt}`", r.ID, name, name, name),
				})
			}
		}
	}
	return problems
}

// maxOverrides bounds an overrides file; ParseOverrides says so of one that is larger.
const maxOverrides = 1<<20 + 1

func readFile(fsys *service.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxOverrides))
	return data, errors.Join(err, f.Close())
}

// once keeps the first of equal problems: a rule that two sources give is told once.
func once(problems rule.Problems) rule.Problems {
	seen := map[rule.Problem]bool{}
	return slices.DeleteFunc(problems, func(p rule.Problem) bool {
		twice := seen[p]
		seen[p] = true
		return twice
	})
}
