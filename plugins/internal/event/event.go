// Package event holds one record on its way through the engine, and the catalog of the fields that rules may name.
//
// It stands between normalize, which builds events from what Oracle's APIs return,
// and match, which asks them for the values of fields:
//
//	p, err := event.ParsePath("actor.user.name")
//	v := ev.Lookup(p) // "alice@example.com", or nil
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"
)

// Time is event time in milliseconds since 1970-01-01T00:00:00Z.
// It is the time at which something happened, never the time at which it was read.
type Time int64

// Bounds of event time: before and after every event.
const (
	MinTime Time = math.MinInt64
	MaxTime Time = math.MaxInt64
)

// TimeOf gives the event time of t, cut to the millisecond.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Time gives t in UTC.
func (t Time) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add gives t moved by d, cut to the millisecond; it stops at MinTime and MaxTime.
func (t Time) Add(d time.Duration) Time {
	ms := Time(d.Milliseconds())
	switch {
	case t == MinTime || t == MaxTime:
		return t
	case ms > 0 && t > MaxTime-ms:
		return MaxTime
	case ms < 0 && t < MinTime-ms:
		return MinTime
	}
	return t + ms
}

// Sub gives the time between u and t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }

// String gives t as RFC 3339 with milliseconds.
func (t Time) String() string {
	switch t {
	case MinTime:
		return "-inf"
	case MaxTime:
		return "+inf"
	}
	return t.Time().Format("2006-01-02T15:04:05.000Z07:00")
}

// Event is one record. Values reached through it are nil, bool, int64, float64, string, []any or map[string]any,
// and must not be changed.
type Event struct {
	// ID names the event: it is counted once by this id, however often it is delivered.
	ID string
	// Time is when it happened.
	Time Time
	// Tenancy is the OCID of the tenancy that it belongs to, or "".
	Tenancy string
	// Doc is the normalized (OCSF) document, without the parts that Defer leaves for later.
	Doc map[string]any

	record func() map[string]any
	loaded bool
	raw    map[string]any

	whole func() map[string]any
	full  map[string]any
}

// ErrNoTime says that a document has no usable `time`.
var ErrNoTime = errors.New("the document has no `time` in milliseconds: map it with oci_normalize, or set root.time")

// FromDocument makes an event of a normalized document.
// The id is metadata.uid, or the SHA-256 of raw where there is none; the tenancy is metadata.tenant_uid.
// record gives the record as the API returned it, its envelope taken off, for `raw.<path>`; nil where there is none.
func FromDocument(doc map[string]any, raw []byte, record func() map[string]any) (*Event, error) {
	e := &Event{Doc: doc, record: record}
	switch t := Normal(doc["time"]).(type) {
	case int64:
		e.Time = Time(t)
	case float64:
		e.Time = Time(t)
	default:
		return nil, fmt.Errorf("reading the event's time: %w", ErrNoTime)
	}
	if meta, ok := doc["metadata"].(map[string]any); ok {
		e.ID, _ = meta["uid"].(string)
		e.Tenancy, _ = meta["tenant_uid"].(string)
	}
	if e.ID == "" {
		sum := sha256.Sum256(raw)
		e.ID = hex.EncodeToString(sum[:])
	}
	return e, nil
}

// Defer says that Doc lacks `unmapped` and `http_request.http_headers`, which few rules ask for and which cost more than
// all the rest: whole gives the document with them, and is called when a rule first asks. Doc stays as it is.
func (e *Event) Defer(whole func() map[string]any) { e.whole = whole }

// Document gives the whole document, with what Defer left for later.
func (e *Event) Document() map[string]any {
	if e.whole != nil && e.full == nil {
		e.full = e.whole()
		e.whole = nil
	}
	if e.full != nil {
		return e.full
	}
	return e.Doc
}

// deferred tells the paths that need the whole document.
func deferred(p Path) bool {
	if len(p) == 0 {
		return true
	}
	return p[0] == "unmapped" || p[0] == "http_request" && (len(p) == 1 || p[1] == "http_headers")
}

// Record gives the record as the API returned it, its envelope taken off, or nil. It is read once, when first asked for.
func (e *Event) Record() map[string]any {
	if !e.loaded {
		e.loaded = true
		if e.record != nil {
			e.raw = e.record()
		}
	}
	return e.raw
}

// Lookup gives the value at p: nil where there is none.
// A path whose first segment is `raw` reads the record as the API returned it, every other path the normalized document.
// An array on the way gives the array of what its elements hold, empty values left out.
func (e *Event) Lookup(p Path) any {
	if len(p) > 0 && p[0] == "raw" {
		return lookup(e.Record(), p[1:])
	}
	if deferred(p) {
		return lookup(e.Document(), p)
	}
	return lookup(e.Doc, p)
}

func lookup(v any, p Path) any {
	for i, name := range p {
		switch node := v.(type) {
		case map[string]any:
			v = node[name]
		case []any:
			var all []any
			for _, element := range node {
				switch found := lookup(element, p[i:]).(type) {
				case nil:
				case []any:
					all = append(all, found...)
				default:
					all = append(all, found)
				}
			}
			if len(all) == 0 {
				return nil
			}
			return all
		default:
			return nil
		}
	}
	return Normal(v)
}
