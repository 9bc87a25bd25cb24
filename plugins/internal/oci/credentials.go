package oci

import (
	"context"
	"crypto/rsa"
	"fmt"
	"os"
	"sync"
	"time"
)

// source gives the key that signs, as one method has it. It is safe for concurrent use.
type source interface {
	// identity tells whose key it is; it holds no secret.
	identity() identity
	// current gives the key to sign with, renewed in good time. It ends with ctx.
	current(ctx context.Context) (signerKey, error)
	// renew looks for another key at once after one was refused, and tells whether there is another to try.
	renew(ctx context.Context, refused signerKey) (bool, error)
}

// identity is whose key signs.
type identity struct {
	Method      Method
	Tenancy     string
	Region      string
	User        string
	Fingerprint string
	// Name tells a reader who it is: a profile, an instance, a workload.
	Name string
	// Expires is when the token ends that stands for the key; zero: there is none.
	Expires time.Time
}

// files are credentials that come from the configuration, the environment and files. Files are looked at once in a while,
// and what was replaced is taken up without a restart.
type files struct {
	now  func() time.Time
	read func(look *look) (held, error)

	mu      sync.Mutex
	held    held      // mu
	seen    look      // mu; the files when they were read
	checked time.Time // mu; when the files were last looked at
}

// held is what was read.
type held struct {
	who identity
	key signerKey
	// expired says what to do once who.Expires has passed.
	expired func() error
}

// recheck is how often files are looked at.
const recheck = 10 * time.Second

func newFiles(read func(*look) (held, error), now func() time.Time) (*files, error) {
	c := &files{read: read, now: now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return nil, err
	}
	c.checked = now()
	return c, nil
}

func (c *files) identity() identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.who
}

func (c *files) current(context.Context) (signerKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	over := !c.held.who.Expires.IsZero() && !now.Before(c.held.who.Expires)
	if over || now.Sub(c.checked) >= recheck || now.Before(c.checked) {
		c.checked = now
		if c.seen.changed() {
			// A key that is just being written is not whole yet; the old one serves until it is, or Oracle refuses it.
			_ = c.load()
		}
	}
	if !c.held.who.Expires.IsZero() && !now.Before(c.held.who.Expires) {
		return signerKey{}, c.held.expired()
	}
	return c.held.key, nil
}

func (c *files) renew(_ context.Context, refused signerKey) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.changed() && c.load() != nil {
		return false, nil
	}
	return refused.id != c.held.key.id || !refused.key.Equal(c.held.key.key), nil
}

// load reads everything; mu is held. On an error everything stays as it was.
func (c *files) load() error {
	var seen look
	got, err := c.read(&seen)
	if err != nil {
		return err
	}
	if c.held.who.Tenancy != "" && c.held.who.Tenancy != got.who.Tenancy {
		return &Error{Kind: BadConfig, Sentence: "the profile names another tenancy than before: restart to follow it"}
	}
	c.held, c.seen = got, seen
	return nil
}

// look remembers how files were when they were read.
type look struct{ paths, stamps []string }

// at describes a file before it is read: a change in between is seen at the next look.
func (l *look) at(path string) {
	l.paths, l.stamps = append(l.paths, path), append(l.stamps, stampOf(path))
}

// changed tells whether a file is not as it was.
func (l *look) changed() bool {
	for i, path := range l.paths {
		if stampOf(path) != l.stamps[i] {
			return true
		}
	}
	return false
}

// stampOf changes whenever the file does, as far as its size, time and mode tell.
func stampOf(path string) string {
	info, err := os.Stat(expand(path))
	if err != nil {
		return "none"
	}
	return fmt.Sprintf("%d %d %o", info.Size(), info.ModTime().UnixNano(), info.Mode())
}

// readAPIKey reads an API key, from the configuration or from a profile.
func (a Auth) readAPIKey(l *look) (held, error) {
	where, name := "auth.", "API key of "+a.User
	if a.method() == ConfigFile {
		where, name = a.where(), a.String()
		section, err := a.section(l)
		if err != nil {
			return held{}, err
		}
		if section["delegation_token_file"] != "" {
			return held{}, badAuth("%sit holds a delegation token, which this program cannot use: choose a profile with an API key (user, fingerprint, key_file)", where)
		}
		if section["security_token_file"] != "" {
			return held{}, badAuth("%sit holds a session token, which ends within the hour: set auth.type to %s to use it, or choose a profile with an API key (user, fingerprint, key_file)", where, SessionToken)
		}
		a = a.fill(section)
	}
	a.Region = CanonicalRegion(a.Region)
	a.Fingerprint = canonicalFingerprint(a.Fingerprint)
	if err := a.validKey(where); err != nil {
		return held{}, err
	}
	key, keyName, err := a.readKey(l)
	if err != nil {
		return held{}, err
	}
	fingerprint, err := fingerprintOf(key)
	if err != nil {
		return held{}, fmt.Errorf("reading %s: %w", keyName, err)
	}
	if fingerprint != a.Fingerprint {
		return held{}, &Error{Kind: BadKey, Sentence: fmt.Sprintf(
			"%s is not the key of the configured fingerprint: its own fingerprint begins with %s and the configured one with %s, so correct auth.fingerprint or give the key that belongs to it",
			keyName, short(fingerprint), short(a.Fingerprint))}
	}
	return held{
		who: identity{Method: a.method(), Tenancy: a.Tenancy, Region: a.Region, User: a.User, Fingerprint: a.Fingerprint, Name: name},
		key: signerKey{key: key, id: a.Tenancy + "/" + a.User + "/" + a.Fingerprint},
	}, nil
}

// readSession reads the token and the key that `oci session authenticate` has left in a profile.
func (a Auth) readSession(l *look) (held, error) {
	where, name := a.where(), a.String()
	section, err := a.section(l)
	if err != nil {
		return held{}, err
	}
	path := section["security_token_file"]
	if path == "" {
		return held{}, badAuth("%sit has no security_token_file: make the profile with `oci session authenticate --profile-name %s`, or set auth.type to %s", where, a.profile(), ConfigFile)
	}
	a = a.fill(section)
	a.Region = CanonicalRegion(a.Region)
	if err := validTenancy(where, a.Tenancy); err != nil {
		return held{}, err
	}
	if err := a.validSource(where); err != nil {
		return held{}, err
	}
	key, keyName, err := a.readKey(l)
	if err != nil {
		return held{}, err
	}
	l.at(path)
	text, err := readTokenFile("security_token_file of the profile", path)
	if err != nil {
		return held{}, err
	}
	t, err := parseToken(text)
	mend := fmt.Sprintf("run `oci session authenticate --profile-name %s`", a.profile())
	switch {
	case err != nil:
		return held{}, &Error{Kind: BadToken, Sentence: fmt.Sprintf("the security token in %s cannot be used, because %v: %s", expand(path), err, mend)}
	case !t.names(key):
		return held{}, &Error{Kind: BadToken, Sentence: fmt.Sprintf("the security token in %s is for another key than %s: %s, which writes both", expand(path), keyName, mend)}
	}
	expired := func() error {
		return &Error{Kind: BadToken, Sentence: fmt.Sprintf(
			"the session token of profile %s expired at %s: run `oci session refresh --profile %s`, or `oci session authenticate --profile-name %s` where the session has ended; no restart is needed",
			a.profile(), t.expires.Format(time.RFC3339), a.profile(), a.profile())}
	}
	return held{
		who:     identity{Method: SessionToken, Tenancy: a.Tenancy, Region: a.Region, User: t.subject, Name: name, Expires: t.expires},
		key:     t.signs(key),
		expired: expired,
	}, nil
}

// where begins sentences about a profile.
func (a Auth) where() string { return fmt.Sprintf("profile %s of %s: ", a.profile(), a.configFile()) }

// section reads the profile.
func (a Auth) section(l *look) (map[string]string, error) {
	l.at(a.configFile())
	return readProfile(expand(a.configFile()), a.profile())
}

// fill takes from a profile what the configuration leaves out.
func (a Auth) fill(section map[string]string) Auth {
	return Auth{
		Method: a.method(), Tenancy: section["tenancy"], User: section["user"], Fingerprint: section["fingerprint"],
		Region: firstOf(a.Region, section["region"]), PrivateKey: section["key_content"], PrivateKeyFile: section["key_file"],
		Passphrase: firstOf(a.Passphrase, section["pass_phrase"]), ConfigFile: a.ConfigFile, Profile: a.Profile,
	}
}

// readKey reads the private key, and says what to call it.
func (a Auth) readKey(l *look) (key *rsa.PrivateKey, name string, err error) {
	text, name := a.PrivateKey, "auth.private_key"
	if a.PrivateKeyFile != "" {
		name = "the key file " + expand(a.PrivateKeyFile)
		l.at(a.PrivateKeyFile)
		if text, err = readKeyFile(a.PrivateKeyFile); err != nil {
			return nil, name, err
		}
	}
	key, err = parseKey(text, a.Passphrase, name)
	return key, name, err
}

// signerKey is what Oracle's signer asks for; the key is parsed once, not for each request.
type signerKey struct {
	key *rsa.PrivateKey
	id  string
}

// PrivateRSAKey gives the key that signs.
func (k signerKey) PrivateRSAKey() (*rsa.PrivateKey, error) { return k.key, nil }

// KeyID names the key: tenancy/user/fingerprint, or the token that stands for it.
func (k signerKey) KeyID() (string, error) { return k.id, nil }

// String keeps the token out of whatever prints a key.
func (signerKey) String() string { return "a key" }

// GoString is String.
func (signerKey) GoString() string { return "a key" }
