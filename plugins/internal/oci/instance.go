package oci

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/oracle/oci-go-sdk/v65/common"
)

// Operations of principals, as metrics name them.
const (
	opMetadata = "GetMetadata"
	opFederate = "FederateX509"
	opWorkload = "IssueWorkloadToken"
)

// metadataBase is where a compute instance finds its metadata service, envMetadata what replaces it, as in Oracle's SDKs.
// See https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm.
const (
	metadataBase = "http://169.254.169.254/opc/v2"
	envMetadata  = "OCI_METADATA_BASE_URL"
)

var authService = service{"auth", "https://auth.{region}.{secondLevelDomain}", "/v1"}

// instance is a compute instance that proves by its certificate who it is.
type instance struct {
	auth     Auth
	base     string
	endpoint endpoint
	now      func() time.Time
	// local carries requests to the metadata service, never by a proxy; remote those to Oracle.
	local, remote asker
}

func newInstance(c *Client) (*instance, error) {
	base := firstOf(c.opts.Getenv(envMetadata), metadataBase)
	at, err := url.Parse(base)
	if err != nil || at.Host == "" || at.User != nil {
		return nil, badAuth("%s is no URL like %s", envMetadata, metadataBase)
	}
	if at.Scheme != "https" && (at.Scheme != "http" || !nearby(at.Hostname())) {
		return nil, badAuth("%s would get this instance's key in clear text from another machine: use https, plain http is allowed to this machine and to the metadata service's own addresses only", envMetadata)
	}
	return &instance{
		auth: c.opts.Auth, base: strings.TrimRight(base, "/"), endpoint: c.endpoint, now: c.opts.Now,
		local:  asker{client: c.local, observe: c.opts.Observe},
		remote: asker{client: c.http, observe: c.opts.Observe},
	}, nil
}

// nearby is true for this machine and for addresses that no router passes on.
func nearby(host string) bool {
	if loopback(host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	// The metadata service's address in IPv6 is unique local.
	return err == nil && (ip.IsLinkLocalUnicast() || ip == netip.MustParseAddr("fd00:c1::a9fe:a9fe"))
}

// ask logs in: the metadata service says who the instance is, Oracle gives a token for that.
func (i *instance) ask(ctx context.Context) (grant, error) {
	region := CanonicalRegion(i.auth.Region)
	if region == "" {
		text, err := i.metadata(ctx, "/instance/region")
		if err != nil {
			return grant{}, err
		}
		region = CanonicalRegion(string(text))
		if !plausibleRegion(region) {
			return grant{}, i.nonsense("/instance/region", fmt.Errorf("%.40q is the name of no region", clean(region)))
		}
	}
	p, err := i.papers(ctx)
	if err != nil {
		return grant{}, err
	}
	session, public, err := newSession()
	if err != nil {
		return grant{}, err
	}
	got, err := i.federate(ctx, region, p, public)
	if err != nil {
		return grant{}, err
	}
	return i.grant(got, session, identity{
		Method: InstancePrincipal, Region: region, Tenancy: firstOf(i.auth.Tenancy, p.tenancy), Name: "instance " + p.name,
	})
}

// grant reads the token that was given.
func (*instance) grant(got answered, session *rsa.PrivateKey, who identity) (grant, error) {
	var said struct {
		Token string `json:"token"`
	}
	err := json.Unmarshal(got.body, &said)
	if err != nil {
		err = errors.New("the answer is no JSON")
	}
	var t token
	if err == nil {
		t, err = parseToken(said.Token)
	}
	if err == nil && !t.names(session) {
		err = errors.New("the token is for another key")
	}
	var g grant
	if err == nil {
		g, err = granted(t, session, who, got.at, got.date)
	}
	if err != nil {
		return grant{}, &Error{Kind: Garbled, Operation: opFederate, Region: who.Region, Status: got.status, Sentence: fmt.Sprintf(
			"the token that Oracle gave %s in %s cannot be used, because %v: it is asked for again; if a proxy stands between, let it pass the answer unchanged", who.Name, who.Region, err)}
	}
	return g, nil
}

// papers are the certificates of an instance, without their PEM lines as Oracle wants them.
type papers struct {
	leaf, intermediate string
	key                *rsa.PrivateKey
	keyID              string
	tenancy, name      string
}

// papers reads the certificates and the key. Between two of its requests they may be replaced, so it may take a second look.
func (i *instance) papers(ctx context.Context) (papers, error) {
	p, err := i.readPapers(ctx)
	if errors.Is(err, errOtherKey) {
		p, err = i.readPapers(ctx)
	}
	return p, err
}

var errOtherKey = errors.New("the key does not belong to the certificate")

func (i *instance) readPapers(ctx context.Context) (papers, error) {
	var texts [3][]byte
	const leafPath = "/identity/cert.pem"
	for n, path := range []string{leafPath, "/identity/key.pem", "/identity/intermediate.pem"} {
		text, err := i.metadata(ctx, path)
		if err != nil {
			return papers{}, err
		}
		texts[n] = text
	}
	p := papers{}
	leaf, err := certificateIn(texts[0])
	if err != nil {
		return p, i.nonsense(leafPath, err)
	}
	if p.key, err = common.PrivateKeyFromBytes(texts[1], nil); err != nil || p.key == nil {
		return p, i.nonsense("/identity/key.pem", errors.New("it is no RSA key in PEM form"))
	}
	intermediate, err := certificateIn(texts[2])
	if err != nil {
		return p, i.nonsense("/identity/intermediate.pem", err)
	}
	if !p.key.PublicKey.Equal(leaf.PublicKey) {
		return p, i.nonsense("/identity/key.pem", errOtherKey)
	}
	p.leaf, p.intermediate = base64.StdEncoding.EncodeToString(leaf.Raw), base64.StdEncoding.EncodeToString(intermediate.Raw)
	p.tenancy, p.name = unitOf(leaf, "opc-tenant:", "opc-identity:"), firstOf(unitOf(leaf, "opc-instance:"), clean(leaf.Subject.CommonName))
	if !ocid(p.tenancy, "tenancy") {
		return p, i.nonsense(leafPath, errors.New("its subject names no tenancy"))
	}
	p.keyID = p.tenancy + "/fed-x509-sha256/" + strings.ReplaceAll(fmt.Sprintf("% x", sha256.Sum256(leaf.Raw)), " ", ":")
	return p, nil
}

func certificateIn(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it is no certificate in PEM form")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("it is a damaged certificate")
	}
	return c, nil
}

// unitOf gives what an organizational unit of the subject says behind one of the prefixes.
func unitOf(c *x509.Certificate, prefixes ...string) string {
	for _, prefix := range prefixes {
		for _, unit := range c.Subject.OrganizationalUnit {
			if value, ok := strings.CutPrefix(unit, prefix); ok {
				return clean(value)
			}
		}
	}
	return ""
}

// federate gets a token for the public half of a session's key. The request is signed with the instance's key; the host is not part of
// the signature, as in Oracle's SDKs.
func (i *instance) federate(ctx context.Context, region string, p papers, public string) (answered, error) {
	target, err := i.endpoint.resolve(authService, region)
	if err != nil {
		return answered{}, err
	}
	body, err := json.Marshal(struct {
		Certificate   string   `json:"certificate"`
		PublicKey     string   `json:"publicKey"`
		Intermediates []string `json:"intermediateCertificates"`
		Algorithm     string   `json:"fingerprintAlgorithm"`
		Purpose       string   `json:"purpose"`
	}{p.leaf, public, []string{p.intermediate}, "SHA256", "DEFAULT"})
	if err != nil {
		return answered{}, fmt.Errorf("building the request %s: %w", opFederate, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target+"/x509", bytes.NewReader(body))
	if err != nil {
		return answered{}, fmt.Errorf("building the request %s: %w", opFederate, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Date", i.now().UTC().Format(http.TimeFormat))
	signer := common.RequestSigner(signerKey{key: p.key, id: p.keyID}, []string{"date", "(request-target)"}, []string{"content-length", "content-type", "x-content-sha256"})
	if err := signer.Sign(req); err != nil {
		return answered{}, fmt.Errorf("signing the request %s: %w", opFederate, err)
	}
	got, err := i.remote.send(req, opFederate, i.now)
	e := &Error{Operation: opFederate, Region: region, Status: got.status, RetryAfter: got.retryAfter, RequestID: got.requestID, Cause: err}
	said := got.said()
	switch {
	case err != nil:
		return got, unanswered(e, "the token service in "+region, "check the network, firewall and proxy between")
	case got.status == http.StatusOK:
		return got, nil
	case got.status == http.StatusUnauthorized && got.skewed(i.now()):
		e.Kind = ClockSkew
		e.Sentence = fmt.Sprintf("Oracle gives instance %s no token in %s (%s), because this machine's clock is more than 5 minutes off: set the clock, for example with chrony", p.name, region, said)
	case got.status == http.StatusTooManyRequests:
		e.Kind = Throttled
		e.Sentence = fmt.Sprintf("the token service in %s is throttled (%s): it is asked again later", region, said)
	case got.status >= 500:
		e.Kind = Outage
		e.Sentence = fmt.Sprintf("the token service in %s fails at Oracle's side (%s): it is asked again until it works", region, said)
	default:
		e.Kind = Refused
		e.Sentence = fmt.Sprintf("Oracle gives instance %s no token in %s (%s): check that the tenancy is subscribed to that region (auth.region, else the instance's own), and that the instance was not cloned or moved", p.name, region, said)
	}
	return got, e
}

// metadata reads what the metadata service says.
func (i *instance) metadata(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.base+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("building the request %s: %w", opMetadata, err)
	}
	req.Header.Set("Authorization", "Bearer Oracle")
	got, err := i.local.send(req, opMetadata, i.now)
	e := &Error{Operation: opMetadata, Status: got.status, Cause: err}
	switch {
	case err != nil:
		e.Kind = Unreachable
		e.Sentence = fmt.Sprintf("the metadata service at %s did not answer (%v), so this machine is probably no compute instance of Oracle's cloud: run it on one, or choose another auth.type than %s",
			req.URL.Host, plain(err), InstancePrincipal)
	case got.status == http.StatusOK:
		return bytes.TrimSpace(got.body), nil
	case got.status == http.StatusTooManyRequests || got.status >= 500:
		e.Kind = Outage
		e.Sentence = fmt.Sprintf("the metadata service at %s fails (%d for %s): it is asked again until it works", req.URL.Host, got.status, path)
	default:
		// Not a refusal of our signature: there is none.
		e.Kind, e.Status = BadToken, 0
		e.Sentence = fmt.Sprintf("what answers at %s gives no %s (%d), so this is no compute instance with an identity of its own: run on one, allow its metadata service (version 2), or choose another auth.type than %s",
			req.URL.Host, path, got.status, InstancePrincipal)
	}
	return nil, e
}

func (i *instance) nonsense(path string, err error) error {
	return &Error{Kind: Garbled, Operation: opMetadata, Cause: err, Sentence: fmt.Sprintf(
		"what answers at %s%s is not the metadata service of a compute instance, or not whole (%v): run this program on one, or choose another auth.type than %s", i.base, path, err, InstancePrincipal)}
}
