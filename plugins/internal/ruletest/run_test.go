package ruletest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/rule"
)

func parseRule(t *testing.T, file, text string) *rule.Rule {
	t.Helper()
	rules, problems := rule.Parse(file, []byte(text), rule.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return rules[0]
}

const uploads = `id: demo
title: Key uploaded
status: experimental
severity: medium
description: Detects an upload.
tags: [attack.persistence]
data_sources: [oci_audit]
falsepositives: [None]
response: ["Ask {actor.user.name}"]
window: 10m
group_by: {actor: actor.user.uid}
match: {api.operation: UploadApiKey, status: Success}
having: count() >= 2
incident:
  title: "{count()} keys by {actor.user.uid}"
  attributes: {keys: count()}
`

func runDemo(t *testing.T, cases string) []Result {
	t.Helper()
	test, problems := Parse("demo_test.yaml", []byte(`rule: demo
events:
  key: {operation: UploadApiKey, set: {data.identity.principalId: ocid1.user.oc1..alice}}
cases:
`+cases))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	results, err := test.Run(t.Context(), parseRule(t, "demo.yaml", uploads))
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestACasePassesWhenTheSettledSetIsTheExpectedOne(t *testing.T) {
	for _, r := range runDemo(t, `
  - name: two within the window
    feed: [{at: 0s, event: key}, {at: 9m59.999s, event: key}]
    expect: [{at: 9m59.999s, key: {actor: ocid1.user.oc1..alice}, events: 2, first: 0s, last: 9m59.999s, severity: medium, attributes: {keys: 2}}]
  - name: nothing but a list of times
    feed: [{at: [0s, 1m, 2m], event: key}]
    expect: [{at: 1m, events: 3}]
  - name: the order of arrival does not count
    feed: [{at: 2h, event: key}, {at: 1h59m, event: key}, {at: 0s, event: key}]
    expect: [{at: 2h, events: 2}]
  - name: one too few
    feed: [{at: 0s, event: key}]
    expect: []
  - name: an event that is delivered twice is one event
    feed: [{at: 0s, event: key, id: same}, {at: 0s, event: key, id: same}]
    expect: []
  - name: a failed call is none
    feed: [{at: 0s, event: key}, {at: 1m, event: key, status: "404"}]
    expect: []
  - name: another actor is another key
    feed: [{at: 0s, event: key}, {at: 1m, event: key, set: {data.identity.principalId: ocid1.user.oc1..bob}}]
    expect: []
  - name: another tenancy is another key
    feed: [{at: 0s, event: key}, {at: 1m, event: key, tenancy: ocid1.tenancy.oc1..other}]
    expect: []
`) {
		if !r.Passed() {
			t.Errorf("case %q:\n%s", r.Case, r.Diff)
		}
	}
}

func TestACaseFailsWithEachIncidentThatDiffers(t *testing.T) {
	const came = "+ {at: 1m, key: {actor: ocid1.user.oc1..alice}, events: 2, first: 0s, last: 1m, severity: medium, " +
		`title: "2 keys by ocid1.user.oc1..alice", attributes: {keys: 2}}`
	var got []string
	for _, r := range runDemo(t, `
  - {name: none expected, feed: [{at: [0s, 1m], event: key}], expect: []}
  - {name: another time, feed: [{at: [0s, 1m], event: key}], expect: [{at: 2m}]}
  - {name: another key, feed: [{at: [0s, 1m], event: key}], expect: [{key: {actor: bob}}]}
  - {name: another count, feed: [{at: [0s, 1m], event: key}], expect: [{events: 3}]}
  - {name: another severity, feed: [{at: [0s, 1m], event: key}], expect: [{severity: low}]}
  - {name: another title, feed: [{at: [0s, 1m], event: key}], expect: [{title: x}]}
  - {name: another attribute, feed: [{at: [0s, 1m], event: key}], expect: [{attributes: {keys: 3}}]}
  - {name: another first, feed: [{at: [0s, 1m], event: key}], expect: [{first: 1m}]}
  - {name: another last, feed: [{at: [0s, 1m], event: key}], expect: [{last: 0s}]}
  - {name: two expected, feed: [{at: [0s, 1m], event: key}], expect: [{at: 1m}, {at: 1m}]}
`) {
		got = append(got, r.Diff)
	}
	want := []string{
		came,
		"- {at: 2m}\n" + came,
		"- {key: {actor: bob}}\n" + came,
		"- {events: 3}\n" + came,
		"- {severity: low}\n" + came,
		"- {title: \"x\"}\n" + came,
		"- {attributes: {keys: 3}}\n" + came,
		"- {first: 1m}\n" + came,
		"- {last: 0s}\n" + came,
		"- {at: 1m}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diffs (-want +got):\n%s", diff)
	}
}

func TestShippedRulesPassTheirTests(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../../../rules", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.yaml") {
			return err
		}
		found++
		t.Run(strings.TrimSuffix(d.Name(), "_test.yaml"), func(t *testing.T) { runBeside(t, path) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 11 {
		t.Errorf("found %d rule tests, want at least 11", found)
	}
}

func runBeside(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	test, problems := Parse(path, data)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(path), test.Rule+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	results, err := test.Run(t.Context(), parseRule(t, file, string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed() {
			t.Errorf("%s:%d: %s\n%s", r.Pos.File, r.Pos.Line, r.Case, r.Diff)
		}
	}
}
