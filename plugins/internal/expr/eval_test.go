package expr

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// values is an Env whose fields are named by their text, and whose aggregates are taken over the elements of lists.
type values map[string]any

func (v values) Field(ref Ref) any { return v[ref.String()] }

func (v values) Aggregate(a *Aggregate) any {
	list, _ := v[argument(a)].([]any)
	return a.Over(list)
}

// argument is the text of the argument, or "events" where there is none.
func argument(a *Aggregate) string {
	if a.Arg == nil {
		return "events"
	}
	return a.Arg.String()
}

func TestEvalGivesTheValue(t *testing.T) {
	env := values{
		"a": int64(1), "b": int64(2), "f": 2.5, "s": "Alice", "t": true, "list": []any{"x", "y", nil}, "numbers": []any{int64(1), int64(9)},
		"ip": "10.1.2.3", "ip6": "2001:db8:1:2::3", "mapped": "::ffff:10.1.2.3", "when": time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC).UnixMilli(),
		"big": int64(math.MaxInt64), "small": int64(math.MinInt64), "near": float64(1 << 62), "text": "400",
	}
	for _, c := range []struct {
		source string
		want   any
	}{
		{"a + b * 3", int64(7)},
		{"7 / 2", 3.5},
		{"6 / 2", int64(3)},
		{"7 % 4", int64(3)},
		{"a / 0", nil},
		{"a % 0", nil},
		{"f / 0", nil},
		{"big + 1", 9.223372036854775807e18},
		{"small - 1", -9.223372036854775808e18},
		{"small / -1", 9.223372036854775808e18},
		{"-small", 9.223372036854775808e18},
		{"small * -1", 9.223372036854775808e18},
		{"-1 * small", 9.223372036854775808e18},
		{"small * 1", int64(math.MinInt64)},
		{"big * big * big * 1e300", nil},
		{"s + '!'", "Alice!"},
		{"s + 1", nil},
		{"none + 1", nil},
		{"10m", int64(600_000)},
		{"30d - 1ms", int64(30*86400_000 - 1)},

		{"a == 1", true},
		{"a == 1.0", true},
		{"a < f", true},
		{"near < big", true},
		{"big > near + near", false},
		{"s == 'alice'", false},
		{"lower(s) == 'alice'", true},
		{"text == 400", false},
		{"text != 400", true},
		{"text < 500", nil},
		{"number(text) < 500", true},
		{"none == 1", nil},
		{"none != 1", nil},
		{"not none == 1", nil},
		{"none is null", true},
		{"a is not null", true},
		{"list == 'x'", true},
		{"list == 'z'", false},
		{"list != 'x'", false},
		{"numbers > 8", true},
		{"a in [1, 2]", true},
		{"s in ['alice', 'Alice']", true},
		{"a in [5, none]", nil},
		{"a in [1, none]", true},
		{"s in list", nil},

		{"true and none > 1", nil},
		{"false and none > 1", false},
		{"none > 1 and false", false},
		{"true or none > 1", true},
		{"none > 1 or true", true},
		{"none > 1 or false", nil},
		{"a and true", nil},

		{"upper(s)", "ALICE"},
		{"len('été')", int64(3)},
		{"len(list)", int64(3)},
		{"substr(s, 1, 3)", "lic"},
		{"substr(s, 3)", "ce"},
		{"substr(s, 9)", ""},
		{"substr(s, 1, 9223372036854775807)", "lice"},
		{"replace(s, 'A', 'a')", "alice"},
		{"trim('  x ')", "x"},
		{"contains(s, 'lic')", true},
		{"contains(list, 'y')", true},
		{"startswith(s, 'Al')", true},
		{"endswith(s, 'Al')", false},
		{"matches(s, '^A.*e$')", true},
		{"extract(s, 'A(.)')", "l"},
		{"extract(s, 'Z(.)')", nil},
		{"cidr(ip, 24, 48)", "10.1.2.0/24"},
		{"cidr(mapped, 24, 48)", "10.1.2.0/24"},
		{"cidr(ip6, 24, 48)", "2001:db8:1::/48"},
		{"cidr(ip6, 24)", "2001:db8:1:2::/64"},
		{"cidr(s, 24, 48)", nil},
		{"cidr(none, 24, 48)", nil},
		{"hour(when)", int64(23)},
		{"hour(when, '+02:00')", int64(1)},
		{"weekday(when)", int64(6)},
		{"weekday(when, '+02:00')", int64(7)},
		{"hour('2026-11-21T05:00:00Z')", int64(5)},
		{"hour('yesterday')", nil},
		{"coalesce(none, s)", "Alice"},
		{"coalesce(none)", nil},
		{"if(a > 5, 'many', 'few')", "few"},
		{"if(none > 5, 'many', 'few')", "few"},
		{"abs(-3)", int64(3)},
		{"round(2.567, 2)", 2.57},
		{"round(2.5)", int64(3)},
		{"floor(2.5) + ceil(2.5)", int64(5)},
		{"log(0)", nil},
		{"nonnegative(-1)", nil},
		{"nonnegative(f)", 2.5},
		{"string(f)", "2.5"},
		{"number('0x10')", nil},
		{"number('inf')", nil},
		{"tuple(a, s)", `[1,"Alice"]`},
		{"tuple(a, none)", nil},
	} {
		t.Run(c.source, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parse(t, c.source).Eval(env)); diff != "" {
				t.Errorf("got other than wanted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAggregatesGiveTheirDefinition(t *testing.T) {
	n := func(numbers ...any) []any { return numbers }
	for _, c := range []struct {
		source string
		values []any
		want   any
	}{
		{"count()", n(nil, nil, nil), int64(3)},
		{"count()", nil, int64(0)},
		{"count(x)", n(int64(1), nil, "a"), int64(2)},
		{"count(x)", n([]any{"a", "b"}), int64(1)},
		{"distinct(x)", n("a", "b", "a", nil), int64(2)},
		{"distinct(x)", n("1", int64(1)), int64(2)},
		{"distinct(x)", n([]any{"a", "b"}, "b"), int64(2)},
		{"distinct(x)", nil, int64(0)},
		{"sum(x)", n(int64(1), 2.5, "no number", nil), 3.5},
		{"sum(x)", nil, nil},
		{"avg(x)", n(int64(1), int64(2)), 1.5},
		{"avg(x)", n("a"), nil},
		{"min(x)", n(int64(3), 1.5), 1.5},
		{"max(x)", n("b", "a", "c"), "c"},
		{"max(x)", n("z", int64(1)), int64(1)},
		{"max(x)", nil, nil},
		{"first(x)", n(nil, "a", "b"), "a"},
		{"last(x)", n("a", "b", nil), "b"},
		{"last(x)", nil, nil},
		{"values(x, 2)", n("b", "a", "b", "c"), n("b", "a")},
		{"values(x)", nil, nil},
		{"median(x)", n(int64(9), int64(1), int64(5)), int64(5)},
		{"median(x)", n(int64(1), int64(2)), 1.5},
		{"percentile(x, 50)", n(int64(15), int64(20), int64(35), int64(40), int64(50)), int64(35)},
		{"percentile(x, 30)", n(int64(15), int64(20), int64(35), int64(40), int64(50)), int64(20)},
		{"percentile(x, 100)", n(int64(15), int64(20)), int64(20)},
		{"percentile(x, 1)", n(int64(15), int64(20)), int64(15)},
		{"stddev(x)", n(int64(2), int64(4), int64(4), int64(4), int64(5), int64(5), int64(7), int64(9)), int64(2)},
		{"variance(x)", n(int64(1), int64(1)), int64(0)},
		{"mode(x)", n("a", "b", "b", "a", "c"), "a"},
		{"pctchange(x)", n(int64(50), int64(7), int64(75)), int64(50)},
		{"pctchange(x)", n(int64(0), int64(75)), nil},
	} {
		t.Run(c.source, func(t *testing.T) {
			a := parse(t, c.source).Aggregates()[0]
			if diff := cmp.Diff(c.want, a.Over(c.values)); diff != "" {
				t.Errorf("over %v (-want +got):\n%s", c.values, diff)
			}
		})
	}
}

func TestAggregateWithoutValuesMakesItsComparisonNotHold(t *testing.T) {
	for _, source := range []string{"avg(x) > 0", "avg(x) <= 0", "avg(x) != 1", "not avg(x) > 0", "sum(x) / count() > 0"} {
		if parse(t, source).Holds(values{}) {
			t.Errorf("%s: got true over no events", source)
		}
	}
}

func TestDurationsAreReadAndPrinted(t *testing.T) {
	for source, want := range map[string]string{"120s": "2m", "30d": "30d", "1.5h": "1h30m", "2w": "14d", "1d12h": "1d12h", "500ms": "500ms", "0s": "0s"} {
		d, err := ParseDuration(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := FormatDuration(d); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
	for _, source := range []string{"", "10", "m", "10x", "-5m", "1.2.3s", ".5h", "0.5ms", "300000000h", "1h 30m", "1e3s", "١h"} {
		if d, err := ParseDuration(source); err == nil {
			t.Errorf("%q: got %s, want an error", source, d)
		}
	}
}

func TestNearestGivesWhatWasMeant(t *testing.T) {
	names := []string{"lower", "upper", "len", "startswith"}
	for written, want := range map[string]string{"lowr": "lower", "LOWER": "lower", "uper": "upper", "startwith": "startswith", "xyzzyxyzzy": "", "lne": "len"} {
		if got := Nearest(written, names); got != want {
			t.Errorf("%s: got %q, want %q", written, got, want)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	e, err := Parse("count() >= 5 and distinct(user.name) > 5")
	if err != nil {
		b.Fatal(err)
	}
	env := values{"events": []any{1, 2, 3, 4, 5}, "user.name": []any{"a", "b"}}
	b.ReportAllocs()
	for b.Loop() {
		e.Eval(env)
	}
}
