package ruletest_test

import (
	"strconv"
	"strings"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/explain"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/ruletest"
)

// TestTracesFindTheIncidentsThatRowsExpect traces the cases of all rows in which all time passes: a trace lets time pass in
// other steps than a test, and must come to the same.
func TestTracesFindTheIncidentsThatRowsExpect(t *testing.T) {
	cases, waited := 0, 0
	for _, archive := range archives(t) {
		byID := map[string]*rule.Rule{}
		for i := 0; i < len(archive.Files); i += 2 {
			found, problems := rule.Parse(archive.Files[i].Name, archive.Files[i].Data, rule.Options{})
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			byID[found[0].ID] = found[0]
		}
		for i := 1; i < len(archive.Files); i += 2 {
			test, problems := ruletest.Parse(archive.Files[i].Name, archive.Files[i].Data)
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			for j := range test.Cases {
				if c := &test.Cases[j]; c.Until == event.MaxTime {
					cases++
					t.Run(test.Rule+" "+c.Name, func(t *testing.T) {
						if strings.Contains(traced(t, test, c, byID), " not fire: ") && !byID[test.Rule].Monotone() {
							waited++
						}
					})
				}
			}
		}
	}
	if cases < 300 || waited < 20 {
		t.Errorf("found %d cases, %d of them with a rule that waits and does not fire, want at least 300 and 20", cases, waited)
	}
}

// traced gives the trace of a case, and holds its incidents to what the case expects.
func traced(t *testing.T, test *ruletest.File, c *ruletest.Case, byID map[string]*rule.Rule) string {
	t.Helper()
	records, err := c.Records()
	if err != nil {
		t.Fatal(err)
	}
	o := explain.Options{Lists: map[string]match.List{}}
	for name, values := range test.Lists {
		if o.Lists[name], err = match.NewList(values); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range test.Tables {
		if o.Lists[name], err = match.ParseList(name+".csv", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range test.With {
		o.With = append(o.With, byID[id])
	}
	var out strings.Builder
	if err := explain.Trace(t.Context(), &out, byID[test.Rule], records, o); err != nil {
		t.Fatal(err)
	}
	if want := "incidents " + strconv.Itoa(len(c.Expect)) + "\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the trace ends with other than %q:\n%s", want, out.String())
	}
	// An event of a key fires or does not, once.
	answers := strings.Count(out.String(), "\n  fires") + strings.Count(out.String(), " not fire: ")
	if hits := strings.Count(out.String(), ": matches"); !byID[test.Rule].Chained() && answers > hits {
		t.Errorf("%d events are said to fire or not to fire, of %d that match:\n%s", answers, hits, out.String())
	}
	return out.String()
}
