package normalize_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

// sharedFolder finds a folder that stands beside the repository; without it the test is skipped, with a word.
func sharedFolder(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
	folder := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("NOT CHECKED: %s is not beside the repository: %v", name, err)
	}
	return folder
}

// validator checks documents against the schemas of OCSF, and what the schemas do not say.
type validator struct{ schemas map[int64]*jsonschema.Schema }

func newValidator(t *testing.T) validator {
	t.Helper()
	folder := filepath.Join(sharedFolder(t, "ocsf"), "jsonschema")
	v, err := compile(folder)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var compiled struct {
	sync.Mutex
	byFolder map[string]validator
}

// compile reads the schemas of a folder once for all tests.
func compile(folder string) (validator, error) {
	compiled.Lock()
	defer compiled.Unlock()
	if v, ok := compiled.byFolder[folder]; ok {
		return v, nil
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return validator{}, fmt.Errorf("no schema in %s: %w", folder, err)
	}
	v := validator{schemas: map[int64]*jsonschema.Schema{}}
	compiler := jsonschema.NewCompiler()
	for _, file := range files {
		var class int64
		if _, err := fmt.Sscanf(filepath.Base(file), "%d_", &class); err != nil {
			return validator{}, fmt.Errorf("reading the class of %s: %w", file, err)
		}
		if v.schemas[class], err = compiler.Compile(file); err != nil {
			return validator{}, fmt.Errorf("compiling %s: %w", file, err)
		}
	}
	compiled.byFolder = map[string]validator{folder: v}
	return v, nil
}

func (v validator) check(doc map[string]any) error {
	encoded, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encoding the document: %w", err)
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	class, _ := doc["class_uid"].(int64)
	schema, ok := v.schemas[class]
	if !ok {
		return fmt.Errorf("no schema for class %d", class)
	}
	if err := schema.Validate(decoded); err != nil {
		return err
	}
	return beyondSchema(doc)
}

// beyondSchema checks what JSON Schema cannot say: the type is made of class and activity, and captions agree with numbers.
func beyondSchema(doc map[string]any) error {
	class, _ := doc["class_uid"].(int64)
	activity, _ := doc["activity_id"].(int64)
	if got, want := doc["type_uid"], class*100+activity; got != want {
		return fmt.Errorf("type_uid is %v, want %d", got, want)
	}
	for caption, id := range map[string]string{
		"class_name": "class_uid", "category_name": "category_uid", "activity_name": "activity_id", "type_name": "type_uid",
		"severity": "severity_id", "status": "status_id",
	} {
		if caption == "status" && doc["status_id"] == nil {
			continue // Base Event
		}
		text, _ := doc[caption].(string)
		if text == "" {
			return fmt.Errorf("%s is not written", caption)
		}
		number, _ := doc[id].(int64)
		if caption == "activity_name" || caption == "status" {
			number += class * 100
		}
		if captions := captionsOf[caption]; captions != nil {
			if want, ok := captions[number]; ok && want != text {
				return fmt.Errorf("%s is %q beside %s %v, want %q", caption, text, id, doc[id], want)
			} else if !ok && number%100 != 99 {
				return fmt.Errorf("%s is %q beside %s %v, which OCSF does not know", caption, text, id, doc[id])
			}
		}
	}
	return nestedCaptions("", doc)
}

// nestedCaptions checks the captions below the top level.
func nestedCaptions(path string, v any) error {
	switch v := v.(type) {
	case map[string]any:
		if strings.HasPrefix(path, ".unmapped") {
			return nil
		}
		for _, pair := range [...][2]string{{"type", "type_id"}, {"status", "status_id"}} {
			number, ok := v[pair[1]].(int64)
			if !ok || path == "" {
				continue
			}
			want, known := nestedNames[path+"."+pair[1]][number]
			if !known || v[pair[0]] != want {
				return fmt.Errorf("%s.%s is %v beside %d, want %q", path, pair[0], v[pair[0]], number, want)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err := nestedCaptions(path+"."+name, v[name]); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if err := nestedCaptions(path, element); err != nil {
				return err
			}
		}
	}
	return nil
}

var userTypes = map[int64]string{0: "Unknown", 1: "User", 4: "Service"}

var nestedNames = map[string]map[int64]string{
	".actor.user.type_id": userTypes, ".user.type_id": userTypes, ".cloud.account.type_id": {12: "OCI Compartment"},
	".finding_info.analytic.type_id": {1: "Rule"}, ".compliance.status_id": {1: "Pass", 3: "Fail"},
}

// captionsOf are captions of OCSF 1.8 by number; those of activities and states stand under class*100 + number.
var captionsOf = map[string]map[int64]string{
	"class_name": {
		0: "Base Event", 2003: "Compliance Finding", 2004: "Detection Finding", 3001: "Account Change", 3002: "Authentication",
		3004: "Entity Management", 3005: "User Access Management", 3006: "Group Management", 4001: "Network Activity", 6003: "API Activity",
	},
	"category_name": {0: "Uncategorized", 2: "Findings", 3: "Identity & Access Management", 4: "Network Activity", 6: "Application Activity"},
	"severity":      {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"},
	"status": {
		300100: "Unknown", 300101: "Success", 300102: "Failure", 300200: "Unknown", 300201: "Success", 300202: "Failure",
		300400: "Unknown", 300401: "Success", 300402: "Failure", 300500: "Unknown", 300501: "Success", 300502: "Failure",
		300600: "Unknown", 300601: "Success", 300602: "Failure", 600300: "Unknown", 600301: "Success", 600302: "Failure",
		400100: "Unknown", 400101: "Success", 400102: "Failure",
		200301: "New", 200303: "Suppressed", 200304: "Resolved", 200306: "Deleted",
		200401: "New", 200403: "Suppressed", 200404: "Resolved", 200406: "Deleted",
	},
	"activity_name": {
		300101: "Create", 300102: "Enable", 300103: "Password Change", 300104: "Password Reset", 300105: "Disable", 300106: "Delete",
		300109: "Lock", 300110: "MFA Factor Enable", 300111: "MFA Factor Disable", 300112: "Unlock",
		300201: "Logon", 300202: "Logoff", 300206: "Preauth",
		300401: "Create", 300402: "Read", 300403: "Update", 300404: "Delete", 300410: "Activate", 300411: "Deactivate",
		300501: "Assign Privileges", 300502: "Revoke Privileges",
		300603: "Add User", 300604: "Remove User", 300605: "Delete", 300606: "Create",
		400106: "Traffic",
		600301: "Create", 600302: "Read", 600303: "Update", 600304: "Delete",
		200301: "Create", 200302: "Update", 200303: "Close", 200401: "Create", 200402: "Update", 200403: "Close",
	},
}

func TestSchemasRefuseBadSamplesAndTakeGoodOnes(t *testing.T) {
	v := newValidator(t)
	files, err := filepath.Glob(filepath.Join(sharedFolder(t, "ocsf"), "samples", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := normalize.Normalize(b) // normalized documents come back as they are
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		encoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		class, _ := doc["class_uid"].(int64)
		err = v.schemas[class].Validate(encoded)
		if bad := strings.Contains(file, "__bad"); bad != (err != nil) {
			t.Errorf("%s: got %v, want an error: %v", filepath.Base(file), err, bad)
		}
	}
}

// envelopes are the four ways in which one audit event comes.
var envelopes = map[string]func(map[string]any) map[string]any{
	"audit_api":      func(audit map[string]any) map[string]any { return audit },
	"connector_hub":  sample.ConnectorHub,
	"logging_search": sample.LoggingSearch,
	"events_service": sample.EventsService,
}

func encode(t testing.TB, doc map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryOperationIsValidInEveryEnvelopeAndOutcome(t *testing.T) {
	v := newValidator(t)
	operations := sample.Operations()
	if len(operations) < 60 {
		t.Fatalf("only %d operations", len(operations))
	}
	for _, op := range operations {
		for _, status := range []string{"", "404"} {
			audit := sample.Event(op, sample.Options{Status: status})
			for _, name := range slices.Sorted(maps.Keys(envelopes)) {
				doc, err := normalize.Normalize(encode(t, envelopes[name](audit)))
				if err != nil {
					t.Errorf("%s %s in %s: %v", op, status, name, err)
					continue
				}
				if err := v.check(doc); err != nil {
					t.Errorf("%s %s in %s: %v", op, status, name, err)
				}
			}
		}
	}
}

func TestEveryProblemIsValid(t *testing.T) {
	v := newValidator(t)
	for _, name := range sample.Problems() {
		for _, detail := range []string{"OPEN", "RESOLVED", "DISMISSED", "DELETED"} {
			o := sample.ProblemOptions{Detail: detail}
			for form, record := range map[string]map[string]any{
				"summary": sample.ProblemSummary(name, o), "problem": sample.Problem(name, o), "event": sample.ProblemEvent(name, o),
			} {
				doc, err := normalize.Normalize(encode(t, record))
				if err != nil {
					t.Errorf("%s %s as %s: %v", name, detail, form, err)
					continue
				}
				if err := v.check(doc); err != nil {
					t.Errorf("%s %s as %s: %v", name, detail, form, err)
				}
			}
		}
	}
}

func TestPublicSamplesAreValid(t *testing.T) {
	v := newValidator(t)
	folder := sharedFolder(t, "samples")
	var records [][]byte
	problems, err := filepath.Glob(filepath.Join(folder, "onug-csnf", "*.json"))
	if err != nil || len(problems) == 0 {
		t.Fatalf("no problems in %s: %v", folder, err)
	}
	for _, file := range problems {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, b)
	}
	lines, err := os.ReadFile(filepath.Join(folder, "newrelic", "real_samples_sch_cloudevents.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		if len(bytes.TrimSpace(line)) > 0 {
			records = append(records, line)
		}
	}
	b, err := os.ReadFile(filepath.Join(folder, "datadog", "input.json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(b)) // one after the other, or in an array
	for {
		var entry json.RawMessage
		if err := decoder.Decode(&entry); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var array []json.RawMessage
		if json.Unmarshal(entry, &array) != nil {
			array = []json.RawMessage{entry}
		}
		for _, record := range array {
			records = append(records, record)
		}
	}
	classes := map[string]int{}
	for _, record := range records {
		doc, err := normalize.Normalize(record)
		if err != nil {
			t.Errorf("%.200s: %v", record, err)
			continue
		}
		if err := v.check(doc); err != nil {
			t.Errorf("%.200s: %v", record, err)
		}
		class, _ := doc["class_name"].(string)
		classes[class]++
	}
	if classes["API Activity"] < 2 || classes["Compliance Finding"]+classes["Detection Finding"] != 5 || classes["Network Activity"] < 3 {
		t.Errorf("got %v, want two audit events, five problems and three flows at least", classes)
	}
}

// TestRecordsWithGapsAreStillValid takes each value out of records of every shape, and puts wrong ones in its place.
func TestRecordsWithGapsAreStillValid(t *testing.T) {
	v := newValidator(t)
	records := map[string]map[string]any{
		"problem": sample.Problem("ROGUE_USER", sample.ProblemOptions{}), "configuration problem": sample.Problem("BUCKET_IS_PUBLIC", sample.ProblemOptions{}),
		"problem event": sample.ProblemEvent("BUCKET_IS_PUBLIC", sample.ProblemOptions{}),
	}
	for _, op := range []string{
		"UploadApiKey", "CreateUser", "AddUserToGroup", "CreateGroup", "CreatePolicy", "CreateDynamicGroup", "InteractiveLogin",
		"TerminateInstance", "sso.session.create.success", "admin.user.create.success", "admin.group.add.member.success", "admin.app.update.success",
	} {
		records[op] = sample.Event(op, sample.Options{})
	}
	records["application role"] = sample.Event("admin.group.add.member.success", sample.Options{Set: map[string]any{"data.additionalDetails.eventId": "admin.approle.add.member.success"}})
	records["group's role"] = sample.Event("admin.group.add.member.success", sample.Options{Set: map[string]any{
		"data.additionalDetails.eventId": "admin.grant.create.success", "data.additionalDetails.adminRefResourceType": "Group",
	}})
	records["envelope"] = sample.ConnectorHub(records["CreateUser"])
	checked, refused := 0, 0
	for _, name := range slices.Sorted(maps.Keys(records)) {
		whole := encode(t, records[name])
		for _, path := range paths(records[name]) {
			for _, wrong := range []any{nil, 7} {
				var record map[string]any
				if err := json.Unmarshal(whole, &record); err != nil {
					t.Fatal(err)
				}
				put(record, path, wrong)
				doc, err := normalize.Normalize(encode(t, record))
				if err != nil {
					refused++
					continue
				}
				if err := v.check(doc); err != nil {
					t.Errorf("%s with %v at %v: %v", name, wrong, path, err)
				}
				checked++
			}
		}
	}
	if checked < 1000 || refused > checked/10 {
		t.Errorf("%d documents and %d refused: most gaps must not refuse the record", checked, refused)
	}
}

func paths(v map[string]any) [][]string {
	var all [][]string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		all = append(all, []string{name})
		if below, ok := v[name].(map[string]any); ok {
			for _, rest := range paths(below) {
				all = append(all, append([]string{name}, rest...))
			}
		}
	}
	return all
}

func put(m map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		m, _ = m[name].(map[string]any)
	}
	m[path[len(path)-1]] = value
}
