package correlate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "benthos-oci/plugins/correlate_source"
)

// lints gives what the linter says of a stream's config, as line: text.
func lints(t *testing.T, config string) []string {
	t.Helper()
	found, err := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter().LintYAML([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range found {
		all = append(all, fmt.Sprintf("%d: %s", l.Line, l.What))
	}
	return all
}

func TestRulesInPlaceAreLintedEachAtItsLine(t *testing.T) {
	got := lints(t, `pipeline:
  processors:
    - correlate:
        rules:
          - id: site-good
            title: Good
            severity: low
            date: 2026-11-21
            match: {api.operation: LaunchInstance}
          - id: site-bad
            title: Bad
            severity: huge
            machst: {api.operation: LaunchInstance}
          - |
            id: site-block
            title: Block
            severity: low
            match: {api.operation: LaunchInstance}
            windows: 1h
          - id: site-good
            title: Good again
            severity: low
            match: {api.operation: LaunchInstance}
          - {id: site-a, title: A, severity: low, incidents: site-b}
          - {id: site-b, title: B, severity: low, incidents: site-a}
`)
	for _, want := range []string{"10: ", "15: line 5", "5: two rules have the id", "5: the rule site-a waits for its own incidents: site-a takes those of site-b takes those of site-a"} {
		if !hasPrefix(got, want) {
			t.Errorf("no lint begins with %q:\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, l := range got {
		if !strings.HasPrefix(l, "10: ") && !strings.HasPrefix(l, "15: ") && !strings.HasPrefix(l, "5: two rules") && !strings.HasPrefix(l, "5: the rule site-a") {
			t.Errorf("lint that should not be: %s", l)
		}
	}
	at10 := 0
	for _, l := range got {
		if strings.HasPrefix(l, "10: ") {
			at10++
		}
	}
	if at10 < 2 {
		t.Errorf("mistakes told of the bad rule: got %d, want both:\n%s", at10, strings.Join(got, "\n"))
	}
}

func hasPrefix(all []string, prefix string) bool {
	for _, s := range all {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func TestFieldsAreLinted(t *testing.T) {
	for name, tt := range map[string]struct {
		fields string
		want   string // "" for no lint
	}{
		"a good config":       {`{ packs: [ oci ], forward: [ incidents, events, late ], emit: [ create, close ], max_memory: 512MiB, incidents_from: 2026-11-21 }`, ""},
		"an unknown pack":     {`{ packs: [ aws ] }`, `there is no pack "aws"; packs: oci`},
		"an unknown forward":  {`{ packs: [ oci ], forward: [ incident ] }`, "incident is none of: incidents, events, late"},
		"an unknown emit":     {`{ packs: [ oci ], emit: [ open ] }`, "open is none of: create, update, close"},
		"a size with no unit": {`{ packs: [ oci ], max_memory: "12" }`, `"12": a size is a number with a unit`},
		"a time that is none": {`{ packs: [ oci ], incidents_from: yesterday }`, `"yesterday": a time is a date`},
		"no rules":            {`{ forward: [ incidents ] }`, "no rules: name a pack, rule files, or rules"},
		"an unknown field":    {`{ packs: [ oci ], window: 1h }`, "field window not recognised"},
		"a bound below zero":  {`{ packs: [ oci ], flood_guard: { total: -1 } }`, "below zero"},
		"a bad mapping":       {`{ packs: [ oci ], event_mapping: "root = " }`, "expected"},
	} {
		t.Run(name, func(t *testing.T) {
			got := lints(t, "pipeline:\n  processors:\n    - correlate: "+tt.fields+"\n")
			if tt.want == "" && len(got) == 0 {
				return
			}
			if tt.want == "" || len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one lint with %q", got, tt.want)
			}
		})
	}
}

func load1(t *testing.T, yaml string) (ruleSet, error) {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := configFromParsed(conf)
	if err != nil {
		return ruleSet{}, err
	}
	return load(c, service.MockResources(), nil)
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEverythingWrongIsToldAtOnceWithItsPlace(t *testing.T) {
	dir := t.TempDir()
	bad := write(t, dir, "site-bad.yaml", "id: site-bad\ntitle: Bad\nseverity: huge\nmatch: {api.operation: LaunchInstance}\nwindows: 1h\n")
	over := write(t, dir, "overrides.yaml", "rules:\n  site-bad: {severty: low}\n")
	_, err := load1(t, fmt.Sprintf(`
packs: [ aws ]
rule_files: [ %s, %s/none/*.yaml ]
rules: [ {id: site-inline, title: Inline, severity: low} ]
overrides: [ %s, %s/absent.yaml ]
lists: { admins: %s/absent.txt }
`, bad, dir, over, dir, dir))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		"pack aws:1:1", bad + ":3:", bad + ":5:", "none/*.yaml:1:1", "rules[0]:", over + ":2:", "absent.yaml", "absent.txt",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell of %s:\n%v", want, err)
		}
	}
}

func TestRulesComeFromPacksFilesAndInPlace(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "site-file.yaml", "id: site-file\ntitle: File\nseverity: low\nmatch: {api.operation: LaunchInstance}\n")
	over := write(t, dir, "overrides.yaml", "rules:\n  site-*: {severity: high}\n")
	set, err := load1(t, fmt.Sprintf(`
rule_files: [ %s ]
rules:
  - {id: site-inline, title: Inline, severity: low, date: 2026-11-21, match: {api.operation: LaunchInstance}}
  - |
    id: site-waits
    title: Waits
    severity: low
    window: 1h
    patterns:
      a: {match: {api.operation: LaunchInstance}}
      b: {match: {api.operation: TerminateInstance}}
    when: a then not b
overrides: [ %s ]
`, file, over))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range set.rules {
		got[r.ID] = string(r.Severity)
	}
	if diff := cmp.Diff(map[string]string{"site-file": "high", "site-inline": "high", "site-waits": "high"}, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"site-waits"}, set.timed); diff != "" {
		t.Errorf("rules that need a clock (-want +got):\n%s", diff)
	}
}

func TestListThatRulesNameMustBeGiven(t *testing.T) {
	const rules = "rules: [ {id: site-list, title: List, severity: low, match: {user.name|expand: '%admins%'}} ]\n"
	if _, err := load1(t, rules); err == nil || !strings.Contains(err.Error(), "uses the list %admins%") {
		t.Errorf("without the list: got %v, want an error that names it", err)
	}
	path := write(t, t.TempDir(), "admins.txt", "alice\n")
	set, err := load1(t, rules+"lists: { admins: "+path+" }\n")
	if err != nil {
		t.Fatal(err)
	}
	if n := set.lists.current()["admins"].Len(); n != 1 {
		t.Errorf("values of the list: got %d, want 1", n)
	}
}

func TestMistakesInFieldsAreErrorsTogether(t *testing.T) {
	_, err := load1(t, "packs: [ oci ]\nforward: [ everything ]\nmax_memory: lots\nlateness: -1s\nincidents_from: noon")
	for _, want := range []string{"forward", "max_memory", "lateness", "incidents_from"} {
		if err == nil || !strings.Contains(err.Error(), "reading field "+want) {
			t.Errorf("the error does not tell of %s: %v", want, err)
		}
	}
}

func TestSizesAreReadWithTheirUnit(t *testing.T) {
	for text, want := range map[string]int64{"1B": 1, "2KB": 2000, "1.5KiB": 1536, "3 MiB": 3 << 20, "1GiB": 1 << 30, "2GB": 2e9} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "MiB", "-1MiB", "0B", "1TB", "NaNKiB", "1e300GiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}
