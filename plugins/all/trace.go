package all

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/internal/explain"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
)

func traceCommand() *cli.Command {
	return &cli.Command{
		Name:      "trace",
		Usage:     "Say event by event why a rule fired or did not: what was wanted and what was there, the key, the counts",
		ArgsUsage: "RULE FILE: a rule's file or id, and records as the API returns them, one a line or in arrays",
		Flags: []cli.Flag{
			overridesFlag(),
			&cli.StringSliceFlag{Name: "with", Usage: "a rule `FILE`, folder or glob whose incidents the rule takes, beside those in the binary"},
			&cli.StringSliceFlag{Name: "list", Usage: "a list or table that the rule reads, as `NAME=FILE`"},
			&cli.BoolFlag{Name: "matches", Usage: "leave out the events that nothing matched"},
		},
		Action: traceRule,
	}
}

func traceRule(c *cli.Context) error {
	if c.NArg() != 2 {
		return fmt.Errorf("name a rule and a file of records: %w", errUsage)
	}
	r, err := ruleNamed(c, c.Args().Get(0))
	if err != nil {
		return err
	}
	with, err := feeders(r, c.StringSlice("with"))
	if err != nil {
		return err
	}
	lists, err := listsNamed(c.StringSlice("list"))
	if err != nil {
		return err
	}
	for _, name := range r.Lists() {
		if _, ok := lists[name]; !ok {
			fmt.Fprintf(c.App.ErrWriter, "the rule reads the list %s, which is empty here: --list %s=FILE\n", name, name)
		}
	}
	if err := match.CheckTables([]*rule.Rule{r}, lists).Err(); err != nil {
		return err
	}
	data, err := os.ReadFile(c.Args().Get(1))
	if err != nil {
		return fmt.Errorf("reading records: %w", err)
	}
	records, err := explain.Records(data)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Args().Get(1), err)
	}
	return explain.Trace(c.Context, c.App.Writer, r, records, explain.Options{Lists: lists, With: with, Matches: c.Bool("matches")})
}

// feeders gives the rules whose incidents a rule takes, and those whose incidents these take:
// of the files that are named, and of the binary.
func feeders(r *rule.Rule, files []string) ([]*rule.Rule, error) {
	all := []*rule.Rule{r}
	if len(files) > 0 {
		found, problems := rule.LoadFiles(files)
		if err := problems.Err(); err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	for _, s := range shippedRules() {
		if !slices.ContainsFunc(all, func(known *rule.Rule) bool { return known.ID == s.ID }) {
			all = append(all, s)
		}
	}
	chain, problems := rule.NewChain(all)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	var with []*rule.Rule
	taken := map[int]bool{0: true}
	for open := slices.Clone(chain.Takes[0]); len(open) > 0; open = open[1:] {
		if i := open[0]; !taken[i] {
			taken[i] = true
			with = append(with, all[i])
			open = append(open, chain.Takes[i]...)
		}
	}
	return with, nil
}

// listsNamed reads lists that are named as NAME=FILE.
func listsNamed(named []string) (map[string]match.List, error) {
	lists := map[string]match.List{}
	for _, text := range named {
		name, file, ok := strings.Cut(text, "=")
		if !ok || name == "" || file == "" {
			return nil, fmt.Errorf("--list is written NAME=FILE, not %q: %w", text, errUsage)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading list %s: %w", name, err)
		}
		if lists[name], err = match.ParseList(file, data); err != nil {
			return nil, err
		}
	}
	return lists, nil
}
