package oci

import (
	"strings"
	"testing"
)

func TestEndpointIsSafeOrRefused(t *testing.T) {
	for _, tt := range []struct{ endpoint, want, wantErr string }{
		{"", "https://audit.eu-frankfurt-1.oraclecloud.com/20190901", ""},
		{"http://127.0.0.1:8081/{region}", "http://127.0.0.1:8081/eu-frankfurt-1/20190901", ""},
		{"http://127.0.0.1:8081/{region}/", "http://127.0.0.1:8081/eu-frankfurt-1/20190901", ""},
		{"http://[::1]:8081", "http://[::1]:8081/20190901", ""},
		{"http://localhost/x", "http://localhost/x/20190901", ""},
		{"https://{service}.{region}.proxy.example.com", "https://audit.eu-frankfurt-1.proxy.example.com/20190901", ""},
		{"http://10.0.0.1:8081", "", "clear text"},
		{"http://localhost.example.com", "", "clear text"},
		{"http://127.0.0.1.example.com", "", "clear text"},
		{"ftp://127.0.0.1", "", "must be https"},
		{"127.0.0.1:8081", "", "not a URL"},
		{"/x", "", "names no host"},
		{"https://user:pw@example.com", "", "no user"},
		{"https://example.com?x=1", "", "no user, query"},
		{"https://example.com/#x", "", "no user, query"},
	} {
		e, err := parseEndpoint(tt.endpoint)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%s: got %v, want %q in it", tt.endpoint, err, tt.wantErr)
			}
			if err != nil && strings.Contains(err.Error(), "pw") {
				t.Errorf("%s: the password stands in the error", tt.endpoint)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.endpoint, err)
			continue
		}
		got, err := e.resolve(auditService, "eu-frankfurt-1")
		if err != nil || got != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.endpoint, got, err, tt.want)
		}
	}
}

func TestHostsAreThoseOfTheRegionsRealm(t *testing.T) {
	for _, tt := range []struct {
		service service
		region  string
		want    string
	}{
		{auditService, "us-gov-phoenix-1", "https://audit.us-gov-phoenix-1.oraclegovcloud.com/20190901"},
		{identityService, "us-ashburn-1", "https://identity.us-ashburn-1.oci.oraclecloud.com/20160918"},
		{cloudGuardService, "eu-frankfurt-2", "https://cloudguard-cp-api.eu-frankfurt-2.oci.oraclecloud.eu/20200131"},
	} {
		got, err := endpoint{}.resolve(tt.service, tt.region)
		if err != nil || got != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.region, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "a b", "x/../y", "x@evil.example.com", "a?b", strings.Repeat("a", 65)} {
		if _, err := (endpoint{}).resolve(auditService, bad); KindOf(err) != WrongRegion {
			t.Errorf("%q: got %v, want it refused", bad, err)
		}
	}
}

func TestRegionsAreSpelledAsOracleDoes(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"FRA", "eu-frankfurt-1"},
		{" iad ", "us-ashburn-1"},
		{"US-Ashburn-1", "us-ashburn-1"},
		{"xx-new-1", "xx-new-1"},
	} {
		if got := CanonicalRegion(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}
