package all

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/all/lint"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/rules"
)

// lintCommand replaces Benthos's own, with the same flags and exit codes.
func lintCommand() *cli.Command {
	return &cli.Command{
		Name:  "lint",
		Usage: "Check configs, their tests, rules, rule tests, overrides and lists, and report every mistake with its place",
		Description: `Exits with status code 1 if anything is wrong:

   benthos-oci lint ./...                # every .yaml and .yml file of a checkout
   benthos-oci lint config/full.yaml rules 'teams/**/*.yaml'

Folders that begin with a dot or an underscore, or are named testdata, are left out unless they are named.
Of a document (.md) each block of YAML is checked.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "deprecated", Usage: "report deprecated fields"},
			&cli.BoolFlag{Name: "labels", Usage: "report components without a label"},
			&cli.BoolFlag{Name: "skip-env-var-check", Usage: "do not report environment variables that have neither a value nor a default"},
			&cli.BoolFlag{Name: "verbose", Usage: "print the result for each file"},
			&cli.BoolFlag{Name: "json", Usage: "print the findings as JSON"},
			&cli.StringSliceFlag{Name: "resources", Aliases: []string{"r"}, Usage: "check this file as well; globs need quotes"},
			&cli.StringSliceFlag{Name: "env-file", Aliases: []string{"e"}, Usage: "import environment variables from a dotenv file"},
			&cli.StringSliceFlag{Name: "templates", Aliases: []string{"t"}, Usage: "import Benthos templates; globs need quotes"},
		},
		Before: func(c *cli.Context) error {
			return errors.Join(importEnvironment(c.StringSlice("env-file")), importTemplates(c.StringSlice("templates")))
		},
		Action: func(c *cli.Context) error {
			args := append(c.Args().Slice(), c.StringSlice("resources")...)
			if path := c.String("config"); path != "" {
				args = append(args, path)
			}
			reports, err := lintTargets(c, args)
			if err != nil {
				return err
			}
			return printReports(c, reports)
		},
	}
}

func lintTargets(c *cli.Context, args []string) ([]lint.Report, error) {
	paths, err := lint.Targets(args)
	if err != nil {
		return nil, err
	}
	o := LintOptions()
	o.RejectDeprecated = c.Bool("deprecated")
	o.RequireLabels = c.Bool("labels")
	o.SkipEnvVarCheck = c.Bool("skip-env-var-check")
	return lint.Files(paths, o), nil
}

// LintOptions gives how files are checked without any flag.
func LintOptions() lint.Options { return lint.Options{Schema: Schema(), Known: shippedRules()} }

// shippedRules gives the rules of all packs; a test holds them free of mistakes.
func shippedRules() []*rule.Rule {
	var all []*rule.Rule
	for _, pack := range rule.Packs(rules.FS) {
		found, _ := rule.Pack(rules.FS, pack)
		all = append(all, found...)
	}
	return all
}

func printReports(c *cli.Context, reports []lint.Report) error {
	failed := false
	for _, r := range reports {
		failed = failed || r.Failed()
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, reports); err != nil {
			return err
		}
	} else {
		for _, r := range reports {
			for _, f := range r.Findings {
				fmt.Fprintln(c.App.ErrWriter, f)
			}
			if c.Bool("verbose") {
				fmt.Fprintf(c.App.Writer, "%s: %s\n", r.File, verdict(!r.Failed()))
			}
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

func verdict(ok bool) string {
	if ok {
		return "OK"
	}
	return "FAILED"
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

func importEnvironment(globs []string) error {
	return eachFile(globs, "environment variables", func(path string, data []byte) error {
		variables, err := service.ParseEnvFile(data)
		if err != nil {
			return fmt.Errorf("reading environment variables of %s: %w", path, err)
		}
		for name, value := range variables {
			if err := os.Setenv(name, value); err != nil {
				return fmt.Errorf("setting the environment variable %s: %w", name, err)
			}
		}
		return nil
	})
}

func importTemplates(globs []string) error {
	return eachFile(globs, "a template", func(path string, data []byte) error {
		if err := service.GlobalEnvironment().RegisterTemplateYAML(string(data)); err != nil {
			return fmt.Errorf("reading the template %s: %w", path, err)
		}
		return nil
	})
}

// eachFile reads the files that globs name; what says what they hold.
func eachFile(globs []string, what string, f func(path string, data []byte) error) error {
	paths, err := globbed(globs)
	if err != nil {
		return err
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading %s: %w", what, err)
		}
		if err := f(path, data); err != nil {
			return err
		}
	}
	return nil
}

func globbed(globs []string) ([]string, error) {
	var all []string
	for _, glob := range globs {
		found, err := filepath.Glob(glob)
		if err != nil {
			return nil, fmt.Errorf("reading the pattern %s: %w", glob, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("looking for %s: %w", glob, lint.ErrNoMatch)
		}
		all = append(all, found...)
	}
	return all, nil
}
