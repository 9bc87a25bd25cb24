// Package rules holds the rules that come with the program, embedded, one folder a pack.
//
// It is where the data's way gets its questions from: `correlate` with `packs: [oci]` and `benthos-oci rules list`
// read it, and nothing is written back. Beside each rule `<id>.yaml` lies its test `<id>_test.yaml`:
//
//	err := fs.WalkDir(rules.FS, "oci", func(path string, d fs.DirEntry, err error) error { ... })
package rules

import "embed"

// FS holds the packs: `oci/<service>/<id>.yaml`, each with its test beside it.
//
//go:embed oci
var FS embed.FS
