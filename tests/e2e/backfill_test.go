package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
)

// command runs the program with other arguments than `run config`.
func command(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.CommandContext(t.Context(), self, args...), log: &lines{}, done: make(chan error, 1)}
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

var anEventID = regexp.MustCompile(`"eventId":"([0-9a-f-]{36})"`)

// eventsIn counts the raw events in a file, of which a kill may have cut a line.
func eventsIn(t *testing.T, path string) map[string]int {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, `"class_uid":2004`) {
			continue // an incident names its events
		}
		for _, found := range anEventID.FindAllStringSubmatch(line, -1) {
			counts[found[1]]++
		}
	}
	return counts
}

// sizeOf is the size of a file, 0 where there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// TestBackfillIsKilledBesideALivePipelineOfTheSameConfig runs both in processes of their own: the live one holds its state file
// all the time, the backfill is killed and goes on.
func TestBackfillIsKilledBesideALivePipelineOfTheSameConfig(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(c *ocisim.Config) {
		c.Start, c.End, c.Events = now.Add(-26*time.Hour), now.Add(-10*time.Minute), size(t, "E2E_EVENTS", 6000)
		c.LateFraction, c.IndexLag = -1, -1
	})
	dir := t.TempDir()
	input := w.input("oci_audit", 0)
	fields := input["oci_audit"].(map[string]any)
	delete(fields, "end")
	fields["start"], fields["poll_interval"] = "-2h", "1s"
	p := pipeline{
		inputs: []map[string]any{input}, correlate: detect(), state: filepath.Join(dir, "live.db"),
		output: map[string]any{"file": map[string]any{"path": "${OUT}", "codec": "lines"}},
	}
	config := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(config, []byte(p.yaml(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	live, old := filepath.Join(dir, "live.jsonl"), filepath.Join(dir, "old.jsonl")
	running := command(t, []string{"OUT=" + live}, "run", config)

	args := []string{"backfill", config, "--start", "-27h", "--end", "-90m", "--rate", "60", "--state", filepath.Join(dir, "old.db")}
	kills := size(t, "E2E_KILLS", 3)
	for kill := range kills {
		before := sizeOf(old)
		run := command(t, []string{"OUT=" + old}, args...)
		const event = 1500 // bytes, or more
		share := int64(len(w.auditIDs()) * event / (kills + 2))
		if !run.runUntil(t, func() bool { return sizeOf(old) > before+share }) {
			t.Fatalf("the backfill was done after %d kills of %d:\n%s", kill, kills, tail(run.log.String(), 20))
		}
		run.kill()
		<-run.done
	}
	last := command(t, []string{"OUT=" + old}, args...)
	select {
	case err := <-last.done:
		if err != nil {
			t.Fatalf("the last run ended with %v:\n%s", err, tail(last.log.String(), 40))
		}
	case <-time.After(patience):
		t.Fatalf("the last run does not end:\n%s", tail(last.log.String(), 40))
	}
	for _, want := range []string{"Resuming the backfill from", "Read everything from"} {
		if !strings.Contains(last.log.String(), want) {
			t.Errorf("the last run does not say %q:\n%s", want, tail(last.log.String(), 40))
		}
	}

	// The live one has read what is its own, and nothing stopped it.
	var recent, past []string
	for _, e := range w.sim.Truth().Events {
		switch ago := now.Sub(e.Processed); {
		case ago < 90*time.Minute:
			recent = append(recent, e.ID)
		case ago > 92*time.Minute: // the end is a full minute
			past = append(past, e.ID)
		}
	}
	eventually(t, soon, "all recent events read by the live pipeline", func() bool {
		got := eventsIn(t, live)
		for _, id := range recent {
			if got[id] == 0 {
				return false
			}
		}
		return true
	})
	select {
	case err := <-running.done:
		t.Fatalf("the live pipeline has ended with %v:\n%s", err, tail(running.log.String(), 40))
	default:
	}
	for id, n := range eventsIn(t, live) {
		if n > 1 {
			t.Errorf("event %s left %d times from the live pipeline, want once", id, n)
		}
	}
	got, missing, twice := eventsIn(t, old), 0, 0
	for _, id := range past {
		if got[id] == 0 {
			missing++
		}
		twice += max(0, got[id]-1)
	}
	if missing > 0 || len(past) == 0 || len(recent) == 0 {
		t.Errorf("%d of %d past events are missing after %d kills (and there are %d recent ones)", missing, len(past), kills, len(recent))
	}
	if raw, err := os.ReadFile(old); err != nil || !strings.Contains(string(raw), `"class_uid":2004`) {
		t.Errorf("no incident left the backfill (%v): its windows are not its own, or were lost", err)
	}
	faults.Measured(t, "backfill", "a backfill of %d events killed %d times beside a live pipeline of the same config: %d missing, %d left twice; the live one delivered %d recent events once each",
		len(past), kills, missing, twice, len(recent))
}
