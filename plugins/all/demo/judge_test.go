package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

// day is a truth with two attacks, one thing that only looks like one, and three events.
func day() *ocisim.Truth {
	return &ocisim.Truth{
		Events:   []ocisim.EventTruth{{ID: "a"}, {ID: "b"}, {ID: "c"}},
		Problems: []ocisim.ProblemTruth{{ID: "p"}},
		Stories: []ocisim.Story{
			{Name: "key", Raises: []ocisim.Raise{{Rule: "r1", Key: map[string]string{"user": "eve"}, Events: 1}}},
			{Name: "both", Raises: []ocisim.Raise{
				{Rule: "r1", Key: map[string]string{"user": "bob"}, Events: 1},
				{Rule: "r2", Key: map[string]string{"user": "bob", "ip": "x"}, Events: 2},
			}},
			{Name: "harmless", Silent: []string{"r1"}},
		},
	}
}

// found is what comes out when all is right.
func found() map[string]*finding {
	return map[string]*finding{
		"1": {id: "1", rule: "r1", key: map[string]string{"user": "eve"}, count: 1, first: time.UnixMilli(1)},
		"2": {id: "2", rule: "r1", key: map[string]string{"user": "bob"}, count: 1, first: time.UnixMilli(2)},
		"3": {id: "3", rule: "r2", key: map[string]string{"ip": "x", "user": "bob"}, count: 2, first: time.UnixMilli(2)},
	}
}

func TestTheVerdictNamesWhatIsMissingAndWhatIsBesides(t *testing.T) {
	right := Verdict{Stories: 2, Found: 2, Missing: []string{}, Besides: []string{}, Events: 3, Problems: 1}
	for _, test := range []struct {
		name   string
		change func(*watcher)
		want   Verdict
		says   string
	}{
		{
			"all right", func(*watcher) {}, right,
			"2 of 2 attacks found, none besides; each of 3 events arrived exactly once",
		},
		{
			"an incident of an attack is missing", func(w *watcher) { delete(w.found, "3") },
			Verdict{Stories: 2, Found: 1, Missing: []string{"both: r2 {ip: x, user: bob} of 2 events"}, Besides: []string{}, Events: 3, Problems: 1},
			"1 of 2 attacks found, none besides; each of 3 events arrived exactly once",
		},
		{
			"an incident counts another number of events", func(w *watcher) { w.found["1"].count = 2 },
			Verdict{
				Stories: 2, Found: 1, Missing: []string{"key: r1 {user: eve} of 1 events"},
				Besides: []string{"r1 {user: eve} of 2 events"}, Events: 3, Problems: 1,
			},
			"1 of 2 attacks found, and 1 incident besides; each of 3 events arrived exactly once",
		},
		{
			"an incident of what is harmless", func(w *watcher) {
				w.found["4"] = &finding{id: "4", rule: "r1", key: map[string]string{"user": "ops"}, count: 1}
			},
			Verdict{Stories: 2, Found: 2, Missing: []string{}, Besides: []string{"r1 {user: ops} of 1 events"}, Events: 3, Problems: 1},
			"2 of 2 attacks found, and 1 incident besides; each of 3 events arrived exactly once",
		},
		{
			"an event is lost and one comes twice", func(w *watcher) { w.events = map[string]int{"a": 2, "b": 1} },
			Verdict{Stories: 2, Found: 2, Missing: []string{}, Besides: []string{}, Events: 3, Lost: 1, Twice: 1, Problems: 1},
			"2 of 2 attacks found, none besides; of 3 events 1 were lost and 1 arrived twice",
		},
		{
			"a problem is lost", func(w *watcher) { w.problems = nil },
			Verdict{Stories: 2, Found: 2, Missing: []string{}, Besides: []string{}, Events: 3, Problems: 1, LostProblems: 1},
			"2 of 2 attacks found, none besides; each of 3 events arrived exactly once; of 1 Cloud Guard problems 1 were lost",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &watcher{events: map[string]int{"a": 1, "b": 1, "c": 1}, problems: map[string]int{"p": 2}, found: found()}
			test.change(w)
			got := judge(day(), w)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if got.String() != test.says {
				t.Errorf("says %q, want %q", got, test.says)
			}
			if want := test.name == "all right"; got.Right() != want {
				t.Errorf("right: got %v, want %v", got.Right(), want)
			}
		})
	}
}

func TestKeysAreShortOnTheScreenAndTellResourcesApart(t *testing.T) {
	for _, test := range []struct {
		name string
		key  map[string]string
		want string
	}{
		{"nothing", nil, ""},
		{"names as they are, in order", map[string]string{"user": "eve", "ip": "192.0.2.1"}, "ip: 192.0.2.1, user: eve"},
		{"the end of an OCID", map[string]string{"user": "ocid1.user.oc1..aaaabbbbcccc123456"}, "user: user..123456"},
		{"what only begins as an OCID", map[string]string{"user": "ocid1."}, "user: ocid1."},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := shortKey(test.key); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
