package ocisim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func decode(t *testing.T, b []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatalf("%v: %.200s", err, b)
	}
}

const problemsPath = "/20200131/problems"

func TestListProblemsHidesByItsDefaults(t *testing.T) {
	at := now
	s := newSim(t, func(c *Config) { c.Problems = 40; c.Clock = func() time.Time { return at } })
	c := newClient(t, s, 0)
	tenancy := s.tenancies[0]
	count := func(keep func(problem, string) bool) int {
		n := 0
		for _, p := range tenancy.problems {
			if o, ok := p.at(at, s.config.End); ok && keep(p, o.State) {
				n++
			}
		}
		return n
	}
	root := tenancy.id
	active := count(func(_ problem, state string) bool { return state == "ACTIVE" })
	own := count(func(p problem, state string) bool { return state == "ACTIVE" && p.where.id == root })
	if own == 0 || own == active || active == 40 {
		t.Fatalf("%d problems, %d active, %d of them in the root: nothing to tell apart", 40, active, own)
	}
	for _, tt := range []struct {
		name  string
		query []string
		want  int
	}{
		{"the defaults", nil, own},
		{"the subtree", []string{"compartmentIdInSubtree", "true"}, active},
		{"the subtree, what can be read", []string{"compartmentIdInSubtree", "true", "accessLevel", "ACCESSIBLE"}, active},
		{"what is closed", []string{"compartmentIdInSubtree", "true", "lifecycleState", "INACTIVE"}, 40 - active},
		{"by pages of 3", []string{"compartmentIdInSubtree", "true", "limit", "3"}, active},
	} {
		if got := len(c.all(t, problemsPath, append([]string{"compartmentId", root}, tt.query...)...)); got != tt.want {
			t.Errorf("%s: %d problems, want %d", tt.name, got, tt.want)
		}
	}

	// A month later nothing was detected in the last 30 days.
	for _, tt := range []struct {
		at   time.Time
		want bool
	}{{s.config.End.AddDate(0, 0, 29), true}, {s.config.End.AddDate(0, 0, 31), false}} {
		at, c.date = tt.at, tt.at
		if got := len(c.all(t, problemsPath, "compartmentId", root, "compartmentIdInSubtree", "true")); got > 0 != tt.want {
			t.Errorf("on %s %d problems are listed by default, want some: %t", tt.at, got, tt.want)
		}
		if got := len(c.all(t, problemsPath, "compartmentId", root, "compartmentIdInSubtree", "true", "timeLastDetectedGreaterThanOrEqualTo", day.Format(time.RFC3339))); got != active {
			t.Errorf("on %s with an explicit start: %d problems, want %d", tt.at, got, active)
		}
	}
}

func TestProblemTimeBoundsAreInclusive(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	p := s.tenancies[0].problems[0]
	o, _ := p.at(now, s.config.End)
	ask := func(from, to time.Time) bool {
		list := c.all(t, problemsPath, "compartmentId", s.tenancies[0].id, "compartmentIdInSubtree", "true", "lifecycleState", o.State,
			"timeLastDetectedGreaterThanOrEqualTo", stamp(from), "timeLastDetectedLessThanOrEqualTo", stamp(to))
		return slices.ContainsFunc(list, func(item map[string]any) bool { return item["id"] == o.ID })
	}
	for _, tt := range []struct {
		from, to time.Duration
		want     bool
	}{{0, 0, true}, {time.Millisecond, time.Hour, false}, {-time.Hour, -time.Millisecond, false}} {
		if got := ask(o.Last.Add(tt.from), o.Last.Add(tt.to)); got != tt.want {
			t.Errorf("bounds %s and %s around the last detection: listed = %t, want %t", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestProblemsAreSortedByLastDetectionNewestFirst(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Problems = 30 })
	c := newClient(t, s, 0)
	query := []string{"compartmentId", s.tenancies[0].id, "compartmentIdInSubtree", "true"}
	times := func(extra ...string) []string {
		var all []string
		for _, p := range c.all(t, problemsPath, append(slices.Clone(query), extra...)...) {
			all = append(all, p["timeLastDetected"].(string))
		}
		return all
	}
	newest := times()
	if len(newest) < 5 || !slices.IsSortedFunc(newest, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("by default the times are %v, want the newest first", newest)
	}
	if oldest := times("sortOrder", "ASC"); !slices.IsSorted(oldest) {
		t.Errorf("with sortOrder=ASC the times are %v, want the oldest first", oldest)
	}
	var risks []string
	for _, p := range c.all(t, problemsPath, append(slices.Clone(query), "sortBy", "riskLevel")...) {
		risks = append(risks, p["riskLevel"].(string))
	}
	if last := len(risks) - 1; risks[0] != "CRITICAL" || risks[last] == "CRITICAL" {
		t.Errorf("by risk: %v, want CRITICAL first", risks)
	}
}

func TestProblemsAreFiltered(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Problems = 40 })
	c := newClient(t, s, 0)
	query := []string{"compartmentId", s.tenancies[0].id, "compartmentIdInSubtree", "true"}
	for _, tt := range []struct{ parameter, member, value string }{
		{"riskLevel", "riskLevel", "CRITICAL"},
		{"detectorRuleIdList", "detectorRuleId", "BUCKET_IS_PUBLIC"},
		{"resourceType", "resourceType", "User"},
		{"detectorType", "detectorId", "IAAS_ACTIVITY_DETECTOR"},
		{"region", "region", "us-ashburn-1"},
	} {
		all := c.all(t, problemsPath, query...)
		some := c.all(t, problemsPath, append(slices.Clone(query), tt.parameter, tt.value)...)
		if len(some) == 0 || len(some) >= len(all) {
			t.Errorf("%s=%s: %d of %d problems, want some of them", tt.parameter, tt.value, len(some), len(all))
		}
		for _, p := range some {
			if p[tt.member] != tt.value {
				t.Errorf("%s=%s lists a problem with %v", tt.parameter, tt.value, p[tt.member])
			}
		}
	}
	for _, bad := range [][]string{{"lifecycleState", "OPEN"}, {"riskLevel", "SEVERE"}, {"sortOrder", "UP"}, {"accessLevel", "ALL"}, {"limit", "0"}, {"timeLastDetectedLessThanOrEqualTo", "now"}} {
		if answer := c.get(t, problemsPath, append(slices.Clone(query), bad...)...); answer.status != http.StatusBadRequest {
			t.Errorf("%v: status = %d, want 400", bad, answer.status)
		}
	}
	if answer := c.get(t, problemsPath); answer.status != http.StatusBadRequest {
		t.Errorf("without a compartment: status = %d, want 400", answer.status)
	}
}

func TestUnreadableCompartmentFailsRestrictedAndIsLeftOutOfAccessible(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Problems = 40 })
	c := newClient(t, s, 0)
	tenancy := s.tenancies[0]
	hidden := tenancy.problems[slices.IndexFunc(tenancy.problems, func(p problem) bool { return p.where.parent != "" })].where
	query := []string{"compartmentId", tenancy.id, "compartmentIdInSubtree", "true"}
	before := len(c.all(t, problemsPath, append(slices.Clone(query), "accessLevel", "ACCESSIBLE")...))
	s.Deny(Denial{Permission: ReadCloudGuardProblems, Compartment: hidden.id})
	if answer := c.get(t, problemsPath, query...); answer.status != http.StatusNotFound {
		t.Errorf("RESTRICTED, the default: status = %d, want 404", answer.status)
	}
	list := c.all(t, problemsPath, append(slices.Clone(query), "accessLevel", "ACCESSIBLE")...)
	for _, p := range list {
		if p["compartmentId"] == hidden.id {
			t.Error("ACCESSIBLE lists a problem of the compartment that cannot be read")
		}
	}
	if len(list) >= before {
		t.Errorf("ACCESSIBLE lists %d problems, as many as before", len(list))
	}
}

func TestProblemsLiveThroughTheirStates(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Problems = 12 })
	details := map[string]bool{}
	reopened, rescanned := false, false
	for _, p := range s.tenancies[0].problems {
		if _, ok := p.at(p.options.First.Add(-time.Millisecond), s.config.End); ok {
			t.Errorf("%s is known before it was detected", p.options.ID)
		}
		last := p.options.First
		for i, c := range p.changes {
			o, ok := p.at(c.at, s.config.End)
			state := "INACTIVE"
			if c.detail == "OPEN" {
				state = "ACTIVE"
			}
			if !ok || o.Detail != c.detail || o.State != state {
				t.Errorf("%s at its change %d: %s %s, want %s %s", p.options.ID, i, o.State, o.Detail, state, c.detail)
			}
			if o.Last.Before(last) {
				t.Errorf("%s was last detected %s, before %s", p.options.ID, o.Last, last)
			}
			if c.detail != "OPEN" && !o.Last.Before(c.at) {
				t.Errorf("closing %s moved its last detection to %s", p.options.ID, o.Last)
			}
			reopened = reopened || i > 0 && c.detail == "OPEN"
			details[c.detail] = true
			last = o.Last
		}
		if p.rescan > 0 && len(p.changes) == 1 {
			before, _ := p.at(p.options.First.Add(p.rescan-time.Millisecond), s.config.End)
			after, _ := p.at(p.options.First.Add(p.rescan), s.config.End)
			if !before.Last.Equal(p.options.First) || !after.Last.Equal(p.options.First.Add(p.rescan)) {
				t.Errorf("a scan after %s moves the last detection from %s to %s", p.rescan, before.Last, after.Last)
			}
			rescanned = true
		}
	}
	if len(details) != 4 || !reopened || !rescanned {
		t.Errorf("states %v, reopened %t, re-scanned %t, want all four and both", details, reopened, rescanned)
	}
}

func TestProblemInFullHasWhatTheSummaryLacks(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	short := c.all(t, problemsPath, "compartmentId", s.tenancies[0].id, "compartmentIdInSubtree", "true")[0]
	id, _ := short["id"].(string)
	var long map[string]any
	decode(t, c.get(t, problemsPath+"/"+id).body, &long)
	if short["description"] != nil || long["description"] == nil || long["recommendation"] == nil {
		t.Errorf("description in the summary: %v, in full: %v, want it in full only", short["description"], long["description"])
	}
	for member, value := range short {
		if a, b := mustJSON(value), mustJSON(long[member]); a != b {
			t.Errorf("%s is %s in the summary and %s in full", member, a, b)
		}
	}
	histories := problemsPath + "/" + id + "/histories"
	if history := c.all(t, histories, "compartmentId", s.tenancies[0].id, "sortOrder", "ASC"); len(history) == 0 || history[0]["lifecycleDetail"] != "OPEN" {
		t.Errorf("history %v, want it to begin with OPEN", history)
	}
	if got := c.get(t, histories); got.status != http.StatusBadRequest {
		t.Errorf("history without a compartment: status = %d, want 400", got.status)
	}
	for _, path := range []string{"", "/histories", "/endpoints"} {
		if answer := c.get(t, problemsPath+"/ocid1.cloudguardproblem.oc1..x"+path, "compartmentId", s.tenancies[0].id); answer.status != http.StatusNotFound {
			t.Errorf("an unknown problem%s: status = %d, want 404", path, answer.status)
		}
	}
}

func TestEndpointsAreThoseOfActivityOnly(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Problems = 40 })
	c := newClient(t, s, 0)
	some := map[bool]bool{}
	for _, p := range s.tenancies[0].problems {
		answer := c.get(t, problemsPath+"/"+p.options.ID+"/endpoints")
		if answer.status != http.StatusOK {
			continue // not there yet, or not any more
		}
		activity := p.rescan == 0
		has := len(c.all(t, problemsPath+"/"+p.options.ID+"/endpoints")) > 0
		if has != activity {
			t.Errorf("%s has endpoints: %t, want %t", p.name, has, activity)
		}
		some[activity] = true
	}
	if !some[true] || !some[false] {
		t.Error("there is only one sort of problems: the test shows nothing")
	}
}

func TestUpdatesOfProblemsAreToldFromThenOn(t *testing.T) {
	at := now
	s := newSim(t, func(c *Config) { c.Clock = func() time.Time { return at } })
	c := newClient(t, s, 0)
	var id string
	for _, p := range s.tenancies[0].problems {
		if len(p.changes) == 1 && p.rescan > 0 {
			id = p.options.ID
			break
		}
	}
	read := func() map[string]any {
		var full map[string]any
		decode(t, c.get(t, problemsPath+"/"+id).body, &full)
		return full
	}
	first := read()
	for _, step := range []struct {
		update        ProblemUpdate
		state, detail string
		risk          any
		detected      bool
	}{
		{ProblemUpdate{Detail: "RESOLVED"}, "INACTIVE", "RESOLVED", first["riskLevel"], false},
		{ProblemUpdate{Detail: "OPEN"}, "ACTIVE", "OPEN", first["riskLevel"], true},
		{ProblemUpdate{Risk: "MINOR"}, "ACTIVE", "OPEN", "MINOR", false},
		{ProblemUpdate{Detected: true}, "ACTIVE", "OPEN", "MINOR", true},
		{ProblemUpdate{Detail: "DISMISSED", Comment: "accepted"}, "INACTIVE", "DISMISSED", "MINOR", false},
		{ProblemUpdate{Detail: "DELETED"}, "INACTIVE", "DELETED", "MINOR", false},
	} {
		before := read()
		at = at.Add(30 * time.Second)
		if err := s.UpdateProblem(id, step.update); err != nil {
			t.Fatal(err)
		}
		got := read()
		moved := got["timeLastDetected"] != before["timeLastDetected"]
		if got["lifecycleState"] != step.state || got["lifecycleDetail"] != step.detail || got["riskLevel"] != step.risk || moved != step.detected {
			t.Errorf("after %+v: got %v %v %v, detected again %t; want %s %s %v, %t", step.update,
				got["lifecycleState"], got["lifecycleDetail"], got["riskLevel"], moved, step.state, step.detail, step.risk, step.detected)
		}
	}
	if n := len(c.all(t, problemsPath+"/"+id+"/histories", "compartmentId", s.tenancies[0].id)); n != 5 {
		t.Errorf("got %d entries of the history, want the five steps of the lifecycle", n)
	}
	at = at.Add(30 * time.Second)
	if err := s.UpdateProblem(id, ProblemUpdate{Purged: true}); err != nil {
		t.Fatal(err)
	}
	if answer := c.get(t, problemsPath+"/"+id); answer.status != http.StatusNotFound {
		t.Errorf("a problem that was purged: status = %d, want 404", answer.status)
	}
	for _, wrong := range []struct {
		id     string
		update ProblemUpdate
	}{{"ocid1.cloudguardproblem.oc1..x", ProblemUpdate{Detail: "OPEN"}}, {id, ProblemUpdate{Detail: "CLOSED"}}} {
		if err := s.UpdateProblem(wrong.id, wrong.update); err == nil {
			t.Errorf("UpdateProblem(%q, %+v): got no error, want one", wrong.id, wrong.update)
		}
	}
}

func mustJSON(v any) string { return string(encode(v)) }

func TestReportingRegionIsTheHomeRegionAndDisabledIsSaid(t *testing.T) {
	for _, off := range []bool{false, true} {
		s := newSim(t, func(c *Config) { c.CloudGuardOff = off })
		c := newClient(t, s, 0)
		root := s.tenancies[0].id
		answer := c.get(t, "/us-ashburn-1/20200131/configuration", "compartmentId", root)
		status, list := "ENABLED", http.StatusOK
		if off {
			status, list = "DISABLED", http.StatusNotFound
		}
		if field(t, answer, "reportingRegion") != "eu-frankfurt-1" || field(t, answer, "status") != status {
			t.Errorf("off=%t: %s, want eu-frankfurt-1 and %s", off, answer.body, status)
		}
		if got := c.get(t, problemsPath, "compartmentId", root); got.status != list {
			t.Errorf("off=%t: ListProblems gives %d, want %d", off, got.status, list)
		}
		if got := c.get(t, "/20200131/configuration"); got.status != http.StatusBadRequest {
			t.Errorf("a configuration without a compartment: status = %d, want 400", got.status)
		}
	}
}

func TestTruthTellsTheProblemsThatAreServed(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Problems = 20 })
	c := newClient(t, s, 0)
	var served []string
	for _, state := range []string{"ACTIVE", "INACTIVE"} {
		served = append(served, names(c.all(t, problemsPath, "compartmentId", s.tenancies[0].id, "compartmentIdInSubtree", "true", "lifecycleState", state))...)
	}
	slices.Sort(served)
	var told []string
	for _, p := range s.Truth().Problems {
		told = append(told, p.ID)
		if len(p.Changes) == 0 || p.Changes[0].Detail != "OPEN" {
			t.Errorf("%s begins with %v, want OPEN", p.ID, p.Changes)
		}
	}
	slices.Sort(told)
	if !slices.Equal(served, told) || len(told) != 20 {
		t.Errorf("%d problems are served, %d are told, want 20 each", len(served), len(told))
	}
	none := newSim(t, func(c *Config) { c.Problems = -1 })
	if got := len(none.Truth().Problems); got != 0 {
		t.Errorf("%d problems though none were wanted", got)
	}
}
