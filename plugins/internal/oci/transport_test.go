package oci

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
)

// authority is a certificate authority of nobody but the test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a, err := makeAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var makeAuthority = sync.OnceValues(func() (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), // also in a bubble, whose time is another
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, err
})

// certify gives a certificate for a host, or an IP address, until a time; alone: signed by itself.
func (a authority) certify(t *testing.T, host string, until time.Time, alone bool) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames: []string{host},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	parent, signer := a.cert, a.key
	if alone {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve answers as the simulator over TLS and gives the address, as https://127.0.0.1:1234.
func serve(t *testing.T, sim http.Handler, config *tls.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(sim)
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestOnlyTrustedServersAreSpokenTo(t *testing.T) {
	a, sim := newAuthority(t), simulate(t, ocisim.Config{})
	folder := t.TempDir()
	write(t, filepath.Join(folder, "ca.pem"), a.pem, 0o644)
	own := a.certify(t, "client", time.Now().Add(time.Hour), false)
	der, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "own.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})), 0o644)
	write(t, filepath.Join(folder, "own.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), 0o600)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	private := TLS{RootCAsFile: filepath.Join(folder, "ca.pem")}
	mutual := private
	mutual.CertFile, mutual.KeyFile = filepath.Join(folder, "own.pem"), filepath.Join(folder, "own.key")
	soon := time.Now().Add(time.Hour)
	good := a.certify(t, "127.0.0.1", soon, false)
	for _, tt := range []struct {
		name   string
		server *tls.Config
		client TLS
		want   string
	}{
		{"a private authority that is given in a file", &tls.Config{Certificates: []tls.Certificate{good}}, private, ""},
		{"a private authority that is given as text", &tls.Config{Certificates: []tls.Certificate{good}}, TLS{RootCAs: a.pem}, ""},
		{"a private authority that is not given", &tls.Config{Certificates: []tls.Certificate{good}}, TLS{}, "signed by somebody that this machine does not trust"},
		{"signed by itself", &tls.Config{Certificates: []tls.Certificate{a.certify(t, "127.0.0.1", soon, true)}}, private, "signed by itself"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{a.certify(t, "127.0.0.1", time.Now().Add(-time.Minute), false)}}, private, "has expired"},
		{"another host", &tls.Config{Certificates: []tls.Certificate{a.certify(t, "audit.example.com", soon, false)}}, private, "for another host than 127.0.0.1"},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}, private, "protocol version"},
		{"a certificate is asked for and given", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}, mutual, ""},
		{"a certificate is asked for and not given", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}, private, "certificate required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(sim)
			o.Transport, o.Endpoint, o.TLS, o.Retry.Attempts = nil, serve(t, sim, tt.server)+"/{region}", tt.client, 1
			c := client(t, o)
			defer c.Close()
			_, err := c.Regions(t.Context())
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want an answer", err)
			case tt.want != "" && (KindOf(err) != Untrusted || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "tls.root_cas_file")):
				t.Errorf("got %v (%s), want %q in it", err, KindOf(err), tt.want)
			}
		})
	}
}

func TestClearTextIsNotTakenForTLS(t *testing.T) {
	sim := simulate(t, ocisim.Config{})
	server := httptest.NewServer(sim)
	defer server.Close()
	o := options(sim)
	o.Transport, o.Endpoint, o.Retry.Attempts = nil, strings.Replace(server.URL, "http:", "https:", 1), 1
	_, err := client(t, o).Regions(t.Context())
	if err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("got %v, want that the server does not speak TLS", err)
	}
}

func TestTLSFieldsThatCannotWorkAreRefused(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "text"), "text", 0o600)
	for _, tt := range []struct {
		tls  TLS
		want string
	}{
		{TLS{RootCAs: "text"}, "tls.root_cas holds no certificate"},
		{TLS{RootCAsFile: filepath.Join(folder, "text")}, "holds no certificate in PEM form"},
		{TLS{RootCAsFile: filepath.Join(folder, "none")}, "cannot be read"},
		{TLS{CertFile: "x"}, "both cert_file and key_file"},
		{TLS{KeyFile: "x"}, "both cert_file and key_file"},
		{TLS{CertFile: filepath.Join(folder, "text"), KeyFile: filepath.Join(folder, "text")}, "cannot be used"},
	} {
		_, err := New(Options{Auth: goodAuth(t), TLS: tt.tls})
		if KindOf(err) != BadConfig || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q in it", tt.tls, err, tt.want)
		}
	}
}

// TestPodTrustsItsClusterAndNobodyElse asks for a token over TLS, at the address that Kubernetes names.
func TestPodTrustsItsClusterAndNobodyElse(t *testing.T) {
	a := newAuthority(t)
	for name, tt := range map[string]struct {
		host string
		cert tls.Certificate
		want string
	}{
		"the cluster's certificate": {"10.96.0.1", a.certify(t, "10.96.0.1", time.Now().Add(time.Hour), false), ""},
		"IPv6":                      {"fd00::1", a.certify(t, "fd00::1", time.Now().Add(time.Hour), false), ""},
		"somebody else's":           {"10.96.0.1", a.certify(t, "10.96.0.1", time.Now().Add(time.Hour), true), "is not trusted, because its certificate is signed by itself"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newLoginRig(t)
			server := httptest.NewUnstartedServer(r.sim)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{tt.cert}}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			o := r.options(t, WorkloadIdentity)
			r.env[envKubernetes] = tt.host
			o.Transport, o.Endpoint, o.TLS = nil, "https://"+net.JoinHostPort(tt.host, workloadPort)+"/{region}", TLS{RootCAs: a.pem}
			var mu sync.Mutex
			var asked []string
			o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				asked = append(asked, address)
				mu.Unlock()
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}
			c, err := New(o)
			if tt.want != "" {
				if KindOf(err) != Untrusted || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q in it", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Regions(t.Context()); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if asked[0] != net.JoinHostPort(tt.host, "12250") {
				t.Errorf("got a connection to %s, want port 12250 of the cluster", asked[0])
			}
		})
	}
}

func TestNameThatCannotBeResolvedIsSaid(t *testing.T) {
	o := options(simulate(t, ocisim.Config{}))
	o.Transport, o.Retry.Attempts = nil, 1
	for _, tt := range []struct {
		endpoint string
		err      error
		kind     Kind
		want     string
	}{
		{"", &net.DNSError{Err: "no such host", Name: "identity.eu-frankfurt-1.oci.oraclecloud.com", IsNotFound: true}, WrongRegion, "probably not the name of a region"},
		{"", &net.DNSError{Err: "server misbehaving", Name: "identity.eu-frankfurt-1.oci.oraclecloud.com", IsTemporary: true}, Unreachable, "check DNS and the proxy settings"},
		{"https://gateway.example.com", &net.DNSError{Err: "no such host", Name: "gateway.example.com", IsNotFound: true}, Unreachable, "found no address for gateway.example.com"},
		{"", &net.OpError{Op: "dial", Net: "tcp6", Err: errors.New("network is unreachable")}, Unreachable, "network is unreachable"},
	} {
		o.Endpoint = tt.endpoint
		o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, tt.err }
		_, err := client(t, o).Regions(t.Context())
		if KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v (%s), want %s with %q in it", err, KindOf(err), tt.kind, tt.want)
		}
	}
}

// proxied is set in the process that reads through a proxy: Go reads the environment's proxy once in a process.
const proxied = "BENTHOS_OCI_TEST_PROXIED"

// TestProxyOfTheEnvironmentCarriesCallsToOracleAndNothingElse reads as an instance, in a process of its own, with HTTPS_PROXY and
// HTTP_PROXY set: calls and the request for a token go through the proxy, those to the metadata service do not.
func TestProxyOfTheEnvironmentCarriesCallsToOracleAndNothingElse(t *testing.T) {
	if os.Getenv(proxied) != "" {
		readProxied(t)
		return
	}
	a, sim := newAuthority(t), simulate(t, ocisim.Config{})
	folder := t.TempDir()
	write(t, filepath.Join(folder, "ca.pem"), a.pem, 0o600)
	oracle := map[string]string{}
	for _, host := range []string{"auth.eu-frankfurt-1.oraclecloud.com", "identity.eu-frankfurt-1.oci.oraclecloud.com"} {
		oracle[host+":443"] = strings.TrimPrefix(serve(t, sim, &tls.Config{Certificates: []tls.Certificate{a.certify(t, host, time.Now().Add(time.Hour), false)}}), "https://")
	}
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host)
		mu.Unlock()
		tunnel(w, r, oracle)
	}))
	defer proxy.Close()
	metadata := httptest.NewServer(sim)
	defer metadata.Close()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), proxied+"="+strings.TrimPrefix(metadata.URL, "http://"), "HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "NO_PROXY=",
		"OCI_METADATA_BASE_URL=http://169.254.169.254/opc/v2", "TEST_ROOT_CAS="+filepath.Join(folder, "ca.pem"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	for host := range oracle {
		if !strings.Contains(strings.Join(asked, "\n"), "CONNECT "+host) {
			t.Errorf("got %q of the proxy, want a tunnel to %s", asked, host)
		}
	}
	if strings.Contains(strings.Join(asked, "\n"), "169.254.169.254") {
		t.Errorf("got %q of the proxy, want nothing to the metadata service", asked)
	}
}

// readProxied is the process that reads through the proxy; what is not the proxy is the metadata service.
func readProxied(t *testing.T) {
	t.Helper()
	proxy := strings.TrimPrefix(os.Getenv("HTTPS_PROXY"), "http://")
	o := Options{
		Auth: Auth{Method: InstancePrincipal}, TLS: TLS{RootCAsFile: os.Getenv("TEST_ROOT_CAS")},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			switch address {
			case proxy:
			case "169.254.169.254:80":
				address = os.Getenv(proxied)
			default:
				return nil, fmt.Errorf("a connection to %s, past the proxy", address)
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	c := client(t, o)
	defer c.Close()
	regions, err := c.Regions(t.Context())
	if err != nil || len(regions) != 2 {
		t.Fatalf("got regions %v, %v; want 2", regions, err)
	}
}

// tunnel is what a proxy does with CONNECT: it passes bytes to and fro.
func tunnel(w http.ResponseWriter, r *http.Request, hosts map[string]string) {
	at, known := hosts[r.Host]
	if r.Method != http.MethodConnect || !known {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	there, err := new(net.Dialer).DialContext(r.Context(), "tcp", at)
	if err != nil {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(there, bufio.NewReader(buffered))
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
	_ = here.Close()
	<-done
}
