package ocisim

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// day is when everything happens in these tests, now is long after it.
var (
	day = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	now = day.Add(72 * time.Hour)
)

// newSim makes a simulator whose clock stands still.
func newSim(t *testing.T, change func(*Config)) *Sim {
	t.Helper()
	c := Config{Seed: 1, Start: day, End: day.Add(24 * time.Hour), Events: 600, Users: 200, Clock: func() time.Time { return now }}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// client signs calls as Oracle's documents say, by code of its own.
type client struct {
	base   string
	key    *rsa.PrivateKey
	keyID  string
	date   time.Time
	over   http.RoundTripper
	change func(*http.Request) // after signing
}

func newClient(t *testing.T, s *Sim, number int) *client {
	t.Helper()
	tenancy := s.Tenancies()[number]
	block, _ := pem.Decode([]byte(tenancy.PrivateKeyPEM))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &client{
		base: "http://simulator", key: key, date: s.config.Clock(), over: s.RoundTripper(),
		keyID: tenancy.OCID + "/" + tenancy.User + "/" + tenancy.Fingerprint,
	}
}

func sign(t *testing.T, r *http.Request, key *rsa.PrivateKey, keyID string, headers ...string) {
	t.Helper()
	var lines []string
	for _, name := range headers {
		value := r.Header.Get(name)
		switch name {
		case "(request-target)":
			value = strings.ToLower(r.Method) + " " + r.URL.RequestURI()
		case "host":
			value = r.URL.Host
		}
		lines = append(lines, name+": "+value)
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", fmt.Sprintf(`Signature version="1",headers="%s",keyId="%s",algorithm="rsa-sha256",signature="%s"`,
		strings.Join(headers, " "), keyID, base64.StdEncoding.EncodeToString(signature)))
}

// got is an answer that was read.
type got struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

func (g got) code(t *testing.T) string {
	t.Helper()
	var e struct{ Code, Message string }
	if err := json.Unmarshal(g.body, &e); err != nil || e.Message == "" {
		t.Fatalf("status %d has no error body of Oracle's: %s", g.status, g.body)
	}
	return e.Code
}

// items reads a page, bare or in {"items":[]}.
func (g got) items(t *testing.T) []map[string]any {
	t.Helper()
	if g.status != http.StatusOK {
		t.Fatalf("status %d: %s", g.status, g.body)
	}
	body := g.body
	if bytes.HasPrefix(body, []byte("{")) {
		var inside struct{ Items json.RawMessage }
		if err := json.Unmarshal(body, &inside); err != nil {
			t.Fatal(err)
		}
		body = inside.Items
	}
	var all []map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("the page is no array of objects: %v: %.200s", err, body)
	}
	return all
}

func (c *client) get(t *testing.T, path string, query ...string) got {
	t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Add(query[i], query[i+1])
	}
	target := c.base + path
	if len(values) > 0 {
		target += "?" + values.Encode()
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Date", c.date.UTC().Format(http.TimeFormat))
	sign(t, r, c.key, c.keyID, "date", "(request-target)", "host")
	if c.change != nil {
		c.change(r)
	}
	return c.do(t, r)
}

func (c *client) do(t *testing.T, r *http.Request) got {
	t.Helper()
	resp, err := c.over.RoundTrip(r)
	if err != nil {
		return got{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return got{resp.StatusCode, resp.Header, body, err}
}

// pages follows a listing to its end and gives its pages.
func (c *client) pages(t *testing.T, path string, query ...string) [][]map[string]any {
	t.Helper()
	var all [][]map[string]any
	token := ""
	for range 10_000 {
		q := query
		if token != "" {
			q = slices.Concat(query, []string{"page", token})
		}
		page := c.get(t, path, q...)
		all = append(all, page.items(t))
		if token = page.header.Get("Opc-Next-Page"); token == "" {
			return all
		}
	}
	t.Fatal("the listing has no end")
	return nil
}

func (c *client) all(t *testing.T, path string, query ...string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, page := range c.pages(t, path, query...) {
		all = append(all, page...)
	}
	return all
}

// events lists the events of a compartment that were processed in [start, end).
func (c *client) events(t *testing.T, region, compartment string, start, end time.Time) []map[string]any {
	t.Helper()
	return c.all(t, "/"+region+"/20190901/auditEvents", "compartmentId", compartment,
		"startTime", start.Format(time.RFC3339), "endTime", end.Format(time.RFC3339))
}

const auditPath = "/20190901/auditEvents"

// wholeDay asks for the whole day of the root compartment.
func wholeDay(s *Sim) []string {
	return []string{"compartmentId", s.tenancies[0].id, "startTime", day.Format(time.RFC3339), "endTime", now.Format(time.RFC3339)}
}

// serve gives the simulator a socket, and a client that uses it.
func serve(t *testing.T, s *Sim) (*httptest.Server, *client) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := newClient(t, s, 0)
	c.base, c.over = server.URL, server.Client().Transport
	return server, c
}
