package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds what is read of a metadata or token service; certificates and tokens have a few KB.
const maxAnswer = 256 << 10

// asker sends the requests of principals: one attempt each, for the call that wants the key is tried again by itself.
type asker struct {
	client  *http.Client
	observe func(Observation)
}

// answered is the answer of a metadata or token service.
type answered struct {
	status     int
	body       []byte
	at, date   time.Time // when it came by our clock, and by theirs
	retryAfter time.Duration
	requestID  string
	// code and message are Oracle's, where the answer is a refusal that has them.
	code, message string
}

func (a asker) send(req *http.Request, operation string, now func() time.Time) (answered, error) {
	req.Header.Set("User-Agent", "benthos-oci")
	req.Header.Set("Accept", "application/json, text/plain")
	resp, err := a.client.Do(req)
	if err != nil {
		a.observe(Observation{Operation: operation, Attempt: 1})
		return answered{}, err
	}
	defer resp.Body.Close()
	a.observe(Observation{Operation: operation, Status: resp.StatusCode, Attempt: 1})
	got := answered{status: resp.StatusCode, at: now(), requestID: clean(resp.Header.Get("opc-request-id"))}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		got.date = date.UTC()
	}
	got.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), got.date)
	got.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return got, fmt.Errorf("reading the body: %w", err)
	case len(got.body) > maxAnswer:
		return got, errTooLarge
	}
	if got.status != http.StatusOK {
		var refusal struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(got.body, &refusal) // a body that is not Oracle's says nothing
		got.code, got.message = refusal.Code, refusal.Message
	}
	return got, nil
}

// said is a refusal in the words of whoever refused.
func (a answered) said() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, clean(strings.TrimSpace(a.code+" "+a.message))))
}

// skewed tells whether a refusal may come from a clock that is off.
func (a answered) skewed(now time.Time) bool {
	off := a.date.Sub(now)
	return !a.date.IsZero() && (off > maxSkew || off < -maxSkew)
}

// plain is an error of the network without the URL, in few words.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", loginTimeout)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// unanswered makes the sentence of a request without an answer.
func unanswered(e *Error, what, mend string) *Error {
	e.Kind = Unreachable
	e.Sentence = fmt.Sprintf("%s did not answer (%v): it is asked again; %s if this stays", what, plain(e.Cause), mend)
	if said := tlsTrouble(e.Cause); said != "" {
		e.Kind = Untrusted
		e.Sentence = fmt.Sprintf("%s is not trusted, because %s", what, said)
	}
	return e
}
