package tests

import (
	"os"
	"testing"

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
		Setup: func(env *testscript.Env) error {
			env.Setenv("CHECKOUT", checkout)
			return nil
		},
	})
}
