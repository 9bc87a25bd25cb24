package oci

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestResourcePrincipalIsTakenAsValueOrFromFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLoginRig(t)
		o := r.options(t, ResourcePrincipal)
		files := client(t, o)
		s := r.function(t)
		fromFiles := o.Getenv
		o.Getenv = func(name string) string {
			switch name {
			case envToken:
				return s.Token
			case envKey:
				return s.PrivateKeyPEM
			}
			return fromFiles(name)
		}
		values := client(t, o)
		time.Sleep(19 * time.Minute)
		r.function(t)
		time.Sleep(2 * time.Minute)
		if _, err := files.Regions(t.Context()); err != nil {
			t.Errorf("from files that were replaced: %v", err)
		}
		_, err := values.Regions(t.Context())
		if KindOf(err) != BadToken || !strings.Contains(err.Error(), "can be replaced by a restart only") {
			t.Errorf("from values that ended: got %v, want the sentence about a restart", err)
		}
		r.silent(t, err.Error())
		time.Sleep(20 * time.Minute)
		_, err = files.Regions(t.Context())
		if KindOf(err) != BadToken || !strings.Contains(err.Error(), "the platform has not replaced the file") {
			t.Errorf("from files that were not replaced: got %v, want the sentence about the platform", err)
		}
	})
}

func TestResourcePrincipalThatIsNotWholeSaysWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, r *loginRig)
		want   string
	}{
		{"none", func(_ *testing.T, r *loginRig) { delete(r.env, envVersion) }, "the environment has no OCI_RESOURCE_PRINCIPAL_VERSION"},
		{"version 3", func(_ *testing.T, r *loginRig) { r.env[envVersion] = "3.0" }, `version "3.0"`},
		{"version 1.1", func(_ *testing.T, r *loginRig) { r.env[envVersion] = "1.1" }, "this program takes 2.2 only"},
		{"no token", func(_ *testing.T, r *loginRig) { delete(r.env, envToken) }, "no OCI_RESOURCE_PRINCIPAL_RPST"},
		{"no key", func(_ *testing.T, r *loginRig) { delete(r.env, envKey) }, "no OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM"},
		{"no region", func(_ *testing.T, r *loginRig) { delete(r.env, envRegion) }, "region is missing"},
		{"no file", func(_ *testing.T, r *loginRig) { r.env[envToken] += "x" }, "does not exist"},
		{"a folder", func(_ *testing.T, r *loginRig) { r.env[envToken] = r.dir }, "is a folder"},
		{"an empty file", func(t *testing.T, r *loginRig) { write(t, r.env[envToken], "", 0o600) }, "it is empty"},
		{"a damaged key", func(t *testing.T, r *loginRig) { write(t, r.env[envKey], "canary", 0o600) }, "holds no key in PEM form"},
		{"another key", func(t *testing.T, r *loginRig) { write(t, r.env[envKey], pkcs8(t, key(t)), 0o600) }, "is for another key"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newLoginRig(t)
			o := r.options(t, ResourcePrincipal)
			tt.change(t, r)
			_, err := New(o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || KindOf(err) == "" {
				t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
				return
			}
			r.secrets = append(r.secrets, "canary")
			r.silent(t, err.Error())
		})
	}
}

func TestEncryptedKeyOfAResourcePrincipalTakesItsPassphrase(t *testing.T) {
	k := key(t)
	synctest.Test(t, func(t *testing.T) {
		r := newLoginRig(t)
		o := r.options(t, ResourcePrincipal)
		write(t, r.env[envKey], encrypted(t, k), 0o600)
		write(t, r.dir+"pass", "secret words", 0o600)
		r.env[envPassphrase] = r.dir + "pass"
		r.secrets = append(r.secrets, "secret words")
		// The key can be read; it is only not that of the token.
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), "is for another key") {
			t.Errorf("got %v, want that the token is for another key", err)
		}
		write(t, r.dir+"pass", "other words", 0o600)
		_, err = New(o)
		if err == nil || !strings.Contains(err.Error(), "cannot be decrypted") {
			t.Errorf("got %v, want that the key cannot be decrypted", err)
		}
		r.silent(t, err.Error())
	})
}
