// Package demo shows the whole way in one process: the simulator serves a day of an invented tenancy over loopback HTTP,
// the shipped components collect it, normalize it and correlate it with the shipped rules, and the incidents are shown
// as they fire.
//
// It stands around the data's way, and judges it: the simulator knows which attacks it wove in.
//
//	result, err := demo.Run(ctx, demo.Options{Out: os.Stdout, Err: os.Stderr})
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

// Options say what is shown. The zero value of each number means its default.
type Options struct {
	Seed   uint64
	Events int
	// Day is any time of the day that is replayed, in UTC; zero means the last one that has been over for two hours.
	// The inputs wait where a day has been over for less than that: its last events may still appear.
	Day time.Time
	// Folder gets incidents.jsonl; "" means a new temporary folder.
	Folder string
	// Schema is the config schema of the program.
	Schema *service.ConfigSchema
	// Out gets the incidents and the table, Err the progress. Terminal says that Err is one.
	Out, Err io.Writer
	Terminal bool
}

// Defaults of Options.
const (
	DefaultSeed   = 1
	DefaultEvents = 60_000
)

// Result says what was replayed and found.
type Result struct {
	Verdict
	// Seconds is how long the replay took.
	Seconds float64 `json:"seconds"`
	// Documents is the path of the incidents as OCSF documents, one a line.
	Documents string `json:"documents"`
}

// Run replays the day. An error says that it could not be replayed; what was found, and whether it is right, is in the result.
func Run(ctx context.Context, o Options) (Result, error) {
	folder, err := o.folder()
	if err != nil {
		return Result{}, err
	}
	state, err := os.MkdirTemp("", "benthos-oci-state-")
	if err != nil {
		return Result{}, fmt.Errorf("making a folder for the state: %w", err)
	}
	defer func() { _ = os.RemoveAll(state) }() // what cannot be removed is in the temporary folder

	sim, err := ocisim.New(o.simulator())
	if err != nil {
		return Result{}, err
	}
	endpoint, stop, err := serve(ctx, sim)
	if err != nil {
		return Result{}, err
	}
	defer stop()

	started := time.Now()
	truth := sim.Truth()
	w := newWatcher(o, len(truth.Events))
	w.begin(sim, endpoint)
	if err := o.replay(ctx, pipeline(sim, endpoint, o.day(), filepath.Join(state, "state.db")), w); err != nil {
		return Result{}, err
	}
	result := Result{Verdict: judge(truth, w), Seconds: time.Since(started).Seconds(), Documents: filepath.Join(folder, "incidents.jsonl")}
	if err := os.WriteFile(result.Documents, w.documents(), 0o600); err != nil {
		return Result{}, fmt.Errorf("writing the incidents: %w", err)
	}
	w.end(result)
	return result, nil
}

func (o Options) folder() (string, error) {
	if o.Folder == "" {
		folder, err := os.MkdirTemp("", "benthos-oci-demo-")
		if err != nil {
			return "", fmt.Errorf("making a folder for the incidents: %w", err)
		}
		return folder, nil
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return "", fmt.Errorf("making a folder for the incidents: %w", err)
	}
	return o.Folder, nil
}

// day gives the start of the replayed day.
func (o Options) day() time.Time {
	day := o.Day
	if day.IsZero() {
		day = time.Now().Add(-26 * time.Hour)
	}
	return day.UTC().Truncate(24 * time.Hour)
}

func (o Options) simulator() ocisim.Config {
	c := ocisim.Config{Seed: o.Seed, Events: o.Events, Start: o.day(), End: o.day().Add(24 * time.Hour)}
	if c.Seed == 0 {
		c.Seed = DefaultSeed
	}
	if c.Events == 0 {
		c.Events = DefaultEvents
	}
	return c
}

// serve answers on loopback until stop is called.
func serve(ctx context.Context, sim *ocisim.Sim) (endpoint string, stop func(), err error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("starting the simulator: %w", err)
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // it ends with Close
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close() // nobody is left to be answered
		<-done
	}, nil
}

// replay runs the pipeline to its end: its inputs are bounded.
func (o Options) replay(ctx context.Context, config string, w *watcher) error {
	builder := service.NewStreamBuilder()
	builder.SetSchema(o.Schema)
	builder.SetLogger(slog.New(slog.NewTextHandler(w.log(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err := builder.SetYAML(config); err != nil {
		return fmt.Errorf("reading the pipeline of the demo: %w", err)
	}
	if err := builder.AddBatchConsumerFunc(w.consume); err != nil {
		return fmt.Errorf("watching the pipeline of the demo: %w", err)
	}
	stream, err := builder.Build()
	if err != nil {
		return fmt.Errorf("building the pipeline of the demo: %w", err)
	}
	if err := stream.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("running the pipeline of the demo: %w", err)
	}
	return ctx.Err()
}
