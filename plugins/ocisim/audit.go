package ocisim

import (
	"sort"
	"time"
)

// readTime reads a required RFC 3339 parameter and cuts it to the minute, the precision of the Audit API.
func (q *request) readTime(name string) (time.Time, *apiError) {
	text := q.query.Get(name)
	if text == "" {
		return time.Time{}, missing(name)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, invalid("%s is %q, want a time in RFC 3339.", name, text)
	}
	return at.UTC().Truncate(time.Minute), nil
}

// listEvents gives what was processed in [startTime, endTime) for one compartment, not those below it, in one region,
// in no order. What the index does not show yet is left out.
func listEvents(q *request) (*answer, *apiError) {
	id := q.query.Get("compartmentId")
	if id == "" {
		return nil, missing("compartmentId")
	}
	start, err := q.readTime("startTime")
	if err != nil {
		return nil, err
	}
	end, err := q.readTime("endTime")
	if err != nil {
		return nil, err
	}
	if end.Before(start) {
		return nil, invalid("startTime is after endTime.")
	}
	where := q.tenancy.compartment(id)
	if where == nil || where.created.After(q.now) || q.sim.denied(q.tenancy.id, ReadAuditEvents, id, q.region) {
		return nil, notFound()
	}
	c, err := q.turn()
	if err != nil {
		return nil, err
	}
	at := place{q.region, where.number}
	found := q.tenancy.processed(at, start, end, c.asOf)
	return q.list(c, len(found), q.sim.config.PageSize, q.sim.config.EmptyPages, func(i int) []byte {
		return q.tenancy.render(at, found[shuffle(c.query, i, len(found))])
	}), nil
}

// processed gives the records of a place that were processed in [start, end) and can be seen at asOf.
func (t *tenancy) processed(at place, start, end, asOf time.Time) []record {
	all := t.records[at]
	from := sort.Search(len(all), func(i int) bool { return all[i].processed >= start.UnixMilli() })
	to := sort.Search(len(all), func(i int) bool { return all[i].processed >= end.UnixMilli() })
	if from >= to {
		return nil
	}
	all = all[from:to]
	// The whole span has been visible for long in most queries: nothing is to be left out.
	if now := asOf.UnixMilli(); all[len(all)-1].processed+t.config.IndexLag.Milliseconds() > now {
		var seen []record
		for _, r := range all {
			if r.processed+t.lag(r).Milliseconds() <= now {
				seen = append(seen, r)
			}
		}
		return seen
	}
	return all
}

// getAuditConfiguration says how long events are kept.
func getAuditConfiguration(q *request) (*answer, *apiError) {
	if id := q.query.Get("compartmentId"); id != q.tenancy.id {
		return nil, notFound()
	}
	return &answer{body: []byte(`{"retentionPeriodDays":365}`)}, nil
}
