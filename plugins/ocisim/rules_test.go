package ocisim

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/rules"
)

// TestShippedRulesRaiseWhatTheStoriesSayAndNothingElse runs all records of a simulator, noise and stories,
// through the engine with the shipped rules.
func TestShippedRulesRaiseWhatTheStoriesSayAndNothingElse(t *testing.T) {
	pack, problems := rule.Pack(rules.FS, "oci")
	if len(pack) == 0 {
		t.Fatalf("the pack holds no rules: %v", problems)
	}
	for _, tt := range []struct {
		seed      uint64
		tenancies int
		users     int
	}{{1, 1, 2000}, {7, 2, 500}, {99, 3, 3}} {
		t.Run(fmt.Sprintf("seed %d", tt.seed), func(t *testing.T) {
			s := newSim(t, func(c *Config) { c.Seed, c.Tenancies, c.Users, c.Events = tt.seed, tt.tenancies, tt.users, 12_000 })
			want := told(s)
			if len(want) < len(pack) {
				t.Fatalf("the stories want %d incidents of %d rules: there is too little to check", len(want), len(pack))
			}
			got := raisedBy(t, s, pack)
			for _, line := range want {
				if !slices.Contains(got, line) {
					t.Errorf("missing: %s", line)
				}
			}
			for _, line := range got {
				if !slices.Contains(want, line) {
					t.Errorf("besides: %s", line)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d incidents, want %d", len(got), len(want))
			}
		})
	}
}

// told gives a line for each incident that the stories want.
func told(s *Sim) []string {
	var lines []string
	for _, story := range s.Truth().Stories {
		for _, r := range story.Raises {
			lines = append(lines, fmt.Sprintf("%s %v count=%d first=%s last=%s", r.Rule, r.Key, r.Events, stamp(r.First), stamp(r.Last)))
		}
	}
	slices.Sort(lines)
	return lines
}

// raisedBy gives such a line for each incident that the rules raise.
func raisedBy(t *testing.T, s *Sim, pack []*rule.Rule) []string {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Options{
		Rules: pack, Lateness: 30 * 24 * time.Hour, Emit: engine.EmitOptions{Create: true, Update: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	settled := map[string]*incident.Incident{}
	keep := func(found []*incident.Incident) {
		for _, one := range found {
			if before := settled[one.ID]; before == nil || one.Revision >= before.Revision {
				settled[one.ID] = one
			}
		}
	}
	tick := watermark.Tick{Number: "1", Boot: "test", Tenancies: map[string]event.Time{}, All: event.MaxTime, Final: true}
	for _, tenancy := range s.tenancies {
		tick.Tenancies[tenancy.id] = event.MaxTime
		for at, records := range tenancy.records {
			var batch []*event.Event
			for _, r := range records {
				one, err := normalize.Event(tenancy.render(at, r))
				if err != nil {
					t.Fatal(err)
				}
				batch = append(batch, one)
			}
			outcomes, err := e.Observe(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range outcomes {
				keep(o.Incidents)
			}
		}
	}
	found, err := e.Advance(t.Context(), tick)
	if err != nil {
		t.Fatal(err)
	}
	keep(found)
	var lines []string
	for _, one := range settled {
		key := map[string]string{}
		for i, name := range one.Rule.KeyNames {
			key[name] = fmt.Sprint(one.Key[i])
		}
		lines = append(lines, fmt.Sprintf("%s %v count=%d first=%s last=%s", one.Rule.ID, key, one.Count, one.First, one.Last))
	}
	slices.Sort(lines)
	return lines
}
