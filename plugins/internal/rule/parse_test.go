package rule

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// one reads a rule that must have nothing wrong with it.
func one(t *testing.T, text string) *Rule {
	t.Helper()
	rules, problems := Parse("rule.yaml", []byte(text), Options{Inline: true})
	if len(problems) > 0 || len(rules) != 1 {
		t.Fatalf("got %d rules and these problems:\n%s", len(rules), problems)
	}
	return rules[0]
}

// wrong reads a rule that must have errors, and gives them.
func wrong(t *testing.T, text string) string {
	t.Helper()
	rules, problems := Parse("rule.yaml", []byte(text), Options{Inline: true})
	if len(problems.Errors()) == 0 || len(rules) != 0 {
		t.Fatalf("got %d rules and no errors, but:\n%s", len(rules), problems)
	}
	return problems.String()
}

const head = "id: x\ntitle: X\nseverity: low\n"

func TestFiveMistakesGiveFivePositionsAtOnce(t *testing.T) {
	data, err := os.ReadFile("testdata/five-mistakes.bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := Parse("rules/five-mistakes.yaml", data, Options{})
	lines := strings.Split(problems.Err().Error(), "\n")
	if len(lines) != 5 {
		t.Fatalf("got %d errors, want 5:\n%s", len(lines), problems)
	}
	position := regexp.MustCompile(`^rules/five-mistakes\.yaml:\d+:\d+: `)
	for _, line := range lines {
		if !position.MatchString(line) {
			t.Errorf("%q does not begin with file:line:column", line)
		}
	}
}

func TestRuleWithOnePattern(t *testing.T) {
	r := one(t, head+`
window: 2m
group_by: {target: [user.uid, user.name], net: network}
let: {wide: "cidr(src_endpoint.ip, 16, 32)", network: "coalesce(wide, 'none')"}
match: {api.operation: UploadApiKey}
where: hour(time) < 6
having: count() >= 2 and distinct(network) > 1
response: ["Ask {user.name}, {{now}}"]
incident:
  title: "{target} from {network}: {count()} keys"
  attributes: {ips: "values(src_endpoint.ip, 5)", who: actor.user.name}
  per: 12h
`)
	p := r.Patterns[0]
	if diff := cmp.Diff([]string{"target", "net"}, r.KeyNames); diff != "" {
		t.Error(diff)
	}
	network := `coalesce(cidr(src_endpoint.ip, 16, 32), "none")`
	for what, got := range map[string][2]string{
		"where":  {p.Where.String(), "hour(time) < 6"},
		"having": {p.Having.String(), "count() >= 2 and distinct(" + network + ") > 1"},
		"let":    {p.Let[1].Expr.String(), network},
		"key":    {p.GroupBy[1].From[0].String(), network},
		"key 2":  {p.GroupBy[0].From[1].String(), "user.name"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: got %s, want %s", what, got[0], got[1])
		}
	}
	for _, want := range []string{network, "src_endpoint.ip", "actor.user.name", "user.name"} {
		if p.Capture(want) < 0 {
			t.Errorf("%s is not captured, only %v", want, p.Captures)
		}
	}
	if r.Incident.Per != 12*time.Hour || r.Window != 2*time.Minute || !r.Monotone() {
		t.Errorf("got per %s, window %s, monotone %t", r.Incident.Per, r.Window, r.Monotone())
	}
	if title := r.Incident.Title.Text(nothing{}); title != "key:target from none: 3 keys" {
		t.Errorf("got the title %q", title)
	}
	if response := r.Response[0].Text(nothing{}); response != "Ask ?, {now}" {
		t.Errorf("got the response %q", response)
	}
}

// nothing is an Env in which fields are null, components of the key are known, and every aggregate is 3.
type nothing struct{}

func (nothing) Field(ref expr.Ref) any {
	if ref.Key != "" {
		return "key:" + ref.Key
	}
	return nil
}
func (nothing) Aggregate(*expr.Aggregate) any { return int64(3) }

func TestLetsMayStandInAnyOrder(t *testing.T) {
	a := one(t, head+"match: {status: Success}\nlet: {b: a + 1, a: risk_score}\nwhere: b > 1")
	if got := a.Patterns[0].Where.String(); got != "risk_score + 1 > 1" {
		t.Errorf("got %s", got)
	}
}

func TestWhereIsSplitIntoOwnAndJoin(t *testing.T) {
	r := one(t, head+`
patterns:
  reduced:
    match: {status: Success}
    let: {before: raw.data.a.days, after: raw.data.b.days}
    where: after < before
  restored:
    match: {status: Success}
    let: {after: raw.data.b.days}
    where: after >= reduced.before and after < 400
when: reduced then not restored within 1h
incident: {title: "{reduced.after} instead of {before}"}
`)
	restored := r.Patterns[1]
	if got, want := restored.Where.String(), "raw.data.b.days < 400"; got != want {
		t.Errorf("where: got %s, want %s", got, want)
	}
	if got, want := restored.JoinWhere.String(), "raw.data.b.days >= reduced.raw.data.a.days"; got != want {
		t.Errorf("join: got %s, want %s", got, want)
	}
	if diff := cmp.Diff("[raw.data.a.days raw.data.b.days]", joined(r.Patterns[0].Captures)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("[raw.data.b.days]", joined(restored.Captures)); diff != "" {
		t.Error(diff)
	}
	if r.Window != 0 || r.Monotone() {
		t.Errorf("got window %s, monotone %t", r.Window, r.Monotone())
	}
	title := r.Incident.Title.Parts
	if got := title[len(title)-1].Expr.Refs()[0]; got.Pattern != "reduced" {
		t.Errorf("the only `before` is that of reduced, got %+v", got)
	}
}

func joined(list []*expr.Expr) string {
	var parts []string
	for _, e := range list {
		parts = append(parts, e.String())
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func TestFieldsWithoutAPatternAreCapturedInEachPositiveOne(t *testing.T) {
	r := one(t, head+`
window: 1h
patterns: {a: {match: {status: Success}}, b: {match: {status: Failure}}, c: {match: {status: Unknown}}}
when: (a or b) and not c
incident: {title: "{user.name} {count()} {distinct(actor.user.name)}"}
`)
	for i, want := range []string{"[user.name actor.user.name]", "[user.name actor.user.name]", "[]"} {
		if got := joined(r.Patterns[i].Captures); got != want {
			t.Errorf("%s: got %s, want %s", r.Patterns[i].Name, got, want)
		}
	}
}

func TestSingleEventsNeedNoWindow(t *testing.T) {
	if r := one(t, head+"match: {status: Success}"); r.Window != time.Millisecond || r.Incident.Per != 24*time.Hour {
		t.Errorf("got window %s, per %s", r.Window, r.Incident.Per)
	}
	if got := wrong(t, head+"match: {status: Success}\nhaving: count() > 1"); !strings.Contains(got, "has no `window`") {
		t.Errorf("got %s", got)
	}
	for when, needed := range map[string]bool{
		"a then b within 1h":                 false,
		"a then not b within 1h":             false,
		"a then b within 1h then c":          true,
		"a then b within 1h then c within 1": true,
		"(a or b) then c within 1h":          false,
		"(a and b) then c within 1h":         true,
		"a then not b":                       true,
		"a and b":                            true,
		"a and not b":                        true,
	} {
		_, problems := Parse("rule.yaml", []byte(head+"patterns: {a: {match: {status: Success}}, b: {match: {status: Failure}}, c: {match: {status: Unknown}}}\nwhen: "+when), Options{Inline: true})
		got := strings.Contains(problems.String(), "has no `window`") || strings.Contains(problems.String(), "within 1\": ") || strings.Contains(problems.String(), `duration "1"`)
		if got != needed {
			t.Errorf("%s: window needed: got %t, want %t\n%s", when, got, needed, problems)
		}
	}
}

func TestStateHashChangesWithMeaningOnly(t *testing.T) {
	text := head + "window: 10m\ngroup_by: [user.name]\nmatch: {status: Success}\nhaving: count() >= 5\n"
	base := one(t, text).StateHash
	same := []string{
		strings.Replace(text, "title: X", "title: Another title", 1),
		strings.Replace(text, "severity: low", "severity: high", 1),
		text + "exceptions: [{reason: x, match: {user.name: root}}]\n",
		text + "incident: {title: \"{user.name} did it\"}\n",
		text + "incident: {title: \"{actor.user.name}\"}\n",
		strings.Replace(text, "count() >= 5", "count()>=5", 1),
		"# a comment\n" + text,
	}
	for _, s := range same {
		if got := one(t, s).StateHash; got != base {
			t.Errorf("the hash changed with words only:\n%s", s)
		}
	}
	seen := map[string]string{base: text}
	for _, s := range []string{
		strings.Replace(text, "10m", "11m", 1),
		strings.Replace(text, "count() >= 5", "count() >= 6", 1),
		strings.Replace(text, "[user.name]", "[user.uid]", 1),
		strings.Replace(text, "[user.name]", "{user: user.name}", 1),
		strings.Replace(text, "Success", "Failure", 1),
		strings.Replace(text, "status: Success", "status|cased: Success", 1),
		strings.Replace(text, "status: Success", "status|re: Success", 1),
		strings.Replace(text, "status: Success", "api.response.code: '200'", 1),
		strings.Replace(text, "status: Success", "api.response.code: 200", 1),
		text + "scope: all\n",
		text + "where: hour(time) < 6\n",
	} {
		hash := one(t, s).StateHash
		if other, taken := seen[hash]; taken {
			t.Errorf("two rules of other meaning have one hash:\n%s\n%s", s, other)
		}
		seen[hash] = s
	}
}

func TestDayOfAnExceptionBelongsToIt(t *testing.T) {
	r := one(t, head+`
match: {status: Success}
exceptions:
  - {reason: a, until: 2027-06-30, match: {status: Success}}
  - {reason: b, until: "2027-06-30T12:00:00Z", match: {status: Success}}
  - {reason: c, match: {status: Success}}
`)
	day := time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)
	want := []event.Time{event.TimeOf(day.Add(24 * time.Hour)), event.TimeOf(day.Add(12 * time.Hour)), event.MaxTime}
	for i, w := range want {
		if got := r.Exceptions[i].Until; got != w {
			t.Errorf("%s: got %s, want %s", r.Exceptions[i].Reason, got, w)
		}
	}
}

func TestFirstSeenIsCarried(t *testing.T) {
	r := one(t, head+`
group_by: [user.name]
let: {network: "cidr(src_endpoint.ip, 24, 48)"}
match: {status: Success}
first_seen: {value: network, within: 30d, learn: 14d}
`)
	want := "cidr(src_endpoint.ip, 24, 48) 720h0m0s 336h0m0s"
	if got := r.FirstSeen.Value.String() + " " + r.FirstSeen.Within.String() + " " + r.FirstSeen.Learn.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.Patterns[0].Capture(r.FirstSeen.Value.String()) != 0 || r.Monotone() {
		t.Errorf("got captures %v, monotone %t", r.Patterns[0].Captures, r.Monotone())
	}
}

func TestExpressionsInFlowMappingsMayHaveCommas(t *testing.T) {
	r := one(t, head+`
match: {status: Success}
let: {net: cidr(src_endpoint.ip, 24, 48), name: lower(user.name)}
incident: {attributes: {users: values(user.name, 20), names: values(name, 20), count: count()}}
`)
	var got []string
	for _, a := range r.Incident.Attributes {
		got = append(got, a.Name+"="+a.Expr.String())
	}
	if diff := cmp.Diff([]string{"users=values(user.name, 20)", "names=values(lower(user.name), 20)", "count=count()"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFileNameIsTheID(t *testing.T) {
	for name, ok := range map[string]bool{"x.yaml": true, "a/b/x.yaml": true, "x.yml": true, "y.yaml": false} {
		_, problems := Parse(name, []byte(head+"match: {status: Success}"), Options{})
		if (problems.Err() == nil) != ok {
			t.Errorf("%s: got %v", name, problems.Err())
		}
	}
}

func TestInlineRulesMayBeAList(t *testing.T) {
	a := "- {id: a, title: A, severity: low, match: {status: Success}}\n"
	rules, problems := Parse("config.yaml", []byte(a+strings.ReplaceAll(a, "a,", "b,")), Options{Inline: true})
	if len(rules) != 2 || len(problems) != 0 {
		t.Errorf("got %d rules:\n%s", len(rules), problems)
	}
	_, problems = Parse("config.yaml", []byte(a+a), Options{Inline: true})
	if got := problems.String(); got != `config.yaml:2:3: the id "a" is taken: it is also that of the rule at config.yaml:1:3` {
		t.Errorf("got %s", got)
	}
}

// TestRuleOfAPackThatIsNamedAsAFileTooSaysSo gives one rule twice: by its pack, and by its file in a checkout.
func TestRuleOfAPackThatIsNamedAsAFileTooSaysSo(t *testing.T) {
	pack, file := &Rule{ID: "a", Pos: Position{File: "oci/iam/a.yaml", Line: 1, Column: 1}}, &Rule{ID: "a", Pos: Position{File: "rules/oci/iam/a.yaml", Line: 1, Column: 1}}
	if got := Duplicates([]*Rule{pack, file}).String(); !strings.Contains(got, "of a pack: name the pack or the file, not both") {
		t.Errorf("got %s, want that the other one is of a pack", got)
	}
	file.Pos.File = "site/a.yaml"
	if got := Duplicates([]*Rule{pack, file}).String(); strings.Contains(got, "of a pack") || got == "" {
		t.Errorf("got %q, want a rule that is there twice, and no word of packs: another file may have its id by chance", got)
	}
}

func TestShippedExamplesHaveNoErrors(t *testing.T) {
	dir := filepath.Join(root(t), "..", "shared", "examples", "rules")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: the examples are not here: %v", err)
	}
	rules, problems := LoadFiles([]string{dir})
	if len(problems) > 0 || len(rules) < 6 {
		t.Errorf("got %d rules:\n%s", len(rules), problems)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above this test")
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(head + "window: 1h\npatterns: {a: {match: {status: Success}}, b: {match: [{user.name|re|i: x.*y}], where: a.user.name == user.name}}\nwhen: a then b\nincident: {title: \"{a.user.name}\"}"))
	f.Add([]byte(head + "incidents: [a, 'b*']\nmatch: {time|hour|gte: 2, user.name|neq: [x, y]}\nlet: {t: \"lookup('o', user.name, 'c')\"}\nincident: {close_on: {match: [word]}, close_after: 1h}\n" +
		"exceptions: [{reason: r, schedule: {days: [mon-fri], hours: '22:00-06:00', zone: Europe/Berlin}, from: 2026-01-01}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, problems := Parse("x.yaml", data, Options{Inline: true})
		if len(rules) == 0 && len(problems) == 0 && len(data) > 0 && !strings.HasPrefix(strings.TrimSpace(string(data)), "[") {
			t.Fatalf("%q gives neither rules nor problems", data)
		}
		for _, p := range problems {
			if p.Pos.Line < 1 || p.Pos.Column < 1 || p.Text == "" {
				t.Fatalf("the problem %+v has no place", p)
			}
		}
		for _, r := range rules {
			if r.ID == "" || r.When == nil || len(r.Patterns) == 0 || r.StateHash == "" {
				t.Fatalf("the rule %+v is not whole", r)
			}
			for _, p := range r.Patterns {
				if len(p.GroupBy) != len(r.KeyNames) || p.Match == nil {
					t.Fatalf("the pattern %+v is not whole", p)
				}
			}
			r.Monotone()
			r.Tables()
			for _, p := range r.Patterns {
				if Describe(p.Match) == "" {
					t.Fatalf("the pattern %s has no words", p.Name)
				}
			}
			for _, e := range r.Exceptions {
				e.Holds(0)
			}
		}
		NewChain(rules)
		Kind(data)
		if o, problems := ParseOverrides("o.yaml", data); problems.Err() == nil {
			Apply(rules, o)
		}
	})
}

func TestObjectsMayBeAskedWhetherTheyAreThere(t *testing.T) {
	one(t, head+"match: {actor.user|exists: true, resources|exists: false}")
	if got := wrong(t, head+"match: {actor.user: x}"); !strings.Contains(got, `"actor.user" is an object: name one of its fields`) {
		t.Errorf("got %s", got)
	}
}

func TestGoodRuleOfAListIsWholeBesideABadOne(t *testing.T) {
	rules, problems := Parse("c.yaml", []byte("- {id: a}\n- {id: b, title: B, severity: low, match: {status: Success}}\n"), Options{Inline: true})
	if len(rules) != 1 || rules[0].StateHash == "" || problems.Err() == nil {
		t.Errorf("got %d rules:\n%s", len(rules), problems)
	}
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"a and not 1 of b*", "all of them or (a)", "not (a or b1) and b2", "1 of *", "a | count() > 5"} {
		f.Add(seed)
	}
	test := &Test{}
	f.Fuzz(func(t *testing.T, source string) {
		s := &selections{names: []string{"a", "b1", "b2"}, byName: map[string]Condition{"a": test, "b1": test, "b2": test}, used: map[string]bool{}}
		c, err := parseCondition(source, s)
		var e *expr.Error
		switch {
		case err == nil && (c == nil || len(s.used) == 0):
			t.Fatalf("%q gives the condition %v and uses nothing", source, c)
		case err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(source)):
			t.Fatalf("the error %v has no place in %q", err, source)
		}
	})
}
