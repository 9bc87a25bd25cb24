package oci

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

// TLS says which servers are trusted beside those that the machine trusts, and who this program is to them. The zero value adds nothing.
type TLS struct {
	// RootCAs are certificates in PEM form, RootCAsFile is a file of such.
	RootCAs     string
	RootCAsFile string
	// CertFile and KeyFile are for servers that ask for a certificate of their clients. They are read anew for each connection.
	CertFile string
	KeyFile  string
}

// config makes the settings of connections.
func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.RootCAs != "" || t.RootCAsFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if t.RootCAs != "" && !pool.AppendCertsFromPEM([]byte(t.RootCAs)) {
			return nil, badAuth("tls.root_cas holds no certificate in PEM form: it must begin with -----BEGIN CERTIFICATE-----")
		}
		if t.RootCAsFile != "" {
			text, err := os.ReadFile(expand(t.RootCAsFile))
			if err != nil {
				return nil, badAuth("the file of tls.root_cas_file cannot be read (%v): correct its path, or make it readable for the user that runs this program", err)
			}
			if !pool.AppendCertsFromPEM(text) {
				return nil, badAuth("the file %s of tls.root_cas_file holds no certificate in PEM form: it must begin with -----BEGIN CERTIFICATE-----", expand(t.RootCAsFile))
			}
		}
		c.RootCAs = pool
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, badAuth("tls needs both cert_file and key_file, or neither: give the one that is missing")
	}
	if t.CertFile == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		own, err := tls.LoadX509KeyPair(expand(t.CertFile), expand(t.KeyFile))
		if err != nil {
			return nil, badAuth("tls.cert_file and tls.key_file cannot be used (%v): give a certificate and its key in PEM form", err)
		}
		return &own, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}

// transport makes what carries requests to Oracle: by the proxy of the environment, where one is set.
func (o Options) transport(settings *tls.Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = settings
	if o.Dial != nil {
		t.DialContext = o.Dial
	}
	return t
}

// local carries requests to a service beside this process, which are no proxy's business.
func (o Options) local() http.RoundTripper {
	if o.Transport != nil {
		return o.Transport
	}
	t := o.transport(&tls.Config{MinVersion: tls.VersionTLS12})
	t.Proxy = nil
	return t
}

// cluster carries requests to the services of a Kubernetes cluster, which has a certificate authority of its own.
func (o Options) cluster(ca *x509.CertPool) *http.Client {
	if o.Transport != nil {
		return withoutRedirects(o.Transport)
	}
	t := o.transport(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca})
	t.Proxy = nil
	return withoutRedirects(t)
}

// withoutRedirects makes a client that follows none: they would carry a signature or a token to another host.
func withoutRedirects(over http.RoundTripper) *http.Client {
	return &http.Client{Transport: over, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Dial makes connections; see net.Dialer.DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// tlsTrouble says why a server is not trusted, "" where that is not what is wrong.
func tlsTrouble(err error) string {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		who := "somebody that this machine does not trust"
		if c := unknown.Cert; c != nil && c.Issuer.String() == c.Subject.String() {
			who = "itself"
		}
		return "its certificate is signed by " + who
	}
	if wrong, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another host than " + clean(wrong.Host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return "its certificate has expired or is not valid yet, by this machine's clock"
		}
		return "its certificate is not valid for what it is used for"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "it does not speak TLS"
	}
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return fmt.Sprintf("it ends the connection (%v)", remote.Err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate cannot be verified"
	}
	return ""
}
