package match

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

const owners = `user,region,team,level,limit
# a comment
alice,eu,red,007,5
ALICE,eu,second,1,6
bob,,blue,,2.5
carol,us,"green, mostly",true,-3
`

func tableOf(t testing.TB, text string) List {
	t.Helper()
	l, err := ParseList("owners.csv", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRowGivesTheFirstRowThatHasTheKeys(t *testing.T) {
	l := tableOf(t, "\xef\xbb\xbf"+owners)
	for _, c := range []struct {
		keys   []any
		column string
		want   any
		found  bool
	}{
		{[]any{"alice"}, "team", "red", true},
		{[]any{"Alice"}, "team", "red", true},
		{[]any{"alice", "EU"}, "limit", int64(5), true},
		{[]any{"alice", "us"}, "limit", nil, false},
		{[]any{"alice"}, "level", "007", true},
		{[]any{"bob"}, "limit", 2.5, true},
		{[]any{"bob"}, "level", nil, true},
		{[]any{"bob", ""}, "team", nil, false},
		{[]any{"carol"}, "team", "green, mostly", true},
		{[]any{"carol"}, "level", true, true},
		{[]any{"carol", "us", "green, mostly", true, int64(-3)}, "user", "carol", true},
		{[]any{"dan"}, "team", nil, false},
		{[]any{nil}, "team", nil, false},
		{[]any{"alice"}, "no column", nil, true},
		{[]any{"1:a", "2:b"}, "team", nil, false},
	} {
		got, found := l.Row(c.keys, c.column)
		if found != c.found || !cmp.Equal(got, c.want) {
			t.Errorf("%v %s: got %v, %t, want %v, %t", c.keys, c.column, got, found, c.want, c.found)
		}
	}
	if _, found := (List{}).Row([]any{"alice"}, "team"); found {
		t.Error("no table has no rows")
	}
}

func TestTableIsTheListOfItsFirstColumn(t *testing.T) {
	s := compiled(t, "match: {user.name|expand: '%owners%'}")
	s.SetLists(map[string]List{"owners": tableOf(t, owners)})
	for name, want := range map[string]bool{"Bob": true, "user": false, "red": false} {
		if got := matches(s, map[string]any{"user": map[string]any{"name": name}}); got != want {
			t.Errorf("%s: got %t, want %t", name, got, want)
		}
	}
}

func TestTableSaysWhereItIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":             "owners.csv:1:1: the table is empty: its first row names the columns",
		"a,b\n1\n":     "owners.csv:2:1: reading the table: wrong number of fields",
		"a,b\n1,\"2\n": "owners.csv:2:6: reading the table: extraneous or missing \" in quoted-field",
		"a,,b\n":       `owners.csv:1:3: the first row names the columns, each once, and "" is no new name`,
		"a,b,a\n":      `owners.csv:1:5: the first row names the columns, each once, and "a" is no new name`,
		"a\xff\n":      "owners.csv:1:1: the table is not valid UTF-8",
		"a":            "",
	} {
		_, err := ParseList("owners.csv", []byte(text))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestExpressionsReadTheTableAsItIs(t *testing.T) {
	s := compiled(t, `
match: {class_uid: 1}
let: {team: "lookup('owners', user.name, 'team')"}
where: lookup('owners', user.name, 'limit') < 5 or not lookup_has('owners', user.name)
group_by: {team: "coalesce(team, 'none')"}
`)
	s.SetLists(map[string]List{"owners": tableOf(t, owners)})
	keys := func(name string) []any {
		var all []any
		for _, h := range s.Match(&event.Event{Doc: map[string]any{"class_uid": int64(1), "user": map[string]any{"name": name}}}, nil) {
			all = append(all, h.Key...)
		}
		return all
	}
	for name, want := range map[string][]any{"alice": nil, "bob": {"blue"}, "dan": {"none"}} {
		if diff := cmp.Diff(want, keys(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	s.SetLists(map[string]List{"owners": tableOf(t, "user,team,limit\nalice,yellow,4\n")})
	if diff := cmp.Diff([]any{"yellow"}, keys("alice")); diff != "" {
		t.Errorf("after the swap (-want +got):\n%s", diff)
	}
}

func TestCheckTablesSaysWhatTheyLack(t *testing.T) {
	read := func(body string) *rule.Rule {
		rules, problems := rule.Parse("rule.yaml", []byte("id: x\ntitle: X\nseverity: low\nmatch: {class_uid: 1}\n"+body), rule.Options{Inline: true})
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		return rules[0]
	}
	list, err := ParseList("owners.txt", []byte("alice"))
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string]List{"owners": tableOf(t, owners), "text": list}
	for body, want := range map[string]string{
		"where: lookup('owners', user.name, 'team') == 'red'":                           "",
		"where: lookup('unknown', user.name, 'team') == 'red'":                          "",
		"where: lookup('owners', user.name, 'taem') == 'red'":                           `rule.yaml:1:1: rule x: the table owners has no column "taem": did you mean "team"?`,
		"where: lookup('owners', user.name, 'manager') == 'red'":                        `rule.yaml:1:1: rule x: the table owners has no column "manager": its columns are user, region, team, level, limit`,
		"where: lookup_has('text', user.name)":                                          "rule.yaml:1:1: rule x: text is a list and no table: lookup reads a file whose name ends in .csv",
		"enabled: false\nwhere: lookup_has('text', user.name)":                          "",
		"where: lookup_has('owners', user.name, user.uid, user.name, user.uid, status)": "",
	} {
		if got := CheckTables([]*rule.Rule{read(body)}, lists).String(); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
	short := map[string]List{"owners": tableOf(t, "user\nalice\n")}
	want := "rule.yaml:1:1: rule x: the table owners has 1 columns, and 2 are asked for as its key"
	if got := CheckTables([]*rule.Rule{read("where: lookup_has('owners', user.name, user.uid)")}, short).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIncidentsMeetOnlyPatternsThatTakeThem(t *testing.T) {
	s := compiled(t, "match: {severity: High}", "incidents: [r0, 'oci-*']\nmatch: {severity: High}\ngroup_by: {user: unmapped.key.user}", "incidents: 'r*'")
	doc := map[string]any{"severity": "High", "unmapped": map[string]any{"key": map[string]any{"user": "alice"}}}
	met := func(hits []Hit) []int {
		var rules []int
		for _, h := range hits {
			rules = append(rules, h.Rule)
		}
		return rules
	}
	if diff := cmp.Diff([]int{0}, met(s.Match(&event.Event{Doc: doc}, nil))); diff != "" {
		t.Errorf("an event (-want +got):\n%s", diff)
	}
	for id, want := range map[string][]int{"r0": {1, 2}, "oci-x": {1}, "r2": nil, "r1": {2}, "else": nil} {
		hits := s.MatchIncident(id, &event.Event{Doc: doc}, nil)
		if diff := cmp.Diff(want, met(hits)); diff != "" {
			t.Errorf("an incident of %s (-want +got):\n%s", id, diff)
		}
		if len(hits) > 0 && hits[0].Rule == 1 && !cmp.Equal(hits[0].Key, []any{"alice"}) {
			t.Errorf("an incident of %s has the key %v", id, hits[0].Key)
		}
	}
	if got := met(s.MatchIncident("r0", &event.Event{Doc: map[string]any{"severity": "Low"}}, nil)); !cmp.Equal(got, []int{2}) {
		t.Errorf("`match` chooses among incidents: got %v, want [2]", got)
	}
	if compiled(t, "incidents: r9").MayMatch(event.Facts{"class_uid": 1}) {
		t.Error("no event can match a pattern of incidents")
	}
}

func TestExceptionsFollowTheirSchedule(t *testing.T) {
	s := compiled(t, "match: {class_uid: 1}\nexceptions: [{reason: night, match: {user.name: alice}, schedule: {hours: '22:00-06:00'}}]")
	for name, c := range map[string]struct {
		user string
		at   event.Time
		want bool
	}{
		"at night":           {"alice", 22 * 3600_000, false},
		"before the night":   {"alice", 22*3600_000 - 1, true},
		"somebody else":      {"bob", 22 * 3600_000, true},
		"after the night":    {"alice", 6 * 3600_000, true},
		"in the last minute": {"alice", 6*3600_000 - 1, false},
	} {
		ev := &event.Event{Time: c.at, Doc: map[string]any{"class_uid": int64(1), "user": map[string]any{"name": c.user}}}
		if got := len(s.Match(ev, nil)) > 0; got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

func TestKeywordsAreFoundAnywhere(t *testing.T) {
	doc := map[string]any{"user": map[string]any{"name": "Alice"}, "list": []any{map[string]any{"deep": "xx NEEDLE xx"}}, "code": int64(4711)}
	for body, want := range map[string]bool{
		"match: [needle]":                      true,
		"match: [noodle, needle]":              true,
		"match: [noodle]":                      false,
		"match: [471]":                         true,
		"match: ['al*e']":                      true,
		"match: {'|all': [needle, alice]}":     true,
		"match: {'|all': [needle, bob]}":       false,
		"detection: {k: needle, condition: k}": true,
		"detection: {k: [needle, {user.name: alice}], s: {user.name: bob}, condition: k and not s}": true,
		"match: [name]": false,
	} {
		if got := matches(compiled(t, body), doc); got != want {
			t.Errorf("%s: got %t, want %t", body, got, want)
		}
	}
	ev, err := event.FromDocument(map[string]any{"time": int64(1), "a": "document"}, nil, func() map[string]any { return map[string]any{"b": "record"} })
	if err != nil {
		t.Fatal(err)
	}
	if s := compiled(t, "match: [record]"); len(s.Match(ev, nil)) != 1 || !s.MayMatch(event.Facts{"class_uid": 1}) {
		t.Error("a keyword is looked for in the record")
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte(owners), "alice", "team")
	f.Add([]byte("a,b\n\"x\ny\",1\n"), "x\ny", "b")
	f.Fuzz(func(t *testing.T, data []byte, key, column string) {
		l, err := ParseList("t.csv", data)
		if err != nil {
			return
		}
		if v, found := l.Row([]any{key}, column); v != nil && !found {
			t.Errorf("got %v of a row that is not there", v)
		}
		l.Row([]any{key, key, key, key, key}, "")
		l.Row([]any{key, key, key, key, key, key}, "")
	})
}
