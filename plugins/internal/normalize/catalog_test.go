package normalize_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

// documents are one of everything that this package makes.
func documents(t *testing.T) []map[string]any {
	t.Helper()
	var records [][]byte
	for _, op := range sample.Operations() {
		for _, status := range []string{"", "404"} {
			records = append(records, encode(t, sample.ConnectorHub(sample.Event(op, sample.Options{Status: status}))))
		}
	}
	for _, name := range sample.Problems() {
		records = append(records, encode(t, sample.Problem(name, sample.ProblemOptions{Comment: "known"})), encode(t, sample.ProblemEvent(name, sample.ProblemOptions{})))
	}
	records = append(records,
		sample.JSON("ListInstances", sample.Options{Set: map[string]any{"data.identity.callerName": "autoscaling", "data.identity.ipAddress": nil}}),
		sample.JSON("ListInstances", sample.Options{Set: map[string]any{"data.identity.principalName": nil, "data.identity.principalId": nil, "data.identity.ipAddress": "203.0.113.1, 198.51.100.2"}}),
		sample.JSON("ListInstances", sample.Options{Set: map[string]any{"data.identity": nil}}),
		sample.JSON("CreatePolicy", sample.Options{Set: map[string]any{"data.response.payload.statements": []any{"Allow group id ocid1.group.oc1..g to manage all-resources in tenancy"}}}),
		sample.JSON("sso.session.create.success", sample.Options{Set: map[string]any{"data.identity.consoleSessionId": nil}}),
		sample.JSON("UploadApiKey", sample.Options{Set: map[string]any{"data.resourceId": nil, "data.resourceName": nil, "data.request": nil, "data.response.payload": nil}}),
		sample.JSON("admin.user.create.success", sample.Options{Target: sample.Principal{Name: "default/bob", ID: "ocid1.user.oc1..bob"}}),
		[]byte(`{"type":"com.oraclecloud.vcn.flowlogs.DataEvent","time":"2026-11-20T10:00:00Z","data":{"sourceAddress":"192.0.2.1","sourcePort":40000,"destinationAddress":"192.0.2.2","destinationPort":22,"action":"REJECT"}}`),
	)
	docs := make([]map[string]any, 0, len(records))
	for _, record := range records {
		doc, err := normalize.Normalize(record)
		if err != nil {
			t.Fatalf("%s: %v", record, err)
		}
		docs = append(docs, doc)
	}
	return docs
}

// leaves gives the paths of doc that hold a value, with one of the values; objects in arrays count by their members.
func leaves(doc map[string]any) map[string]any {
	found := map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				walk(strings.TrimPrefix(path+"."+name, "."), member)
			}
		case []any:
			found[path] = v
			for _, element := range v {
				if m, ok := element.(map[string]any); ok {
					delete(found, path)
					walk(path, m)
				}
			}
		default:
			found[path] = v
		}
	}
	walk("", doc)
	return found
}

func TestCatalogHasEveryFieldOfEveryDocumentWithItsType(t *testing.T) {
	produced := map[string]bool{}
	for _, doc := range documents(t) {
		for path, value := range leaves(doc) {
			if strings.HasPrefix(path, "unmapped.") {
				produced["unmapped"] = true
				continue
			}
			produced[path] = true
			f, known := event.FieldNamed(path)
			if !known {
				t.Errorf("%s of %v is not in the catalog", path, doc["class_name"])
				continue
			}
			if !fits(value, f.Type) {
				t.Errorf("%s is %T, the catalog says %s", path, value, f.Type)
			}
		}
	}
	for _, f := range event.Fields() {
		switch {
		case f.Type == event.Objects || f.Name == "raw" || f.Name == "raw_data" || f.Name == "enrichments":
		case !produced[f.Name]:
			t.Errorf("no document has %s, which the catalog promises", f.Name)
		}
	}
	if t.Failed() {
		t.Log(slices.Sorted(maps.Keys(produced)))
	}
}

func fits(value any, typ event.Type) bool {
	switch typ {
	case event.String, event.IP:
		_, ok := value.(string)
		return ok
	case event.Int, event.Timestamp:
		_, ok := value.(int64)
		return ok
	case event.Strings:
		if _, ok := value.(string); ok {
			return true // a member of an object in an array
		}
		_, ok := value.([]any)
		return ok
	default:
		return false
	}
}
