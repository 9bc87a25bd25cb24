package ocinormalize_test

import (
	"testing"

	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/sample"
	"benthos-oci/rules"
)

// TestNoShippedRuleHasANullKeyOnItsOwnOperations feeds every operation, that worked and that was refused, to every rule:
// each rule must match some of them, with a key that names somebody or something, and none that the event's type rules out.
func TestNoShippedRuleHasANullKeyOnItsOwnOperations(t *testing.T) {
	pack, problems := rule.Pack(rules.FS, "oci")
	if len(pack) == 0 {
		t.Fatalf("no rules: %v", problems)
	}
	set, err := match.Compile(pack)
	if err != nil {
		t.Fatal(err)
	}
	hits := map[string]int{}
	feed := func(name string, record []byte) {
		t.Helper()
		ev, err := normalize.Event(record)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		kind, eventType := normalize.Scan(record)
		candidate := set.MayMatch(normalize.Static(kind, string(eventType)))
		for _, hit := range set.Match(ev, nil) {
			if !candidate {
				t.Errorf("%s: its type alone rules out %s, which it matches", name, pack[hit.Rule].ID)
			}
			r := pack[hit.Rule]
			hits[r.ID]++
			for i, value := range hit.Key {
				if value == nil || value == "" || value == "unknown" {
					t.Errorf("%s: key %s of %s is %v", name, r.KeyNames[i], r.ID, value)
				}
			}
			if hit.Null {
				t.Errorf("%s: a key of %s is null: %v", name, r.ID, hit.Key)
			}
		}
	}
	for _, op := range sample.Operations() {
		feed(op, sample.JSON(op, sample.Options{}))
		for _, status := range []string{"400", "401", "404"} {
			feed(op+" "+status, sample.JSON(op, sample.Options{Status: status}))
		}
	}
	// What the samples leave as it is and a rule waits for: a retention that becomes shorter, and is restored.
	feed("reduced", sample.JSON("UpdateConfiguration", sample.Options{Set: map[string]any{
		"data.stateChange.previous.retentionPeriodDays": 365, "data.stateChange.current.retentionPeriodDays": 90,
	}}))
	for _, r := range pack {
		if hits[r.ID] == 0 {
			t.Errorf("%s matches none of the operations", r.ID)
		}
	}
}
