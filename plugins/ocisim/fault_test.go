package ocisim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestFaultsAreReadFromTextAndPrintedBack(t *testing.T) {
	for text, want := range map[string]Fault{
		"429":                              {Effect: EffectStatus, Status: 429},
		"429,retry_after=7s":               {Effect: EffectStatus, Status: 429, RetryAfter: 7 * time.Second},
		"503,retry_after=date:30s":         {Effect: EffectStatus, Status: 503, RetryAfter: 30 * time.Second, RetryAsDate: true},
		"reset,op=ListEvents":              {Effect: EffectReset, Operation: "ListEvents"},
		"slow,delay=2s":                    {Effect: EffectSlow, Delay: 2 * time.Second},
		"slow":                             {Effect: EffectSlow, Delay: 100 * time.Millisecond},
		"late":                             {Effect: EffectLate, Delay: 100 * time.Millisecond},
		"late,delay=200ms":                 {Effect: EffectLate, Delay: 200 * time.Millisecond},
		"malformed,after=2,times=3":        {Effect: EffectMalformed, After: 2, Times: 3},
		"html,p=0.25":                      {Effect: EffectHTML, Probability: 0.25},
		"404, compartment=c, times=1":      {Effect: EffectStatus, Status: 404, Compartment: "c", Times: 1},
		"loop,region=eu-paris-1,tenancy=t": {Effect: EffectLoop, Region: "eu-paris-1", Tenancy: "t"},
	} {
		got, err := ParseFault(text)
		if err != nil || got != want {
			t.Errorf("ParseFault(%q) = %+v, %v, want %+v", text, got, err, want)
			continue
		}
		if again, err := ParseFault(got.String()); err != nil || again != got {
			t.Errorf("%q is printed as %q and read back as %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "status", "399", "600", "boom", "429,times", "429,times=", "429,times=-1", "429,times=x", "429,p=0", "429,p=NaN", "429,p=1.5", "429,retry_after=7", "slow,delay=-1s", "429,color=red", "429,op=ListEvent", "429,region=paris"} {
		if got, err := ParseFault(text); !errors.Is(err, ErrFault) {
			t.Errorf("ParseFault(%q) = %+v, %v, want ErrFault", text, got, err)
		}
	}
}

func TestErrorsOnDemandCarryRetryAfter(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	for _, tt := range []struct {
		fault, retryAfter, code string
		status                  int
	}{
		{"429,retry_after=7s", "7", "TooManyRequests", 429},
		{"429,retry_after=date:90s", now.Add(90 * time.Second).Format(http.TimeFormat), "TooManyRequests", 429},
		{"429", "", "TooManyRequests", 429},
		{"500", "", "InternalServerError", 500},
		{"503,retry_after=1s", "1", "ServiceUnavailable", 503},
		{"502", "", "BadGateway", 502},
		{"401", "", "NotAuthenticated", 401},
		{"404", "", "NotAuthorizedOrNotFound", 404},
		{"418", "", "Fault", 418},
	} {
		f, err := ParseFault(tt.fault)
		if err != nil {
			t.Fatal(err)
		}
		remove := s.Faults().Add(f)
		answer := c.get(t, auditPath, wholeDay(s)...)
		if answer.status != tt.status || answer.code(t) != tt.code || answer.header.Get("Retry-After") != tt.retryAfter {
			t.Errorf("%s: %d %s Retry-After %q, want %d %s %q", tt.fault, answer.status, answer.body, answer.header.Get("Retry-After"), tt.status, tt.code, tt.retryAfter)
		}
		if hits := remove(); hits != 1 {
			t.Errorf("%s hit %d calls, want 1", tt.fault, hits)
		}
	}
	if answer := c.get(t, auditPath, wholeDay(s)...); answer.status != http.StatusOK {
		t.Errorf("with all faults taken away: status = %d, want 200", answer.status)
	}
}

func TestFaultsHitTheCallsThatTheyName(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	root, child := s.tenancies[0].id, s.tenancies[0].compartments[1].id
	ask := func(region, compartment string) int {
		return c.get(t, "/"+region+auditPath, "compartmentId", compartment, "startTime", day.Format(time.RFC3339), "endTime", now.Format(time.RFC3339)).status
	}
	statuses := func(n int) []int {
		var all []int
		for range n {
			all = append(all, ask("eu-frankfurt-1", root))
		}
		return all
	}
	s.Faults().Add(Fault{Effect: EffectStatus, Status: 500, Operation: "ListEvents", After: 1, Times: 2})
	if got, want := statuses(5), []int{200, 500, 500, 200, 200}; !slices.Equal(got, want) {
		t.Errorf("after=1,times=2: %v, want %v", got, want)
	}
	s.Faults().Clear()

	s.Faults().Add(Fault{Effect: EffectStatus, Status: 404, Compartment: child})
	s.Faults().Add(Fault{Effect: EffectStatus, Status: 503, Region: "us-ashburn-1"})
	s.Faults().Add(Fault{Effect: EffectStatus, Status: 500, Tenancy: "ocid1.tenancy.oc1..other"})
	s.Faults().Add(Fault{Effect: EffectStatus, Status: 500, Operation: "ListProblems"})
	for _, tt := range []struct {
		region, compartment string
		want                int
	}{{"eu-frankfurt-1", root, 200}, {"eu-frankfurt-1", child, 404}, {"us-ashburn-1", root, 503}, {"us-ashburn-1", child, 404}} {
		if got := ask(tt.region, tt.compartment); got != tt.want {
			t.Errorf("%s %s: status = %d, want %d", tt.region, tt.compartment, got, tt.want)
		}
	}
	s.Faults().Clear()

	s.Faults().Add(Fault{Effect: EffectStatus, Status: 500, Probability: 0.3})
	hit := 0
	for _, status := range statuses(200) {
		if status == 500 {
			hit++
		}
	}
	if hit < 30 || hit > 90 {
		t.Errorf("p=0.3 hit %d of 200 calls, want about 60", hit)
	}
}

func TestUnsignedCallsMeetNoFault(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	c.keyID = "x/y/z"
	remove := s.Faults().Add(Fault{Effect: EffectStatus, Status: 500})
	if answer := c.get(t, auditPath, wholeDay(s)...); answer.status != http.StatusUnauthorized {
		t.Errorf("status = %d, want 401", answer.status)
	}
	if hits := remove(); hits != 0 {
		t.Errorf("the fault hit %d calls, want 0", hits)
	}
}

// over runs a test through a socket and within the process.
func over(t *testing.T, s *Sim, test func(*testing.T, *client)) {
	t.Helper()
	_, socket := serve(t, s)
	t.Run("over a socket", func(t *testing.T) { test(t, socket) })
	t.Run("in the process", func(t *testing.T) { test(t, newClient(t, s, 0)) })
}

func TestResetBreaksTheConnectionInTheMiddleOfTheBody(t *testing.T) {
	s := newSim(t, nil)
	over(t, s, func(t *testing.T, c *client) {
		before := s.Count("ListEvents", -1)
		remove := s.Faults().Add(Fault{Effect: EffectReset, Operation: "ListEvents", Times: 1})
		answer := c.get(t, auditPath, wholeDay(s)...)
		if answer.status != http.StatusOK || answer.err == nil || len(answer.body) == 0 {
			t.Errorf("status %d, %d bytes, error %v, want 200, a part of the body and an error", answer.status, len(answer.body), answer.err)
		}
		if got := remove(); got != 1 {
			t.Errorf("the fault hit %d calls, want 1", got)
		}
		if got := s.Count("ListEvents", -1) - before; got != 1 {
			t.Errorf("Count of resets grew by %d, want 1", got)
		}
		if answer := c.get(t, auditPath, wholeDay(s)...); answer.err != nil || !json.Valid(answer.body) {
			t.Errorf("the call after it fails: %v", answer.err)
		}
	})
}

func TestSpoiledBodiesKeepTheirStatus(t *testing.T) {
	s := newSim(t, nil)
	over(t, s, func(t *testing.T, c *client) {
		good := c.get(t, auditPath, wholeDay(s)...)
		spoiled := func(effect Effect) got {
			defer s.Faults().Add(Fault{Effect: effect})()
			return c.get(t, auditPath, wholeDay(s)...)
		}
		if answer := spoiled(EffectHTML); answer.status != 200 || !strings.Contains(answer.header.Get("Content-Type"), "text/html") || !strings.HasPrefix(string(answer.body), "<!DOCTYPE html>") {
			t.Errorf("html: %d %s %.40s", answer.status, answer.header.Get("Content-Type"), answer.body)
		}
		if answer := spoiled(EffectTruncated); answer.status != 200 || answer.err != nil || json.Valid(answer.body) || len(answer.body) != len(good.body)/2 {
			t.Errorf("truncated: %d, %v, %d of %d bytes, want half of the JSON without an error of the connection", answer.status, answer.err, len(answer.body), len(good.body))
		}
	})
}

func TestMalformedItemsStandBesideTheTrueOnes(t *testing.T) {
	s := newSim(t, func(c *Config) { c.EmptyPages = -1 })
	c := newClient(t, s, 0)
	good := c.get(t, auditPath, wholeDay(s)...)
	want := sortedIDs(good.items(t))
	for _, effect := range []Effect{EffectMalformed, EffectUTF8, EffectControl, EffectDuplicate} {
		remove := s.Faults().Add(Fault{Effect: effect})
		page := c.get(t, auditPath, wholeDay(s)...)
		remove()
		body := page.body
		switch effect {
		case EffectUTF8:
			if utf8.Valid(body) {
				t.Error("utf8: the page is valid UTF-8")
			}
		case EffectControl:
			if json.Valid(body) {
				t.Error("control: the page is valid JSON")
			}
			body = []byte(strings.ReplaceAll(string(body), "\x01", ""))
		case EffectDuplicate:
			if strings.Count(string(body), `"principalName":"malformed","principalName":"duplicate"`) != 1 {
				t.Error("duplicate: no member stands twice")
			}
		case EffectMalformed:
			if !strings.Contains(string(body), `"eventType":42`) {
				t.Error("malformed: no member has a wrong type")
			}
		default:
			t.Fatalf("the effect %s is not looked at", effect)
		}
		items := got{status: page.status, body: body}.items(t)
		if len(items) != len(want)+1 {
			t.Errorf("%s: %d items, want %d and one more", effect, len(items), len(want))
		}
		ids := sortedIDs(items)
		for _, one := range want {
			if !slices.Contains(ids, one) {
				t.Errorf("%s: the true event %s is missing", effect, one)
			}
		}
		for _, e := range s.Truth().Events {
			if slices.Contains(ids, e.ID) && !slices.Contains(want, e.ID) {
				t.Errorf("%s: the item more is a true event", effect)
			}
		}
	}
}

func TestLoopNamesTheSamePageForEver(t *testing.T) {
	s := newSim(t, func(c *Config) { c.PageSize = 10; c.EmptyPages = -1 })
	c := newClient(t, s, 0)
	s.Faults().Add(Fault{Effect: EffectLoop, After: 1})
	token := c.get(t, auditPath, wholeDay(s)...).header.Get("Opc-Next-Page")
	for range 3 {
		page := c.get(t, auditPath, append(wholeDay(s), "page", token)...)
		if next := page.header.Get("Opc-Next-Page"); next != token {
			t.Fatalf("the page %q names %q as the next, want itself", token, next)
		}
	}
	s.Faults().Clear()
	s.Faults().Add(Fault{Effect: EffectLoop})
	first := c.get(t, auditPath, wholeDay(s)...)
	second := c.get(t, auditPath, append(wholeDay(s), "page", first.header.Get("Opc-Next-Page"))...)
	if !slices.Equal(sortedIDs(first.items(t)), sortedIDs(second.items(t))) {
		t.Error("the first page under a loop does not name itself")
	}
}

func TestSlowBodyTakesItsTimeAndEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, func(c *Config) { c.Clock = time.Now; c.Start = time.Now().Add(-24 * time.Hour); c.End = time.Now() })
		c := newClient(t, s, 0)
		s.Faults().Add(Fault{Effect: EffectSlow, Delay: time.Second})
		query := []string{"compartmentId", s.tenancies[0].id, "startTime", s.config.Start.Format(time.RFC3339), "endTime", s.config.End.Format(time.RFC3339)}
		c.date = time.Now()
		began := time.Now()
		answer := c.get(t, auditPath, query...)
		if took := time.Since(began); answer.err != nil || !json.Valid(answer.body) || took < 8*time.Second || took > 10*time.Second {
			t.Errorf("the body came after %s with error %v, want all of it after 8 or 9 pauses of 1s", took, answer.err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		c.date = time.Now()
		c.change = func(r *http.Request) { *r = *r.WithContext(ctx) }
		began = time.Now()
		answer = c.get(t, auditPath, query...)
		if took := time.Since(began); !errors.Is(answer.err, context.DeadlineExceeded) || took != 2500*time.Millisecond {
			t.Errorf("a request that ends after 2.5s: error %v after %s, want its deadline", answer.err, took)
		}
	})
}

func TestLateAnswerIsWholeAndEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, func(c *Config) { c.Clock = time.Now; c.End = time.Now(); c.Start = c.End.Add(-time.Hour) })
		c := newClient(t, s, 0)
		s.Faults().Add(Fault{Effect: EffectLate, Delay: 200 * time.Millisecond})
		c.date = time.Now()
		began := time.Now()
		answer := c.get(t, compartmentsPath, "compartmentId", s.tenancies[0].id)
		if took := time.Since(began); answer.err != nil || !json.Valid(answer.body) || took != 200*time.Millisecond {
			t.Errorf("the answer came after %s with error %v, want all of it after 200ms", took, answer.err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		c.change = func(r *http.Request) { *r = *r.WithContext(ctx) }
		answer = c.get(t, compartmentsPath, "compartmentId", s.tenancies[0].id)
		if !errors.Is(answer.err, context.DeadlineExceeded) {
			t.Errorf("a request that ends before its answer: error %v, want its deadline", answer.err)
		}
	})
}

func TestHangGivesNothingUntilTheClientGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, func(c *Config) { c.Clock = time.Now; c.End = time.Now(); c.Start = c.End.Add(-time.Hour) })
		c := newClient(t, s, 0)
		c.date = time.Now()
		s.Faults().Add(Fault{Effect: EffectHang})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.change = func(r *http.Request) { *r = *r.WithContext(ctx) }
		began := time.Now()
		answer := c.get(t, compartmentsPath, "compartmentId", s.tenancies[0].id)
		if took := time.Since(began); !errors.Is(answer.err, context.DeadlineExceeded) || took != time.Minute {
			t.Errorf("error %v after %s, want the deadline after a minute", answer.err, took)
		}
		if got := s.Count("ListCompartments", -1); got != 1 {
			t.Errorf("%d calls without an end are counted, want 1", got)
		}
	})
}

func TestRequestThatHasEndedIsNotAnswered(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.change = func(r *http.Request) { *r = *r.WithContext(ctx) }
	if answer := c.get(t, auditPath, wholeDay(s)...); !errors.Is(answer.err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", answer.err)
	}
	if got := s.Count("", 0); got != 0 {
		t.Errorf("%d calls were answered, want none", got)
	}
}

func FuzzParseFault(f *testing.F) {
	for _, seed := range []string{"429,op=ListEvents,times=3,retry_after=7s", "slow,delay=1s", "reset,p=0.5", "503,retry_after=date:30s", ",,,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil || again != fault {
			t.Errorf("%q is printed as %q and read back as %+v, %v", text, fault, again, err)
		}
	})
}

func FuzzReadAuthorization(f *testing.F) {
	f.Add(publishedRequests()["GET"].header.Get("Authorization"))
	f.Add(`Signature version="1",headers="",keyId="a`)
	f.Fuzz(func(_ *testing.T, text string) {
		auth, err := readAuthorization(text)
		if err == nil {
			_, _ = signedRequest{method: "GET", target: "/", header: http.Header{}}.signingString(auth.headers)
		}
	})
}
