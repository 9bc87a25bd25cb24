package all

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/internal/explain"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

var (
	errUsage  = errors.New("see --help")
	errNoRule = errors.New("`rules list` shows the rules in the binary")
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "Say in words what a rule waits for, when it fires and why then, and what it keeps",
		ArgsUsage: "RULE: a file, or the id of a rule in the binary",
		Flags:     []cli.Flag{overridesFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return fmt.Errorf("name one rule, by its file or its id: %w", errUsage)
			}
			r, err := ruleNamed(c, c.Args().First())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.App.Writer, explain.Rule(r))
			return err
		},
	}
}

func overridesFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "overrides", Usage: "an overrides `FILE` that changes the rule first"}
}

// ruleNamed gives the rule of a file, or the one of that id in the binary, with the overrides that were asked for.
func ruleNamed(c *cli.Context, name string) (*rule.Rule, error) {
	all := shippedRules()
	if _, err := os.Stat(name); err == nil {
		found, problems := rule.LoadFiles([]string{name})
		if err := problems.Err(); err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("%s holds %d rules: name one: %w", name, len(found), errUsage)
		}
		name = found[0].ID
		all = append(found, all...)
	}
	for _, file := range c.StringSlice("overrides") {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading overrides: %w", err)
		}
		overrides, problems := rule.ParseOverrides(file, data)
		if problems.Err() == nil {
			all, problems = rule.Apply(all, overrides)
		}
		if err := problems.Err(); err != nil {
			return nil, err
		}
	}
	ids := make([]string, len(all))
	for i, r := range all {
		if r.ID == name {
			return r, nil
		}
		ids[i] = r.ID
	}
	if near := expr.Nearest(name, ids); near != "" {
		return nil, fmt.Errorf("there is no file and no rule %q, did you mean %q: %w", name, near, errNoRule)
	}
	return nil, fmt.Errorf("there is no file and no rule %q: %w", name, errNoRule)
}
