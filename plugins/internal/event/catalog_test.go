package event_test

import (
	"slices"
	"strings"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/sample"
)

func TestEveryFieldIsDescribedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range event.Fields() {
		if seen[f.Name] {
			t.Errorf("%s stands twice", f.Name)
		}
		seen[f.Name] = true
		if f.Meaning == "" || f.Type == "" {
			t.Errorf("%s has no meaning or no type", f.Name)
		}
		if p, err := event.ParsePath(f.Name); err != nil || p.String() != f.Name {
			t.Errorf("%s is no path as rules write it: %v", f.Name, err)
		}
	}
	if len(seen) < 80 {
		t.Errorf("only %d fields", len(seen))
	}
}

func TestFieldNamed(t *testing.T) {
	tests := []struct {
		name  string
		known bool
		typ   event.Type
	}{
		{"user.name", true, event.String},
		{"src_endpoint.ip", true, event.IP},
		{"time", true, event.Timestamp},
		{"raw.data.stateChange.current.retentionPeriodDays", true, "any"},
		{`raw."a.b".c`, true, "any"},
		{"unmapped.site", true, "any"},
		{"unmapped", true, event.Object},
		{"user.nam", false, ""},
		{"user", false, ""},
		{"user.name.first", false, ""},
		{"rawdata.x", false, ""},
		{"", false, ""},
	}
	for _, test := range tests {
		f, known := event.FieldNamed(test.name)
		if known != test.known || f.Type != test.typ {
			t.Errorf("%q: got %v %q, want %v %q", test.name, known, f.Type, test.known, test.typ)
		}
	}
}

func TestNearestNamesWhatWasMeant(t *testing.T) {
	tests := []struct{ name, want string }{
		{"user.nam", "user.name"},
		{"usr.name", "user.name"},
		{"actor.user_name", "actor.user.name"},
		{"srcEndpoint.ip", "src_endpoint.ip"},
		{"src_endpont.ip", "src_endpoint.ip"},
		{"api.opreation", "api.operation"},
		{"operation", "api.operation"},
		{"event_code", "metadata.event_code"},
		{"Status", "status"},
		{"weather", ""},
		{"", ""},
	}
	for _, test := range tests {
		if got := event.Nearest(test.name); got != test.want {
			t.Errorf("%q: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestOperationsOfSamplesAreKnown(t *testing.T) {
	for _, op := range sample.Operations() {
		_, name, qualified := strings.Cut(op, ".")
		if !event.KnownOperation(op) && (!qualified || !event.KnownOperation("com.oraclecloud."+op)) {
			t.Errorf("%s (%s) is not known", op, name)
		}
		raw := sample.Event(op, sample.Options{})
		eventType, _ := raw["eventType"].(string)
		if _, known := event.OperationOfType(eventType); !known && !strings.HasPrefix(eventType, "com.oraclecloud.IdentityDomains.") {
			t.Errorf("%s is not known", eventType)
		}
	}
}

func TestKnownOperationTakesNamesTypesAndAnyCase(t *testing.T) {
	for name, want := range map[string]bool{
		"UploadApiKey": true, "uploadapikey": true, "sso.session.create.success": true,
		"com.oraclecloud.identityControlPlane.UploadApiKey": true, "com.oraclecloud.identitycontrolplane.uploadapikey": true,
		"com.oraclecloud.ComputeApi.TerminateInstance.begin": true, "TerminateInstance.end": true,
		"com.oraclecloud.cloudguard.problemdetected": true,
		"UploadApiKeys": false, "com.oraclecloud.identity.UploadApiKey": false, "": false, "sso.session.create": false,
	} {
		if got := event.KnownOperation(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestNearestOperationKeepsTheForm(t *testing.T) {
	tests := []struct{ name, want string }{
		{"UploadAdiKey", "UploadApiKey"},
		{"createpolcy", "CreatePolicy"},
		{"com.oraclecloud.identityControlPlane.UploadAdiKey", "com.oraclecloud.identityControlPlane.UploadApiKey"},
		{"com.oraclecloud.identity.uploadapikey", "com.oraclecloud.identityControlPlane.UploadApiKey"},
		{"com.oraclecloud.cloudguard.problemdetectd", "com.oraclecloud.cloudguard.problemdetected"},
		{"sso.sesion.create.success", "sso.session.create.success"},
		{"MakeCoffee", ""},
	}
	for _, test := range tests {
		if got := event.NearestOperation(test.name); got != test.want {
			t.Errorf("%q: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPairedOperations(t *testing.T) {
	for name, want := range map[string]bool{
		"TerminateInstance": true, "terminateinstance": true, "com.oraclecloud.ComputeApi.LaunchInstance.end": true,
		"UploadApiKey": false, "com.oraclecloud.identityControlPlane.CreateUser": false, "Unheard": false,
	} {
		if got := event.Paired(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestKnownTypesAreSortedAndSpelledAsTheAPIDoes(t *testing.T) {
	types := event.KnownTypes()
	if !slices.IsSorted(types) || len(types) < 400 {
		t.Errorf("%d types, sorted: %v", len(types), slices.IsSorted(types))
	}
	if !slices.Contains(types, "com.oraclecloud.identityControlPlane.UploadApiKey") {
		t.Error("UploadApiKey is not among them in its spelling")
	}
}
