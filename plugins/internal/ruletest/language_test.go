package ruletest_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/ruletest"
)

// The archives in tests/language hold rules and their tests in pairs: one for each part of the rule languages of FortiSIEM
// and Sigma. They are tested here because only packages below plugins may import this one.

// archives reads all archives by their names.
func archives(t *testing.T) map[string]*txtar.Archive {
	t.Helper()
	files, err := filepath.Glob("../../../tests/language/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no archives: %v", err)
	}
	all := map[string]*txtar.Archive{}
	for _, file := range files {
		if all[filepath.Base(file)], err = txtar.ParseFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestEachRowFiresOnOneSideOfItsBoundaryOnly(t *testing.T) {
	rows := 0
	for name, archive := range archives(t) {
		if len(archive.Files)%2 != 0 {
			t.Errorf("%s: %d files, want pairs of a rule and its test", name, len(archive.Files))
			continue
		}
		for i := 0; i < len(archive.Files); i += 2 {
			rows++
			t.Run(archive.Files[i].Name, func(t *testing.T) { row(t, archive, archive.Files[i], archive.Files[i+1]) })
		}
	}
	if want := 150; rows < want {
		t.Errorf("found %d rows, want at least %d", rows, want)
	}
}

// row runs the test of one rule, which must expect something in one case and nothing, or something else, in another.
func row(t *testing.T, archive *txtar.Archive, ruleFile, testFile txtar.File) {
	t.Helper()
	found, problems := rule.Parse(ruleFile.Name, ruleFile.Data, rule.Options{})
	if len(problems) > 0 || len(found) != 1 {
		t.Fatalf("got %d rules and these problems:\n%s", len(found), problems)
	}
	if found[0].Description == "" {
		t.Error("the description does not say how the row is written")
	}
	test, problems := ruletest.Parse(testFile.Name, testFile.Data)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	expected := map[int]bool{}
	for _, c := range test.Cases {
		expected[len(c.Expect)] = true
	}
	if len(test.Cases) < 2 || len(expected) < 2 && !strings.Contains(testFile.Name, "-neq") {
		t.Errorf("%d cases expect the same number of incidents: show both sides", len(test.Cases))
	}
	var with []*rule.Rule
	for _, id := range test.With {
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == id+".yaml" })
		if i < 0 {
			t.Fatalf("there is no rule %s", id)
		}
		others, problems := rule.Parse(id+".yaml", archive.Files[i].Data, rule.Options{})
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		with = append(with, others...)
	}
	results, err := test.Run(t.Context(), found[0], with...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed() {
			t.Errorf("%s:%d: %s\n%s", r.Pos.File, r.Pos.Line, r.Case, r.Diff)
		}
	}
}

// TestRowsFollowTheSchemaForEditors holds the generated schema to what the reader takes.
func TestRowsFollowTheSchemaForEditors(t *testing.T) {
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(rule.JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("rule.schema.json", decoded); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("rule.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for name, archive := range archives(t) {
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, "_test.yaml") {
				continue
			}
			var value any
			if err := yaml.Unmarshal(f.Data, &value); err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
			if err != nil {
				t.Fatal(err)
			}
			checked++
			if err := schema.Validate(instance); err != nil {
				t.Errorf("%s %s: %v", name, f.Name, err)
			}
		}
	}
	if checked == 0 {
		t.Error("no rule was checked")
	}
}

// TestEachPartOfTheOtherLanguagesHasARow holds the archives to the parts of the languages.
func TestEachPartOfTheOtherLanguagesHasARow(t *testing.T) {
	var names []string
	text := map[string]string{}
	for name, archive := range archives(t) {
		for _, f := range archive.Files {
			names = append(names, f.Name)
			if !strings.HasSuffix(f.Name, "_test.yaml") {
				text[name] += string(f.Data)
			}
		}
	}
	slices.Sort(names)
	if twice := slices.Compact(slices.Clone(names)); len(twice) != len(names) {
		t.Errorf("%d files have %d names", len(names), len(twice))
	}
	for archive, parts := range map[string][]string{
		"fortisiem-filters.txtar": {
			"x = value", "x != value", "x < most", "x <= most", " IN (a, b)", "NOT IN (a, b)", "(Group@name)", "BETWEEN (", "NOT BETWEEN", "IS NULL",
			"IS NOT NULL", "CONTAIN text", "NOT CONTAIN", "rawEventMsg CONTAIN", "REGEXP", "NOT REGEXP", "attr1 = attr2", "(a OR b) AND NOT c", "typed compare", "case of texts",
		},
		"fortisiem-functions.txtar": {
			"HourOfDay", "DayOfWeek", "LEN(", "LTRIM(", "RTRIM(", "TRIM(", "REPLACE(", "SUB_STR(", "TO_LOWER(", "TO_UPPER(", "IF(", "EXTRACT(",
			"LOG(", "TO_DOUBLE(", "TO_INTEGER(", "TO_STRING(", "LookupTableHas(", "LookupTableGet(", "key1, key2", "DeviceToCMDBAttr(",
		},
		"fortisiem-aggregates.txtar": {
			"COUNT(*)", "COUNT(x)", "COUNT(DISTINCT x)", "SUM(", "AVG(", "MIN(", "MAX(", "FIRST(", "LAST(", "MEDIAN(", "MODE(", "PCTILE(", "Pctile95(", "PctChange(",
			"STDDEV(", "VARIANCE(", "SUM(a) / SUM(b)", " AND ", " OR ",
		},
		"fortisiem-patterns.txtar": {
			"A AND B", "A OR B", "A FOLLOWED_BY B", "A AND_NOT B", "A NOT_FOLLOWED_BY B", "A.targetUser = B.user", "attributes and title", "one incident", "exception",
			"groupByEachCustomer", "GroupByAttr", "watch list",
		},
		"sigma-modifiers.txtar": {
			"|all", "|startswith", "|endswith", "|contains", "|exists", "|cased", "|neq", "|windash", "|re\n", "|re|i", "|re|m", "|re|s", "|base64\n", "|base64offset", "|utf16le",
			"|utf16be", "|utf16|", "|wide", "|lt\n", "|lte", "|gt\n", "|gte", "|minute", "|hour", "|day", "|week", "|month", "|year", "|cidr", "|expand", "|fieldref",
		},
		"sigma-conditions.txtar": {"1 of sel_*", "all of sel_*", "1 of them", "all of them", "keywords", "null", "wildcards", "list of maps"},
		"sigma-correlations.txtar": {
			"event_count, gte", "event_count, gt:", "event_count, eq", "event_count, lt:", "event_count, lte", "event_count, neq", "value_count", "value_sum", "value_avg",
			"value_percentile", "value_median", "temporal\n", "temporal_ordered", "aliases", "and not c", "a or b", "group-by", "timespan", "rules:",
		},
	} {
		for _, part := range parts {
			if !strings.Contains(strings.ReplaceAll(text[archive], "'\n", "\n"), part) {
				t.Errorf("%s has no row of %q", archive, part)
			}
		}
	}
}
