package oci

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// jwt makes a token of claims, signed by nobody.
func jwt(claims string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
}

func TestTokenSaysWhoAndUntilWhen(t *testing.T) {
	n := base64.RawURLEncoding.EncodeToString(big.NewInt(12345).Bytes())
	for _, tt := range []struct {
		name, text string
		want       token
	}{
		{"an instance's", jwt(`{"exp":1800000000,"iat":1799998800,"tenant":"t","sub":"i"}`), token{tenancy: "t", subject: "i"}},
		{"a resource's", jwt(`{"exp":1800000000,"iat":1799998800,"tenant":"other","res_tenant":"t","sub":"r"}`), token{tenancy: "t", subject: "r"}},
		{"with ST$ and a line end", "ST$" + jwt(`{"exp":1800000000,"iat":1799998800,"opc-tenant":"t"}`) + "\n", token{tenancy: "t"}},
		{"a key as text", jwt(`{"exp":1.8e9,"iat":1799998800,"jwk":"{\"n\":\"` + n + `\"}"}`), token{modulus: big.NewInt(12345)}},
		{"a key as object", jwt(`{"exp":1800000000,"iat":1799998800,"jwk":{"n":"` + n + `"}}`), token{modulus: big.NewInt(12345)}},
		{"a key that is none", jwt(`{"exp":1800000000,"iat":1799998800,"jwk":"?"}`), token{}},
	} {
		got, err := parseToken(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.tenancy != tt.want.tenancy || got.subject != tt.want.subject || fmt.Sprint(got.modulus) != fmt.Sprint(tt.want.modulus) ||
			!got.expires.Equal(time.Unix(1800000000, 0)) || got.text != strings.TrimSpace(strings.TrimPrefix(tt.text, "ST$")) {
			t.Errorf("%s: got tenancy %q, subject %q, modulus %v, end %s", tt.name, got.tenancy, got.subject, got.modulus, got.expires)
		}
	}
}

func TestTextThatIsNoTokenIsRefusedAndNotRepeated(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "it is empty"},
		{"ST$", "it is empty"},
		{"canary", "three parts"},
		{"a.b.c.canary", "three parts"},
		{"a b.canary.c", "three parts"},
		{"a.%canary%.c", "no base64"},
		{"a." + base64.RawURLEncoding.EncodeToString([]byte("canary")) + ".c", "no JSON"},
		{jwt(`{"sub":"canary"}`), "does not say when it expires"},
		{jwt(`{"exp":"canary"}`), "no JSON"},
		{jwt(`{"exp":-1,"sub":"canary"}`), "is no time"},
		{jwt(`{"exp":1e300,"sub":"canary"}`), "is no time"},
		{strings.Replace(jwt(`{"exp":1800000000}`), "eyJ", "\x00canary", 1), "characters that no JWT has"},
		{strings.Repeat("canary", 20_000), "too long"},
	} {
		_, err := parseToken(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%.40q: got %v, want %q in it, and nothing of the token", tt.text, err, tt.want)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(jwt(`{"exp":1800000000,"iat":1799998800,"tenant":"t","jwk":"{\"n\":\"AQAB\"}"}`))
	f.Add("ST$a.b.c")
	f.Add(jwt(`{"exp":1e308,"iat":-1e308,"jwk":{"n":1}}`))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseToken(text)
		if err != nil {
			if secret := strings.TrimSpace(text); len(secret) > 20 && strings.Contains(err.Error(), secret) {
				t.Errorf("the text stands in %q", err)
			}
			return
		}
		if got.expires.IsZero() || strings.ContainsAny(got.text, " \r\n\"") || strings.Count(got.text, ".") != 2 {
			t.Errorf("got %q until %s", got.text, got.expires)
		}
		again, err := parseToken(tokenPrefix + got.text)
		if err != nil || again.text != got.text || !again.expires.Equal(got.expires) {
			t.Errorf("read again: got %v, %v", again, err)
		}
	})
}

// canned answers each request with the same body.
type canned []byte

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c)))}, nil
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("eu-frankfurt-1"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &Client{opts: Options{
			Auth: Auth{Method: InstancePrincipal}, Now: time.Now, Observe: func(Observation) {}, Transport: canned(body), Getenv: func(string) string { return "" },
		}}
		c.http, c.local = withoutRedirects(canned(body)), withoutRedirects(canned(body))
		i, err := newInstance(c)
		if err != nil {
			t.Fatal(err)
		}
		// The same body cannot be region, certificate and key at once.
		if _, err := i.ask(context.Background()); KindOf(err) == "" {
			t.Errorf("got %v, want a sentence", err)
		}
		if p, err := i.readPapers(context.Background()); err == nil {
			t.Errorf("got papers of %q", p.name)
		}
	})
}

func FuzzTokenAnswer(f *testing.F) {
	wrap := func(inner string) []byte {
		text, err := json.Marshal(base64.StdEncoding.EncodeToString([]byte(inner)))
		if err != nil {
			f.Fatal(err)
		}
		return text
	}
	f.Add(wrap(`{"token":"ST$` + jwt(`{"exp":1800000000,"res_tenant":"t"}`) + `"}`))
	f.Add([]byte(`{"token":"` + jwt(`{"exp":1800000000,"tenant":"t"}`) + `"}`))
	f.Add([]byte(`{"token":5}`))
	f.Add([]byte(`""`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, err := workloadToken(body); err == nil && got.expires.IsZero() {
			t.Error("got a token without an end")
		}
		now := time.Unix(1799999000, 0)
		session := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(12345), E: 3}}
		g, err := new(instance).grant(answered{status: http.StatusOK, body: body, at: now}, session, identity{})
		if err == nil && (!g.until.After(now) || g.renew.Before(now) || g.renew.After(g.until)) {
			t.Errorf("got a token that is renewed at %s and ends at %s", g.renew, g.until)
		}
		if _, name := serviceAccount(string(body)); len(name) > maxMessageLen+3 {
			t.Errorf("got a name of %d bytes", len(name))
		}
	})
}
