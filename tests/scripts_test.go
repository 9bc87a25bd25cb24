package tests

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"benthos-oci/plugins/all"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"benthos-oci": func() { os.Exit(all.Main(os.Args)) },
	})
}

// TestProgram runs the program as its users do: each script is one subject.
func TestProgram(t *testing.T) {
	checkout := root(t)
	testscript.Run(t, testscript.Params{
		Dir:           "scripts",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"wait-for-file": waitForFile,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("CHECKOUT", checkout)
			return nil
		},
	})
}

// waitForFile waits until a program in the background has written a file: it is written whole, or not there.
func waitForFile(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: wait-for-file FILE")
	}
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
	}
	ts.Fatalf("%s was not written", args[0])
}
