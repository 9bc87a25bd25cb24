package normalize_test

import (
	"maps"
	"slices"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

func TestStaticStatesOnlyWhatTheDocumentSays(t *testing.T) {
	records := map[string]map[string]any{}
	for _, op := range sample.Operations() {
		for _, status := range []string{"", "404"} {
			audit := sample.Event(op, sample.Options{Status: status})
			for name, wrap := range envelopes {
				records[op+" "+status+" "+name] = wrap(audit)
			}
		}
	}
	for _, name := range sample.Problems() {
		records[name+" problem"] = sample.Problem(name, sample.ProblemOptions{})
		records[name+" event"] = sample.ProblemEvent(name, sample.ProblemOptions{})
	}
	stated := 0
	for _, name := range slices.Sorted(maps.Keys(records)) {
		b := encode(t, records[name])
		kind, eventType := normalize.Scan(b)
		ev, err := normalize.Event(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for field, want := range normalize.Static(kind, string(eventType)) {
			path, err := event.ParsePath(field)
			if err != nil {
				t.Fatal(err)
			}
			if got := ev.Lookup(path); got != event.Normal(want) {
				t.Errorf("%s: %s is %v in the document, %v in the facts", name, field, got, want)
			}
			stated++
		}
	}
	if stated < 10*len(records) {
		t.Errorf("%d facts of %d records: too few to spare decoding", stated, len(records))
	}
}

func TestStaticIsSilentWhereARecordCouldDiffer(t *testing.T) {
	tests := []struct {
		name, eventType string
		kind            normalize.Kind
		certain         bool // class and operation are certain
	}{
		{"operation of the control plane", "com.oraclecloud.identityControlPlane.UploadApiKey", normalize.ConnectorHub, true},
		{"any case", "COM.ORACLECLOUD.IDENTITYCONTROLPLANE.UPLOADAPIKEY", normalize.EventsService, true},
		{"operation that is not known", "com.oraclecloud.newservice.CreateThing", normalize.AuditAPI, true},
		{"the same in the Logging service may be a service's log", "com.oraclecloud.newservice.CreateThing", normalize.ConnectorHub, false},
		{"events of identity domains have their name inside", "com.oraclecloud.IdentityDomains.CreateUser", normalize.AuditAPI, false},
		{"so may types of IAM that are not known", "com.oraclecloud.identityControlPlane.CreateSession", normalize.AuditAPI, false},
		{"a problem's class depends on its detector", "com.oraclecloud.cloudguard.problemdetected", normalize.EventsService, false},
		{"problem", "", normalize.Problem, false},
		{"flow", "com.oraclecloud.vcn.flowlogs.DataEvent", normalize.FlowLog, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := normalize.Static(test.kind, test.eventType)
			for _, field := range []string{"class_name", "activity_name", "type_uid", "api.operation"} {
				if _, ok := facts[field]; ok != test.certain {
					t.Errorf("%s is stated: %v, want %v", field, ok, test.certain)
				}
			}
			if test.eventType != "" && facts["metadata.event_code"] != test.eventType {
				t.Errorf("got event code %v, want %s", facts["metadata.event_code"], test.eventType)
			}
			if facts["metadata.version"] != normalize.SchemaVersion {
				t.Errorf("got version %v", facts["metadata.version"])
			}
		})
	}
	for _, kind := range []normalize.Kind{normalize.Unknown, normalize.Normalized} {
		if facts := normalize.Static(kind, "com.oraclecloud.identityControlPlane.UploadApiKey"); facts != nil {
			t.Errorf("%s: got %v, want nothing", kind, facts)
		}
	}
}

func TestAnnouncementKeepsItsName(t *testing.T) {
	got := look(t, []byte(`{"eventType":"com.oraclecloud.cloudguard.announcements","eventID":"1","eventTime":"2026-11-20T10:00:00Z","data":{}}`), "api.operation", "api.service.name")
	if got["api.operation"] != "announcements" || got["api.service.name"] != "cloudguard" {
		t.Errorf("got %v", got)
	}
}

func TestTypeThatIsNotKnownIsReadByItsDetails(t *testing.T) {
	got := look(t, []byte(`{"eventType":"com.oraclecloud.identityControlPlane.CreateSession","eventTime":"2026-11-20T10:00:00Z","data":{
		"additionalDetails":{"eventId":"sso.session.create.success","actorName":"Alice"}}}`), "class_name", "activity_name", "status", "user.name", "api.operation")
	for field, want := range map[string]any{
		"class_name": "Authentication", "activity_name": "Logon", "status": "Success", "user.name": "alice", "api.operation": "sso.session.create.success",
	} {
		if got[field] != want {
			t.Errorf("%s: got %v, want %v", field, got[field], want)
		}
	}
}
