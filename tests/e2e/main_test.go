// Package e2e runs whole pipelines against the simulator, an in-process Kafka and HTTP servers:
// what the simulator served is compared, event by event, with what left the pipeline,
// and the incidents of a run with outages are compared with those of a quiet one.
//
// It stands at the end of the data's way. The short form runs in CI; the full one takes its size from the environment:
//
//	E2E_EVENTS=100000 E2E_KILLS=20 go test ./tests/e2e -run Kill -timeout 60m
package e2e

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"benthos-oci/plugins/all"
)

// asProgram makes the test binary be the program: a child process that can be killed, without building one.
const asProgram = "E2E_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(all.Main(os.Args))
	}
	flag.Parse()
	// Tests that run side by side wait for their faults, not for processors.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// size gives the number in the environment variable, or short.
func size(t *testing.T, name string, short int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return short
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s is %q, want a number", name, s)
	}
	return n
}
