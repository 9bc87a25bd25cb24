package ocisim

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// movable is a clock that a test turns on.
type movable struct {
	mu  sync.Mutex
	now time.Time
}

func (m *movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *movable) add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// principal is a client of the metadata service and of what gives tokens, written from Oracle's documents and not from our own client.
type principal struct {
	t     *testing.T
	sim   *Sim
	clock *movable
	key   *rsa.PrivateKey // of the session
}

var sessionKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newPrincipal(t *testing.T, tenancies int) principal {
	t.Helper()
	clock := &movable{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	sim, err := New(Config{Clock: clock.Now, Tenancies: tenancies, Events: 10, NoStories: true, Users: 5, Problems: -1})
	if err != nil {
		t.Fatal(err)
	}
	key, err := sessionKey()
	if err != nil {
		t.Fatal(err)
	}
	return principal{t, sim, clock, key}
}

func newRequest(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p principal) do(r *http.Request) (int, []byte) {
	p.t.Helper()
	resp, err := p.sim.RoundTripper().RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, body
}

func (p principal) metadata(path string) []byte {
	p.t.Helper()
	r := newRequest(p.t, http.MethodGet, "http://169.254.169.254/opc/v2/"+path, http.NoBody)
	r.Header.Set("Authorization", "Bearer Oracle")
	status, body := p.do(r)
	if status != http.StatusOK {
		p.t.Fatalf("GET %s: got %d %s, want 200", path, status, body)
	}
	return body
}

// identity is what the metadata service gives an instance.
type identity struct {
	leaf, between *pem.Block
	key           *rsa.PrivateKey
}

func (p principal) identity() identity {
	p.t.Helper()
	leaf, _ := pem.Decode(p.metadata("identity/cert.pem"))
	between, _ := pem.Decode(p.metadata("identity/intermediate.pem"))
	block, _ := pem.Decode(p.metadata("identity/key.pem"))
	if leaf == nil || between == nil || block == nil {
		p.t.Fatal("the metadata service gives no PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return identity{leaf, between, key}
}

func (p principal) publicKey() string {
	p.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		p.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// request is a request for a token, before it is signed.
func (p principal) request(id identity) map[string]any {
	return map[string]any{
		"certificate": base64.StdEncoding.EncodeToString(id.leaf.Bytes), "publicKey": p.publicKey(),
		"intermediateCertificates": []string{base64.StdEncoding.EncodeToString(id.between.Bytes)}, "fingerprintAlgorithm": "SHA256", "purpose": "DEFAULT",
	}
}

func (p principal) keyID(id identity) string {
	sum := sha256.Sum256(id.leaf.Bytes)
	return p.sim.Tenancies()[0].OCID + "/fed-x509-sha256/" + strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")
}

func (p principal) federate(asked map[string]any, keyID string, key *rsa.PrivateKey) (int, []byte) {
	p.t.Helper()
	body, err := json.Marshal(asked)
	if err != nil {
		p.t.Fatal(err)
	}
	r := newRequest(p.t, http.MethodPost, "https://auth.eu-frankfurt-1.oraclecloud.com/v1/x509", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	p.sign(r, keyID, key, body)
	return p.do(r)
}

// sign signs without the host, as the token service has it; with one for a plain call.
func (p principal) sign(r *http.Request, keyID string, key *rsa.PrivateKey, body []byte) {
	p.t.Helper()
	r.Header.Set("Date", p.clock.Now().Format(http.TimeFormat))
	headers := []string{"date", "(request-target)"}
	if body == nil {
		headers = append(headers, "host")
	}
	if body != nil {
		sum := sha256.Sum256(body)
		r.Header.Set("X-Content-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		headers = append(headers, "content-length", "content-type", "x-content-sha256")
	}
	sign(p.t, r, key, keyID, headers...)
}

// list calls an API with a token and gives the status.
func (p principal) list(token string, key *rsa.PrivateKey, tenancy string) int {
	p.t.Helper()
	r := newRequest(p.t, http.MethodGet, "https://identity.eu-frankfurt-1.oci.oraclecloud.com/20160918/tenancies/"+tenancy+"/regionSubscriptions", http.NoBody)
	p.sign(r, "ST$"+token, key, nil)
	status, _ := p.do(r)
	return status
}

func tokenIn(t *testing.T, body []byte) string {
	t.Helper()
	var got struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Token == "" {
		t.Fatalf("got %q, want a token in it (%v)", body, err)
	}
	return got.Token
}

func TestInstanceGetsATokenAndTheAPIsTakeIt(t *testing.T) {
	p := newPrincipal(t, 2)
	id := p.identity()
	if got := string(p.metadata("instance/region")); got != "eu-frankfurt-1" {
		t.Errorf("got region %q, want eu-frankfurt-1", got)
	}
	status, body := p.federate(p.request(id), p.keyID(id), id.key)
	if status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", status, body)
	}
	token := tokenIn(t, body)
	mine, foreign := p.sim.Tenancies()[0].OCID, p.sim.Tenancies()[1].OCID
	if got := p.list(token, p.key, mine); got != http.StatusOK {
		t.Errorf("the session's key: got %d, want 200", got)
	}
	if got := p.list(token, id.key, mine); got != http.StatusUnauthorized {
		t.Errorf("another key than the session's: got %d, want 401", got)
	}
	if got := p.list(token, p.key, foreign); got != http.StatusNotFound {
		t.Errorf("another tenancy: got %d, want 404", got)
	}
	if got := p.list(token[:len(token)-8]+"AAAAAAAA", p.key, mine); got != http.StatusUnauthorized {
		t.Errorf("a changed token: got %d, want 401", got)
	}
}

func TestTokensEndWithTheirLifeOrWhenTheyAreRevoked(t *testing.T) {
	p := newPrincipal(t, 1)
	mine := p.sim.Tenancies()[0].OCID
	p.sim.Tokens().SetLife(time.Minute)
	s, err := p.sim.Tokens().User(0)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(s.PrivateKeyPEM))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p.clock.add(time.Minute - time.Second)
	if got := p.list(s.Token, key, mine); got != http.StatusOK {
		t.Errorf("a second before its end: got %d, want 200", got)
	}
	p.clock.add(time.Second)
	if got := p.list(s.Token, key, mine); got != http.StatusUnauthorized {
		t.Errorf("at its end: got %d, want 401", got)
	}
	next, err := p.sim.Tokens().Function(0)
	if err != nil {
		t.Fatal(err)
	}
	if block, _ = pem.Decode([]byte(next.PrivateKeyPEM)); block == nil {
		t.Fatal("the session has no key")
	}
	if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		t.Fatal(err)
	}
	if got := p.list(next.Token, key, mine); got != http.StatusOK {
		t.Errorf("a function's: got %d, want 200", got)
	}
	p.sim.Tokens().Revoke()
	if got := p.list(next.Token, key, mine); got != http.StatusUnauthorized {
		t.Errorf("a revoked one: got %d, want 401", got)
	}
	if got := p.sim.Tokens().Issued(); got != 2 {
		t.Errorf("got %d tokens issued, want 2", got)
	}
	if _, err := p.sim.Tokens().User(1); err == nil {
		t.Error("a session in a tenancy that is not there: got no error")
	}
}

func TestRequestForATokenIsReallyVerified(t *testing.T) {
	p := newPrincipal(t, 1)
	id := p.identity()
	stranger := newPrincipal(t, 1).identity()
	own, err := sessionKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(asked map[string]any)
		keyID  string
		key    *rsa.PrivateKey
		want   int
	}{
		{"as it must be", nil, p.keyID(id), id.key, http.StatusOK},
		{"without a purpose", func(a map[string]any) { delete(a, "purpose") }, p.keyID(id), id.key, http.StatusOK},
		{"signed with another key", nil, p.keyID(id), own, http.StatusUnauthorized},
		{"another fingerprint", nil, strings.TrimSuffix(p.keyID(id), p.keyID(id)[len(p.keyID(id))-2:]) + "zz", id.key, http.StatusUnauthorized},
		{"another tenancy", nil, strings.Replace(p.keyID(id), "ocid1.tenancy", "ocid1.tenanci", 1), id.key, http.StatusUnauthorized},
		{"no intermediate", func(a map[string]any) { delete(a, "intermediateCertificates") }, p.keyID(id), id.key, http.StatusUnauthorized},
		{"a chain with PEM lines", func(a map[string]any) { a["certificate"] = string(pem.EncodeToMemory(id.leaf)) }, p.keyID(id), id.key, http.StatusUnauthorized},
		{"another purpose", func(a map[string]any) { a["purpose"] = "SERVICE" }, p.keyID(id), id.key, http.StatusBadRequest},
		{"another hash", func(a map[string]any) { a["fingerprintAlgorithm"] = "SHA1" }, p.keyID(id), id.key, http.StatusBadRequest},
		{"no key", func(a map[string]any) { a["publicKey"] = "AAAA" }, p.keyID(id), id.key, http.StatusBadRequest},
		{"the intermediate for the leaf", func(a map[string]any) { a["certificate"] = base64.StdEncoding.EncodeToString(stranger.between.Bytes) }, p.keyID(id), id.key, http.StatusUnauthorized},
	} {
		asked := p.request(id)
		if tt.change != nil {
			tt.change(asked)
		}
		if status, body := p.federate(asked, tt.keyID, tt.key); status != tt.want {
			t.Errorf("%s: got %d %s, want %d", tt.name, status, body, tt.want)
		}
	}
}

func TestReplacedCertificateIsRefused(t *testing.T) {
	p := newPrincipal(t, 1)
	old := p.identity()
	if again := p.identity(); !bytes.Equal(old.leaf.Bytes, again.leaf.Bytes) {
		t.Error("the certificate changes by itself")
	}
	p.sim.RotateCertificate()
	next := p.identity()
	if bytes.Equal(old.leaf.Bytes, next.leaf.Bytes) || old.key.Equal(next.key) {
		t.Error("the certificate or its key is still the old one")
	}
	if status, _ := p.federate(p.request(old), p.keyID(old), old.key); status != http.StatusUnauthorized {
		t.Errorf("the old certificate: got %d, want 401", status)
	}
	if status, body := p.federate(p.request(next), p.keyID(next), next.key); status != http.StatusOK {
		t.Errorf("the new certificate: got %d %s, want 200", status, body)
	}
	p.clock.add(certificateLife)
	if status, _ := p.federate(p.request(next), p.keyID(next), next.key); status != http.StatusOK {
		t.Errorf("at the end of its life: got %d, want 200", status)
	}
	p.clock.add(time.Second)
	if status, _ := p.federate(p.request(next), p.keyID(next), next.key); status != http.StatusUnauthorized {
		t.Errorf("after its life: got %d, want 401", status)
	}
	late := p.identity()
	if status, body := p.federate(p.request(late), p.keyID(late), late.key); status != http.StatusOK {
		t.Errorf("the one that is given then: got %d %s, want 200", status, body)
	}
}

func TestMetadataWantsItsHeader(t *testing.T) {
	p := newPrincipal(t, 1)
	for _, tt := range []struct {
		method, path, header string
		want                 int
	}{
		{http.MethodGet, "instance/region", "Bearer Oracle", http.StatusOK},
		{http.MethodGet, "instance/region", "", http.StatusUnauthorized},
		{http.MethodGet, "instance/region", "Bearer oracle", http.StatusUnauthorized},
		{http.MethodPut, "instance/region", "Bearer Oracle", http.StatusNotFound},
		{http.MethodGet, "identity", "Bearer Oracle", http.StatusNotFound},
	} {
		r := newRequest(t, tt.method, "http://169.254.169.254/opc/v2/"+tt.path, http.NoBody)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		if status, body := p.do(r); status != tt.want {
			t.Errorf("%s %s with %q: got %d %s, want %d", tt.method, tt.path, tt.header, status, body, tt.want)
		}
	}
}

func TestWorkloadShowsItsServiceAccount(t *testing.T) {
	p := newPrincipal(t, 1)
	ask := func(bearer, podKey string) (int, []byte) {
		body, err := json.Marshal(map[string]string{"podKey": podKey})
		if err != nil {
			t.Fatal(err)
		}
		r := newRequest(t, http.MethodPost, "https://10.96.0.1:12250/resourcePrincipalSessionTokens", bytes.NewReader(body))
		r.Header.Set("Authorization", bearer)
		return p.do(r)
	}
	account := p.sim.ServiceAccountToken()
	status, body := ask("Bearer "+account, p.publicKey())
	var wrapped string
	if err := json.Unmarshal(body, &wrapped); err != nil || status != http.StatusOK {
		t.Fatalf("got %d %q, want a JSON text (%v)", status, body, err)
	}
	inner, err := base64.StdEncoding.DecodeString(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(tokenIn(t, inner), "ST$")
	if !ok {
		t.Error("the token does not begin with ST$")
	}
	if got := p.list(token, p.key, p.sim.Tenancies()[0].OCID); got != http.StatusOK {
		t.Errorf("got %d, want 200", got)
	}
	p.clock.add(time.Hour)
	if status, _ := ask("Bearer "+account, p.publicKey()); status != http.StatusOK {
		t.Errorf("an hour later: got %d, want 200", status)
	}
	for name, got := range map[string]int{
		"another token": first(ask("Bearer a.b.c", p.publicKey())), "no token": first(ask("", p.publicKey())), "no key": first(ask("Bearer "+account, "")),
	} {
		if got != http.StatusUnauthorized && got != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 401 or 400", name, got)
		}
	}
}

func first(status int, _ []byte) int { return status }
