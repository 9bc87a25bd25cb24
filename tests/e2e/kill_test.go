package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
)

// program is the binary in a process of its own.
type program struct {
	cmd  *exec.Cmd
	log  *lines
	done chan error
}

// startProgram runs `benthos-oci run config`.
func startProgram(t *testing.T, config string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.CommandContext(t.Context(), self, "run", config), log: &lines{}, done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

// kill ends the process as a power switch does.
func (p *program) kill() { _ = p.cmd.Process.Kill() }

// TestKillsLoseNothingAndChangeNoIncident kills the program again and again while it collects into Kafka.
func TestKillsLoseNothingAndChangeNoIncident(t *testing.T) {
	kills := size(t, "E2E_KILLS", 5)
	w := newWorld(t, func(c *ocisim.Config) { c.Events = size(t, "E2E_EVENTS", 3000) })
	quiet := settledSet(t, collectAll(t, w, func(p *pipeline) { busy(t, p.correlate) }))
	checkBusy(t, quiet)
	callsOfOneRun := int(w.calls.Load())

	kafka := newKafka(t, "oci-events", "oci-incidents")
	doc := shipped(t, "kafka.yaml", w, map[string]string{
		"KAFKA_BROKERS": brokers(kafka),
		"STATE_FILE":    filepath.Join(t.TempDir(), "state.db"),
		"DEAD_LETTERS":  filepath.Join(t.TempDir(), "dead.jsonl"),
	})
	busy(t, everything(t, doc))
	config := filepath.Join(t.TempDir(), "kafka.yaml")
	if err := os.WriteFile(config, []byte(marshal(t, doc)), 0o600); err != nil {
		t.Fatal(err)
	}

	random := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for killed < kills {
		p := startProgram(t, config)
		until := w.calls.Load() + 1 + random.Int64N(int64(2*callsOfOneRun/kills))
		pause := time.Duration(random.Int64N(int64(50 * time.Millisecond)))
		if !p.runUntil(t, func() bool { return w.calls.Load() >= until }) {
			break
		}
		time.Sleep(pause)
		p.kill()
		<-p.done
		killed++
		t.Logf("kill %d: %d events in Kafka", killed, count(t, kafka, "oci-events"))
	}
	if killed < kills/2 {
		t.Fatalf("the program was done after %d kills of %d: the run is too short to prove anything", killed, kills)
	}
	p := startProgram(t, config)
	select {
	case err := <-p.done:
		if err != nil {
			t.Fatalf("the last run ended with %v:\n%s", err, tail(p.log.String(), 40))
		}
	case <-time.After(patience):
		t.Fatalf("the last run does not end:\n%s", tail(p.log.String(), 40))
	}

	events := auditIDs(t, fromKafka(consume(t, kafka, "oci-events"), "event"))
	checkNoneMissing(t, w.auditIDs(), events)
	checkSameSet(t, quiet, settledSet(t, fromKafka(consume(t, kafka, "oci-incidents"), "incident")))
	if dead := fileLines(t, at(doc, "output", "switch", "cases").([]any)[0].(map[string]any)["output"].(map[string]any)["file"].(map[string]any)["path"].(string)); len(dead) > 0 {
		t.Errorf("%d dead letters, want none: %.300s", len(dead), dead[0].body)
	}
}

// runUntil waits until ok holds; it gives false where the program ended before.
func (p *program) runUntil(t *testing.T, ok func() bool) bool {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case err := <-p.done:
			if err != nil {
				t.Fatalf("the program ended with %v:\n%s", err, tail(p.log.String(), 40))
			}
			return false
		case <-deadline:
			t.Fatalf("the program does not get on:\n%s", tail(p.log.String(), 40))
		case <-time.After(time.Millisecond):
		}
	}
	return true
}
