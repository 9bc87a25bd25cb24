package expr

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestConditionsThatNoNumberOfEventsFulfils(t *testing.T) {
	for text, want := range map[string]struct{ never, silence bool }{
		"count() < 1":                              {true, true},
		"count() <= 0":                             {true, true},
		"count() == 0":                             {true, true},
		"0 == count()":                             {true, true},
		"1 > count()":                              {true, true},
		"count() in [0]":                           {true, true},
		"not count() > 0":                          {true, true},
		"not (count() >= 1 or sum(x) > 5)":         {true, true},
		"count() == 0 and distinct(x) < 5":         {true, true},
		"count() < 0":                              {true, false},
		"count() > 0 and count() < 0":              {true, false},
		"count() > 5 and count() < 6":              {true, false},
		"count() == 2.5":                           {true, false},
		"count() == -1 or count() < 1":             {true, true},
		"count() < 1 or distinct(x) > 3":           {false, false},
		"count() < 2":                              {false, false},
		"count() <= 1":                             {false, false},
		"count() != 0":                             {false, false},
		"count() in [0, 1]":                        {false, false},
		"count() > 5 and count() < 7":              {false, false},
		"count() > 5 and count() <= 6":             {false, false},
		"not count() > 1":                          {false, false},
		"count(x) < 1":                             {false, false}, // events whose x is null
		"count(x) == 0":                            {false, false},
		"distinct(x) == 0":                         {false, false},
		"a.count() < 1":                            {false, false}, // another pattern's
		"count() - 1 < 0":                          {false, false}, // not looked into
		"count() < key":                            {false, false},
		"count() >= 1000000 and count() != 5":      {false, false},
		"count() < lookup(\"limits\", x, \"max\")": {false, false},
	} {
		t.Run(text, func(t *testing.T) {
			e, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			never, silence := e.Never()
			if never != want.never || silence != want.silence {
				t.Errorf("got never %t, silence %t, want %t, %t", never, silence, want.never, want.silence)
			}
		})
	}
}

// TestNeverIsSaidOfConditionsThatNoNumberFulfils draws conditions over count(), with others beside them.
func TestNeverIsSaidOfConditionsThatNoNumberFulfils(t *testing.T) {
	said := 0
	rapid.Check(t, func(t *rapid.T) {
		others := rapid.Bool().Draw(t, "others")
		var condition func(depth int) string
		condition = func(depth int) string {
			kind := rapid.IntRange(0, 5).Draw(t, "kind")
			switch {
			case depth > 0 && kind == 0:
				return "not (" + condition(depth-1) + ")"
			case depth > 0 && kind < 3:
				return "(" + condition(depth-1) + rapid.SampledFrom([]string{" and ", " or "}).Draw(t, "with") + condition(depth-1) + ")"
			case others && kind == 3:
				return rapid.SampledFrom([]string{"sum(x) > 2", "sum(x) < 2", "sum(x) is null"}).Draw(t, "other")
			}
			bound := rapid.SampledFrom([]string{"-1", "0", "0.5", "1", "2", "2.5", "3", "7", "2 + 2", "10 / 4", "1 / 0"}).Draw(t, "bound")
			op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op")
			if rapid.Bool().Draw(t, "flipped") {
				return bound + " " + op + " count()"
			}
			return "count() " + op + " " + bound
		}
		text := condition(3)
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		holds := false
		for n := range 20 {
			for _, sum := range []any{nil, int64(2), int64(1), int64(3)} {
				holds = holds || e.Holds(counted{n: int64(n) + 1, sum: sum})
			}
		}
		never, _ := e.Never()
		switch {
		case never && holds:
			t.Fatalf("%s holds, and is said to do so never", text)
		case !never && !holds && !others:
			t.Fatalf("%s never holds, and nothing is said", text)
		case never:
			said++
		}
	})
	if said == 0 {
		t.Error("no condition was said to hold never")
	}
}

// counted gives the aggregates of so many events.
type counted struct {
	n   int64
	sum any
}

func (counted) Field(Ref) any { return nil }

func (c counted) Aggregate(a *Aggregate) any {
	switch a.Func {
	case "count":
		return c.n
	case "sum":
		return c.sum
	}
	panic(fmt.Sprint("no ", a.Func))
}
