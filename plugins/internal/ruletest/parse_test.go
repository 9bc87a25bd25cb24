package ruletest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
)

const good = `rule: demo
lists: {admins: [alice, bob]}
events:
  key: {operation: UploadApiKey, set: {data.identity.principalId: ocid1.user.oc1..alice}}
  raw: {raw: {eventType: com.oraclecloud.x.Y, data: {}}, envelope: connector_hub}
cases:
  - name: three times
    feed:
      - {at: [0s, 1h, 1d], event: key, status: "404"}
      - {at: 59m59.999s, event: raw, id: one, set: {data.eventName: Y}}
    until: 2d12h
    expect: [{at: 1h, key: {user: x}, events: 2, first: 0s, last: 1h, severity: high, title: t, attributes: {n: 2}}]
`

func TestParseReadsEachKey(t *testing.T) {
	f, problems := Parse("demo_test.yaml", []byte(good))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) != 1 {
		t.Fatalf("cases: got %d, want 1", len(f.Cases))
	}
	c := f.Cases[0]
	var at []event.Time
	for _, feed := range c.Feed {
		at = append(at, feed.At)
	}
	wantAt := []event.Time{Start, Start.Add(time.Hour), Start.Add(24 * time.Hour), Start.Add(time.Hour - time.Millisecond)}
	if diff := cmp.Diff(wantAt, at); diff != "" {
		t.Errorf("times of the feed (-want +got):\n%s", diff)
	}
	if got := c.Feed[0].Source.Status; got != "404" {
		t.Errorf("status: got %q, want 404", got)
	}
	if got, want := c.Until, Start.Add(60*time.Hour); got != want {
		t.Errorf("until: got %s, want %s", got, want)
	}
	if got := c.Feed[3].Source.Set["data.eventName"]; got != "Y" {
		t.Errorf("set: got %v, want Y", got)
	}
	if diff := cmp.Diff(map[string][]string{"admins": {"alice", "bob"}}, f.Lists); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	e := c.Expect[0]
	if e.At == nil || *e.At != Start.Add(time.Hour) || e.Events != 2 || e.Severity != "high" || e.Title != "t" || e.Key["user"] != "x" {
		t.Errorf("expected incident: got %+v", e)
	}
}

func TestParseSaysEachMistakeWithItsPlace(t *testing.T) {
	for _, test := range []struct {
		name, file string
		want       []string
	}{
		{"an empty file", "", []string{"demo_test.yaml:1:1: the file is empty: a rule test has rule, events and cases"}},
		{"no YAML", "rule: [", []string{"demo_test.yaml:1:1: reading YAML: did not find expected node content"}},
		{"a list", "- a", []string{"demo_test.yaml:1:1: a rule test must be a map of cases, events, lists, rule, start, tables, with"}},
		{"neither rule nor cases", "events: {}", []string{
			"demo_test.yaml:1:1: `rule` is missing: it names the rule that is tested by its id",
			"demo_test.yaml:1:1: `cases` is missing: a test without a case tests nothing",
		}},
		{"no case", "rule: demo\ncases: []", []string{"demo_test.yaml:2:8: `cases` is empty: a test without a case tests nothing"}},
		{"another rule than its name says", "rule: other\ncases: [{name: a, expect: []}]", []string{
			"demo_test.yaml:1:7: the file tests rule \"other\" and must be named other_test.yaml",
		}},
		{"five at once", `rule: demo
evnts: {}
events:
  key: {operation: UploadApiKy}
  b: {}
cases:
  - name: x
    feed: [{at: soon, event: kye}]
`, []string{
			`demo_test.yaml:2:1: unknown key "evnts" in a rule test: did you mean "events"?`,
			`demo_test.yaml:4:20: there is no sample of operation "UploadApiKy": did you mean "UploadApiKey"?; give the whole record as ` + "`raw`",
			`demo_test.yaml:5:3: event "b" needs one of operation, problem, raw`,
			"demo_test.yaml:7:5: the case expects nothing: write `expect: []` where no incident must come out",
			`demo_test.yaml:8:17: at must be a time after the start, as 90s, 1h30m, 2d or 59m59.999s`,
			`demo_test.yaml:8:30: no event is named "kye": did you mean "key"?`,
		}},
		{"a bad status, severity and count", `rule: demo
events: {a: {operation: UploadApiKey, status: bad}}
cases:
  - {name: x, feed: [], expect: [{severity: hihg, events: 0}]}
`, []string{
			`demo_test.yaml:2:47: status must be an HTTP status, as "404"`,
			`demo_test.yaml:4:45: severity must be one of informational, low, medium, high, critical`,
			`demo_test.yaml:4:59: events must be the number of distinct events, 1 or more`,
		}},
		{"a key twice", "rule: demo\nrule: demo\ncases: [{name: a, expect: []}]", []string{
			`demo_test.yaml:2:1: key "rule" stands twice in a rule test`,
		}},
		{"two cases of one name", "rule: demo\ncases: [{name: a, expect: []}, {name: a, expect: []}]", []string{
			`demo_test.yaml:2:32: two cases are named "a"`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Parse("demo_test.yaml", []byte(test.file))
			if diff := cmp.Diff(test.want, strings.Split(problems.String(), "\n")); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("rule: demo\ncases: [{name: a, expect: []}]"))
	f.Add([]byte("cases: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, problems := Parse("demo_test.yaml", data)
		if (file == nil) == (len(problems) == 0) {
			t.Fatalf("got %v and %v, want one of them", file, problems)
		}
	})
}
