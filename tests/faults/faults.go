// Package faults is the table of what can go wrong while events are collected: each fault, what is promised,
// the tests that prove it for each input, and what they measured.
//
// It stands beside the data's way, as a list of tests. The table is in tests/README.md, written by
//
//	go run ./tests/faults/faultdoc
//
// and a row that names a test which does not exist fails. Figures come from the full forms of the tests:
//
//	make soak
package faults
