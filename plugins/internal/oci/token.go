package oci

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// tokenPrefix begins the name of a key that a security token stands for.
const tokenPrefix = "ST$"

// maxToken bounds a security token; those seen have 2 to 4 KB.
const maxToken = 64 << 10

// token is a security token: a JWT that names a tenancy and the public half of a session's key, and ends some time.
// Oracle checks its signature; here only what it says is read. Its text is a secret and part of no error.
type token struct {
	text    string
	issued  time.Time // zero where it does not say
	expires time.Time
	tenancy string // "" where it does not say
	subject string
	// modulus is that of the session's public key, nil where it does not say.
	modulus *big.Int
}

// parseToken reads a security token, with ST$ before it or without.
func parseToken(text string) (token, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), tokenPrefix)
	parts := strings.Split(text, ".")
	switch {
	case text == "":
		return token{}, errors.New("it is empty")
	case len(text) > maxToken:
		return token{}, fmt.Errorf("it has %d bytes, which is too long for a token", len(text))
	case len(parts) != 3 || strings.ContainsAny(text, " \t\r\n\"$"):
		return token{}, errors.New("it does not consist of three parts with dots between, as a JWT does")
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return token{}, errors.New("its middle part is no base64")
	}
	if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=") != "" {
		// It becomes part of a header.
		return token{}, errors.New("it has characters that no JWT has")
	}
	var said struct {
		Issued   *float64 `json:"iat"`
		Expires  *float64 `json:"exp"`
		Tenant   string   `json:"tenant"`
		Owner    string   `json:"res_tenant"`
		Instance string   `json:"opc-tenant"`
		Subject  string   `json:"sub"`
		Key      any      `json:"jwk"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return token{}, errors.New("its middle part is no JSON that a token could hold")
	}
	t := token{text: text, tenancy: firstOf(said.Owner, said.Tenant, said.Instance), subject: said.Subject, modulus: modulusOf(said.Key)}
	if said.Expires == nil {
		return token{}, errors.New("it does not say when it expires")
	}
	var ok bool
	if t.expires, ok = seconds(*said.Expires); !ok {
		return token{}, errors.New("what it says about when it expires is no time")
	}
	if said.Issued != nil {
		// Without it the life is unknown, and counted from when the token came.
		t.issued, _ = seconds(*said.Issued)
	}
	return t, nil
}

// seconds reads a time as JWTs have it.
func seconds(n float64) (time.Time, bool) {
	const year9999 = 253_402_300_799
	if !(n > 0 && n <= year9999) { // this way NaN is none, too
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0).UTC(), true
}

// modulusOf reads the claim jwk, which is an object or, as Oracle writes it, the text of one.
func modulusOf(claim any) *big.Int {
	object, ok := claim.(map[string]any)
	if text, isText := claim.(string); isText {
		ok = json.Unmarshal([]byte(text), &object) == nil
	}
	if !ok {
		return nil
	}
	n, _ := object["n"].(string)
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(n, "="))
	if err != nil || len(raw) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(raw)
}

// names tells whether the token is for the key. One that names no key is taken to be.
func (t token) names(key *rsa.PrivateKey) bool {
	return t.modulus == nil || t.modulus.Cmp(key.N) == 0
}

// signs gives what signs with the key that the token stands for.
func (t token) signs(key *rsa.PrivateKey) signerKey {
	return signerKey{key: key, id: tokenPrefix + t.text}
}
