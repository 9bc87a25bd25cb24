package ocisim

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// search posts a signed SearchLogs call; query are parameters of the URL.
func (c *client) search(t *testing.T, region string, body map[string]any, query string, spoil ...func(*http.Request)) got {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/"+region+"/20190909/search?"+query, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	r.Header.Set("Date", c.date.UTC().Format(http.TimeFormat))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	r.Header.Set("X-Content-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
	sign(t, r, c.key, c.keyID, "date", "(request-target)", "host", "content-length", "content-type", "x-content-sha256")
	for _, change := range spoil {
		change(r)
	}
	return c.do(t, r)
}

func within(start, end time.Time, query string) map[string]any {
	return map[string]any{"timeStart": start.Format(time.RFC3339Nano), "timeEnd": end.Format(time.RFC3339Nano), "searchQuery": query}
}

// logRows is what a page of SearchLogs holds.
type logRows struct {
	Summary struct{ ResultCount int }
	Results []struct {
		Data struct {
			Datetime   int64
			LogContent struct {
				ID, Time, Type string
				Data           map[string]any
				Oracle         map[string]any
			}
		}
	}
}

// searchAll follows the tokens of a search and gives its rows.
func (c *client) searchAll(t *testing.T, region string, body map[string]any, limit int) (all logRows, pages int) {
	t.Helper()
	query := "limit=" + strconv.Itoa(limit)
	for {
		answer := c.search(t, region, body, query)
		if answer.status != http.StatusOK {
			t.Fatalf("status %d: %s", answer.status, answer.body)
		}
		var page logRows
		if err := json.Unmarshal(answer.body, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Results) > limit || page.Summary.ResultCount != len(page.Results) {
			t.Errorf("a page holds %d rows and counts %d, want at most %d", len(page.Results), page.Summary.ResultCount, limit)
		}
		all.Results = append(all.Results, page.Results...)
		pages++
		next := answer.header.Get("Opc-Next-Page")
		if next == "" {
			return all, pages
		}
		query = "limit=" + strconv.Itoa(limit) + "&page=" + strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(next)
	}
}

func (rows logRows) ids() []string {
	var ids []string
	for _, r := range rows.Results {
		ids = append(ids, r.Data.LogContent.ID)
	}
	slices.Sort(ids)
	return ids
}

// ledger gives the ids of the events that pass.
func ledger(s *Sim, pass func(EventTruth) bool) []string {
	var ids []string
	for _, e := range s.Truth().Events {
		if pass(e) {
			ids = append(ids, e.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestSearchFindsEachEventOnceInItsCompartment(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	who := s.Tenancies()[0]
	for _, tt := range []struct {
		name, query string
		pass        func(EventTruth) bool
	}{
		{"one compartment's audit events", `search "` + who.OCID + `/_Audit"`, func(e EventTruth) bool { return e.Compartment == who.OCID }},
		{"all logs of one", `search "` + who.OCID + `" | sort by datetime asc`, func(e EventTruth) bool { return e.Compartment == who.OCID }},
		{"a tree", `search "` + who.OCID + `/_Audit_Include_Subcompartment"`, func(EventTruth) bool { return true }},
		{"two, one of them twice", fmt.Sprintf(`search "%s/_Audit", "%s/_Audit" "%[1]s/_Audit"`, who.OCID, who.Compartments[1].OCID), func(e EventTruth) bool {
			return e.Compartment == who.OCID || e.Compartment == who.Compartments[1].OCID
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := 0
			for _, region := range who.Regions {
				all, pages := c.searchAll(t, region, within(day, now, tt.query), 10)
				want := ledger(s, func(e EventTruth) bool { return e.Region == region && tt.pass(e) && !e.Ingested.After(now) })
				if !slices.Equal(all.ids(), want) {
					t.Errorf("in %s: got %d events, the ledger has %d", region, len(all.Results), len(want))
				}
				if pages*10 < len(want) {
					t.Errorf("in %s: got %d events in %d pages of 10", region, len(want), pages)
				}
				found += len(want)
			}
			if found == 0 {
				t.Error("the ledger has none: the test shows nothing")
			}
		})
	}
}

func TestSearchBoundsAreIncludedAndEventsAppearWhenIngested(t *testing.T) {
	at := now
	s := newSim(t, func(c *Config) {
		c.Clock = func() time.Time { return at }
		c.LateFraction = 0.5
	})
	c := newClient(t, s, 0)
	e := s.Truth().Events[slices.IndexFunc(s.Truth().Events, func(e EventTruth) bool { return e.Ingested.Sub(e.Time) > 2*time.Minute })]
	query := `search "` + e.Compartment + `/_Audit"`
	finds := func(from, to time.Time) bool {
		rows, _ := c.searchAll(t, e.Region, within(from, to, query), 1000)
		return slices.Contains(rows.ids(), e.ID)
	}
	for _, tt := range []struct {
		name     string
		from, to time.Time
		want     bool
	}{
		{"its instant", e.Time, e.Time, true},
		{"up to it", e.Time.Add(-time.Hour), e.Time, true},
		{"from it on", e.Time, e.Time.Add(time.Hour), true},
		{"just before", e.Time.Add(-time.Hour), e.Time.Add(-time.Millisecond), false},
		{"just after", e.Time.Add(time.Millisecond), e.Time.Add(time.Hour), false},
	} {
		if got := finds(tt.from, tt.to); got != tt.want {
			t.Errorf("%s: found %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		clock time.Time
		want  bool
	}{{e.Ingested.Add(-time.Millisecond), false}, {e.Ingested, true}} {
		at, c.date = tt.clock, tt.clock
		if got := finds(e.Time, e.Time); got != tt.want {
			t.Errorf("%s after it happened: found %v, want %v", tt.clock.Sub(e.Time), got, tt.want)
		}
	}
	if e.Ingested.Sub(e.Time) > 12*time.Minute {
		t.Errorf("an event is ingested %s after it happened, want at most 12m", e.Ingested.Sub(e.Time))
	}
}

func TestSearchRowsAreLoggingsOwnShape(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	who := s.Tenancies()[0]
	all, _ := c.searchAll(t, who.Home, within(day, now, `search "`+who.OCID+`/_Audit" | sort by datetime desc`), 1000)
	for i, r := range all.Results {
		content := r.Data.LogContent
		at, err := time.Parse(time.RFC3339, content.Time)
		if err != nil || at.UnixMilli() != r.Data.Datetime {
			t.Fatalf("time %q beside datetime %d", content.Time, r.Data.Datetime)
		}
		ingested, err := time.Parse(time.RFC3339, fmt.Sprint(content.Oracle["ingestedtime"]))
		if err != nil || !ingested.After(at) {
			t.Fatalf("ingested at %v, happened at %s: want it later", content.Oracle["ingestedtime"], at)
		}
		if content.Oracle["compartmentid"] != who.OCID || content.Oracle["loggroupid"] != "_Audit" || content.Oracle["tenantid"] != who.OCID || content.Data["eventName"] == nil {
			t.Fatalf("got %+v", content)
		}
		if i > 0 && all.Results[i-1].Data.Datetime < r.Data.Datetime {
			t.Fatal("the rows are not sorted as the query asks")
		}
	}
	if len(all.Results) == 0 {
		t.Error("no rows: the test shows nothing")
	}
}

func TestQueryLanguageSelects(t *testing.T) {
	doc := []byte(`{"type":"com.oraclecloud.IdentitySignOn.InteractiveLogin","source":"a","data":{"request":{"action":"POST","$n":1},"count":3,"done":true,"event name":"x","quote":"it's"}}`)
	for _, tt := range []struct {
		where string
		want  bool
	}{
		{"type = 'com.oraclecloud.identitysignon.interactivelogin'", true},
		{"type != 'com.oraclecloud.identitysignon.interactivelogin'", false},
		{"data.request.action = 'GET'", false},
		{"data.request.action != 'GET'", true},
		{"DATA.Request.ACTION='post'", true},
		{"data.nothing = 'GET'", false},
		{"data.nothing != 'GET'", false},
		{"isNull(data.nothing)", true},
		{"isnull(source)", false},
		{"(isNull(data.nothing) or data.nothing != 'GET') and source = 'a'", true},
		{"source = 'b' or source = 'a' and type = 'x'", false},
		{"(source = 'b' or source = 'a') and data.count = 3", true},
		{"data.count = 3.0", true},
		{"data.count = -3", false},
		{"data.done = true", true},
		{"data.done = false", false},
		{`data."event name" = 'x' and "data"."request"."$n" = 1`, true},
		{`"data.count" = 3`, false},
		{"data.quote = 'it''s'", true},
		{"data = 'x'", false},
	} {
		q, err := parseLogQuery(`search "ocid1.compartment.oc1..a/_Audit" | where ` + tt.where)
		if err != nil {
			t.Errorf("%s: %v", tt.where, err)
			continue
		}
		if got := q.wants(doc); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.where, got, tt.want)
		}
		bare, err := parseLogQuery("search \"c\"\n| " + tt.where + " | sort by datetime")
		if err != nil || bare.wants(doc) != tt.want || !bare.sorted || bare.descending {
			t.Errorf("%s without where, sorted: got %+v, %v", tt.where, bare, err)
		}
	}
}

func TestQueryBeyondTheSimulatorIsRefused(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	who := s.Tenancies()[0]
	stream := `search "` + who.OCID + `"`
	for _, tt := range []struct{ query, want string }{
		{`select x`, "at 1: got"},
		{`search`, `want "compartment`},
		{`search ""`, "at 8: want"},
		{`search "a/b/c/d"`, "at 8: want"},
		{`search 'a'`, "at 8: want"},
		{`search "a`, "the quote is not closed"},
		{stream + ` where x = 1`, "want |"},
		{stream + ` |`, "ends where a field should stand"},
		{stream + ` | summarize count() by type`, "knows no summarize"},
		{stream + ` | where type like 'x'`, "want = or !="},
		{stream + ` | where type = "x"`, "want a text in single quotes"},
		{stream + ` | where type = 'com.*'`, "no wildcards"},
		{stream + ` | where type =`, "want a text"},
		{stream + ` | where (type = 'x'`, ") should stand"},
		{stream + ` | where isNull type`, "want ("},
		{stream + ` | where type = 'x' and`, "ends where a field"},
		{stream + ` | where 7`, "want a field"},
		{stream + ` | where type < 3`, "does not know '<'"},
		{stream + ` | sort by time`, "want sort by datetime"},
		{stream + ` | where ` + strings.Repeat("(", 1000) + `a=1`, "too deep"},
	} {
		answer := c.search(t, who.Home, within(day, now, tt.query), "")
		var e struct{ Code, Message string }
		if err := json.Unmarshal(answer.body, &e); err != nil || answer.status != http.StatusBadRequest || e.Code != "InvalidParameter" || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%.80s: got %d %s, want 400 InvalidParameter that says %q", tt.query, answer.status, answer.body, tt.want)
		}
	}
}

func TestSearchRefusesWhatOracleRefuses(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	who := s.Tenancies()[0]
	query := `search "` + who.OCID + `/_Audit"`
	good := within(day, now, query)
	without := func(name string) map[string]any {
		b := within(day, now, query)
		delete(b, name)
		return b
	}
	for _, tt := range []struct {
		name       string
		body       map[string]any
		parameters string
		spoil      func(*http.Request)
		status     int
		code       string
	}{
		{name: "fourteen days", body: within(now.Add(-14*24*time.Hour), now, query), status: 200},
		{name: "more than fourteen days", body: within(now.Add(-14*24*time.Hour-time.Second), now, query), status: 400, code: "InvalidParameter"},
		{name: "a page of 1000", body: good, parameters: "limit=1000", status: 200},
		{name: "a page of 1001", body: good, parameters: "limit=1001", status: 400, code: "InvalidParameter"},
		{name: "an empty page", body: good, parameters: "page=", status: 400, code: "InvalidParameter"},
		{name: "another's token", body: good, parameters: "page=x", status: 400, code: "InvalidParameter"},
		{name: "bounds the wrong way round", body: within(now, day, query), status: 400, code: "InvalidParameter"},
		{name: "no start", body: without("timeStart"), status: 400, code: "MissingParameter"},
		{name: "no end", body: without("timeEnd"), status: 400, code: "MissingParameter"},
		{name: "no query", body: without("searchQuery"), status: 400, code: "MissingParameter"},
		{name: "a day instead of a time", body: map[string]any{"timeStart": "2026-11-01", "timeEnd": "2026-11-02", "searchQuery": query}, status: 400, code: "InvalidParameter"},
		{name: "another compartment's", body: within(day, now, `search "ocid1.compartment.oc1..none/_Audit"`), status: 404, code: "NotAuthorizedOrNotFound"},
		{name: "a log group that is not there", body: within(day, now, `search "`+who.OCID+`/ocid1.loggroup.oc1..none"`), status: 404, code: "NotAuthorizedOrNotFound"},
		{name: "a body that was changed after it was signed", body: good, spoil: func(r *http.Request) {
			r.Body = http.NoBody
		}, status: 401, code: "NotAuthenticated"},
		{name: "a hash that is not signed", body: good, spoil: func(r *http.Request) {
			sign(t, r, c.key, c.keyID, "date", "(request-target)", "host", "content-length", "content-type")
		}, status: 401, code: "NotAuthenticated"},
		{name: "a GET", body: good, spoil: func(r *http.Request) {
			r.Method = http.MethodGet
			sign(t, r, c.key, c.keyID, "date", "(request-target)", "host")
		}, status: 404, code: "NotAuthorizedOrNotFound"},
	} {
		var spoil []func(*http.Request)
		if tt.spoil != nil {
			spoil = append(spoil, tt.spoil)
		}
		answer := c.search(t, who.Home, tt.body, tt.parameters, spoil...)
		if answer.status != tt.status || tt.code != "" && answer.code(t) != tt.code {
			t.Errorf("%s: got %d %.200s, want %d %s", tt.name, answer.status, answer.body, tt.status, tt.code)
		}
	}
}

func TestSearchNeedsBothPermissions(t *testing.T) {
	for _, permission := range []string{ReadLogContent, ReadAuditEvents} {
		s := newSim(t, nil)
		c := newClient(t, s, 0)
		who := s.Tenancies()[0]
		denial := Denial{Permission: permission, Compartment: who.Compartments[2].OCID}
		s.Deny(denial)
		ask := func(stream string) int {
			return c.search(t, who.Home, within(day, now, `search "`+stream+`"`), "").status
		}
		if got := ask(who.Compartments[2].OCID + "/_Audit"); got != http.StatusNotFound {
			t.Errorf("without %s: got %d, want 404", permission, got)
		}
		if got := ask(who.OCID + "/_Audit_Include_Subcompartment"); got != http.StatusNotFound {
			t.Errorf("without %s somewhere in the tree: got %d, want 404", permission, got)
		}
		for _, other := range []string{who.OCID, who.Compartments[1].OCID} {
			if got := ask(other + "/_Audit"); got != http.StatusOK {
				t.Errorf("in another compartment: got %d, want 200", got)
			}
		}
		s.Allow(denial)
		if got := ask(who.Compartments[2].OCID + "/_Audit"); got != http.StatusOK {
			t.Errorf("with the permission again: got %d, want 200", got)
		}
	}
}

func TestFaultsOfASearchNameItsCompartment(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	who := s.Tenancies()[0]
	s.Faults().Add(Fault{Effect: EffectStatus, Status: 503, Operation: "SearchLogs", Compartment: who.OCID, Times: 1})
	s.Faults().Add(Fault{Effect: EffectMalformed, Operation: "SearchLogs", Compartment: who.OCID, Times: 1})
	ask := func(compartment string) got {
		return c.search(t, who.Home, within(day, now, `search "`+compartment+`/_Audit"`), "")
	}
	for i, tt := range []struct {
		compartment string
		status      int
		malformed   bool
	}{{who.Compartments[1].OCID, 200, false}, {who.OCID, 503, false}, {who.OCID, 200, true}, {who.OCID, 200, false}} {
		answer := ask(tt.compartment)
		if answer.status != tt.status || bytes.Contains(answer.body, []byte(`"logContent":{"type":42`)) != tt.malformed {
			t.Errorf("call %d: got %d, malformed %v; want %d, %v", i, answer.status, !tt.malformed, tt.status, tt.malformed)
		}
	}
	if got := s.Count("SearchLogs", 200); got != 3 {
		t.Errorf("counted %d calls that worked, want 3", got)
	}
}

// FuzzLogQuery holds that no query panics, and that what is read has something to search.
func FuzzLogQuery(f *testing.F) {
	f.Add(`search "c/_Audit", "d" | where a.b = 'x' and (c != 3 or isNull("d e")) | sort by datetime desc`)
	f.Add(`search "c" | ((((`)
	f.Add(`search "c" | 'a''`)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseLogQuery(text)
		if err == nil && len(q.streams) == 0 {
			t.Errorf("%q: got no stream", text)
		}
		if err == nil {
			q.wants([]byte(`{"a":{"b":"x"},"c":3}`))
		}
	})
}
