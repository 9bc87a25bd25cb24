package oci

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testKey is made once: making one takes a while.
var testKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func key(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := testKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pkcs8(t *testing.T, k *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func pkcs1(k *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
}

func encrypted(t *testing.T, k *rsa.PrivateKey) string {
	t.Helper()
	//nolint:staticcheck // keys of this old form are still about
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k), []byte("secret words"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func TestKeysThatLostTheirNewlinesAreRepaired(t *testing.T) {
	k := key(t)
	for _, form := range []struct{ name, pem, passphrase string }{
		{"PKCS#8", pkcs8(t, k), ""}, {"PKCS#1", pkcs1(k), ""}, {"encrypted", encrypted(t, k), "secret words"},
	} {
		for _, tt := range []struct {
			name  string
			spoil func(string) string
		}{
			{"whole", func(s string) string { return s }},
			{"spaces for newlines", func(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", " ") }},
			{"written out newlines", func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }},
			{"Windows newlines", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
			{"indented", func(s string) string { return strings.ReplaceAll("  "+s, "\n", "\n    ") }},
			{"text around", func(s string) string { return "Bag Attributes\n  a: b\n" + s + "OCI_API_KEY\n" }},
			{"no-break spaces", func(s string) string { return strings.ReplaceAll(s, "\n", "\u00a0") }},
		} {
			got, err := parseKey(tt.spoil(form.pem), form.passphrase, "auth.private_key")
			if err != nil {
				t.Errorf("%s, %s: %v", form.name, tt.name, err)
				continue
			}
			if !got.Equal(k) {
				t.Errorf("%s, %s: got another key", form.name, tt.name)
			}
		}
	}
}

func TestBadKeysSayWhatIsWrongAndNeverTheKey(t *testing.T) {
	k := key(t)
	whole := pkcs8(t, k)
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, pem, passphrase, want string }{
		{"empty", " \n", "", "auth.private_key is empty, so nothing can be signed"},
		{"public", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "", "holds a public key, which cannot sign"},
		{"no PEM", "MIIEvQIBADAN", "", "holds no key in PEM form"},
		{"cut off", whole[:len(whole)-40], "", "holds no key in PEM form"},
		{"damaged", strings.Replace(whole, whole[100:140], "", 1), "", "is damaged, or is no RSA key"},
		{"no passphrase", encrypted(t, k), "", "is encrypted and no passphrase is given: set auth.passphrase"},
		{"wrong passphrase", encrypted(t, k), "other words", "cannot be decrypted with the given passphrase"},
	} {
		_, err := parseKey(tt.pem, tt.passphrase, "auth.private_key")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
			continue
		}
		if KindOf(err) != BadKey {
			t.Errorf("%s: got kind %q, want %q", tt.name, KindOf(err), BadKey)
		}
		if len(tt.pem) > 200 && strings.Contains(err.Error(), tt.pem[60:90]) {
			t.Errorf("%s: the key stands in the error", tt.name)
		}
		if strings.Contains(err.Error(), "words") {
			t.Errorf("%s: the passphrase stands in the error", tt.name)
		}
	}
}

// goodAuth is an API key that is complete.
func goodAuth(t *testing.T) Auth {
	t.Helper()
	fingerprint, err := fingerprintOf(key(t))
	if err != nil {
		t.Fatal(err)
	}
	return Auth{
		Tenancy: "ocid1.tenancy.oc1..aaaa", User: "ocid1.user.oc1..aaaa", Fingerprint: fingerprint,
		PrivateKey: pkcs8(t, key(t)), Region: "us-ashburn-1",
	}
}

func TestIncompleteAuthNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Auth)
		want   string
	}{
		{"no tenancy", func(a *Auth) { a.Tenancy = "" }, "auth.tenancy must be the OCID"},
		{"name for a tenancy", func(a *Auth) { a.Tenancy = "acme" }, "auth.tenancy must be the OCID"},
		{"tenancy for a user", func(a *Auth) { a.User = a.Tenancy }, "auth.user must be the OCID"},
		{"newline in a user", func(a *Auth) { a.User += "\nx" }, "auth.user must be the OCID"},
		{"short fingerprint", func(a *Auth) { a.Fingerprint = a.Fingerprint[:40] }, "auth.fingerprint must be 16 pairs"},
		{"no region", func(a *Auth) { a.Region = "" }, "auth.region is missing"},
		{"no key", func(a *Auth) { a.PrivateKey = "" }, "private key is missing"},
		{"two keys", func(a *Auth) { a.PrivateKeyFile = "x" }, "keep one of the two"},
		{"key and profile", func(a *Auth) { a.Profile = "PROD" }, "keep one of the two"},
	} {
		a := goodAuth(t)
		tt.change(&a)
		_, err := newCredentials(a, time.Now)
		if err == nil || !strings.Contains(err.Error(), tt.want) || KindOf(err) != BadConfig {
			t.Errorf("%s: got %v (%s), want %q in it", tt.name, err, KindOf(err), tt.want)
		}
	}
	if _, err := newCredentials(goodAuth(t), time.Now); err != nil {
		t.Errorf("complete: %v", err)
	}
}

func TestFingerprintOfAnotherKeyIsFoundBeforeTheFirstRequest(t *testing.T) {
	a := goodAuth(t)
	right := a.Fingerprint
	a.Fingerprint = "00:" + a.Fingerprint[3:]
	if right == a.Fingerprint {
		a.Fingerprint = "01:" + a.Fingerprint[3:]
	}
	_, err := newCredentials(a, time.Now)
	if err == nil || !strings.Contains(err.Error(), "is not the key of the configured fingerprint") || !strings.Contains(err.Error(), right[:5]) {
		t.Errorf("got %v, want the sentence about the fingerprint", err)
	}
	if strings.Contains(err.Error(), right) {
		t.Error("the whole fingerprint stands in the error")
	}
}

// newCredentials reads an API key or a profile.
func newCredentials(a Auth, now func() time.Time) (*files, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	return newFiles(a.readAPIKey, now)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFileThatEverybodyMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	for _, tt := range []struct {
		mode os.FileMode
		want string
	}{
		{0o600, ""}, {0o400, ""}, {0o640, ""}, {0o644, "run `chmod 600 " + path + "`"}, {0o604, "chmod 600"}, {0o602, "chmod 600"},
	} {
		write(t, path, pkcs8(t, key(t)), tt.mode)
		a := goodAuth(t)
		a.PrivateKey, a.PrivateKeyFile = "", path
		_, err := newCredentials(a, time.Now)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%04o: %v", tt.mode, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || KindOf(err) != BadKeyFile):
			t.Errorf("%04o: got %v, want %q in it", tt.mode, err, tt.want)
		}
	}
}

func TestKeyFileThatIsNotThereSaysSo(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{filepath.Join(dir, "none.pem"): "does not exist", dir: "is a folder"} {
		a := goodAuth(t)
		a.PrivateKey, a.PrivateKeyFile = "", path
		if _, err := newCredentials(a, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestProfilesAreReadAsOraclesToolsDo(t *testing.T) {
	dir := t.TempDir()
	keyFile, config := filepath.Join(dir, "key.pem"), filepath.Join(dir, "config")
	write(t, keyFile, pkcs8(t, key(t)), 0o600)
	a := goodAuth(t)
	write(t, config, "\ufeff# a comment\n[DEFAULT]\nuser = "+a.User+"\nfingerprint="+strings.ToUpper(a.Fingerprint)+"\ntenancy="+a.Tenancy+
		"\nregion=IAD\nkey_file="+keyFile+"\n\n[FRA]\r\n; another\nregion=eu-frankfurt-1\n[TOKEN]\nsecurity_token_file=/x\n[OBO]\ndelegation_token_file=/x\n[EMPTY]\n", 0o600)
	for _, tt := range []struct{ profile, region, wantRegion, wantErr string }{
		{"", "", "us-ashburn-1", ""},
		{"DEFAULT", "", "us-ashburn-1", ""},
		{"FRA", "", "eu-frankfurt-1", ""},
		{"FRA", "uk-london-1", "uk-london-1", ""},
		{"TOKEN", "", "", "set auth.type to session_token"},
		{"OBO", "", "", "delegation token, which this program cannot use"},
		{"EMPTY", "", "", "has no profile [EMPTY]"},
		{"NONE", "", "", "has no profile [NONE]"},
	} {
		c, err := newCredentials(Auth{ConfigFile: config, Profile: tt.profile, Region: tt.region}, time.Now)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%s: got %v, want %q in it", tt.profile, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.profile, err)
			continue
		}
		who := Auth{ConfigFile: config, Profile: tt.profile}
		want := identity{Method: ConfigFile, Tenancy: a.Tenancy, User: a.User, Fingerprint: a.Fingerprint, Region: tt.wantRegion, Name: who.String()}
		if diff := cmp.Diff(c.identity(), want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", tt.profile, diff)
		}
	}
	write(t, config, "[DEFAULT]\nnonsense\n", 0o600)
	if _, err := newCredentials(Auth{ConfigFile: config}, time.Now); err == nil || !strings.Contains(err.Error(), config+":2:") {
		t.Errorf("got %v, want the line of the mistake", err)
	}
}

func TestRotatedKeyIsTakenUpWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	keyFile, config := filepath.Join(dir, "key.pem"), filepath.Join(dir, "config")
	a := goodAuth(t)
	profile := func(fingerprint string) string {
		return "[DEFAULT]\nuser=" + a.User + "\nfingerprint=" + fingerprint + "\ntenancy=" + a.Tenancy + "\nregion=us-ashburn-1\nkey_file=" + keyFile + "\n"
	}
	write(t, keyFile, pkcs8(t, key(t)), 0o600)
	write(t, config, profile(a.Fingerprint), 0o600)
	now := time.Now()
	c, err := newCredentials(Auth{ConfigFile: config}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint, err := fingerprintOf(next)
	if err != nil {
		t.Fatal(err)
	}
	is := func(want *rsa.PrivateKey, when string) {
		t.Helper()
		got, err := c.current(t.Context())
		if err != nil || !got.key.Equal(want) {
			t.Errorf("%s: got another key, error %v", when, err)
		}
	}
	write(t, keyFile, pkcs1(next), 0o600)
	now = now.Add(recheck)
	is(key(t), "while only the key file was replaced")
	write(t, config, profile(fingerprint), 0o600)
	now = now.Add(recheck - time.Second)
	is(key(t), "before the files are looked at again")
	now = now.Add(time.Second)
	is(next, "after both were replaced")
	renewed := func() bool {
		t.Helper()
		old, err := c.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.renew(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	if renewed() {
		t.Error("reload says that the key is another one when nothing has changed")
	}
	write(t, keyFile, pkcs8(t, key(t)), 0o600)
	write(t, config, profile(a.Fingerprint)+"\n", 0o600)
	if !renewed() {
		t.Error("reload says that the key is the same after it was replaced")
	}
	is(key(t), "after a reload")
}

func TestAuthShowsNoSecret(t *testing.T) {
	a := goodAuth(t)
	a.Passphrase = "secret words"
	for _, shown := range []string{a.String(), a.GoString()} {
		if strings.Contains(shown, "PRIVATE") || strings.Contains(shown, "secret") {
			t.Errorf("got %q, want no secret in it", shown)
		}
	}
}
