package engine

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/rule"
)

// chains are rules over incidents of r and events with the letter b.
var chains = []string{
	"window: {W}\nincidents: [r]\ngroup_by: {k: unmapped.key.k}\nhaving: count() >= {N}",
	"window: {W}\nincidents: ['r*']\ngroup_by: {k: unmapped.key.k}",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: i then b",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: i and b",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: i or b",
	"patterns: {i: {I}, b: {B}}\nwhen: i then b within {D}",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: b then i",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: i then not b within {D}",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: b then not i within {D}",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: i and not b",
	"window: {W}\npatterns: {i: {I}, b: {B}}\nwhen: b and not i|, close_on: i",
}

func chainOf(t *rapid.T, id, from string) string {
	text := rapid.SampledFrom(chains).Draw(t, id)
	text = strings.ReplaceAll(text, "{I}", "{incidents: [r], group_by: {k: unmapped.key.k}}")
	text = strings.ReplaceAll(text, "{B}", "{match: {unmapped.p: b}, group_by: {k: unmapped.k}}")
	text = strings.ReplaceAll(text, "[r]", "["+from+"]")
	text = strings.ReplaceAll(text, "'r*'", "'"+from+"*'")
	text = strings.ReplaceAll(text, "{N}", strconv.Itoa(rapid.IntRange(2, 3).Draw(t, id+" n")))
	for _, name := range []string{"{W}", "{D}"} {
		text = strings.ReplaceAll(text, name, fmt.Sprintf("%ds", rapid.IntRange(1, 10).Draw(t, id+name)))
	}
	text, closing, _ := strings.Cut(text, "|")
	per := rapid.SampledFrom([]string{"5s", "20s", "24h"}).Draw(t, id+" per")
	return "id: " + id + "\n" + text + "\nincident: {title: t, per: " + per + closing + "}"
}

// chainedHistory is what a rule that takes the incidents of another sees.
func chainedHistory(r *rule.Rule, list []found, events []seen) []seen {
	var out []seen
	for _, f := range list {
		out = append(out, seen{id: f.id, time: f.first, key: f.key, patterns: map[int]bool{0: true}})
	}
	for _, s := range events {
		if len(r.Patterns) > 1 && s.patterns[1] {
			s.patterns = map[int]bool{1: true}
			out = append(out, s)
		}
	}
	return out
}

// TestChainedRulesAgreeWithDefinition lets a rule take the incidents of another, and a third those of the second.
func TestChainedRulesAgreeWithDefinition(t *testing.T) {
	checkHistories(t, func(rt *rapid.T) {
		texts := []string{shape(rt), chainOf(rt, "s", "r"), chainOf(rt, "u", "s")}
		var rules []*rule.Rule
		for _, text := range texts {
			rules = append(rules, parseRule(t, text))
		}
		events := drawHistory(rt, 3)
		want := map[string]string{}
		history := events
		for i, r := range rules {
			maps.Copy(want, settledByDefinition(r, history, "t1"))
			if i+1 < len(rules) {
				history = chainedHistory(rules[i+1], foundByDefinition(r, history, "t1"), events)
			}
		}
		order := rapid.Permutation(rules).Draw(rt, "rules")
		got := replay(rt, t, order, events, EmitOptions{Create: true, Update: true, Close: true})
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s\n%s\n(-definition +engine)\n%s", strings.Join(texts, "\n"), describe(events), diff)
		}
	})
}

func TestChainOfItselfIsRefused(t *testing.T) {
	a := parseRule(t, "id: a\nwindow: 1s\nincidents: [b]\ngroup_by: {k: unmapped.key.k}")
	b := parseRule(t, "id: b\nwindow: 1s\nincidents: [a]\ngroup_by: {k: unmapped.key.k}")
	if _, err := New(t.Context(), Options{Rules: []*rule.Rule{a, b}}); err == nil || !strings.Contains(err.Error(), "waits for its own incidents") {
		t.Errorf("a cycle gave %v", err)
	}
}
