package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

// login is a simulated tenancy and what one method needs to read it.
type loginRig struct {
	sim *ocisim.Sim
	env map[string]string
	dir string
	// secrets must be in no text that leaves the client.
	secrets []string
}

func newLoginRig(t *testing.T) *loginRig {
	t.Helper()
	return &loginRig{sim: simulate(t, ocisim.Config{}), env: map[string]string{}, dir: t.TempDir() + "/"}
}

// options are those by which a method reads the first tenancy.
func (r *loginRig) options(t *testing.T, m Method) Options {
	t.Helper()
	o := options(r.sim)
	who := r.sim.Tenancies()[0]
	r.secrets = append(r.secrets, lineOf(who.PrivateKeyPEM))
	o.Getenv = func(name string) string { return r.env[name] }
	o.ServiceAccount = r.dir
	switch m {
	case APIKey:
		o.Auth.Method = m
	case ConfigFile:
		write(t, r.dir+"key.pem", who.PrivateKeyPEM, 0o600)
		write(t, r.dir+"config", fmt.Sprintf("[DEFAULT]\ntenancy=%s\nuser=%s\nfingerprint=%s\nregion=%s\nkey_file=%skey.pem\n", who.OCID, who.User, who.Fingerprint, who.Home, r.dir), 0o600)
		o.Auth = Auth{Method: m, ConfigFile: r.dir + "config"}
	case SessionToken:
		r.session(t)
		o.Auth = Auth{Method: m, ConfigFile: r.dir + "config", Profile: "SIEM"}
	case InstancePrincipal:
		o.Auth = Auth{Method: m}
	case ResourcePrincipal:
		r.function(t)
		r.env[envVersion], r.env[envRegion] = "2.2", who.Home
		r.env[envToken], r.env[envKey] = r.dir+"rpst", r.dir+"private.pem"
		o.Auth = Auth{Method: m}
	case WorkloadIdentity:
		account := r.sim.ServiceAccountToken()
		r.secrets = append(r.secrets, account)
		write(t, r.dir+"token", account, 0o600)
		write(t, r.dir+"ca.crt", newAuthority(t).pem, 0o600)
		r.env[envKubernetes], r.env[envRegion] = "10.96.0.1", who.Home
		o.Auth = Auth{Method: m}
	}
	return o
}

// session leaves what `oci session authenticate` does.
func (r *loginRig) session(t *testing.T) ocisim.Session {
	t.Helper()
	s, err := r.sim.Tokens().User(0)
	if err != nil {
		t.Fatal(err)
	}
	r.secrets = append(r.secrets, s.Token, lineOf(s.PrivateKeyPEM))
	write(t, r.dir+"session.pem", s.PrivateKeyPEM, 0o600)
	write(t, r.dir+"token", s.Token+"\n", 0o600)
	write(t, r.dir+"config", fmt.Sprintf("[SIEM]\ntenancy=%s\nfingerprint=%s\nregion=%s\nkey_file=%ssession.pem\nsecurity_token_file=%stoken\n", s.Tenancy, s.Fingerprint, s.Region, r.dir, r.dir), 0o600)
	return s
}

// function leaves what a platform gives a function.
func (r *loginRig) function(t *testing.T) ocisim.Session {
	t.Helper()
	s, err := r.sim.Tokens().Function(0)
	if err != nil {
		t.Fatal(err)
	}
	r.secrets = append(r.secrets, s.Token, lineOf(s.PrivateKeyPEM))
	write(t, r.dir+"private.pem", s.PrivateKeyPEM, 0o600)
	write(t, r.dir+"rpst", s.Token, 0o600)
	return s
}

// silent fails where a secret stands in a text.
func (r *loginRig) silent(t *testing.T, text string) {
	t.Helper()
	for _, secret := range r.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("a secret stands in %q", text)
		}
		// A token's middle alone would be one as well.
		for part := range strings.SplitSeq(secret, ".") {
			if len(part) > 20 && strings.Contains(text, part) {
				t.Errorf("a part of a secret stands in %q", text)
			}
		}
	}
	if strings.Contains(text, "Bearer ") || strings.Contains(text, "ST$") {
		t.Errorf("something secret stands in %q", text)
	}
}

// lineOf is a line from the middle of a key.
func lineOf(pem string) string {
	lines := strings.Split(strings.TrimSpace(pem), "\n")
	return lines[len(lines)/2]
}

// tokenMethods are those that sign with a token's key; principalMethods ask for their tokens.
var (
	tokenMethods     = []Method{SessionToken, InstancePrincipal, ResourcePrincipal, WorkloadIdentity}
	principalMethods = []Method{InstancePrincipal, WorkloadIdentity}
	issuing          = map[Method]string{InstancePrincipal: opFederate, WorkloadIdentity: opWorkload}
)

// eachMethod runs a test in a bubble of its own for each method.
func eachMethod(t *testing.T, methods []Method, test func(t *testing.T, r *loginRig, m Method)) {
	t.Helper()
	for _, m := range methods {
		t.Run(string(m), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newLoginRig(t), m) })
		})
	}
}

func TestEveryMethodReads(t *testing.T) {
	eachMethod(t, Methods(), func(t *testing.T, r *loginRig, m Method) {
		c := client(t, r.options(t, m))
		regions, err := c.Regions(t.Context())
		if err != nil || len(regions) != 2 {
			t.Fatalf("got regions %v, %v; want 2", regions, err)
		}
		page, err := c.AuditEvents(t.Context(), hour(r.sim))
		if err != nil {
			t.Fatal(err)
		}
		if c.Tenancy() != r.sim.Tenancies()[0].OCID || c.Region() != r.sim.Tenancies()[0].Home || page.RequestID == "" {
			t.Errorf("got tenancy %s, region %s, request %q", c.Tenancy(), c.Region(), page.RequestID)
		}
		who := c.Who()
		if !strings.Contains(who, c.Tenancy()) || strings.Contains(who, "good until") != (m != APIKey && m != ConfigFile) {
			t.Errorf("got %q, want the tenancy, and the end of a token where there is one", who)
		}
		r.silent(t, who+c.opts.Auth.String()+fmt.Sprintf("%v %+v %#v", c.credentials.identity(), c.opts.Auth, c.opts.Auth))
		key, err := c.credentials.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.silent(t, fmt.Sprintf("%v %+v %#v %s", key, key, key, key))
	})
}

func TestTokenIsRenewedAtHalfOfItsLife(t *testing.T) {
	eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
		r.sim.Tokens().SetLife(20 * time.Minute)
		c := client(t, r.options(t, m))
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {10*time.Minute - time.Second, 1}, {time.Second, 2}, {time.Minute, 2}, {9*time.Minute - time.Second, 2}, {time.Second, 3}, {time.Hour, 4}} {
			time.Sleep(tt.after)
			if _, err := c.Regions(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.sim.Tokens().Issued(); got != tt.want {
				t.Errorf("%s later: got %d tokens, want %d", tt.after, got, tt.want)
			}
		}
		if got := r.sim.Count("", http.StatusUnauthorized); got != 0 {
			t.Errorf("got %d refusals, want none: the token was renewed too late", got)
		}
	})
}

func TestTokenThatEndsOnTheWayCostsOneRefusal(t *testing.T) {
	eachMethod(t, tokenMethods, func(t *testing.T, r *loginRig, m Method) {
		c := client(t, r.options(t, m))
		time.Sleep(renewPause)
		r.sim.Tokens().Revoke()
		switch m {
		case SessionToken:
			r.session(t)
		case ResourcePrincipal:
			r.function(t)
		default:
		}
		if _, err := c.Regions(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.sim.Count("ListRegionSubscriptions", http.StatusUnauthorized); got > 1 {
			t.Errorf("got %d refusals, want at most 1", got)
		}
		if got := r.sim.Tokens().Issued(); got != 2 {
			t.Errorf("got %d tokens, want 2", got)
		}
	})
}

// TestRefusedTokenIsNotAskedForAgainAndAgain calls a region that refuses every token: the tenancy is not subscribed to it.
func TestRefusedTokenIsNotAskedForAgainAndAgain(t *testing.T) {
	eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
		c := client(t, r.options(t, m))
		q := hour(r.sim)
		q.Region = "uk-london-1"
		for range 120 {
			time.Sleep(time.Second)
			_, err := c.AuditEvents(t.Context(), q)
			if KindOf(err) != Refused || !strings.Contains(err.Error(), "not subscribed to") {
				t.Fatalf("got %v, want the sentence about a region that is not subscribed to", err)
			}
			r.silent(t, err.Error())
		}
		// One at the start, and one each half minute.
		if got := r.sim.Tokens().Issued(); got > 5 {
			t.Errorf("got %d tokens within two minutes, want 5 at most", got)
		}
	})
}

func TestFailedRenewalCostsNothingWhileTheTokenIsGood(t *testing.T) {
	eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
		r.sim.Tokens().SetLife(20 * time.Minute)
		o := r.options(t, m)
		o.Retry.Attempts = 1
		c := client(t, o)
		remove := r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, Operation: issuing[m]})
		for range 20*12 - 1 {
			time.Sleep(5 * time.Second)
			if _, err := c.Regions(t.Context()); err != nil {
				t.Fatalf("while the token is good: %v", err)
			}
		}
		// Ten minutes, a try each half minute.
		if got := r.sim.Count(issuing[m], 503); got < 19 || got > 21 {
			t.Errorf("got %d tries, want one each half minute: 20", got)
		}
		time.Sleep(5 * time.Second)
		_, err := c.Regions(t.Context())
		if KindOf(err) != Outage {
			t.Errorf("after the token's end: got %v, want an outage", err)
		}
		remove()
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

func TestOneAsksAndTheOthersWait(t *testing.T) {
	eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
		c := client(t, r.options(t, m))
		time.Sleep(time.Hour)
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if _, err := c.Regions(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := r.sim.Tokens().Issued(); got != 2 {
			t.Errorf("got %d tokens, want 2: one at the start, one for all thirty", got)
		}
	})
}

func TestAllWaitForOneLoginThatFails(t *testing.T) {
	eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
		o := r.options(t, m)
		o.Retry.Attempts = 1
		c := client(t, o)
		time.Sleep(time.Hour)
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectHang, Operation: issuing[m]})
		began := time.Now()
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if _, err := c.Regions(t.Context()); KindOf(err) != Unreachable {
					t.Errorf("got %v, want the sentence about a service that does not answer", err)
				}
			})
		}
		wg.Wait()
		if got := time.Since(began); got != loginTimeout || r.sim.Count(issuing[m], -1) != 1 {
			t.Errorf("thirty calls ended after %s and %d requests, want %s and 1", got, r.sim.Count(issuing[m], -1), loginTimeout)
		}
		r.sim.Faults().Clear()
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("once it answers: %v", err)
		}
	})
}

func TestClockThatIsOffNeitherKeepsATokenTooLongNorAsksAllTheTime(t *testing.T) {
	for _, off := range []time.Duration{-4 * time.Minute, 4 * time.Minute} {
		eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
			r.sim.Tokens().SetLife(6 * time.Minute)
			o := r.options(t, m)
			o.Now = func() time.Time { return time.Now().Add(off) }
			c := client(t, o)
			for range 12 {
				time.Sleep(time.Minute)
				if _, err := c.Regions(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.sim.Tokens().Issued(); got != 5 || r.sim.Count("", http.StatusUnauthorized) != 0 {
				t.Errorf("clock off by %s: got %d tokens, %d refusals; want 5 and none", off, got, r.sim.Count("", http.StatusUnauthorized))
			}
		})
	}
}

// TestClockThatWasWrongForAWhileIsForgotten lets this machine's clock be wrong while a token is renewed, and sets it right again.
func TestClockThatWasWrongForAWhileIsForgotten(t *testing.T) {
	for _, wrong := range []time.Duration{-4 * time.Hour, 4 * time.Hour} {
		eachMethod(t, principalMethods, func(t *testing.T, r *loginRig, m Method) {
			r.sim.Tokens().SetLife(20 * time.Minute)
			o := r.options(t, m)
			off := time.Duration(0)
			o.Now = func() time.Time { return time.Now().Add(off) }
			c := client(t, o)
			off = wrong
			if _, err := c.Regions(t.Context()); KindOf(err) != ClockSkew {
				t.Errorf("clock off by %s: got %v, want the sentence about the clock", wrong, err)
			}
			off = 0
			time.Sleep(time.Minute)
			r.sim.Tokens().Revoke()
			before := r.sim.Count("ListRegionSubscriptions", http.StatusUnauthorized)
			for range 3 {
				if _, err := c.Regions(t.Context()); err != nil {
					t.Fatalf("after the clock was off by %s: %v", wrong, err)
				}
			}
			if got := r.sim.Count("ListRegionSubscriptions", http.StatusUnauthorized) - before; got > 1 {
				t.Errorf("after the clock was off by %s: got %d refusals, want at most one", wrong, got)
			}
		})
	}
}

func TestLoginEndsWithItsDeadlineWhereNothingAnswers(t *testing.T) {
	for operation, methods := range map[string][]Method{opMetadata: {InstancePrincipal}, opFederate: {InstancePrincipal}, opWorkload: {WorkloadIdentity}} {
		eachMethod(t, methods, func(t *testing.T, r *loginRig, m Method) {
			r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectHang, Operation: operation})
			began := time.Now()
			_, err := New(r.options(t, m))
			if got := time.Since(began); got != loginTimeout || KindOf(err) != Unreachable || !strings.Contains(err.Error(), "no answer within 10s") {
				t.Errorf("%s hangs: got %v after %s, want the sentence after %s", operation, err, got, loginTimeout)
			}
			if operation == opMetadata && !strings.Contains(err.Error(), "probably no compute instance") {
				t.Errorf("got %v, want that this is no compute instance", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			began = time.Now()
			if _, err = Open(ctx, r.options(t, m)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 2*time.Second {
				t.Errorf("%s hangs, with a deadline: got %v after %s, want the deadline after 2s", operation, err, time.Since(began))
			}
			if got := r.sim.Count(operation, 0); got != 2 {
				t.Errorf("got %d requests, want one for each login", got)
			}
		})
	}
}

func TestCertificateThatIsReplacedIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLoginRig(t)
		c := client(t, r.options(t, InstancePrincipal))
		time.Sleep(renewPause)
		r.sim.RotateCertificate()
		r.sim.Tokens().Revoke()
		if _, err := c.Regions(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Now it is replaced between the request for the certificate and that for the key.
		time.Sleep(renewPause)
		r.sim.Tokens().Revoke()
		var once sync.Once
		c.local.Transport = after{c.local.Transport, func(path string) {
			if strings.HasSuffix(path, "/cert.pem") {
				once.Do(r.sim.RotateCertificate)
			}
		}}
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("replaced in the middle: %v", err)
		}
		if got := r.sim.Tokens().Issued(); got != 3 {
			t.Errorf("got %d tokens, want 3", got)
		}
	})
}

// after calls a function after each answer.
type after struct {
	http.RoundTripper
	then func(path string)
}

func (a after) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(r)
	a.then(r.URL.Path)
	return resp, err
}

func TestNonsenseOfTheServicesIsSaidInASentence(t *testing.T) {
	type nonsense struct {
		name  string
		spoil func(*ocisim.Sim)
		want  map[Method]string
	}
	fault := func(f ocisim.Fault) func(*ocisim.Sim) {
		return func(s *ocisim.Sim) { s.Faults().Add(f) }
	}
	garble := func(text string) func(*ocisim.Sim) { return func(s *ocisim.Sim) { s.Tokens().Garble(text) } }
	const dots = "eyJhIjoxfQ."
	for _, tt := range []nonsense{
		{"a page of HTML for the region", fault(ocisim.Fault{Effect: ocisim.EffectHTML, Operation: opMetadata}), map[Method]string{InstancePrincipal: "is not the metadata service of a compute instance"}},
		{"a page of HTML for the certificate", fault(ocisim.Fault{Effect: ocisim.EffectHTML, Operation: opMetadata, After: 1}), map[Method]string{InstancePrincipal: "no certificate in PEM form"}},
		{"a certificate that is cut off", fault(ocisim.Fault{Effect: ocisim.EffectTruncated, Operation: opMetadata, After: 1, Times: 1}), map[Method]string{InstancePrincipal: "no certificate in PEM form"}},
		{"a key that is cut off", fault(ocisim.Fault{Effect: ocisim.EffectTruncated, Operation: opMetadata, After: 2, Times: 1}), map[Method]string{InstancePrincipal: "no RSA key in PEM form"}},
		{"no identity", fault(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 404, Operation: opMetadata, After: 1}), map[Method]string{InstancePrincipal: "no compute instance with an identity of its own"}},
		{"metadata fails", fault(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 500, Operation: opMetadata}), map[Method]string{InstancePrincipal: "fails (500"}},
		{"metadata is throttled", fault(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Operation: opMetadata}), map[Method]string{InstancePrincipal: "fails (429"}},
		{"connections break", fault(ocisim.Fault{Effect: ocisim.EffectReset}), map[Method]string{InstancePrincipal: "did not answer", WorkloadIdentity: "did not answer"}},
		{"a page of HTML for the token", fault(ocisim.Fault{Effect: ocisim.EffectHTML, Operation: opFederate}), map[Method]string{InstancePrincipal: "the answer is no JSON"}},
		{"a page of HTML for the pod's token", fault(ocisim.Fault{Effect: ocisim.EffectHTML, Operation: opWorkload}), map[Method]string{WorkloadIdentity: "the answer is no JSON"}},
		{"no token for this instance", fault(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 401, Operation: opFederate}), map[Method]string{InstancePrincipal: "gives instance ocid1.instance"}},
		{"a basic cluster", fault(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 403, Operation: opWorkload}), map[Method]string{WorkloadIdentity: "takes an enhanced cluster"}},
		{"an unknown service account", fault(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 401, Operation: opWorkload}), map[Method]string{WorkloadIdentity: "does not accept the service account siem/collector"}},
		{"a token of one part", garble("canary"), map[Method]string{InstancePrincipal: "three parts", WorkloadIdentity: "three parts"}},
		{"a token that is no base64", garble("a.canary!.c"), map[Method]string{InstancePrincipal: "no base64", WorkloadIdentity: "no base64"}},
		{"a token without JSON", garble("a.Y2FuYXJ5.c"), map[Method]string{InstancePrincipal: "no JSON", WorkloadIdentity: "no JSON"}},
		{"a token without an end", garble(dots + dots + "c"), map[Method]string{InstancePrincipal: "does not say when it expires", WorkloadIdentity: "does not say"}},
		{"a token for another key", garble(foreignToken(t)), map[Method]string{InstancePrincipal: "is for another key", WorkloadIdentity: "is for another key"}},
	} {
		for m, want := range tt.want {
			t.Run(tt.name+"/"+string(m), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newLoginRig(t)
					o := r.options(t, m)
					tt.spoil(r.sim)
					_, err := New(o)
					if err == nil || !strings.Contains(err.Error(), want) || KindOf(err) == "" {
						t.Fatalf("got %v, want %q in it", err, want)
					}
					r.secrets = append(r.secrets, "canary")
					r.silent(t, err.Error())
				})
			})
		}
	}
}

// foreignToken is a token for a key of somebody else.
func foreignToken(t *testing.T) string {
	t.Helper()
	s, err := simulate(t, ocisim.Config{Seed: 99}).Tokens().User(0)
	if err != nil {
		t.Fatal(err)
	}
	return s.Token
}

func TestMissingPermissionNamesThePrincipal(t *testing.T) {
	for m, want := range map[Method]string{
		APIKey:            "`Allow group SiemReaders to read audit-events in tenancy` with the user's group",
		SessionToken:      "`Allow group SiemReaders to read audit-events in tenancy`",
		InstancePrincipal: "`Allow dynamic-group SiemCollectors to read audit-events in tenancy` with a dynamic group",
		ResourcePrincipal: "`Allow dynamic-group SiemCollectors to read audit-events in tenancy`",
		WorkloadIdentity:  "`Allow any-user to read audit-events in tenancy where all {request.principal.type = 'workload', request.principal.namespace = 'siem', request.principal.service_account = 'collector'",
	} {
		eachMethod(t, []Method{m}, func(t *testing.T, r *loginRig, m Method) {
			r.sim.Deny(ocisim.Denial{Permission: ocisim.ReadAuditEvents})
			_, err := client(t, r.options(t, m)).AuditEvents(t.Context(), hour(r.sim))
			if KindOf(err) != NoPermission || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		})
	}
}

func TestFieldsOfAnotherMethodAreRefused(t *testing.T) {
	for _, tt := range []struct {
		auth Auth
		want string
	}{
		{Auth{Method: InstancePrincipal, User: "ocid1.user.oc1..a"}, "auth.user does not belong to auth.type instance_principal, which takes tenancy, region"},
		{Auth{Method: WorkloadIdentity, Profile: "X"}, "auth.profile does not belong"},
		{Auth{Method: SessionToken, PrivateKey: "X"}, "auth.private_key does not belong"},
		{Auth{Method: ConfigFile, Tenancy: "X"}, "auth.tenancy does not belong"},
		{Auth{Method: APIKey, ConfigFile: "X"}, "auth.config_file does not belong"},
		{Auth{Method: "magic"}, "it is one of api_key, config_file, session_token, instance_principal, resource_principal, workload_identity"},
	} {
		if _, err := New(Options{Auth: tt.auth}); KindOf(err) != BadConfig || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q in it", tt.auth, err, tt.want)
		}
	}
}

func TestMetadataComesFromNearbyOnly(t *testing.T) {
	for base, good := range map[string]bool{
		"http://169.254.169.254/opc/v2": true, "http://127.0.0.1:8085/opc/v2": true, "http://[fd00:c1::a9fe:a9fe]/opc/v2": true,
		"https://metadata.example.com": true, "http://[::1]:80/opc/v2/": true, "http://[fe80::1]/opc/v2": true,
		"http://metadata.example.com/opc/v2": false, "http://10.0.0.1/opc/v2": false, "ftp://127.0.0.1": false, "nonsense": false, "http://a:b@127.0.0.1/": false,
	} {
		c := &Client{opts: Options{Getenv: func(string) string { return base }}}
		if _, err := newInstance(c); (err == nil) != good {
			t.Errorf("%s: got %v, want it taken: %v", base, err, good)
		}
	}
}

func TestKeyFileOfASessionMayBeReplacedTogetherWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLoginRig(t)
		c := client(t, r.options(t, SessionToken))
		time.Sleep(19 * time.Minute)
		if _, err := c.Regions(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, err := r.sim.Tokens().User(0)
		if err != nil {
			t.Fatal(err)
		}
		// The key comes first: with it alone nothing can be signed, and the old pair still serves.
		write(t, filepath.Join(r.dir, "session.pem"), next.PrivateKeyPEM, 0o600)
		time.Sleep(recheck)
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("half replaced: %v", err)
		}
		write(t, filepath.Join(r.dir, "token"), next.Token, 0o600)
		time.Sleep(10 * time.Minute)
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("after the first token's end: %v", err)
		}
		if got := r.sim.Count("", http.StatusUnauthorized); got != 0 {
			t.Errorf("got %d refusals, want none", got)
		}
		time.Sleep(10 * time.Minute)
		_, err = c.Regions(t.Context())
		if KindOf(err) != BadToken || !strings.Contains(err.Error(), "run `oci session refresh --profile SIEM`") || !strings.Contains(err.Error(), "no restart is needed") {
			t.Errorf("after its end: got %v, want the sentence that tells what to run", err)
		}
		r.silent(t, err.Error())
		before := r.sim.Count("", 0)
		for range 100 {
			_, _ = c.Regions(t.Context())
		}
		if got := r.sim.Count("", 0); got != before {
			t.Errorf("got %d requests with a token that has expired, want none", got-before)
		}
		r.session(t)
		if _, err := c.Regions(t.Context()); err != nil {
			t.Errorf("after a new session: %v", err)
		}
	})
}
