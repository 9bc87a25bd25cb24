package window

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestInsertKeepsTimeThenIDOrder(t *testing.T) {
	s := New(2)
	for _, e := range []Entry{
		{ID: "c", Time: 2, Patterns: 1}, {ID: "b", Time: 1, Patterns: 2}, {ID: "a", Time: 1, Patterns: 1}, {ID: "d", Time: 0, Patterns: 3},
	} {
		if _, grown := s.Insert(e); !grown {
			t.Errorf("%s was not inserted", e.ID)
		}
	}
	if diff := cmp.Diff([]string{"d", "a", "b", "c"}, ids(s.All())); diff != "" {
		t.Errorf("all (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d", "b"}, ids(s.Pattern(1))); diff != "" {
		t.Errorf("pattern 1 (-want +got)\n%s", diff)
	}
}

func TestInsertCountsAnIDOnce(t *testing.T) {
	for _, others := range []int{0, 2 * indexFrom} {
		s := New(2)
		for i := range others {
			s.Insert(Entry{ID: "other" + strconv.Itoa(i), Time: int64(i), Patterns: 1})
		}
		first, _ := s.Insert(Entry{ID: "e", Time: 5, Patterns: 1, Values: [][]any{{"a"}}})
		again, grown := s.Insert(Entry{ID: "e", Time: 9, Patterns: 1})
		if grown || again != first || again.Time != 5 {
			t.Errorf("the same id was taken twice: grown %t, time %d", grown, again.Time)
		}
		merged, grown := s.Insert(Entry{ID: "e", Time: 5, Patterns: 2, Values: [][]any{nil, {"b"}}})
		if !grown || merged != first || merged.Patterns != 3 {
			t.Errorf("a second pattern of the event was not taken: grown %t, patterns %b", grown, merged.Patterns)
		}
		if diff := cmp.Diff([][]any{{"a"}, {"b"}}, merged.Values); diff != "" {
			t.Errorf("values (-want +got)\n%s", diff)
		}
		if s.Len() != others+1 {
			t.Errorf("%d entries, want %d", s.Len(), others+1)
		}
	}
}

func TestPruneTakesWhatIsNotLaterThanTheTime(t *testing.T) {
	s := New(1)
	for i := range 40 {
		s.Insert(Entry{ID: strconv.Itoa(i), Time: int64(i), Patterns: 1})
	}
	gone := s.Prune(9)
	if len(gone) != 10 || s.Len() != 30 || s.All()[0].Time != 10 {
		t.Errorf("%d gone, %d left from %d on; want 10, 30, 10", len(gone), s.Len(), s.All()[0].Time)
	}
	if s.Find("9") != nil || s.Find("10") == nil {
		t.Error("Find knows an entry that is gone, or not one that is left")
	}
	if gone := s.Prune(9); gone != nil {
		t.Errorf("%d gone the second time", len(gone))
	}
	if s.Prune(MaxTime); s.Len() != 0 {
		t.Errorf("%d left", s.Len())
	}
}

func TestCountAndSelectAgreeWithHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(2)
		for i := range rapid.IntRange(0, 20).Draw(t, "entries") {
			s.Insert(Entry{ID: strconv.Itoa(i), Time: int64(rapid.IntRange(0, 6).Draw(t, "time")), Patterns: uint64(rapid.IntRange(1, 3).Draw(t, "patterns"))})
		}
		iv := Interval{
			After: int64(rapid.IntRange(-1, 6).Draw(t, "after")), To: int64(rapid.IntRange(-1, 7).Draw(t, "to")),
			NotFirst: uint64(rapid.IntRange(0, 3).Draw(t, "not first")), NotLast: uint64(rapid.IntRange(0, 3).Draw(t, "not last")),
		}
		for p := range 2 {
			var want []string
			for _, e := range s.All() {
				if e.Patterns&(1<<p) != 0 && iv.Has(e) {
					want = append(want, e.ID)
				}
			}
			if got := s.Count(p, iv); got != len(want) {
				t.Fatalf("pattern %d in %+v: count is %d, want %d", p, iv, got, len(want))
			}
			if got := ids(s.Select(p, iv)); !slices.Equal(want, got) {
				t.Fatalf("pattern %d in %+v: got %v, want %v", p, iv, got, want)
			}
		}
	})
}

func ids(list []*Entry) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.ID)
	}
	return out
}

// TestSlideAgreesWithCounting moves a slide to and fro while entries come and go.
func TestSlideAgreesWithCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(1)
		tally := &Tally{Value: func(e *Entry) []any { return e.Values[0] }, Identity: func(v any) any { return v }}
		l := NewSlide(0, []Counter{tally})
		pruned := int64(MinTime)
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				to := int64(rapid.IntRange(0, 30).Draw(t, "prune"))
				for _, e := range s.Prune(to) {
					l.Pruned(e)
				}
				pruned = max(pruned, to)
			case 1, 2:
				at := int64(rapid.IntRange(0, 40).Draw(t, "time"))
				if at <= pruned {
					continue
				}
				e, _ := s.Insert(Entry{ID: strconv.Itoa(i), Time: at, Patterns: 1, Values: [][]any{{rapid.IntRange(0, 3).Draw(t, "value")}}})
				l.Inserted(e)
			default:
				to := int64(rapid.IntRange(0, 45).Draw(t, "to"))
				after := to - int64(rapid.IntRange(1, 20).Draw(t, "length"))
				l.Move(s, after, to)
				values := map[any]bool{}
				for _, e := range s.Between(after, to) {
					values[e.Values[0][0]] = true
				}
				if got, want := l.Count(), len(s.Between(after, to)); got != want {
					t.Fatalf("count in (%d, %d] is %d, want %d", after, to, got, want)
				}
				if got, want := tally.Distinct(), len(values); got != want {
					t.Fatalf("distinct in (%d, %d] is %d, want %d", after, to, got, want)
				}
			}
		}
	})
}
