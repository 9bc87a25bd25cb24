package oci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// opSearchLogs is the operation of the Logging Search API, named as in Oracle's API reference.
const opSearchLogs = "SearchLogs"

// SearchLimit is the number of records that are asked for in one page, the most that the API gives.
const SearchLimit = 1000

// SearchQuery asks for one page of what a query of Logging Search finds in [Start, End].
type SearchQuery struct {
	// Name is what the configuration calls the query; it stands in errors.
	Name   string
	Region string
	// Text is the query, in Oracle's query language.
	Text string
	// Audit is true where the query reads _Audit, which needs a permission of its own.
	Audit      bool
	Start, End time.Time
	// Page is the token of the page, "" for the first.
	Page string
}

// SearchLogs reads one page of log records; their order is the query's.
// See https://docs.oracle.com/iaas/api/#/en/logging-search/20190909/SearchResult/SearchLogs.
func (c *Client) SearchLogs(ctx context.Context, q SearchQuery) (Page, error) {
	body, err := json.Marshal(map[string]any{
		"timeStart": q.Start.UTC().Format(time.RFC3339), "timeEnd": q.End.UTC().Format(time.RFC3339),
		"searchQuery": q.Text, "isReturnFieldInfo": false,
	})
	if err != nil {
		return Page{}, fmt.Errorf("writing the query %s: %w", q.Name, err)
	}
	query := url.Values{"limit": {strconv.Itoa(SearchLimit)}}
	if q.Page != "" {
		query.Set("page", q.Page)
	}
	var page Page
	err = c.do(ctx, call{
		service: loggingService, operation: opSearchLogs, region: q.Region, path: "/search", query: query, body: body,
		place: opSearchLogs + " " + q.Region + " " + q.Text,
		decode: func(a *answer) error {
			items, err := rows(a.body)
			if err != nil {
				return err
			}
			page = Page{Items: items, Next: a.next, RequestID: a.requestID, Date: a.date}
			return nil
		},
	})
	return page, q.explain(err)
}

// explain puts what is special about a search into the sentence of its failure.
func (q SearchQuery) explain(err error) error {
	var failure *Error
	if !errors.As(err, &failure) {
		return err
	}
	failure.Subject = q.Name
	said := strings.TrimSpace(fmt.Sprintf("%d %s %s", failure.Status, failure.Code, strings.TrimSuffix(failure.Message, ".")))
	switch {
	case failure.Status == http.StatusBadRequest && q.Page != "":
		// The query was accepted with the first page.
		failure.Kind = Garbled
		failure.Sentence = fmt.Sprintf("%s in %s does not accept the page token of the query %q any more (%s, request %s): the window is searched again from its first page",
			failure.Operation, failure.Region, q.Name, said, failure.RequestID)
	case failure.Status == http.StatusBadRequest:
		failure.Sentence = fmt.Sprintf("%s in %s does not accept the query %q (%s, request %s): correct its search",
			failure.Operation, failure.Region, q.Name, said, failure.RequestID)
	case failure.Kind == NoPermission && q.Audit:
		failure.Sentence = fmt.Sprintf("%s in %s refused the query %q (%s) because the key's user may not read what it names, and _Audit needs two permissions: add the policy statements `%s` and `%s` with the user's group in them, and check the OCIDs in the query",
			failure.Operation, failure.Region, q.Name, said, permissions[opSearchLogs].statement, permissions[opListEvents].statement)
	case failure.Kind == NoPermission:
		failure.Sentence = fmt.Sprintf("%s in %s refused the query %q (%s) because the key's user may not read what it names: add the policy statement `%s` with the user's group in it, and check the OCIDs in the query",
			failure.Operation, failure.Region, q.Name, said, permissions[opSearchLogs].statement)
	}
	return err
}

// rows cuts an answer of Logging Search into its records without decoding them.
func rows(body []byte) ([]Item, error) {
	found := false
	err := fields(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), func(name, value []byte) {
		// The list may be missing, or null, where nothing was found.
		found = found || string(name) == "results" && string(bytes.TrimSpace(value)) != "null"
	})
	if err != nil || !found {
		return nil, err
	}
	return split(body, form{list: "results", item: readRow})
}

// readRow reads {"data": {"datetime": 1763719200000, "logContent": {"id": ..., "time": ..., "oracle": {...}}}}.
// A row that a query has projected has no logContent, and then no id: its bytes must do.
func readRow(raw []byte) Item {
	item := Item{Raw: raw}
	if raw[0] != '{' {
		item.Err = fmt.Errorf("the record is no object but begins with %.20q", raw)
		return item
	}
	var data, datetime, when []byte
	err := fields(raw, func(name, value []byte) {
		if string(name) == "data" {
			data = value
		}
	})
	switch {
	case err != nil:
		item.Err = err
		return item
	case data == nil:
		item.Err = errors.New("the record has no data")
		return item
	}
	item.Raw = data
	if !valid(data) {
		item.Err = errors.New("the record is no valid JSON")
	}
	// What can be known of a broken record is used, so that it is told from others.
	_ = fields(data, func(name, value []byte) {
		switch string(name) {
		case "datetime":
			datetime = value
		case "logContent":
			item.Content = value
		}
	})
	if item.Content == nil {
		item.Time = milliseconds(datetime)
		return item
	}
	_ = fields(item.Content, func(name, value []byte) {
		switch string(name) {
		case "id":
			item.ID, _ = text(value)
		case "time":
			when = value
		case "oracle":
			_ = fields(value, func(name, value []byte) {
				if string(name) == "compartmentid" {
					item.Compartment, _ = text(value)
				}
			})
		}
	})
	item.Time = milliseconds(datetime)
	if when != nil {
		s, _ := text(when)
		at, ok := moment(s)
		if ok {
			item.Time = at
		}
		if !ok && item.Err == nil {
			item.Err = fmt.Errorf("the record's time is no RFC 3339 time but %.40q", when)
		}
	}
	if item.ID == "" && item.Err == nil {
		item.Err = errors.New("the record has no id")
	}
	return item
}

func milliseconds(value []byte) time.Time {
	ms, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
	if err != nil || ms < 0 || ms > 1e15 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// LoggingScope says what a check of Logging Search tries.
type LoggingScope struct {
	// Listed is true where a query is read in all regions that the tenancy is subscribed to.
	Listed bool
	// Queries gives what is searched, each in its region, once the subscribed regions are known.
	Queries func(subscribed []string) []SearchQuery
	// Audited are the compartments whose audit events are searched.
	Audited []string
}

// CheckLogging calls each operation that searching needs. Audit events in Logging need their own permission,
// and a refused search does not say which one is missing: so they are tried apart.
func CheckLogging(ctx context.Context, open func() (*Client, error), scope LoggingScope) Report {
	c := &checker{ctx: ctx}
	client, ok := c.open(open)
	if !ok {
		return c.skip(permissions[opSearchLogs].name, queriesStep)
	}
	var regions []string
	if scope.Listed {
		c.try(opListRegionSubscriptions, func() (detail string, err error) {
			regions, err = client.Regions(ctx)
			return Counted(len(regions), "region"), err
		})
		if len(regions) == 0 {
			regions = []string{client.Region()}
		}
	}
	queries := scope.Queries(regions)
	to := client.Now().Truncate(time.Minute).Add(time.Minute)
	if len(scope.Audited) > 0 {
		c.try(opListEvents, func() (string, error) {
			for _, compartment := range scope.Audited {
				if _, err := client.AuditEvents(ctx, AuditQuery{Region: queries[0].Region, Compartment: compartment, Start: to.Add(-time.Minute), End: to}); err != nil {
					return "", err
				}
			}
			return "for _Audit", nil
		})
	}
	wrong := Step{Name: queriesStep}
	accepted, where := map[string]bool{}, map[string]bool{}
	c.try(opSearchLogs, func() (string, error) {
		var first error
		refused, calls := 0, 0
		for _, q := range queries {
			q.Start, q.End = to.Add(-time.Hour), to
			err := c.pages(&calls, func(token string) (Page, error) {
				q.Page = token
				return client.SearchLogs(ctx, q)
			})
			switch KindOf(err) {
			case NoPermission:
				refused++
				first = cmp.Or(first, err)
			case BadRequest:
				wrong.Err = cmp.Or(wrong.Err, err)
			default:
				// What is wrong with every call need not be tried for each.
				if err != nil {
					return "", err
				}
				accepted[q.Name], where[q.Region] = true, true
			}
		}
		if refused > 0 && refused < len(queries) {
			return "", fmt.Errorf("%d of %d searches may not be made; the first: %w", refused, len(queries), first)
		}
		return Counted(c.report.Events, "record") + " in the last hour", first
	})
	wrong.Skipped = wrong.Err == nil && len(accepted) == 0
	if wrong.Err == nil && !wrong.Skipped {
		wrong.Detail = fmt.Sprintf("%d accepted in %s", len(accepted), Counted(len(where), "region"))
	}
	c.report.Steps = append(c.report.Steps, wrong)
	return c.report
}

// queriesStep is the step of a check that says whether Oracle understands the queries.
const queriesStep = "queries"
