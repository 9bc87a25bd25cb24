package ocisim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far a request's date may be from the server's.
const maxSkew = 5 * time.Minute

// signedRequest is what a signature covers.
type signedRequest struct {
	method string
	target string // path and query, as they stood in the request line
	host   string
	header http.Header
	body   []byte
}

// authorization is an Authorization header of the draft "Signing HTTP Messages" in Oracle's version 1.
type authorization struct {
	keyID     string
	headers   []string
	signature []byte
}

// readAuthorization reads `Signature version="1",keyId="...",algorithm="rsa-sha256",headers="...",signature="..."`.
func readAuthorization(value string) (authorization, error) {
	rest, ok := strings.CutPrefix(value, "Signature ")
	if !ok {
		return authorization{}, errors.New("the Authorization header does not start with Signature")
	}
	fields := map[string]string{}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimLeft(rest, ", ") {
		name, after, ok := strings.Cut(rest, `="`)
		if !ok {
			return authorization{}, fmt.Errorf("the Authorization header has %q where name=\"value\" should stand", rest)
		}
		text, remains, ok := strings.Cut(after, `"`)
		if !ok {
			return authorization{}, fmt.Errorf("the value of %s in the Authorization header is not closed", name)
		}
		if _, twice := fields[name]; twice {
			return authorization{}, fmt.Errorf("the Authorization header names %s twice", name)
		}
		fields[name], rest = text, remains
	}
	for _, name := range []string{"version", "keyId", "algorithm", "headers", "signature"} {
		if fields[name] == "" {
			return authorization{}, fmt.Errorf("the Authorization header lacks %s", name)
		}
	}
	if fields["version"] != "1" {
		return authorization{}, fmt.Errorf("the signature's version is %q, want \"1\"", fields["version"])
	}
	if fields["algorithm"] != "rsa-sha256" {
		return authorization{}, fmt.Errorf("the signature's algorithm is %q, want rsa-sha256", fields["algorithm"])
	}
	signature, err := base64.StdEncoding.DecodeString(fields["signature"])
	if err != nil {
		return authorization{}, fmt.Errorf("reading the signature: %w", err)
	}
	return authorization{fields["keyId"], strings.Fields(strings.ToLower(fields["headers"])), signature}, nil
}

// signingString is what is signed: the named headers, in the order in which they are named.
func (r signedRequest) signingString(headers []string) (string, error) {
	lines := make([]string, len(headers))
	for i, name := range headers {
		switch name {
		case "(request-target)":
			lines[i] = name + ": " + strings.ToLower(r.method) + " " + r.target
		case "host":
			lines[i] = "host: " + r.host
		default:
			values := r.header.Values(name)
			if len(values) == 0 {
				return "", fmt.Errorf("the signature covers the header %s, which the request lacks", name)
			}
			lines[i] = name + ": " + strings.Join(values, ", ")
		}
	}
	return strings.Join(lines, "\n"), nil
}

// verify checks that the signature covers what it must and was made with the key.
func (r signedRequest) verify(a authorization, key *rsa.PublicKey) error {
	return r.verifyCovering(a, key, "(request-target)", "host")
}

// verifyCovering is verify where other headers are required; those of a body always are.
func (r signedRequest) verifyCovering(a authorization, key *rsa.PublicKey, required ...string) error {
	signedBody := r.hasBody() && (!r.mayLeaveItsBodyOut() || slices.Contains(a.headers, "x-content-sha256"))
	if signedBody {
		required = append(required, "content-length", "content-type", "x-content-sha256")
	}
	for _, name := range required {
		if !slices.Contains(a.headers, name) {
			return fmt.Errorf("the signature of a %s request must cover %s", r.method, name)
		}
	}
	if !slices.Contains(a.headers, "date") && !slices.Contains(a.headers, "x-date") {
		return errors.New("the signature must cover date or x-date")
	}
	if signedBody {
		sum := sha256.Sum256(r.body)
		if got := base64.StdEncoding.EncodeToString(sum[:]); r.header.Get("X-Content-Sha256") != got {
			return errors.New("x-content-sha256 is not the hash of the body")
		}
		if r.header.Get("Content-Length") != strconv.Itoa(len(r.body)) {
			return errors.New("content-length is not the length of the body")
		}
	}
	text, err := r.signingString(a.headers)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], a.signature); err != nil {
		return fmt.Errorf("checking the signature: %w", err)
	}
	return nil
}

func (r signedRequest) hasBody() bool {
	return r.method == http.MethodPost || r.method == http.MethodPut || r.method == http.MethodPatch
}

// mayLeaveItsBodyOut is true for PutMessages, whose body Oracle's own SDKs do not sign.
func (r signedRequest) mayLeaveItsBodyOut() bool {
	path, _, _ := strings.Cut(r.target, "?")
	return r.method == http.MethodPost && strings.Contains(path, "/streams/") && strings.HasSuffix(path, "/messages")
}

// date gives when the request says it was made. x-date stands for clients that cannot set date.
func (r signedRequest) date(a authorization) (time.Time, error) {
	name := "date"
	if slices.Contains(a.headers, "x-date") {
		name = "x-date"
	}
	text := r.header.Get(name)
	if text == "" {
		return time.Time{}, fmt.Errorf("the request has no header %s", name)
	}
	for _, layout := range []string{http.TimeFormat, time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("the header %s is %q, want a date as %q", name, text, http.TimeFormat)
}
