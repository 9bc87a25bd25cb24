package all

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/all/backfill"
)

func backfillCommand() *cli.Command {
	return &cli.Command{
		Name:      "backfill",
		Usage:     "Run a pipeline over a span of the past, beside the live one, and end; a second run goes on where the first was stopped",
		ArgsUsage: "CONFIG",
		Description: `Takes the config of a live pipeline and bounds its inputs oci_audit, oci_logging and oci_cloudguard. How far it came, and the
windows of correlate, are kept in a file of their own, CONFIG.backfill.db in the current folder: the live pipeline is not touched.
It listens to no port. Compartments and windows are read beside each other, as fast as the rate allows.

   benthos-oci backfill config/full.yaml --start -30d
   benthos-oci backfill --start 2026-11-01 --end 2026-11-08 --rate 20 config/files.yaml

What the inputs need is checked first, as benthos-oci check does: a key that is refused ends the command at once.
Shows a bar on a terminal and a line every ten seconds elsewhere, on standard error. Exits with status code 1 if it was stopped,
or something could not be read: run the same command again.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "start", Usage: "begin at this `time`: a span before now (-30d), a day (2026-11-01) or a time (2026-11-01T00:00:00Z)"},
			&cli.StringFlag{Name: "end", Usage: "end at this `time` (default: now)"},
			&cli.Float64Flag{Name: "rate", Usage: "most requests a second for each tenancy (default: max_requests_per_second of the inputs)"},
			&cli.StringFlag{Name: "state", Usage: "remember in this `file` how far it came (default: CONFIG.backfill.db)"},
			&cli.BoolFlag{Name: "skip-check", Usage: "begin though a check would find something missing: read what can be read"},
			&cli.BoolFlag{Name: "verbose", Usage: "let the pipeline log more than warnings"},
			&cli.StringSliceFlag{Name: "env-file", Aliases: []string{"e"}, Usage: "import environment variables from a dotenv file"},
		},
		Action: runBackfill,
	}
}

var errNoBackfill = errors.New("name one config, and where to begin: benthos-oci backfill --start -30d CONFIG")

func runBackfill(c *cli.Context) error {
	path, err := backfillArguments(c)
	if err != nil {
		return err
	}
	if err := importEnvironment(c.StringSlice("env-file")); err != nil {
		return err
	}
	if c.Float64("rate") < 0 {
		return fmt.Errorf("reading --rate: it is %g and must be more than 0", c.Float64("rate"))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the config: %w", err)
	}
	config, err := withEnvironment(string(data))
	if err != nil {
		return fmt.Errorf("reading the config %s: %w", path, err)
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	check := func(ctx context.Context) error { return checkBackfill(ctx, c.App.ErrWriter, path) }
	if c.Bool("skip-check") {
		check = nil
	}
	result, err := backfill.Run(ctx, backfill.Options{
		Check: check, Name: path, Config: config, Literal: literal, Start: c.String("start"), End: c.String("end"), Rate: c.Float64("rate"), State: c.String("state"),
		Verbose: c.Bool("verbose"), Schema: Schema(), Err: c.App.ErrWriter, Terminal: terminal(c.App.ErrWriter),
	})
	if err != nil {
		return err
	}
	if !result.Complete {
		return errFailed
	}
	return nil
}

// checkBackfill checks the inputs, and prints those that cannot be read.
func checkBackfill(ctx context.Context, w io.Writer, path string) error {
	results, err := checkConfig(ctx, path, 2*time.Minute)
	if err != nil {
		return err
	}
	bad := slices.DeleteFunc(results, func(r checked) bool { return r.OK })
	if len(bad) == 0 || over(ctx) {
		return nil
	}
	for _, r := range bad {
		printChecked(w, r)
	}
	printMissing(w, bad)
	return errUnreadable
}

// over is true once the command was stopped: what it was doing then says nothing.
func over(ctx context.Context) bool { return ctx.Err() != nil }

// errUnreadable ends a backfill before it has begun.
var errUnreadable = errors.New("the backfill has not begun, because not all of it can be read; with --skip-check it reads what it can")

// backfillArguments gives the path of the config. Flags may stand behind it, too, though the parser of commands stops at the first argument.
func backfillArguments(c *cli.Context) (string, error) {
	if c.NArg() == 0 {
		return "", errNoBackfill
	}
	behind := flag.NewFlagSet(c.Command.Name, flag.ContinueOnError)
	behind.SetOutput(io.Discard)
	names := map[string]string{}
	for _, f := range c.Command.Flags {
		if err := f.Apply(behind); err != nil {
			return "", fmt.Errorf("reading the flags: %w", err)
		}
		for _, name := range f.Names() {
			names[name] = f.Names()[0]
		}
	}
	if err := behind.Parse(c.Args().Tail()); err != nil {
		return "", fmt.Errorf("reading the flags: %w", wrongFlag(c, err))
	}
	if behind.NArg() > 0 {
		return "", fmt.Errorf("reading the arguments: %q is one too many; %w", behind.Arg(0), errNoBackfill)
	}
	var failed error
	behind.Visit(func(f *flag.Flag) {
		text := f.Value.String()
		if list, ok := f.Value.(cli.Serializer); ok {
			text = list.Serialize()
		}
		failed = errors.Join(failed, c.Set(names[f.Name], text))
	})
	return c.Args().First(), failed
}
