// Package ocilogging is the input oci_logging: what searches in Oracle's Logging service find.
//
// It is the first stage of the data's way for everything that Logging holds: audit events, flow logs, the logs of services
// and of one's own programs. A query is asked for window after window; package ocireader keeps the position:
//
//	input:
//	  oci_logging:
//	    auth: { profile: PROD }
//	    queries:
//	      - name: signins
//	        search: search "ocid1.tenancy.oc1..aaaa/_Audit" | where data.eventName = 'InteractiveLogin'
//	    checkpoint_cache: state
package ocilogging

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
	"benthos-oci/plugins/internal/ocifields"
)

// Name is the name of the component.
const Name = "oci_logging"

const (
	fieldQueries   = "queries"
	fieldQueryName = "name"
	fieldSearch    = "search"
	fieldRegions   = "regions"
	fieldUnwrap    = "unwrap"
	fieldDelay     = "delay"
	fieldThreads   = "threads"
)

// subscribed stands for all regions that the tenancy is subscribed to.
const subscribed = "subscribed"

// Bounds of the overlap. A position has minutes, and no range may be longer than fourteen days.
const (
	minOverlap = time.Minute
	maxOverlap = 7 * 24 * time.Hour
)

// Spec describes the component.
func Spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Beta().
		Categories("Services").
		Summary("Reads what searches in Oracle Cloud's Logging service find: audit events, flow logs, and any other log.").
		Description(description).
		Fields(ocifields.Auth()...).
		Fields(
			service.NewObjectListField(fieldQueries,
				service.NewStringField(fieldQueryName).Description("What the query is called in metadata, logs and the saved position. Under the same name a changed query goes on where the old one stood; "+
					"under a new name it begins at `start`.").
					LintRule(`root = if !this.re_match(`+strconv.Quote(namePattern)+`) { `+strconv.Quote("a query's name "+badName)+` }`).Example("signins"),
				service.NewStringField(fieldSearch).Description("The query in Oracle's Logging query language: the logs to search, as `\"compartment/log group/log\"`, then conditions. "+
					"`_Audit` stands for the audit events of a compartment, `_Audit_Include_Subcompartment` for those of all that lies below it, too. "+
					"It must give whole records: counting is for rules.").
					LintRule(`root = if !this.re_match(`+strconv.Quote(beginPattern)+`) { `+strconv.Quote("a query "+badBegin)+` } `+
						`else if this.re_replace_all(`+strconv.Quote(quotedPattern)+`, "").re_match(`+strconv.Quote(narrowPattern)+`) { `+strconv.Quote("a query "+badNarrow)+` }`).
					Example(`search "ocid1.tenancy.oc1..aaaa/_Audit_Include_Subcompartment" | where data.response.status = '401'`),
				service.NewStringListField(fieldRegions).Description("Regions to search: names, or `subscribed` for all that the tenancy is subscribed to. "+
					"Audit events are in every region; a log group is in one.").
					Default([]any{subscribed}).Example([]any{"eu-frankfurt-1"}),
			).Description("What to search for. Each query has a position of its own in each of its regions, and one that fails stops no other. "+
				"A record that two queries find leaves once for each.").
				LintRule(`root = if this.type() == "array" { if this.length() == 0 { "name at least one query" } else if this.map_each(q -> q.name).unique().length() < this.length() { "two queries have the same name" } }`),
			service.NewBoolField(fieldUnwrap).Description("Whether only the event leaves, as Logging keeps it: a CloudEvents record. "+
				"With `false` its row leaves: `{\"datetime\": ..., \"logContent\": {...}}`. `oci_normalize` and `correlate` read both.").Default(true),
		).
		Fields(ocifields.Reading(ocifields.Cadence{
			Poll: "5m", Overlap: "15m", LeastOverlap: minOverlap, MostOverlap: maxOverlap,
			OverlapMeaning: "How far back each sweep looks again for records that were ingested late. " +
				"What was delivered before is known by its id and does not leave again. Raise it for agents that may be offline; at most 168h.",
		})...).
		Fields(
			service.NewDurationField(fieldDelay).Description("How long after they happened records are first searched for. Logging shows most of them within seconds.").
				Default("1m").LintRule(lintrule.Span(fieldDelay, 0, 0)).Advanced(),
			service.NewIntField(fieldThreads).Description("Searches that run at the same time, at most 64. With 0 two; with `end` two for each request a second of `max_requests_per_second`, at most 32, "+
				"so that the rate is used up: at 10 a second where a page takes less than two seconds, at 20 less than 1.6.").
				Default(0).LintRule(`root = if this < 0 || this > 64 { "must be between 0 and 64" }`).Advanced(),
		).
		Example("Sign-ins, and flows that were rejected", "Two queries, from a day ago on, with a position that survives restarts.", `
input:
  oci_logging:
    auth:
      profile: PROD
    queries:
      - name: signins
        search: search "ocid1.tenancy.oc1..aaaa/_Audit" | where data.eventName = 'InteractiveLogin'
      - name: rejected_flows
        search: search "ocid1.compartment.oc1..aaaa/ocid1.loggroup.oc1.eu-frankfurt-1.aaaa" | where data.action = 'REJECT'
        regions: [ eu-frankfurt-1 ]
    checkpoint_cache: state

cache_resources:
  - label: state
    file:
      directory: /var/lib/benthos-oci
`).
		Example("A look back", "Everything that was refused in November, and then the end.", `
input:
  oci_logging:
    auth:
      profile: PROD
    queries:
      - name: refused
        search: search "ocid1.tenancy.oc1..aaaa/_Audit_Include_Subcompartment" | where data.response.status = '404'
    start: 2026-11-01T00:00:00Z
    end: 2026-12-01T00:00:00Z
`)
}

const description = `
Each message is one record as the API returned it, byte for byte.

== Delivery

At least once. The position is saved in ` + "`checkpoint_cache`" + ` only after everything before it was acked; after a crash at any point
the windows that were under way are searched again, so records may leave twice, and none is lost. A rejected message is sent again until it is accepted.
Within a run, and over clean restarts, each record leaves once for each query: overlapping windows are deduplicated by the record's id.

== Back pressure

At most ` + "`checkpoint_limit`" + ` batches are on their way; while the output is down nothing is searched.

== Shutdown

On a clean stop the input waits for its acks and saves its position. On a kill it continues from the last one saved.

== Metadata

` + "`oci_source`, `oci_tenancy`, `oci_region`, `oci_query`, `oci_window_start`, `oci_window_end`, `oci_request_id`" + `,
` + "`oci_compartment`" + ` where the record names it, and ` + "`oci_error`" + ` on a record that is malformed or too large;
such a message is also flagged as failed, so that ` + "`errored()`" + ` finds it.
`

// config is the configuration of the input.
type config struct {
	ocifields.Config

	queries []query
	unwrap  bool
	delay   time.Duration
	threads int
}

func parse(conf *service.ParsedConfig) (c config, err error) {
	if c.Config, err = ocifields.Parse(conf); err != nil {
		return c, err
	}
	list, err := conf.FieldObjectList(fieldQueries)
	if err != nil {
		return c, err
	}
	for _, one := range list {
		var q query
		if q.name, err = one.FieldString(fieldQueryName); err != nil {
			return c, err
		}
		if q.text, err = one.FieldString(fieldSearch); err != nil {
			return c, err
		}
		if q.regions, err = one.FieldStringList(fieldRegions); err != nil {
			return c, err
		}
		c.queries = append(c.queries, q)
	}
	if c.unwrap, err = conf.FieldBool(fieldUnwrap); err != nil {
		return c, err
	}
	if c.delay, err = conf.FieldDuration(fieldDelay); err != nil {
		return c, err
	}
	if c.threads, err = conf.FieldInt(fieldThreads); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c config) check() error {
	switch {
	case len(c.queries) == 0:
		return fmt.Errorf("reading %s: name at least one query", fieldQueries)
	case c.Overlap < minOverlap || c.Overlap > maxOverlap:
		return fmt.Errorf("reading overlap: it is %s and must be between %s and %s", c.Overlap, minOverlap, maxOverlap)
	case c.delay < 0:
		return fmt.Errorf("reading %s: it must not be negative", fieldDelay)
	case c.threads < 0 || c.threads > 64:
		return fmt.Errorf("reading %s: it must be between 0 and 64", fieldThreads)
	}
	names := map[string]bool{}
	for _, q := range c.queries {
		if err := q.check(); err != nil {
			return err
		}
		if names[q.name] {
			return fmt.Errorf("reading %s: two queries are called %q", fieldQueries, q.name)
		}
		names[q.name] = true
	}
	return nil
}
