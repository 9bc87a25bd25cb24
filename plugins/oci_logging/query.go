package ocilogging

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocireader"
)

// query is one search, with the regions in which it is made.
type query struct {
	name    string
	text    string
	regions []string
}

// Patterns of the linter, and of check. Quoted text is taken out before narrowing is looked for.
const (
	namePattern   = `^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`
	beginPattern  = `(?i)^\s*search\s*"`
	quotedPattern = `'[^']*'|"[^"]*"`
	// narrowPattern finds what makes fewer rows of many: in windows that overlap the numbers would be wrong, and rows would be lost.
	narrowPattern = `(?i)\|\s*(summarize|rollup|count|sum|avg|min|max|top|limit|dedup)\b`
)

var (
	nameForm    = regexp.MustCompile(namePattern)
	beginForm   = regexp.MustCompile(beginPattern)
	quotedForm  = regexp.MustCompile(quotedPattern)
	narrowForm  = regexp.MustCompile(narrowPattern)
	streamsForm = regexp.MustCompile(`(?i)^\s*search\s*("[^"]*"(?:\s*,?\s*"[^"]*")*)`)
	streamForm  = regexp.MustCompile(`"([^"]*)"`)
)

// What a bad query is told, by the linter and at start.
const (
	badName   = "must consist of letters, digits, dots, dashes and underscores, at most 64 of them"
	badBegin  = "must begin with the logs to search, as in: search \"ocid1.compartment.oc1..aaaa/_Audit\""
	badNarrow = "must give whole records: summarize, count, top, limit, dedup and their like give other results for each window, so let rules count"
)

func (q query) check() error {
	switch {
	case !nameForm.MatchString(q.name):
		return fmt.Errorf("reading %s: the name %q %s", fieldQueries, q.name, badName)
	case !beginForm.MatchString(q.text):
		return fmt.Errorf("reading the query %s: it %s", q.name, badBegin)
	case narrowForm.MatchString(quotedForm.ReplaceAllString(q.text, "")):
		return fmt.Errorf("reading the query %s: it %s", q.name, badNarrow)
	case len(q.regions) == 0:
		return fmt.Errorf("reading the query %s: name its regions, or %q for all", q.name, subscribed)
	}
	return nil
}

// audited are the compartments whose audit events the query searches.
func (q query) audited() []string {
	var all []string
	streams := streamsForm.FindStringSubmatch(q.text)
	if streams == nil {
		return nil
	}
	for _, s := range streamForm.FindAllStringSubmatch(streams[1], -1) {
		parts := strings.Split(s[1], "/")
		if len(parts) > 1 && strings.HasPrefix(parts[1], "_Audit") {
			all = append(all, parts[0])
		}
	}
	return all
}

// searches is the source of the reader: each query in each of its regions.
type searches struct {
	queries []query
	unwrap  bool
}

// Groups are the names of the queries: one that is added later has a beginning of its own.
func (s searches) Groups() []string {
	names := make([]string, len(s.queries))
	for i, q := range s.queries {
		names[i] = q.name
	}
	return names
}

// listed is true where the tenancy's regions must be asked for.
func (s searches) listed() bool {
	return slices.ContainsFunc(s.queries, func(q query) bool { return slices.Contains(q.regions, subscribed) })
}

// Places are the queries, each in each of its regions.
func (s searches) Places(ctx context.Context, client *oci.Client) ([]ocireader.Place, error) {
	var all []string
	if s.listed() {
		var err error
		if all, err = client.Regions(ctx); err != nil {
			return nil, err
		}
	}
	return s.places(all), nil
}

func (s searches) places(all []string) []ocireader.Place {
	var places []ocireader.Place
	for _, q := range s.queries {
		regions := q.regions
		if slices.Contains(regions, subscribed) {
			regions = all
		}
		for _, region := range regions {
			region = oci.CanonicalRegion(region)
			name := q.name + "/" + region
			if !slices.ContainsFunc(places, func(p ocireader.Place) bool { return p.Name == name }) {
				places = append(places, ocireader.Place{Group: q.name, Name: name, Region: region, Subject: q.name})
			}
		}
	}
	return places
}

// errNoQuery says that a place belongs to no query; Places gives none of that kind.
var errNoQuery = errors.New("there is no query of that name")

// search is what is asked for in a place.
func (s searches) search(where ocireader.Place) (oci.SearchQuery, error) {
	i := slices.IndexFunc(s.queries, func(q query) bool { return q.name == where.Group })
	if i < 0 {
		return oci.SearchQuery{}, errNoQuery
	}
	q := s.queries[i]
	return oci.SearchQuery{Name: q.name, Region: where.Region, Text: q.text, Audit: len(q.audited()) > 0}, nil
}

// Page makes one search.
func (s searches) Page(ctx context.Context, client *oci.Client, where ocireader.Place, span collect.Span, token string) (oci.Page, error) {
	q, err := s.search(where)
	if err != nil {
		return oci.Page{}, err
	}
	q.Start, q.End, q.Page = span.Start, span.End, token
	return client.SearchLogs(ctx, q)
}

// Message makes the message of a record: its row, or only the event in it.
func (s searches) Message(where ocireader.Place, item oci.Item) *service.Message {
	body := item.Raw
	if s.unwrap && item.Content != nil {
		body = item.Content
	}
	m := service.NewMessage(body)
	m.MetaSetMut("oci_query", where.Group)
	if item.Compartment != "" {
		m.MetaSetMut("oci_compartment", item.Compartment)
	}
	return m
}

// scope says what a check tries.
func (s searches) scope() oci.LoggingScope {
	scope := oci.LoggingScope{Listed: s.listed(), Queries: func(all []string) []oci.SearchQuery {
		var queries []oci.SearchQuery
		for _, where := range s.places(all) {
			if q, err := s.search(where); err == nil {
				queries = append(queries, q)
			}
		}
		return queries
	}}
	for _, q := range s.queries {
		for _, compartment := range q.audited() {
			if !slices.Contains(scope.Audited, compartment) {
				scope.Audited = append(scope.Audited, compartment)
			}
		}
	}
	return scope
}
