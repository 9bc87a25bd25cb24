package ocisim

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// Names by which faults and counts know the requests for tokens.
const (
	federateOperation = "FederateX509"
	workloadOperation = "IssueWorkloadToken"
)

// bearerRoute finds what answers a request whose caller proves itself otherwise than by a signature with a known key:
// to the metadata service, and for tokens. All of them belong to the first tenancy.
func (q *request) bearerRoute() (string, func(*http.Request) (*answer, *apiError)) {
	switch {
	case strings.HasPrefix(q.path, metadataRoot):
		return metadataOperation, q.metadata
	case q.path == "/v1/x509":
		return federateOperation, q.federate
	case q.path == "/resourcePrincipalSessionTokens":
		return workloadOperation, q.workloadToken
	}
	return "", nil
}

// federation is what an instance sends for a token.
type federation struct {
	Certificate          string   `json:"certificate"`
	PublicKey            string   `json:"publicKey"`
	Intermediates        []string `json:"intermediateCertificates"`
	FingerprintAlgorithm string   `json:"fingerprintAlgorithm"`
	Purpose              string   `json:"purpose"`
}

// federate gives an instance a token for its session's key, if the request is signed with the key of a certificate
// that the root vouches for now, and keyId names that certificate and the tenancy in it.
func (q *request) federate(r *http.Request) (*answer, *apiError) {
	const refused = "The required information to complete authentication was not provided or was incorrect."
	if r.Method != http.MethodPost {
		return nil, notFound()
	}
	signed, failed := q.readSigned(r)
	if failed != nil {
		return nil, failed
	}
	var asked federation
	if json.Unmarshal(q.body, &asked) != nil || asked.Certificate == "" || asked.PublicKey == "" {
		return nil, invalid("The body must name certificate and publicKey.")
	}
	if asked.FingerprintAlgorithm != "SHA256" {
		return nil, invalid("fingerprintAlgorithm is %q; SHA256 is what is simulated.", asked.FingerprintAlgorithm)
	}
	if asked.Purpose != "" && asked.Purpose != "DEFAULT" {
		return nil, invalid("purpose is %q, want DEFAULT.", asked.Purpose)
	}
	leaf, err := q.verifiedLeaf(asked)
	if err != nil {
		return nil, notAuthenticated(refused)
	}
	auth, err := readAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, notAuthenticated(refused)
	}
	tenancy := unitOf(leaf, "opc-tenant:")
	sum := sha256.Sum256(leaf.Raw)
	if auth.keyID != tenancy+"/fed-x509-sha256/"+strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":") {
		return nil, notAuthenticated(refused)
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	// The host is not signed: the service is called through gateways of other names.
	if !ok || signed.verifyCovering(auth, key, "(request-target)") != nil {
		return nil, notAuthenticated(refused)
	}
	if failed := q.fresh(signed, auth); failed != nil {
		return nil, failed
	}
	session, err := readPublicKey(asked.PublicKey)
	if err != nil {
		return nil, invalid("publicKey is no RSA key: %v.", err)
	}
	id := unitOf(leaf, "opc-instance:")
	token, _ := q.sim.security.issue(claims{Subject: id, Principal: "instance", Type: "x509", Tenant: tenancy, Instance: id}, session)
	return &answer{body: encode(map[string]string{"token": token})}, nil
}

// verifiedLeaf gives the certificate of the request, if there is a way from it to the root.
func (q *request) verifiedLeaf(asked federation) (*x509.Certificate, error) {
	leaf, err := readCertificate(asked.Certificate)
	if err != nil {
		return nil, err
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(q.sim.root(q.now).parsed)
	for _, text := range asked.Intermediates {
		c, err := readCertificate(text)
		if err != nil {
			return nil, err
		}
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: q.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return nil, err
	}
	if !q.sim.machine.accepts(leaf) {
		return nil, errToken
	}
	return leaf, nil
}

// readCertificate reads a certificate without its PEM lines, as the token service wants it.
func readCertificate(text string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// readPublicKey reads an RSA key, with its PEM lines or without.
func readPublicKey(text string) (*rsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der, err = block.Bytes, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	if key, ok := key.(*rsa.PublicKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("it is a %T", key)
}

// unitOf gives what an organizational unit of the certificate's subject says behind the prefix.
func unitOf(c *x509.Certificate, prefix string) string {
	for _, unit := range c.Subject.OrganizationalUnit {
		if value, ok := strings.CutPrefix(unit, prefix); ok {
			return value
		}
	}
	return ""
}

// serviceAccount is the account under which the simulated workload runs in its cluster.
const serviceAccount = "system:serviceaccount:siem:collector"

// ServiceAccountToken is what Kubernetes mounts into a pod of the simulated cluster.
func (s *Sim) ServiceAccountToken() string {
	now := s.config.Clock().UTC()
	return part([]byte(`{"alg":"RS256","kid":"cluster"}`)) + "." +
		part(encode(map[string]any{
			"iss": "https://kubernetes.default.svc.cluster.local", "sub": serviceAccount,
			"aud": []string{"api"}, "exp": now.Add(24 * time.Hour).Unix(), "iat": now.Unix(),
		})) + "." + part([]byte(sample.UUID("service account", s.tenancies[0].id)))
}

// workloadToken gives a pod of a cluster a token for its key, if it shows its service account's token.
func (q *request) workloadToken(r *http.Request) (*answer, *apiError) {
	if r.Method != http.MethodPost {
		return nil, notFound()
	}
	if _, failed := q.readSigned(r); failed != nil {
		return nil, failed
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts, own := strings.Split(bearer, "."), strings.Split(q.sim.ServiceAccountToken(), ".")
	// Only the times of a token change.
	if !ok || len(parts) != 3 || parts[0] != own[0] || parts[2] != own[2] {
		return nil, notAuthenticated("The service account's token is not accepted.")
	}
	var asked struct {
		PodKey string `json:"podKey"`
	}
	if json.Unmarshal(q.body, &asked) != nil || asked.PodKey == "" {
		return nil, invalid("The body must name podKey.")
	}
	key, err := readPublicKey(asked.PodKey)
	if err != nil {
		return nil, invalid("podKey is no RSA key: %v.", err)
	}
	id := sample.OCID("workload", "", q.tenancy.id)
	token, _ := q.sim.security.issue(claims{
		Subject: id, Principal: "workload", Type: "res_sp", Resource: id, Kind: "workload", Owner: q.tenancy.id, Home: q.tenancy.id,
	}, key)
	// The answer is a JSON text that holds JSON in base64.
	return &answer{body: encode(base64.StdEncoding.EncodeToString(encode(map[string]string{"token": tokenPrefix + token})))}, nil
}
