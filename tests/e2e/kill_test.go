package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
	"benthos-oci/tests/faults"
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
	return command(t, nil, "run", config)
}

// kill ends the process as a power switch does.
func (p *program) kill() { _ = p.cmd.Process.Kill() }

// TestKillsLoseNothingAndChangeNoIncident kills the program again and again while it collects into Kafka.
// What leaves twice is at most what was in flight or acked since the position was last saved, and the harness prints both.
func TestKillsLoseNothingAndChangeNoIncident(t *testing.T) {
	kills := size(t, "E2E_KILLS", 5)
	w := newWorld(t, func(c *ocisim.Config) {
		c.Events, c.Compartments, c.Users = size(t, "E2E_EVENTS", 3000), size(t, "E2E_COMPARTMENTS", 20)-1, size(t, "E2E_USERS", 500)
		c.Regions = []string{"eu-frankfurt-1", "us-ashburn-1", "ap-tokyo-1"}
	})
	// The rules of these tests fire on the noise; a million events are collected for the shipped ones only.
	strict := size(t, "E2E_BUSY", 1) == 1
	quiet := quietSet(t, w, strict)
	if strict {
		checkBusy(t, quiet)
	}
	callsOfOneRun := int(w.calls.Load())
	truth := map[string]ocisim.EventTruth{}
	for _, e := range w.sim.Truth().Events {
		truth[e.ID] = e
	}

	sockets := &connections{}
	kafka := newKafkaAt(t, sockets.listen, "oci-events", "oci-incidents")
	kinds := map[string]string{"oci-events": "event", "oci-incidents": "incident"}
	topics := followBy(t, kafka, sockets.dial, "oci-events", "oci-incidents")
	state := filepath.Join(t.TempDir(), "state.db")
	doc := shipped(t, "kafka.yaml", w, map[string]string{
		"KAFKA_BROKERS": brokers(kafka), "STATE_FILE": state, "DEAD_LETTERS": filepath.Join(t.TempDir(), "dead.jsonl"),
	})
	if detect := everything(t, doc); strict {
		busy(t, detect)
	}
	config := filepath.Join(t.TempDir(), "kafka.yaml")
	if err := os.WriteFile(config, []byte(marshal(t, doc)), 0o600); err != nil {
		t.Fatal(err)
	}

	random := rand.New(rand.NewPCG(1, 2))
	killed, most, could, unsaved, repeated := 0, 0, 0, 0, 0
	settle := func() {
		eventually(t, soon, "all read that the dead process has sent", func() bool { return sockets.others() == 0 })
		topics.catchUp(t, kinds)
		twice := topics.tally.repeats() - repeated
		if killed > 0 && twice > unsaved {
			t.Errorf("after kill %d: %d events left again, want at most the %d that no saved position knew", killed, twice, unsaved)
		}
		repeated, most = repeated+twice, max(most, twice)
	}
	for killed < kills {
		p := startProgram(t, config)
		more := 1 + random.Int64N(int64(2*callsOfOneRun/kills))
		until := w.calls.Load() + more
		// It may run on until the kill comes, but not away from it.
		open := w.holdAfter(t, more+int64(callsOfOneRun/kills/4))
		pause := time.Duration(random.Int64N(int64(50 * time.Millisecond)))
		if !p.runUntil(t, func() bool { return w.calls.Load() >= until }) {
			open()
			break
		}
		time.Sleep(pause)
		p.kill()
		<-p.done
		open()
		settle()
		killed++
		delivered := topics.tally.delivered()
		unsaved = 0
		if len(delivered) > 0 {
			unsaved = readState(t, state).unsaved(truth, delivered)
		}
		could += unsaved
		t.Logf("kill %d: %d events delivered, %d of them in flight or acked since the last saved position; %d left again so far",
			killed, len(delivered), unsaved, repeated)
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
	settle()
	checkNoneMissing(t, w.auditIDs(), topics.tally.events)
	checkSameSet(t, quiet, topics.tally.settled(t))
	if dead := fileLines(t, at(doc, "output", "switch", "cases").([]any)[0].(map[string]any)["output"].(map[string]any)["file"].(map[string]any)["path"].(string)); len(dead) > 0 {
		t.Errorf("%d dead letters, want none: %.300s", len(dead), dead[0].body)
	}
	faults.Measured(t, "kills", "%d events of %d compartments in %d regions, %d kills: %d missing; %d left twice, where %d could have; at most %d after one kill; the same %d incidents as undisturbed",
		len(truth), len(w.sim.Tenancies()[0].Compartments), len(w.sim.Tenancies()[0].Regions), killed,
		len(truth)-len(topics.tally.events), repeated, could, most, len(quiet))
}

// quietSet collects the whole day without trouble, and gives the settled set.
func quietSet(t *testing.T, w *world, strict bool) map[string]settled {
	t.Helper()
	out := newSink(t, t.Name()+"_quiet")
	out.tally = newTally()
	p := pipeline{
		inputs:    []map[string]any{w.input("oci_audit", 0), w.input("oci_cloudguard", 0)},
		correlate: detect(),
		output:    map[string]any{"e2e_sink": map[string]any{"name": t.Name() + "_quiet"}},
		state:     filepath.Join(t.TempDir(), "state.db"),
	}
	if strict {
		busy(t, p.correlate)
	}
	run(t, p.yaml(t), patience)
	checkNoneMissing(t, w.auditIDs(), out.tally.events)
	checkOnce(t, out.tally.events)
	return out.tally.settled(t)
}

// runUntil waits until ok holds; it gives false where the program ended before.
func (p *program) runUntil(t *testing.T, ok func() bool) bool {
	t.Helper()
	deadline := time.After(soon)
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
