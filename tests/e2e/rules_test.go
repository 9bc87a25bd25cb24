package e2e

import (
	"testing"

	"gopkg.in/yaml.v3"
)

// busyRules fire on the noise of a tenancy, hundreds of times a day, one for each kind of condition:
// the shipped rules alone would leave most events out of what is compared.
const busyRules = `
- id: e2e-count
  title: Three calls within half an hour
  description: Detects a user who calls three times.
  severity: low
  window: 30m
  group_by: [actor.user.name]
  match: {class_name: API Activity, status: Success}
  having: count() >= 3
  incident: {title: "{actor.user.name} called {count()} times", per: 1h}
- id: e2e-distinct
  title: Two operations from one address
  description: Detects an address that calls two operations.
  severity: low
  window: 1h
  group_by: [src_endpoint.ip]
  match: {class_name: API Activity}
  having: distinct(api.operation) > 1
  incident: {title: "{src_endpoint.ip} called {distinct(api.operation)} operations", per: 6h}
- id: e2e-then
  title: A list, then a get
  description: Detects a user who lists and then reads.
  severity: low
  window: 1h
  group_by: [actor.user.name]
  patterns:
    lists: {match: {api.operation|startswith: List}}
    gets: {match: {api.operation|startswith: Get}}
  when: lists then gets within 20m
  incident: {title: "{gets.actor.user.name} read", per: 2h}
- id: e2e-and
  title: A list and a get
  description: Detects a user who lists and reads, in whatever order.
  severity: low
  window: 20m
  group_by: [actor.user.name]
  patterns:
    lists: {match: {api.operation|startswith: List}}
    gets: {match: {api.operation|startswith: Get}}
  when: lists and gets
  incident: {title: "{gets.actor.user.name} read", per: 2h}
- id: e2e-silence
  title: A sign-in without a call after it
  description: Detects a user who signs in and then calls nothing.
  severity: low
  patterns:
    in:
      match: {class_name: Authentication, status: Success}
      group_by: {user: user.name}
    work:
      match: {class_name: API Activity}
      group_by: {user: actor.user.name}
  when: in then not work within 40m
  incident: {title: "{in.user.name} is silent", per: 3h}
- id: e2e-exact
  title: Exactly two calls within an hour
  description: Detects a user who calls twice and no more, which cannot be known at once.
  severity: low
  window: 1h
  group_by: [actor.user.name]
  match: {class_name: API Activity}
  having: count() == 2
  incident: {title: "{actor.user.name} called twice", per: 24h}
`

// busy makes a correlate judge busyRules beside the shipped ones.
func busy(t *testing.T, correlate map[string]any) {
	t.Helper()
	var rules []any
	if err := yaml.Unmarshal([]byte(busyRules), &rules); err != nil {
		t.Fatal(err)
	}
	correlate["rules"] = rules
}

// checkBusy says that each of busyRules raised enough incidents for a comparison to mean something.
func checkBusy(t *testing.T, set map[string]settled) {
	t.Helper()
	counts := map[string]int{}
	for _, s := range set {
		counts[s.Rule]++
	}
	for _, id := range []string{"e2e-count", "e2e-distinct", "e2e-then", "e2e-and", "e2e-silence", "e2e-exact"} {
		if counts[id] < 20 {
			t.Errorf("the rule %s raised %d incidents, want at least 20: %s", id, counts[id], ruleCounts(set))
		}
	}
	t.Logf("incidents: %s", ruleCounts(set))
}
