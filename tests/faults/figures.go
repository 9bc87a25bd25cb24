package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"
)

// FiguresFile holds what the full forms of the tests have measured, relative to the root of the checkout.
const FiguresFile = "tests/faults/figures.json"

// record names the variable that holds the path of a figures file; where it is empty nothing is written.
const record = "FAULT_FIGURES"

// writing is held while a figure is written down.
var writing sync.Mutex

// Figures are sentences about what was measured, by the name under which a test gives them.
type Figures map[string]string

// ReadFigures reads a figures file; one that is not there holds none.
func ReadFigures(path string) (Figures, error) {
	f := Figures{}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the figures: %w", err)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("reading the figures of %s: %w", path, err)
	}
	return f, nil
}

// Measured tells a figure of a test. A short form only logs it; the full one, which has FAULT_FIGURES set, writes it down.
// Packages that write to the same file must not be tested at the same time.
func Measured(t testing.TB, name, format string, args ...any) {
	t.Helper()
	said := fmt.Sprintf(format, args...)
	t.Logf("measured: %s: %s", name, said)
	path := os.Getenv(record)
	if path == "" || t.Failed() {
		return
	}
	writing.Lock()
	defer writing.Unlock()
	figures, err := ReadFigures(path)
	if err != nil {
		t.Fatal(err)
	}
	figures[name] = said
	raw, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil { // it is committed, for everybody to read
		t.Fatal(err)
	}
}
