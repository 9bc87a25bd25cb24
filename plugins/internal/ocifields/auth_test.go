package ocifields

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// fields of auth, each with some value.
const (
	someTenancy = "ocid1.tenancy.oc1..aaaa"
	someUser    = "ocid1.user.oc1..aaaa"
	someKey     = "'-----BEGIN PRIVATE KEY----- aaaa -----END PRIVATE KEY-----'"
	somePrint   = "'20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34'"
	allAuth     = "tenancy: " + someTenancy + ", user: " + someUser + ", fingerprint: " + somePrint + ", private_key: " + someKey +
		", private_key_file: f, passphrase: p, region: r, config_file: c, profile: p"
)

func TestLintNamesFieldsThatDoNotBelongToTheType(t *testing.T) {
	env := service.NewEnvironment()
	if err := env.RegisterInput("test", spec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	linter := env.NewComponentConfigLinter()
	for _, tt := range []struct{ auth, want string }{
		{"type: instance_principal", ""},
		{"type: Instance_Principal, region: iad, tenancy: " + someTenancy, ""},
		{"type: instance_principal, user: " + someUser, "type instance_principal does not take user, but tenancy, region"},
		{"type: instance_principal, user: ''", ""},
		{"type: workload_identity, " + allAuth, "does not take config_file, fingerprint, passphrase, private_key, private_key_file, profile, user, but tenancy, region"},
		{"type: resource_principal, private_key: " + someKey, "does not take private_key"},
		{"type: session_token, profile: p, config_file: c, region: r, passphrase: p", ""},
		{"type: session_token, user: " + someUser, "type session_token does not take user"},
		{"type: config_file, tenancy: " + someTenancy, "type config_file does not take tenancy"},
		{"type: api_key, tenancy: " + someTenancy + ", user: " + someUser + ", fingerprint: " + somePrint + ", private_key: " + someKey + ", region: r", ""},
		{"type: api_key, profile: p", "type api_key does not take profile"},
		{"type: auto, " + allAuth, ""},
		{allAuth, ""},
		{"type: magic", "value magic is not a valid option"},
		{"type: instance_principal, regoin: r", "field regoin not recognised"},
	} {
		lints, err := linter.LintInputYAML([]byte("test:\n  auth: { " + tt.auth + " }"))
		if err != nil {
			t.Errorf("%s: %v", tt.auth, err)
			continue
		}
		var got []string
		for _, l := range lints {
			got = append(got, l.What)
		}
		if (tt.want == "") != (len(got) == 0) || len(got) > 1 || !strings.Contains(strings.Join(got, "\n"), tt.want) {
			t.Errorf("%s: got %q, want one with %q", tt.auth, got, tt.want)
		}
	}
}

func TestAuthAndTLSAreReadAsTheyAreWritten(t *testing.T) {
	parsed, err := spec().ParseYAML(`
auth: { type: Session_Token, profile: P, config_file: C, region: R, passphrase: W }
endpoint: https://gateway.example.com
tls: { root_cas: A, root_cas_file: B, cert_file: D, key_file: E }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Auth, oci.Auth{Method: oci.SessionToken, Profile: "P", ConfigFile: "C", Region: "R", Passphrase: "W"}); diff != "" {
		t.Errorf("auth: got -, want +:\n%s", diff)
	}
	if diff := cmp.Diff(got.TLS, oci.TLS{RootCAs: "A", RootCAsFile: "B", CertFile: "D", KeyFile: "E"}); diff != "" || got.Endpoint != "https://gateway.example.com" {
		t.Errorf("tls, endpoint %q: got -, want +:\n%s", got.Endpoint, diff)
	}
	if parsed, err = spec().ParseYAML(`auth: { tenancy: T, user: U, fingerprint: F, private_key: K, private_key_file: L, region: R }`, nil); err != nil {
		t.Fatal(err)
	}
	if got, err = Parse(parsed); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Auth, oci.Auth{Tenancy: "T", User: "U", Fingerprint: "F", PrivateKey: "K", PrivateKeyFile: "L", Region: "R"}); diff != "" {
		t.Errorf("without a type: got -, want +:\n%s", diff)
	}
}

func TestLintNamesWhatCannotWork(t *testing.T) {
	env := service.NewEnvironment()
	if err := env.RegisterInput("test", spec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	linter := env.NewComponentConfigLinter()
	for _, tt := range []struct{ yaml, want string }{
		{"auth:\n    tenancy: foo", `tenancy must be the OCID of the tenancy, like ocid1.tenancy.oc1..aaaa (Console, profile menu, Tenancy), got "foo"`},
		{"auth:\n    tenancy: " + someUser, "tenancy must be the OCID of the tenancy"},
		{"auth:\n    tenancy: ' " + someTenancy + "'", "tenancy must be the OCID of the tenancy"}, // it is not trimmed
		{"auth:\n    tenancy: ''", ""}, // what is not set is told elsewhere
		{"auth:\n    user: bob", "user must be the OCID of the user whose key this is"},
		{"auth:\n    user: " + someUser, ""},
		{"auth:\n    fingerprint: 20:3b", "fingerprint must be 16 pairs of hex digits"},
		{"auth:\n    fingerprint: '20:3B:97:13:55:1C:5B:0D:D3:37:D8:50:4E:C5:3A:34'", ""},
		{"auth:\n    private_key: x", "private_key holds no key in PEM form"},
		{"auth:\n    private_key: '-----BEGIN PUBLIC KEY----- aaaa -----END PUBLIC KEY-----'", "private_key holds a public key"},
		{"auth:\n    private_key: " + someKey, ""},
		{"auth:\n    region: no region", `"no region" is not the name of a region`},
		{"auth:\n    region: iad", ""},
		{"\n  endpoint: http://example.com/{region}", "would send signed requests in clear text"},
		{"\n  endpoint: ftp://example.com", "must be https"},
		{"\n  endpoint: gateway", "names no host"},
		{"\n  endpoint: https://bob:secret@example.com", "must hold no user"},
		{"\n  endpoint: http://127.0.0.1:8081/{region}", ""},
		{"\n  endpoint: https://example.com/{service}/{region}", ""},
	} {
		lints, err := linter.LintInputYAML([]byte("test:\n  " + tt.yaml))
		if err != nil {
			t.Errorf("%s: %v", tt.yaml, err)
			continue
		}
		var got []string
		for _, l := range lints {
			if l.Line != 3 {
				t.Errorf("%s: got line %d, want 3", tt.yaml, l.Line)
			}
			got = append(got, l.What)
		}
		if (tt.want == "") != (len(got) == 0) || len(got) > 1 || !strings.Contains(strings.Join(got, "\n"), tt.want) || strings.Contains(strings.Join(got, "\n"), "secret") {
			t.Errorf("%s: got %q, want one with %q", tt.yaml, got, tt.want)
		}
	}
}
