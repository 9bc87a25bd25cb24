package rule

import (
	"errors"
	"strings"
	"testing"

	"benthos-oci/plugins/internal/expr"
)

func TestWhenIsReadAndPrinted(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"a", "a"},
		{"a and b", "a and b"},
		{"a and b or c", "(a and b) or c"},
		{"a and (b or c)", "a and (b or c)"},
		{"a then b", "a then b"},
		{"a THEN b WITHIN 10m", "a then b within 10m"},
		{"a then b then c", "a then b then c"},
		{"(a then b) then c", "a then b then c"},
		{"a then (b then c)", "a then b then c"},
		{"a then (b then c) within 5m", "a then (b then c) within 5m"},
		{"a then not b within 1h", "a then not b within 1h"},
		{"a then not (b or c) within 1h", "a then not (b or c) within 1h"},
		{"a then not b then c", "a then not b then c"},
		{"a and not b", "a and not b"},
		{"not b and a", "not b and a"},
		{"a or (b and not c)", "a or (b and not c)"},
		{"(a and b) then c", "(a and b) then c"},
		{"((a))", "a"},
		{"a then a", "a then a"},
	} {
		t.Run(c.source, func(t *testing.T) {
			r := &Rule{Patterns: []*Pattern{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
			n, _, err := parseWhen(c.source, []string{"a", "b", "c"})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.WhenText(n); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			again, _, err := parseWhen(r.WhenText(n), []string{"a", "b", "c"})
			if err != nil || r.WhenText(again) != c.want {
				t.Errorf("read again: got %v, %v", again, err)
			}
		})
	}
}

func TestWhenSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		source string
		offset int
		want   string
	}{
		{" ", 0, "the condition is empty"},
		{"not a", 0, "a condition cannot be only `not`"},
		{"not a and not b", 0, "silence alone never fires"},
		{"a or not b", 5, "`not` cannot stand under `or`"},
		{"not a or b", 0, "`not` cannot stand under `or`"},
		{"not a then b", 0, "a `not` cannot be the first step"},
		{"a and b then c", 0, "`and` beside `then` needs parentheses: write `(a and b) then c`"},
		{"a or b then c", 7, "`or` beside `then` needs parentheses: write `(a or b) then c`"},
		{"a then b and c", 9, "`and` beside `then` needs parentheses"},
		{"a then b or c", 9, "`or` beside `then` needs parentheses"},
		{"a then not b then not c", 18, "two `not`s cannot follow each other"},
		{"a within 5m", 2, "`within` stands behind a step of `then`"},
		{"a and b within 5m", 8, "`within` stands behind a step of `then`"},
		{"a then b within", 15, "a duration is numbers with units"},
		{"a then b within 5", 16, "a duration is numbers with units"},
		{"a then b within 0s", 16, "`within` is longer than 0"},
		{"a then", 6, "the name of a pattern is missing at the end"},
		{"a then then b", 7, "the name of a pattern is missing before \"then\""},
		{"(a", 2, "`)` is missing at the end"},
		{"a b", 2, `"b" stands where the condition should end`},
		{"a then d", 7, `unknown pattern "d": did you mean "a"?`},
		{"a then banana", 7, `unknown pattern "banana": known are a, b, c`},
		{"a and not not b", 10, "a `not` cannot stand within a `not`"},
		{"a and not (b and not c)", 6, "a `not` cannot stand within a `not`"},
		{"a and (not b)", 6, "without parentheses around it"},
		{strings.Repeat("(", maxDepth+1) + "a", maxDepth, "nested deeper"},
	} {
		t.Run(c.source, func(t *testing.T) {
			_, _, err := parseWhen(c.source, []string{"a", "b", "c"})
			var e *expr.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *expr.Error", err)
			}
			if e.Offset != c.offset || !strings.Contains(e.Text, c.want) {
				t.Errorf("got %d: %s\nwant %d: %s", e.Offset, e.Text, c.offset, c.want)
			}
		})
	}
}

func TestAbsenceWithoutALengthLastsAsLongAsTheWindow(t *testing.T) {
	r := one(t, head+"window: 20m\npatterns: {a: {match: {status: Success}}, b: {match: {status: Failure}}}\nwhen: a then not b")
	if got := r.When.(*Then).Steps[1].Within; got != r.Window {
		t.Errorf("got %s, want %s", got, r.Window)
	}
}

func TestPositivePatternsStandOutsideOfEveryNot(t *testing.T) {
	r := one(t, head+"window: 20m\npatterns: {a: {match: {status: Success}}, b: {match: {status: Failure}}}\nwhen: a then not b")
	if got := r.Positive(); !got[0] || got[1] {
		t.Errorf("got %v", got)
	}
}

func TestMonotoneOfEachPart(t *testing.T) {
	const patterns = "window: 20m\npatterns: {a: {match: {status: Success}, having: %s}, b: {match: {status: Failure}}}\nwhen: "
	for _, c := range []struct {
		having, when string
		want         bool
	}{
		{"count() >= 2", "a then b", true},
		{"count() >= 2", "a and b", true},
		{"count() >= 2", "a or b", true},
		{"count() == 2", "a then b", false},
		{"avg(risk_score) > 2", "a or b", false},
		{"count() >= 2", "a and not b", false},
		{"count() >= 2", "a then not b", false},
	} {
		r := one(t, head+strings.Replace(patterns, "%s", c.having, 1)+c.when)
		if got := r.Monotone(); got != c.want {
			t.Errorf("%s, having %s: got %t, want %t", c.when, c.having, got, c.want)
		}
	}
}

func FuzzWhen(f *testing.F) {
	for _, seed := range []string{"a then not b within 1h", "(a or b) and not c", "a then (b then c) within 5m then c", "a and not (b or c)"} {
		f.Add(seed)
	}
	names := []string{"a", "b", "c"}
	r := &Rule{Patterns: []*Pattern{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	f.Fuzz(func(t *testing.T, source string) {
		n, _, err := parseWhen(source, names)
		if err != nil {
			var e *expr.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(source) {
				t.Fatalf("the error %v has no place in %q", err, source)
			}
			return
		}
		text := r.WhenText(n)
		again, _, err := parseWhen(text, names)
		if err != nil {
			t.Fatalf("%q was printed as %q, which cannot be read: %v", source, text, err)
		}
		if r.WhenText(again) != text {
			t.Fatalf("%q was printed as %q and then as %q", source, text, r.WhenText(again))
		}
	})
}
