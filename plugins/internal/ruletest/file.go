// Package ruletest runs the tests that stand beside rules: it feeds a rule with events at given times
// and compares the incidents that come out with those that are expected.
//
// It stands beside the data's way and takes the same path as live events: sample, normalize, engine.
//
//	rule: oci-iam-user-created
//	events:
//	  created: {operation: CreateUser, set: {data.identity.principalName: alice@example.com}}
//	cases:
//	  - name: one user
//	    feed: [{at: 0s, event: created}]
//	    expect: [{at: 0s, events: 1}]
//
// A case begins at midnight (UTC). Its events arrive in the order in which they are written, whatever their times,
// and none is late. At the end the watermark stands at `until`, or has passed everything where that is not given.
// What is compared is the settled set: each incident once, as it is at the end. Of an expected incident
// only what is written is compared; incidents that are not written must not be there.
package ruletest

import (
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// Suffix ends the name of a rule test file, before its extension.
const Suffix = "_test"

// Start is the event time at which a case begins, unless its file says otherwise with `start`.
var Start = event.TimeOf(time.Date(2026, time.January, 15, 0, 0, 0, 0, time.UTC))

// File is a checked rule test file.
type File struct {
	Path string
	// Rule is the id of the rule that it tests.
	Rule    string
	RulePos rule.Position
	Start   event.Time
	// With are the ids of the rules whose incidents the tested one takes.
	With []string
	// Lists are the lists that the rule asks for by `|expand`.
	Lists map[string][]string
	// Tables are the lookup tables that the rule reads, as comma-separated values.
	Tables map[string]string
	Cases  []Case
}

// Case is one history and what must come out of it.
type Case struct {
	Name string
	Pos  rule.Position
	Feed []Feed
	// Until is where the watermark stands at the end; event.MaxTime where everything settles.
	Until  event.Time
	Expect []Expected
}

// Feed is one event that arrives.
type Feed struct {
	Pos rule.Position
	At  event.Time
	// ID names the event; two feeds with the same id are one event that was delivered twice.
	ID     string
	Source Source
}

// Source says how the record of an event is made. Exactly one of Operation, Problem, Raw is set.
type Source struct {
	// Operation names an audit event of package sample.
	Operation string
	// Problem names a Cloud Guard problem of package sample.
	Problem string
	// Raw is a whole record.
	Raw map[string]any
	// Envelope is how the record is wrapped: "" (as the API returns it), connector_hub, logging_search, events_service.
	Envelope string
	// Status is the HTTP status of the response, "" where the operation's own success is meant.
	Status string
	// Tenancy is the OCID of the tenancy, "" for the sample's own.
	Tenancy string
	// Set assigns values to paths of the record.
	Set map[string]any
}

// Expected is one incident that must come out.
type Expected struct {
	Pos rule.Position
	// At is when the incident fires first; nil where any time will do.
	At *event.Time
	// Key holds the expected values of the key by alias; an alias that is missing is not compared.
	Key map[string]any
	// Events is the number of distinct events; 0 is not compared.
	Events int64
	// First and Last are the times of the first and the last event; nil is not compared.
	First, Last *event.Time
	// Closed is when close_on or close_after closed it for the last time; event.MaxTime where neither did before its slot
	// was over; nil is not compared.
	Closed *event.Time
	// Severity and Title are not compared where they are "".
	Severity rule.Severity
	Title    string
	// Attributes holds expected attributes by name; one that is missing is not compared.
	Attributes map[string]any
}
