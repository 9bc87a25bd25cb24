package rule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// taking makes a rule that takes the incidents of others; of events where it names none.
func taking(t *testing.T, id string, from ...string) *Rule {
	t.Helper()
	text := "id: " + id + "\ntitle: X\nseverity: low\n"
	if len(from) == 0 {
		return one(t, text+"match: {status: Failure}\n")
	}
	text += "incidents:\n"
	for _, f := range from {
		text += "  - '" + f + "'\n"
	}
	return one(t, text)
}

func TestChainOrdersRulesBehindThoseWhoseIncidentsTheyTake(t *testing.T) {
	rules := []*Rule{taking(t, "top", "mid", "low-1"), taking(t, "mid", "low-*"), taking(t, "low-1"), taking(t, "low-2"), taking(t, "alone")}
	c, problems := NewChain(rules)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := &Chain{
		Order: []int{2, 3, 1, 0, 4},
		Takes: [][]int{{1, 2}, {2, 3}, nil, nil, nil},
		Feeds: [][]int{nil, {0}, {0, 1}, {1}, nil},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("other chain (-want +got):\n%s", diff)
	}
	if rules[0].Monotone() || !rules[0].Chained() || rules[2].Chained() {
		t.Error("a rule that takes incidents waits for them to settle")
	}
}

func TestChainRefusesCyclesWithTheirPath(t *testing.T) {
	_, problems := NewChain([]*Rule{taking(t, "a", "b"), taking(t, "b", "c"), taking(t, "c", "a"), taking(t, "self", "self")})
	want := "rule.yaml:1:1: the rule a waits for its own incidents: a takes those of b takes those of c takes those of a\n" +
		"rule.yaml:1:1: the rule self waits for its own incidents: self takes those of self"
	if diff := cmp.Diff(want, problems.String()); diff != "" {
		t.Errorf("other problems (-want +got):\n%s", diff)
	}
}

func TestChainRefusesRulesThatAreNotThere(t *testing.T) {
	rules := []*Rule{taking(t, "a", "login-falied", "net-*"), taking(t, "login-failed")}
	_, problems := NewChain(rules)
	want := "rule.yaml:1:1: the pattern match of a takes incidents of the unknown rule \"login-falied\": did you mean \"login-failed\"?\n" +
		"rule.yaml:1:1: the pattern match of a takes incidents of \"net-*\", which matches the id of no other rule"
	if diff := cmp.Diff(want, problems.String()); diff != "" {
		t.Errorf("other problems (-want +got):\n%s", diff)
	}
	if cycles := Cycles(rules); len(cycles) > 0 {
		t.Errorf("a rule of another file is no cycle: %s", cycles)
	}
}

func TestGlobOfIncidentsNeverMeansTheRuleItself(t *testing.T) {
	if _, problems := NewChain([]*Rule{taking(t, "oci-risk", "oci-*"), taking(t, "oci-login")}); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestTablesGivesEachUseOnce(t *testing.T) {
	r := one(t, head+`
window: 10m
group_by: {team: "lookup('owners', user.name, 'team')"}
match: {status: Failure}
let: {limit: "lookup('limits', user.name, user.uid, 'most')", again: "lookup('owners', user.name, 'team')"}
where: lookup_has('owners', user.name)
having: count() > limit and count() > lookup('least', user.name, 'n')
`)
	want := []TableUse{
		{Table: "limits", Keys: 2, Column: "most", Pos: r.Patterns[0].Pos},
		{Table: "least", Keys: 1, Column: "n", Pos: r.Patterns[0].Pos},
		{Table: "owners", Keys: 1, Column: "team", Pos: r.Patterns[0].Pos},
		{Table: "owners", Keys: 1, Pos: r.Patterns[0].Pos},
	}
	if diff := cmp.Diff(want, r.Tables()); diff != "" {
		t.Errorf("other uses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"least", "limits", "owners"}, r.Lists()); diff != "" {
		t.Errorf("other lists (-want +got):\n%s", diff)
	}
	if got, want := r.Patterns[0].Having.String(), `count() > last(lookup("limits", user.name, user.uid, "most")) and count() > last(lookup("least", user.name, "n"))`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
