package ocisim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ReadLogContent is the permission that searching takes. Audit events in a search take ReadAuditEvents as well.
const ReadLogContent = "log-content"

const (
	searchLogsOperation = "SearchLogs"
	maxSearchRange      = 14 * 24 * time.Hour
	maxSearchLimit      = 1000
	// The log groups of a compartment that hold its audit events, without and with those of the compartments below it.
	auditGroup, auditTreeGroup = "_Audit", "_Audit_Include_Subcompartment"
)

// search is the body of a SearchLogs call.
type search struct {
	start, end time.Time
	query      logQuery
	limit      int
}

// searchLogs gives what happened in [timeStart, timeEnd], both included, and was ingested by now, as far as the query asks for it.
func searchLogs(q *request) (*answer, *apiError) {
	s, err := q.readSearch()
	if err != nil {
		return nil, err
	}
	places, err := q.searched(s.query.streams)
	if err != nil {
		return nil, err
	}
	c, err := q.turn()
	if err != nil {
		return nil, err
	}
	found := q.tenancy.logged(places, s, c.asOf)
	order := func(i int) int { return shuffle(c.query, i, len(found)) }
	if s.query.sorted {
		order = func(i int) int { return i }
	}
	ans := q.list(c, len(found), s.limit, q.sim.config.EmptyPages, func(i int) []byte {
		r := found[order(i)]
		return logRow(time.UnixMilli(r.time), string(q.tenancy.logContent(r.at, r.record)))
	})
	ans.head = fmt.Sprintf(`{"summary":{"resultCount":%d,"fieldCount":0},"results":`, len(ans.items))
	ans.tail = `,"fields":[]}`
	ans.wrap = func(event []byte) []byte { return logRow(q.now, eventNames.Replace(string(event))) }
	return ans, nil
}

func (q *request) readSearch() (search, *apiError) {
	var body struct {
		TimeStart   string `json:"timeStart"`
		TimeEnd     string `json:"timeEnd"`
		SearchQuery string `json:"searchQuery"`
	}
	if json.Unmarshal(q.body, &body) != nil {
		return search{}, &apiError{http.StatusBadRequest, "CannotParseRequest", "The body is no JSON of SearchLogsDetails."}
	}
	var s search
	for _, bound := range []struct {
		name, text string
		to         *time.Time
	}{{"timeStart", body.TimeStart, &s.start}, {"timeEnd", body.TimeEnd, &s.end}} {
		if bound.text == "" {
			return s, missing(bound.name)
		}
		at, err := time.Parse(time.RFC3339Nano, bound.text)
		if err != nil {
			return s, invalid("%s is %q, want a time in RFC 3339.", bound.name, bound.text)
		}
		*bound.to = at
	}
	switch {
	case s.end.Before(s.start):
		return s, invalid("timeStart is after timeEnd.")
	case s.end.Sub(s.start) > maxSearchRange:
		return s, invalid("The range from timeStart to timeEnd is longer than 14 days.")
	case q.query.Has("page") && q.query.Get("page") == "":
		return s, invalid("page is empty.")
	case body.SearchQuery == "":
		return s, missing("searchQuery")
	}
	var refused *apiError
	if s.limit, refused = q.limit(maxSearchLimit, maxSearchLimit); refused != nil {
		return s, refused
	}
	query, err := parseLogQuery(body.SearchQuery)
	if err != nil {
		return s, invalid("searchQuery: %v.", err)
	}
	s.query = query
	return s, nil
}

// searched gives the places whose audit events the streams name. The only logs that the simulator holds are _Audit.
func (q *request) searched(streams []logStream) ([]place, *apiError) {
	var places []place
	for _, s := range streams {
		where := q.tenancy.compartment(s.compartment)
		if where == nil || where.created.After(q.now) || s.log != "" || s.group != "" && s.group != auditGroup && s.group != auditTreeGroup {
			return nil, notFound()
		}
		for _, c := range q.tenancy.compartments {
			if c != where && (s.group != auditTreeGroup || !q.tenancy.below(c, where)) {
				continue
			}
			if q.sim.denied(q.tenancy.id, ReadLogContent, c.id, q.region) || q.sim.denied(q.tenancy.id, ReadAuditEvents, c.id, q.region) {
				return nil, notFound()
			}
			if at := (place{q.region, c.number}); !slices.Contains(places, at) {
				places = append(places, at)
			}
		}
	}
	return places, nil
}

// firstSearched is the compartment of the first stream of a search, "" where it has none: what a fault can name.
func (q *request) firstSearched() string {
	var body struct {
		SearchQuery string `json:"searchQuery"`
	}
	if json.Unmarshal(q.body, &body) != nil {
		return ""
	}
	query, err := parseLogQuery(body.SearchQuery)
	if err != nil {
		return ""
	}
	return query.streams[0].compartment
}

// ingested is when Logging shows a record. It is faster than the Audit API: mostly seconds, and up to 12 minutes.
func (r record) ingested() time.Time {
	took := time.Duration(r.processed-r.time) * time.Millisecond
	if took < lateAfter {
		return time.UnixMilli(r.time).UTC().Add(took / 10)
	}
	return time.UnixMilli(r.time).UTC().Add(took * 3 / 5)
}

// lateAfter is from when on a record counts as a late one.
const lateAfter = 5 * time.Minute

// loggedRecord is a record that a search finds.
type loggedRecord struct {
	at place
	record
}

// logged gives the records that a search finds, in order of their time, or the other way round where its query says so.
func (t *tenancy) logged(places []place, s search, asOf time.Time) []loggedRecord {
	var found []loggedRecord
	for _, at := range places {
		for _, r := range t.records[at] {
			if r.time < s.start.UnixMilli() || r.time > s.end.UnixMilli() || r.ingested().After(asOf) {
				continue
			}
			if len(s.query.where) == 0 || s.query.wants(t.logContent(at, r)) {
				found = append(found, loggedRecord{at, r})
			}
		}
	}
	slices.SortFunc(found, func(a, b loggedRecord) int {
		order := cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.number, b.number))
		if s.query.descending {
			return -order
		}
		return order
	})
	return found
}

// logContent gives the record as Logging keeps it: a CloudEvents 1.0 event whose data are those of the audit event.
func (t *tenancy) logContent(at place, r record) []byte {
	var audit struct {
		EventType string          `json:"eventType"`
		EventID   string          `json:"eventId"`
		EventTime string          `json:"eventTime"`
		Source    string          `json:"source"`
		Data      json.RawMessage `json:"data"`
	}
	if json.Unmarshal(t.render(at, r), &audit) != nil {
		return nil // what is rendered always decodes
	}
	return encode(map[string]any{
		"data": audit.Data, "dataschema": "2.0", "id": audit.EventID, "source": audit.Source, "specversion": "1.0",
		"time": audit.EventTime, "type": audit.EventType,
		"oracle": map[string]any{
			"compartmentid": t.compartments[at.compartment].id, "ingestedtime": stamp(r.ingested()),
			"loggroupid": auditGroup, "tenantid": t.id,
		},
	})
}

// eventNames respells an audit event's own names as Logging does.
var eventNames = strings.NewReplacer(`"eventId":`, `"id":`, `"eventTime":`, `"time":`, `"eventType":`, `"type":`)

// logRow puts the event into a row.
func logRow(at time.Time, content string) []byte {
	return fmt.Appendf(nil, `{"data":{"datetime":%d,"logContent":%s}}`, at.UnixMilli(), content)
}
