package all

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/internal/foreign"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "Turn rules of Sigma (YAML) and FortiSIEM (XML) into rules of ours, and say what was not carried over",
		ArgsUsage: "FILE...",
		Flags:     []cli.Flag{&cli.StringFlag{Name: "out", Usage: "the `FOLDER` to write to, a file for each rule; nothing there is overwritten (default: standard output)"}},
		Action:    importRules,
	}
}

func importRules(c *cli.Context) error {
	if c.NArg() == 0 {
		return fmt.Errorf("name at least one file of rules: %w", errUsage)
	}
	count := 0
	for _, file := range c.Args().Slice() {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading rules: %w", err)
		}
		read := foreign.Sigma
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
			read = foreign.FortiSIEM
		}
		found, err := read(file, data)
		if err != nil {
			return err
		}
		for _, r := range found {
			for _, note := range r.Notes {
				fmt.Fprintf(c.App.ErrWriter, "%s: %s: %s\n", file, r.ID, note)
			}
			if count++; count > 1 && c.String("out") == "" {
				fmt.Fprintln(c.App.Writer, "---")
			}
			if err := writeImported(c, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeImported(c *cli.Context, r foreign.Rule) (err error) {
	if c.String("out") == "" {
		_, err := c.App.Writer.Write(r.YAML)
		return err
	}
	path := filepath.Join(c.String("out"), r.ID+".yaml")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // rules are for everybody
	if err != nil {
		return fmt.Errorf("writing a rule: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(r.YAML); err != nil {
		return fmt.Errorf("writing a rule: %w", err)
	}
	fmt.Fprintln(c.App.Writer, path)
	return nil
}
