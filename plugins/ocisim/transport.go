package ocisim

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// ErrReset is what reading a body gives where the simulator reset the connection.
var ErrReset = errors.New("connection reset by the simulator")

// RoundTripper answers calls within the process, without a socket: what tests in a bubble of testing/synctest need.
// Any host will do; one as audit.us-ashburn-1.oraclecloud.com chooses its region.
func (s *Sim) RoundTripper() http.RoundTripper { return transport{s} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, fmt.Errorf("calling %s: %w", r.URL.Host, err)
	}
	inner := r.Clone(r.Context())
	inner.RequestURI = r.URL.RequestURI()
	if inner.Host == "" {
		inner.Host = r.URL.Host
	}
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	body, out := io.Pipe()
	w := &pipeWriter{header: http.Header{}, out: out, ready: make(chan struct{})}
	go func() {
		defer func() {
			// Only the handler's own way of breaking a connection is caught.
			broken := recover()
			if err, ok := broken.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				w.WriteHeader(http.StatusOK)
				out.CloseWithError(ErrReset)
				return
			}
			if broken != nil {
				panic(broken)
			}
			w.WriteHeader(http.StatusOK)
			// A handler that stops because the request has ended leaves no body that looks whole; nil is a plain end.
			out.CloseWithError(r.Context().Err())
		}()
		t.handler.ServeHTTP(w, inner)
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		out.CloseWithError(r.Context().Err())
		return nil, fmt.Errorf("calling %s: %w", r.URL.Host, r.Context().Err())
	}
	stopped := make(chan struct{})
	go func() {
		select {
		case <-r.Context().Done():
			out.CloseWithError(r.Context().Err())
		case <-stopped:
		}
	}()
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &pipeBody{PipeReader: body, stopped: stopped}, ContentLength: -1, Request: r,
	}, nil
}

// pipeBody ends the watch over the request's context when it has been read or closed.
type pipeBody struct {
	*io.PipeReader
	stopped chan struct{}
	once    sync.Once
}

func (b *pipeBody) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if err != nil {
		b.once.Do(func() { close(b.stopped) })
	}
	return n, err
}

func (b *pipeBody) Close() error {
	b.once.Do(func() { close(b.stopped) })
	return b.PipeReader.Close()
}

// pipeWriter hands what a handler writes to the reader of the response.
type pipeWriter struct {
	header http.Header
	sent   http.Header
	status int
	out    *io.PipeWriter
	ready  chan struct{}
	once   sync.Once
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(b)
}

// Flush does nothing: a pipe holds nothing back.
func (*pipeWriter) Flush() {}
