package correlate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
)

func parsed(t *testing.T, text string) *mapper {
	t.Helper()
	env := bloblang.GlobalEnvironment()
	exec, err := env.Parse("root = this") // what it does is of no matter here
	if err != nil {
		t.Fatal(err)
	}
	return newMapper(text, exec)
}

func TestMappingThatAddsFieldsKeepsTheFacts(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		facts bool
		sets  []string
	}{
		"the default":             {defaultMapping, true, nil},
		"a field more":            {defaultMapping + "\nroot.unmapped.site = \"hq\"", true, []string{"unmapped.site"}},
		"comments and variables":  {"\n" + defaultMapping + " # ours\nlet x = 1\nroot.unmapped.x = $x\n", true, []string{"unmapped.x"}},
		"in a branch":             {defaultMapping + "\nif this.a == 1 {\n  root.status = \"Failure\"\n}", true, []string{"status"}},
		"metadata":                {defaultMapping + "\nmeta site = \"hq\"", true, nil},
		"another first statement": {"root = this.oci_normalize()", false, nil},
		"root again":              {defaultMapping + "\nroot = root.merge({})", false, nil},
		"root read":               {defaultMapping + "\nroot.a = root.b", false, nil},
		"root within a line":      {defaultMapping + "\nif this.a == 1 { root.b = 2 }", false, nil},
		"an import":               {defaultMapping + "\nimport \"./x.blobl\"", false, nil},
		"something else":          {"root = this", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := parsed(t, tt.text)
			if m.facts != tt.facts {
				t.Errorf("facts hold: got %v, want %v", m.facts, tt.facts)
			}
			if tt.facts {
				if diff := cmp.Diff(tt.sets, m.sets); diff != "" {
					t.Errorf("fields set (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestFieldThatAMappingSetsIsNoFact(t *testing.T) {
	m := &mapper{facts: true, sets: []string{"status", "api.operation", "metadata"}}
	for field, want := range map[string]bool{
		"status": true, "status_id": false, "api.operation": true, "api": true, "api.service.name": false, "metadata.uid": true,
	} {
		if got := m.touches(field); got != want {
			t.Errorf("touches(%s): got %v, want %v", field, got, want)
		}
	}
	const eventType = "com.oraclecloud.computeApi.GetInstance"
	if got := m.known(normalize.AuditAPI, eventType)["api.operation"]; got != nil {
		t.Errorf("api.operation: got %v, want that it is not known", got)
	}
	m.sets = nil
	if got := m.known(normalize.AuditAPI, eventType)["api.operation"]; got == nil {
		t.Error("api.operation with nothing set: got nothing, want the operation")
	}
}

func TestTypesOfEventsAreBounded(t *testing.T) {
	judged := 0
	c := newCandidates(func(event.Facts) bool { judged++; return false }, &mapper{facts: true})
	for range 2 {
		for i := range maxTypes + 1 {
			c.is(append([]byte(`{"eventType":"com.oraclecloud.x.`), append([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676)}, []byte(`","eventId":"1","cloudEventsVersion":"0.1"}`)...)...))
		}
	}
	if want := maxTypes + 2; judged != want {
		t.Errorf("types judged: got %d, want %d: each once, and the one beyond the bound each time", judged, want)
	}
	for _, long := range []string{`{"eventType":"com.oraclecloud.` + strings.Repeat("x", maxTypeLength) + `"}`, `{"class_uid":1,"class_name":"` + strings.Repeat("x", maxTypeLength) + `"}`} {
		if !c.is([]byte(long)) {
			t.Errorf("%.40s is no candidate, want a type of that length not to be judged and remembered", long)
		}
	}
	c.reset()
	c.is([]byte(`{"eventType":"com.oraclecloud.x.aaa","eventId":"1","cloudEventsVersion":"0.1"}`))
	if want := maxTypes + 3; judged != want {
		t.Errorf("types judged after the rules changed: got %d, want %d", judged, want)
	}
}
