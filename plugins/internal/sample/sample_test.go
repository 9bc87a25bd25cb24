package sample

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecodedEventAndBytesSayTheSame(t *testing.T) {
	options := []Options{
		{},
		{Status: "404", Actor: Principal{ID: OCID("instance", "us-phoenix-1", "x")}},
		{Console: true, Set: map[string]any{
			"data.identity.principalId": "ocid1.user.oc1..x", "data.new.deep": 1.5, "eventId": nil,
			"data.map": map[string]any{"n": int64(7), "list": []string{"a", "b"}}, "data.at": defaultTime,
		}},
	}
	for _, op := range Operations() {
		for _, o := range options {
			var decoded map[string]any
			if err := json.Unmarshal(JSON(op, o), &decoded); err != nil {
				t.Fatalf("%s: the bytes are no JSON: %v", op, err)
			}
			if diff := cmp.Diff(Event(op, o), decoded); diff != "" {
				t.Errorf("%s: Event and JSON differ (-Event +JSON):\n%s", op, diff)
			}
		}
	}
}

func TestEveryOperationIsAnAuditEvent(t *testing.T) {
	total := 0
	for _, op := range Operations() {
		event := Event(op, Options{})
		data, _ := event["data"].(map[string]any)
		identity, _ := data["identity"].(map[string]any)
		for name, got := range map[string]any{
			"eventType": event["eventType"], "eventId": event["eventId"], "eventTime": event["eventTime"], "source": event["source"],
			"data.eventName": data["eventName"], "data.compartmentId": data["compartmentId"], "data.identity.tenantId": identity["tenantId"],
		} {
			if s, _ := got.(string); s == "" {
				t.Errorf("%s: %s = %v, want a text", op, name, got)
			}
		}
		total += len(JSON(op, Options{}))
	}
	if average := total / len(Operations()); average < 1800 || average > 2600 {
		t.Errorf("an event has %d bytes on average, want about 2,000", average)
	}
	if got := len(Operations()); got < 150 {
		t.Errorf("%d operations are known, want at least 150", got)
	}
}

func TestOperationsOfTheRulesAreKnown(t *testing.T) {
	for _, op := range []string{
		"UploadApiKey", "CreateUser", "CreateIdpUser", "DeleteUser", "DeleteIdpUser", "AddUserToGroup", "DeleteMfaTotpDevice",
		"CreatePolicy", "InteractiveLogin", "TerminateInstance", "TerminateInstance.begin", "LaunchInstance.end", "UpdateConfiguration",
		"sso.session.create.success", "sso.authentication.failure", "admin.user.create.success", "admin.user.delete.success",
		"admin.group.add.member.success", "CloudGuard.UpdateConfiguration",
	} {
		if !Known(op) {
			t.Errorf("Known(%q) = false, want true", op)
		}
	}
	if Known("UploadAdiKey") {
		t.Error(`Known("UploadAdiKey") = true, want false`)
	}
}

// TestEventTypesOfTheCISBenchmarkAreKnown holds the operations to those whose notification
// the CIS OCI Foundations Benchmark asks for in its section 4.
func TestEventTypesOfTheCISBenchmarkAreKnown(t *testing.T) {
	types := map[string]bool{}
	for _, op := range Operations() {
		eventType, _ := Event(op, Options{})["eventType"].(string)
		types[strings.ToLower(eventType)] = true
	}
	want := 0
	for service, names := range map[string]string{
		"identitycontrolplane": `createidentityprovider deleteidentityprovider updateidentityprovider
			addidpgroupmapping removeidpgroupmapping updateidpgroupmapping createidpgroupmapping deleteidpgroupmapping
			creategroup deletegroup updategroup createpolicy deletepolicy updatepolicy
			createuser deleteuser updateuser updateusercapabilities updateuserstate`,
		"virtualnetwork": `createvcn deletevcn updatevcn changeroutetablecompartment createroutetable deleteroutetable updateroutetable
			changesecuritylistcompartment createsecuritylist deletesecuritylist updatesecuritylist
			changenetworksecuritygroupcompartment createnetworksecuritygroup deletenetworksecuritygroup updatenetworksecuritygroup
			createdrg deletedrg updatedrg createdrgattachment deletedrgattachment updatedrgattachment
			changeinternetgatewaycompartment createinternetgateway deleteinternetgateway updateinternetgateway
			changelocalpeeringgatewaycompartment createlocalpeeringgateway deletelocalpeeringgateway updatelocalpeeringgateway`,
		"natgateway":     "changenatgatewaycompartment createnatgateway deletenatgateway updatenatgateway",
		"servicegateway": "attachserviceid changeservicegatewaycompartment createservicegateway deleteservicegateway detachserviceid updateservicegateway",
		"identitysignon": "interactivelogin",
	} {
		for name := range strings.FieldsSeq(names) {
			want++
			if eventType := "com.oraclecloud." + service + "." + name; !types[eventType] {
				t.Errorf("no operation has the event type %s", eventType)
			}
		}
	}
	if want < 50 {
		t.Fatalf("%d event types were looked at: too few", want)
	}
}

func TestSameOptionsGiveTheSameBytes(t *testing.T) {
	o := Options{Actor: Principal{Name: "carol@example.com"}, IP: "198.51.100.4"}
	if first, second := string(JSON("CreatePolicy", o)), string(JSON("CreatePolicy", o)); first != second {
		t.Errorf("two events of the same options differ:\n%s\n%s", first, second)
	}
	other := o
	other.Time = defaultTime.Add(time.Millisecond)
	if got, not := Event("CreatePolicy", other)["eventId"], Event("CreatePolicy", o)["eventId"]; got == not {
		t.Errorf("events at different times have the same id %v", got)
	}
}

func lookup(v any, path string) any {
	for _, name := range segments(path) {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func TestTargetsStandWhereTheAPIWritesThem(t *testing.T) {
	bob := Principal{Name: "bob@example.com", ID: "ocid1.user.oc1..bob"}
	admins := Principal{Name: "Admins", ID: "ocid1.group.oc1..admins"}
	tests := []struct {
		op, path string
		want     any
	}{
		{"UploadApiKey", "data.request.path", "/20160918/users/ocid1.user.oc1..bob/apiKeys"},
		{"DeleteMfaTotpDevice", "data.request.path", "/20160918/users/ocid1.user.oc1..bob/mfaTotpDevices/device"},
		{"CreateUser", "data.response.payload.id", "ocid1.user.oc1..bob"},
		{"CreateUser", "data.resourceName", "bob@example.com"},
		{"AddUserToGroup", "data.response.payload.userId", "ocid1.user.oc1..bob"},
		{"AddUserToGroup", "data.response.payload.groupId", "ocid1.group.oc1..admins"},
		{"RemoveUserFromGroup", "data.additionalDetails.userId", "ocid1.user.oc1..bob"},
		{"admin.user.delete.success", "data.additionalDetails.adminResourceName", "bob@example.com"},
		{"admin.group.add.member.success", "data.additionalDetails.adminRefResourceName", "bob@example.com"},
		{"admin.group.add.member.success", "data.additionalDetails.adminResourceName", "Admins"},
		{"admin.group.add.member.success", "data.additionalDetails.eventId", "admin.group.add.member.success"},
		{"TerminateInstance", "data.resourceId", "ocid1.user.oc1..bob"},
		{"TerminateInstance.begin", "eventType", "com.oraclecloud.ComputeApi.TerminateInstance.begin"},
		{"TerminateInstance.begin", "data.eventName", "TerminateInstance"},
	}
	for _, tt := range tests {
		event := Event(tt.op, Options{Target: bob, Group: admins})
		if got := lookup(event, tt.path); got != tt.want {
			t.Errorf("%s: %s = %v, want %v", tt.op, tt.path, got, tt.want)
		}
	}
}

func TestFailedCallsSayWhy(t *testing.T) {
	tests := []struct {
		op, status, path string
		want             any
	}{
		{"UploadApiKey", "404", "data.response.status", "404"},
		{"UploadApiKey", "404", "data.response.payload.code", "NotAuthorizedOrNotFound"},
		{"UploadApiKey", "401", "data.response.payload.code", "NotAuthenticated"},
		{"UploadApiKey", "400", "data.response.payload.code", "InvalidParameter"},
		{"UploadApiKey", "399", "data.message", "UploadApiKey succeeded"},
		{"UploadApiKey", "400", "data.message", "UploadApiKey failed"},
		{"CreateUser", "409", "data.resourceId", nil},
		{"InteractiveLogin", "400", "data.response.payload.login_result", "PASSWORD_INVALID"},
		{"InteractiveLogin", "400", "data.response.payload.login_input", "tenant: acme, user: alice@example.com"},
		{"InteractiveLogin", "400", "data.identity.principalId", nil},
		{"InteractiveLogin", "", "data.response.payload.login_result", "SUCCESS"},
		{"sso.authentication.failure", "", "data.response.status", "401"},
		{"admin.user.create.success", "403", "data.additionalDetails.eventId", "admin.user.create.failure"},
	}
	for _, tt := range tests {
		if got := lookup(Event(tt.op, Options{Status: tt.status}), tt.path); got != tt.want {
			t.Errorf("%s with status %q: %s = %v, want %v", tt.op, tt.status, tt.path, got, tt.want)
		}
	}
}

func TestSetReachesEveryPlace(t *testing.T) {
	event := Event("CreatePolicy", Options{Set: map[string]any{
		"data.response.payload.statements.0": "Allow any-user to manage all-resources in tenancy",
		`data."a.b".c`:                       true,
		"data.identity":                      nil,
		"data.stateChange.previous.days":     365,
		"data.response.payload.statements.7": "beyond the end: nothing happens",
	}})
	for path, want := range map[string]any{
		`data."a.b".c`: true, "data.identity": nil, "data.stateChange.previous.days": 365.0,
	} {
		if got := lookup(event, path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	statements, _ := lookup(event, "data.response.payload.statements").([]any)
	if len(statements) != 2 || statements[0] != "Allow any-user to manage all-resources in tenancy" {
		t.Errorf("statements = %v, want the first one replaced", statements)
	}

	doc := map[string]any{"a": []any{map[string]any{"b": 1}}}
	Set(doc, "a.0.b", 2)
	Set(doc, "c.d", 3)
	Set(doc, "", 4)
	if diff := cmp.Diff(map[string]any{"a": []any{map[string]any{"b": 2}}, "c": map[string]any{"d": 3}}, doc); diff != "" {
		t.Errorf("Set (-want +got):\n%s", diff)
	}
}

func TestEventSharesNothingWithItsOptions(t *testing.T) {
	inner := map[string]any{"n": 1}
	event := Event("CreatePolicy", Options{Set: map[string]any{"data.inner": inner}})
	Set(event, "data.inner.n", 2)
	if inner["n"] != 1 {
		t.Errorf("changing the event changed the options to %v", inner)
	}
}

func TestEnvelopesCarryTheSameData(t *testing.T) {
	event := Event("UploadApiKey", Options{})
	hub, row, rule := ConnectorHub(event), LoggingSearch(event), EventsService(event)
	for name, got := range map[string]any{
		"Connector Hub": hub["data"], "Logging Search": lookup(row, "logContent.data"), "Events service": rule["data"],
	} {
		if diff := cmp.Diff(event["data"], got); diff != "" {
			t.Errorf("%s: data differ (-want +got):\n%s", name, diff)
		}
	}
	for path, got := range map[string]any{"id": hub["id"], "logContent.id": lookup(row, "logContent.id"), "eventID": rule["eventID"]} {
		if got != event["eventId"] {
			t.Errorf("%s = %v, want %v", path, got, event["eventId"])
		}
	}
	if got, want := rule["eventType"], "com.oraclecloud.identitycontrolplane.uploadapikey"; got != want {
		t.Errorf("the Events service's type is %v, want %v", got, want)
	}
	if got, want := lookup(hub, "oracle.ingestedtime"), "2026-11-20T12:00:05.300Z"; got != want {
		t.Errorf("ingestedtime = %v, want %v", got, want)
	}
}

func TestProblemsHaveTheirThreeShapes(t *testing.T) {
	names := Problems()
	if len(names) < 8 || !slices.IsSorted(names) {
		t.Fatalf("Problems() = %v, want at least 8, sorted", names)
	}
	for _, name := range names {
		o := ProblemOptions{Resource: Principal{Name: "invoices"}}
		short, long, event := ProblemSummary(name, o), Problem(name, o), ProblemEvent(name, o)
		var decoded map[string]any
		if err := json.Unmarshal(ProblemJSON(name, o), &decoded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(long, decoded); diff != "" {
			t.Errorf("%s: Problem and ProblemJSON differ:\n%s", name, diff)
		}
		if short["description"] != nil || long["description"] == nil {
			t.Errorf("%s: the description stands in the summary (%v) or is missing in the problem (%v)", name, short["description"], long["description"])
		}
		if got, want := lookup(event, "data.resourceId"), short["id"]; got != want {
			t.Errorf("%s: the event names %v, want the problem %v", name, got, want)
		}
	}
	dismissed := ProblemEvent("BUCKET_IS_PUBLIC", ProblemOptions{State: "INACTIVE", Detail: "DISMISSED"})
	if got, want := dismissed["eventType"], "com.oraclecloud.cloudguard.problemdismissed"; got != want {
		t.Errorf("eventType of a dismissed problem = %v, want %v", got, want)
	}
}

func TestIdentifiersLookLikeOracles(t *testing.T) {
	if got := UUID("a"); len(got) != 36 || got[14] != '4' || got != UUID("a") || got == UUID("b") {
		t.Errorf("UUID = %s, want a stable version 4 UUID that depends on its seed", got)
	}
	got := OCID("instance", "us-ashburn-1", "web")
	if !strings.HasPrefix(got, "ocid1.instance.oc1.iad.aaaaaaaa") || len(got) != len("ocid1.instance.oc1.iad.")+60 {
		t.Errorf("OCID = %s, want ocid1.instance.oc1.iad. and 60 letters", got)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = AppendJSON(buf[:0], "GetInstance", Options{})
	}
	b.SetBytes(int64(len(buf)))
}
