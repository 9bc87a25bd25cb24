package oci

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

// TestConnectionsThatGoBadAreTriedAgain lets the first connection go bad in each way that connections do.
// The page comes whole with the second, and the wait for the first is bounded.
func TestConnectionsThatGoBadAreTriedAgain(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n["
	for _, tt := range []struct {
		name string
		bad  func(net.Conn)
		wait time.Duration // until the first connection is given up
	}{
		{"it is closed at once", func(c net.Conn) { _ = c.Close() }, 0},
		{"it is closed in the middle of the body", func(c net.Conn) { _ = say(c, head); _ = c.Close() }, 0},
		{"it says nothing", func(net.Conn) {}, DefaultTimeout},
		{"it goes silent in the middle of the body", func(c net.Conn) { _ = say(c, head) }, DefaultTimeout},
		{"it drips", func(c net.Conn) {
			_ = say(c, head)
			for say(c, " ") {
				time.Sleep(time.Second)
			}
		}, DefaultTimeout},
		{"it speaks another protocol", func(c net.Conn) { _ = say(c, "220 mail.example.com ESMTP\r\n"); _ = c.Close() }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simulate(t, ocisim.Config{})
				o := options(sim)
				o.Transport, o.Endpoint = nil, "http://127.0.0.1/{region}"
				var dialed atomic.Int64
				o.Dial = func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					if dialed.Add(1) == 1 {
						go func() { readRequest(there); tt.bad(there) }()
						return here, nil
					}
					go respond(there, sim)
					return here, nil
				}
				c := client(t, o)
				defer c.Close()
				began := time.Now()
				regions, err := c.Regions(t.Context())
				if err != nil || len(regions) != 2 {
					t.Fatalf("got regions %v, %v; want 2", regions, err)
				}
				took := time.Since(began)
				time.Sleep(time.Second) // whoever drips finds out
				// The first try, and a second before the next.
				if took != tt.wait+time.Second || dialed.Load() != 2 {
					t.Errorf("got an answer after %s and %d connections, want %s and 2", took, dialed.Load(), tt.wait+time.Second)
				}
			})
		})
	}
}

// TestAddressThatLeadsNowhereIsGivenUp dials into a hole: nothing answers, nothing refuses.
func TestAddressThatLeadsNowhereIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(simulate(t, ocisim.Config{}))
		var dialed atomic.Int64
		o.Transport, o.Retry.Attempts = nil, 3
		o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialed.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c := client(t, o)
		defer c.Close()
		began := time.Now()
		_, err := c.Regions(t.Context())
		// Three tries, with pauses of one and two seconds.
		if got := time.Since(began); KindOf(err) != Unreachable || got != 3*DefaultTimeout+3*time.Second || dialed.Load() != 3 {
			t.Errorf("got %v after %s and %d connections, want the sentence after %s and 3", err, got, dialed.Load(), 3*DefaultTimeout+3*time.Second)
		}
	})
}

// say tells whether anybody listened.
func say(c net.Conn, text string) bool {
	_, err := io.WriteString(c, text)
	return err == nil
}

// readRequest reads a request, which has no body.
func readRequest(c net.Conn) {
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			return
		}
	}
}

// respond answers requests on a connection as the handler does.
func respond(c net.Conn, handler http.Handler) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			_ = c.Close()
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		resp := w.Result()
		resp.ContentLength = int64(w.Body.Len())
		if resp.Write(c) != nil {
			return
		}
	}
}

// TestHostWithAnIPv6AddressOnlyIsReached reads from a server that has no other address.
func TestHostWithAnIPv6AddressOnlyIsReached(t *testing.T) {
	var network net.ListenConfig
	listener, err := network.Listen(t.Context(), "tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("SKIPPED: this machine has no IPv6 loopback address: %v", err)
	}
	sim := simulate(t, ocisim.Config{})
	server := &http.Server{Handler: sim, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	o := options(sim)
	o.Transport, o.Endpoint = nil, "http://"+listener.Addr().String()+"/{region}"
	c := client(t, o)
	defer c.Close()
	if regions, err := c.Regions(t.Context()); err != nil || len(regions) != 2 {
		t.Errorf("got regions %v, %v; want 2", regions, err)
	}
}
