package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const shipped = `
- id: oci-a
  title: A
  severity: low
  window: 10m
  group_by: [user.name]
  let: {net: "cidr(src_endpoint.ip, 24)"}
  match: {status: Failure}
  having: count() >= 5
- id: oci-b
  title: B
  severity: low
  window: 10m
  group_by: [user.name]
  patterns:
    fail: {match: {status: Failure}, having: count() >= 5}
    success: {match: {status: Success}}
  when: fail then not success
- id: single
  title: C
  severity: low
  labels: {team: iam}
  match: {status: Failure}
- id: joined
  title: D
  severity: low
  window: 1h
  patterns:
    a: {match: {status: Failure}}
    b: {match: {status: Success}, where: user.name == a.user.name}
  when: a then b
`

func rulesOf(t *testing.T, text string) []*Rule {
	t.Helper()
	rules, problems := Parse("rules.yaml", []byte(text), Options{Inline: true})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

func apply(t *testing.T, rules []*Rule, text string) ([]*Rule, Problems) {
	t.Helper()
	o, problems := ParseOverrides("overrides.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return Apply(rules, o)
}

func TestOverridesChangeCopies(t *testing.T) {
	rules := rulesOf(t, shipped)
	before := rules[1].StateHash
	changed, problems := apply(t, rules, `
rules:
  oci-*: {severity: high, window: 1h}
  oci-a:
    having: distinct(net) > 20
    exceptions: [{reason: x, match: {user.name: root}}]
  oci-b: {having: {fail: count() >= 50}, per: 1h}
  single: {enabled: false, reason: not ours, labels: {owner: soc}, status: stable}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a, b, c := changed[0], changed[1], changed[2]
	got := []any{a.Severity, a.Window, a.Patterns[0].Having.String(), len(a.Exceptions), b.Severity, b.Patterns[0].Having.String(), b.When.(*Then).Steps[1].Within, b.Incident.Per, c.Enabled, c.Labels["owner"] + c.Labels["team"], c.Status}
	want := []any{SeverityHigh, time.Hour, "distinct(cidr(src_endpoint.ip, 24)) > 20", 1, SeverityHigh, "count() >= 50", time.Hour, time.Hour, false, "sociam", StatusStable}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a.Patterns[0].Capture("cidr(src_endpoint.ip, 24)") < 0 {
		t.Error("what the new threshold counts is not captured")
	}
	if b.StateHash == before {
		t.Error("another threshold and window have the old state")
	}
	old := rules[1]
	if old.Severity != SeverityLow || old.Window != 10*time.Minute || old.When.(*Then).Steps[1].Within != 10*time.Minute || old.Patterns[0].Having.String() != "count() >= 5" ||
		len(rules[0].Exceptions) != 0 || len(rules[0].Patterns[0].Captures) != 0 || rules[2].Labels["owner"] != "" {
		t.Error("the rules that were given were changed")
	}
	if changed[3] != rules[3] {
		t.Error("a rule that no override names was copied")
	}
}

func TestOverrideOfOneThresholdNeedsNoName(t *testing.T) {
	changed, problems := apply(t, rulesOf(t, shipped), "rules: {oci-b: {having: count() >= 9}}")
	if len(problems) > 0 || changed[1].Patterns[0].Having.String() != "count() >= 9" {
		t.Errorf("got %v, %v", changed[1].Patterns[0].Having, problems)
	}
}

func TestOverridesSayWhatTheyDoNotMeet(t *testing.T) {
	for override, want := range map[string]string{
		"oci-c: {severity: high}":                   `overrides.yaml:2:3: unknown rule "oci-c": did you mean "oci-a"?`,
		"aws-*: {severity: high}":                   `overrides.yaml:2:3: no rule's id matches "aws-*"`,
		"single: {having: count() > 5}":             "overrides.yaml:2:20: the rule single looks at single events and has no window: set `window` as well",
		"oci-b: {having: {fial: count() > 5}}":      `overrides.yaml:2:20: the rule oci-b has no pattern "fial": did you mean "fail"?`,
		"joined: {having: count() > 5}":             "overrides.yaml:2:20: the rule joined has several patterns: write `having: {a: count() >= 5}`",
		"joined: {having: {a: count() > 5}}":        `overrides.yaml:2:24: the pattern "a" of joined cannot have a ` + "`having`" + `: "b" names fields of its one event`,
		"oci-a: {having: distinct(user.nam) > 5}":   `overrides.yaml:2:28: unknown field "user.nam": did you mean "user.name"?`,
		"oci-a: {having: count( > 5}":               "overrides.yaml:2:26: a value is missing before \">\"",
		"oci-a: {having: user.name == 'x'}":         "overrides.yaml:2:19: a `having` compares what it counts, as in `count() >= 5`; what one event must fulfil stands in `match` or `where`",
		"single: {having: count() > 5, window: 1h}": "",
	} {
		_, problems := apply(t, rulesOf(t, shipped), "rules:\n  "+override)
		if got := problems.String(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", override, got, want)
		}
	}
}

func TestOverridesFileSaysWhatIsWrong(t *testing.T) {
	_, problems := ParseOverrides("o.yaml", []byte(`rules:
  a: {severty: high}
  b: {enabled: false}
  c: {}
  d: {severity: hihg, window: x, exceptions: {}}
  e: text
rulez: {}
`))
	want := strings.Join([]string{
		`o.yaml:2:7: unknown key "severty" in an override: did you mean "severity"?`,
		"o.yaml:3:7: a rule that is switched off needs a `reason`",
		`o.yaml:4:6: the override of "c" changes nothing`,
		`o.yaml:5:17: severity is one of informational, low, medium, high, critical, not "hihg": did you mean "high"?`,
		`o.yaml:5:31: window: duration "x": a duration is numbers with units, as in 90s, 10m, 1h30m, 30d: units are ms, s, m, h, d and w`,
		"o.yaml:5:46: exceptions is a list of {reason, until, match}, not a mapping",
		`o.yaml:6:6: an override is a mapping of names to values, not "text"`,
		`o.yaml:7:1: unknown key "rulez" in an overrides file: did you mean "rules"?`,
	}, "\n")
	if diff := cmp.Diff(want, problems.String()); diff != "" {
		t.Error(diff)
	}
}

func TestOverridesThatBeginOtherwiseAreToldHowTheyBegin(t *testing.T) {
	_, problems := ParseOverrides("o.yaml", []byte("overrides:\n  oci-a: {severity: high}\n"))
	want := "o.yaml:1:1: an overrides file begins with `rules:`, with ids or globs below it, not with `overrides:`"
	if len(problems) != 1 || problems[0].String() != want {
		t.Errorf("got %v, want %s", problems, want)
	}
}
