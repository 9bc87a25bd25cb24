package ocisim

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// metadataOperation is the name by which faults and counts know requests to the metadata service.
const metadataOperation = "GetMetadata"

// metadataRoot is the path below which the metadata service of an instance answers.
const metadataRoot = "/opc/v2/"

// certificateLife is how long an instance's certificate holds; the metadata service gives a new one after half of it.
const certificateLife = 2 * time.Hour

// instance is the machine of the first tenancy whose metadata service this is: its certificates say what it is.
type instance struct {
	sim *Sim

	mu     sync.Mutex
	number int         // guarded by mu: counts the certificates that it has had
	leaf   certificate // guarded by mu
	oldest int         // guarded by mu: certificates with a lower number are refused
}

// certificate is one that the simulator made, with the key that it holds for.
type certificate struct {
	pem    []byte
	parsed *x509.Certificate
	key    *rsa.PrivateKey
	number int
}

func (c certificate) keyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(c.key)})
}

// InstanceID is the OCID of the instance that the metadata service describes; it lies in the first tenancy, in its home region.
func (s *Sim) InstanceID() string { return sample.OCID("instance", "", s.tenancies[0].id) }

// RotateCertificate gives the instance another certificate and key, and refuses the old ones.
func (s *Sim) RotateCertificate() {
	i := s.machine
	i.mu.Lock()
	defer i.mu.Unlock()
	i.number++
	i.leaf, i.oldest = certificate{}, i.number
}

// metadata answers as the metadata service of an instance does, in its second version.
func (q *request) metadata(r *http.Request) (*answer, *apiError) {
	if r.Method != http.MethodGet {
		return nil, notFound()
	}
	// Without this header a request could come from a page that the instance shows: that is what the first version let through.
	if r.Header.Get("Authorization") != "Bearer Oracle" {
		return nil, &apiError{http.StatusUnauthorized, "NotAuthenticated", "The header Authorization: Bearer Oracle is missing."}
	}
	i := q.sim.machine
	text := func(b []byte) (*answer, *apiError) {
		q.header.Set("Content-Type", "text/plain")
		return &answer{body: b}, nil
	}
	switch strings.TrimPrefix(q.path, metadataRoot) {
	case "instance/region", "instance/canonicalRegionName":
		return text([]byte(q.tenancy.regions[0]))
	case "instance/id":
		return text([]byte(q.sim.InstanceID()))
	case "identity/cert.pem":
		return text(i.certificate(q.now).pem)
	case "identity/key.pem":
		return text(i.certificate(q.now).keyPEM())
	case "identity/intermediate.pem":
		return text(q.sim.intermediate(q.now).pem)
	}
	return nil, notFound()
}

// certificate gives the instance's certificate, a new one where half of the old one's life is over.
func (i *instance) certificate(now time.Time) certificate {
	parent := i.sim.intermediate(now)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.leaf.parsed != nil && now.Before(i.leaf.parsed.NotAfter.Add(-certificateLife/2)) {
		return i.leaf
	}
	if i.leaf.parsed != nil {
		i.number++
	}
	tenancy := i.sim.tenancies[0].id
	i.leaf = i.sim.certify(&x509.Certificate{
		SerialNumber: big.NewInt(int64(1000 + i.number)),
		Subject: pkix.Name{
			CommonName: i.sim.InstanceID(),
			OrganizationalUnit: []string{
				"opc-certtype:instance", "opc-instance:" + i.sim.InstanceID(), "opc-compartment:" + tenancy, "opc-tenant:" + tenancy,
			},
		},
		NotBefore: now.Add(-maxSkew), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, newKey(i.sim.config.Seed, "instance", i.number), parent)
	i.leaf.number = i.number
	return i.leaf
}

// accepts reports whether a certificate, which the root has vouched for, was not replaced.
func (i *instance) accepts(c *x509.Certificate) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return c.SerialNumber.Cmp(big.NewInt(int64(1000+i.oldest))) >= 0
}

// root is what the token service trusts, intermediate what signs the certificates of instances.
func (s *Sim) root(now time.Time) certificate {
	return s.authority("root", 1, now, nil)
}

func (s *Sim) intermediate(now time.Time) certificate {
	root := s.root(now)
	return s.authority("intermediate", 2, now, &root)
}

func (s *Sim) authority(name string, serial int64, now time.Time, parent *certificate) certificate {
	// An authority's certificate is the same all day.
	const day = 24 * time.Hour
	from := now.UTC().Truncate(day).Add(-day)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Simulated PKI " + name},
		NotBefore: from, NotAfter: from.Add(4 * day), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(s.config.Seed, "authority "+name, 0)
	if parent == nil {
		return s.certify(template, key, certificate{parsed: template, key: key})
	}
	return s.certify(template, key, *parent)
}

// certify signs a certificate. A template of ours cannot fail; where it did, nothing would verify.
func (*Sim) certify(template *x509.Certificate, key *rsa.PrivateKey, parent certificate) certificate {
	der, err := x509.CreateCertificate(noRandomness{}, template, parent.parsed, &key.PublicKey, parent.key)
	if err != nil {
		return certificate{parsed: template, key: key}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return certificate{parsed: template, key: key}
	}
	return certificate{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), parsed: parsed, key: key}
}

// noRandomness is what a signature of PKCS #1 v1.5 needs.
type noRandomness struct{}

// Read gives zeros.
func (noRandomness) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
