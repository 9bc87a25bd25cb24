package foreign

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/rule"
)

// TestImportsAreWhatTheirFilesSay compares with testdata/*.txt; UPDATE=1 rewrites them.
func TestImportsAreWhatTheirFilesSay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.[yx]ml")
	if err != nil || len(files) < 2 {
		t.Fatalf("nothing to import: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			read := Sigma
			if filepath.Ext(file) == ".xml" {
				read = FortiSIEM
			}
			rules, err := read(filepath.Base(file), data)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, r := range rules {
				b.WriteString("-- " + r.ID + ".yaml --\n" + string(r.YAML))
				for _, note := range r.Notes {
					b.WriteString("# " + note + "\n")
				}
				if _, problems := rule.Parse(r.ID+".yaml", r.YAML, rule.Options{}); problems.Err() != nil {
					t.Errorf("%s cannot be read:\n%s", r.ID, problems)
				}
			}
			golden := strings.TrimSuffix(file, filepath.Ext(file)) + ".txt"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("other rules than in %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestSigmaRefusesWhatItCannotCarryOver(t *testing.T) {
	const base = "title: A\nname: a\nlogsource: {product: oci}\ndetection: {s: {eventName: CreateUser}, condition: s}\n---\ntitle: C\ncorrelation: "
	for text, want := range map[string]error{
		"":                      ErrNotSigma,
		"[]":                    ErrNotSigma,
		"input: {generate: {}}": ErrNotSigma,
		base + "{type: event_count, timespan: 5m, condition: {gte: 1}}":                            errRules,
		base + "{type: event_count, rules: [b], timespan: 5m, condition: {gte: 1}}":                errMissing,
		base + "{type: event_count, rules: [a], condition: {gte: 1}}":                              errTimespan,
		base + "{type: event_rate, rules: [a], timespan: 5m, condition: {gte: 1}}":                 errType,
		base + "{type: value_count, rules: [a], timespan: 5m, condition: {gte: 1}}":                ErrNotSigma,
		base + "{type: event_count, rules: [a], timespan: 5m, condition: {about: 1}}":              ErrNotSigma,
		base + "{type: event_count, rules: [a], timespan: 5m, condition: {gte: 1}, group-by: [_]}": nil,
	} {
		if _, err := Sigma("x.yml", []byte(text)); !errors.Is(err, want) {
			t.Errorf("%s\ngot  %v\nwant %v", text, err, want)
		}
	}
}

func TestFortiSIEMRefusesWhatIsNoRule(t *testing.T) {
	for _, text := range []string{"", "<Rules/>", "<Rules><Rule></Rule></Rules>", "<Rule", "title: x"} {
		if rules, err := FortiSIEM("x.xml", []byte(text)); err == nil {
			t.Errorf("%q: got %d rules, want an error", text, len(rules))
		}
	}
}

func FuzzFortiSIEM(f *testing.F) {
	f.Add(`eventType IN ("a", Group@b) AND (x NOT BETWEEN (1, 2) OR y IS NULL)`, "COUNT(*) >= 5 AND AVG(x) > 2", "A.x = B.y")
	f.Fuzz(func(t *testing.T, filter, having, global string) {
		r := fortiRule{xmlRule: xmlRule{Pattern: xmlPattern{Global: global, Parts: []xmlSubPattern{{Name: "A", Filter: filter, Having: having}, {Name: "B", Filter: filter}}}}}
		r.id = "x"
		out, err := r.carry()
		if err == nil && len(out.YAML) == 0 {
			t.Error("got an empty rule")
		}
	})
}

func FuzzSigma(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatalf("nothing to begin with: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := Sigma("x.yml", data)
		if err != nil {
			return
		}
		for _, r := range rules {
			if r.ID == "" || len(r.YAML) == 0 {
				t.Errorf("got the rule %q with %d bytes", r.ID, len(r.YAML))
			}
		}
	})
}
