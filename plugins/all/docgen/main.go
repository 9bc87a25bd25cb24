// Command docgen writes the generated parts of the documents, or says which of them are stale.
//
//	go run ./plugins/all/docgen
//	go run ./plugins/all/docgen -check
package main

import (
	"flag"
	"fmt"
	"os"

	_ "benthos-oci/plugins/all"
	"benthos-oci/plugins/all/docs"
)

func main() { os.Exit(run()) }

func run() int {
	check := flag.Bool("check", false, "change nothing; fail where a document is stale")
	root := flag.String("root", ".", "the root of the checkout")
	flag.Parse()

	act, verb := docs.Write, "wrote"
	if *check {
		act, verb = docs.Stale, "stale, run make generate:"
	}
	paths, err := act(*root)
	for _, path := range paths {
		fmt.Println(verb, path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || *check && len(paths) > 0 {
		return 1
	}
	return 0
}
