package ocisim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// tokenPrefix begins the keyId of a request that is signed with a session's key: what follows is the token.
const tokenPrefix = "ST$"

// defaultTokenLife is how long a security token lives.
const defaultTokenLife = 20 * time.Minute

// Tokens issues the security tokens that stand for a key: those of instances, workloads, functions and of people's sessions.
// Each is a JWT that names a tenancy and the public half of the session's key, and is good until it expires or is revoked.
type Tokens struct {
	sim *Sim

	mu       sync.Mutex
	life     time.Duration // guarded by mu
	serial   int           // guarded by mu: numbers tokens
	revoked  int           // guarded by mu: tokens up to this number are refused
	sessions int           // guarded by mu: numbers session keys
	garbled  string        // guarded by mu: what is issued instead of a token
}

// Session is what `oci session authenticate` leaves behind, and what a function finds in its environment:
// a token and the private half of the key that it names.
type Session struct {
	Tenancy       string
	Region        string
	Token         string
	PrivateKeyPEM string
	Fingerprint   string
	Expires       time.Time
}

// claims are what a token says.
type claims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Principal string `json:"ptype"`
	Type      string `json:"ttype"`
	Tenant    string `json:"tenant,omitempty"`
	Resource  string `json:"res_id,omitempty"`
	Kind      string `json:"res_type,omitempty"`
	Owner     string `json:"res_tenant,omitempty"`
	Home      string `json:"res_compartment,omitempty"`
	Instance  string `json:"opc-instance,omitempty"`
	ID        string `json:"jti"`
	Issued    int64  `json:"iat"`
	Expires   int64  `json:"exp"`
	// Key is the public half of the session's key: a JSON Web Key, written as text.
	Key string `json:"jwk"`
}

// webKey is a public key as RFC 7517 writes it.
type webKey struct {
	Kind     string `json:"kty"`
	Modulus  string `json:"n"`
	Exponent string `json:"e"`
	Use      string `json:"use"`
	Alg      string `json:"alg"`
	ID       string `json:"kid"`
}

// Tokens gives what issues security tokens, to shorten their lives and revoke them while the simulator runs.
func (s *Sim) Tokens() *Tokens { return s.security }

// SetLife says how long tokens live that are issued from now on.
func (k *Tokens) SetLife(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.life = d
}

// Revoke refuses every token that was issued until now.
func (k *Tokens) Revoke() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked = k.serial
}

// Issued is the number of tokens that were issued.
func (k *Tokens) Issued() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.serial
}

// Garble issues this text instead of tokens; "" issues tokens again.
func (k *Tokens) Garble(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.garbled = text
}

// User gives a session of the user of the tenancy of that number.
func (k *Tokens) User(number int) (Session, error) {
	return k.session(number, func(t *tenancy) claims {
		return claims{Subject: t.login.user, Principal: "user", Type: "login", Tenant: t.id}
	})
}

// Function gives a session of a function in the tenancy of that number: what a resource principal signs with.
func (k *Tokens) Function(number int) (Session, error) {
	return k.session(number, func(t *tenancy) claims {
		id := sample.OCID("fnfunc", "", t.id)
		return claims{Subject: id, Principal: "resource", Type: "res_sp", Resource: id, Kind: "fnfunc", Owner: t.id, Home: t.id}
	})
}

func (k *Tokens) session(number int, who func(*tenancy) claims) (Session, error) {
	if number < 0 || number >= len(k.sim.tenancies) {
		return Session{}, fmt.Errorf("opening a session in tenancy %d: there are %d tenancies", number, len(k.sim.tenancies))
	}
	k.mu.Lock()
	k.sessions++
	n := k.sessions
	k.mu.Unlock()
	t := k.sim.tenancies[number]
	l := login{tenancy: t.id, key: newKey(k.sim.config.Seed, "session", n)}
	token, expires := k.issue(who(t), &l.key.PublicKey)
	return Session{
		Tenancy: t.id, Region: t.regions[0], Token: token, PrivateKeyPEM: l.pem(), Fingerprint: l.fingerprint(), Expires: expires,
	}, nil
}

// issue signs a token for a session's key.
func (k *Tokens) issue(c claims, key *rsa.PublicKey) (token string, expires time.Time) {
	k.mu.Lock()
	k.serial++
	life, serial, garbled := k.life, k.serial, k.garbled
	k.mu.Unlock()
	if garbled != "" {
		return garbled, time.Time{}
	}
	now := k.sim.config.Clock().UTC().Truncate(time.Second)
	expires = now.Add(life)
	c.Issuer, c.ID, c.Issued, c.Expires = "authService.oracle.com", strconv.Itoa(serial), now.Unix(), expires.Unix()
	c.Key = string(encode(webKey{
		Kind: "RSA", Use: "sig", Alg: "RS256", ID: "session-" + c.ID,
		Modulus:  base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		Exponent: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}))
	text := part([]byte(`{"kid":"asw","alg":"RS256"}`)) + "." + part(encode(c))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, k.issuer(), crypto.SHA256, sum[:])
	if err != nil {
		return "", time.Time{}
	}
	return text + "." + part(signature), expires
}

func part(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// issuer is the key with which tokens are signed.
func (k *Tokens) issuer() *rsa.PrivateKey { return newKey(k.sim.config.Seed, "token issuer", 0) }

var errToken = errors.New("the token is not one of this simulator, or has expired or was revoked")

// find gives the tenancy and the session's key that a token names, if it is good at the time.
func (k *Tokens) find(token string, now time.Time) (tenancy string, key *rsa.PublicKey, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", nil, errToken
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return "", nil, errToken
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&k.issuer().PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return "", nil, errToken
	}
	// What is signed is what issue wrote.
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", nil, errToken
	}
	var c claims
	if err := json.Unmarshal(body, &c); err != nil {
		return "", nil, errToken
	}
	serial, err := strconv.Atoi(c.ID)
	if err != nil {
		return "", nil, errToken
	}
	k.mu.Lock()
	revoked := serial <= k.revoked
	k.mu.Unlock()
	if revoked || !now.Before(time.Unix(c.Expires, 0)) {
		return "", nil, errToken
	}
	tenancy = c.Tenant
	if tenancy == "" {
		tenancy = c.Owner
	}
	key, err = c.key()
	return tenancy, key, err
}

func (c claims) key() (*rsa.PublicKey, error) {
	var k webKey
	if err := json.Unmarshal([]byte(c.Key), &k); err != nil {
		return nil, errToken
	}
	n, err := base64.RawURLEncoding.DecodeString(k.Modulus)
	if err != nil {
		return nil, errToken
	}
	e, err := base64.RawURLEncoding.DecodeString(k.Exponent)
	if err != nil {
		return nil, errToken
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// caller finds whose key signs a request, by its keyId.
func (s *Sim) caller(keyID string, now time.Time) (tenancy string, key *rsa.PublicKey, known bool) {
	if token, ok := strings.CutPrefix(keyID, tokenPrefix); ok {
		tenancy, key, err := s.security.find(token, now)
		return tenancy, key, err == nil
	}
	l, known := s.keys.find(keyID)
	if !known {
		return "", nil, false
	}
	return l.tenancy, &l.key.PublicKey, true
}
