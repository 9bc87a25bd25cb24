package all

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"benthos-oci/plugins/all/demo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "See it work: a simulated day of a tenancy is collected, normalized and correlated, and its attacks are shown",
		Description: `Starts the simulator on a free port of this machine, collects a day of an invented tenancy from it with the same inputs
and rules that read a real one, and shows the incidents as they fire. Needs no configuration and leaves nothing behind
but the incidents as OCSF documents. Exits with status code 1 if an attack was missed, or something else was reported.`,
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "seed", Value: demo.DefaultSeed, Usage: "settle everything that is invented"},
			&cli.IntFlag{Name: "events", Value: demo.DefaultEvents, Usage: "`number` of audit events of the day"},
			&cli.StringFlag{Name: "out", Usage: "write incidents.jsonl to this `folder` (default: a temporary one)"},
			&cli.BoolFlag{Name: "json", Usage: "print the result as JSON, and the rest to standard error"},
		},
		Action: runDemo,
	}
}

func runDemo(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("starting the demo: it takes no argument, got %q", c.Args().First())
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := demo.Options{
		Seed: c.Uint64("seed"), Events: c.Int("events"), Folder: c.String("out"), Schema: Schema(),
		Out: c.App.Writer, Err: c.App.ErrWriter, Terminal: terminal(c.App.ErrWriter),
	}
	if c.Bool("json") {
		o.Out = c.App.ErrWriter
	}
	result, err := demo.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, result); err != nil {
			return err
		}
	}
	if !result.Right() {
		return errFailed
	}
	return nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
