package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

func simulate(t *testing.T, c ocisim.Config) *ocisim.Sim {
	t.Helper()
	if c.Events == 0 {
		c.Events, c.NoStories, c.Users = 50, true, 5
	}
	sim, err := ocisim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// options are those of a client that the simulator accepts.
func options(sim *ocisim.Sim) Options {
	who := sim.Tenancies()[0]
	return Options{
		Auth: Auth{
			Tenancy: who.OCID, User: who.User, Fingerprint: who.Fingerprint, Region: who.Home, PrivateKey: who.PrivateKeyPEM,
		},
		Transport: sim.RoundTripper(),
		Limiter:   func(string) *Limiter { return NewLimiter(1e6) },
		Retry:     Retry{Jitter: func() float64 { return 1 }},
	}
}

func client(t *testing.T, opts Options) *Client {
	t.Helper()
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hour asks for the first hour of what the simulator holds.
func hour(sim *ocisim.Sim) AuditQuery {
	first := sim.Truth().Events[0]
	return AuditQuery{Region: first.Region, Compartment: first.Compartment, Start: first.Processed.Truncate(time.Minute), End: first.Processed.Truncate(time.Minute).Add(time.Hour)}
}

func TestSignedCallsAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{Compartments: 5})
		c := client(t, options(sim))
		ctx := t.Context()
		regions, err := c.Regions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(regions, []string{"eu-frankfurt-1", "us-ashburn-1"}); diff != "" {
			t.Errorf("regions: got -, want +:\n%s", diff)
		}
		compartments, err := c.Compartments(ctx)
		if err != nil {
			t.Fatal(err)
		}
		deleted, root := 0, false
		for _, one := range compartments {
			root = root || one.ID == c.Tenancy()
			if one.Deleted {
				deleted++
			}
		}
		if len(compartments) != 6 || deleted != 1 || !root {
			t.Errorf("got %d compartments, %d deleted, root %v; want 6, 1, true", len(compartments), deleted, root)
		}
		page, err := c.AuditEvents(ctx, hour(sim))
		if err != nil || page.RequestID == "" || page.Date.IsZero() {
			t.Errorf("got request %q at %s, %v", page.RequestID, page.Date, err)
		}
		if region, err := c.ReportingRegion(ctx); err != nil || region != "eu-frankfurt-1" {
			t.Errorf("got reporting region %q, %v", region, err)
		}
	})
}

// refuse is a transport on which nothing works.
type refuse struct{ err error }

func (r refuse) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }

func TestRetryAfterIsHonoredAndCapped(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault ocisim.Fault
		want  time.Duration
	}{
		{"nothing said", ocisim.Fault{}, time.Second},
		{"seconds", ocisim.Fault{RetryAfter: 7 * time.Second}, 7 * time.Second},
		{"a date", ocisim.Fault{RetryAfter: 7 * time.Second, RetryAsDate: true}, 7 * time.Second},
		{"ten hours", ocisim.Fault{RetryAfter: 10 * time.Hour}, time.Minute},
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprint(tt.name, " ", status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sim := simulate(t, ocisim.Config{})
					tt.fault.Effect, tt.fault.Status, tt.fault.Times = ocisim.EffectStatus, status, 1
					sim.Faults().Add(tt.fault)
					began := time.Now()
					if _, err := client(t, options(sim)).Regions(t.Context()); err != nil {
						t.Fatal(err)
					}
					if got := time.Since(began); got != tt.want {
						t.Errorf("got an answer after %s, want %s", got, tt.want)
					}
				})
			})
		}
	}
}

func TestRetryAfterHeaderIsReadWithCare(t *testing.T) {
	date := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-5": 0, "0": 0, "x": 0, "7.5": 0, "99999999999": 86400 * time.Second,
		"Fri, 20 Nov 2026 10:00:30 GMT": 30 * time.Second, "Fri, 20 Nov 2026 09:00:00 GMT": 0, "yesterday": 0,
	} {
		if got := parseRetryAfter(value, date); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestWaitsGrowAndAreCappedAndJittered(t *testing.T) {
	outage := &Error{Kind: Outage, Status: 503}
	r := Retry{Attempts: 20, Jitter: func() float64 { return 0 }}.withDefaults()
	least, _ := r.after(outage, 1)
	r.Jitter = func() float64 { return 1 }
	most, _ := r.after(outage, 1)
	if least != 500*time.Millisecond || most != time.Second {
		t.Errorf("first wait: got %s to %s, want 500ms to 1s", least, most)
	}
	for attempt, want := range map[int]time.Duration{2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 19: time.Minute} {
		if got, again := r.after(outage, attempt); got != want || !again {
			t.Errorf("after attempt %d: got %s %v, want %s", attempt, got, again, want)
		}
	}
	if _, again := r.after(outage, 20); again {
		t.Error("tried again after the last attempt, want not")
	}
	for _, final := range []*Error{{Kind: Refused, Status: 401}, {Kind: NoPermission, Status: 404}, {Kind: BadRequest, Status: 400}, {Kind: Outage, Status: 501}, {Kind: TooLarge, Status: 200}} {
		if _, again := r.after(final, 1); again {
			t.Errorf("%s %d was tried again, want not", final.Kind, final.Status)
		}
	}
}

func TestThrottleOfOneInputHoldsTheOthersOfItsTenancy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{})
		shared := NewLimiter(1e6)
		opts := options(sim)
		opts.Limiter = func(string) *Limiter { return shared }
		one, other := client(t, opts), client(t, opts)
		sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Times: 1, RetryAfter: 20 * time.Second})
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := one.Regions(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if _, err := other.Regions(t.Context()); err != nil {
			t.Error(err)
		}
		if got := time.Since(began); got != 20*time.Second {
			t.Errorf("the other input waited %s, want 20s", got)
		}
		wg.Wait()
	})
}

func TestRequestsAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{})
		opts := options(sim)
		opts.Limiter = func(string) *Limiter { return NewLimiter(2) }
		c := client(t, opts)
		began := time.Now()
		for range 12 {
			if _, err := c.Regions(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// One at once, then two a second.
		if got := time.Since(began); got != 5500*time.Millisecond {
			t.Errorf("12 requests took %s, want 5.5s", got)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{})
		sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503})
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := client(t, options(sim)).Regions(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("got %v after %s, want the deadline after 1.5s", err, time.Since(began))
		}
	})
}

func TestNewKeyOnDiskIsUsedAtOnceAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{})
		opts := options(sim)
		dir := t.TempDir()
		keyFile, config := filepath.Join(dir, "key.pem"), filepath.Join(dir, "config")
		save := func(who ocisim.Tenancy) {
			write(t, keyFile, who.PrivateKeyPEM, 0o600)
			write(t, config, fmt.Sprintf("[DEFAULT]\ntenancy=%s\nuser=%s\nfingerprint=%s\nregion=%s\nkey_file=%s\n", who.OCID, who.User, who.Fingerprint, who.Home, keyFile), 0o600)
		}
		save(sim.Tenancies()[0])
		opts.Auth = Auth{ConfigFile: config}
		c := client(t, opts)
		if _, err := c.Regions(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, err := sim.RotateKey(0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Regions(t.Context()); KindOf(err) != Refused || !strings.Contains(err.Error(), "was accepted before") {
			t.Errorf("got %v, want the sentence about a key that was deleted", err)
		}
		save(next)
		// The files' time may not have moved within the bubble, but their content has another size or the key another stamp.
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(config, later, later); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("after the new key was written: %v", err)
		}
	})
}

func TestNowIsOraclesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulate(t, ocisim.Config{Clock: func() time.Time { return time.Now().Add(3 * time.Minute) }})
		c := client(t, options(sim))
		if _, err := c.Regions(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(c.Now()); got < 3*time.Minute-time.Second || got > 3*time.Minute+time.Second {
			t.Errorf("Now is %s ahead of this machine's clock, want 3m", got)
		}
	})
}

func TestDateThatCannotBeIsNotBelieved(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, off := range []time.Duration{-time.Hour, -5 * time.Minute, 0, 5 * time.Minute, time.Hour} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", now.Add(off).Format(http.TimeFormat))
			_, _ = io.WriteString(w, `[{"regionName":"us-ashburn-1","status":"READY"}]`)
		}))
		c := client(t, Options{Auth: goodAuth(t), Endpoint: server.URL, Now: func() time.Time { return now }})
		if _, err := c.Regions(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.Close()
		want := min(max(off, -5*time.Minute), 5*time.Minute)
		if got := c.Now().Sub(now); got != want {
			t.Errorf("Date off by %s: Now is off by %s, want %s", off, got, want)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }))
	defer server.Close()
	c := client(t, Options{Auth: goodAuth(t), Endpoint: server.URL})
	_, err := c.Regions(t.Context())
	if err == nil || asked {
		t.Errorf("got %v, followed %v; want an error and no request to the other host", err, asked)
	}
}

func TestBodiesAreCappedAfterDecompression(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "["+strings.Repeat(" ", 2000)+"]")
	}))
	defer server.Close()
	for limit, want := range map[int64]Kind{2001: TooLarge, 2002: ""} {
		c := client(t, Options{Auth: goodAuth(t), Endpoint: server.URL, MaxBody: limit})
		_, err := c.AuditEvents(t.Context(), AuditQuery{Compartment: "x"})
		if got := KindOf(err); got != want {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
}
