// Package engine is the heart of correlate: match, window and incident put together, and the state that must be saved.
//
// Events go in by Observe, time by Advance; incidents come out of both. The engine reads no clock and does no I/O but
// through its Store. What it finds depends on the set of events only, not on their order, batches, threads or restarts,
// as long as none of them is late and nothing was evicted:
//
//	e, err := engine.New(ctx, engine.Options{Rules: rules, Emit: engine.EmitOptions{Create: true}})
//	outcomes, err := e.Observe(ctx, events) // outcomes[i].Incidents leave with events[i]
//	incidents, err := e.Advance(ctx, tick)  // what fires by time
package engine

import (
	"context"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
)

// Store keeps the engine's state. The engine asks for rows by key and never lists them.
type Store interface {
	// Load gives the values of keys, in their order; nil where there is none.
	Load(ctx context.Context, keys []string) ([][]byte, error)
	// Save writes all changes in one transaction where the store has them, and in the order given where it has not.
	Save(ctx context.Context, changes []Change) error
}

// Change is one row to write.
type Change struct {
	Key string
	// Value is nil where the row is to be deleted.
	Value []byte
	// Expires is the event time after which the row has no meaning any more; event.MaxTime where it always has.
	Expires event.Time
}

// Options say what an engine does.
type Options struct {
	// Rules that are not enabled are left out.
	Rules []*rule.Rule
	Lists map[string]match.List
	// Store is nil where state lives in memory only.
	Store Store
	// Lateness is used while no tick has come: an event is late when it lies further than this below the largest
	// event time of the batches before. With a clock, only the clock's watermarks count.
	Lateness time.Duration
	// MaxMemory bounds the records in memory, in bytes; 0 means no bound.
	MaxMemory int64
	// MaxFuture is used while no tick has come: an event this far beyond all before it does not move time by itself.
	// 0 means no bound.
	MaxFuture time.Duration
	// IncidentsFrom silences firings before it: they build state and make no incident.
	IncidentsFrom event.Time
	Emit          EmitOptions
	// UpdateEvery is the least event time between two messages of one incident, but for its close.
	UpdateEvery time.Duration
	// Metrics may be nil.
	Metrics Metrics
}

// EmitOptions say which messages of an incident leave.
type EmitOptions struct {
	// Create leaves with the first firing.
	Create bool
	// Update leaves when the incident has grown.
	Update bool
	// Close leaves when the incident's slot is over and the watermark has passed it.
	Close bool
}

// Metrics counts what must not happen in silence. All methods are safe for concurrent use and never block.
type Metrics interface {
	// Late counts events below the watermark.
	Late(n int)
	// NullKeys counts matches of a rule whose key has a null component.
	NullKeys(ruleID string, n int)
	// Evicted counts records that left memory; lost says that no store had them.
	Evicted(ruleID string, n int, lost bool)
	// Quarantined counts rows that could not be decoded and were set aside under key.
	Quarantined(key string, cause error)
	// Incidents counts messages of incidents.
	Incidents(ruleID string, action incident.Action, n int)
}

// Outcome is what one event of a batch did.
type Outcome struct {
	// Matched says that a pattern of a rule took the event.
	Matched bool
	// Late says that a pattern would have taken it, but it lies below the watermark.
	Late bool
	// Incidents leave with the event's message, and again each time the event comes again.
	Incidents []*incident.Incident
}

// Stats is a picture of the engine.
type Stats struct {
	Rules   int
	Records int
	Bytes   int64
	// Deadlines counts the records that wait for time to pass.
	Deadlines int
	// Outbox counts the ticks whose incidents are not known to be delivered.
	Outbox int
	// Watermarks holds the watermark of each tenancy; All that of rules with `scope: all`.
	Watermarks map[string]event.Time
	All        event.Time
}
