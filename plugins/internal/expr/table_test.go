package expr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withTables is an Env with one table, of owners.
type withTables struct{ values }

func (withTables) Row(table string, keys []any, column string) (any, bool) {
	if table != "owners" || keys[0] != "alice" {
		return nil, false
	}
	if column == "team" {
		return "red", true
	}
	return nil, true
}

func TestLookupsReadTheTables(t *testing.T) {
	env := withTables{values{"name": "alice", "other": "bob"}}
	for source, want := range map[string]any{
		`lookup("owners", name, "team")`:              "red",
		`lookup("owners", name, other, "team")`:       "red",
		`lookup("owners", name, "empty")`:             nil,
		`lookup("owners", other, "team")`:             nil,
		`lookup("owners", none, "team")`:              nil,
		`lookup_has("owners", name)`:                  true,
		`lookup_has("owners", other)`:                 false,
		`lookup_has("owners", none)`:                  nil,
		`coalesce(lookup("x", name, "team"), "none")`: "none",
	} {
		e, err := Parse(source)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got := e.Eval(env); !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", source, got, want)
		}
		if got := e.Eval(env.values); source[0] == 'l' && got != nil {
			t.Errorf("%s without tables: got %v, want null", source, got)
		}
		if again, err := Parse(e.String()); err != nil || again.String() != e.String() {
			t.Errorf("%s is printed as %s, which is read to another (%v)", source, e, err)
		}
	}
}

func TestOverEventsTakesTheLastOfLookups(t *testing.T) {
	for source, want := range map[string]string{
		`count() > lookup("t", a, "c") + 1`:       `count() > last(lookup("t", a, "c")) + 1`,
		`max(lookup("t", a, "c")) > 1`:            `max(lookup("t", a, "c")) > 1`,
		`not lookup_has("t", a, b)`:               `not last(lookup_has("t", a, b))`,
		`if(lookup_has("t", a), count(), 2) == 2`: `if(last(lookup_has("t", a)), count(), 2) == 2`,
	} {
		e, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		over, err := e.OverEvents()
		if err != nil || over.String() != want {
			t.Errorf("%s: got %v (%v), want %s", source, over, err, want)
		}
	}
	e, err := Parse(`count() > lookup("t", last(a), "c")`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.OverEvents(); err == nil {
		t.Error("an aggregate inside of a lookup must be refused")
	}
}

func TestFunctionsOfOtherLanguages(t *testing.T) {
	env := values{"ip": "10.0.0.5", "six": "2001:db8::5", "n": int64(5), "text": " x ", "when": "2026-11-21T00:00:00Z"}
	for source, want := range map[string]any{
		"between(n, 5, 6)":                           true,
		"between(n, 4, 5)":                           true,
		"between(n, 6, 9)":                           false,
		"between(n, 1, 4)":                           false,
		"between(none, 1, 4)":                        nil,
		"between(n, 'a', 4)":                         false,
		"between(n, 1, 'z')":                         nil,
		"between(ip, '10.0.0.5', '10.0.0.20')":       true,
		"between(ip, '10.0.0.6', '10.0.0.20')":       false,
		"between(ip, '9.0.0.0', '10.0.0.4')":         false,
		"between(six, '2001:db8::', '2001:db8::9')":  true,
		"between(six, '10.0.0.0', '10.255.255.255')": false,
		"between('b', 'a', 'c')":                     true,
		"not between(n, 5, 6)":                       false,
		"ltrim(text)":                                "x ",
		"rtrim(text)":                                " x",
		"int('12.9')":                                int64(12),
		"int(-12.9)":                                 int64(-12),
		"int('9007199254740993')":                    int64(9007199254740993),
		"int('x')":                                   nil,
		"int(1e300)":                                 nil,
	} {
		e, err := Parse(source)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got := e.Eval(env); !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", source, got, want)
		}
	}
}
