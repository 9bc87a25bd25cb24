package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInlineRulesHaveTheirPlacesInTheConfig(t *testing.T) {
	rules, problems := Inline("config.yaml", []byte(`input: {stdin: {}}
pipeline:
  processors:
    - label: detect
      correlate:
        packs: [oci]
        rules:
          - {id: good, title: Good, severity: low, match: {status: Success}}
          - id: bad
            title: Bad
            severity: hihg
            match: {api.operation|beginswith: X}
          - |
            id: block
            title: Block
            severity: low
            match: {usr.name: x}
          - &anchor {id: good, title: Again, severity: low, match: {status: Success}}
          - *anchor
    - branch:
        processors:
          - correlate: {rules: [{id: nested}]}
output: {stdout: {}}
`))
	if got := ids(rules); got != "good good" {
		t.Errorf("got the rules %s", got)
	}
	want := []string{
		`config.yaml:11:23: severity is one of informational, low, medium, high, critical, not "hihg": did you mean "high"?`,
		`config.yaml:12:35: unknown modifier "beginswith": did you mean "endswith"?`,
		`config.yaml:17:21: unknown field "usr.name": did you mean "user.name"?`,
		`config.yaml:18:13: the id "good" is taken: it is also that of the rule at config.yaml:8:13`,
		"config.yaml:19:13: aliases are not read here: write the value of *anchor out, or put a text that begins with * in quotes",
		"config.yaml:22:33: the rule has no `title`: write `title: What was done`",
		"config.yaml:22:33: the rule has no `severity`: write `severity: medium`",
		"config.yaml:22:33: the rule has no `match`: say which events it is about",
	}
	if diff := cmp.Diff(want, strings.Split(problems.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestInlineLeavesOtherYAMLAlone(t *testing.T) {
	for _, text := range []string{"", "input: [", "rules: [{id: x}]", "a: {correlate: text}", "a: {correlate: {rules: text}}"} {
		if rules, problems := Inline("config.yaml", []byte(text)); len(rules) != 0 || len(problems) != 0 {
			t.Errorf("%q: got %d rules:\n%s", text, len(rules), problems)
		}
	}
}
