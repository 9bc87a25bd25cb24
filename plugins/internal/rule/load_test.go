package rule

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

func ruleText(id string) string {
	return "id: " + id + "\ntitle: T\nseverity: low\nmatch: {status: Success}\n"
}

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func ids(rules []*Rule) string {
	var list []string
	for _, r := range rules {
		list = append(list, r.ID)
	}
	return strings.Join(list, " ")
}

func TestGlobsNameRulesAndLeaveOutTheirTests(t *testing.T) {
	dir := tree(t, map[string]string{
		"a.yaml": ruleText("a"), "a_test.yaml": "rule: a\ncases: []\n", "overrides.yaml": "rules: {a: {severity: low}}\n",
		"x/b.yaml": ruleText("b"), "x/y/c.yaml": ruleText("c"), "x/y/d.yml": ruleText("d"), "x/list.txt": "alice\n",
		"..2026_11_21/a.yaml": ruleText("a"), ".git/e.yaml": ruleText("e"), ".f.yaml": ruleText("f"),
	})
	for glob, want := range map[string]string{
		"*.yaml": "a", "**/*.yaml": "a b c", "x/**/*.yaml": "b c", "x/*": "b", "x/**": "b c d", "": "a b c", "x/y": "c", "x/y/d.yml": "d", "**/y/*": "c d", "?.yaml": "a",
	} {
		rules, problems := LoadFiles([]string{filepath.Join(dir, glob)})
		if len(problems) > 0 || ids(rules) != want {
			t.Errorf("%q: got %s, want %s\n%s", glob, ids(rules), want, problems)
		}
	}
	rules, problems := LoadFiles([]string{filepath.Join(dir, "x/*"), filepath.Join(dir, "**/b.yaml")})
	if len(problems) > 0 || ids(rules) != "b" {
		t.Errorf("a file that two globs name: got %s\n%s", ids(rules), problems)
	}
}

func TestGlobWithoutARuleIsAnError(t *testing.T) {
	dir := tree(t, map[string]string{"a_test.yaml": "cases: []\n", "b.yaml": ruleText("c"), "d/b.yaml": ruleText("b"), "e/b.yaml": ruleText("b"), "f.yaml": "not: a rule\n"})
	for glob, want := range map[string]string{
		"nothing/*.yaml": "no file matches",
		"a_*.yaml":       "no rule file matches",
		"nothing.yaml":   "no such file",
		"[":              "syntax error in pattern",
		"b.yaml":         "is not the file's name",
		"[de]/*":         `the id "b" is taken`,
		"f.yaml":         "the rule has no `id`",
	} {
		_, problems := LoadFiles([]string{filepath.Join(dir, glob)})
		if problems.Err() == nil || !strings.Contains(problems.String(), want) {
			t.Errorf("%q: got %s, want %s", glob, problems, want)
		}
	}
}

func TestPackIsEveryRuleOfAFolder(t *testing.T) {
	fsys := fstest.MapFS{
		"oci/iam/a.yaml": {Data: []byte(ruleText("a"))}, "oci/iam/a_test.yaml": {Data: []byte("cases: []")}, "oci/b.yaml": {Data: []byte(ruleText("b"))},
		"empty/x.txt": {Data: []byte("x")},
	}
	rules, problems := Pack(fsys, "oci")
	if len(problems) > 0 || ids(rules) != "b a" {
		t.Errorf("got %s\n%s", ids(rules), problems)
	}
	for name, want := range map[string]string{"oc": `unknown pack: did you mean "oci"?`, "empty": "the pack has no rules", "../oci": "unknown pack", "oci/iam": "unknown pack", "": "unknown pack"} {
		if _, problems := Pack(fsys, name); problems.Err() == nil || !strings.Contains(problems.String(), want) {
			t.Errorf("%q: got %s, want %s", name, problems, want)
		}
	}
}

func TestKindTellsFilesApart(t *testing.T) {
	for text, want := range map[string]FileKind{
		ruleText("a"):                                  KindRule,
		"id: a\nseverity: high\n":                      KindRule,
		"id: a\ntitle: \"not closed\nmatch:\n":         KindRule,
		`{"id": "a", "title": "T", "match": {}}`:       KindRule,
		"rule: a\ncases: []\n":                         KindTest,
		"rules: {a: {severity: high}}":                 KindOverrides,
		"overrides: {a: {severity: high}}":             KindOverrides, // it says what is wrong with it
		"# admins\nalice\nbob@example.com\n10.0.0.0/8": KindList,
		"input: {}\noutput: {}\n":                      KindOther,
		"tests: []\n":                                  KindOther,
		"cache_resources: []\n":                        KindOther,
		"":                                             KindOther,
		"- a\n- b\n":                                   KindOther,
		"a: b\n":                                       KindOther,
		"{\"a\": 1}":                                   KindOther,
		"id: x\n":                                      KindOther,
		"\x00\x01\x02":                                 KindOther,
	} {
		if got := Kind([]byte(text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestTooLargeFileIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"bytes":  ruleText("x") + strings.Repeat("#", maxFile),
		"values": ruleText("x") + "falsepositives: [" + strings.Repeat("a,", maxNodes) + "a]",
		"levels": ruleText("x") + "labels: " + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
		"text":   ruleText("x") + "description: " + strings.Repeat("a", maxText+1),
		"regexp": head + "match: {user.name|re: '(a{1,900}){1,900}'}",
		"long":   head + "match: {user.name|re: " + strings.Repeat("a", maxPattern+1) + "}",
		"lets":   head + "match: {status: Success}\nlet: {" + doubling(30) + "}",
	} {
		t.Run(name, func(t *testing.T) { wrong(t, text) })
	}
}

// doubling gives names each of which is twice the one before.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("a0: user.name")
	for i := range n {
		name := "a" + strings.Repeat("x", i)
		if i == 0 {
			name = "a0"
		}
		b.WriteString(", a" + strings.Repeat("x", i+1) + ": " + name + " + " + name)
	}
	return b.String()
}

func TestSchemaTakesWhatTheReaderTakes(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rule.json", schema); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("rule.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root(t), "rules", "oci", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if Kind(data) != KindRule {
			continue
		}
		checked++
		if err := s.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if checked == 0 {
		t.Fatal("no rule was checked")
	}
	for _, text := range []string{head, ruleText("x") + "level: high\n", strings.Replace(ruleText("x"), "low", "lowest", 1), ruleText("x") + "window: 10 minutes\n"} {
		if err := s.Validate(asJSON(t, []byte(text))); err == nil {
			t.Errorf("got no error for\n%s", text)
		}
	}
}

// asJSON gives a file as JSON has it.
func asJSON(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestGlobMatchesAsSigmaSays(t *testing.T) {
	for _, c := range []struct {
		glob, text string
		want       bool
	}{
		{"*", "", true},
		{"*", "abc", true},
		{"a*", "a", true},
		{"a*c", "abbbc", true},
		{"a*c", "abcb", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*a*b*", "xaxbx", true},
		{"*a*b*", "xbxax", false},
		{"a**b", "ab", true},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{`\\*`, `\abc`, true},
		{`a\b`, `a\b`, true},
		{"?", "é", true},
		{"?", "\xff", true},
		{"", "", true},
		{"", "a", false},
		{"*?", "", false},
		{"*aab", "aaaab", true},
		{"A*É", "aé", true},
	} {
		if got := newGlob(c.glob, false).Match(c.text); got != c.want {
			t.Errorf("%q on %q: got %t", c.glob, c.text, got)
		}
	}
	if diff := cmp.Diff(true, newGlob("A*", true).Match("Ab") && !newGlob("A*", true).Match("ab")); diff != "" {
		t.Error(diff)
	}
}

func TestTooManyValuesAndSelectionsAreRefused(t *testing.T) {
	var selections strings.Builder
	for i := range maxSelections {
		selections.WriteString(", s" + strconv.Itoa(i) + ": {status: Success}")
	}
	for text, ok := range map[string]bool{
		"match: {user.name: [" + strings.Repeat("a,", maxValues-1) + "a]}":                                                           true,
		"match: {user.name: [" + strings.Repeat("a,", maxValues) + "a]}":                                                             false,
		"detection: {condition: all of them" + selections.String()[:len(selections.String())-len(", s199: {status: Success}")] + "}": true,
		"detection: {condition: all of them" + selections.String() + "}":                                                             false,
	} {
		_, problems := Parse("x.yaml", []byte(head+text), Options{Inline: true})
		if (problems.Err() == nil) != ok {
			t.Errorf("%.40s: got %.200v", text, problems.Err())
		}
	}
}
