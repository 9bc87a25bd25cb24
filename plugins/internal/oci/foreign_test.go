package oci

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/oracle/oci-go-sdk/v65/common"
	"github.com/oracle/oci-go-sdk/v65/common/auth"

	"benthos-oci/plugins/ocisim"
)

// TestOraclesOwnProvidersAreAcceptedToo signs with the providers of Oracle's SDK, which know nothing of this package:
// what the simulator asks of an instance, a function and a session is what Oracle's own code sends.
func TestOraclesOwnProvidersAreAcceptedToo(t *testing.T) {
	sim, err := ocisim.New(ocisim.Config{Events: 50, NoStories: true, Users: 5})
	if err != nil {
		t.Fatal(err)
	}
	// The SDK looks for the metadata service at an address; everything else goes by its dispatcher.
	metadata := httptest.NewServer(sim)
	defer metadata.Close()
	over := &http.Client{Transport: sim.RoundTripper(), Timeout: time.Minute}
	dir := t.TempDir()
	function, err := sim.Tokens().Function(0)
	if err != nil {
		t.Fatal(err)
	}
	session, err := sim.Tokens().User(0)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"rpst": function.Token, "rpst.pem": function.PrivateKeyPEM, "token": session.Token, "session.pem": session.PrivateKeyPEM,
		"config": fmt.Sprintf("[SIEM]\ntenancy=%s\nregion=%s\nfingerprint=%s\nkey_file=%s\nsecurity_token_file=%s\n",
			session.Tenancy, session.Region, session.Fingerprint, filepath.Join(dir, "session.pem"), filepath.Join(dir, "token")),
	} {
		write(t, filepath.Join(dir, name), text, 0o600)
	}
	for name, open := range map[string]func() (common.ConfigurationProvider, error){
		"instance principal": func() (common.ConfigurationProvider, error) {
			t.Setenv(envMetadata, metadata.URL+"/opc/v2")
			return auth.InstancePrincipalConfigurationProviderWithCustomClient(func(common.HTTPRequestDispatcher) (common.HTTPRequestDispatcher, error) { return over, nil })
		},
		"resource principal": func() (common.ConfigurationProvider, error) {
			t.Setenv(envVersion, "2.2")
			t.Setenv(envRegion, function.Region)
			t.Setenv(envToken, filepath.Join(dir, "rpst"))
			t.Setenv(envKey, filepath.Join(dir, "rpst.pem"))
			return auth.ResourcePrincipalConfigurationProvider()
		},
		"session token": func() (common.ConfigurationProvider, error) {
			return common.ConfigurationProviderForSessionTokenWithProfile(filepath.Join(dir, "config"), "SIEM", "")
		},
	} {
		provider, err := open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tenancy, err := provider.TenancyOCID()
		if err != nil || tenancy != sim.Tenancies()[0].OCID {
			t.Errorf("%s: got tenancy %q, %v; want %s", name, tenancy, err, sim.Tenancies()[0].OCID)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"https://identity.eu-frankfurt-1.oci.oraclecloud.com/20160918/tenancies/"+sim.Tenancies()[0].OCID+"/regionSubscriptions", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		if err := common.DefaultRequestSigner(provider).Sign(req); err != nil {
			t.Errorf("%s: signing: %v", name, err)
			continue
		}
		resp, err := over.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, want 200", name, resp.StatusCode)
		}
	}
	if sim.Count(opFederate, http.StatusOK) == 0 {
		t.Error("no token was asked for: nothing was tried")
	}
}
