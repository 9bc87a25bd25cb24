// Package all is the program: it registers every component and runs the command line.
//
// It stands around the data's way and holds none of it. Components come in by their import (components.go);
// the commands beside Benthos's own stand in a file each:
//
//	func main() { os.Exit(all.Main(os.Args)) }
package all

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"

	"benthos-oci/plugins/all/heap"
)

const (
	binaryName = "benthos-oci"
	// httpAddress is where the HTTP server listens by default: Benthos's own default is every interface.
	httpAddress = "127.0.0.1:4195"
)

// errFailed ends a command that has said already what is wrong.
var errFailed = errors.New("the command has failed")

// Main runs the program with the arguments of the process, its name first, and gives the exit code.
func Main(args []string) int {
	heap.Raise(heap.Floor)
	code, err := service.RunCLIToCode(context.Background(), options(args)...)
	if err != nil && !errors.Is(err, errFailed) {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil && code == 0 {
		return 1
	}
	return code
}

func options(args []string) []service.CLIOptFunc {
	version, built := Version()
	opts := []service.CLIOptFunc{
		service.CLIOptSetArgs(args...),
		service.CLIOptSetBinaryName(binaryName),
		service.CLIOptSetProductName(binaryName),
		service.CLIOptSetDocumentationURL("https://docs.redpanda.com/redpanda-connect"),
		service.CLIOptSetVersion(version, built),
		service.CLIOptSetDefaultConfigPaths("./benthos-oci.yaml", "/etc/benthos-oci/config.yaml"),
		service.CLIOptSetMainSchemaFrom(Schema),
	}
	for _, c := range commands() {
		opts = append(opts, service.CLIOptAddCommand(c))
	}
	return opts
}

// Schema gives the schema of a config: Benthos's, with the defaults of this program.
func Schema() *service.ConfigSchema {
	version, built := Version()
	s := service.GlobalEnvironment().FullConfigSchema(version, built)
	s.SetFieldDefault(httpAddress, "http", "address")
	return s
}

func commands() []*cli.Command {
	all := []*cli.Command{lintCommand(), rulesCommand(), checkCommand(), simCommand(), demoCommand(), backfillCommand()}
	brief(all)
	return all
}

// brief lets a wrong flag be told in one line: the whole usage above it would hide what is wrong.
func brief(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = func(c *cli.Context, err error, _ bool) error { return wrongFlag(c, err) }
		brief(c.Subcommands)
	}
}

// wrongFlag says where the flags are named.
func wrongFlag(c *cli.Context, err error) error {
	return fmt.Errorf("%w; %s --help names the flags", err, c.Command.HelpName)
}
