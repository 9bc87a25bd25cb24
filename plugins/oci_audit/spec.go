// Package ociaudit is the input oci_audit: the audit events of a tenancy, from Oracle's Audit API.
//
// It is the first stage of the data's way for audit events: it decides nothing itself but asks package collect what to read,
// has package oci read it, and hands the events on as they came:
//
//	input:
//	  oci_audit:
//	    auth: { profile: PROD }
//	    checkpoint_cache: state
package ociaudit

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
	"benthos-oci/plugins/internal/ocifields"
)

// Name is the name of the component.
const Name = "oci_audit"

const (
	fieldRegions      = "regions"
	fieldCompartments = "compartments"
	fieldInclude      = "include"
	fieldExclude      = "exclude"
	fieldSubtree      = "subtree"
	fieldRefresh      = "refresh"
	fieldDelay        = "delay"
	fieldThreads      = "threads"
)

// Subscribed stands for all regions that the tenancy is subscribed to.
const subscribed = "subscribed"

// minOverlap is how late Oracle says that an event may appear.
const minOverlap = 15 * time.Minute

// minRefresh is how often compartments may be looked for at most.
const minRefresh = time.Minute

// Spec describes the component.
func Spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Beta().
		Categories("Services").
		Summary("Reads the audit events of an Oracle Cloud tenancy, of all its regions and compartments.").
		Description(description).
		Fields(ocifields.Auth()...).
		Fields(
			service.NewStringListField(fieldRegions).Description("Regions to read: names, or `subscribed` for all that the tenancy is subscribed to.").
				Default([]any{subscribed}).Example([]any{"us-ashburn-1", "eu-frankfurt-1"}),
			service.NewObjectField(fieldCompartments,
				service.NewStringListField(fieldInclude).Description("OCIDs of the compartments to read. Empty: the whole tenancy, its root included.").
					Default([]any{}).Example([]any{"ocid1.compartment.oc1..aaaa"}),
				service.NewStringListField(fieldExclude).Description("OCIDs of compartments to leave out; with `subtree` also what lies below them.").
					Default([]any{}),
				service.NewBoolField(fieldSubtree).Description("Whether included and excluded compartments stand for what lies below them, too. "+
					"With `false` and a list of compartments the permission to list them is not needed.").Default(true),
				service.NewDurationField(fieldRefresh).Description("How often new compartments and regions are looked for.").Default("1h").
					LintRule(lintrule.Span(fieldRefresh, minRefresh, 0)).Advanced(),
			).Description("Compartments to read. The Audit API reads one compartment at a time and nothing below it, so they are listed and read one by one. "+
				"Deleted compartments keep their history and are read as well."),
		).
		Fields(ocifields.Reading(ocifields.Cadence{
			Poll: "5m", Overlap: "15m", LeastOverlap: minOverlap,
			OverlapMeaning: "How far back each sweep looks again for events that appeared late; at least 15m, because Oracle promises no less. " +
				"What was delivered before is known by its id and does not leave again.",
		})...).
		Fields(
			service.NewDurationField(fieldDelay).Description("How long after they were processed events are first read.").Default("2m").LintRule(lintrule.Span(fieldDelay, 0, 0)).Advanced(),
			service.NewIntField(fieldThreads).Description("Requests that run at the same time, at most 64. With 0 two; with `end` two for each request a second of `max_requests_per_second`, at most 32, "+
				"so that the rate is used up: at 10 a second where a page takes less than two seconds, at 20 less than 1.6.").
				Default(0).LintRule(`root = if this < 0 || this > 64 { "must be between 0 and 64" }`).Advanced(),
		).
		Example("One tenancy", "All regions and compartments, from a day ago on, with a position that survives restarts.", `
input:
  oci_audit:
    auth:
      tenancy: ocid1.tenancy.oc1..aaaa
      user: ocid1.user.oc1..aaaa
      fingerprint: 20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34
      private_key_file: ~/.oci/oci_api_key.pem
      region: us-ashburn-1
    checkpoint_cache: state

cache_resources:
  - label: state
    file:
      directory: /var/lib/benthos-oci
`).
		Example("A backfill", "Reads November of one region and ends.", `
input:
  oci_audit:
    auth:
      profile: PROD
    regions: [ eu-frankfurt-1 ]
    start: 2026-11-01T00:00:00Z
    end: 2026-12-01T00:00:00Z
`)
}

const description = `
Each message is one audit event as the API returned it, byte for byte.

== Delivery

At least once. The position is saved in ` + "`checkpoint_cache`" + ` only after everything before it was acked; after a crash at any point
the windows that were under way are read again, so events may leave twice, and none is lost. A rejected message is sent again until it is accepted.
Within a run, and over clean restarts, each event leaves once: overlapping windows are deduplicated by the event's id.

== Back pressure

At most ` + "`checkpoint_limit`" + ` batches are on their way; while the output is down nothing is read.

== Shutdown

On a clean stop the input waits for its acks and saves its position. On a kill it continues from the last one saved.

== Metadata

` + "`oci_source`, `oci_tenancy`, `oci_region`, `oci_compartment`, `oci_window_start`, `oci_window_end`, `oci_request_id`" + `,
and ` + "`oci_error`" + ` on a record that is malformed or too large; such a message is also flagged as failed, so that ` + "`errored()`" + ` finds it.
`

// config is the configuration of the input.
type config struct {
	ocifields.Config

	regions          []string
	include, exclude []string
	subtree          bool
	refresh          time.Duration
	delay            time.Duration
	threads          int
}

func parse(conf *service.ParsedConfig) (c config, err error) {
	if c.Config, err = ocifields.Parse(conf); err != nil {
		return c, err
	}
	if c.regions, err = conf.FieldStringList(fieldRegions); err != nil {
		return c, err
	}
	if c.include, err = conf.FieldStringList(fieldCompartments, fieldInclude); err != nil {
		return c, err
	}
	if c.exclude, err = conf.FieldStringList(fieldCompartments, fieldExclude); err != nil {
		return c, err
	}
	if c.subtree, err = conf.FieldBool(fieldCompartments, fieldSubtree); err != nil {
		return c, err
	}
	if c.refresh, err = conf.FieldDuration(fieldCompartments, fieldRefresh); err != nil {
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
	case len(c.regions) == 0:
		return fmt.Errorf("reading %s: name regions, or %q for all", fieldRegions, subscribed)
	case c.Overlap < minOverlap:
		return fmt.Errorf("reading overlap: it is %s and must be at least %s, because events may appear that late", c.Overlap, minOverlap)
	case c.refresh < minRefresh:
		return fmt.Errorf("reading %s.%s: it must be at least 1m", fieldCompartments, fieldRefresh)
	case c.delay < 0:
		return fmt.Errorf("reading %s: it must not be negative", fieldDelay)
	case c.threads < 0 || c.threads > 64:
		return fmt.Errorf("reading %s: it must be between 0 and 64", fieldThreads)
	}
	return nil
}
