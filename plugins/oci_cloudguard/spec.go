// Package ocicloudguard is the input oci_cloudguard: the problems that Cloud Guard found in a tenancy, and how they end.
//
// It is the first stage of the data's way for problems. Cloud Guard keeps problems, not events: a problem that changed is sent again.
//
//	input:
//	  oci_cloudguard:
//	    auth: { profile: PROD }
//	    checkpoint_cache: state
package ocicloudguard

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/ocifields"
)

// Name is the name of the component.
const Name = "oci_cloudguard"

const (
	fieldRegion = "reporting_region"
	fieldDetail = "detail"
	fieldBudget = "detail_budget"
)

// Spec describes the component.
func Spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Beta().
		Categories("Services").
		Summary("Reads the problems that Oracle Cloud Guard found in a tenancy, and how they end.").
		Description(description).
		Fields(ocifields.Auth()...).
		Field(service.NewStringField(fieldRegion).Description("Cloud Guard's reporting region, where the problems of all regions are collected. Empty: Cloud Guard is asked.").
			Default("").Example("us-ashburn-1")).
		Fields(ocifields.Reading(ocifields.Cadence{
			Poll: "30m", Overlap: "1h",
			OverlapMeaning: "How far before the start of the last sweep the next one begins. " +
				"A problem that was delivered and has not changed does not leave again.",
		})...).
		Fields(
			service.NewBoolField(fieldDetail).Description("Whether each new or changed problem is read in full, with its description, recommendation and additional details, "+
				"its `histories` (what became of it, and who did it) and, where it stands for activity, its `endpoints` (the addresses it came from). "+
				"It costs two or three requests a problem.").Default(false),
			service.NewIntField(fieldBudget).Description("Most requests that one sweep makes for details, those for the highest risk first. "+
				"Problems that it does not reach leave as the list shows them, and `oci_detail` says so.").
				Default(500).LintRule(`root = if this < 0 { "must not be negative" }`).Advanced(),
		).
		Example("One tenancy", "Problems of all regions, with what Cloud Guard says about each.", `
input:
  oci_cloudguard:
    auth:
      profile: PROD
    detail: true
    checkpoint_cache: state

cache_resources:
  - label: state
    file:
      directory: /var/lib/benthos-oci
`)
}

const description = `
Each message is one problem as the API returned it, byte for byte, sent when it is new and again when it has changed:
when it was resolved, dismissed, deleted or reopened, when its risk level changed, and, for open problems that stand for activity, when it was detected again.
A configuration problem that Cloud Guard finds again at each scan has not changed, nor has a dismissed one.

Only the reporting region is asked, for the whole tree of compartments, as far as the user may see it.

== Delivery

At least once. What was delivered is remembered in ` + "`checkpoint_cache`" + ` by a hash of each problem, written only after the ack.
After a crash a sweep begins again, so problems may leave twice, and none is lost.

== Back pressure

At most ` + "`checkpoint_limit`" + ` batches are on their way; while the output is down nothing is read.

== Shutdown

On a clean stop the input waits for its acks and saves its position. On a kill it continues from the last one saved.

== Metadata

` + "`oci_source`, `oci_tenancy`, `oci_region`, `oci_compartment`, `oci_window_start`, `oci_window_end`, `oci_request_id`, `oci_change`" + `
(` + "`new`, `changed`, `reopened`, `resolved`, `dismissed`, `deleted`" + `), with ` + "`detail`" + ` also ` + "`oci_detail`" + `
(` + "`full`, `partial`, `none`" + `) and ` + "`oci_detail_error`" + `, and ` + "`oci_error`" + ` on a record that is malformed or too large; such a message is also flagged as failed.
`

// config is the configuration of the input.
type config struct {
	ocifields.Config

	region string
	detail bool
	budget int
}

func parse(conf *service.ParsedConfig) (c config, err error) {
	if c.Config, err = ocifields.Parse(conf); err != nil {
		return c, err
	}
	if c.region, err = conf.FieldString(fieldRegion); err != nil {
		return c, err
	}
	if c.detail, err = conf.FieldBool(fieldDetail); err != nil {
		return c, err
	}
	if c.budget, err = conf.FieldInt(fieldBudget); err != nil {
		return c, err
	}
	if c.budget < 0 {
		return c, fmt.Errorf("reading %s: it must not be negative", fieldBudget)
	}
	return c, nil
}
