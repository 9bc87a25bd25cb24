package match

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// TestAMatchAllocatesItsKeyOnce states what a match costs: the key, its list, and a text of its own with its two words;
// rules with the same condition and key share all of it.
func TestAMatchAllocatesItsKeyOnce(t *testing.T) {
	const want = 4
	body := "window: 10m\ngroup_by: {who: actor.user.name}\nmatch: {api.operation: GetInstance, status: Success}\nhaving: count() >= 5"
	for _, rules := range []int{1, 50} {
		bodies := make([]string, rules)
		for i := range bodies {
			bodies[i] = body
		}
		s, ev := compiled(t, bodies...), noise()
		hits := s.Match(ev, nil)
		if len(hits) != rules {
			t.Fatalf("got %d hits, want %d", len(hits), rules)
		}
		if n := testing.AllocsPerRun(100, func() { hits = s.Match(ev, hits[:0]) }); n != want {
			t.Errorf("%d rules: got %v allocations, want %d", rules, n, want)
		}
	}
}

// TestSharedAnswersAreThoseOfOneEvent gives a set one event after the other, and another set the same ones.
func TestSharedAnswersAreThoseOfOneEvent(t *testing.T) {
	// The index finds all of them by the operation; the status is asked for then.
	body := "group_by: {who: user.name}\nmatch: {api.operation: Do, status: Success}"
	failure := "match: {api.operation: Do, status: Failure}"
	two, other := compiled(t, body, body), compiled(t, body, body, failure, failure)
	look := func(s *Set, status, who string) []string {
		var got []string
		for _, h := range s.Match(&event.Event{Doc: map[string]any{"api": map[string]any{"operation": "Do"}, "status": status, "user": map[string]any{"name": who}}}, nil) {
			got = append(got, fmt.Sprint(h.Rule, h.Key))
		}
		return got
	}
	for _, c := range []struct {
		set         *Set
		status, who string
		want        []string
	}{
		{two, "Success", "a", []string{"0 [a]", "1 [a]"}},
		{two, "Failure", "a", nil},
		{other, "Failure", "b", []string{"2 []", "3 []"}},
		{two, "Success", "b", []string{"0 [b]", "1 [b]"}},
		{other, "Success", "c", []string{"0 [c]", "1 [c]"}},
	} {
		if diff := cmp.Diff(c.want, look(c.set, c.status, c.who)); diff != "" {
			t.Errorf("%s by %s (-want +got):\n%s", c.status, c.who, diff)
		}
	}
}

// TestOnlyEqualConditionsAreShared holds what tells conditions apart to all that they differ in.
func TestOnlyEqualConditionsAreShared(t *testing.T) {
	spellings := map[string]string{}
	for _, condition := range []string{
		"{user.name: a}", "{user.name: b}", "{status: a}", "{user.name|cased: a}", "{user.name|contains: a}", "{user.name|startswith: a}", "{user.name|endswith: a}",
		"{user.name: 'a*b'}", "{user.name: '*a*b'}", "{user.name: 'a?'}", "{user.name|cased: 'a*b'}", "{user.name|re: a}", "{user.name|re: b}", "{user.name|re|i: a}",
		"{src_endpoint.ip|cidr: 10.0.0.0/8}", "{src_endpoint.ip|cidr: 10.0.0.0/9}", "{activity_id: 1}", "{activity_id|gt: 1}", "{activity_id|gte: 1}", "{activity_id|lt: 1}",
		"{activity_id|gt: 1.5}", "{user.name: null}", "{user.name|exists: true}", "{user.name|exists: false}", "{user.name|fieldref: actor.user.name}", "{user.name|fieldref: user.uid}",
		"{user.name|expand: '%x%'}", "{user.name|expand: '%y%'}", "{user.name: [a, b]}", "[{user.name: a}, {status: b}]", "{user.name: a, status: b}", "{user.name|contains|all: [a, b]}",
	} {
		found, problems := rule.Parse("rule.yaml", []byte("id: r\ntitle: R\nseverity: low\nmatch: "+condition), rule.Options{Inline: true})
		if problems.Err() != nil {
			t.Fatalf("%s: %v", condition, problems.Err())
		}
		text := spelled(found[0].Patterns[0].Match)
		if other, taken := spellings[text]; taken {
			t.Errorf("%s and %s are taken for the same: %s", other, condition, text)
		}
		spellings[text] = condition
	}
}

// TestKeysHoldNothingElseOfTheEvent changes the memory that an event's texts are parts of.
func TestKeysHoldNothingElseOfTheEvent(t *testing.T) {
	s := compiled(t, "group_by: {who: user.name, of: resources.name}\nlet: {all: resources.name}\nmatch: {status: Success}\nincident: {attributes: {all: all}}")
	texts := []byte("alicefirstsecond")
	text := func(from, to int) string { return unsafe.String(&texts[from], to-from) }
	ev := &event.Event{Doc: map[string]any{
		"status": "Success", "user": map[string]any{"name": text(0, 5)},
		"resources": []any{map[string]any{"name": text(5, 10)}, map[string]any{"name": text(10, 16)}},
	}}
	hits := s.Match(ev, nil)
	got := func() string { return fmt.Sprint(hits) }
	before := got()
	for i := range texts {
		texts[i] = 'x'
	}
	if len(hits) != 2 || len(hits[0].Captures) == 0 || !strings.Contains(before, "[alice first]") || got() != before {
		t.Errorf("got %s, then %s, want the keys and captures that the event had, twice", before, got())
	}
}
