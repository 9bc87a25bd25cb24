package oci

import (
	"crypto/md5" // Oracle defines the fingerprint of a key as an MD5 sum
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/oracle/oci-go-sdk/v65/common"
)

var (
	pemBlock = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END ([A-Z0-9 ]+)-----`)
	// pemHeaders are the lines that an encrypted key of the old form carries before its body.
	pemHeaders = regexp.MustCompile(`Proc-Type:\s*4,\s*ENCRYPTED\s+DEK-Info:\s*([A-Za-z0-9-]+,\s*[0-9A-Fa-f]+)`)
)

// repairPEM puts the newlines back into a key that lost them, as keys do that pass through environment variables and web forms:
// newlines that became spaces, that are written as \n, or that are gone.
func repairPEM(s string) string {
	s = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n", "\r", "\n", "\u00a0", " ").Replace(s)
	block := pemBlock.FindStringSubmatch(s)
	if block == nil || block[1] != block[3] {
		return s
	}
	body, headers := block[2], ""
	if found := pemHeaders.FindStringSubmatchIndex(body); found != nil {
		headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: " + strings.Join(strings.Fields(body[found[2]:found[3]]), "") + "\n\n"
		body = body[found[1]:]
	}
	body = strings.Join(strings.Fields(body), "")
	var out strings.Builder
	fmt.Fprintf(&out, "-----BEGIN %s-----\n%s", block[1], headers)
	for ; len(body) > 64; body = body[64:] {
		out.WriteString(body[:64] + "\n")
	}
	fmt.Fprintf(&out, "%s\n-----END %s-----\n", body, block[1])
	return out.String()
}

// parseKey reads a private key; where names it in errors. The key itself is never part of an error.
func parseKey(text, passphrase, where string) (*rsa.PrivateKey, error) {
	if err := validPEM(text, where); err != nil {
		return nil, err
	}
	var secret *string
	if passphrase != "" {
		secret = &passphrase
	}
	key, err := common.PrivateKeyFromBytes([]byte(repairPEM(text)), secret)
	if err == nil && key != nil {
		return key, nil
	}
	encrypted := strings.Contains(text, "ENCRYPTED")
	switch {
	case encrypted && passphrase == "":
		return nil, badKey("%s is encrypted and no passphrase is given: set auth.passphrase", where)
	case encrypted:
		return nil, badKey("%s cannot be decrypted with the given passphrase: correct auth.passphrase", where)
	}
	return nil, badKey("%s is damaged, or is no RSA key: paste the PEM file again as a whole, or give its path in auth.private_key_file", where)
}

// validPEM checks what can be seen of a private key without reading it.
func validPEM(text, where string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return badKey("%s is empty, so nothing can be signed: give the private key that belongs to auth.fingerprint in PEM form", where)
	case strings.Contains(text, "BEGIN PUBLIC KEY") || strings.Contains(text, "BEGIN CERTIFICATE"):
		return badKey("%s holds a public key, which cannot sign: give the private half, the file that begins with -----BEGIN PRIVATE KEY-----", where)
	case !pemBlock.MatchString(text):
		return badKey("%s holds no key in PEM form: it must begin with -----BEGIN PRIVATE KEY----- and end with the matching END line", where)
	}
	return nil
}

func badKey(format string, args ...any) error {
	return &Error{Kind: BadKey, Sentence: fmt.Sprintf(format, args...)}
}

// fingerprintOf gives the name by which Oracle knows the public half of a key.
func fingerprintOf(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", errors.New("the key has no public half")
	}
	sum := md5.Sum(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":"), nil
}
