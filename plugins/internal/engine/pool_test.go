package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// pooled gives rules that take the same events by the same key, each with a window and a number of its own.
func pooled(t *rapid.T, tt *testing.T, most int) []*rule.Rule {
	havings := []string{"count() >= %d", "count() >= %d", "count() > %d", "count() >= %d and distinct(unmapped.v) > 1", "count() >= %d and max(unmapped.v) > 2"}
	var rules []*rule.Rule
	for i := range rapid.IntRange(2, most).Draw(t, "rules") {
		text := fmt.Sprintf("id: r%d\nwindow: %ds\nmatch: {unmapped.p: a}\nhaving: "+rapid.SampledFrom(havings).Draw(t, "having"),
			i, rapid.IntRange(1, 10).Draw(t, "window"), rapid.IntRange(2, 4).Draw(t, "n"))
		per := rapid.SampledFrom([]string{"5s", "20s", "24h"}).Draw(t, "per")
		title := rapid.SampledFrom([]string{"t", "\"{unmapped.v}\"", "\"{actor.user.name}\""}).Draw(t, "title")
		rules = append(rules, parseRule(tt, text+"\nincident: {title: "+title+", per: "+per+"}"))
	}
	return rules
}

// TestRulesThatShareAPoolAgreeWithDefinition is TestEngineAgreesWithDefinition for rules that leave their events to one pool:
// each finds what it finds alone.
func TestRulesThatShareAPoolAgreeWithDefinition(t *testing.T) {
	checkHistories(t, func(rt *rapid.T) {
		rules := pooled(rt, t, 4)
		events := drawHistory(rt, 1)
		want := map[string]string{}
		for _, r := range rules {
			maps.Copy(want, settledByDefinition(r, events, "t1"))
		}
		got := replay(rt, t, rules, events, EmitOptions{Create: true, Update: true, Close: true})
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s\n(-definition +engine)\n%s", describe(events), diff)
		}
	})
}

// TestPoolsThatComeAndGoChangeNothing reloads rules while a history is played, so that one rule shares its events with others,
// has them to itself, and shares them again: it finds what it finds alone.
func TestPoolsThatComeAndGoChangeNothing(t *testing.T) {
	checkHistories(t, func(rt *rapid.T) {
		rules := pooled(rt, t, 3)
		sets := [][]*rule.Rule{rules, rules[:1], rules[:2]}
		slices.SortFunc(sets, func(a, b []*rule.Rule) int { return len(a) - len(b) })
		if rapid.Bool().Draw(rt, "begin together") {
			slices.Reverse(sets)
		}
		events := drawHistory(rt, 1)
		want := settledByDefinition(rules[0], events, "t1")
		got := replayReloading(rt, t, sets, events, EmitOptions{Create: true, Update: true, Close: true})
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s\n(-definition +engine)\n%s", describe(events), diff)
		}
	})
}

func TestReachesBothSidesOfItsBoundary(t *testing.T) {
	s := window.New(1)
	var all []*window.Entry
	for i, at := range []int64{0, 1000, 1000, 5000, 9999, 15000} {
		e, _ := s.Insert(window.Entry{ID: fmt.Sprintf("e%d", i), Time: at, Patterns: 1})
		all = append(all, e)
	}
	for _, c := range []struct {
		entry, least int
		w            int64
		want         bool
	}{
		{0, 3, 1001, true},
		{0, 3, 1000, false}, // (0, 1000] is without the event at 0
		{1, 2, 1, true},
		{3, 3, 4001, true},
		{3, 3, 4000, false},
		{3, 4, 5001, true},
		{3, 4, 5000, false},
		{5, 2, 5002, true},
		{5, 2, 5001, false},
		{5, 7, 1_000_000, false},
		{0, 6, 15001, true},
		{0, 6, 15000, false},
	} {
		if got := reaches(s.All(), all[c.entry], c.least, c.w); got != c.want {
			t.Errorf("entry %d, %d in %d ms: %t, want %t", c.entry, c.least, c.w, got, c.want)
		}
	}
}

// TestFewEventsOfManyRulesAreKeptOnce holds a key that no rule fires for to one record, however many rules count it.
func TestFewEventsOfManyRulesAreKeptOnce(t *testing.T) {
	var rules []*rule.Rule
	for i := range 50 {
		rules = append(rules, parseRule(t, fmt.Sprintf("id: r%d\nwindow: 60s\nmatch: {unmapped.p: a}\nhaving: count() >= %d", i, 2+i)))
	}
	e, err := New(t.Context(), Options{Rules: rules, Emit: EmitOptions{Create: true}})
	if err != nil {
		t.Fatal(err)
	}
	observe := func(at, id string) int {
		outcomes, err := e.Observe(t.Context(), []*event.Event{eventOf(t, []string{at, id, "a", "x"})})
		if err != nil {
			t.Fatal(err)
		}
		return len(outcomes[0].Incidents)
	}
	if fired, records := observe("0s", "e1"), e.Stats().Records; fired != 0 || records != 1 {
		t.Errorf("%d incidents and %d records after one event, want 0 and 1", fired, records)
	}
	if fired, records := observe("1s", "e2"), e.Stats().Records; fired != 1 || records != 2 {
		t.Errorf("%d incidents and %d records after two events, want 1 and 2", fired, records)
	}
	if fired, records := observe("2s", "e3"), e.Stats().Records; fired != 1 || records != 3 {
		t.Errorf("%d incidents and %d records after three events, want 1 and 3", fired, records)
	}
}
