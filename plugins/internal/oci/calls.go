package oci

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The operations, named as in Oracle's API reference.
const (
	opListEvents              = "ListEvents"
	opListCompartments        = "ListCompartments"
	opListRegionSubscriptions = "ListRegionSubscriptions"
	opGetConfiguration        = "GetConfiguration"
	opListProblems            = "ListProblems"
	opGetProblem              = "GetProblem"
	opListProblemHistories    = "ListProblemHistories"
	opListProblemEndpoints    = "ListProblemEndpoints"
)

// maxListPages bounds lists that are read as a whole.
const maxListPages = 10_000

// AuditQuery asks for one page of audit events that were processed in [Start, End).
type AuditQuery struct {
	Region, Compartment string
	Start, End          time.Time
	// Page is the token of the page, "" for the first.
	Page string
}

// AuditEvents reads one page of audit events; their order means nothing.
// See https://docs.oracle.com/iaas/api/#/en/audit/20190901/AuditEvent/ListEvents.
func (c *Client) AuditEvents(ctx context.Context, q AuditQuery) (Page, error) {
	query := url.Values{
		"compartmentId": {q.Compartment},
		"startTime":     {q.Start.UTC().Format(time.RFC3339)},
		"endTime":       {q.End.UTC().Format(time.RFC3339)},
	}
	return c.page(ctx, call{
		service: auditService, operation: opListEvents, region: q.Region, path: "/auditEvents", query: query,
		place: opListEvents + " " + q.Region + " " + q.Compartment,
	}, form{id: "eventId", time: "eventTime"}, q.Page)
}

// ProblemQuery asks for one page of problems of the whole tenancy.
type ProblemQuery struct {
	Region string
	// State is ACTIVE or INACTIVE. There is no way to ask for both.
	State string
	// From and To bound the time at which a problem was last detected, both included.
	From, To time.Time
	Page     string
	Limit    int
}

// Problems reads one page of Cloud Guard's problems.
// Every default of the API hides something, so nothing is left to them.
// See https://docs.oracle.com/iaas/api/#/en/cloud-guard/20200131/ProblemSummary/ListProblems.
func (c *Client) Problems(ctx context.Context, q ProblemQuery) (Page, error) {
	query := url.Values{
		"compartmentId":                        {c.Tenancy()},
		"compartmentIdInSubtree":               {"true"},
		"accessLevel":                          {"ACCESSIBLE"},
		"lifecycleState":                       {q.State},
		"timeLastDetectedGreaterThanOrEqualTo": {q.From.UTC().Format("2006-01-02T15:04:05.000Z")},
		"timeLastDetectedLessThanOrEqualTo":    {q.To.UTC().Format("2006-01-02T15:04:05.000Z")},
		"sortBy":                               {"timeLastDetected"},
		"sortOrder":                            {"ASC"},
		"limit":                                {strconv.Itoa(q.Limit)},
	}
	return c.page(ctx, call{
		service: cloudGuardService, operation: opListProblems, region: q.Region, path: "/problems", query: query,
	}, form{list: "items", id: "id", time: "timeLastDetected"}, q.Page)
}

// Problem reads one problem in full.
func (c *Client) Problem(ctx context.Context, region, id string) (Item, string, error) {
	var item Item
	var requestID string
	err := c.do(ctx, call{
		service: cloudGuardService, operation: opGetProblem, region: region, path: "/problems/" + url.PathEscape(id), query: nil,
		decode: func(a *answer) error {
			if !json.Valid(a.body) {
				return errors.New("the body is no valid JSON")
			}
			item, requestID = read(a.body, form{id: "id", time: "timeLastDetected"}), a.requestID
			return item.Err
		},
	})
	return item, requestID, err
}

// ProblemHistories reads one page of what became of a problem, the oldest first.
// See https://docs.oracle.com/iaas/api/#/en/cloud-guard/20200131/ProblemHistorySummary/ListProblemHistories.
func (c *Client) ProblemHistories(ctx context.Context, region, id, token string) (Page, error) {
	return c.ofProblem(ctx, opListProblemHistories, region, id, "/histories", "timeCreated", token)
}

// ProblemEndpoints reads one page of the addresses from which a problem came.
// See https://docs.oracle.com/iaas/api/#/en/cloud-guard/20200131/ProblemEndpointSummary/ListProblemEndpoints.
func (c *Client) ProblemEndpoints(ctx context.Context, region, id, token string) (Page, error) {
	return c.ofProblem(ctx, opListProblemEndpoints, region, id, "/endpoints", "timeLastDetected", token)
}

func (c *Client) ofProblem(ctx context.Context, operation, region, id, path, timed, token string) (Page, error) {
	query := url.Values{"limit": {"1000"}}
	if operation == opListProblemHistories {
		query.Set("compartmentId", c.Tenancy())
		query.Set("sortOrder", "ASC")
	}
	return c.page(ctx, call{
		service: cloudGuardService, operation: operation, region: region, path: "/problems/" + url.PathEscape(id) + path, query: query,
	}, form{list: "items", id: "id", time: timed}, token)
}

// ReportingRegion is the region in which Cloud Guard collects the problems of all regions.
func (c *Client) ReportingRegion(ctx context.Context) (string, error) {
	var config struct {
		ReportingRegion string `json:"reportingRegion"`
		Status          string `json:"status"`
	}
	err := c.do(ctx, call{
		service: cloudGuardService, operation: opGetConfiguration, path: "/configuration",
		query:  url.Values{"compartmentId": {c.Tenancy()}},
		decode: func(a *answer) error { return json.Unmarshal(a.body, &config) },
	})
	switch {
	case err != nil:
		return "", err
	case !strings.EqualFold(config.Status, "ENABLED"):
		return "", notEnabled(c.Region())
	case config.ReportingRegion == "":
		return c.Region(), nil
	}
	return CanonicalRegion(config.ReportingRegion), nil
}

// Regions are the regions that the tenancy is subscribed to, in order of their names.
func (c *Client) Regions(ctx context.Context) ([]string, error) {
	var regions []string
	err := c.do(ctx, call{
		service: identityService, operation: opListRegionSubscriptions,
		path: "/tenancies/" + url.PathEscape(c.Tenancy()) + "/regionSubscriptions",
		decode: func(a *answer) error {
			var list []struct {
				RegionName string `json:"regionName"`
				Status     string `json:"status"`
			}
			if err := json.Unmarshal(a.body, &list); err != nil {
				return err
			}
			regions = nil
			for _, r := range list {
				// A region that is still being subscribed refuses every call.
				if r.RegionName != "" && (r.Status == "" || strings.EqualFold(r.Status, "READY")) {
					regions = append(regions, CanonicalRegion(r.RegionName))
				}
			}
			if len(regions) == 0 {
				return errors.New("the list of regions is empty")
			}
			return nil
		},
	})
	sort.Strings(regions)
	return regions, err
}

// Compartment is a compartment of the tenancy; the root is one, too.
type Compartment struct {
	ID, Name string
	// Parent is the compartment it lies in, "" for the root.
	Parent string
	// Deleted compartments keep their history.
	Deleted bool
}

// Compartments are the root and all compartments below it, deleted ones included, in order of their ids.
func (c *Client) Compartments(ctx context.Context) ([]Compartment, error) {
	all := []Compartment{{ID: c.Tenancy(), Name: "root"}}
	seen := map[string]bool{c.Tenancy(): true}
	tokens := map[string]bool{}
	query := url.Values{"compartmentId": {c.Tenancy()}, "compartmentIdInSubtree": {"true"}, "accessLevel": {"ANY"}, "limit": {"1000"}}
	for range maxListPages {
		next := ""
		err := c.do(ctx, call{
			service: identityService, operation: opListCompartments, path: "/compartments", query: query,
			decode: func(a *answer) error {
				var list []struct {
					ID             string `json:"id"`
					Name           string `json:"name"`
					CompartmentID  string `json:"compartmentId"`
					LifecycleState string `json:"lifecycleState"`
				}
				if err := json.Unmarshal(a.body, &list); err != nil {
					return err
				}
				for _, one := range list {
					if one.ID != "" && !seen[one.ID] {
						seen[one.ID] = true
						all = append(all, Compartment{ID: one.ID, Name: one.Name, Parent: one.CompartmentID, Deleted: one.LifecycleState == "DELETED"})
					}
				}
				next = a.next
				return nil
			},
		})
		if err != nil {
			return nil, err
		}
		if next == "" {
			sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
			return all, nil
		}
		if tokens[next] {
			break
		}
		tokens[next] = true
		query.Set("page", next)
	}
	return nil, &Error{
		Kind: Garbled, Operation: opListCompartments, Region: c.Region(),
		Sentence: "ListCompartments gives the same page token again and again, so the compartments cannot be listed: this is a fault of the endpoint, try again later or name them in compartments.include with subtree: false",
	}
}

// page makes a list call for one page.
func (c *Client) page(ctx context.Context, what call, f form, token string) (Page, error) {
	if token != "" {
		what.query.Set("page", token)
	}
	var page Page
	what.decode = func(a *answer) error {
		items, err := split(a.body, f)
		if err != nil {
			return err
		}
		page = Page{Items: items, Next: a.next, RequestID: a.requestID, Date: a.date}
		return nil
	}
	return page, c.do(ctx, what)
}
