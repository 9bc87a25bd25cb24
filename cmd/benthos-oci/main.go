// Command benthos-oci is Benthos with Oracle Cloud's security telemetry built in:
// inputs that collect it, methods that normalize it, and a processor that turns it into incidents.
//
//	benthos-oci demo
//	benthos-oci run config/stdout.yaml
package main

import (
	"os"

	"benthos-oci/plugins/all"
)

func main() { os.Exit(all.Main(os.Args)) }
