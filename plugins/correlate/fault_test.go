package correlate_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// keyRule fires with every API key that is uploaded.
const keyRule = `
            - id: test-key
              title: Key uploaded
              severity: medium
              group_by: {user: actor.user.name}
              match: {api.operation: UploadApiKey}
`

// waitRule fires for a key that is not followed by a policy of its owner within an hour.
const waitRule = `
            - id: test-wait
              title: No policy follows
              severity: low
              window: 1h
              group_by: {user: actor.user.name}
              patterns:
                key: {match: {api.operation: UploadApiKey}}
                policy: {match: {api.operation: CreatePolicy}}
              when: key then not policy within 1h
`

func TestOutputThatFailsOnlyTheSecondOfTwoIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var batch service.MessageBatch
		for i, op := range []string{"GetInstance", "GetInstance", "GetInstance", "UploadApiKey", "GetInstance", "UploadApiKey"} {
			batch = append(batch, raw(op, string(rune('a'+i)), noon.Add(time.Duration(i)*time.Second)))
		}
		in := newFeed(batch).ends()
		failed := 0
		out := &sink{fail: func(b service.MessageBatch) error {
			if len(b) == 2 && failed < 3 {
				failed++
				return service.NewBatchError(b, errDown).Failed(1, errDown)
			}
			return nil
		}}
		start(t, 1, `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ] }
pipeline:
  processors:
    - correlate:
        rules:`+keyRule+`
        state_cache: state
output: { test_sink: { name: "{{out}}" } }
cache_resources:
  - label: state
    bolt: { path: `+filepath.Join(t.TempDir(), "s.db")+` }
`, map[string]any{"in": in, "out": out}).wait()
		last, times := out.incidents(t)
		if len(last) != 2 {
			t.Fatalf("incidents: got %v, want those of d and f", last)
		}
		for id, f := range last {
			if f.Count != 1 || f.User != "d" && f.User != "f" {
				t.Errorf("incident %s: got %+v, want count 1 of d or f", id, f)
			}
			if want := map[string]int{"d": 4, "f": 1}[f.User]; times[id] != want {
				t.Errorf("incident of %s came %d times, want %d", f.User, times[id], want)
			}
		}
		if failed != 3 || in.acked.Load() != 1 {
			t.Errorf("got %d failures and %d acks, want 3 and 1", failed, in.acked.Load())
		}
	})
}

func TestOutputThatFailsWhatATickFired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)}).ends()
		failed := 0
		out := &sink{fail: func(service.MessageBatch) error {
			if failed < 5 {
				failed++
				return errDown
			}
			return nil
		}}
		start(t, 4, `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ] }
pipeline:
  processors:
    - correlate:
        rules:`+waitRule+`
output: { test_sink: { name: "{{out}}" } }
`, map[string]any{"in": in, "out": out}).wait()
		last, times := out.incidents(t)
		if len(last) != 1 || failed != 5 {
			t.Fatalf("got %d incidents after %d failures, want 1 after 5", len(last), failed)
		}
		for id, f := range last {
			if f.Rule != "test-wait" || f.User != "alice" || f.Count != 1 || times[id] != 1 {
				t.Errorf("got %+v, taken %d times, want test-wait of alice with count 1, once", f, times[id])
			}
		}
	})
}

func TestStateThatCannotBeSavedForFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		state := &store{items: map[string][]byte{}, fail: func() error {
			if time.Since(begin) < 5*time.Second {
				return errDown
			}
			return nil
		}}
		in := newFeed(
			service.MessageBatch{raw("UploadApiKey", "alice", noon), raw("GetInstance", "alice", noon)},
			service.MessageBatch{raw("UploadApiKey", "alice", noon.Add(time.Second)), raw("UploadApiKey", "bob", noon)},
		).ends()
		out, dead := &sink{}, &sink{}
		start(t, 2, `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ] }
pipeline:
  processors:
    - correlate:
        rules:`+keyRule+waitRule+`
        emit: [ create, update, close ]
        update_every: 0s
        state_cache: state
output:
  switch:
    cases:
      - { check: errored(), output: { test_sink: { name: "{{dead}}" } } }
      - { output: { test_sink: { name: "{{out}}" } } }
cache_resources:
  - { label: state, test_store: { name: "{{state}}" } }
`, map[string]any{"in": in, "out": out, "dead": dead, "state": state}).wait()
		if d := time.Since(begin); d < 5*time.Second {
			t.Errorf("the stream ended after %s, before its state could be saved", d)
		}
		if n := len(dead.taken()); n != 0 {
			t.Errorf("dead letters: got %d, want none for an outage", n)
		}
		wantCounts(t, out, map[string]int64{"test-key alice": 2, "test-key bob": 1, "test-wait alice": 2, "test-wait bob": 1})
	})
}

// wantCounts checks the incidents that a sink heard of, by rule and user, with their last count.
func wantCounts(t *testing.T, s *sink, want map[string]int64) {
	t.Helper()
	last, _ := s.incidents(t)
	got := map[string]int64{}
	for _, f := range last {
		got[f.Rule+" "+f.User] += f.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("incidents by rule and user, with their counts (-want +got):\n%s", diff)
	}
}

func TestOpenAbsenceFiresAfterARestartAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.db")
		config := `
input:
  broker:
    inputs:
      - { label: audit, test_feed: { name: "{{in}}", reports: true } }
      - { label: clock, correlate_source: {} }
pipeline:
  processors:
    - correlate:
        rules:` + waitRule + `
        state_cache: state
output: { test_sink: { name: "{{out}}" } }
cache_resources:
  - { label: state, bolt: { path: ` + path + ` } }
`
		in, out := newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)}), &sink{}
		first := start(t, 2, config, map[string]any{"in": in, "out": out})
		time.Sleep(time.Minute)
		in.caughtUp("p", noon.Add(time.Minute))
		time.Sleep(time.Minute)
		first.stop()
		if n := len(out.taken()); n != 0 {
			t.Fatalf("before the restart: got %d incidents, want none", n)
		}

		in = newFeed() // nothing comes any more
		second := start(t, 2, config, map[string]any{"in": in, "out": out})
		time.Sleep(time.Minute)
		in.caughtUp("p", noon.Add(time.Hour+30*time.Minute-time.Millisecond))
		time.Sleep(time.Minute)
		if n := len(out.taken()); n != 0 {
			t.Errorf("a millisecond before its time: got %d incidents, want none", n)
		}
		in.caughtUp("p", noon.Add(time.Hour+30*time.Minute))
		time.Sleep(time.Minute)
		wantCounts(t, out, map[string]int64{"test-wait alice": 1})
		second.stop()

		third := start(t, 2, config, map[string]any{"in": newFeed(), "out": out})
		time.Sleep(time.Minute)
		third.stop()
		if n := len(out.taken()); n != 1 {
			t.Errorf("after one more restart: got %d messages, want that what was delivered does not come again", n)
		}
	})
}

func TestOpenAbsenceOfAWrappedInputFiresAfterARestartAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.db")
		config := `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ], idle_timeout: 5m }
pipeline:
  processors:
    - correlate:
        rules:` + waitRule + `
        state_cache: state
output: { test_sink: { name: "{{out}}" } }
cache_resources:
  - { label: state, bolt: { path: ` + path + ` } }
`
		out := &sink{}
		first := start(t, 2, config, map[string]any{"in": newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)}), "out": out})
		time.Sleep(time.Minute)
		first.stop()
		second := start(t, 2, config, map[string]any{"in": newFeed(), "out": out})
		defer second.stop()
		// Time stood at noon less the lateness of 30 minutes; an hour of absence ends 90 minutes after that.
		time.Sleep(5*time.Minute + 90*time.Minute - time.Minute)
		if n := len(out.taken()); n != 0 {
			t.Errorf("a minute before its time: got %d incidents, want none", n)
		}
		time.Sleep(2 * time.Minute)
		wantCounts(t, out, map[string]int64{"test-wait alice": 1})
	})
}

func TestWhatATickFiredSurvivesARestartWithTheOutputDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := `
input:
  broker:
    inputs:
      - { label: audit, test_feed: { name: "{{in}}", reports: true } }
      - { label: clock, correlate_source: {} }
pipeline:
  processors:
    - correlate:
        rules:` + waitRule + `
        state_cache: state
output: { test_sink: { name: "{{out}}" } }
cache_resources:
  - { label: state, bolt: { path: ` + filepath.Join(t.TempDir(), "s.db") + ` } }
`
		in := newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)})
		down := &sink{fail: func(service.MessageBatch) error { return errDown }}
		first := start(t, 2, config, map[string]any{"in": in, "out": down})
		time.Sleep(time.Minute)
		in.caughtUp("p", noon.Add(3*time.Hour))
		time.Sleep(time.Minute)
		first.stop()
		if down.attempts == 0 {
			t.Fatal("the incident never reached the output")
		}
		out := &sink{}
		second := start(t, 2, config, map[string]any{"in": newFeed(), "out": out})
		time.Sleep(time.Minute)
		second.stop()
		wantCounts(t, out, map[string]int64{"test-wait alice": 1})
	})
}

func TestPoisonPassesWhileTheMainOutputIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		poison := service.NewMessage([]byte(`{"eventType": "com.oraclecloud.identitycontrolplane.UploadApiKey", "broken`))
		in := newFeed(
			service.MessageBatch{raw("UploadApiKey", "alice", noon), raw("GetInstance", "alice", noon)},
			service.MessageBatch{raw("GetInstance", "bob", noon), poison, raw("UploadApiKey", "bob", noon)},
			service.MessageBatch{raw("GetInstance", "carol", noon), raw("UploadApiKey", "carol", noon)},
		).ends()
		dead, found, main := &sink{}, &sink{}, &sink{fail: func(service.MessageBatch) error {
			if time.Since(begin) < 10*time.Minute {
				return errDown
			}
			return nil
		}}
		r := start(t, 8, `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ] }
pipeline:
  processors:
    - correlate:
        rules:`+keyRule+`
        forward: [ incidents, events ]
output:
  switch:
    cases:
      - check: errored() || content().length() > 900000
        output: { test_sink: { name: "{{dead}}" } }
      - check: '@correlate_type == "incident"'
        output: { test_sink: { name: "{{found}}" } }
      - output: { retry: { output: { test_sink: { name: "{{main}}" } } } }
`, map[string]any{"in": in, "dead": dead, "found": found, "main": main})
		time.Sleep(5 * time.Minute)
		if n := len(dead.taken()); n != 1 {
			t.Errorf("dead letters while the main output is down: got %d, want the poison", n)
		}
		wantCounts(t, found, map[string]int64{"test-key alice": 1, "test-key bob": 1, "test-key carol": 1})
		r.wait()
		if n := len(dead.taken()); n != 1 {
			t.Errorf("dead letters: got %d, want the poison once", n)
		}
		if got, _ := dead.taken()[0].AsBytes(); string(got) != `{"eventType": "com.oraclecloud.identitycontrolplane.UploadApiKey", "broken` {
			t.Errorf("dead letter: got %q, want it untouched", got)
		}
		if n := len(main.taken()); n != 6 {
			t.Errorf("events at the main output: got %d, want 6", n)
		}
		_, times := found.incidents(t)
		for id, n := range times {
			if n != 1 {
				t.Errorf("incident %s came %d times, want once: an output in retry rejects nothing", id, n)
			}
		}
	})
}

func TestUnreadablePartitionDoesNotFreezeAnAbsenceRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)}), &sink{}
		r := start(t, 2, `
input:
  broker:
    inputs:
      - { label: audit, test_feed: { name: "{{in}}", reports: true } }
      - { label: clock, correlate_source: { max_hold: 1h } }
pipeline:
  processors:
    - correlate:
        rules:`+waitRule+`
output: { test_sink: { name: "{{out}}" } }
`, map[string]any{"in": in, "out": out})
		defer r.stop()
		time.Sleep(time.Second)
		in.source.Load().Partition(tenancy, "unreadable")
		for minute := range 59 {
			in.caughtUp("p", noon.Add(2*time.Hour+time.Duration(minute)*time.Minute))
			time.Sleep(time.Minute)
		}
		if n := len(out.taken()); n != 0 {
			t.Errorf("within max_hold: got %d incidents, want none", n)
		}
		in.caughtUp("p", noon.Add(3*time.Hour))
		time.Sleep(2 * time.Minute)
		wantCounts(t, out, map[string]int64{"test-wait alice": 1})
		for _, m := range out.taken() {
			doc, err := m.AsStructured()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{"audit/unreadable"}, at(doc, "unmapped", "incomplete_sources")); diff != "" {
				t.Errorf("incomplete sources (-want +got):\n%s", diff)
			}
		}
	})
}

func TestBackfillEndsWithItsLastAbsences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)}, service.MessageBatch{raw("GetInstance", "bob", noon)}).ends()
		out := &sink{}
		start(t, 2, `
input:
  broker:
    inputs:
      - { label: audit, test_feed: { name: "{{in}}", reports: true, bounded: true } }
      - { label: clock, correlate_source: {} }
pipeline:
  processors:
    - correlate:
        rules:`+waitRule+`
output: { test_sink: { name: "{{out}}" } }
`, map[string]any{"in": in, "out": out}).wait()
		wantCounts(t, out, map[string]int64{"test-wait alice": 1})
	})
}

func TestTicksAndEventsReachNoOutputButAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newFeed(service.MessageBatch{raw("UploadApiKey", "alice", noon)}, service.MessageBatch{raw("GetInstance", "bob", noon)}).ends()
		in.pace = time.Minute
		out := &sink{}
		start(t, 2, `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ] }
pipeline:
  processors:
    - correlate:
        rules:`+keyRule+`
        forward: [ incidents, events, late ]
output: { test_sink: { name: "{{out}}" } }
`, map[string]any{"in": in, "out": out}).wait()
		got := map[string]int{}
		for _, m := range out.taken() {
			kind, _ := m.MetaGet("correlate_type")
			got[kind]++
		}
		if diff := cmp.Diff(map[string]int{"incident": 1, "event": 2}, got); diff != "" {
			t.Errorf("what left, by type (-want +got):\n%s", diff)
		}
	})
}

func TestSecondCorrelateBesideAClockIsRefused(t *testing.T) {
	b := service.NewStreamBuilder()
	name := use(t, &feeds, newFeed().ends())
	if err := b.SetYAML(`
input:
  correlate_source: { inputs: [ { test_feed: { name: "` + name + `" } } ] }
pipeline:
  processors:
    - { label: a, correlate: { packs: [ oci ] } }
    - { label: b, correlate: { packs: [ oci ] } }
output: { drop: {} }
`); err != nil {
		t.Fatal(err)
	}
	s, err := b.Build()
	if err == nil {
		err = s.Run(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "has another correlate") {
		t.Errorf("got %v, want an error that says so", err)
	}
}
