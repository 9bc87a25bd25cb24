package oci

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// What a pod of Oracle's Kubernetes Engine finds in its environment and among its files.
const (
	envKubernetes  = "KUBERNETES_SERVICE_HOST"
	envClusterCA   = "OCI_KUBERNETES_SERVICE_ACCOUNT_CERT_PATH"
	workloadPort   = "12250"
	workloadPath   = "/resourcePrincipalSessionTokens"
	accountFolder  = "/var/run/secrets/kubernetes.io/serviceaccount/"
	maxAccountSize = 64 << 10
)

// workload is a pod that shows its cluster's token service the token of its service account.
// See https://docs.oracle.com/iaas/Content/ContEng/Tasks/contenggrantingworkloadaccesstoresources.htm.
type workload struct {
	auth   Auth
	env    func(string) string
	folder string
	now    func() time.Time
	// client makes what carries the request: the cluster has a certificate authority of its own.
	client  func(ca *x509.CertPool) *http.Client
	observe func(Observation)
}

func newWorkload(c *Client) *workload {
	return &workload{
		auth: c.opts.Auth, env: c.opts.Getenv, folder: firstOf(c.opts.ServiceAccount, accountFolder), now: c.opts.Now,
		client: c.opts.cluster, observe: c.opts.Observe,
	}
}

func (w *workload) ask(ctx context.Context) (grant, error) {
	host := w.env(envKubernetes)
	if host == "" {
		return grant{}, badAuth("there is no workload identity here, because the environment has no %s: run this program in a pod of an enhanced OKE cluster, or choose another auth.type than %s", envKubernetes, WorkloadIdentity)
	}
	region := CanonicalRegion(firstOf(w.auth.Region, w.env(envRegion)))
	if !plausibleRegion(region) {
		return grant{}, badAuth("the workload's region is missing or is none: set auth.region, or %s in the pod, to one like us-ashburn-1", envRegion)
	}
	account, err := readTokenFile("the service account's token", w.folder+"token")
	if err != nil {
		return grant{}, err
	}
	account = strings.TrimSpace(account)
	if account == "" || len(account) > maxAccountSize || strings.ContainsAny(account, " \r\n\t") {
		return grant{}, &Error{Kind: BadToken, Sentence: fmt.Sprintf("the file %stoken holds no service account's token: mount one into the pod (automountServiceAccountToken)", w.folder)}
	}
	pool, err := w.authority()
	if err != nil {
		return grant{}, err
	}
	client := w.client(pool)
	// The connection is for this token alone: the next one comes with the cluster's certificates of that time.
	defer client.CloseIdleConnections()
	session, public, err := newSession()
	if err != nil {
		return grant{}, err
	}
	der, _ := base64.StdEncoding.DecodeString(public) // it was just encoded
	public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	got, err := w.request(ctx, client, net.JoinHostPort(strings.Trim(host, "[]"), workloadPort), account, public)
	if err != nil {
		return grant{}, err
	}
	who := identity{Method: WorkloadIdentity, Region: region, Name: "workload " + workloadName(account)}
	t, err := workloadToken(got.body)
	if err == nil && !t.names(session) {
		err = errors.New("the token is for another key")
	}
	who.Tenancy = firstOf(w.auth.Tenancy, t.tenancy)
	if err == nil && !ocid(who.Tenancy, "tenancy") {
		return grant{}, badAuth("the workload's token does not say which tenancy it is for: set auth.tenancy to the tenancy's OCID")
	}
	var g grant
	if err == nil {
		g, err = granted(t, session, who, got.at, got.date)
	}
	if err != nil {
		return grant{}, &Error{Kind: Garbled, Operation: opWorkload, Region: region, Status: got.status, Sentence: fmt.Sprintf(
			"the token that the cluster gave %s cannot be used, because %v: it is asked for again", who.Name, err)}
	}
	return g, nil
}

// authority reads the certificates that the cluster's services are signed with.
func (w *workload) authority() (*x509.CertPool, error) {
	path := firstOf(w.env(envClusterCA), w.folder+"ca.crt")
	text, err := readTokenFile("the cluster's certificate authority", path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, &Error{Kind: BadToken, Sentence: fmt.Sprintf("the file %s holds no certificate in PEM form, so the cluster's services cannot be trusted: correct %s, or mount the service account into the pod", path, envClusterCA)}
	}
	return pool, nil
}

func (w *workload) request(ctx context.Context, client *http.Client, host, account, public string) (answered, error) {
	body, err := json.Marshal(map[string]string{"podKey": public})
	if err != nil {
		return answered{}, fmt.Errorf("building the request %s: %w", opWorkload, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+workloadPath, bytes.NewReader(body))
	if err != nil {
		return answered{}, badAuth("%s is no host: it is the address of the cluster, which Kubernetes sets", envKubernetes)
	}
	req.Header.Set("Authorization", "Bearer "+account)
	req.Header.Set("Content-Type", "application/json")
	got, err := asker{client: client, observe: w.observe}.send(req, opWorkload, w.now)
	e := &Error{Operation: opWorkload, Status: got.status, RetryAfter: got.retryAfter, RequestID: got.requestID, Cause: err}
	said := got.said()
	switch {
	case err != nil:
		return got, unanswered(e, "the cluster's token service at "+host, "check that the cluster is an enhanced one, and that the pod may reach that port")
	case got.status == http.StatusOK:
		return got, nil
	case got.status == http.StatusTooManyRequests || got.status >= 500:
		e.Kind = Outage
		e.Sentence = fmt.Sprintf("the cluster's token service at %s fails (%s): it is asked again until it works", host, said)
	case got.status == http.StatusForbidden:
		e.Kind = Refused
		e.Sentence = fmt.Sprintf("the cluster's token service at %s gives no token (%s), because workload identity takes an enhanced cluster: upgrade the cluster, or choose another auth.type", host, said)
	default:
		e.Kind = Refused
		e.Sentence = fmt.Sprintf("the cluster's token service at %s does not accept the service account %s (%s): check that %stoken is the one that Kubernetes mounts and renews", host, workloadName(account), said, w.folder)
	}
	return got, e
}

// workloadToken reads the answer: a JSON text that holds JSON in base64, whose token begins with ST$.
func workloadToken(body []byte) (token, error) {
	var wrapped string
	if err := json.Unmarshal(body, &wrapped); err != nil {
		return token{}, errors.New("the answer is no JSON text")
	}
	inner, err := base64.StdEncoding.DecodeString(wrapped)
	if err != nil {
		return token{}, errors.New("the answer is no base64")
	}
	var said struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(inner, &said); err != nil {
		return token{}, errors.New("the answer holds no JSON")
	}
	return parseToken(said.Token)
}

// workloadName is namespace and name of a service account, as its token says them.
func workloadName(account string) string {
	namespace, name := serviceAccount(account)
	if name == "" {
		return "(of an unknown service account)"
	}
	return namespace + "/" + name
}

// serviceAccount reads whose token it is, "" where it does not say.
func serviceAccount(account string) (namespace, name string) {
	parts := strings.Split(account, ".")
	if len(parts) != 3 {
		return "", ""
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", ""
	}
	var said struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(body, &said) != nil {
		return "", ""
	}
	rest, ok := strings.CutPrefix(said.Subject, "system:serviceaccount:")
	if !ok {
		return "", ""
	}
	namespace, name, _ = strings.Cut(rest, ":")
	return clean(namespace), clean(name)
}
