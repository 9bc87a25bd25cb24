// Command bench measures whole pipelines side by side, and judges what is claimed of their speed.
//
// It stands beside the data's way. A generated corpus of audit events goes through an empty pipeline, through those of
// this program, and through one that does the same work with stock Benthos only; each in a process of its own, in turns,
// so that a busy machine slows all of them alike and ratios stay true:
//
//	go run ./tests/bench                     # the table, and each claim with its bound
//	go run ./tests/bench -rows raw -cpu .    # the rows whose name has "raw" in it, with CPU profiles
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"benthos-oci/plugins/all/heap"
	_ "benthos-oci/plugins/bolt"
	_ "benthos-oci/plugins/correlate"
	_ "benthos-oci/plugins/correlate_source"
	_ "benthos-oci/plugins/oci_normalize"
)

// options are what the command line says.
type options struct {
	events  int
	rounds  int
	dir     string
	rows    string
	cpu     string
	memory  string
	program bool
	save    string
	readme  string
	// child names the row that this process is to measure.
	child, corpus string
}

func main() {
	registerFeed()
	registerOutcome()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errClaims = errors.New("a claim does not hold")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.events, "events", 1_000_000, "events of the corpus")
	flags.IntVar(&o.rounds, "rounds", 5, "how often each row is measured; the medians are shown")
	flags.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "benthos-oci-bench"), "where the corpus is kept and rows write")
	flags.StringVar(&o.rows, "rows", "", "measure only rows with one of these words in their names, joined by commas")
	flags.StringVar(&o.cpu, "cpu", "", "write a CPU profile of each row into this directory")
	flags.StringVar(&o.memory, "mem", "", "write a profile of allocations of each row into this directory")
	flags.BoolVar(&o.program, "program", false, "also build the program, and judge its size and its start")
	flags.StringVar(&o.save, "save", "", "save what was measured in this file")
	flags.StringVar(&o.readme, "readme", "", "measure nothing: write the tables of the file of -save into the section of this README")
	flags.StringVar(&o.child, "child", "", "used by the program itself")
	flags.StringVar(&o.corpus, "corpus", "", "used by the program itself")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case o.child != "":
		return o.measureOne(ctx, out)
	case o.readme != "":
		return writeReadme(o.readme, o.save)
	}
	report, err := o.measureAll(ctx, progress)
	if err != nil {
		return err
	}
	fmt.Fprint(out, report.table(), "\n", report.judgment())
	if o.save != "" {
		if err := report.save(o.save); err != nil {
			return err
		}
	}
	for _, c := range report.Claims {
		if !c.Holds {
			return errClaims
		}
	}
	return nil
}

// measureOne runs one row here, and prints what it took.
func (o options) measureOne(ctx context.Context, out io.Writer) error {
	for _, r := range rows() {
		if r.name != o.child {
			continue
		}
		heap.Raise(heap.Floor) // as the program does
		m, err := measure(ctx, r, setting{corpus: o.corpus, events: o.events, dir: o.dir}, profiles{
			cpu: profile(o.cpu, r.name, "cpu"), memory: profile(o.memory, r.name, "mem"),
		})
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(m)
	}
	return fmt.Errorf("there is no row %s", o.child)
}

func profile(dir, row, kind string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, row+"."+kind+".pprof")
}

// chosen gives the rows to be measured. Ratios are to the empty pipeline, so that is always among them.
func (o options) chosen() []row {
	var chosen []row
	for _, r := range rows() {
		wanted := o.rows == "" || r.name == empty
		for word := range strings.SplitSeq(o.rows, ",") {
			wanted = wanted || word != "" && strings.Contains(r.name, word)
		}
		if wanted {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

func (o options) measureAll(ctx context.Context, progress io.Writer) (*report, error) {
	fmt.Fprintf(progress, "corpus: %d events in %s\n", o.events, o.dir)
	path, err := makeCorpus(o.dir, o.events)
	if err != nil {
		return nil, err
	}
	fsync, err := fsyncTime(o.dir)
	if err != nil {
		return nil, err
	}
	runs := map[string][]measurement{}
	chosen := o.chosen()
	for round := range o.rounds {
		for _, r := range chosen {
			m, err := o.inChild(ctx, r.name, path)
			if err != nil {
				return nil, err
			}
			runs[r.name] = append(runs[r.name], m)
			fmt.Fprintf(progress, "round %d of %d: %-16s %8.0f ns/event\n", round+1, o.rounds, r.name, m.perEvent())
		}
	}
	rep := newReport(chosen, runs, fsync)
	rep.Events, rep.Rounds = o.events, o.rounds
	if o.program {
		claims, err := judgeProgram(ctx, o.dir)
		if err != nil {
			return nil, err
		}
		rep.Claims = append(rep.Claims, claims...)
	}
	return rep, nil
}

// inChild measures a row in a process of its own: memory and caches of one row are nothing to the next.
func (o options) inChild(ctx context.Context, name, corpus string) (m measurement, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, fmt.Errorf("finding this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "-child", name, "-corpus", corpus, "-events", strconv.Itoa(o.events), "-dir", o.dir, "-cpu", o.cpu, "-mem", o.memory)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("measuring %s: %w", name, err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("reading what %s took: %w", name, err)
	}
	return m, nil
}
