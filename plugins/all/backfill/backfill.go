// Package backfill runs a pipeline over a span of the past and ends: the user's own config, its inputs bounded,
// its positions and windows in a file of their own, so that the live pipeline goes on beside it.
//
// It stands around the data's way and starts it; a second run of the same span goes on where the first was stopped:
//
//	result, err := backfill.Run(ctx, backfill.Options{Name: "full.yaml", Config: text, Start: "-30d", Schema: schema, Err: os.Stderr})
package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/progress"
)

// Options say what is read, and where the progress is shown.
type Options struct {
	// Name is the path of the config, for messages and for the name of the state file.
	Name string
	// Config is its text, environment variables replaced; Literal makes it safe from being replaced a second time.
	Config  string
	Literal func(config string) string
	// Start and End bound the span, as the fields of the inputs do; an empty End is now.
	Start, End string
	// Rate is the most requests a second for each tenancy; 0: as the config says.
	Rate float64
	// State is the file that remembers how far it came; empty: a file in the current folder, named after the config.
	State string
	// Check says what keeps the inputs from being read, before anything is; nil: nothing is tried.
	Check func(ctx context.Context) error
	// Verbose lets the pipeline log more than warnings.
	Verbose bool
	// Schema is the config schema of the program.
	Schema *service.ConfigSchema
	// Err gets the progress; Terminal says that it is one.
	Err      io.Writer
	Terminal bool
	// Every is how long to wait between two lines of progress; 0: ten seconds.
	Every time.Duration
}

// Result says how a run ended.
type Result struct {
	// Complete is true where everything was read and delivered; else the same command goes on.
	Complete bool
}

// stopTimeout is how long the pipeline gets to deliver what it holds when it is stopped.
const stopTimeout = 30 * time.Second

// Run reads the span. An error says that it could not begin.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.State == "" {
		base := filepath.Base(o.Name)
		o.State = strings.TrimSuffix(base, filepath.Ext(base)) + ".backfill.db"
	}
	bounded, err := o.bound()
	if err != nil {
		return Result{}, err
	}
	memory, err := remember(o, time.Now())
	if err != nil {
		return Result{}, err
	}
	defer memory.close()
	plan := memory.plan
	if !plan.Ended.IsZero() {
		fmt.Fprintf(o.Err, "The backfill from %s was read to its end at %s, as %s remembers. Delete that file to read it again.\n", plan.span(), stamp(plan.Ended), o.State)
		return Result{Complete: true}, nil
	}
	if o.Check != nil {
		if err := o.Check(ctx); err != nil {
			return Result{}, err
		}
	}
	config, err := bounded.text(plan, o)
	if err != nil {
		return Result{}, err
	}
	p := newShow(o)
	stream, err := o.build(config, p)
	if err != nil {
		return Result{}, err
	}
	if err := memory.begin(); err != nil {
		return Result{}, err
	}
	if memory.resumed {
		fmt.Fprintf(o.Err, "Resuming the backfill from %s that was begun at %s; %s remembers how far it came.\n", plan.span(), stamp(plan.Begun), o.State)
	} else {
		fmt.Fprintf(o.Err, "Beginning a backfill from %s; %s remembers how far it comes.\n", plan.span(), o.State)
	}
	return o.run(ctx, stream, p, memory)
}

// run runs the pipeline to its end, or until ctx is over, and says what became of it.
func (o Options) run(ctx context.Context, stream *service.Stream, p *show, memory *memory) (Result, error) {
	board := progress.BoardOf(stream.Resources())
	stopShow := p.follow(board)
	var err error
	if !over(ctx) {
		err = stream.Run(ctx)
		if over(ctx) {
			err = stream.StopWithin(stopTimeout)
		}
	}
	stopShow()
	at := board.Look()
	if err != nil {
		return Result{}, fmt.Errorf("running %s: %w", o.Name, err)
	}
	switch {
	case over(ctx):
		fmt.Fprintf(o.Err, "Stopped at %s. The same command goes on from there.\n", p.summary(at))
		return Result{}, nil
	case at.Failing > 0:
		fmt.Fprintf(o.Err, "Ended at %s, without %d of %s that cannot be read. The same command goes on with them once what the log says is mended.\n",
			p.summary(at), at.Failing, oci.Counted(at.Partitions, "partition"))
		return Result{}, nil
	}
	if err := memory.end(time.Now()); err != nil {
		return Result{}, err
	}
	fmt.Fprintf(o.Err, "Read everything from %s: %s\n", memory.plan.span(), p.totals(at))
	return Result{Complete: true}, nil
}

// over is true once the command was stopped.
func over(ctx context.Context) bool { return ctx.Err() != nil }

// build makes the stream; it listens to no port, because the live pipeline does.
func (o Options) build(config string, p *show) (*service.Stream, error) {
	builder := service.NewStreamBuilder()
	builder.SetSchema(o.Schema)
	level := slog.LevelWarn
	if o.Verbose {
		level = slog.LevelInfo
	}
	builder.SetLogger(slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: level})))
	if err := builder.SetYAML(config); err != nil {
		return nil, fmt.Errorf("reading the config %s: %w; benthos-oci lint says more", o.Name, err)
	}
	stream, err := builder.Build()
	if err != nil {
		return nil, fmt.Errorf("building the pipeline of %s: %w", o.Name, err)
	}
	return stream, nil
}

// stamp writes a time for people.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ErrNoInput says that a config has nothing that can be bounded.
var ErrNoInput = errors.New("it has no input oci_audit, oci_logging or oci_cloudguard")
