package incident

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// schema gives the official schema of Detection Findings; without it the test is skipped, with a word.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	file := filepath.Join(dir, "..", "shared", "ocsf", "jsonschema", "2004_detection_finding.json")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("NOT CHECKED against OCSF: the schemas are not beside the repository: %v", err)
	}
	s, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	tenancy = "ocid1.tenancy.oc1..aaaa"
	start   = event.Time(1_795_170_093_123)
)

func full() *Incident {
	r := &rule.Rule{
		ID: "oci-iam-key-then-policy", Title: "New API key's owner creates a policy", Status: rule.StatusStable,
		Severity: rule.SeverityHigh, Category: "security", Description: "Detects a policy.",
		References: []string{"https://docs.oracle.com/"}, Tags: []string{"attack.privilege_escalation", "attack.t1098.003", "cis.oci.1.2"},
		DataSources: []string{"oci_audit"}, FalsePositives: []string{"Set-up"}, Labels: map[string]string{"team": "iam", "area": "id"},
		KeyNames: []string{"user", "port"}, StateHash: "00ff",
		Patterns: []*rule.Pattern{{Name: "key", Tags: []string{"attack.persistence", "attack.t1098.001"}}, {Name: "policy"}},
	}
	cloud := map[string]any{
		"provider": "Oracle Cloud", "region": "us-ashburn-1",
		"account": map[string]any{"uid": "ocid1.compartment.oc1..c", "type": "OCI Compartment", "type_id": int64(12)},
	}
	inc := &Incident{
		Rule: r, Tenancy: tenancy, Key: []any{"ocid1.user.oc1..bob", int64(22)}, Slot: start, Per: 24 * time.Hour,
		Action: Create, Revision: 1, Count: 2, First: start, Last: start + 60_000, Fired: start + 60_000,
		Title: "bob got a key and created a policy", Attributes: map[string]any{"ips": []any{"203.0.113.7"}},
		Response: []string{"Read the policy", "Revoke the key"}, IncompleteSources: []string{"audit/eu"}, Truncated: true,
		Evidence: []Evidence{
			{ID: "e1", Time: start, Pattern: "key", TypeUID: 300199, Product: "OCI Audit", Doc: map[string]any{
				"actor": map[string]any{"user": map[string]any{"name": "alice", "uid": "ocid1.user.oc1..alice"}},
				"user":  map[string]any{"name": "bob", "uid": "ocid1.user.oc1..bob"}, "cloud": cloud,
				"src_endpoint": map[string]any{"ip": "203.0.113.7"},
				"api":          map[string]any{"operation": "UploadApiKey"},
			}},
			{ID: "e2", Time: start + 60_000, Pattern: "policy", TypeUID: 300401, Product: "OCI Audit", Doc: map[string]any{
				"actor": map[string]any{"user": map[string]any{"name": "bob", "uid": "ocid1.user.oc1..bob"}}, "cloud": cloud,
				"src_endpoint": map[string]any{"ip": "203.0.113.7"},
				"resources":    []any{map[string]any{"uid": "ocid1.policy.oc1..p", "name": "p", "type": "policy"}},
			}},
		},
	}
	inc.ID = ID(r.ID, inc.Tenancy, inc.Key, inc.Slot)
	return inc
}

func TestDocumentsAreValidOCSF(t *testing.T) {
	s := schema(t)
	tests := []struct {
		name   string
		change func(*Incident)
	}{
		{"full", func(*Incident) {}},
		{"update", func(inc *Incident) { inc.Action, inc.Revision = Update, 2 }},
		{"close", func(inc *Incident) { inc.Action = Close }},
		{"nothing but an id", func(inc *Incident) {
			*inc = Incident{ID: "i", Rule: &rule.Rule{ID: "r"}, Action: Create}
		}},
		{"evidence without parts", func(inc *Incident) { inc.Evidence = []Evidence{{ID: "e"}, {}} }},
		{"evidence of resources only", func(inc *Incident) { delete(inc.Evidence[1].Doc, "actor"); delete(inc.Evidence[1].Doc, "src_endpoint") }},
		{"evidence of a group", func(inc *Incident) {
			inc.Evidence[1].Doc = map[string]any{"group": map[string]any{"name": "Administrators"}}
		}},
		{"key with a null", func(inc *Incident) { inc.Key = []any{nil, 1.5} }},
		{"more key than names", func(inc *Incident) { inc.Key = []any{"a", "b", true} }},
		{"unknown technique", func(inc *Incident) { inc.Rule.Tags = []string{"attack.t9999.123", "attack.nonsense", "attack.t12"} }},
		{"times beyond four digits", func(inc *Incident) { inc.First, inc.Last, inc.Fired = -1<<60, 1<<60, 1<<60 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inc := full()
			test.change(inc)
			doc := inc.OCSF()
			encoded, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(decoded); err != nil {
				t.Errorf("%v\n%s", err, encoded)
			}
			checkBeyondSchema(t, doc)
		})
	}
}

// checkBeyondSchema checks what JSON Schema cannot say.
func checkBeyondSchema(t *testing.T, doc map[string]any) {
	t.Helper()
	activity := doc["activity_id"].(int64)
	if got, want := doc["type_uid"], 200400+activity; got != want {
		t.Errorf("type_uid is %v, want %v", got, want)
	}
	captions := map[string]map[int64]string{
		"activity_name": {0: "Unknown", 1: "Create", 2: "Update", 3: "Close"},
		"severity":      {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"},
		"action":        {3: "Observed"}, "disposition": {19: "Alert"},
	}
	ids := map[string]string{"activity_name": "activity_id", "severity": "severity_id", "action": "action_id", "disposition": "disposition_id"}
	for caption, names := range captions {
		if got, want := doc[caption], names[doc[ids[caption]].(int64)]; got != want {
			t.Errorf("%s is %v, want %s", caption, got, want)
		}
	}
	observables, _ := doc["observables"].([]any)
	for _, each := range observables {
		o := each.(map[string]any)
		if got := at(doc, o["name"].(string)); got != o["value"] {
			t.Errorf("observable %s names %v, its value is %v", o["name"], got, o["value"])
		}
	}
}

var segment = regexp.MustCompile(`^(\w+)(?:\[(\d+)\])?$`)

// at gives the value at an observable's name.
func at(doc any, name string) any {
	for part := range strings.SplitSeq(name, ".") {
		m := segment.FindStringSubmatch(part)
		object, ok := doc.(map[string]any)
		if m == nil || !ok {
			return nil
		}
		doc = object[m[1]]
		if m[2] != "" {
			i, _ := strconv.Atoi(m[2])
			list, ok := doc.([]any)
			if !ok || i >= len(list) {
				return nil
			}
			doc = list[i]
		}
	}
	return doc
}

func TestDocumentSaysWhatWasFound(t *testing.T) {
	inc := full()
	doc := inc.OCSF()
	for path, want := range map[string]any{
		"class_uid": int64(2004), "type_uid": int64(200401), "severity": "High", "is_alert": true, "count": int64(2),
		"message": inc.Title, "time": int64(inc.Fired), "time_dt": "2026-11-20T10:22:33.123Z", "status": "New",
		"metadata.uid": inc.ID, "metadata.tenant_uid": tenancy, "metadata.sequence": int64(1), "metadata.is_truncated": true,
		"metadata.correlation_uid":           CorrelationID(inc.Rule.ID, tenancy, inc.Key),
		"finding_info.uid":                   inc.ID,
		"finding_info.analytic.uid":          "oci-iam-key-then-policy",
		"finding_info.related_events[1].uid": "e2", "finding_info.related_events_count": int64(2),
		"finding_info.first_seen_time": int64(inc.First), "finding_info.last_seen_time": int64(inc.Last),
		"cloud.region": "us-ashburn-1", "cloud.account.uid": "ocid1.compartment.oc1..c", "cloud.org.uid": tenancy,
		"evidences[0].name": "key", "evidences[0].user.name": "bob", "resources[0].uid": "ocid1.policy.oc1..p",
		"remediation.desc":      "1. Read the policy\n2. Revoke the key",
		"unmapped.key.user":     "ocid1.user.oc1..bob",
		"unmapped.key.port":     int64(22),
		"unmapped.labels.team":  "iam",
		"metadata.labels[0]":    "area:id",
		"unmapped.rule.tags[2]": "cis.oci.1.2", "unmapped.incomplete_sources[0]": "audit/eu",
		"duration": int64(60_000),
	} {
		if diff := cmp.Diff(want, at(doc, path)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
	values := map[any]int{}
	for _, each := range doc["observables"].([]any) {
		values[each.(map[string]any)["value"]]++
	}
	for _, want := range []string{"203.0.113.7", "alice", "bob", "ocid1.user.oc1..bob", "ocid1.policy.oc1..p"} {
		if values[want] != 1 {
			t.Errorf("observable %s is there %d times, want once", want, values[want])
		}
	}
}

func TestDocumentSharesNothing(t *testing.T) {
	inc, want := full(), full().OCSF()
	doc := inc.OCSF()
	doc["evidences"].([]any)[0].(map[string]any)["actor"].(map[string]any)["user"] = nil
	doc["unmapped"].(map[string]any)["attributes"].(map[string]any)["ips"].([]any)[0] = nil
	if diff := cmp.Diff(want, inc.OCSF()); diff != "" {
		t.Errorf("a change of one document changed the next (-want +got)\n%s", diff)
	}
}

func TestCloudIsWhatAllEventsShare(t *testing.T) {
	inc := full()
	inc.Evidence[1].Doc["cloud"] = map[string]any{"provider": "Oracle Cloud", "region": "us-phoenix-1"}
	cloud := inc.OCSF()["cloud"].(map[string]any)
	if cloud["region"] != nil || cloud["account"] != nil {
		t.Errorf("got %v, want neither region nor account: the events differ", cloud)
	}
}

func TestAttacks(t *testing.T) {
	tests := []struct {
		name string
		tags []string
		want []string
	}{
		{"technique with its tactic", []string{"attack.persistence", "attack.t1098.001"}, []string{"Persistence/Account Manipulation/Additional Cloud Credentials"}},
		{"Sigma's newer spelling", []string{"attack.initial-access", "attack.T1190"}, []string{"Initial Access/Exploit Public-Facing Application/"}},
		{"the tactic that a technique serves, of several", []string{"attack.impact", "attack.persistence", "attack.t1136.003"}, []string{"Persistence/Create Account/Cloud Account", "Impact//"}},
		{"only one tactic is possible", []string{"attack.t1110.003"}, []string{"Credential Access/Brute Force/Password Spraying"}},
		{"several are", []string{"attack.t1078.004"}, []string{"/Valid Accounts/Cloud Accounts"}},
		{"a technique that the table has not", []string{"attack.impact", "attack.t1999"}, []string{"Impact/T1999/"}},
		{"no tags of ATT&CK", []string{"cis.oci.1.1", "attack.mitre"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, each := range attacks(test.tags) {
				a := each.(map[string]any)
				part := func(name string) string {
					m, ok := a[name].(map[string]any)
					if !ok {
						return ""
					}
					if m["name"] == nil {
						return fmt.Sprint(m["uid"])
					}
					return fmt.Sprint(m["name"])
				}
				got = append(got, part("tactic")+"/"+part("technique")+"/"+part("sub_technique"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTechniquesAreWhole(t *testing.T) {
	for id, of := range techniques {
		if !isTechnique(id) || of.name == "" {
			t.Errorf("%s: not an id, or no name", id)
		}
		if len(id) == 9 {
			if techniques[id[:5]].name == "" {
				t.Errorf("%s: its parent is not there", id)
			}
			continue
		}
		for name := range strings.FieldsSeq(of.tactics) {
			if tactics[name].uid == "" {
				t.Errorf("%s: unknown tactic %s", id, name)
			}
		}
		if of.tactics == "" {
			t.Errorf("%s: no tactic", id)
		}
	}
}

func TestIDDependsOnTypeAndValueOfEachPart(t *testing.T) {
	base := ID("r", "t", []any{"a", int64(1)}, 0)
	if again := ID("r", "t", []any{"a", int64(1)}, 0); again != base {
		t.Errorf("the same gave %s and %s", base, again)
	}
	// What was sent yesterday must be found by what is sent tomorrow.
	if want := "0c9992e5-5aaa-5f86-b107-eed1a39dec91"; base != want {
		t.Errorf("got %s, want %s", base, want)
	}
	for name, other := range map[string]string{
		"rule":     ID("r2", "t", []any{"a", int64(1)}, 0),
		"tenancy":  ID("r", "t2", []any{"a", int64(1)}, 0),
		"slot":     ID("r", "t", []any{"a", int64(1)}, 1),
		"value":    ID("r", "t", []any{"b", int64(1)}, 0),
		"type":     ID("r", "t", []any{"a", "1"}, 0),
		"float":    ID("r", "t", []any{"a", float64(1)}, 0),
		"bool":     ID("r", "t", []any{"a", true}, 0),
		"null":     ID("r", "t", []any{"a", nil}, 0),
		"length":   ID("r", "t", []any{"a"}, 0),
		"division": ID("rt", "", []any{"a", int64(1)}, 0),
	} {
		if other == base {
			t.Errorf("another %s gives the same id", name)
		}
	}
}
