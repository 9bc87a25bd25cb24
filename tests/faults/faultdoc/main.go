// Command faultdoc writes the table of faults in tests/README.md, or says that it is stale.
//
//	go run ./tests/faults/faultdoc
//	go run ./tests/faults/faultdoc -check
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"benthos-oci/tests/faults"
)

func main() { os.Exit(run()) }

func run() int {
	check := flag.Bool("check", false, "change nothing; fail where the table is stale")
	root := flag.String("root", ".", "the root of the checkout")
	flag.Parse()

	fresh, err := faults.Document(*root)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	path := filepath.Join(*root, faults.File)
	old, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch {
	case bytes.Equal(old, fresh):
		return 0
	case *check:
		fmt.Println("stale, run make generate:", faults.File)
		return 1
	}
	if err := os.WriteFile(path, fresh, 0o644); err != nil { // documents are for everybody
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("wrote", faults.File)
	return 0
}
