package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePrintsTheCanonicalText(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"count()>=5 and distinct( user.name )>5", "count() >= 5 and distinct(user.name) > 5"},
		{"a = 1 or b <> 2", "a == 1 or b != 2"},
		{"a or b and c", "a or b and c"},
		{"(a or b) and c", "(a or b) and c"},
		{"a - (b - c) - d", "a - (b - c) - d"},
		{"a * (b + c) / d", "a * (b + c) / d"},
		{"not (a and b)", "not (a and b)"},
		{"not a == b", "not a == b"},
		{"(a < b) == c", "(a < b) == c"},
		{"a not in [1, 'x', \"y\"]", `not a in [1, "x", "y"]`},
		{"a is not null", "a is not null"},
		{"- a", "-a"},
		{"--5", "--5"},
		{"5.0", "5"},
		{"1.5e3", "1500"},
		{"1.5e300", "1.5e+300"},
		{"90m + 2w", "1h30m + 14d"},
		{"1500ms", "1s500ms"},
		{"0s", "0s"},
		{`raw.data."opc-request-id".x`, `raw.data."opc-request-id".x`},
		{"`a-b` > 1", "`a-b` > 1"},
		{`'it''s'`, `"it's"`},
		{`'i".c = '`, `"i\".c = "`},
		{`"tab\there"`, `"tab\there"`},
		{"fail.count() > 2", "fail.count() > 2"},
		{"values(user.name, 20)", "values(user.name, 20)"},
		{"percentile(risk_score, 99.5) > 3", "percentile(risk_score, 99.5) > 3"},
		{"if(a > 1, lower(b), coalesce(c, 'x'))", `if(a > 1, lower(b), coalesce(c, "x"))`},
		{"true", "true"},
		{"null is null", "null is null"},
	} {
		t.Run(c.source, func(t *testing.T) {
			e := parse(t, c.source)
			if e.String() != c.want {
				t.Errorf("got %s, want %s", e, c.want)
			}
			if again := parse(t, e.String()); again.String() != c.want {
				t.Errorf("read again: got %s, want %s", again, c.want)
			}
		})
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct {
		source string
		offset int
		want   string
	}{
		{"", 0, "the expression is empty"},
		{"  ", 0, "the expression is empty"},
		{"a +", 3, "a value is missing"},
		{"a b", 2, `"b" stands where the expression should end or an operator should follow`},
		{"(a", 2, "a parenthesis is not closed: `)` is missing before the end"},
		{"a < b < c", 6, "comparisons cannot be chained: join them by `and`"},
		{"a == null", 2, "a comparison with null is never true: write `is null` or `is not null`"},
		{"a is 5", 5, `"5"`},
		{"lowr(a)", 0, `unknown function "lowr": did you mean "lower"?`},
		{"quux_function(a)", 0, `unknown function "quux_function"`},
		{"1 + lower(a, b)", 4, "lower takes 1 argument, not 2: lower(text)"},
		{"percentile(a)", 0, "percentile takes 2 arguments, not 1"},
		{"percentile(a, 101)", 0, "from 1 to 100"},
		{"values(a, 2.5)", 0, "from 1 to 1000"},
		{"values(a, b)", 0, "from 1 to 1000"},
		{"sum(count())", 4, "count cannot stand inside of sum"},
		{"a.b.count()", 0, "is neither an aggregate nor a pattern's"},
		{"a && b", 2, "write `and` instead of &&"},
		{"a || b", 2, "write `or` instead of ||"},
		{"!a", 0, "write `not` instead of !"},
		{"${x}", 0, "a field is written as it is"},
		{"a-b", 1, "a minus needs spaces around it"},
		{"'abc", 0, "a string is not closed"},
		{`"a\q"`, 0, "a string has an escape that is not known"},
		{"10x", 0, "is neither a number nor a duration"},
		{"a.", 2, "a name is missing after the dot"},
		{"a..b", 2, "a name is missing after the dot"},
		{"cidr(a, 33)", 0, "the bits of IPv4 are a number from 0 to 32"},
		{"cidr(a, 24, 129)", 0, "the bits of IPv6 are a number from 0 to 128"},
		{"matches(a, b)", 0, "the regular expression is a text in quotes"},
		{"matches(a, '(')", 0, "error parsing regexp"},
		{"extract(a, 'x')", 0, "has one (group)"},
		{"hour(time, 'Mars')", 0, "the offset from UTC"},
		{"a ~ b", 2, "'~' cannot stand in an expression"},
		{"\xff", 0, "not valid UTF-8"},
		{"and", 0, `a value is missing before "and"`},
		{"[1, 2", 5, "`,` or `]` is missing before the end"},
	} {
		t.Run(c.source, func(t *testing.T) {
			_, err := Parse(c.source)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Offset != c.offset || !strings.Contains(e.Text, c.want) {
				t.Errorf("got %d: %s\nwant %d: %s", e.Offset, e.Text, c.offset, c.want)
			}
		})
	}
}

func TestParseRefusesWhatIsTooLarge(t *testing.T) {
	for name, source := range map[string]string{
		"long":   strings.Repeat("a + ", maxText),
		"deep":   strings.Repeat("(", maxDepth+1) + "a" + strings.Repeat(")", maxDepth+1),
		"minus":  strings.Repeat("-", maxDepth+1) + "a",
		"chain":  "a" + strings.Repeat("+a", maxDepth*3),
		"parts":  "[" + strings.Repeat("1,", maxNodes) + "1]",
		"escape": `"` + strings.Repeat("\x01", maxText/2) + `"`,
		"nested": strings.Repeat("lower(", maxDepth+1) + "a" + strings.Repeat(")", maxDepth+1),
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := Parse(source); err == nil {
				t.Errorf("got %d parts, want an error", e.size)
			}
		})
	}
}

func TestReplaceRefusesToGrowWithoutEnd(t *testing.T) {
	e := parse(t, "a + a")
	for range 20 {
		bigger, err := e.Replace(func(Ref, *Aggregate) *Expr { return e })
		if err != nil {
			return
		}
		e = bigger
	}
	t.Errorf("got an expression of %d parts, want an error", e.size)
}

func TestUsesNamesEveryPlace(t *testing.T) {
	e := parse(t, "fail.distinct(user.name) > 5 and x.y == 1")
	var got []string
	for _, u := range e.Uses() {
		text := u.Ref.String()
		if u.IsCall {
			text = u.Call.String()
		} else if u.Call != nil {
			text += " in " + u.Call.Func
		}
		got = append(got, text)
	}
	want := []string{"fail.distinct(user.name)", "user.name in distinct", "x.y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if offset := e.Uses()[2].Offset; offset != 33 {
		t.Errorf("got offset %d of x.y, want 33", offset)
	}
}

func TestConjunctsAreWhatAndJoins(t *testing.T) {
	e := parse(t, "a == 1 and (b == 2 or c == 3) and d == 4")
	var got []string
	for _, p := range e.Conjuncts() {
		got = append(got, p.String())
	}
	if diff := cmp.Diff([]string{"a == 1", "b == 2 or c == 3", "d == 4"}, got); diff != "" {
		t.Error(diff)
	}
	if And(e.Conjuncts()).String() != e.String() {
		t.Errorf("joined again: got %s, want %s", And(e.Conjuncts()), e)
	}
}

func TestMonotoneTellsWhatCanFireAtOnce(t *testing.T) {
	for source, want := range map[string]bool{
		"count() >= 5":         true,
		"5 <= count()":         true,
		"count() > 2 * 3":      true,
		"count(user.name) > 5": true,
		"distinct(user.name) > 5 and max(x) >= 10": true,
		"count() >= 5 or min(x) < 3":               true,
		"sum(nonnegative(x)) > 100":                true,
		"sum(abs(x)) > 100":                        true,
		"sum(x) > 100":                             false,
		"count() < 5":                              false,
		"count() == 5":                             false,
		"count() != 5":                             false,
		"avg(x) > 5":                               false,
		"max(x) < 5":                               false,
		"min(x) > 5":                               false,
		"not count() >= 5":                         false,
		"count() > user":                           false,
		"count() >= distinct(x)":                   false,
		"count() + 1 >= 5":                         false,
		"last(x) > 5":                              false,
		"percentile(x, 95) > 5":                    false,
		"count() >= 5 and avg(x) > 5":              false,
	} {
		if got := parse(t, source).Monotone(); got != want {
			t.Errorf("%s: got %t, want %t", source, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"count() >= 5 and distinct(user.name) > 5", "a or not b and c", "cidr(src_endpoint.ip, 24, 48)", "-(-5) - 3", "1h30m < 2d",
		`raw.data."a-b".c == 'it''s'`, "`x y` in [1, 2.5, null]", "if(a is null, b, c) % 2", "values(x, 3)", "fail.percentile(x, 99)", "((a))", `"a\n\u00e9"`,
		`lookup("owners", user.name, "team") == 'red' and not lookup_has("t", a, b)`, "count() > last(lookup('t', a, 'c')) + 1", "between(a, 1, int('2'))",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := Parse(source)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len(source) {
				t.Fatalf("the error %v has no place in %q", err, source)
			}
			return
		}
		again, err := Parse(e.String())
		if err != nil {
			t.Fatalf("%q was printed as %q, which cannot be read: %v", source, e, err)
		}
		if again.String() != e.String() {
			t.Fatalf("%q was printed as %q and then as %q", source, e, again)
		}
		env := values{}
		if diff := cmp.Diff(e.Eval(env), again.Eval(env)); diff != "" {
			t.Fatalf("%q and %q differ: %s", source, e, diff)
		}
		e.Monotone()
		e.Uses()
		e.Lookups()
		if over, err := e.OverEvents(); err == nil && len(over.String()) < maxText/2 {
			if _, err := Parse(over.String()); err != nil {
				t.Fatalf("%q over events is printed as %q, which cannot be read: %v", source, over, err)
			}
		}
	})
}

func parse(t *testing.T, source string) *Expr {
	t.Helper()
	e, err := Parse(source)
	if err != nil {
		t.Fatalf("parsing %q: %v", source, err)
	}
	return e
}
