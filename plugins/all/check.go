package all

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/oci"
	ociaudit "benthos-oci/plugins/oci_audit"
	ocicloudguard "benthos-oci/plugins/oci_cloudguard"
	ocilogging "benthos-oci/plugins/oci_logging"
	ocistreaming "benthos-oci/plugins/oci_streaming"
)

// checkedInput is an input that can be asked whether it can read what it is configured to.
type checkedInput struct {
	spec  func() *service.ConfigSpec
	check func(context.Context, *service.ParsedConfig) (oci.Report, error)
}

var checkedInputs = map[string]checkedInput{
	ociaudit.Name:      {ociaudit.Spec, ociaudit.Check},
	ocicloudguard.Name: {ocicloudguard.Spec, ocicloudguard.Check},
	ocilogging.Name:    {ocilogging.Spec, ocilogging.Check},
	ocistreaming.Name:  {ocistreaming.Spec, ocistreaming.Check},
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "Say whether each OCI input of a config can read its tenancy, and what to do where it cannot",
		ArgsUsage: "CONFIG...",
		Description: `Calls each operation that the inputs need once and changes nothing: is Oracle reachable, is the key accepted,
is each permission there, how much happened in the last hour. The policy statements that are missing come at the end,
ready to paste. Exits with status code 1 if anything is missing.

   benthos-oci check config/stdout.yaml`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.DurationFlag{Name: "timeout", Value: 2 * time.Minute, Usage: "give up on an input after this `time`"},
			&cli.StringSliceFlag{Name: "env-file", Aliases: []string{"e"}, Usage: "import environment variables from a dotenv file"},
		},
		Before: func(c *cli.Context) error { return importEnvironment(c.StringSlice("env-file")) },
		Action: checkConfigs,
	}
}

// checked is the result for one input, as --json prints it.
type checked struct {
	Config string `json:"config"`
	Input  string `json:"input"`
	Label  string `json:"label,omitempty"`
	// Tenancy is an OCID, "" where the configuration does not tell it.
	Tenancy string        `json:"tenancy,omitempty"`
	OK      bool          `json:"ok"`
	Steps   []checkedStep `json:"steps"`
	// Missing are the policy statements that are missing.
	Missing []string `json:"missing_statements,omitempty"`
	// Events is the number of records of the last hour; Partial says that there are more.
	Events  int        `json:"events_last_hour"`
	Partial bool       `json:"partial,omitempty"`
	Newest  *time.Time `json:"newest,omitempty"`
}

type checkedStep struct {
	Name      string `json:"name"`
	OK        bool   `json:"ok"`
	Skipped   bool   `json:"skipped,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Error     string `json:"error,omitempty"`
	Statement string `json:"statement,omitempty"`
}

var errNoConfig = errors.New("name the config: benthos-oci check CONFIG")

func checkConfigs(c *cli.Context) error {
	if c.NArg() == 0 {
		return errNoConfig
	}
	results := []checked{}
	for _, path := range c.Args().Slice() {
		some, err := checkConfig(c.Context, path, c.Duration("timeout"))
		if err != nil {
			return err
		}
		results = append(results, some...)
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			printChecked(c.App.Writer, r)
		}
		printMissing(c.App.Writer, results)
	}
	for _, r := range results {
		if !r.OK {
			return errFailed
		}
	}
	return nil
}

// checkConfig checks each OCI input of a config, those inside brokers and other wrappers as well.
func checkConfig(ctx context.Context, path string, timeout time.Duration) ([]checked, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	config, err := withEnvironment(string(data))
	if err != nil {
		return nil, fmt.Errorf("reading the config %s: %w", path, err)
	}
	var results []checked
	err = Schema().NewStreamConfigWalker().WalkComponentsYAML([]byte(config), func(w *service.WalkedComponent) error {
		in, ok := checkedInputs[w.Name]
		if !ok || w.ComponentType != "input" {
			return nil
		}
		result, err := checkInput(ctx, in, w, timeout)
		if err != nil {
			return fmt.Errorf("line %d: checking %s: %w", w.LineStart, w.Name, err)
		}
		result.Config = path
		results = append(results, result)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the config %s: %w; benthos-oci lint says more", path, err)
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("checking %s: the config has no OCI input", path)
	}
	return results, nil
}

// checkInput gives each input the whole timeout, so that one that does not answer says nothing about the next.
func checkInput(ctx context.Context, in checkedInput, w *service.WalkedComponent, timeout time.Duration) (checked, error) {
	fields, err := pluginYAML(w)
	if err != nil {
		return checked{}, err
	}
	parsed, err := in.spec().ParseYAML(fields, service.GlobalEnvironment())
	if err != nil {
		return checked{}, err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	report, err := in.check(limited, parsed)
	if err != nil {
		return checked{}, err
	}
	result := checked{
		Input: w.Name, Label: w.Label, Tenancy: report.Tenancy, OK: report.OK(), Events: report.Events, Partial: report.Partial, Missing: report.Missing(),
	}
	if !report.Newest.IsZero() {
		result.Newest = &report.Newest
	}
	for _, s := range report.Steps {
		step := checkedStep{Name: s.Name, OK: s.Err == nil && !s.Skipped, Skipped: s.Skipped, Detail: s.Detail, Statement: s.Statement}
		if s.Err != nil {
			step.Error = s.Err.Error()
		}
		if s.Err != nil && oci.KindOf(s.Err) == "" && errors.Is(s.Err, context.DeadlineExceeded) {
			step.Error = fmt.Sprintf("there was no answer within %s: check the network, firewall and proxy between, or give it more by --timeout", timeout)
		}
		result.Steps = append(result.Steps, step)
	}
	return result, nil
}

// pluginYAML gives the fields of a walked component, without its name, label and other common fields.
func pluginYAML(w *service.WalkedComponent) (string, error) {
	conf, err := w.ConfigAny()
	if err != nil {
		return "", err
	}
	fields, ok := conf.(map[string]any)
	if !ok {
		return "", fmt.Errorf("the config is no map but %T", conf)
	}
	text, err := yaml.Marshal(fields[w.Name])
	if err != nil {
		return "", err
	}
	return string(text), nil
}

func printChecked(w io.Writer, r checked) {
	name := r.Input
	if r.Label != "" {
		name = r.Label + " (" + r.Input + ")"
	}
	of := ""
	if r.Tenancy != "" {
		of = " of " + r.Tenancy
	}
	fmt.Fprintf(w, "%s: %s%s\n", r.Config, name, of)
	for _, s := range r.Steps {
		switch {
		case s.Skipped:
			fmt.Fprintf(w, "  -   %-28s not tried\n", s.Name)
		case s.OK:
			fmt.Fprintf(w, "  ok  %-28s %s\n", s.Name, s.Detail)
		default:
			fmt.Fprintf(w, "  BAD %-28s %s\n", s.Name, s.Error)
			if !strings.Contains(s.Error, s.Statement) {
				fmt.Fprintf(w, "      %-28s %s\n", "", s.Statement)
			}
		}
	}
	if !r.OK {
		return
	}
	more := ""
	if r.Partial {
		more = " or more"
	}
	fmt.Fprintf(w, "      %d%s in the last hour", r.Events, more)
	if r.Newest != nil {
		fmt.Fprintf(w, ", the newest at %s", r.Newest.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
}

// printMissing writes the policy statements that are missing, those of each tenancy as one block that can be pasted.
func printMissing(w io.Writer, results []checked) {
	var tenancies []string
	missing := map[string][]string{}
	for _, r := range results {
		for _, statement := range r.Missing {
			if !slices.Contains(tenancies, r.Tenancy) {
				tenancies = append(tenancies, r.Tenancy)
			}
			if !slices.Contains(missing[r.Tenancy], statement) {
				missing[r.Tenancy] = append(missing[r.Tenancy], statement)
			}
		}
	}
	for _, tenancy := range tenancies {
		fmt.Fprintf(w, "\nMissing in tenancy %s. Add a policy to its root compartment (Console, Identity & Security, Policies, manual editor)\n"+
			"with these statements. Write your own group into them ('domain'/'group' where it is in an identity domain), or dynamic group, or cluster:\n\n", tenancy)
		for _, statement := range missing[tenancy] {
			fmt.Fprintln(w, statement)
		}
	}
}
