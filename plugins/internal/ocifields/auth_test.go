package ocifields

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// fields of auth, each with some value.
const allAuth = "tenancy: t, user: u, fingerprint: f, private_key: k, private_key_file: f, passphrase: p, region: r, config_file: c, profile: p"

func TestLintNamesFieldsThatDoNotBelongToTheType(t *testing.T) {
	env := service.NewEnvironment()
	if err := env.RegisterInput("test", spec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	linter := env.NewComponentConfigLinter()
	for _, tt := range []struct{ auth, want string }{
		{"type: instance_principal", ""},
		{"type: Instance_Principal, region: iad, tenancy: t", ""},
		{"type: instance_principal, user: u", "type instance_principal does not take user, but tenancy, region"},
		{"type: instance_principal, user: ''", ""},
		{"type: workload_identity, " + allAuth, "does not take config_file, fingerprint, passphrase, private_key, private_key_file, profile, user, but tenancy, region"},
		{"type: resource_principal, private_key: k", "does not take private_key"},
		{"type: session_token, profile: p, config_file: c, region: r, passphrase: p", ""},
		{"type: session_token, user: u", "type session_token does not take user"},
		{"type: config_file, tenancy: t", "type config_file does not take tenancy"},
		{"type: api_key, tenancy: t, user: u, fingerprint: f, private_key: k, region: r", ""},
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
