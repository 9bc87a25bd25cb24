package oci

import (
	"crypto/rsa"
	"fmt"
	"os"
	"sync"
	"time"
)

// credentials hold the key that signs. Where it comes from files, they are looked at once in a while,
// and a rotated key is taken up without a restart.
type credentials struct {
	config Auth
	now    func() time.Time

	mu      sync.Mutex
	auth    Auth      // mu; complete
	key     signerKey // mu
	seen    string    // mu; size and time of the files when they were read
	checked time.Time // mu; when the files were last looked at
}

// recheck is how often files are looked at.
const recheck = 10 * time.Second

func newCredentials(config Auth, now func() time.Time) (*credentials, error) {
	c := &credentials{config: config, now: now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return nil, err
	}
	c.checked = now()
	return c, nil
}

// identity tells whose key it is; it holds no secret.
func (c *credentials) identity() Auth {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Auth{Tenancy: c.auth.Tenancy, User: c.auth.User, Fingerprint: c.auth.Fingerprint, Region: c.auth.Region}
}

// current gives the key to sign with.
func (c *credentials) current() (signerKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= recheck || now.Before(c.checked) {
		c.checked = now
		if c.stamp() != c.seen {
			// A key that is just being written is not whole yet; the old one serves until it is, or Oracle refuses it.
			_ = c.load()
		}
	}
	return c.key, nil
}

// reload reads changed files at once and tells whether the key is another one now.
func (c *credentials) reload() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.key
	if c.stamp() == c.seen || c.load() != nil {
		return false
	}
	return old.id != c.key.id || !old.key.Equal(c.key.key)
}

// load reads the configuration and the key; mu is held. On an error everything stays as it was.
func (c *credentials) load() error {
	// Files are described before they are read: a change in between is seen at the next look.
	seen := c.configStamp()
	auth, err := c.config.complete()
	if err != nil {
		return err
	}
	seen += c.keyStamp(auth)
	text, where := auth.PrivateKey, "auth.private_key"
	if auth.PrivateKeyFile != "" {
		where = "the key file " + expand(auth.PrivateKeyFile)
		if text, err = readKeyFile(auth.PrivateKeyFile); err != nil {
			return err
		}
	}
	key, err := parseKey(text, auth.Passphrase, where)
	if err != nil {
		return err
	}
	fingerprint, err := fingerprintOf(key)
	if err != nil {
		return fmt.Errorf("reading %s: %w", where, err)
	}
	if fingerprint != auth.Fingerprint {
		return &Error{Kind: BadKey, Sentence: fmt.Sprintf(
			"%s is not the key of the configured fingerprint: its own fingerprint begins with %s and the configured one with %s, so correct auth.fingerprint or give the key that belongs to it",
			where, short(fingerprint), short(auth.Fingerprint))}
	}
	if c.auth.Tenancy != "" && c.auth.Tenancy != auth.Tenancy {
		return &Error{Kind: BadConfig, Sentence: "the profile names another tenancy than before: restart to follow it"}
	}
	c.auth, c.seen = auth, seen
	c.key = signerKey{key: key, id: auth.Tenancy + "/" + auth.User + "/" + auth.Fingerprint}
	return nil
}

// stamp describes the files behind the key, as far as they are known; mu is held.
func (c *credentials) stamp() string { return c.configStamp() + c.keyStamp(c.auth) }

func (c *credentials) configStamp() string {
	if !c.config.fromFile() {
		return ""
	}
	return stampOf(c.config.configFile())
}

func (*credentials) keyStamp(auth Auth) string {
	if auth.PrivateKeyFile == "" {
		return ""
	}
	return stampOf(auth.PrivateKeyFile)
}

// stampOf changes whenever the file does, as far as its size, time and mode tell.
func stampOf(path string) string {
	path = expand(path)
	info, err := os.Stat(path)
	if err != nil {
		return path + ": none\n"
	}
	return fmt.Sprintf("%s: %d %d %o\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
}

// signerKey is what Oracle's signer asks for; the key is parsed once, not for each request.
type signerKey struct {
	key *rsa.PrivateKey
	id  string
}

// PrivateRSAKey gives the key that signs.
func (k signerKey) PrivateRSAKey() (*rsa.PrivateKey, error) { return k.key, nil }

// KeyID names the key as tenancy/user/fingerprint.
func (k signerKey) KeyID() (string, error) { return k.id, nil }
