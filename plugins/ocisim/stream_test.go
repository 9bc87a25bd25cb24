package ocisim

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// streamWorld is a simulator whose clock the test moves, and a client of one of its streams.
type streamWorld struct {
	t   *testing.T
	sim *Sim
	c   *client
	now time.Time
	of  Stream
}

func newStreamWorld(t *testing.T, name string, change func(*Config)) *streamWorld {
	t.Helper()
	w := &streamWorld{t: t, now: now}
	w.sim = newSim(t, func(c *Config) {
		c.EmptyPages, c.Partitions = -1, 2
		c.Clock = func() time.Time { return w.now }
		if change != nil {
			change(c)
		}
	})
	w.c = newClient(t, w.sim, 0)
	w.of = w.sim.Stream(0, "eu-frankfurt-1", name)
	if w.of.OCID == "" {
		t.Fatal("there is no stream")
	}
	return w
}

// call makes a signed call below the stream; a nil body with POST is an empty one.
func (w *streamWorld) call(method, path string, query url.Values, body any) got {
	w.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.c.base+"/eu-frankfurt-1/20180418/streams/"+w.of.OCID+path+"?"+query.Encode(), bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Date", w.now.UTC().Format(http.TimeFormat))
	headers := []string{"date", "(request-target)", "host"}
	if method != http.MethodGet {
		sum := sha256.Sum256(text)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Length", strconv.Itoa(len(text)))
		r.Header.Set("X-Content-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
		headers = append(headers, "content-length", "content-type", "x-content-sha256")
	}
	sign(w.t, r, w.c.key, w.c.keyID, headers...)
	return w.c.do(w.t, r)
}

// cursor makes one, of a group or of a partition.
func (w *streamWorld) cursor(path string, body map[string]any) string {
	w.t.Helper()
	return w.value(w.call(http.MethodPost, path, nil, body))
}

func (w *streamWorld) value(g got) string {
	w.t.Helper()
	var c struct{ Value string }
	if g.status != http.StatusOK || json.Unmarshal(g.body, &c) != nil || c.Value == "" {
		w.t.Fatalf("got %d %s, want a cursor", g.status, g.body)
	}
	return c.Value
}

func (w *streamWorld) group(instance string) string {
	w.t.Helper()
	return w.cursor("/groupCursors", map[string]any{"groupName": "g", "instanceName": instance, "type": cursorTrimHorizon, "timeoutInMs": 30_000, "commitOnGet": false})
}

// hold commits or sends a heartbeat.
func (w *streamWorld) hold(what, cursor string) got {
	w.t.Helper()
	return w.call(http.MethodPost, "/"+what, url.Values{"cursor": {cursor}}, nil)
}

type wireMessage struct {
	Stream, Partition string
	Key, Value        []byte
	Offset            int64
	Timestamp         time.Time
}

// get reads a page; time passes, so that nothing is throttled.
func (w *streamWorld) get(cursor string, limit int) (page []wireMessage, next string) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	query := url.Values{"cursor": {cursor}}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	answer := w.call(http.MethodGet, "/messages", query, nil)
	if answer.status != http.StatusOK || json.Unmarshal(answer.body, &page) != nil {
		w.t.Fatalf("got %d %.300s, want a page", answer.status, answer.body)
	}
	next = answer.header.Get(headerNextCursor)
	if next == "" || next == cursor {
		w.t.Errorf("a page came with the next cursor %q after %q, want another", next, cursor)
	}
	return page, next
}

// fill puts so many messages into each partition of an empty stream, named by partition and offset.
func (w *streamWorld) fill(each int) {
	w.t.Helper()
	for p := range w.of.Partitions {
		for n := range each {
			if _, err := w.sim.Publish(w.of.OCID, p, nil, fmt.Appendf(nil, "%d/%d", p, n)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func values(page []wireMessage) []string {
	list := []string{}
	for _, m := range page {
		list = append(list, string(m.Value))
	}
	return list
}

func TestStreamIsDescribedAndListed(t *testing.T) {
	w := newStreamWorld(t, AuditStream, nil)
	var s struct {
		Name, ID, LifecycleState, MessagesEndpoint string
		Partitions, RetentionInHours               int
	}
	if g := w.call(http.MethodGet, "", nil, nil); g.status != http.StatusOK || json.Unmarshal(g.body, &s) != nil {
		t.Fatalf("got %d %s", g.status, g.body)
	}
	if s.Name != AuditStream || s.ID != w.of.OCID || s.Partitions != 2 || s.RetentionInHours != 168 || s.LifecycleState != "ACTIVE" ||
		s.MessagesEndpoint != "https://cell-1.streaming.eu-frankfurt-1.oci.oraclecloud.com" {
		t.Errorf("got %+v", s)
	}
	root := w.sim.Tenancies()[0].OCID
	for query, want := range map[string]int{"compartmentId=" + root: 2, "compartmentId=" + root + "&name=inbox": 1, "compartmentId=" + root + "&id=" + w.of.OCID: 1, "compartmentId=" + root + "&name=x": 0} {
		if got := len(w.c.get(t, "/eu-frankfurt-1/20180418/streams?"+query).items(t)); got != want {
			t.Errorf("%s: got %d streams, want %d", query, got, want)
		}
	}
	if g := w.c.get(t, "/eu-frankfurt-1/20180418/streams"); g.status != http.StatusBadRequest {
		t.Errorf("without a compartment or pool: got %d, want 400", g.status)
	}
	if g := w.c.get(t, "/us-ashburn-1/20180418/streams/"+w.of.OCID); g.status != http.StatusNotFound {
		t.Errorf("in another region: got %d, want 404", g.status)
	}
}

func TestCursorsBeginWhereTheirTypeSays(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	w.fill(3)
	w.now = w.now.Add(time.Minute)
	second := w.now
	w.fill(2) // offsets 3 and 4
	for _, tt := range []struct {
		name string
		body map[string]any
		want []string
	}{
		{"oldest", map[string]any{"type": cursorTrimHorizon}, []string{"1/0", "1/1", "1/2", "1/0", "1/1"}},
		{"at an offset", map[string]any{"type": cursorAtOffset, "offset": 3}, []string{"1/0", "1/1"}},
		{"after an offset", map[string]any{"type": cursorAfterOffset, "offset": 3}, []string{"1/1"}},
		{"after the newest", map[string]any{"type": cursorAfterOffset, "offset": 4}, []string{}},
		{"at a time", map[string]any{"type": cursorAtTime, "time": second.Format(time.RFC3339)}, []string{"1/0", "1/1"}},
		{"just after it", map[string]any{"type": cursorAtTime, "time": second.Add(time.Millisecond).Format(time.RFC3339Nano)}, []string{}},
		{"latest", map[string]any{"type": cursorLatest}, []string{}},
	} {
		tt.body["partition"] = "1"
		page, _ := w.get(w.cursor("/cursors", tt.body), 0)
		if diff := cmp.Diff(values(page), tt.want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", tt.name, diff)
		}
	}
	for name, body := range map[string]map[string]any{
		"no type": {"partition": "0"}, "unknown type": {"partition": "0", "type": "NOW"}, "no such partition": {"partition": "2", "type": cursorLatest},
		"no offset": {"partition": "0", "type": cursorAtOffset}, "beyond the newest": {"partition": "0", "type": cursorAtOffset, "offset": 5},
		"no time": {"partition": "0", "type": cursorAtTime},
	} {
		if g := w.call(http.MethodPost, "/cursors", nil, body); g.status != http.StatusBadRequest || !strings.HasSuffix(g.code(t), "Parameter") {
			t.Errorf("%s: got %d %s, want 400", name, g.status, g.body)
		}
	}
}

func TestPagesOfAStreamAreBounded(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	w.fill(10)
	cursor := w.cursor("/cursors", map[string]any{"partition": "0", "type": cursorTrimHorizon})
	page, next := w.get(cursor, 4)
	again, _ := w.get(cursor, 4)
	rest, _ := w.get(next, 0)
	if len(page) != 4 || !slices.Equal(values(page), values(again)) || len(rest) != 6 || rest[0].Offset != 4 || rest[0].Partition != "0" {
		t.Errorf("got %v, again %v, then %v", values(page), values(again), values(rest))
	}
	for range 4 {
		if _, err := w.sim.Publish(w.of.OCID, 1, nil, bytes.Repeat([]byte("x"), 400<<10)); err != nil {
			t.Fatal(err)
		}
	}
	page, _ = w.get(w.cursor("/cursors", map[string]any{"partition": "1", "type": cursorAtOffset, "offset": 10}), 0)
	if len(page) != 1 {
		t.Errorf("got %d messages of 533 KiB in a page of at most 1 MiB, want 1", len(page))
	}
	for _, limit := range []string{"0", "10001", "x"} {
		if g := w.call(http.MethodGet, "/messages", url.Values{"cursor": {cursor}, "limit": {limit}}, nil); g.status != http.StatusBadRequest {
			t.Errorf("limit %s: got %d, want 400", limit, g.status)
		}
	}
}

func TestCursorsExpireAfterFiveMinutes(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	cursor := w.cursor("/cursors", map[string]any{"partition": "0", "type": cursorTrimHorizon})
	w.now = w.now.Add(5*time.Minute - time.Second)
	_, next := w.get(cursor, 0) // exactly five minutes
	for name, spoiled := range map[string]string{"expired": cursor, "changed": "A" + next[1:], "none": ""} {
		g := w.call(http.MethodGet, "/messages", url.Values{"cursor": {spoiled}}, nil)
		if name == "expired" {
			w.now = w.now.Add(time.Millisecond)
			g = w.call(http.MethodGet, "/messages", url.Values{"cursor": {spoiled}}, nil)
		}
		if g.status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, g.status)
		}
	}
	if _, after := w.get(next, 0); after == "" {
		t.Error("the newer cursor has expired, too")
	}
}

func TestMessagesAreKeptForTheRetention(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	w.fill(2)
	w.now = w.now.Add(24 * time.Hour)
	w.fill(1)
	w.now = w.now.Add(maxRetention - 23*time.Hour)
	page, _ := w.get(w.cursor("/cursors", map[string]any{"partition": "0", "type": cursorTrimHorizon}), 0)
	if len(page) != 1 || page[0].Offset != 2 {
		t.Errorf("got %+v, want only the one of offset 2", page)
	}
	if g := w.call(http.MethodPost, "/cursors", nil, map[string]any{"partition": "0", "type": cursorAfterOffset, "offset": 1}); g.status != http.StatusBadRequest {
		t.Errorf("an offset that is gone: got %d, want 400", g.status)
	}
}

func TestAuditStreamHoldsEachEventOnceAsConnectorHubWritesIt(t *testing.T) {
	w := newStreamWorld(t, AuditStream, nil)
	got := map[string]int{}
	for p := range w.of.Partitions {
		cursor := w.cursor("/cursors", map[string]any{"partition": strconv.Itoa(p), "type": cursorTrimHorizon})
		for {
			page, next := w.get(cursor, 100)
			if len(page) == 0 {
				break
			}
			for i, m := range page {
				var e struct {
					ID     string
					Oracle struct{ LoggroupID, Tenantid string }
				}
				if err := json.Unmarshal(m.Value, &e); err != nil || e.Oracle.LoggroupID != "_Audit" || m.Stream != AuditStream || m.Partition != strconv.Itoa(p) {
					t.Fatalf("got %+v with %s, %v", m, m.Value, err)
				}
				if i > 0 && (m.Offset != page[i-1].Offset+1 || m.Timestamp.Before(page[i-1].Timestamp)) {
					t.Fatalf("offset %d at %s follows %d at %s", m.Offset, m.Timestamp, page[i-1].Offset, page[i-1].Timestamp)
				}
				got[e.ID]++
			}
			cursor = next
		}
	}
	want := 0
	for _, e := range w.sim.Truth().Events {
		if e.Region != w.of.Region {
			continue
		}
		want++
		if got[e.ID] != 1 {
			t.Fatalf("event %s is there %d times, want once", e.ID, got[e.ID])
		}
	}
	if want == 0 || len(got) != want {
		t.Errorf("got %d events, want %d", len(got), want)
	}
}

func TestAuditStreamGrowsAsTimeGoesOn(t *testing.T) {
	w := newStreamWorld(t, AuditStream, func(c *Config) { c.LateFraction = -1 })
	w.now = day.Add(6 * time.Hour)
	before := len(w.sim.Messages(w.of.OCID))
	w.now = day.Add(12 * time.Hour)
	after := w.sim.Messages(w.of.OCID)
	if before == 0 || before >= len(after) {
		t.Errorf("got %d messages, then %d", before, len(after))
	}
	for _, m := range after {
		if m.Time.After(w.now) {
			t.Fatalf("a message of %s is there at %s", m.Time, w.now)
		}
	}
}

func TestPuttingMessages(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	body := map[string]any{"messages": []any{map[string]any{"key": b64("k"), "value": b64("a")}, map[string]any{"key": b64("k"), "value": b64("b")}, map[string]any{"key": nil, "value": b64("c")}}}
	g := w.call(http.MethodPost, "/messages", nil, body)
	var result struct {
		Failures int
		Entries  []struct {
			Partition string
			Offset    int64
		}
	}
	if g.status != http.StatusOK || json.Unmarshal(g.body, &result) != nil || result.Failures != 0 || len(result.Entries) != 3 {
		t.Fatalf("got %d %s", g.status, g.body)
	}
	if result.Entries[0].Partition != result.Entries[1].Partition {
		t.Error("two messages of one key went to two partitions")
	}
	if got := len(w.sim.Messages(w.of.OCID)); got != 3 {
		t.Errorf("got %d messages, want 3", got)
	}
	for name, message := range map[string]any{
		"no base64": map[string]any{"value": "%"}, "no value": map[string]any{"key": b64("k")},
		"a long key": map[string]any{"key": b64(strings.Repeat("k", 257)), "value": b64("a")},
	} {
		if g := w.call(http.MethodPost, "/messages", nil, map[string]any{"messages": []any{message}}); g.status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, g.status)
		}
	}
}
