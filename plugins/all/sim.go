package all

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/ocisim"
)

func simCommand() *cli.Command {
	return &cli.Command{
		Name:  "sim",
		Usage: "Serve a simulator of Oracle's Audit, Logging Search, Streaming, Identity and Cloud Guard APIs",
		Description: `It verifies the signature of every call, pages, throttles and fails as Oracle's APIs do, and answers with
the events of an invented tenancy, among them those of attacks. The same seed gives the same events.

   benthos-oci sim                             # serve, and print the config block to connect to it
   benthos-oci sim --write sim.yaml            # write a whole config beside it, then: benthos-oci run sim.yaml
   benthos-oci sim --fault 429,op=ListEvents,p=0.05,retry_after=2s
   benthos-oci sim --write sim.yaml --deny compartments    # then: benthos-oci check sim.yaml

A fault is a status of 400 and more, or one of ` + strings.Join(ocisim.EffectNames(), ", ") + `;
then op, tenancy, region, compartment, after, times, p (a probability), retry_after, delay.
A denial is a permission that the key's user lacks: ` + strings.Join(ocisim.Permissions(), ", ") + `;
then tenancy, region, compartment.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8085", Usage: "serve on this `address`"},
			&cli.StringFlag{Name: "write", Usage: "write a config that collects from the simulator to this `file`"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "settle everything that is invented"},
			&cli.IntFlag{Name: "tenancies", Value: 1, Usage: "`number` of tenancies"},
			&cli.StringSliceFlag{Name: "region", Usage: "a `region` of each tenancy, the home region first (default: eu-frankfurt-1 and us-ashburn-1)"},
			&cli.IntFlag{Name: "compartments", Value: 6, Usage: "`number` of compartments beside the root"},
			&cli.IntFlag{Name: "users", Value: 2000, Usage: "`number` of people in each tenancy"},
			&cli.IntFlag{Name: "events", Value: 10_000, Usage: "`number` of audit events in all"},
			&cli.TimestampFlag{Name: "start", Layout: time.RFC3339, Usage: "events happen from this `time` on (default: a day before the end)"},
			&cli.TimestampFlag{Name: "end", Layout: time.RFC3339, Usage: "events happen before this `time` (default: the last full hour)"},
			&cli.StringSliceFlag{Name: "story", Usage: "weave in this `story` only; may be repeated (default: all)"},
			&cli.BoolFlag{Name: "no-stories", Usage: "weave in no attack at all"},
			&cli.IntFlag{Name: "page-size", Value: 100, Usage: "`number` of events in a page"},
			&cli.StringSliceFlag{Name: "input", Value: cli.NewStringSlice("audit", "cloudguard"), Usage: "with --write: an `input` of the config, one of " + strings.Join(simInputs, ", ")},
			&cli.GenericFlag{Name: "deny", Value: &denials{}, Usage: "take a permission away, as the `text` says; may be repeated"},
			&cli.GenericFlag{Name: "fault", Value: &faults{}, Usage: "let calls go wrong, as the `text` says; may be repeated"},
		},
		Action: func(c *cli.Context) error {
			ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
			defer stop()
			return serveSim(ctx, c)
		},
	}
}

// faults is a flag that may be repeated: a list flag would split a fault at its commas.
type faults []ocisim.Fault

// Set reads one more fault.
func (f *faults) Set(text string) error {
	fault, err := ocisim.ParseFault(text)
	if err != nil {
		return err
	}
	*f = append(*f, fault)
	return nil
}

// String gives the faults as they are written.
func (f *faults) String() string {
	texts := make([]string, len(*f))
	for i, fault := range *f {
		texts[i] = fault.String()
	}
	return strings.Join(texts, " ")
}

// denials is a flag that may be repeated, as faults are.
type denials []ocisim.Denial

// Set reads one more denial.
func (d *denials) Set(text string) error {
	denial, err := ocisim.ParseDenial(text)
	if err != nil {
		return err
	}
	*d = append(*d, denial)
	return nil
}

// String gives the denials as they are written.
func (d *denials) String() string {
	texts := make([]string, len(*d))
	for i, denial := range *d {
		texts[i] = denial.String()
	}
	return strings.Join(texts, " ")
}

func serveSim(ctx context.Context, c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("starting the simulator: it takes no argument, got %q", c.Args().First())
	}
	config := ocisim.Config{
		Seed:         c.Uint64("seed"),
		Tenancies:    c.Int("tenancies"),
		Regions:      c.StringSlice("region"),
		Compartments: c.Int("compartments"),
		Users:        c.Int("users"),
		Events:       c.Int("events"),
		Stories:      c.StringSlice("story"),
		NoStories:    c.Bool("no-stories"),
		PageSize:     c.Int("page-size"),
	}
	if config.Compartments == 0 {
		config.Compartments = -1 // the simulator's zero is its default
	}
	if t := c.Timestamp("start"); t != nil {
		config.Start = *t
	}
	if t := c.Timestamp("end"); t != nil {
		config.End = *t
	}
	for _, name := range c.StringSlice("input") {
		if !slices.Contains(simInputs, name) {
			return fmt.Errorf("reading --input: there is no input %q, want some of %s", name, strings.Join(simInputs, ", "))
		}
	}
	sim, err := ocisim.New(config)
	if err != nil {
		return err
	}
	if asked, ok := c.Generic("deny").(*denials); ok {
		for _, denial := range *asked {
			sim.Deny(denial)
		}
	}
	if asked, ok := c.Generic("fault").(*faults); ok {
		for _, fault := range *asked {
			sim.Faults().Add(fault)
		}
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.String("listen"))
	if err != nil {
		return fmt.Errorf("starting the simulator: %w; choose another address with --listen", err)
	}
	endpoint := "http://" + listener.Addr().String()
	fmt.Fprintf(c.App.Writer, "# The simulator serves on %s. Stop it with Ctrl-C.\n", endpoint)
	for i := range sim.Tenancies() {
		fmt.Fprintf(c.App.Writer, "# Tenancy %d: these fields go under oci_audit, oci_cloudguard, oci_logging or oci_streaming.\n%s", i+1, sim.ConfigBlock(endpoint, i))
	}
	if path := c.String("write"); path != "" {
		if err := os.WriteFile(path, []byte(simPipeline(sim, endpoint, c.StringSlice("input"))), 0o600); err != nil {
			return errors.Join(fmt.Errorf("writing the config: %w", err), listener.Close())
		}
		fmt.Fprintf(c.App.Writer, "# Wrote %s: benthos-oci run %s\n", path, path)
	}
	return serve(ctx, listener, sim)
}

// serve answers until ctx ends.
func serve(ctx context.Context, listener net.Listener, sim *ocisim.Sim) error {
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serving the simulator: %w", err)
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil {
		return fmt.Errorf("stopping the simulator: %w", err)
	}
	<-done
	return nil
}

// simInputs are the inputs that a written config may have.
var simInputs = []string{"audit", "cloudguard", "logging", "streaming"}

// simPipeline gives a config that collects from every tenancy of the simulator and prints the incidents.
func simPipeline(sim *ocisim.Sim, endpoint string, inputs []string) string {
	var b strings.Builder
	b.WriteString("# Written by benthos-oci sim: its keys are made up, and open nothing but the simulator.\ninput:\n  broker:\n    inputs:\n")
	for i, tenancy := range sim.Tenancies() {
		input := func(label, name, fields string) {
			fmt.Fprintf(&b, "      - label: sim%d_%s\n        oci_%s:\n", i+1, label, name)
			b.WriteString(indented(sim.ConfigBlock(endpoint, i)+fields, "          "))
		}
		const position = "start: -48h\ncheckpoint_cache: state\n"
		for _, name := range simInputs {
			switch {
			case !slices.Contains(inputs, name):
			case name == "logging":
				input(name, name, position+fmt.Sprintf("queries:\n  - name: audit\n    search: search \"%s/_Audit_Include_Subcompartment\"\n", tenancy.OCID))
			case name == "streaming":
				for n, region := range tenancy.Regions {
					stream := sim.Stream(i, region, ocisim.AuditStream)
					input(fmt.Sprintf("streaming%d", n+1), name, fmt.Sprintf("region: %s\nstream_id: %s\ngroup: sim\n", region, stream.OCID))
				}
			default:
				input(name, name, position)
			}
		}
	}
	b.WriteString(`      - label: clock
        correlate_source: {}
pipeline:
  processors:
    - label: detect
      correlate:
        packs: [oci]
        state_cache: state
output:
  stdout: {}
cache_resources:
  - label: state
    bolt: { path: ./sim.db }
`)
	return b.String()
}

func indented(text, by string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(by + line + "\n")
	}
	return b.String()
}
