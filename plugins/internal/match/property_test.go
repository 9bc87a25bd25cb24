package match

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

var (
	someFields = []string{"api.operation", "status", "user.name", "class_uid"}
	someValues = []any{nil, "a", "A", "b", "ab", "10.1.2.3", int64(1), "1", int64(2), true, "", []any{"a", "b"}, []any{}, []any{nil, int64(1)}, "2026-01-01T00:01:00Z"}
)

func path(t *rapid.T, name string) event.Path {
	p, err := event.ParsePath(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func anyTest(t *rapid.T) rule.Condition {
	test := &rule.Test{Field: path(t, rapid.SampledFrom(someFields).Draw(t, "field")), Cased: rapid.Bool().Draw(t, "cased")}
	switch rapid.IntRange(0, 10).Draw(t, "op") {
	case 0:
		test.Op = rule.OpContains
		test.Value = rapid.SampledFrom([]any{"a", "B"}).Draw(t, "part")
	case 1:
		test.Op = rule.OpGreater
		test.Value = int64(1)
	case 2:
		test.Op = rule.OpNull
	case 3:
		test.Op, test.Want = rule.OpExists, rapid.Bool().Draw(t, "want")
	case 4:
		test.Op, test.Prefix = rule.OpCIDR, netip.MustParsePrefix("10.0.0.0/8")
	case 5:
		test.Op, test.Other = rule.OpField, path(t, rapid.SampledFrom(someFields).Draw(t, "other"))
	case 6:
		test.Op = rule.OpWildcard
		_, test.Glob = rule.ParseGlob("a?*", test.Cased)
	case 7:
		test.Part = rapid.SampledFrom([]string{"minute", "hour", "day", "week", "month", "year"}).Draw(t, "part of time")
		test.Op = rapid.SampledFrom([]rule.Op{rule.OpEqual, rule.OpGreaterEqual}).Draw(t, "compares")
		test.Value = rapid.SampledFrom([]any{int64(0), int64(1), int64(1970)}).Draw(t, "number")
	default:
		test.Op = rule.OpEqual
		test.Value = rapid.SampledFrom([]any{"a", "A", "b", int64(1), "1", true, ""}).Draw(t, "value")
	}
	return test
}

func anyCondition(t *rapid.T, depth int) rule.Condition {
	if depth == 0 {
		return anyTest(t)
	}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return rule.None{Of: anyCondition(t, depth-1)}
	case 1, 2:
		var parts []rule.Condition
		for range rapid.IntRange(0, 7).Draw(t, "parts") {
			parts = append(parts, anyCondition(t, depth-1))
		}
		if rapid.Bool().Draw(t, "all") {
			return rule.All(parts)
		}
		return rule.Any(parts)
	}
	return anyTest(t)
}

// naive is the definition: no order, no index, no facts.
func naive(t *rapid.T, c rule.Condition, ev *event.Event) bool {
	switch c := c.(type) {
	case rule.All:
		for _, p := range c {
			if !naive(t, p, ev) {
				return false
			}
		}
		return true
	case rule.Any:
		for _, p := range c {
			if naive(t, p, ev) {
				return true
			}
		}
		return false
	case rule.None:
		return !naive(t, c.Of, ev)
	}
	compiled, err := compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return compiled.holds(&subject{ev: ev})
}

// TestMatchAndMayMatchAgreeWithTheDefinition draws rules and events: the index finds exactly what the definition says,
// and facts about an event, whichever are known, never exclude a rule that matches it.
func TestMatchAndMayMatchAgreeWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []*rule.Rule
		for range rapid.IntRange(1, 5).Draw(t, "rules") {
			p := &rule.Pattern{Name: "match", Match: anyCondition(t, 3)}
			rules = append(rules, &rule.Rule{ID: "r", Enabled: true, Patterns: []*rule.Pattern{p}, When: &rule.Ref{}})
		}
		s, err := Compile(rules)
		if err != nil {
			t.Fatal(err)
		}
		values, facts := map[string]any{}, event.Facts{}
		for _, f := range someFields {
			values[f] = rapid.SampledFrom(someValues).Draw(t, f)
			if rapid.Bool().Draw(t, "known "+f) {
				facts[f] = values[f]
			}
		}
		ev := &event.Event{Doc: map[string]any{
			"api": map[string]any{"operation": values["api.operation"]}, "status": values["status"],
			"user": map[string]any{"name": values["user.name"]}, "class_uid": values["class_uid"],
		}}
		found := map[int]int{}
		for _, h := range s.Match(ev, nil) {
			found[h.Rule]++
		}
		for i, r := range rules {
			want := naive(t, r.Patterns[0].Match, ev)
			if (found[i] == 1) != want || found[i] > 1 {
				t.Fatalf("rule %d: found %d times, want %t", i, found[i], want)
			}
			alone, err := Compile(rules[i : i+1])
			if err != nil {
				t.Fatal(err)
			}
			if want && !alone.MayMatch(facts) {
				t.Fatalf("rule %d matches, but %v exclude it", i, facts)
			}
			if all := (event.Facts{"api.operation": values["api.operation"], "status": values["status"], "user.name": values["user.name"], "class_uid": values["class_uid"]}); alone.MayMatch(all) != want {
				t.Fatalf("rule %d: with all facts known got %t, want %t", i, !want, want)
			}
		}
	})
}

// TestWhyNamesTestsThatAnswerTheOtherWay draws conditions and events: what holds has no reasons against it,
// and each reason is a test that does not hold, or one that does and must not.
func TestWhyNamesTestsThatAnswerTheOtherWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCondition(t, 3)
		ev := &event.Event{Doc: map[string]any{"status": rapid.SampledFrom(someValues).Draw(t, "status"), "class_uid": rapid.SampledFrom(someValues).Draw(t, "class")}}
		reasons, err := Why(c, ev, nil)
		if err != nil {
			t.Fatal(err)
		}
		if naive(t, c, ev) && len(reasons) > 0 {
			t.Fatalf("the condition holds, and %s is against it", reasons[0].Test.Text())
		}
		for _, r := range reasons {
			if naive(t, r.Test, ev) != r.Not {
				t.Fatalf("%s: it holds: %t, must not hold: %t", r.Test.Text(), !r.Not, r.Not)
			}
		}
	})
}
