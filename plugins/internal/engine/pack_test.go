package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/sample"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/rules"
)

// TestShippedRulesGiveValidOCSF sends samples of every operation through the shipped rules
// and holds each incident to the official schema.
func TestShippedRulesGiveValidOCSF(t *testing.T) {
	schema := detectionFinding(t)
	pack, problems := rule.Pack(rules.FS, "oci")
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	e, err := engine.New(context.Background(), engine.Options{
		Rules: pack, Lateness: 1000 * time.Hour, Emit: engine.EmitOptions{Create: true, Update: true, Close: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	var found []*incident.Incident
	var newest event.Time
	for i, raw := range samples() {
		ev, err := normalize.Event(raw)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		newest = max(newest, ev.Time)
		outcomes, err := e.Observe(context.Background(), []*event.Event{ev})
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, outcomes[0].Incidents...)
	}
	fired, err := e.Advance(context.Background(), watermark.Tick{Number: "1", Boot: "b", All: newest, Final: true})
	if err != nil {
		t.Fatal(err)
	}
	fromRules := map[string]bool{}
	for _, inc := range append(found, fired...) {
		fromRules[inc.Rule.ID] = true
		encoded, err := json.Marshal(inc.OCSF())
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(decoded); err != nil {
			t.Fatalf("%s: %v\n%s", inc.Rule.ID, err, encoded)
		}
	}
	if len(fromRules) < 8 {
		t.Errorf("the samples fired %d of %d rules only: %v", len(fromRules), len(pack), fromRules)
	}
}

// samples gives many users who do everything that can be done, six times.
func samples() [][]byte {
	var list [][]byte
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	n := 0
	for _, status := range []string{"401", ""} {
		for round := range 6 {
			for _, op := range sample.Operations() {
				n++
				who := sample.Principal{Name: fmt.Sprintf("user%d@example.com", round), ID: "ocid1.user.oc1..user"}
				if op == "sso.session.create.success" || op == "sso.authentication.failure" || op == "InteractiveLogin" {
					who.Name = fmt.Sprintf("login%d@example.com", round%7)
				}
				if status == "" || op == "InteractiveLogin" {
					who.Name = "alice@example.com"
				}
				if status != "" && op == "InteractiveLogin" {
					list = append(list, sample.JSON(op, sample.Options{
						ID: fmt.Sprintf("other-%d", n), Time: start.Add(time.Duration(n) * time.Second), Status: status,
						Actor: sample.Principal{Name: fmt.Sprintf("user%d@example.com", round)}, IP: "203.0.113.7",
					}))
				}
				list = append(list, sample.JSON(op, sample.Options{
					ID: fmt.Sprintf("event-%d", n), Time: start.Add(time.Duration(n) * time.Second), Actor: who, Status: status, IP: "203.0.113.7",
					Target: sample.Principal{Name: "target@example.com", ID: fmt.Sprintf("ocid1.user.oc1..%d", round)},
				}))
			}
		}
	}
	return list
}

func detectionFinding(t *testing.T) *jsonschema.Schema {
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
