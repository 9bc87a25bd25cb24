package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// Kind is what went wrong, in the few ways that an operator can do something about.
type Kind string

// The kinds of failures.
const (
	BadConfig     Kind = "configuration"
	BadKey        Kind = "key"
	BadKeyFile    Kind = "key_file"
	BadToken      Kind = "token"
	Untrusted     Kind = "untrusted"
	ClockSkew     Kind = "clock_skew"
	Refused       Kind = "not_authenticated"
	WrongRegion   Kind = "wrong_region"
	NoPermission  Kind = "permission"
	NotEnabled    Kind = "not_enabled"
	Throttled     Kind = "throttled"
	Outage        Kind = "outage"
	Unreachable   Kind = "unreachable"
	Garbled       Kind = "garbled"
	TooLarge      Kind = "too_large"
	BadRequest    Kind = "bad_request"
	maxMessageLen      = 300
)

// Error is a failed call. Its text is one sentence: what, why, and what to do.
type Error struct {
	Kind      Kind
	Sentence  string
	Operation string
	Region    string
	Status    int
	// Subject is what the call was about, where the region does not say it: the name of a query.
	Subject string
	// Code is Oracle's name for the failure, Message what it says about it.
	Code      string
	Message   string
	RequestID string
	// Statement is the policy statement that is missing, where one is.
	Statement string
	// RetryAfter is what Oracle asks for; not capped.
	RetryAfter time.Duration
	Cause      error
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Sentence }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf gives the kind of a failed call, "" for any other error.
func KindOf(err error) Kind {
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure.Kind
	}
	return ""
}

// Where names the operation, the region and the subject of a failed call, "" for any other error.
func Where(err error) string {
	if failure, ok := errors.AsType[*Error](err); ok {
		return strings.TrimSpace(failure.Operation + " " + failure.Region + " " + failure.Subject)
	}
	return ""
}

// permission is what an operation needs. Its name is the one in Oracle's policy reference.
type permission struct{ name, statement string }

// permissions by operation.
var permissions = map[string]permission{
	opListEvents:              {"read audit-events", "Allow group SiemReaders to read audit-events in tenancy"},
	opListCompartments:        {"inspect compartments", "Allow group SiemReaders to inspect compartments in tenancy"},
	opListRegionSubscriptions: {"inspect tenancies", "Allow group SiemReaders to inspect tenancies in tenancy"},
	opGetConfiguration:        {"read cloud-guard-config", "Allow group SiemReaders to read cloud-guard-config in tenancy"},
	opListProblems:            {"read cloud-guard-problems", "Allow group SiemReaders to read cloud-guard-problems in tenancy"},
	opGetProblem:              {"read cloud-guard-problems", "Allow group SiemReaders to read cloud-guard-problems in tenancy"},
	opListProblemHistories:    {"read cloud-guard-problems", "Allow group SiemReaders to read cloud-guard-problems in tenancy"},
	// Which of the many resource types covers endpoints is written nowhere; the family covers all.
	opListProblemEndpoints: {"read cloud-guard-family", "Allow group SiemReaders to read cloud-guard-family in tenancy"},
	opSearchLogs:           {"read log-content", "Allow group SiemReaders to read log-content in tenancy"},
	opGetStream:            {"read streams", "Allow group SiemReaders to read streams in tenancy"},
	opCreateCursor:         {"use stream-pull", "Allow group SiemReaders to use stream-pull in tenancy"},
	opCreateGroupCursor:    {"use stream-pull", "Allow group SiemReaders to use stream-pull in tenancy"},
	opGetMessages:          {"use stream-pull", "Allow group SiemReaders to use stream-pull in tenancy"},
	opConsumerCommit:       {"use stream-pull", "Allow group SiemReaders to use stream-pull in tenancy"},
	opConsumerHeartbeat:    {"use stream-pull", "Allow group SiemReaders to use stream-pull in tenancy"},
	opGetGroup:             {"use stream-pull", "Allow group SiemReaders to use stream-pull in tenancy"},
}

// maxSkew is how far Oracle lets our clock be off.
const maxSkew = 5 * time.Minute

// refused turns an answer other than 200 into a sentence.
func (c *Client) refused(what call, got *reply) *Error {
	var body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(got.body, &body) // a body that is not Oracle's says nothing
	id := c.credentials.identity()
	e := &Error{
		Operation: what.operation, Region: what.region, Status: got.status, Code: clean(body.Code), Message: clean(body.Message), RequestID: clean(got.requestID),
		RetryAfter: parseRetryAfter(got.header.Get("Retry-After"), got.date),
	}
	said := fmt.Sprintf("%d %s", got.status, strings.TrimSpace(e.Code+" "+clean(body.Message)))
	c.mu.Lock()
	proved, elsewhere := c.proved[what.region], len(c.proved) > 0 && !c.proved[what.region]
	c.mu.Unlock()
	off := got.date.Sub(c.opts.Now())
	switch {
	case got.status == http.StatusUnauthorized && !got.date.IsZero() && (off > maxSkew || off < -maxSkew):
		e.Kind = ClockSkew
		e.Sentence = fmt.Sprintf("%s in %s was refused (%s) because this machine's clock is %s %s Oracle's, and a signature holds for 5 minutes only: set the clock, for example with chrony",
			what.operation, what.region, said, off.Abs().Round(time.Second), map[bool]string{true: "behind", false: "ahead of"}[off > 0])
	case got.status == http.StatusUnauthorized && elsewhere:
		e.Kind = WrongRegion
		e.Sentence = fmt.Sprintf("%s in %s was refused (%s) though other regions accept this key: the tenancy is not subscribed to %s, so subscribe it or take the region out of `regions`",
			what.operation, what.region, said, what.region)
	case got.status == http.StatusUnauthorized && !proved && !knownRegion(what.region):
		e.Kind = WrongRegion
		e.Sentence = fmt.Sprintf("%s in %s was refused (%s), and %q is no region that this program knows: correct auth.region or `regions`; regions are called like us-ashburn-1",
			what.operation, what.region, said, what.region)
	case got.status == http.StatusUnauthorized:
		e.Kind = Refused
		e.Sentence = id.stranger(what, said, proved)
	case what.operation == opGetConfiguration && got.status == http.StatusNotFound && strings.Contains(strings.ToLower(body.Message), "enable"):
		return notEnabled(what.region)
	case got.status == http.StatusNotFound || got.status == http.StatusForbidden:
		e.Kind = NoPermission
		need := permissions[what.operation]
		statement, who, mend := id.may(need.statement)
		e.Statement = statement
		e.Sentence = fmt.Sprintf("%s in %s was refused (%s) because %s may not %s%s: add the policy statement `%s` %s",
			what.operation, what.region, said, who, need.name, inCompartment(what), statement, mend)
	case got.status == http.StatusTooManyRequests:
		e.Kind = Throttled
		e.Sentence = fmt.Sprintf("%s in %s is throttled (%s): it is tried again later; lower max_requests_per_second if this stays", what.operation, what.region, said)
	case got.status >= 500:
		e.Kind = Outage
		e.Sentence = fmt.Sprintf("%s in %s fails at Oracle's side (%s, request %s): it is tried again until it works", what.operation, what.region, said, e.RequestID)
	default:
		e.Kind = BadRequest
		e.Sentence = fmt.Sprintf("%s in %s was answered with %s (request %s): this is no answer that the API is known to give, so check the endpoint and the proxy between",
			what.operation, what.region, said, e.RequestID)
	}
	return e
}

// unreachable turns a request without an answer into a sentence.
func (c *Client) unreachable(what call, got *reply, err error) error {
	e := &Error{Kind: Unreachable, Operation: what.operation, Region: what.region, Cause: err}
	if got != nil {
		e.Status, e.RequestID = got.status, clean(got.requestID)
	}
	dns, unnamed := errors.AsType[*net.DNSError](err)
	distrust := tlsTrouble(err)
	switch {
	case distrust != "":
		e.Kind = Untrusted
		e.Sentence = fmt.Sprintf("%s in %s was not sent, because what answers there is not trusted: %s; if a proxy or gateway of yours stands between, give its certificate authority in tls.root_cas_file",
			what.operation, what.region, distrust)
	case errors.Is(err, errTooLarge):
		e.Kind = TooLarge
		e.Sentence = fmt.Sprintf("%s in %s gave a body of more than %d bytes: raise max_page_bytes if this stays", what.operation, what.region, c.opts.MaxBody)
	case unnamed && dns.IsNotFound && c.endpoint.template == "":
		e.Kind = WrongRegion
		e.Sentence = fmt.Sprintf("there is no host %s, so %q is probably not the name of a region, or this machine's DNS does not know Oracle's hosts: regions are called like us-ashburn-1",
			dns.Name, what.region)
	case unnamed:
		e.Sentence = fmt.Sprintf("%s in %s found no address for %s (%s): check DNS and the proxy settings", what.operation, what.region, dns.Name, dns.Err)
	case errors.Is(err, context.DeadlineExceeded):
		e.Sentence = fmt.Sprintf("%s in %s was not answered in full within %s: it is tried again; check the network between if this stays", what.operation, what.region, c.opts.Timeout)
	default:
		e.Sentence = fmt.Sprintf("%s in %s got no answer (%v): it is tried again; check the network, firewall and proxy between if this stays", what.operation, what.region, err)
	}
	return e
}

func notEnabled(region string) *Error {
	return &Error{
		Kind: NotEnabled, Operation: opGetConfiguration, Region: region, Status: http.StatusOK,
		Sentence: "Cloud Guard is not enabled in this tenancy, so it has no problems to read: enable it (Console, Identity & Security, Cloud Guard), or take oci_cloudguard out of the configuration",
	}
}

func inCompartment(what call) string {
	if id := what.query.Get("compartmentId"); id != "" {
		return " in compartment " + id
	}
	return ""
}

// clean makes a string from outside fit for one line of a log.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessageLen {
		return strings.ToValidUTF8(s[:maxMessageLen], "") + "..."
	}
	return s
}

// short names a fingerprint without giving it away.
func short(fingerprint string) string {
	if len(fingerprint) < 8 {
		return "(without fingerprint)"
	}
	return fingerprint[:5] + ":..."
}
