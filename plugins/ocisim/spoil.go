package ocisim

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// spoil changes an answer as the fault says, before it is written.
func (f *Fault) spoil(q *request, a *answer) {
	if f == nil {
		return
	}
	if f.Effect == EffectLoop && q.header.Get(headerNextCursor) != "" {
		q.header.Set(headerNextCursor, q.query.Get("cursor"))
		return
	}
	if f.Effect == EffectLoop && a.page {
		a.next = q.query.Get("page")
		if a.next == "" {
			here, err := q.turn()
			if err != nil {
				return
			}
			a.next = q.sim.tokens.issue(here)
		}
		return
	}
	if item := f.item(q); item != nil && a.page {
		if a.wrap != nil {
			item = a.wrap(item)
		}
		a.items = slices.Insert(a.items, len(a.items)/2, item)
	}
}

// item is what a fault puts into a page beside what belongs there. It is never one of the true records.
func (f *Fault) item(q *request) []byte {
	id := sample.UUID("malformed", string(f.Effect), q.call.Compartment, q.region, q.call.Query)
	good := string(sample.JSON("GetInstance", sample.Options{
		ID: id, Time: q.now.Truncate(time.Minute), Tenancy: sample.Principal{Name: q.tenancy.name, ID: q.tenancy.id},
		Actor: sample.Principal{Name: "malformed", ID: sample.OCID("user", "", id)}, Region: q.region,
	}))
	switch f.Effect {
	case EffectMalformed:
		return fmt.Appendf(nil, `{"eventType":42,"eventId":%q,"eventTime":"yesterday","source":["x"],"contentType":null,"data":"a text"}`, id)
	case EffectUTF8:
		return []byte(strings.Replace(good, `"principalName":"malformed"`, "\"principalName\":\"mal\xff\xfeformed\"", 1))
	case EffectControl:
		return []byte(strings.Replace(good, `"principalName":"malformed"`, "\"principalName\":\"mal\x01formed\"", 1))
	case EffectDuplicate:
		return []byte(strings.Replace(good, `"principalName":"malformed"`, `"principalName":"malformed","principalName":"duplicate"`, 1))
	default:
		return nil
	}
}

const htmlPage = "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head><body><p>Please sign in.</p></body></html>\n"

// seen gives the status that the client sees, 0 where it sees no end of the answer.
func (f *Fault) seen(status int) int {
	if effect := f.on(status); effect == EffectReset || effect == EffectHang {
		return 0
	}
	return status
}

// on gives the effect on an answer of that status: errors go out unspoiled.
func (f *Fault) on(status int) Effect {
	if f == nil || status >= http.StatusBadRequest {
		return ""
	}
	return f.Effect
}

// write sends status and body, spoiled on the way where the fault says so.
func (f *Fault) write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	switch f.on(status) {
	case EffectReset:
		reset(w, status, body)
		return
	case EffectHTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Del("Opc-Next-Page")
		body = []byte(htmlPage)
	case EffectTruncated:
		body = body[:len(body)/2]
	case EffectHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case EffectSlow:
		w.WriteHeader(status)
		f.drip(w, r, body)
		return
	case EffectLate:
		if !f.pause(r) {
			panic(http.ErrAbortHandler)
		}
	default:
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// The client may have gone: there is nobody left to tell.
	_, _ = w.Write(body)
}

// drip writes the body in pieces with pauses between them.
func (f *Fault) drip(w http.ResponseWriter, r *http.Request, body []byte) {
	const pieces = 8
	size := max(len(body)/pieces, 1)
	for len(body) > 0 {
		n := min(size, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		body = body[n:]
		if !f.pause(r) {
			return
		}
	}
}

// pause waits; false where the client has gone meanwhile.
func (f *Fault) pause(r *http.Request) bool {
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-timer.C:
		return true
	}
}

// reset sends half of the body and breaks the connection.
func reset(w http.ResponseWriter, status int, body []byte) {
	half := body[:len(body)/2]
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(half)
		panic(http.ErrAbortHandler) // how a handler breaks a connection that it cannot take over
	}
	conn, out, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	fmt.Fprintf(out, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
	_ = w.Header().Write(out)
	_, _ = out.WriteString("\r\n")
	_, _ = out.Write(half)
	_ = out.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the close sends RST
	}
}
