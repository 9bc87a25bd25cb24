package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim/corpus"
)

var register = sync.OnceFunc(func() { registerFeed(); registerOutcome() })

// TestMain lets the test program stand for the program when a row is measured in a process of its own.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], "-child") {
		main()
		return
	}
	os.Exit(m.Run())
}

// checked runs a row over a corpus, and looks at what leaves.
func checked(t *testing.T, r row, path string, events int) measurement {
	t.Helper()
	register()
	dir := t.TempDir()
	m, err := measure(t.Context(), r, setting{corpus: path, events: events, dir: dir, check: true}, profiles{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func named(t *testing.T, name string) row {
	t.Helper()
	for _, r := range rows() {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("there is no row %s", name)
	return row{}
}

func made(t *testing.T, events int) string {
	t.Helper()
	path, err := makeCorpus(t.TempDir(), events)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// dense gives a corpus with fewer of the events that nothing counts, and the number of its events.
func dense(t *testing.T) (path string, events int) {
	t.Helper()
	const of, oneIn = 30_000, 100
	all, err := openCorpus(made(t, of), of)
	if err != nil {
		t.Fatal(err)
	}
	defer all.unmap()
	var b bytes.Buffer
	for i, line := range all.lines {
		if i%oneIn == 0 || corpus.Counted(line) {
			b.Write(append(line, '\n'))
			events++
		}
	}
	path = filepath.Join(t.TempDir(), "dense.jsonl")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, events
}

// TestStockPipelineFindsTheSame compares the incidents of the counting rule with those of stock Benthos, and of each row that counts.
func TestStockPipelineFindsTheSame(t *testing.T) {
	stock := named(t, "stock")
	stock.part = 1
	path, events := dense(t)
	want := checked(t, stock, path, events)
	if n := len(want.Keys); n < 3 {
		t.Fatalf("stock Benthos found %d incidents, want some to compare", n)
	}
	for _, name := range []string{"normalize-count", "bytes-count", "count-memory", "count-bolt"} {
		r := named(t, name)
		r.part = 1
		if diff := cmp.Diff(want.Keys, checked(t, r, path, events).Keys); diff != "" {
			t.Errorf("%s finds (+) other incidents than stock Benthos (-):\n%s", name, diff)
		}
	}
}

// TestEachRowDoesItsWork runs every pipeline over a few events.
func TestEachRowDoesItsWork(t *testing.T) {
	const events = 2000
	path := made(t, events)
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			m := checked(t, r, path, events)
			if want := events / max(r.part, 1); m.Events != want || m.CPU <= 0 || m.Wall <= 0 || m.Allocs == 0 || m.Peak == 0 {
				t.Errorf("got %+v, want %d events and no zero", m, want)
			}
			switch left := m.Out["event"]; {
			case r.name == empty, strings.HasPrefix(r.name, "normalize") && !strings.Contains(r.steps, "correlate"), strings.HasSuffix(r.name, "-forward"):
				if left != int64(m.Events) {
					t.Errorf("%d events left, want all %d", left, m.Events)
				}
			case left != 0:
				t.Errorf("%d events left, want none", left)
			}
			if hot := m.Out["incident"]; r.name == "hot-50" && hot != 0 {
				t.Errorf("%d incidents left, want none of so few events", hot)
			}
		})
	}
}

// TestAWholeRun measures two rows in processes of their own, and judges them.
func TestAWholeRun(t *testing.T) {
	var out, progress strings.Builder
	dir := t.TempDir()
	args := []string{"-events", "2000", "-rounds", "1", "-rows", "raw-pad-1", "-dir", dir, "-save", dir + "/results.json"}
	if err := run(t.Context(), args, &out, &progress); err != nil && !strings.Contains(err.Error(), errClaims.Error()) {
		t.Fatal(err)
	}
	for _, want := range []string{"empty pipeline", "1,000 rules, none matching", "1,000 rules to 100", "CLAIM", "HOLDS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed %q, want %q in it", out.String(), want)
		}
	}
	readme := dir + "/README.md"
	if err := os.WriteFile(readme, []byte("before\n"+sectionBegin+"\nstale\n"+sectionEnd+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-readme", readme, "-save", dir + "/results.json"}, &out, &progress); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "\nafter\n") || strings.Contains(got, "stale") || !strings.Contains(got, "| empty pipeline |") {
		t.Errorf("wrote %q, want the tables between what was there", got)
	}
}

func TestClaimsAreJudgedOnBothSidesOfTheirBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		of   claim
		want bool
	}{
		{"at a bound from above", claim{Value: 1.6, Bound: 1.6}, true},
		{"beyond it", claim{Value: 1.61, Bound: 1.6}, false},
		{"at a bound from below", claim{Value: 1.7, Bound: 1.7, AtLeast: true}, true},
		{"short of it", claim{Value: 1.69, Bound: 1.7, AtLeast: true}, false},
	} {
		if got := judged(c.of).Holds; got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	at := func(ns ...time.Duration) (all []measurement) {
		for _, n := range ns {
			all = append(all, measurement{Events: 1, CPU: n, Wall: n})
		}
		return all
	}
	// The machine was three times slower in the second round; the row takes twice as long in each.
	r := rounds{empty: at(100, 300, 100), "raw-pad-100": at(200, 600, 200)}
	if got, ok := r.ratio("raw-pad-100", empty, measurement.perEvent); !ok || got != 2 {
		t.Errorf("got %v, %t, want 2", got, ok)
	}
	if got := r.claims(0); len(got) != 1 || got[0].Holds {
		t.Errorf("got %+v, want one claim that does not hold", got)
	}
}

// TestReadmeShowsTheSavedRun holds the tables of the README to the file that they were made of.
func TestReadmeShowsTheSavedRun(t *testing.T) {
	b, err := os.ReadFile("results.json")
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) < len(rows())/2 || len(r.Claims) == 0 {
		t.Errorf("the saved run has %d rows and %d claims, want a whole one", len(r.Rows), len(r.Claims))
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := r.into(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("README.md is stale (-want +got): run go run ./tests/bench -readme README.md\n%s", diff)
	}
}
