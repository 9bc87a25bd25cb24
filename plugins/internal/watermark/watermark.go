// Package watermark keeps event time per partition of the sources.
//
// Inputs report what they read and what was acked; a clock (correlate_source) turns that into one watermark a tenancy;
// the engine is told by ticks. No event that is still in flight can lie below the watermark.
//
//	p := tracker.Partition(watermark.ID{Source: "prod_audit", Tenancy: "ocid1...", Name: "us-ashburn-1/ocid1.compartment..."})
//	done := p.Read(newest) // before the batch leaves the input
//	done()                 // when it was acked
package watermark

import "benthos-oci/plugins/internal/event"

// ID names a partition.
type ID struct {
	// Source is the label of the input.
	Source string
	// Tenancy is the OCID of the tenancy, or "" where the partition may carry events of every tenancy.
	Tenancy string
	// Name tells the partitions of a source apart.
	Name string
}

// Tick is what the clock tells the engine.
type Tick struct {
	// Number names the tick; a tick that comes again has the same number.
	Number string `json:"number"`
	// Boot names the run of the process; numbers of another boot are never acked.
	Boot string `json:"boot"`
	// Acked are the numbers of this boot whose messages were acked since the last tick that says so.
	Acked []string `json:"acked,omitempty"`
	// Tenancies holds the watermark of each tenancy that spoke; All the least of them all.
	Tenancies map[string]event.Time `json:"tenancies"`
	All       event.Time            `json:"all"`
	// Incomplete names, by tenancy, the partitions that were left out because they were silent for too long, or were never read.
	Incomplete map[string][]string `json:"incomplete,omitempty"`
	// Known names the partitions behind the watermarks, saved with them; empty where they are those of the tick before.
	Known []ID `json:"known,omitempty"`
	// Final is true for the last tick of streams that have ended: all windows close.
	Final bool `json:"final,omitempty"`
}

// MetaTick is the metadata key of a tick message; its value is the Tick as JSON.
const MetaTick = "correlate_tick"

// MetaType is the metadata key that says what a message is: "incident", "event", "late", "tick".
const MetaType = "correlate_type"

// Types of messages.
const (
	TypeIncident = "incident"
	TypeEvent    = "event"
	TypeLate     = "late"
	TypeTick     = "tick"
)

// At gives the watermark of a tenancy: its own, or that of the partitions which carry events of every tenancy,
// or the least of all.
func (t Tick) At(tenancy string) event.Time {
	if at, ok := t.Tenancies[tenancy]; ok {
		return at
	}
	if at, ok := t.Tenancies[""]; ok {
		return at
	}
	return t.All
}
