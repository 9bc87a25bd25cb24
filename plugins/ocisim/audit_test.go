package ocisim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func id(event map[string]any) string { s, _ := event["eventId"].(string); return s }

// wanted gives the ids that the ledger has for a place and a span of processed time.
func wanted(s *Sim, region, compartment string, start, end time.Time) []string {
	var ids []string
	for _, e := range s.Truth().Events {
		if e.Region == region && e.Compartment == compartment && !e.Processed.Before(start) && e.Processed.Before(end) {
			ids = append(ids, e.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func sortedIDs(events []map[string]any) []string {
	var ids []string
	for _, e := range events {
		ids = append(ids, id(e))
	}
	slices.Sort(ids)
	return ids
}

func TestEveryEventOfTheLedgerIsServedOnceInItsPlace(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Tenancies = 2; c.PageSize = 40 })
	total := 0
	for number, tenancy := range s.Tenancies() {
		c := newClient(t, s, number)
		for _, region := range tenancy.Regions {
			for _, compartment := range tenancy.Compartments {
				events := c.events(t, region, compartment.OCID, day, now)
				if got, want := sortedIDs(events), wanted(s, region, compartment.OCID, day, now); !slices.Equal(got, want) {
					t.Errorf("%s in %s: %d events, the ledger has %d", compartment.Name, region, len(got), len(want))
				}
				for _, e := range events {
					data, _ := e["data"].(map[string]any)
					identity, _ := data["identity"].(map[string]any)
					if data["compartmentId"] != compartment.OCID || identity["tenantId"] != tenancy.OCID {
						t.Fatalf("an event of %s names compartment %v and tenancy %v", compartment.OCID, data["compartmentId"], identity["tenantId"])
					}
				}
				total += len(events)
			}
		}
	}
	if want := len(s.Truth().Events); total != want || want != 600 {
		t.Errorf("%d events were served, the ledger has %d, want the configured 600", total, want)
	}
}

func TestWindowsAreHalfOpenInProcessedTime(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	tenancy := s.Tenancies()[0]
	var all []string
	for at := day; at.Before(now); at = at.Add(6 * time.Hour) {
		got := sortedIDs(c.events(t, tenancy.Home, tenancy.OCID, at, at.Add(6*time.Hour)))
		if want := wanted(s, tenancy.Home, tenancy.OCID, at, at.Add(6*time.Hour)); !slices.Equal(got, want) {
			t.Errorf("window from %s: %d events, want %d", at, len(got), len(want))
		}
		all = append(all, got...)
	}
	slices.Sort(all)
	if unique := slices.Compact(slices.Clone(all)); len(unique) != len(all) {
		t.Errorf("%d events stand in two windows that touch", len(all)-len(unique))
	}
}

func TestSecondsOfAWindowAreCutOff(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	home := s.tenancies[0]
	e := s.Truth().Events[slices.IndexFunc(s.Truth().Events, func(e EventTruth) bool {
		return e.Compartment == home.id && e.Region == home.regions[0] && e.Processed.Second() > 1 && e.Processed.Second() < 58
	})]
	minute := e.Processed.Truncate(time.Minute)
	ask := func(start, end string) bool {
		return slices.Contains(sortedIDs(c.all(t, auditPath, "compartmentId", home.id, "startTime", start, "endTime", end)), e.ID)
	}
	stamp := func(at time.Time) string { return at.Format(time.RFC3339Nano) }
	if !ask(stamp(minute.Add(59*time.Second)), stamp(minute.Add(time.Minute))) {
		t.Error("a start with seconds hides an event of its minute: it was not cut to the minute")
	}
	if ask(stamp(minute), stamp(minute.Add(59*time.Second+999*time.Millisecond))) {
		t.Error("an end with seconds shows an event of its minute: it was not cut to the minute")
	}
	if !ask(minute.In(time.FixedZone("", 7200)).Format(time.RFC3339), stamp(minute.Add(time.Minute))) {
		t.Error("a start with an offset is not read")
	}
}

func TestPagesAreBoundedAndSomeAreEmptyWithAToken(t *testing.T) {
	s := newSim(t, func(c *Config) { c.PageSize = 7; c.EmptyPages = 0.3 })
	c := newClient(t, s, 0)
	pages := c.pages(t, auditPath, wholeDay(s)...)
	if len(pages) < 5 {
		t.Fatalf("%d pages: too few to check", len(pages))
	}
	empty := 0
	for i, page := range pages {
		if len(page) > 7 {
			t.Errorf("page %d has %d events, want at most 7", i, len(page))
		}
		if len(page) == 0 && i < len(pages)-1 {
			empty++
		}
	}
	if empty == 0 {
		t.Error("no page is empty and carries a token")
	}
	if got, want := len(c.all(t, auditPath, wholeDay(s)...)), len(wanted(s, s.tenancies[0].regions[0], s.tenancies[0].id, day, now)); got != want {
		t.Errorf("%d events in all pages, want %d", got, want)
	}
	if none := newSim(t, func(c *Config) { c.PageSize = 7; c.EmptyPages = -1 }); true {
		for i, page := range newClient(t, none, 0).pages(t, auditPath, wholeDay(none)...) {
			if len(page) == 0 {
				t.Errorf("page %d is empty though none should be", i)
			}
		}
	}
}

func TestAFullLastPageStillCarriesAToken(t *testing.T) {
	s := newSim(t, nil)
	n := len(wanted(s, s.tenancies[0].regions[0], s.tenancies[0].id, day, now))
	full := newSim(t, func(c *Config) { c.PageSize = n; c.EmptyPages = 1e-9 })
	pages := newClient(t, full, 0).pages(t, auditPath, wholeDay(full)...)
	if len(pages) != 2 || len(pages[0]) != n || len(pages[1]) != 0 {
		t.Errorf("%d pages, the first with %d events, want 2, the first with all %d and the last empty", len(pages), len(pages[0]), n)
	}
}

func TestPagesHaveNoOrder(t *testing.T) {
	s := newSim(t, func(c *Config) { c.PageSize = 20 })
	pages := newClient(t, s, 0).pages(t, auditPath, wholeDay(s)...)
	within, among := false, false
	latest := ""
	for _, page := range pages {
		for i, e := range page {
			at, _ := e["eventTime"].(string)
			if i > 0 && at < page[i-1]["eventTime"].(string) {
				within = true
			}
			if i == 0 && at < latest {
				among = true
			}
			latest = max(latest, at)
		}
	}
	if !within || !among {
		t.Errorf("out of order within a page: %t, among pages: %t, want both", within, among)
	}
}

func TestTokenIsOpaqueAndBoundToItsQuery(t *testing.T) {
	at := now
	s := newSim(t, func(c *Config) { c.PageSize = 5; c.EmptyPages = -1; c.Clock = func() time.Time { return at } })
	c := newClient(t, s, 0)
	token := c.get(t, auditPath, wholeDay(s)...).header.Get("Opc-Next-Page")
	if token == "" {
		t.Fatal("the first page carries no token")
	}
	if url.QueryEscape(token) == token || !strings.ContainsAny(token, "+/=") {
		t.Errorf("the token %q needs no escaping, want characters that do", token)
	}
	with := func(token string, query ...string) []string { return append(query, "page", token) }
	other := wholeDay(s)
	other[5] = now.Add(-time.Minute).Format(time.RFC3339)
	for name, query := range map[string][]string{
		"an invented token":          with("AP37-f_9__79", wholeDay(s)...),
		"an empty token":             with("", wholeDay(s)...),
		"a token that was changed":   with(token[:len(token)-6]+"AAAA==", wholeDay(s)...),
		"a token of another query":   with(token, other...),
		"a token that lost its plus": with(strings.ReplaceAll(token, "+", " "), wholeDay(s)...),
	} {
		if answer := c.get(t, auditPath, query...); answer.status != http.StatusBadRequest || answer.code(t) != "InvalidParameter" {
			t.Errorf("%s: status = %d, want 400 InvalidParameter", name, answer.status)
		}
	}
	if answer := c.get(t, "/us-ashburn-1"+auditPath, with(token, wholeDay(s)...)...); answer.status != http.StatusBadRequest {
		t.Errorf("a token of another region: status = %d, want 400", answer.status)
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 200}, {time.Hour + time.Millisecond, 400}} {
		at = now.Add(tt.after)
		c.date = at
		if answer := c.get(t, auditPath, with(token, wholeDay(s)...)...); answer.status != tt.want {
			t.Errorf("a token %s old: status = %d, want %d", tt.after, answer.status, tt.want)
		}
	}
	at, c.date = now, now
	// What earlier clients sent as opc-next-page is no parameter of this API: the first page comes again.
	if first, again := c.get(t, auditPath, wholeDay(s)...), c.get(t, auditPath, append(wholeDay(s), "limit", "1")...); len(first.items(t)) != len(again.items(t)) {
		t.Error("the parameter limit changes the page, though ListEvents has none")
	}
}

func TestListEventsRefusesWhatItCannotRead(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Tenancies = 2 })
	c := newClient(t, s, 0)
	root, start, end := s.tenancies[0].id, day.Format(time.RFC3339), now.Format(time.RFC3339)
	tests := []struct {
		name   string
		query  []string
		status int
		code   string
	}{
		{"no compartment", []string{"startTime", start, "endTime", end}, 400, "MissingParameter"},
		{"no start", []string{"compartmentId", root, "endTime", end}, 400, "MissingParameter"},
		{"no end", []string{"compartmentId", root, "startTime", start}, 400, "MissingParameter"},
		{"a start that is no time", []string{"compartmentId", root, "startTime", "yesterday", "endTime", end}, 400, "InvalidParameter"},
		{"an end before the start", []string{"compartmentId", root, "startTime", end, "endTime", start}, 400, "InvalidParameter"},
		{"an unknown compartment", []string{"compartmentId", "ocid1.compartment.oc1..x", "startTime", start, "endTime", end}, 404, "NotAuthorizedOrNotFound"},
		{"another tenancy", []string{"compartmentId", s.tenancies[1].id, "startTime", start, "endTime", end}, 404, "NotAuthorizedOrNotFound"},
	}
	for _, tt := range tests {
		answer := c.get(t, auditPath, tt.query...)
		if answer.status != tt.status || answer.code(t) != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, answer.status, answer.body, tt.status, tt.code)
		}
	}
	if empty := c.all(t, auditPath, "compartmentId", root, "startTime", start, "endTime", start); len(empty) != 0 {
		t.Errorf("a window without length holds %d events, want none", len(empty))
	}
}

func TestDeletedCompartmentsKeepTheirHistory(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Events = 3000 })
	c := newClient(t, s, 0)
	for _, compartment := range s.Tenancies()[0].Compartments {
		if !compartment.Deleted {
			continue
		}
		if got := len(c.events(t, "eu-frankfurt-1", compartment.OCID, day, now)); got == 0 {
			t.Errorf("the deleted compartment %s has no events", compartment.Name)
		}
		return
	}
	t.Error("no compartment is deleted")
}

func TestNothingHappensWhereThereIsNoCompartment(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Events = 5000; c.Compartments = 8 })
	seen := map[string]int{}
	for _, e := range s.Truth().Events {
		seen[e.Compartment]++
		if where := s.tenancies[0].compartment(e.Compartment); !where.open(e.Time) {
			t.Errorf("%s happened in %s at %s, made %s and deleted %s", e.ID, where.name, e.Time, where.created, where.deleted)
		}
	}
	for _, c := range s.Tenancies()[0].Compartments {
		if seen[c.OCID] == 0 {
			t.Errorf("nothing happens in %s", c.Name)
		}
	}
	made := s.Tenancies()[0].Compartments[6].Created
	if want := day.Add(6 * time.Hour); !made.Equal(want) {
		t.Errorf("the sixth compartment was made at %s, want a quarter into the span, at %s", made, want)
	}
}

func TestLateRecordsAreProcessedMinutesAfterTheyHappened(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Events = 20_000; c.LateFraction = 0.05 })
	late, veryLate := 0, 0
	for _, e := range s.Truth().Events {
		switch delay := e.Processed.Sub(e.Time); {
		case delay < 0 || delay > 20*time.Minute:
			t.Fatalf("the event %s was processed %s after it happened, want 0 to 20m", e.ID, delay)
		case delay > 14*time.Minute:
			veryLate++
			fallthrough
		case delay >= 5*time.Minute:
			late++
		}
	}
	if late < 700 || late > 1300 {
		t.Errorf("%d of 20,000 events are late, want about 1,000", late)
	}
	if veryLate == 0 || veryLate > 60 {
		t.Errorf("%d of 20,000 events took more than 14 minutes, want a few", veryLate)
	}
	for _, e := range newSim(t, func(c *Config) { c.LateFraction = -1 }).Truth().Events {
		if delay := e.Processed.Sub(e.Time); delay > 4*time.Minute {
			t.Fatalf("without late records one took %s", delay)
		}
	}
}

func TestEventsAppearWhenTheyAreVisibleAndSomeOutOfOrder(t *testing.T) {
	at := now
	s := newSim(t, func(c *Config) { c.Events = 4000; c.LateFraction = 0.2; c.Clock = func() time.Time { return at } })
	c := newClient(t, s, 0)
	root := s.tenancies[0].id
	overtaken := 0
	for _, hours := range []int{0, 6, 12, 18, 24, 72} {
		at = day.Add(time.Duration(hours) * time.Hour)
		c.date = at
		var want []string
		newest := time.Time{}
		for _, e := range s.Truth().Events {
			if e.Region == "eu-frankfurt-1" && e.Compartment == root && !e.Visible.After(at) {
				want = append(want, e.ID)
				newest = maxTime(newest, e.Processed)
			}
		}
		for _, e := range s.Truth().Events {
			if e.Region == "eu-frankfurt-1" && e.Compartment == root && e.Visible.After(at) && e.Processed.Before(newest) {
				overtaken++
			}
		}
		slices.Sort(want)
		if got := sortedIDs(c.events(t, "eu-frankfurt-1", root, day, now)); !slices.Equal(got, want) {
			t.Errorf("after %d hours %d events are seen, want %d", hours, len(got), len(want))
		}
	}
	if overtaken == 0 {
		t.Error("no event becomes visible after one that was processed later: an overlap would never be needed")
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestAListingShowsWhatItsFirstPageSaw(t *testing.T) {
	at := day.Add(12 * time.Hour)
	s := newSim(t, func(c *Config) { c.PageSize = 10; c.EmptyPages = -1; c.Clock = func() time.Time { return at } })
	c := newClient(t, s, 0)
	first := c.get(t, auditPath, wholeDay(s)...)
	before := len(c.all(t, auditPath, wholeDay(s)...))
	at = at.Add(4 * time.Minute)
	c.date = at
	seen := len(first.items(t))
	for token := first.header.Get("Opc-Next-Page"); token != ""; {
		page := c.get(t, auditPath, append(wholeDay(s), "page", token)...)
		seen += len(page.items(t))
		token = page.header.Get("Opc-Next-Page")
		at = at.Add(4 * time.Minute)
		c.date = at
	}
	if after := len(c.all(t, auditPath, wholeDay(s)...)); seen != before || after <= before {
		t.Errorf("the listing shows %d events, %d when it began and %d after it, want what was there when it began", seen, before, after)
	}
}

func TestSameSeedServesTheSameBytes(t *testing.T) {
	read := func(seed uint64) string {
		s := newSim(t, func(c *Config) { c.Seed = seed; c.PageSize = 1000; c.EmptyPages = -1 })
		return string(newClient(t, s, 0).get(t, auditPath, wholeDay(s)...).body)
	}
	if first, again := read(1), read(1); first != again {
		t.Error("two simulators of one seed serve different bytes")
	}
	if read(1) == read(2) {
		t.Error("simulators of two seeds serve the same bytes")
	}
}

func TestNoiseIsMostlyReadsByManyPrincipals(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Events = 20_000; c.Users = 2000; c.NoStories = true })
	writes, principals := 0, map[int32]bool{}
	families := map[string]int{}
	bytes, rendered := 0, 0
	for at, records := range s.tenancies[0].records {
		for i, r := range records {
			op := noiseMix[r.op].op
			principals[r.person] = true
			if !strings.HasPrefix(op, "List") && !strings.HasPrefix(op, "Get") && !strings.HasPrefix(op, "Head") && !strings.HasPrefix(op, "get") &&
				!strings.HasPrefix(op, "sso.") && !slices.Contains([]string{"InteractiveLogin", "SummarizeMetricsData", "SearchLogs", "SearchResources", "RequestSummarizedUsages"}, op) {
				writes++
			}
			if op == "InteractiveLogin" || strings.HasPrefix(op, "sso.") {
				families[op]++
			}
			if i%50 == 0 {
				body := s.tenancies[0].render(at, r)
				if !json.Valid(body) {
					t.Fatalf("an event is no JSON: %s", body)
				}
				bytes, rendered = bytes+len(body), rendered+1
			}
		}
	}
	if part := float64(writes) / 20_000; part < 0.005 || part > 0.03 {
		t.Errorf("%.1f%% of the noise writes, want about 2%%", 100*part)
	}
	if len(principals) < 1500 {
		t.Errorf("%d principals act, want most of 2,000 people and some programs", len(principals))
	}
	if families["InteractiveLogin"] == 0 || families["sso.session.create.success"] == 0 || families["sso.authentication.failure"] == 0 {
		t.Errorf("sign-ins by operation: %v, want those of both families", families)
	}
	if mean := bytes / rendered; mean < 1700 || mean > 2700 {
		t.Errorf("an event has %d bytes on average, want about 2,000", mean)
	}
}

func TestNightsBelongToPrograms(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Events = 20_000; c.NoStories = true })
	var people, all [24]int
	for _, records := range s.tenancies[0].records {
		for _, r := range records {
			hour := time.UnixMilli(r.time).UTC().Hour()
			all[hour]++
			if r.person >= 0 {
				people[hour]++
			}
		}
	}
	for hour := range 24 {
		part := float64(people[hour]) / float64(all[hour])
		if day := hour >= 6 && hour < 19; day != (part > 0.5) {
			t.Errorf("people make %.0f%% of the calls at %d:00 UTC, want most by day and few at night", 100*part, hour)
		}
	}
}

func BenchmarkNew100000Events(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Config{Events: 100_000, Start: day, End: day.Add(24 * time.Hour)}); err != nil {
			b.Fatal(err)
		}
	}
}
