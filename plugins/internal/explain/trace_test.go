package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/sample"
)

// at makes a record of an operation at a time of a day; ids are numbers in the order of the calls.
type history struct{ records []json.RawMessage }

func (h *history) at(offset time.Duration, operation string, set map[string]any) *history {
	start := time.Date(2026, time.January, 15, 0, 0, 0, 0, time.UTC)
	h.records = append(h.records, sample.JSON(operation, sample.Options{ID: fmt.Sprintf("event-%d", len(h.records)+1), Time: start.Add(offset), Set: set}))
	return h
}

// inline reads a rule that has nothing wrong with it.
func inline(t *testing.T, text string) *rule.Rule {
	t.Helper()
	found, problems := rule.Parse("rule.yaml", []byte(text), rule.Options{Inline: true})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return found[0]
}

func TestTracesOfHistories(t *testing.T) {
	owners, err := match.ParseList("owners.csv", []byte("user,team\nbob,red\n"))
	if err != nil {
		t.Fatal(err)
	}
	const (
		x   = "data.additionalDetails.x"
		ip  = "data.identity.ipAddress"
		day = 24 * time.Hour
	)
	for _, c := range []struct {
		name, rule string
		history    *history
		with       []string
	}{
		{"count", `
id: count
title: Three uploads
severity: low
window: 1m
group_by: {user: raw.data.additionalDetails.x}
match: {api.operation: UploadApiKey, status: Success}
where: lookup('owners', raw.data.additionalDetails.x, 'team') is null
having: count() >= 3 and distinct(metadata.uid) > 1
exceptions: [{reason: tests, match: {raw.data.additionalDetails.x: test}}]
`, new(history).
			at(0, "UploadApiKey", map[string]any{x: "alice"}).
			at(time.Second, "CreatePolicy", map[string]any{x: "alice"}).
			at(2*time.Second, "UploadApiKey", map[string]any{x: "alice", "data.response.status": "404"}).
			at(3*time.Second, "UploadApiKey", map[string]any{x: "bob"}).
			at(4*time.Second, "UploadApiKey", map[string]any{x: "test"}).
			at(30*time.Second, "UploadApiKey", map[string]any{x: "alice"}).
			at(60*time.Second, "UploadApiKey", map[string]any{x: "alice"}).
			at(61*time.Second, "UploadApiKey", map[string]any{x: "alice"}).
			at(62*time.Second, "UploadApiKey", map[string]any{x: "alice"}).
			at(63*time.Second, "UploadApiKey", nil), nil},
		{"silence", `
id: silence
title: A key and no policy
severity: low
window: 1m
group_by: [raw.data.additionalDetails.x]
patterns:
  key: {match: {api.operation: UploadApiKey}}
  policy: {detection: {a: {api.operation: CreatePolicy}, b: {raw.data.additionalDetails.x|startswith: test}, condition: a and not b}}
when: key then not policy within 10m
`, new(history).
			at(0, "UploadApiKey", map[string]any{x: "alice"}).
			at(time.Second, "UploadApiKey", map[string]any{x: "bob"}).
			at(2*time.Second, "CreatePolicy", map[string]any{x: "bob"}).
			at(3*time.Second, "CreatePolicy", map[string]any{x: "test"}).
			at(20*time.Minute, "UploadApiKey", map[string]any{x: "carol"}), nil},
		{"sequence", `
id: sequence
title: Keys, then a policy
severity: low
incident: {title: "{key.count()} keys, then a policy"}
window: 1m
patterns:
  key: {match: {api.operation: UploadApiKey}, having: count() >= 2}
  policy: {match: [{api.operation: CreatePolicy}, {api.operation: DeletePolicy}]}
when: key then policy
`, new(history).
			at(0, "CreatePolicy", nil).
			at(time.Second, "UploadApiKey", nil).
			at(2*time.Second, "DeletePolicy", nil).
			at(3*time.Second, "UploadApiKey", nil).
			at(4*time.Second, "DeletePolicy", nil), nil},
		{"closing", `
id: closing
title: A key, until it is deleted
severity: low
group_by: [raw.data.additionalDetails.x]
match: {api.operation: UploadApiKey}
incident: {close_on: {match: {api.operation: DeleteApiKey}}, close_after: 2h}
`, new(history).
			at(0, "UploadApiKey", map[string]any{x: "alice"}).
			at(time.Second, "UploadApiKey", map[string]any{x: "bob"}).
			at(time.Hour, "DeleteApiKey", map[string]any{x: "alice"}).
			at(3*time.Hour, "UploadApiKey", map[string]any{x: "alice"}), nil},
		{"steps", `
id: steps
title: Steps with times of their own
severity: low
patterns:
  key: {match: {api.operation: UploadApiKey}}
  policy: {match: {api.operation: CreatePolicy}}
when: key then policy within 10m
`, new(history).
			at(0, "UploadApiKey", nil).
			at(10*time.Minute, "CreatePolicy", nil).
			at(11*time.Minute, "UploadApiKey", nil).
			at(12*time.Minute, "CreatePolicy", nil), nil},
		{"new", `
id: new
title: A new address
severity: low
group_by: {user: raw.data.additionalDetails.x}
match: {api.operation: UploadApiKey}
first_seen: {value: src_endpoint.ip, within: 10d, learn: 2d}
`, new(history).
			at(0, "UploadApiKey", map[string]any{x: "alice", ip: "10.0.0.1"}).
			at(2*day-time.Millisecond, "UploadApiKey", map[string]any{x: "bob", ip: "10.0.0.1"}).
			at(2*day, "UploadApiKey", map[string]any{x: "bob", ip: "10.0.0.1"}).
			at(2*day+time.Hour, "UploadApiKey", map[string]any{x: "bob", ip: "10.0.0.2"}).
			at(2*day+2*time.Hour, "UploadApiKey", map[string]any{x: "bob", ip: "10.0.0.3"}).
			at(2*day+3*time.Hour, "UploadApiKey", map[string]any{x: "bob", ip: nil}).
			at(12*day, "UploadApiKey", map[string]any{x: "bob", ip: "10.0.0.1"}), nil},
		{"null", `
id: "null"
title: A key and no policy of the same user
severity: low
group_by: {user: raw.data.additionalDetails.x}
patterns:
  key: {match: {api.operation: UploadApiKey}}
  policy: {match: {api.operation: CreatePolicy}}
when: key then not policy within 1h
`, new(history).
			at(0, "UploadApiKey", nil).
			at(time.Second, "CreatePolicy", nil), nil},
		{"nulls", `
id: nulls
title: A key and a policy of the same user
severity: low
window: 1h
group_by: {user: raw.data.additionalDetails.x}
patterns:
  key: {match: {api.operation: UploadApiKey}}
  policy: {match: {api.operation: CreatePolicy}}
when: key then policy
`, new(history).
			at(0, "UploadApiKey", nil).
			at(time.Second, "CreatePolicy", nil), nil},
		{"without", `
id: without
title: A key and no policy around it
severity: low
window: 1m
patterns:
  key: {match: {api.operation: UploadApiKey}}
  policy: {match: {api.operation: CreatePolicy}}
  group: {match: {api.operation: CreateGroup}}
when: key and not (policy or group)
`, new(history).
			at(0, "CreatePolicy", nil).
			at(30*time.Second, "UploadApiKey", nil).
			at(5*time.Minute, "UploadApiKey", nil).
			at(6*time.Minute, "CreateGroup", nil), nil},
		{"between", `
id: between
title: A key and a policy with no group between
severity: low
window: 1m
patterns:
  key: {match: {api.operation: UploadApiKey}}
  group: {match: {api.operation: CreateGroup}}
  policy: {match: {api.operation: CreatePolicy}}
when: key then not group then policy
`, new(history).
			at(0, "CreatePolicy", nil).
			at(time.Second, "UploadApiKey", nil).
			at(2*time.Second, "CreateGroup", nil).
			at(3*time.Second, "CreatePolicy", nil).
			at(5*time.Minute, "UploadApiKey", nil).
			at(6*time.Minute-time.Millisecond, "CreatePolicy", nil), nil},
		{"few", `
id: few
title: Few keys
severity: low
window: 1m
match: {api.operation: UploadApiKey}
having: count() < 2
incident: {update_every: 1h}
`, new(history).
			at(0, "UploadApiKey", nil).
			at(time.Second, "UploadApiKey", nil).
			at(2*time.Second, "CreatePolicy", nil).
			at(2*time.Minute, "UploadApiKey", nil).
			at(2*time.Minute, "UploadApiKey", nil).
			at(5*time.Minute, "UploadApiKey", nil), nil},
		{"restored", `
id: restored
title: Less and not restored
severity: low
patterns:
  reduced: {match: {api.operation: UploadApiKey}, let: {before: number(raw.data.additionalDetails.x)}}
  restored: {match: {api.operation: CreatePolicy}, let: {after: number(raw.data.additionalDetails.x)}, where: after >= reduced.before}
when: reduced then not restored within 1h
`, new(history).
			at(0, "UploadApiKey", map[string]any{x: "5"}).
			at(time.Minute, "CreatePolicy", map[string]any{x: "4"}).
			at(2*time.Hour, "UploadApiKey", map[string]any{x: "5"}).
			at(2*time.Hour+time.Minute, "CreatePolicy", map[string]any{x: "4"}).
			at(2*time.Hour+2*time.Minute, "CreatePolicy", map[string]any{x: "5"}), nil},
		{"chained", `
id: chained
title: Two incidents of one user
severity: high
incidents: feeder
group_by: {user: unmapped.key.user}
window: 2h
having: count() >= 2
`, new(history).
			at(0, "UploadApiKey", map[string]any{x: "alice"}).
			at(time.Second, "UploadApiKey", map[string]any{x: "bob"}).
			at(time.Hour, "UploadApiKey", map[string]any{x: "alice"}).
			at(3*time.Hour, "UploadApiKey", map[string]any{x: "bob"}), []string{`
id: feeder
title: A key
severity: low
group_by: {user: raw.data.additionalDetails.x}
match: {api.operation: UploadApiKey}
incident: {per: 1h}
`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := append(slices.Clone(c.history.records), json.RawMessage(`{"no": "record"}`))
			var out strings.Builder
			var with []*rule.Rule
			for _, text := range c.with {
				with = append(with, inline(t, text))
			}
			if err := Trace(t.Context(), &out, inline(t, c.rule), records, Options{Lists: map[string]match.List{"owners": owners}, With: with}); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+c.name+".trace.txt", out.String())
		})
	}
}

func TestMatchesLeavesOutWhatNothingMatched(t *testing.T) {
	h := new(history).at(0, "CreatePolicy", nil).at(time.Second, "UploadApiKey", nil).at(time.Minute, "CreatePolicy", nil)
	r := inline(t, `
id: matches
title: A key and no user
severity: low
patterns:
  key: {match: {api.operation: UploadApiKey}}
  user: {match: {api.operation: CreateUser}}
when: key then not user within 10s
`)
	var out strings.Builder
	if err := Trace(t.Context(), &out, r, h.records, Options{Matches: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/matches.trace.txt", out.String())
}

func TestRecordsAreReadOneByOneAndFromArrays(t *testing.T) {
	got, err := Records([]byte("{\"a\": 1}\n\n[{\"b\": 2}, {\"c\": 3}]\n{\"d\": 4}"))
	if err != nil || len(got) != 4 || string(got[2]) != `{"c": 3}` {
		t.Errorf("got %s (%v), want 4 records", got, err)
	}
	for text, want := range map[string]string{
		"":                          ErrNoRecords.Error(),
		"[]":                        ErrNoRecords.Error(),
		"{\"a\": 1}\n{\"b\": 2}\n{": "reading the record at line 3: unexpected EOF",
		"{\"a\": 1}\nnonsense":      "reading the record at line 2: invalid character 'o' in literal null (expecting 'u')",
	} {
		if _, err := Records([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
