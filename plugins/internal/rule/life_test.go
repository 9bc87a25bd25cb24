package rule

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
)

func TestCloseOnAddsAPatternWithTheKeyOfTheRule(t *testing.T) {
	r := one(t, head+`
group_by: {user: user.uid}
match: {api.operation: DeleteUser}
incident:
  close_on: {match: {api.operation: CreateUser}, group_by: {user: user.uid}}
  close_after: 2h
  update_every: 10m
`)
	ref, ok := r.Incident.CloseOn.(*Ref)
	if !ok || ref.Pattern != 1 || len(r.Patterns) != 2 {
		t.Fatalf("got %#v over %d patterns, want the second of two", r.Incident.CloseOn, len(r.Patterns))
	}
	if got := r.Patterns[1].GroupBy[0].Alias; got != "user" {
		t.Errorf("got key %q, want user", got)
	}
	if got := []time.Duration{r.Incident.CloseAfter, r.Incident.UpdateEvery}; !slices.Equal(got, []time.Duration{2 * time.Hour, 10 * time.Minute}) {
		t.Errorf("got %v", got)
	}
	if got := r.Positive(); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("got positive %v: what closes cannot fire", got)
	}
	if !r.Monotone() {
		t.Error("what closes a rule must not keep it from firing at once")
	}
}

func TestCloseOnIsAConditionOverPatterns(t *testing.T) {
	r := one(t, head+`
window: 10m
patterns:
  down: {match: {api.operation: DeleteUser}}
  up: {match: {api.operation: CreateUser}}
  seen: {match: {class_name: Authentication}}
when: down
incident: {close_on: up then not seen within 1h}
`)
	if got, want := r.WhenText(r.Incident.CloseOn), "up then not seen within 1h"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStateHashKnowsWhatClosesAndWhoseIncidentsAreTaken(t *testing.T) {
	hashes := map[string]string{}
	for name, text := range map[string]string{
		"plain":           "match: {status: Failure}",
		"closed":          "match: {status: Failure}\nincident: {close_on: {match: {status: Success}}}",
		"closed by other": "match: {status: Failure}\nincident: {close_on: {match: {status: Unknown}}}",
		"incidents":       "match: {status: Failure}\nincidents: a",
		"incidents of b":  "match: {status: Failure}\nincidents: b",
		"hour":            "match: {time|hour: 1}",
		"day":             "match: {time|day: 1}",
	} {
		hash := one(t, head+text).StateHash
		for other, h := range hashes {
			if h == hash {
				t.Errorf("%s and %s have the same state", name, other)
			}
		}
		hashes[name] = hash
	}
	if got := one(t, head+"match: {status: Failure}\nincident: {close_after: 1h, update_every: 1m}").StateHash; got != hashes["plain"] {
		t.Error("close_after and update_every must keep saved state")
	}
	if got := one(t, head+"match: {status: Failure}\nincident: {title: '{user.name}', attributes: {from: src_endpoint.ip}}").StateHash; got != hashes["plain"] {
		t.Error("other words must keep saved state, also where they name other fields")
	}
}

func TestOverridesKeepWhatCloses(t *testing.T) {
	r := one(t, head+`
window: 10m
match: {status: Failure}
having: count() > 3
incident: {close_on: {match: {status: Success}}}
`)
	o, problems := ParseOverrides("o.yaml", []byte("rules: {x: {having: count() > 5, close_after: 3h, update_every: 5m}}"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	changed, problems := Apply([]*Rule{r}, o)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := []string{changed[0].Patterns[0].Having.String(), changed[0].Incident.CloseAfter.String(), changed[0].Incident.UpdateEvery.String(), changed[0].WhenText(changed[0].Incident.CloseOn)}
	if diff := cmp.Diff([]string{"count() > 5", "3h0m0s", "5m0s", "close_on"}, got); diff != "" {
		t.Errorf("other values (-want +got):\n%s", diff)
	}
}

func TestScheduleHoldsFromItsFirstMinuteToBeforeItsLast(t *testing.T) {
	for _, c := range []struct {
		schedule, at string
		want         bool
	}{
		{"{hours: '22:00-06:00'}", "2026-11-20T21:59:59.999Z", false},
		{"{hours: '22:00-06:00'}", "2026-11-20T22:00:00Z", true},
		{"{hours: '22:00-06:00'}", "2026-11-21T05:59:59.999Z", true},
		{"{hours: '22:00-06:00'}", "2026-11-21T06:00:00Z", false},
		{"{hours: '22:00-06:00', days: [fri]}", "2026-11-20T22:00:00Z", true},  // Friday
		{"{hours: '22:00-06:00', days: [fri]}", "2026-11-21T05:59:00Z", true},  // the night of Friday
		{"{hours: '22:00-06:00', days: [fri]}", "2026-11-20T05:59:00Z", false}, // that of Thursday
		{"{days: sat-sun}", "2026-11-20T23:59:59.999Z", false},
		{"{days: sat-sun}", "2026-11-21T00:00:00Z", true},
		{"{days: sat-mon}", "2026-11-23T23:59:00Z", true},
		{"{days: sat-mon}", "2026-11-24T00:00:00Z", false},
		{"{hours: '08:00-24:00'}", "2026-11-21T23:59:59Z", true},
		{"{hours: '08:00-09:00', zone: '+02:00'}", "2026-11-21T06:00:00Z", true},
		{"{hours: '08:00-09:00', zone: '+02:00'}", "2026-11-21T08:00:00Z", false},
		{"{hours: '08:00-09:00', zone: Europe/Berlin}", "2026-07-01T06:00:00Z", true}, // summer time
		{"{hours: '08:00-09:00', zone: Europe/Berlin}", "2026-11-21T06:00:00Z", false},
		{"{hours: '08:00-09:00', zone: Europe/Berlin}", "2026-11-21T07:00:00Z", true},
		{"[{days: mon}, {days: sat}]", "2026-11-21T07:00:00Z", true},
		{"[{days: mon}, {days: sat}]", "2026-11-22T07:00:00Z", false},
	} {
		r := one(t, head+"match: {status: Failure}\nexceptions: [{reason: night, schedule: "+c.schedule+"}]")
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Exceptions[0].Holds(event.TimeOf(at)); got != c.want {
			t.Errorf("%s at %s: got %t, want %t", c.schedule, c.at, got, c.want)
		}
	}
}

func TestExceptionHoldsFromItsBeginningToBeforeItsEnd(t *testing.T) {
	r := one(t, head+"match: {status: Failure}\nexceptions: [{reason: move, from: 2027-06-29, until: 2027-06-30T12:00:00Z}]")
	for at, want := range map[string]bool{
		"2027-06-28T23:59:59.999Z": false, "2027-06-29T00:00:00Z": true, "2027-06-30T11:59:59.999Z": true, "2027-06-30T12:00:00Z": false,
	} {
		parsed, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Exceptions[0].Holds(event.TimeOf(parsed)); got != want {
			t.Errorf("at %s: got %t, want %t", at, got, want)
		}
	}
}
