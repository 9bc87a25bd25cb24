// Package ocinormalize registers the Bloblang methods oci_normalize and oci_unwrap.
//
// They are the way to package normalize from a pipeline: where a site wants OCSF documents, or adds its own fields to
// them before rules see them.
//
//	root = content().oci_normalize()
//	root.unmapped.site = "hq"
package ocinormalize

import (
	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

const (
	methodNormalize = "oci_normalize"
	methodUnwrap    = "oci_unwrap"
	paramRawData    = "raw_data"
	paramBytes      = "bytes"
	category        = "OCI"
)

func normalizeSpec() *bloblang.PluginSpec {
	return bloblang.NewPluginSpec().
		Category(category).
		Description("Turns a record of OCI into an OCSF 1.8 document: an audit event in any of its four envelopes (Audit API, Connector Hub, Logging search, Events service), or a Cloud Guard problem from its API or the Events service. It takes bytes, text or an object; `content()` is fastest. A document that is normalized already, and an empty message such as a tick of the clock, pass unchanged. The fields are listed in the catalog below.").
		Param(bloblang.NewBoolParam(paramRawData).
			Description("Keep the record itself as text in `raw_data`. Rules read its fields as `raw.<path>` without it, too, as long as they see the message as it came.").
			Default(false)).
		Param(bloblang.NewBoolParam(paramBytes).
			Description("Give the document as JSON text instead of an object, straight from the record. It is several times faster where nothing behind it sets fields: before an output, or before `correlate`, which reads either.").
			Default(false)).
		Example("Rules read words, and one spelling of names.",
			`let event = content().oci_normalize()
root.what = $event.class_name + ": " + $event.activity_name
root.status = $event.status
root.who = $event.user.name`,
			[2]string{
				`{"eventType":"com.oraclecloud.IdentitySignOn.InteractiveLogin","eventId":"1","eventTime":"2026-11-20T10:00:00Z","data":{"identity":{"principalName":"default/Alice@Example.com"},"response":{"status":"200"}}}`,
				`{"status":"Success","what":"Authentication: Logon","who":"alice@example.com"}`,
			}).
		Example("A site adds fields of its own below `unmapped`.",
			`root = content().oci_normalize()
root.unmapped.site = "hq"
root = root.unmapped`,
			[2]string{
				`{"eventType":"com.oraclecloud.ComputeApi.GetInstance","eventId":"1","eventTime":"2026-11-20T10:00:00Z"}`,
				`{"site":"hq"}`,
			})
}

func unwrapSpec() *bloblang.PluginSpec {
	return bloblang.NewPluginSpec().
		Category(category).
		Description("Takes the envelope off a record of OCI: whichever of the four it came in, the result has the names of the Audit API at its top level (`eventType`, `eventId`, `eventTime`, `source`, `data`). This is what rules read as `raw`. A normalized document and an empty message pass unchanged.").
		Example("A record of Connector Hub reads as one of the Audit API.",
			`root = content().oci_unwrap()`,
			[2]string{
				`{"id":"1","time":"2026-11-20T10:00:00Z","type":"com.oraclecloud.ComputeApi.GetInstance","source":"web-01","data":{"eventName":"GetInstance"}}`,
				`{"data":{"eventName":"GetInstance"},"eventId":"1","eventTime":"2026-11-20T10:00:00Z","eventType":"com.oraclecloud.ComputeApi.GetInstance","source":"web-01"}`,
			})
}
