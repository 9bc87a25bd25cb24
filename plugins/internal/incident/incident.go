// Package incident holds what a rule found: one incident for each rule, tenancy, key and slot of time,
// its stable id, and its shape as an OCSF Detection Finding.
//
// It is the last stage before the message that leaves:
//
//	doc := inc.OCSF() // map[string]any, class_uid 2004
package incident

import (
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// Incident is all firings of one rule and key (and tenancy) in one slot of time.
type Incident struct {
	// ID is the UUIDv5 of rule id, tenancy, key and slot.
	ID      string
	Rule    *rule.Rule
	Tenancy string
	// Key has one value for each of the rule's KeyNames; values are nil, bool, int64, float64 or string.
	Key []any
	// Slot is the start of the slot on the UTC grid; Per is its length.
	Slot event.Time
	Per  time.Duration

	Action Action
	// Revision grows with each message of this incident.
	Revision int64

	// Count is the number of distinct events in the windows of its firings; First and Last are their extremes.
	Count       int64
	First, Last event.Time
	// Fired is the time of the first firing.
	Fired event.Time
	// Closed is the time that closed it, in a message of that; 0 stands for the end of its slot.
	Closed event.Time

	Title      string
	Attributes map[string]any
	Response   []string
	Evidence   []Evidence
	// Truncated says that events of its history had left memory.
	Truncated bool
	// IncompleteSources names the partitions that had not spoken when the incident fired by time.
	IncompleteSources []string
}

// Evidence is one of the events behind an incident, its fields cut to what an analyst needs.
type Evidence struct {
	ID      string
	Time    event.Time
	Pattern string
	// Doc holds actor, api, src_endpoint, user, group, resources of the event, as OCSF has them.
	Doc map[string]any
	// TypeUID is the OCSF type of the event; Product the name of its source.
	TypeUID int64
	Product string
}

// Action says what happened to the incident.
type Action string

// Actions.
const (
	Create Action = "create"
	Update Action = "update"
	Close  Action = "close"
)
