package oci

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"benthos-oci/plugins/ocisim"
)

// FuzzItemBesideOthers holds that whatever stands between two whole items costs neither of them: what is JSON is one item more,
// and so is an object whose text holds any bytes but quotes and backslashes, control characters and broken UTF-8 included.
func FuzzItemBesideOthers(f *testing.F) {
	for _, seed := range []string{`{"eventId":7}`, `null`, `[[{}]]`, "\x00\xff", `{"eventId":"a","eventTime":"` + "\n" + `"}`, `]`, `"],["`, `1e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, odd []byte) {
		text := strings.NewReplacer(`"`, "", `\`, "").Replace(string(odd))
		items := []string{`{"eventId":"x","eventTime":"2026-11-20T10:00:00Z","m":"` + text + `"}`}
		if json.Valid(odd) {
			items = append(items, string(odd))
		}
		for _, item := range items {
			got, err := split([]byte("["+whole+","+item+","+whole+"]"), eventForm)
			if err != nil || len(got) != 3 || got[0].Err != nil || got[2].Err != nil || got[2].ID != "a" {
				t.Fatalf("beside %q: got %d items, %v; want 3, the outer two whole", item, len(got), err)
			}
			body := `{"results":[` + row + `,` + item + `,` + row + `]}`
			found, err := rows([]byte(body))
			if err != nil || len(found) != 3 || found[0].Err != nil || found[2].Err != nil {
				t.Fatalf("beside %q: got %d rows, %v; want 3, the outer two whole", item, len(found), err)
			}
		}
	})
}

// oneAnswer is a transport that gives every request the same answer.
type oneAnswer struct {
	status int
	header http.Header
	body   []byte
}

// RoundTrip implements http.RoundTripper.
func (o oneAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: http.StatusText(o.status), StatusCode: o.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: o.header.Clone(), Body: io.NopCloser(bytes.NewReader(o.body)), ContentLength: int64(len(o.body)), Request: r,
	}, nil
}

// FuzzAnswers gives every call of the client whatever status, header and body: none panics, and none takes an error for a page.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []struct {
		status int
		value  string
		body   string
	}{
		{200, "token", "[" + whole + "]"},
		{200, "", `{"items":[{"id":"a","timeLastDetected":"2026-11-20T10:00:00Z"}]}`},
		{200, "", `{"results":[` + row + `],"summary":{"resultCount":1}}`},
		{200, "", `{"reportingRegion":"iad","status":"ENABLED"}`},
		{200, "", `[{"regionName":"us-ashburn-1","status":"READY"},null,7]`},
		{200, "", `[{"id":"a","name":7}]`},
		{429, "-1", `{"code":"TooManyRequests","message":"x"}`},
		{503, "Sat, 21 Nov 2026 10:00:00 GMT", "<html>"},
		{401, "99999999999999999999", `{"code":["a"],"message":{}}`},
		{404, "", `{"code":"NotAuthorizedOrNotFound","message":"\u0000\u001b[31m"}`},
		{302, "http://127.0.0.1:1/", ""},
	} {
		f.Add(seed.status, seed.value, []byte(seed.body))
	}
	sim, err := ocisim.New(ocisim.Config{Events: 1, NoStories: true, Users: 1, Compartments: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, value string, body []byte) {
		header := http.Header{}
		for _, name := range []string{"Opc-Next-Page", "Retry-After", "Date", "Opc-Request-Id", "Content-Type", "Location"} {
			header.Set(name, value)
		}
		status = 200 + max(status, -status)%400
		opts := options(sim)
		opts.Transport = oneAnswer{status: status, header: header, body: body}
		opts.Retry.Attempts, opts.MaxBody = 1, 1<<20
		c, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, from := t.Context(), time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
		check := func(operation string, err error) {
			if err == nil && status != http.StatusOK {
				t.Errorf("%s took the status %d for a page", operation, status)
			}
			if err != nil && KindOf(err) != "" && err.Error() == "" {
				t.Errorf("%s failed without a sentence", operation)
			}
		}
		_, err = c.AuditEvents(ctx, AuditQuery{Region: c.Region(), Compartment: c.Tenancy(), Start: from, End: from.Add(time.Hour)})
		check(opListEvents, err)
		_, err = c.SearchLogs(ctx, SearchQuery{Region: c.Region(), Start: from, End: from.Add(time.Hour), Text: "search \"a\""})
		check(opSearchLogs, err)
		_, err = c.Problems(ctx, ProblemQuery{Region: c.Region(), State: "ACTIVE", From: from, To: from.Add(time.Hour), Limit: 10})
		check(opListProblems, err)
		_, _, err = c.Problem(ctx, c.Region(), "a")
		check(opGetProblem, err)
		_, err = c.ProblemHistories(ctx, c.Region(), "a", "")
		check(opListProblemHistories, err)
		_, err = c.ProblemEndpoints(ctx, c.Region(), "a", "")
		check(opListProblemEndpoints, err)
		_, err = c.ReportingRegion(ctx)
		check(opGetConfiguration, err)
		_, err = c.Regions(ctx)
		check(opListRegionSubscriptions, err)
		_, err = c.Compartments(ctx)
		check(opListCompartments, err)
		c.Close()
	})
}
