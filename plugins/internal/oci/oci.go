// Package oci signs and sends the calls that the inputs make, and says in one sentence what is wrong when one fails.
//
// It stands between Oracle's APIs and package collect. Oracle's SDK gives the request signature, the keys and the table of regions;
// bodies are read here, byte for byte, because the SDK's typed clients lose fields and whole pages.
//
//	client, err := oci.New(oci.Options{Auth: oci.Auth{Profile: "PROD"}})
//	page, err := client.AuditEvents(ctx, oci.AuditQuery{Region: "us-ashburn-1", Compartment: id, Start: start, End: end})
package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/oracle/oci-go-sdk/v65/common"
)

// Options says who calls, where, and how politely.
type Options struct {
	Auth Auth
	// Endpoint replaces Oracle's hosts; {region} and {service} in it are replaced. Empty: Oracle's own.
	Endpoint string
	// Limiter gives the limiter that spaces the requests of a tenancy; nil: one of its own with DefaultRequestsPerSecond.
	Limiter func(tenancy string) *Limiter
	// Behind lets requests of others that share the limiter go before: a backfill must not hold up what is live.
	Behind bool
	// MaxBody is the largest body that is read, in bytes after decompression; 0: DefaultMaxBody.
	MaxBody int64
	// Timeout ends one request, its body included; 0: DefaultTimeout. Oracle was seen to take 11 s for one page.
	Timeout time.Duration
	// Retry says how often and how long a call is tried again.
	Retry Retry
	// TLS says whom to trust beside those that the machine trusts.
	TLS TLS
	// Transport carries all requests; nil: one of its own with Go's defaults, by the proxy of the environment,
	// and one beside it without proxy for the services that principals ask.
	Transport http.RoundTripper
	// Dial makes the connections of our own transports; nil: the network.
	Dial Dial
	// Getenv gives environment variables; nil: those of the process.
	Getenv func(string) string
	// ServiceAccount is the folder where Kubernetes mounts a service account, with a slash at its end; "" where it does by default.
	ServiceAccount string
	// Now is the local clock; nil: the wall clock.
	Now func() time.Time
	// Observe is told of every request that was answered or failed; nil: nobody.
	Observe func(Observation)
}

// Defaults of Options.
const (
	DefaultRequestsPerSecond = 10.0
	DefaultMaxBody           = 64 << 20
	DefaultTimeout           = 90 * time.Second
)

// Observation is one request as metrics see it.
type Observation struct {
	Operation string
	// Status is the HTTP status, 0 where no answer came.
	Status int
	// Attempt counts from 1; a larger one is a retry.
	Attempt int
}

// Client calls Oracle's APIs for one tenancy. It is safe for concurrent use.
type Client struct {
	opts        Options
	credentials source
	endpoint    endpoint
	limiter     *Limiter
	bodies      *bodies
	http        *http.Client
	// local reaches services beside this process.
	local *http.Client

	mu     sync.Mutex
	offset time.Duration   // mu; Oracle's clock less ours, from the Date of the last answer
	proved map[string]bool // mu; regions that have accepted our signature
}

// New is Open with no end but that of a login, which takes ten seconds at most.
func New(opts Options) (*Client, error) { return Open(context.Background(), opts) }

// Open checks the configuration and the key. Where the key is one that must be asked for, it is; it ends with ctx.
func Open(ctx context.Context, opts Options) (*Client, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxBody <= 0 {
		opts.MaxBody = DefaultMaxBody
	}
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.Limiter == nil {
		opts.Limiter = func(string) *Limiter { return NewLimiter(DefaultRequestsPerSecond) }
	}
	if opts.Observe == nil {
		opts.Observe = func(Observation) {}
	}
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	opts.Retry = opts.Retry.withDefaults()
	where, err := parseEndpoint(opts.Endpoint)
	if err != nil {
		return nil, err
	}
	settings, err := opts.TLS.config()
	if err != nil {
		return nil, err
	}
	transport := opts.Transport
	if transport == nil {
		transport = opts.transport(settings)
	}
	c := &Client{
		opts: opts, endpoint: where, proved: map[string]bool{},
		http: withoutRedirects(transport), local: withoutRedirects(opts.local()),
	}
	if c.credentials, err = c.login(ctx); err != nil {
		c.Close()
		return nil, err
	}
	c.limiter = opts.Limiter(c.Tenancy())
	c.bodies = newBodies()
	return c, nil
}

// login makes the source of the method, and sees that it has a key.
func (c *Client) login(ctx context.Context) (source, error) {
	auth := c.opts.Auth
	if err := auth.check(); err != nil {
		return nil, err
	}
	var keys source
	var err error
	switch auth.method() {
	case InstancePrincipal:
		var i *instance
		if i, err = newInstance(c); err == nil {
			keys = newPrincipal(c.opts.Now, i.ask)
		}
	case WorkloadIdentity:
		keys = newPrincipal(c.opts.Now, newWorkload(c).ask)
	case ResourcePrincipal:
		keys, err = newFiles(func(l *look) (held, error) { return auth.readResource(c.opts.Getenv, l) }, c.opts.Now)
	case SessionToken:
		keys, err = newFiles(auth.readSession, c.opts.Now)
	default:
		keys, err = newFiles(auth.readAPIKey, c.opts.Now)
	}
	if err != nil {
		return nil, err
	}
	_, err = keys.current(ctx)
	return keys, err
}

// Tenancy is the OCID of the tenancy whose key signs the calls.
func (c *Client) Tenancy() string { return c.credentials.identity().Tenancy }

// Region is the region of the configuration, where calls go that need no certain one.
func (c *Client) Region() string { return c.credentials.identity().Region }

// Now is Oracle's time as far as it is known: our clock, corrected by the Date of the last answer.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opts.Now().Add(c.offset).UTC()
}

// Who says in a few words whose key signs the calls, and how long it holds.
func (c *Client) Who() string {
	id := c.credentials.identity()
	who := id.Name + " of tenancy " + id.Tenancy
	if id.Expires.IsZero() {
		return who
	}
	return who + ", its token good until " + id.Expires.Format(time.RFC3339)
}

// Close lets go of idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.local.CloseIdleConnections()
}

// call is one request to an API.
type call struct {
	service   service
	operation string
	region    string
	// base is the address of the service, where it is not that of the region: a stream's own. An endpoint of the configuration goes before it.
	base  string
	path  string
	query url.Values
	// place is what may be throttled by itself, where several calls may ask for it at the same time; "" where they may not.
	place string
	// body is JSON to post; nil: the call is a GET.
	body []byte
	// decode reads a body of status 200; its error makes the call fail, and be tried again.
	decode func(*answer) error
}

// answer is what came back, its body read to the end.
type answer struct {
	status    int
	body      []byte
	next      string
	cursor    string
	requestID string
	date      time.Time
}

// do sends the call until it is answered, refused for good, or not worth trying any more.
func (c *Client) do(ctx context.Context, what call) error {
	if what.region == "" {
		what.region = c.Region()
	}
	reloaded := false
	at := &entered{place: what.place}
	for attempt := 1; ; attempt++ {
		if err := c.limiter.enter(ctx, at, c.opts.Now); err != nil {
			return err
		}
		tried := at.tries
		used, err := c.inTurn(ctx, what, attempt, at)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failure, ok := errors.AsType[*Error](err)
		if !ok {
			return err
		}
		// A key that was replaced on disk is taken up at once, and a token that ended on the way is replaced.
		if failure.Status == http.StatusUnauthorized && failure.Operation == what.operation && !reloaded {
			again, err := c.credentials.renew(ctx, used)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if again {
				reloaded = true
				continue
			}
			if worse, ok := errors.AsType[*Error](err); ok {
				failure = worse
			}
		}
		wait, again := c.opts.Retry.after(failure, attempt)
		if !again || tried && failure.Status == http.StatusTooManyRequests {
			return failure
		}
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// inTurn makes one attempt where the call has entered, when it is its turn, and says with which key.
func (c *Client) inTurn(ctx context.Context, what call, attempt int, at *entered) (used signerKey, err error) {
	var until time.Time
	defer func() { c.limiter.leave(at, err, until) }()
	turn := c.limiter.Wait
	if c.opts.Behind {
		turn = c.limiter.WaitBehind
	}
	if err := turn(ctx, c.opts.Now); err != nil {
		return used, err
	}
	used, err = c.send(ctx, what, attempt)
	if err == nil {
		c.limiter.Passed()
		return used, nil
	}
	if failure, ok := errors.AsType[*Error](err); ok && failure.Status == http.StatusTooManyRequests {
		// The others wait as long as Oracle asks; what this call waits longer is its own.
		until = c.opts.Now().Add(c.opts.Retry.asked(failure))
		c.limiter.Pause(until)
	}
	return used, err
}

// send makes one attempt, and says with which key.
func (c *Client) send(ctx context.Context, what call, attempt int) (signerKey, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	key, err := c.credentials.current(ctx)
	if err != nil {
		return key, err
	}
	target, err := c.address(what)
	if err != nil {
		return key, err
	}
	target += what.path
	if len(what.query) > 0 {
		target += "?" + what.query.Encode()
	}
	req, err := what.request(ctx, target)
	if err != nil {
		return key, fmt.Errorf("building the request %s: %w", what.operation, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "benthos-oci")
	req.Header.Set("Date", c.opts.Now().UTC().Format(http.TimeFormat))
	if err := common.DefaultRequestSigner(key).Sign(req); err != nil {
		return key, fmt.Errorf("signing the request %s: %w", what.operation, err)
	}
	got, err := c.roundTrip(req)
	if err != nil {
		c.opts.Observe(Observation{Operation: what.operation, Attempt: attempt})
		return key, c.unreachable(what, got, err)
	}
	c.opts.Observe(Observation{Operation: what.operation, Status: got.status, Attempt: attempt})
	c.hear(got)
	if got.status != http.StatusOK {
		return key, c.refused(what, got)
	}
	c.mu.Lock()
	c.proved[what.region] = true
	c.mu.Unlock()
	if err := what.decode(got.answer()); err != nil {
		return key, &Error{
			Kind: Garbled, Operation: what.operation, Region: what.region, Status: got.status, RequestID: got.requestID, Cause: err,
			Sentence: fmt.Sprintf("%s in %s answered with something that is not what the API returns (%v): if a proxy stands between, let it pass the answer unchanged",
				what.operation, what.region, err),
		}
	}
	return key, nil
}

// address is where the service of a call stands, its version included.
func (c *Client) address(what call) (string, error) {
	if what.base != "" && c.endpoint.template == "" {
		return what.base + what.service.version, nil
	}
	return c.endpoint.resolve(what.service, what.region)
}

// request makes the call's request, unsigned.
func (what call) request(ctx context.Context, target string) (*http.Request, error) {
	if what.body == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(what.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// reply is an answer together with what only the retry and the error sentences need.
type reply struct {
	status    int
	header    http.Header
	body      []byte
	requestID string
	date      time.Time
}

func (r *reply) answer() *answer {
	return &answer{status: r.status, body: r.body, next: r.header.Get("opc-next-page"), cursor: r.header.Get("opc-next-cursor"), requestID: r.requestID, date: r.date}
}

func (c *Client) roundTrip(req *http.Request) (*reply, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got := &reply{status: resp.StatusCode, header: resp.Header, requestID: resp.Header.Get("opc-request-id")}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		got.date = date.UTC()
	}
	limit := c.opts.MaxBody
	from, length := io.Reader(resp.Body), resp.ContentLength
	if resp.StatusCode != http.StatusOK {
		limit = min(limit, maxErrorBody)
		from, length = io.LimitReader(from, limit), min(length, limit)
	}
	if got.body, err = c.bodies.read(req.Context(), from, length, limit); err != nil {
		return got, fmt.Errorf("reading the body: %w", err)
	}
	return got, nil
}

// hear learns Oracle's time from an answer. A window must never end in what is the future for Oracle: what is processed there later would be missed.
func (c *Client) hear(got *reply) {
	if got.date.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Oracle refuses signatures that are further off, so a larger difference is a mistake of something between.
	c.offset = min(max(got.date.Sub(c.opts.Now().Truncate(time.Second)), -maxSkew), maxSkew)
}

// Sleep waits for d or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
