package oci

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

const wholeMessage = `{"stream":"audit","partition":"0","key":"aw==","value":"YQ==","offset":7,"timestamp":"2026-11-20T10:00:00.000Z"}`

func TestMessagesAreReadOneByOne(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, message string
		want          StreamMessage
		fault         string
	}{
		{name: "whole", message: wholeMessage, want: StreamMessage{Value: []byte("a"), Key: []byte("k"), Partition: "0", Offset: 7, Time: at}},
		{name: "without a key", message: `{"partition":"1","key":null,"value":"","offset":0,"timestamp":"2026-11-20T11:00:00+01:00"}`, want: StreamMessage{Value: []byte{}, Partition: "1", Time: at}},
		{name: "escaped", message: `{"partition":"1","value":"YQ\u003d=","offset":0,"timestamp":"2026-11-20T10:00:00Z"}`, want: StreamMessage{Value: []byte("a"), Partition: "1", Time: at}},
		{name: "no object", message: `7`, fault: "is no object", want: StreamMessage{Value: []byte(`7`), Offset: -1}},
		{name: "no value", message: `{"partition":"0","offset":1}`, fault: "has no value", want: StreamMessage{Value: []byte(`{"partition":"0","offset":1}`), Partition: "0", Offset: 1}},
		{name: "no base64", message: `{"partition":"0","offset":1,"value":"%"}`, fault: "value is no base64", want: StreamMessage{Value: []byte(`{"partition":"0","offset":1,"value":"%"}`), Partition: "0", Offset: 1}},
		{name: "an object as value", message: `{"partition":"0","offset":1,"value":{"a":1}}`, fault: "value is no base64", want: StreamMessage{Value: []byte(`{"partition":"0","offset":1,"value":{"a":1}}`), Partition: "0", Offset: 1}},
		{name: "a number as key", message: `{"partition":"0","offset":1,"value":"YQ==","key":5,"timestamp":"2026-11-20T10:00:00Z"}`, fault: "key is no base64", want: StreamMessage{Value: []byte("a"), Partition: "0", Offset: 1, Time: at}},
		{name: "no offset", message: `{"partition":"0","value":"YQ==","timestamp":"2026-11-20T10:00:00Z"}`, fault: "has no offset", want: StreamMessage{Value: []byte("a"), Partition: "0", Offset: -1, Time: at}},
		{name: "a negative offset", message: `{"partition":"0","offset":-2,"value":"YQ==","timestamp":"2026-11-20T10:00:00Z"}`, fault: "has no offset", want: StreamMessage{Value: []byte("a"), Partition: "0", Offset: -1, Time: at}},
		{name: "no partition", message: `{"offset":1,"value":"YQ==","timestamp":"2026-11-20T10:00:00Z"}`, fault: "names no partition", want: StreamMessage{Value: []byte("a"), Offset: 1, Time: at}},
		{name: "no time", message: `{"partition":"0","offset":1,"value":"YQ==","timestamp":"now"}`, fault: "timestamp is no RFC 3339 time", want: StreamMessage{Value: []byte("a"), Partition: "0", Offset: 1}},
	} {
		got, err := streamMessages([]byte("[" + wholeMessage + "," + tt.message + "," + wholeMessage + "]"))
		if err != nil || len(got) != 3 || got[0].Err != nil || got[2].Err != nil {
			t.Errorf("%s: got %d messages, %v; want 3, the outer two whole", tt.name, len(got), err)
			continue
		}
		one := got[1]
		if (tt.fault == "") != (one.Err == nil) || one.Err != nil && !strings.Contains(one.Err.Error(), tt.fault) {
			t.Errorf("%s: got the fault %v, want %q", tt.name, one.Err, tt.fault)
		}
		one.Err = nil
		if diff := cmp.Diff(one, tt.want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", tt.name, diff)
		}
	}
	for _, body := range []string{"", "{}", "[" + wholeMessage, "<html>", "null"} {
		if got, err := streamMessages([]byte(body)); err == nil {
			t.Errorf("%q: got %v, want an error", body, got)
		}
	}
}

// FuzzMessageBesideOthers holds that whatever stands between two whole messages costs neither of them, and that what was put is what is read.
func FuzzMessageBesideOthers(f *testing.F) {
	for _, seed := range []string{`{"value":7}`, `null`, `[[{}]]`, "\x00\xff", `{"value":"YQ==","offset":1e3}`, `{"offset":99999999999999999999}`, `]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, odd []byte) {
		if json.Valid(odd) {
			got, err := streamMessages([]byte("[" + wholeMessage + "," + string(odd) + "," + wholeMessage + "]"))
			if err != nil || len(got) != 3 || got[0].Err != nil || got[2].Err != nil || string(got[2].Value) != "a" {
				t.Fatalf("beside %q: got %d messages, %v; want 3, the outer two whole", odd, len(got), err)
			}
		}
		text := base64.StdEncoding.EncodeToString(odd)
		got, err := streamMessages([]byte(`[{"partition":"0","key":"` + text + `","value":"` + text + `","offset":1,"timestamp":"2026-11-20T10:00:00Z"}]`))
		if err != nil || len(got) != 1 || got[0].Err != nil || string(got[0].Value) != string(odd) || string(got[0].Key) != string(odd) {
			t.Fatalf("got %+v, %v; want the value and key %q", got, err, odd)
		}
		// Whatever it is: no panic.
		_, _ = streamMessages(odd)
	})
}

// FuzzStreamAnswers gives every call on a stream whatever status, header and body: none panics, and none takes an error for an answer.
func FuzzStreamAnswers(f *testing.F) {
	for _, seed := range []struct {
		status int
		value  string
		body   string
	}{
		{200, "cursor", "[" + wholeMessage + "]"},
		{200, "", "[]"},
		{200, "", `{"value":"cursor"}`},
		{200, "", `{"id":"a","name":"audit","partitions":3,"messagesEndpoint":"https://cell-1.streaming.eu-frankfurt-1.oci.oraclecloud.com"}`},
		{200, "", `{"partitions":1e9,"messagesEndpoint":"http://example.com"}`},
		{200, "", `{"reservations":[{"partition":"0","committedOffset":7,"reservedInstance":"a"},null]}`},
		{400, "", `{"code":"InvalidParameter","message":"The cursor has expired."}`},
		{404, "", `{"code":"NotAuthorizedOrNotFound","message":"x"}`},
		{429, "7", `{}`},
	} {
		f.Add(seed.status, seed.value, []byte(seed.body))
	}
	sim, err := ocisim.New(ocisim.Config{Events: 1, NoStories: true, Users: 1, Compartments: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, value string, body []byte) {
		header := http.Header{}
		for _, name := range []string{"Opc-Next-Cursor", "Retry-After", "Date", "Opc-Request-Id"} {
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
		check := func(operation string, err error) {
			if err == nil && status != http.StatusOK {
				t.Errorf("%s took the status %d for an answer", operation, status)
			}
			if err != nil && KindOf(err) != "" && err.Error() == "" {
				t.Errorf("%s failed without a sentence", operation)
			}
		}
		ctx, after := t.Context(), int64(7)
		s, err := c.Stream(ctx, c.Region(), "ocid1.stream.oc1..a")
		check(opGetStream, err)
		if err == nil && (s.Partitions < 1 || !strings.HasPrefix(s.endpoint, "https://") && !strings.HasPrefix(s.endpoint, "http://")) {
			t.Errorf("got the stream %+v", s)
		}
		s = Stream{ID: "ocid1.stream.oc1..a", Region: c.Region()}
		page, err := c.StreamMessages(ctx, s, "cursor", 10)
		check(opGetMessages, err)
		if err == nil && page.Next == "" {
			t.Error("a page has no next cursor")
		}
		_, err = c.PartitionCursor(ctx, s, "0", Beginning{After: &after})
		check(opCreateCursor, err)
		_, err = c.GroupCursor(ctx, s, Consumer{Group: "g", Instance: "i", Timeout: time.Second})
		check(opCreateGroupCursor, err)
		_, err = c.Commit(ctx, s, "cursor")
		check(opConsumerCommit, err)
		_, err = c.Heartbeat(ctx, s, "cursor")
		check(opConsumerHeartbeat, err)
		_, err = c.Reservations(ctx, s, "g")
		check(opGetGroup, err)
		c.Close()
	})
}

// streamClient gives a client of a simulated tenancy, and its empty stream.
func streamClient(t *testing.T, change func(*Options)) (*ocisim.Sim, *Client, ocisim.Stream) {
	t.Helper()
	sim, err := ocisim.New(ocisim.Config{Events: 1, NoStories: true, Users: 1, Compartments: -1, EmptyPages: -1})
	if err != nil {
		t.Fatal(err)
	}
	opts := options(sim)
	change(&opts)
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return sim, c, sim.Stream(0, sim.Tenancies()[0].Home, ocisim.InboxStream)
}

func TestMessagesAreAskedForAtTheirOwnHost(t *testing.T) {
	var hosts []string
	bodies := ""
	sim, c, of := streamClient(t, func(o *Options) {
		o.Endpoint = ""
		next := o.Transport
		o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			bodies += string(body)
			return next.RoundTrip(r)
		})
	})
	if _, err := sim.Publish(of.OCID, 0, nil, []byte("a")); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stream(t.Context(), of.Region, of.OCID)
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := c.GroupCursor(t.Context(), s, Consumer{Group: "g", Instance: "i", Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.StreamMessages(t.Context(), s, cursor, 10)
	if err != nil || len(page.Messages) != 1 || string(page.Messages[0].Value) != "a" {
		t.Fatalf("got %+v, %v", page, err)
	}
	if _, err := c.Commit(t.Context(), s, page.Next); err != nil {
		t.Fatal(err)
	}
	reservations, err := c.Reservations(t.Context(), s, "g")
	if err != nil || len(reservations) != of.Partitions || reservations[0].Instance != "i" || reservations[0].Committed == nil || *reservations[0].Committed != 0 {
		t.Errorf("got %+v, %v", reservations, err)
	}
	// Else Oracle would commit what was read and not delivered.
	if !strings.Contains(bodies, `"commitOnGet":false`) || !strings.Contains(bodies, `"timeoutInMs":30000`) {
		t.Errorf("the cursor was asked for with %s", bodies)
	}
	want := []string{"streaming." + of.Region + ".oci.oraclecloud.com"}
	for range 4 {
		want = append(want, "cell-1.streaming."+of.Region+".oci.oraclecloud.com")
	}
	if diff := cmp.Diff(hosts, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestStreamsEndpointMustBeSafe(t *testing.T) {
	for _, endpoint := range []string{"", "http://example.com", "ftp://example.com", "https://user:pass@example.com", "https://example.com/?a=b"} {
		_, c, of := streamClient(t, func(o *Options) {
			body, err := json.Marshal(map[string]any{"name": "a", "partitions": 1, "messagesEndpoint": endpoint})
			if err != nil {
				t.Fatal(err)
			}
			o.Transport, o.Retry.Attempts = oneAnswer{status: 200, header: http.Header{}, body: body}, 1
		})
		if s, err := c.Stream(t.Context(), of.Region, of.OCID); KindOf(err) != Garbled {
			t.Errorf("%q: got %+v, %v; want a refusal", endpoint, s, err)
		}
	}
}

func TestRefusedCursorHasAKindOfItsOwn(t *testing.T) {
	sim, c, of := streamClient(t, func(*Options) {})
	s, err := c.Stream(t.Context(), of.Region, of.OCID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.StreamMessages(t.Context(), s, "stale", 10); KindOf(err) != StaleCursor {
		t.Errorf("reading: got %v (%s), want the kind of a stale cursor", err, KindOf(err))
	}
	if _, err := c.Commit(t.Context(), s, "stale"); KindOf(err) != StaleCursor {
		t.Errorf("committing: got %v (%s), want the kind of a stale cursor", err, KindOf(err))
	}
	after := int64(9)
	if _, err := c.PartitionCursor(t.Context(), s, "0", Beginning{After: &after}); KindOf(err) != BadRequest {
		t.Errorf("an offset that is not there: got %v (%s), want a bad request", err, KindOf(err))
	}
	sim.Deny(ocisim.Denial{Permission: ocisim.UseStreamPull})
	_, err = c.GroupCursor(t.Context(), s, Consumer{Group: "g", Instance: "i", Timeout: time.Minute})
	if KindOf(err) != NoPermission || !strings.Contains(err.Error(), "`Allow group SiemReaders to use stream-pull in tenancy`") {
		t.Errorf("without a permission: got %v (%s)", err, KindOf(err))
	}
}

func TestCheckOfAStreamSaysWhatItFound(t *testing.T) {
	sim, c, of := streamClient(t, func(*Options) {})
	for n := range 5 {
		if _, err := sim.Publish(of.OCID, n%of.Partitions, nil, []byte(strconv.Itoa(n))); err != nil {
			t.Fatal(err)
		}
	}
	open := func() (*Client, error) { return c, nil }
	report := CheckStreaming(t.Context(), open, StreamScope{Region: of.Region, Stream: of.OCID})
	if !report.OK() || report.Events != 5 || report.Newest.IsZero() {
		t.Errorf("got %+v, want 5 messages", report)
	}
	if report = CheckStreaming(t.Context(), open, StreamScope{Region: of.Region, Stream: of.OCID, Partitions: []string{"0"}}); !report.OK() || report.Events != 2 {
		t.Errorf("got %+v, want the 2 messages of one partition", report)
	}
	if report = CheckStreaming(t.Context(), open, StreamScope{Region: of.Region, Stream: "ocid1.stream.oc1..x"}); report.OK() || !report.Steps[len(report.Steps)-1].Skipped {
		t.Errorf("got %+v, want the messages of a stream that is not there not tried", report)
	}
}
