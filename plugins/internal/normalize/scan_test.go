package normalize_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

func TestScanTellsKindAndType(t *testing.T) {
	const upload = "com.oraclecloud.identityControlPlane.UploadApiKey"
	tests := []struct {
		name, in string
		kind     normalize.Kind
		typ      string
	}{
		{"audit event", `{"eventType":"com.oraclecloud.identityControlPlane.UploadApiKey","data":{}}`, normalize.AuditAPI, upload},
		{"white space", " \n{ \"eventType\" :\t\"com.oraclecloud.identityControlPlane.UploadApiKey\" }", normalize.AuditAPI, upload},
		{"byte order mark", "\xef\xbb\xbf" + `{"eventType":"com.oraclecloud.identityControlPlane.UploadApiKey"}`, normalize.AuditAPI, upload},
		{"type behind the data", `{"data":{"eventType":"x","a":["}",{"b":"\"{"}]},"eventType":"com.oraclecloud.identityControlPlane.UploadApiKey"}`, normalize.AuditAPI, upload},
		{"name and value with escapes", `{"event\u0054ype":"com.oraclecloud.identityControlPlane.Upload\u0041piKey"}`, normalize.AuditAPI, upload},
		{"events service", `{"eventType":"com.oraclecloud.computeapi.x","eventID":"1"}`, normalize.EventsService, "com.oraclecloud.computeapi.x"},
		{"the first spelling of the id counts", `{"eventType":"com.oraclecloud.a.B","eventId":"1","eventID":"1"}`, normalize.AuditAPI, "com.oraclecloud.a.B"},
		{"also before the type", `{"eventID":"1","eventType":"com.oraclecloud.a.B","eventId":"1"}`, normalize.EventsService, "com.oraclecloud.a.B"},
		{"and behind the data", `{"eventType":"com.oraclecloud.a.B","data":{"eventId":"1"},"eventID":"1"}`, normalize.EventsService, "com.oraclecloud.a.B"},
		{"eventID below is no envelope", `{"eventType":"com.oraclecloud.computeapi.x","data":{"eventID":"1"}}`, normalize.AuditAPI, "com.oraclecloud.computeapi.x"},
		{"connector hub", `{"id":"1","type":"com.oraclecloud.identityControlPlane.UploadApiKey"}`, normalize.ConnectorHub, upload},
		{"type of somebody else", `{"id":"1","type":"login"}`, normalize.Unknown, ""},
		{"logging search", `{"datetime":1,"logContent":{"id":"1","type":"com.oraclecloud.identityControlPlane.UploadApiKey"}}`, normalize.LoggingSearch, upload},
		{"flow log", `{"type":"com.oraclecloud.vcn.flowlogs.DataEvent"}`, normalize.FlowLog, "com.oraclecloud.vcn.flowlogs.DataEvent"},
		{"problem", `{"id":"1","detectorRuleId":"BUCKET_IS_PUBLIC"}`, normalize.Problem, ""},
		{"normalized", `{"class_uid":6003}`, normalize.Normalized, ""},
		{"the first of two types counts", `{"eventType":"com.oraclecloud.a.B","eventType":"com.oraclecloud.a.C"}`, normalize.AuditAPI, "com.oraclecloud.a.B"},
		{"type that is no text", `{"eventType":7}`, normalize.Unknown, ""},
		{"class that is no number", `{"class_uid":"6003"}`, normalize.Unknown, ""},
		{"array", `[{"eventType":"x"}]`, normalize.Unknown, ""},
		{"empty object", `{}`, normalize.Unknown, ""},
		{"nothing", ``, normalize.Unknown, ""},
		{"cut in a name", `{"eventTy`, normalize.Unknown, ""},
		{"cut in a value", `{"eventType":"com.oracle`, normalize.Unknown, ""},
		{"cut behind an escape", `{"a":"\`, normalize.Unknown, ""},
		{"cut in an object", `{"data":{"a":[1,2`, normalize.Unknown, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kind, typ := normalize.Scan([]byte(test.in))
			if kind != test.kind || string(typ) != test.typ {
				t.Errorf("got %s %q, want %s %q", kind, typ, test.kind, test.typ)
			}
		})
	}
}

// TestPeekIsScanButForTheSpellingOfTheID holds the short look to the long one.
func TestPeekIsScanButForTheSpellingOfTheID(t *testing.T) {
	for name, wrap := range envelopes {
		b := encode(t, wrap(sample.Event("UploadApiKey", sample.Options{})))
		kind, eventType := normalize.Scan(b)
		peeked, peekedType := normalize.Peek(b)
		if kind == normalize.EventsService {
			kind = normalize.AuditAPI
		}
		if peeked != kind || string(peekedType) != string(eventType) {
			t.Errorf("%s: got %s %q, want %s %q", name, peeked, peekedType, kind, eventType)
		}
		if diff := cmp.Diff(normalize.Static(normalize.EventsService, string(eventType)), normalize.Static(normalize.AuditAPI, string(eventType))); diff != "" {
			t.Errorf("the Events service (-) and the Audit API (+) are known by different facts:\n%s", diff)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	for name, wrap := range envelopes {
		b := encode(t, wrap(sample.Event("UploadApiKey", sample.Options{})))
		var kind normalize.Kind
		if n := testing.AllocsPerRun(100, func() { kind, _ = normalize.Scan(b) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { normalize.Peek(b); normalize.TimeOf(b) }); n != 0 {
			t.Errorf("%s: %v allocations for a look and its time, want none", name, n)
		}
		if kind == normalize.Unknown {
			t.Errorf("%s: the kind is unknown", name)
		}
	}
}

func TestEventAllocatesLittle(t *testing.T) {
	const most = 120 // 58 when this was written; more under the race detector, which empties pools at random
	for _, op := range []string{"UploadApiKey", "InteractiveLogin", "TerminateInstance"} {
		b := sample.JSON(op, sample.Options{})
		n := testing.AllocsPerRun(100, func() {
			if _, err := normalize.Event(b); err != nil {
				t.Fatal(err)
			}
		})
		if n > most {
			t.Errorf("%s: %v allocations, want %d at most", op, n, most)
		}
	}
}

func TestTimeOfIsTheTimeOfTheEvent(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 21, 33, 123e6, time.UTC)
	audit := sample.Event("UploadApiKey", sample.Options{Time: at})
	records := map[string][]byte{}
	for name, wrap := range envelopes {
		records[name] = encode(t, wrap(audit))
	}
	records["problem"] = encode(t, sample.Problem("BUCKET_IS_PUBLIC", sample.ProblemOptions{First: at}))
	doc, err := normalize.Normalize(records["audit_api"])
	if err != nil {
		t.Fatal(err)
	}
	records["normalized"] = encode(t, doc)
	records["without milliseconds"] = []byte(`{"eventType":"com.oraclecloud.a.B","eventTime":"2026-11-20T10:21:33.123+00:00"}`)
	records["offset without colon"] = []byte(`{"eventType":"com.oraclecloud.a.B","eventTime":"2026-11-20T12:21:33.123+0200"}`)
	for name, b := range records {
		got, ok := normalize.TimeOf(b)
		if !ok || got != event.TimeOf(at) {
			t.Errorf("%s: got %v %v, want %v", name, got, ok, event.TimeOf(at))
		}
		ev, err := normalize.Event(b)
		if err != nil || ev.Time != got {
			t.Errorf("%s: the event's time is not the same: %v", name, err)
		}
	}
	// What stands before the time, or looks like it, must not be taken for it.
	for record, want := range map[string]event.Time{
		`{"eventType":"a.B","event\u0054ime":"1970-01-01T00:00:01Z","eventTime":"1970-01-01T00:00:02Z"}`:                                1000,
		`{"eventType":"a.B","data":{"eventTime":"1970-01-01T00:00:01Z"},"eventTime":"1970-01-01T00:00:02Z"}`:                            2000,
		`{"eventType":"a.B","tags":[{"eventTime":"1970-01-01T00:00:01Z"}],"eventTime":"1970-01-01T00:00:02Z"}`:                          2000,
		`{"eventType":"a.B","note":"\"eventTime\":\"1970-01-01T00:00:01Z\"","eventTime":"1970-01-01T00:00:02Z"}`:                        2000,
		`{"eventType":"a.B","eventTime":"1970-01-01T00:00:01Z","eventTime":"1970-01-01T00:00:02Z"}`:                                     1000,
		`{"eventType":"a.B","eventTime" : "1970-01-01T00:00:01Z","eventTime":"1970-01-01T00:00:02Z"}`:                                   1000,
		`{"eventType":7,"type":"com.oraclecloud.a.B","eventTime":"1970-01-01T00:00:01Z","time":"1970-01-01T00:00:02Z"}`:                 2000,
		`{"eventTime":"1970-01-01T00:00:01Z","time":"1970-01-01T00:00:02Z","detectorId":"x","timeLastDetected":"1970-01-01T00:00:03Z"}`: 3000,
	} {
		got, ok := normalize.TimeOf([]byte(record))
		ev, err := normalize.Event([]byte(record))
		if !ok || got != want || err == nil && ev.Time != want {
			t.Errorf("%s: got %v, %t, want %v", record, got, ok, want)
		}
	}
	for _, none := range []string{``, `{}`, `{"eventType":"com.oraclecloud.a.B"}`, `{"eventType":"com.oraclecloud.a.B","eventTime":7}`, `{"eventType":"x","eventTime":"soon"}`, `{"class_uid":1}`, `{"class_uid":1,"time":"x"}`} {
		if got, ok := normalize.TimeOf([]byte(none)); ok {
			t.Errorf("%s: got %v, want no time", none, got)
		}
	}
}

// TestEnvelopesGiveTheSameEvent compares what rules can ask for, but for what only an envelope knows.
func TestEnvelopesGiveTheSameEvent(t *testing.T) {
	for _, op := range sample.Operations() {
		audit := sample.Event(op, sample.Options{})
		want := whatRulesSee(t, audit)
		for _, name := range slices.Sorted(maps.Keys(envelopes)) {
			if diff := cmp.Diff(whatRulesSee(t, envelopes[name](audit)), want); diff != "" {
				t.Fatalf("%s in %s (-got +want):\n%s", op, name, diff)
			}
		}
	}
}

func whatRulesSee(t *testing.T, record map[string]any) map[string]any {
	t.Helper()
	ev, err := normalize.Event(encode(t, record))
	if err != nil {
		t.Fatal(err)
	}
	doc := ev.Document()
	metadata := doc["metadata"].(map[string]any)
	delete(metadata, "logged_time")
	metadata["event_code"] = strings.ToLower(metadata["event_code"].(string)) // the Events service writes it so
	if service, ok := doc["api"].(map[string]any)["service"].(map[string]any); ok {
		service["name"] = strings.ToLower(service["name"].(string)) // only known services have one spelling
	}
	if service, ok := doc["service"].(map[string]any); ok {
		service["name"] = strings.ToLower(service["name"].(string))
	}
	delete(doc["unmapped"].(map[string]any), "oracle")
	raw := map[string]any{}
	for _, name := range []string{"eventId", "eventTime", "source", "data"} {
		raw[name] = ev.Record()[name]
	}
	raw["eventType"] = strings.ToLower(ev.Record()["eventType"].(string))
	return map[string]any{"doc": doc, "raw": raw, "id": ev.ID, "time": ev.Time, "tenancy": ev.Tenancy}
}

func TestProblemsOfAPIAndEventsAreTheSameFinding(t *testing.T) {
	for _, name := range sample.Problems() {
		o := sample.ProblemOptions{Tenancy: sample.Principal{ID: "ocid1.tenancy.oc1..t"}, Compartment: sample.Principal{ID: "ocid1.tenancy.oc1..t"}}
		fields := []string{
			"class_name", "activity_name", "severity", "status", "finding_info.uid", "finding_info.title", "finding_info.types",
			"finding_info.analytic.uid", "finding_info.first_seen_time", "finding_info.last_seen_time", "resources.uid", "resources.name",
			"cloud.region", "cloud.account.uid", "metadata.tenant_uid", "metadata.product.name", "compliance.status", "compliance.standards",
		}
		got := look(t, encode(t, sample.ProblemEvent(name, o)), fields...)
		want := look(t, encode(t, sample.Problem(name, o)), fields...)
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: event and API differ (-event +API):\n%s", name, diff)
		}
	}
}

func TestProblemsTellWhatBecameOfThem(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		problem string
		options sample.ProblemOptions
		want    map[string]any
	}{
		{"new", "BUCKET_IS_PUBLIC", sample.ProblemOptions{First: first}, map[string]any{"activity_name": "Create", "status": "New", "severity": "Critical", "class_name": "Compliance Finding", "compliance.status": "Fail"}},
		{"detected again", "BUCKET_IS_PUBLIC", sample.ProblemOptions{First: first, Last: first.Add(time.Hour)}, map[string]any{"activity_name": "Update", "status": "New"}},
		{"resolved", "BUCKET_IS_PUBLIC", sample.ProblemOptions{Detail: "RESOLVED"}, map[string]any{"activity_name": "Close", "status": "Resolved", "compliance.status": "Pass"}},
		{"dismissed", "ROGUE_USER", sample.ProblemOptions{Detail: "DISMISSED"}, map[string]any{"activity_name": "Close", "status": "Suppressed", "class_name": "Detection Finding", "compliance.status": nil}},
		{"minor", "ROGUE_USER", sample.ProblemOptions{Risk: "MINOR"}, map[string]any{"severity": "Informational"}},
		{"mixed case", "ROGUE_USER", sample.ProblemOptions{Risk: "High"}, map[string]any{"severity": "High"}},
	}
	for _, test := range tests {
		for form, record := range map[string]map[string]any{"API": sample.Problem(test.problem, test.options), "event": sample.ProblemEvent(test.problem, test.options)} {
			fields := slices.Collect(maps.Keys(test.want))
			if diff := cmp.Diff(look(t, encode(t, record), fields...), test.want); diff != "" {
				t.Errorf("%s as %s (-got +want):\n%s", test.name, form, diff)
			}
		}
	}
}

func TestChangedProblemIsAnotherEvent(t *testing.T) {
	ids := map[any]bool{}
	for _, o := range []sample.ProblemOptions{{}, {Detail: "RESOLVED"}, {Risk: "LOW"}, {Last: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}} {
		ids[look(t, encode(t, sample.ProblemSummary("BUCKET_IS_PUBLIC", o)), "metadata.uid")["metadata.uid"]] = true
	}
	if len(ids) != 4 {
		t.Errorf("got %d ids for four states of a problem: %v", len(ids), ids)
	}
}

func TestEventLacksNothingThatRulesAskFor(t *testing.T) {
	for _, record := range [][]byte{
		sample.JSON("UploadApiKey", sample.Options{}), sample.ProblemJSON("ROGUE_USER", sample.ProblemOptions{}),
		encode(t, sample.ProblemEvent("ROGUE_USER", sample.ProblemOptions{})), encode(t, sample.ConnectorHub(sample.Event("CreatePolicy", sample.Options{}))),
		[]byte(`{"type":"com.oraclecloud.sch.serviceconnector.runlog","time":"2026-11-20T10:00:00Z","data":{"level":"INFO"}}`),
	} {
		want, err := normalize.Normalize(record)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := normalize.Event(record)
		if err != nil {
			t.Fatal(err)
		}
		for path := range leaves(want) {
			p, err := event.ParsePath(path)
			if err != nil {
				continue // a name that rules write in quotes
			}
			if diff := cmp.Diff(ev.Lookup(p), (&event.Event{Doc: want}).Lookup(p)); diff != "" {
				t.Errorf("%s (-event +document):\n%s", path, diff)
			}
		}
		if diff := cmp.Diff(ev.Document(), want); diff != "" {
			t.Errorf("document (-event +document):\n%s", diff)
		}
	}
}

func TestNormalizedDocumentComesBackAsItIs(t *testing.T) {
	b := sample.JSON("CreatePolicy", sample.Options{})
	want, err := normalize.Normalize(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := normalize.Normalize(encode(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("changed (-got +want):\n%s", diff)
	}
}

func TestRecordOfNormalizedDocumentIsItsRawData(t *testing.T) {
	b := sample.JSON("CreatePolicy", sample.Options{})
	doc, err := normalize.Normalize(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := normalize.Record(encode(t, doc)); err != nil || got != nil {
		t.Errorf("without raw_data: got %v %v, want nothing", got, err)
	}
	doc["raw_data"] = string(b)
	got, err := normalize.Record(encode(t, doc))
	if err != nil {
		t.Fatal(err)
	}
	want, err := normalize.Record(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" || want["eventId"] == nil {
		t.Errorf("with raw_data (-got +want):\n%s", diff)
	}
}

func TestDuplicateKeysAreFlaggedAndTheFirstCounts(t *testing.T) {
	in := `{"eventType":"com.oraclecloud.identityControlPlane.UploadApiKey","eventId":"1","eventTime":"2026-11-20T10:00:00Z",
		"data":{"identity":{"principalName":"alice","principalName":"mallory","principal\u004eame":"eve"},"compartmentId":"ocid1.tenancy.oc1..t"}}`
	got := look(t, []byte(in), "actor.user.name", "raw.data.identity.principalName", "unmapped.duplicate_keys", "unmapped.warnings")
	warning := "the key \"principalName\" stands more than once in `data.identity`: its first value counts"
	want := map[string]any{
		"actor.user.name": "alice", "raw.data.identity.principalName": "alice", "unmapped.duplicate_keys": true,
		"unmapped.warnings": []any{warning, warning},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("fields (-got +want):\n%s", diff)
	}
	// A name with escapes that comes first counts, too: all readers see the same value.
	in = strings.Replace(in, `"principalName":"alice"`, `"principal\u004eame":"alice"`, 1)
	if got := look(t, []byte(in), "actor.user.name", "raw.data.identity.principalName"); got["actor.user.name"] != "alice" || got["raw.data.identity.principalName"] != "alice" {
		t.Errorf("with escapes: got %v", got)
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	const canary = "canary-7f3a"
	doc, err := normalize.Normalize(sample.JSON("UploadApiKey", sample.Options{Set: map[string]any{
		"data.identity.credentials": "ST$" + canary,
		"data.request.headers":      map[string]any{"authorization": []any{canary}, "Cookie": []any{canary}, "X-Auth-Token": []any{canary}},
		"data.response.headers":     map[string]any{"Set-Cookie": []any{canary}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), canary) {
		t.Errorf("a secret is in the document: %s", b)
	}
}

func TestErrorsSayWhatWhereAndWhatToDo(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", ``, "normalizing the message: it is empty; drop empty messages before this step"},
		{"array", `[{}]`, "normalizing the message: it is a JSON array, not an object; send one record per message; `unarchive: {format: json_array}` splits an array"},
		{"foreign", `{"a":1}`, "normalizing the message: it is neither an OCI audit event nor a Cloud Guard problem: no `eventType`, `type`, `logContent`, `detectorRuleId` or `class_uid` at its top level; map it with a mapping of its own, or route it past this step"},
		{"no time", `{"eventType":"com.oraclecloud.a.B"}`, "normalizing `eventTime`: it is missing; send the record as Oracle delivered it, with its time"},
		{"bad time", `{"eventType":"com.oraclecloud.a.B","eventTime":"yesterday"}`, "normalizing `eventTime`: it is no time; the time must be written as in 2026-11-21T10:30:00.000Z, not \"yesterday\""},
		{"no time in an envelope", `{"type":"com.oraclecloud.a.B"}`, "normalizing `time`: it is missing; send the record as Oracle delivered it, with its time"},
		{"problem without time", `{"detectorRuleId":"X"}`, "normalizing `timeLastDetected`: it is missing; send the record as Oracle delivered it, with its time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, err := normalize.Normalize([]byte(test.in))
			if err == nil {
				t.Fatalf("got %v, want an error", doc)
			}
			if got := err.Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if _, err := normalize.Normalize([]byte(`{"eventType":"` + strings.Repeat("x", 10000))); err == nil || len(err.Error()) > 400 {
		t.Errorf("a cut message gives %d letters of error", len(err.Error()))
	}
	if _, err := normalize.Normalize([]byte(strings.Repeat("[", 10000))); err == nil {
		t.Error("a deep message gives no error")
	}
}

func TestNumbersThatJSONCannotHoldStayText(t *testing.T) {
	in := `{"eventType":"com.oraclecloud.a.B","eventTime":"2026-11-20T10:00:00Z","data":{"x":1e999,"y":9007199254740993,"z":18446744073709551616}}`
	doc, err := normalize.Normalize([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(doc); err != nil {
		t.Errorf("encoding: %v", err)
	}
	if got := doc["unmapped"].(map[string]any)["data"].(map[string]any)["y"]; got != int64(9007199254740993) {
		t.Errorf("got %v, want every digit", got)
	}
}
