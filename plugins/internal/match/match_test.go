package match

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// compiled reads rules, the bodies of which are given, and compiles them.
func compiled(t testing.TB, bodies ...string) *Set {
	t.Helper()
	var rules []*rule.Rule
	for i, body := range bodies {
		text := fmt.Sprintf("id: r%d\ntitle: R\nseverity: low\n%s", i, body)
		found, problems := rule.Parse("rule.yaml", []byte(text), rule.Options{Inline: true})
		if problems.Err() != nil {
			t.Fatalf("%s\n%v", text, problems.Err())
		}
		rules = append(rules, found...)
	}
	s, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func matches(s *Set, doc map[string]any) bool {
	return len(s.Match(&event.Event{Doc: doc}, nil)) > 0
}

func TestEachModifierOnBothSides(t *testing.T) {
	name := func(v any) map[string]any { return map[string]any{"user": map[string]any{"name": v}} }
	for _, c := range []struct {
		match    string
		yes, not []any
	}{
		{"user.name: Alice", []any{"Alice", "alice", "ALICE"}, []any{"alic", "alice1", "", nil, int64(1)}},
		{"user.name|cased: Alice", []any{"Alice"}, []any{"alice", "ALICE"}},
		{"user.name: ÉLISE", []any{"élise", "Élise"}, []any{"elise"}},
		{"user.name: [alice, bob]", []any{"bob", "Alice"}, []any{"carol"}},
		{"user.name: 400", []any{int64(400), "400", 400.0}, []any{int64(401), "0400", true}},
		{"user.name: '400'", []any{int64(400), "400"}, []any{int64(40)}},
		{"user.name: 1.5", []any{1.5, "1.5"}, []any{int64(1)}},
		{"user.name: true", []any{true, "true", "TRUE"}, []any{false, int64(1)}},
		{"user.name: null", []any{nil, []any{}, []any{nil}}, []any{"", "null", false}},
		{"user.name: ''", []any{""}, []any{nil, " "}},
		{"user.name: [null, root]", []any{nil, "Root"}, []any{"alice"}},
		{"user.name: al*", []any{"al", "Alice"}, []any{"xal"}},
		{"user.name: '*ce'", []any{"ce", "ALICE"}, []any{"cex"}},
		{"user.name: '*li*'", []any{"li", "ALICE"}, []any{"lxi"}},
		{"user.name: a*i*e", []any{"alice", "AIE"}, []any{"alicex", "ae"}},
		{"user.name: 'a?ice'", []any{"alice", "aéice"}, []any{"aice", "allice"}},
		{"user.name: '*'", []any{"", "x", int64(1), true}, []any{nil}},
		{`user.name: a\*b`, []any{"a*b"}, []any{"axb", `a\*b`}},
		{`user.name: 'a\?*'`, []any{"a?", "A?x"}, []any{"ax"}},
		{`user.name: dom\alice`, []any{`DOM\Alice`}, []any{"domalice"}},
		{`user.name: dom\\*`, []any{`dom\x`, `dom\`}, []any{"domx", `dom*`}},
		{`user.name: dom\\\*`, []any{`dom\*`}, []any{`dom\x`}},
		{"user.name|cased: A*e", []any{"Alice"}, []any{"alicE", "alice"}},
		{"user.name|contains: LIC", []any{"alice", "lic"}, []any{"al ice"}},
		{"user.name|contains|cased: LIC", []any{"aLICe"}, []any{"alice"}},
		{"user.name|contains: 'l*c'", []any{"alice", "LXXC"}, []any{"cl"}},
		{"user.name|contains: 40", []any{int64(1400)}, []any{int64(4)}},
		{"user.name|startswith: AL", []any{"alice"}, []any{"xalice", "a"}},
		{"user.name|endswith: CE", []any{"alice"}, []any{"alicex", "e"}},
		{"user.name|endswith: É", []any{"caFÉ", "café"}, []any{"cafe"}},
		{"user.name|contains|all: [al, ce]", []any{"alice"}, []any{"al", "ce"}},
		{"user.name|re: ^A.*e$", []any{"Alice"}, []any{"alice", "xAlice"}},
		{"user.name|re|i: ^a.*E$", []any{"Alice"}, []any{"xAlice"}},
		{"user.name|re: '^4\\d\\d$'", []any{int64(404), "404"}, []any{int64(500)}},
		{"user.name|re|i|m: ^b$", []any{"a\nB"}, []any{"ab"}},
		{"user.name|re|s: a.b", []any{"a\nb"}, []any{"ab"}},
		{"user.name|cidr: 10.0.0.0/8", []any{"10.0.0.0", "10.255.255.255", "::ffff:10.1.1.1"}, []any{"11.0.0.0", "9.255.255.255", "alice", "10.0.0.0/8", nil}},
		{"user.name|cidr: [2001:db8::/32, 192.0.2.1]", []any{"2001:DB8::1", "192.0.2.1"}, []any{"2001:db9::1", "192.0.2.2"}},
		{"user.name|lt: 5", []any{int64(4), 4.9, "4"}, []any{int64(5), "5", "x", nil}},
		{"user.name|lte: 5", []any{int64(5)}, []any{5.1}},
		{"user.name|gt: 5", []any{5.1, "6"}, []any{int64(5), "", "abc"}},
		{"user.name|gte: 5", []any{int64(5), "5.0"}, []any{4.9}},
		{"user.name|exists: true", []any{"", false, int64(0)}, []any{nil, []any{}}},
		{"user.name|exists: false", []any{nil, []any{}}, []any{"", false}},
		{"user.name|fieldref: user.uid", []any{"the uid", "THE UID"}, []any{"another", nil}},
		{"user.name|fieldref|cased: user.uid", []any{"The uid"}, []any{"the uid"}},
		{"user.name|expand: '%admins%'", []any{"ROOT", "adm-7", "10.1.2.3"}, []any{"alice", "10.2.0.1", nil}},
		{"user.name|cased|expand: '%admins%'", []any{"root", "adm-7"}, []any{"ROOT", "ADM-7"}},
		{"user.name|expand: '%unknown%'", nil, []any{"root", ""}},
		{"user.name|base64: foo", []any{"Zm9v"}, []any{"zm9v", "foo"}},
		{"user.name|base64offset|contains: foo", []any{"xxZm9vxx", "Zvb", "mb2"}, []any{"zm9v", "foo"}},
		{"user.name|wide|base64: a", []any{"YQA="}, []any{"YQ=="}},
		{"user.name|windash|contains: ' -x'", []any{"cmd -x", "cmd /x", "cmd \u2013x"}, []any{"cmd x"}},
		{"user.name|windash|contains: ' -x -y'", []any{"cmd -x -y", "cmd /x \u2014y", "cmd \u2015x /y"}, []any{"cmd -x", "cmd -x - y"}},
		{"user.name|windash: '-a-b'", []any{"/a-b", "-a-b"}, []any{"/a/b"}},
		{"user.name|neq: Alice", []any{"bob", nil, int64(1)}, []any{"alice", "ALICE"}},
		{"user.name|neq: [alice, bob, carol, dan]", []any{"eve", nil}, []any{"bob", "DAN"}},
		{"user.name|neq: 400", []any{int64(401), nil}, []any{int64(400), "400"}},
		{"user.name|neq: null", []any{"", int64(0)}, []any{nil, []any{}}},
		{"user.name|contains|neq: lic", []any{"bob", nil}, []any{"alice"}},
		{"user.name|re|neq: ^A", []any{"alice"}, []any{"Alice"}},
		{"user.name|gte|neq: 5", []any{int64(4), "x", nil}, []any{int64(5)}},
		{"user.name|fieldref|neq: user.uid", []any{"another", nil}, []any{"the uid"}},
		{"user.name|expand|neq: '%admins%'", []any{"alice"}, []any{"root"}},
		{"user.name|minute: 59", []any{"2026-11-21T10:59:59Z", int64(59 * 60_000)}, []any{"2026-11-21T11:00:00Z", int64(60 * 60_000), "59", nil}},
		{"user.name|hour: 22", []any{"2026-11-21T22:00:00Z", "2026-11-22T00:00:00+02:00"}, []any{"2026-11-21T21:59:59.999Z", "2026-11-21T23:00:00Z"}},
		{"user.name|hour|gte: 22", []any{"2026-11-21T23:00:00Z", "2026-11-21T22:00:00Z"}, []any{"2026-11-21T21:59:59Z"}},
		{"user.name|day: [20, 21, 22, 23]", []any{"2026-11-21T00:00:00Z"}, []any{"2026-11-19T23:59:59Z"}},
		{"user.name|week: 47", []any{"2026-11-16T00:00:00Z", "2026-11-22T23:59:59Z"}, []any{"2026-11-15T23:59:59Z", "2026-11-23T00:00:00Z"}},
		{"user.name|month|neq: 11", []any{"2026-12-01T00:00:00Z", "no time", nil}, []any{"2026-11-30T23:59:59Z"}},
		{"user.name|year|lt: 2026", []any{"2025-12-31T23:59:59.999Z"}, []any{"2026-01-01T00:00:00Z"}},
		{"user.name: [al*, 'bo?']", []any{"alice", "bob"}, []any{"bo", "carol"}},
	} {
		t.Run(c.match, func(t *testing.T) {
			s := compiled(t, "match: {"+c.match+"}")
			admins, err := NewList([]string{"root", "adm-*", "10.1.0.0/16"})
			if err != nil {
				t.Fatal(err)
			}
			s.SetLists(map[string]List{"admins": admins})
			doc := func(v any) map[string]any {
				d := name(v)
				uid := "the uid"
				if strings.Contains(c.match, "cased") {
					uid = "The uid"
				}
				d["user"].(map[string]any)["uid"] = uid
				return d
			}
			for _, v := range c.yes {
				if !matches(s, doc(v)) {
					t.Errorf("%#v: got no match", v)
				}
				if v != nil && !matches(s, doc([]any{"some", v, nil})) && !strings.Contains(c.match, "null") && !strings.Contains(c.match, "exists: false") && fmt.Sprint(v) != "[]" {
					t.Errorf("array with %#v: got no match", v)
				}
			}
			for _, v := range c.not {
				if matches(s, doc(v)) {
					t.Errorf("%#v: got a match", v)
				}
			}
		})
	}
}

func TestMapsAreAndListsOr(t *testing.T) {
	doc := map[string]any{"status": "Success", "api": map[string]any{"operation": "CreateUser"}}
	for body, want := range map[string]bool{
		"match: {status: Success, api.operation: createuser}":                                                                        true,
		"match: {status: Failure, api.operation: createuser}":                                                                        false,
		"match: [{status: Failure}, {api.operation: createuser}]":                                                                    true,
		"match: [{status: Failure}, {api.operation: deleteuser}]":                                                                    false,
		"detection: {a: {status: Success}, b: {api.operation: x}, condition: a and not b}":                                           true,
		"detection: {a: {status: Success}, b: {api.operation: CreateUser}, condition: a and not b}":                                  false,
		"detection: {sel_a: {status: x}, sel_b: {status: success}, condition: 1 of sel_*}":                                           true,
		"detection: {sel_a: {status: x}, sel_b: {status: success}, condition: all of sel_*}":                                         false,
		"detection: {a: {status: success}, b: {api.operation: createuser}, condition: all of them}":                                  true,
		"detection: {a: {status: success}, _b: {api.operation: x}, condition: all of them}":                                          true,
		"detection: {a: {status: x}, b: {api.operation: createuser}, condition: any of them}":                                        true,
		"detection: {a: {status: success}, b: {status: y}, c: {status: x}, condition: a and (b or not c)}":                           true,
		"detection: {a: {status: success}, b: {status: y}, c: {status: success}, condition: not (b or not c) and a}":                 true,
		"detection: {selection: {status: success}, filter_main: {user.name: root}, condition: selection and not 1 of filter_main*}":  true,
		"detection: {a: {status: success}, b: {status: x}, condition: [a, b]}":                                                       true,
		"detection: {a: {status: success}, b: {status: x}, c: {status: y}, condition: a or b and c}":                                 true,
		"match: {status: Success}\nwhere: api.operation == 'CreateUser'":                                                             true,
		"match: {status: Success}\nwhere: api.operation == 'createuser'":                                                             false,
		"match: {status: Success}\nwhere: user.name != 'x'":                                                                          false,
		"match: {status: Success}\nenabled: false":                                                                                   false,
		"match: {status: Success}\nexceptions: [{reason: x, match: {api.operation: CreateUser}}]":                                    false,
		"match: {status: Success}\nexceptions: [{reason: x, match: {api.operation: DeleteUser}}]":                                    true,
		"match: {status: Success}\nexceptions: [{reason: x, until: 1969-12-30, match: {api.operation: CreateUser}}]":                 true,
		"match: {status: Success}\nexceptions: [{reason: x, until: 1969-12-31, match: {api.operation: CreateUser}}]":                 true,
		"match: {status: Success}\nexceptions: [{reason: x, until: 1970-01-01, match: {api.operation: CreateUser}}]":                 false,
		"match: {status: Success}\nexceptions: [{reason: x, until: '1970-01-01T00:00:00Z', match: {api.operation: CreateUser}}]":     true,
		"match: {status: Success}\nexceptions: [{reason: x, until: '1970-01-01T00:00:00.001Z', match: {api.operation: CreateUser}}]": false,
	} {
		if got := matches(compiled(t, body), doc); got != want {
			t.Errorf("%s: got %t", body, got)
		}
	}
}

func TestHitsHaveOneKeyForEachElement(t *testing.T) {
	s := compiled(t, `
group_by: {who: [user.uid, user.name], res: resources.uid}
match: {status: Success}
incident: {title: "{lower(user.name)} {count()} {distinct(cloud.region)}"}`)
	ev := func(user map[string]any, resources ...any) *event.Event {
		return &event.Event{Doc: map[string]any{"status": "Success", "user": user, "resources": resources, "cloud": map[string]any{"region": "r"}}}
	}
	uid := func(v any) any { return map[string]any{"uid": v} }
	for _, c := range []struct {
		name string
		ev   *event.Event
		want []Hit
	}{
		{"fallback", ev(map[string]any{"name": "Al"}, uid("a")), []Hit{{Key: []any{"Al", "a"}, Captures: []any{"Al", "r"}}}},
		{"empty array falls back", ev(map[string]any{"uid": []any{}, "name": "Al"}, uid("a")), []Hit{{Key: []any{"Al", "a"}, Captures: []any{"Al", "r"}}}},
		{"array", ev(map[string]any{"uid": "u"}, uid("a"), uid("b"), uid("a"), uid(nil)), []Hit{
			{Key: []any{"u", "a"}, Captures: []any{nil, "r"}}, {Key: []any{"u", "b"}, Captures: []any{nil, "r"}},
		}},
		{"types differ", ev(map[string]any{"uid": "u"}, uid("1"), uid(float64(1))), []Hit{
			{Key: []any{"u", "1"}, Captures: []any{nil, "r"}}, {Key: []any{"u", int64(1)}, Captures: []any{nil, "r"}},
		}},
		{"null", ev(map[string]any{}), []Hit{{Key: []any{nil, nil}, Null: true, Captures: []any{nil, "r"}}}},
		{"two arrays", ev(map[string]any{"uid": []any{"x", "y"}}, uid("a"), uid("b")), []Hit{
			{Key: []any{"x", "a"}, Captures: []any{nil, "r"}},
			{Key: []any{"x", "b"}, Captures: []any{nil, "r"}},
			{Key: []any{"y", "a"}, Captures: []any{nil, "r"}},
			{Key: []any{"y", "b"}, Captures: []any{nil, "r"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, s.Match(c.ev, nil)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeysBeyondTheLimitAreCounted(t *testing.T) {
	s := compiled(t, "group_by: [resources.uid]\nmatch: {status: Success}")
	var resources []any
	for i := range MaxKeys + 5 {
		resources = append(resources, map[string]any{"uid": int64(i)})
	}
	hits := s.Match(&event.Event{Doc: map[string]any{"status": "Success", "resources": resources}}, nil)
	if len(hits) != MaxKeys || s.DroppedKeys() != 5 {
		t.Errorf("got %d hits and %d dropped, want %d and 5", len(hits), s.DroppedKeys(), MaxKeys)
	}
}

func TestHitsAreOrderedByRuleAndPattern(t *testing.T) {
	s := compiled(t,
		"match: {user.name|contains: a}",
		"match: {api.operation: X, status: Success}",
		"window: 1h\npatterns: {b: {match: {status: Success}}, a: {match: {api.operation: [X, Y]}}}\nwhen: a then b",
	)
	ev := &event.Event{Doc: map[string]any{"status": "Success", "user": map[string]any{"name": "a"}, "api": map[string]any{"operation": []any{"x", "y"}}}}
	var got []string
	for _, h := range s.Match(ev, nil) {
		got = append(got, fmt.Sprintf("%d/%d", h.Rule, h.Pattern))
	}
	if diff := cmp.Diff([]string{"0/0", "1/0", "2/0", "2/1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatchAppendsToWhatItIsGiven(t *testing.T) {
	s := compiled(t, "match: {status: Success}")
	ev := &event.Event{Doc: map[string]any{"status": "Success"}}
	dst := s.Match(ev, nil)
	dst = s.Match(ev, dst)
	if len(dst) != 2 {
		t.Errorf("got %d hits, want 2: those of an earlier event are not this one's", len(dst))
	}
}

func TestMayMatchIsFalseOnlyWhenNothingCan(t *testing.T) {
	for _, c := range []struct {
		body  string
		facts event.Facts
		want  bool
	}{
		{"match: {api.operation: CreateUser}", event.Facts{"api.operation": "createuser"}, true},
		{"match: {api.operation: CreateUser}", event.Facts{"api.operation": "ListUsers"}, false},
		{"match: {api.operation: CreateUser}", event.Facts{}, true},
		{"match: {api.operation: CreateUser}", event.Facts{"api.operation": nil}, false},
		{"match: {api.operation: CreateUser, user.name: x}", event.Facts{"api.operation": "CreateUser"}, true},
		{"match: {api.operation: [CreateUser, ListUsers]}", event.Facts{"api.operation": "ListUsers"}, true},
		{"match: {class_uid: 3002}", event.Facts{"class_uid": 3002}, true},
		{"match: {class_uid: 3002}", event.Facts{"class_uid": 6003}, false},
		{"match: {api.operation|startswith: Create}", event.Facts{"api.operation": "ListUsers"}, false},
		{"match: {api.operation|exists: false}", event.Facts{"api.operation": "ListUsers"}, false},
		{"match: {raw.data.x: 1}", event.Facts{"api.operation": "ListUsers"}, true},
		{"match: [{api.operation: CreateUser}, {user.name: root}]", event.Facts{"api.operation": "ListUsers"}, true},
		{"detection: {a: {api.operation: CreateUser}, condition: not a}", event.Facts{"api.operation": "ListUsers"}, true},
		{"detection: {a: {api.operation: CreateUser}, condition: not a}", event.Facts{"api.operation": "CreateUser"}, false},
		{"detection: {a: {user.name: x}, condition: not a}", event.Facts{"api.operation": "CreateUser"}, true},
		{"match: {api.operation|fieldref: user.name}", event.Facts{"api.operation": "x"}, true},
		{"match: {api.operation|fieldref: user.name}", event.Facts{"api.operation": "x", "user.name": "y"}, false},
		{"match: {api.operation|fieldref: user.name}", event.Facts{"api.operation": "x", "user.name": "X"}, true},
		{"match: {api.operation|expand: '%ops%'}", event.Facts{"api.operation": "x"}, true},
		{"match: {api.operation: CreateUser}\nenabled: false", event.Facts{"api.operation": "CreateUser"}, false},
	} {
		t.Run(c.body, func(t *testing.T) {
			if got := compiled(t, c.body).MayMatch(c.facts); got != c.want {
				t.Errorf("%v: got %t", c.facts, got)
			}
		})
	}
}

func TestRawFieldsReadTheRecordOnlyWhenTheRestMatches(t *testing.T) {
	s := compiled(t, "match: {raw.data.x: 1, status: Success}")
	read := 0
	record := func() map[string]any {
		read++
		return map[string]any{"data": map[string]any{"x": int64(1)}}
	}
	for _, c := range []struct {
		status string
		hits   int
		read   int
	}{{"Failure", 0, 0}, {"Success", 1, 1}} {
		ev, err := event.FromDocument(map[string]any{"time": int64(1), "status": c.status}, nil, record)
		if err != nil {
			t.Fatal(err)
		}
		if hits := s.Match(ev, nil); len(hits) != c.hits || read != c.read {
			t.Errorf("%s: got %d hits, read %d times", c.status, len(hits), read)
		}
	}
}

func TestListsAreSwapped(t *testing.T) {
	s := compiled(t, "match: {user.name|expand: '%admins%'}")
	doc := map[string]any{"user": map[string]any{"name": "Alice"}}
	if matches(s, doc) {
		t.Error("a list that is not there holds nothing")
	}
	list, err := ParseList("admins.txt", []byte("\xef\xbb\xbf# admins\n\nalice   # the first\r\nbob\n"))
	if err != nil {
		t.Fatal(err)
	}
	if list.Len() != 2 {
		t.Errorf("got %d values, want 2", list.Len())
	}
	s.SetLists(map[string]List{"admins": list})
	if !matches(s, doc) {
		t.Error("got no match after the list was set")
	}
	s.SetLists(nil)
	if matches(s, doc) {
		t.Error("got a match after the list was taken away")
	}
}

func TestListSaysWhichLineIsWrong(t *testing.T) {
	_, err := ParseList("admins.txt", []byte("alice\n\xff\xfe\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "admins.txt:2:1: ") {
		t.Errorf("got %v", err)
	}
}

// TestIndexFindsWhatTryingEachRuleFinds compares the index with each rule alone.
func TestIndexFindsWhatTryingEachRuleFinds(t *testing.T) {
	var bodies []string
	for _, field := range []string{"api.operation", "user.name", "status", "class_name", "metadata.event_code"} {
		for _, value := range []string{"a", "[a, B]", "'*'", "a*", "null", "[null, a]", "K"} {
			bodies = append(bodies, fmt.Sprintf("match: {%s: %s}", field, value), fmt.Sprintf("match: {%s: %s, activity_name: a}", field, value),
				fmt.Sprintf("match: [{%s: %s}, {user.name: b}]", field, value), fmt.Sprintf("detection: {x: {%s: %s}, y: {user.name: a}, condition: not x or y}", field, value))
		}
	}
	together := compiled(t, bodies...)
	values := []any{nil, "a", "B", "b", "ab", []any{"a", "b"}, []any{}, int64(1), "\u212a", strings.Repeat("a", 200)}
	for _, a := range values {
		for _, b := range values {
			doc := map[string]any{"api": map[string]any{"operation": a}, "user": map[string]any{"name": b}, "status": a, "activity_name": b, "class_name": b, "metadata": map[string]any{"event_code": b}}
			found := map[int]bool{}
			for _, h := range together.Match(&event.Event{Doc: doc}, nil) {
				if found[h.Rule] {
					t.Fatalf("rule %d was found twice", h.Rule)
				}
				found[h.Rule] = true
			}
			for i, p := range together.patterns {
				want := p.condition.holds(&subject{ev: &event.Event{Doc: doc}})
				if found[i] != want {
					t.Fatalf("%s on %v: got %t by the index, want %t", bodies[i], doc, found[i], want)
				}
			}
		}
	}
}

// noise is an event as normalize gives it, which none of the rules of sixty wants.
func noise() *event.Event {
	return &event.Event{ID: "id", Time: event.TimeOf(time.Unix(1, 0)), Doc: map[string]any{
		"class_name": "API Activity", "class_uid": int64(6003), "activity_name": "Read", "status": "Success", "time": int64(1),
		"metadata":     map[string]any{"event_code": "com.oraclecloud.ComputeApi.GetInstance", "uid": "id"},
		"api":          map[string]any{"operation": "GetInstance", "service": map[string]any{"name": "ComputeApi"}},
		"actor":        map[string]any{"user": map[string]any{"name": "alice@example.com", "uid": "ocid1.user.oc1..a"}},
		"src_endpoint": map[string]any{"ip": "10.1.2.3"}, "resources": []any{map[string]any{"uid": "ocid1.instance"}},
	}}
}

func many(t testing.TB, n int) *Set {
	t.Helper()
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("window: 10m\ngroup_by: [actor.user.name]\nmatch: {api.operation: [CreateThing%d, UpdateThing%d], status: Success}\nhaving: count() >= 5", i, i)
	}
	bodies = append(bodies,
		"match: {class_name: Authentication, activity_name: Logon, status: Failure}",
		"match: {api.operation|startswith: Delete, src_endpoint.ip|cidr: 192.0.2.0/24}",
		"match: {actor.user.name|expand: '%admins%', status: Failure}",
		"match: {actor.user.name|contains: svc-terraform}",
		"match: {raw.data.request.action: DELETE, status: Failure}",
		"detection: {a: {actor.user.name|endswith: '@evil.example'}, b: {user.name: root}, condition: a and not b}",
	)
	s := compiled(t, bodies...)
	list, err := NewList([]string{"root", "adm-*"})
	if err != nil {
		t.Fatal(err)
	}
	s.SetLists(map[string]List{"admins": list})
	return s
}

func TestNothingIsAllocatedForAnEventThatMatchesNothing(t *testing.T) {
	s, ev := many(t, 60), noise()
	var hits []Hit
	if n := testing.AllocsPerRun(100, func() { hits = s.Match(ev, hits[:0]) }); n != 0 {
		t.Errorf("Match: got %v allocations, want 0", n)
	}
	if len(hits) != 0 {
		t.Fatalf("got hits: %v", hits)
	}
	facts := event.Facts{"api.operation": "GetInstance", "metadata.event_code": "com.oraclecloud.ComputeApi.GetInstance", "class_name": "API Activity"}
	if n := testing.AllocsPerRun(100, func() { s.MayMatch(facts) }); n != 0 {
		t.Errorf("MayMatch: got %v allocations, want 0", n)
	}
}

func BenchmarkMatchNoise(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			s, ev := many(b, n), noise()
			var hits []Hit
			b.ReportAllocs()
			for b.Loop() {
				hits = s.Match(ev, hits[:0])
			}
		})
	}
}

func BenchmarkMatchHit(b *testing.B) {
	s, ev := many(b, 100), noise()
	ev.Doc["api"].(map[string]any)["operation"] = "CreateThing7"
	var hits []Hit
	b.ReportAllocs()
	for b.Loop() {
		if hits = s.Match(ev, hits[:0]); len(hits) != 1 {
			b.Fatal(len(hits))
		}
	}
}

func TestManyValuesOfAFieldAreOneLookup(t *testing.T) {
	s := compiled(t, "match: {user.name: [alice, Bob, 400, true, ÉLISE, c*], status: [Success, Failure]}")
	for v, want := range map[any]bool{"ALICE": true, "bob": true, int64(400): true, "400": true, true: true, "True": true, "élise": true, "carol": true, "dave": false, int64(40): false, 1.5: false} {
		if got := matches(s, map[string]any{"status": "failure", "user": map[string]any{"name": v}}); got != want {
			t.Errorf("%v: got %t", v, got)
		}
	}
	if got := len(s.patterns[0].condition.(all)[1].(anyOf)); got != 2 {
		t.Errorf("got %d parts, want the lookup and the wildcard", got)
	}
}

func TestListsMayBeSwappedWhileEventsAreMatched(t *testing.T) {
	s := many(t, 3)
	list, err := NewList([]string{"alice@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			s.SetLists(map[string]List{"admins": list})
		}
	}()
	for range 200 {
		ev := noise()
		ev.Doc["status"] = "Failure"
		if n := len(s.Match(ev, nil)); n > 1 {
			t.Fatalf("got %d hits", n)
		}
		s.MayMatch(event.Facts{"status": "Success"})
	}
	<-done
}
