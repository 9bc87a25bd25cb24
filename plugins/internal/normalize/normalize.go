// Package normalize turns what Oracle's APIs return into OCSF 1.8 documents, by pure functions on bytes.
//
// It stands between the inputs, which deliver each record byte for byte, and match, which asks events for fields.
// An audit event comes in four envelopes (Audit API, Connector Hub, Logging search, Events service) and gives the same
// fields in each; Cloud Guard problems come from the API and from the Events service.
//
//	kind, eventType := normalize.Scan(b)         // cheap: no decoding, no allocation
//	facts := normalize.Static(kind, eventType)   // what follows from the type alone
//	ev, err := normalize.Event(b)                // only for events that a rule could match
//
// One parser reads everything, so what is matched is what is reported. A key that stands twice in an object counts with
// its first value, as in Scan, and is flagged in `unmapped.duplicate_keys`.
package normalize

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/valyala/fastjson"

	"benthos-oci/plugins/internal/event"
)

// SchemaVersion is the version of OCSF that documents follow.
const SchemaVersion = "1.8.0"

// Error says why a record cannot be normalized.
type Error struct {
	// What is wrong, as a clause: "`eventTime` is missing".
	What string
	// Where it is: a path in the record, or "the message".
	Where string
	// Do says what would help.
	Do string
	// Err is the cause, or nil.
	Err error
}

// Error gives the whole sentence.
func (e *Error) Error() string {
	s := "normalizing " + e.Where + ": " + e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Do != "" {
		s += "; " + e.Do
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrKind is the cause of the error for a JSON document that is none of the known kinds.
var ErrKind = errors.New("no `eventType`, `type`, `logContent`, `detectorRuleId` or `class_uid` at its top level")

// Normalize gives the OCSF document of the record b.
// A document that is normalized already comes back as it is.
func Normalize(b []byte) (map[string]any, error) { return normalize(b, whole) }

// Event gives the event of the record b: its OCSF document, and the record itself for `raw.<path>`.
// What few rules ask for is built when one does, from the same bytes: b must not be changed afterwards.
func Event(b []byte) (*event.Event, error) {
	doc, err := normalize(b, lean)
	if err != nil {
		return nil, err
	}
	ev, err := event.FromDocument(doc, b, func() map[string]any {
		record, err := Record(b)
		if err != nil {
			return nil // cannot be: the same bytes have just been read
		}
		return record
	})
	if err != nil {
		return nil, &Error{Where: "the document", What: "it has no event time", Do: "`time` is the event time in milliseconds since 1970", Err: err}
	}
	if kind, _ := Scan(b); kind != Normalized {
		ev.Defer(func() map[string]any {
			doc, err := Normalize(b)
			if err != nil {
				return nil // cannot be, as above
			}
			return doc
		})
	}
	return ev, nil
}

// extent says how much of a document is built.
type extent bool

const (
	whole extent = true
	// lean leaves out `unmapped` and the HTTP headers.
	lean extent = false
)

// Record gives the record in b as the Audit API would return it: the envelope is taken off and the names at its top
// level are those of the Audit API (eventType, eventId, eventTime, eventTypeVersion, source, data), whatever envelope it came in.
// A Cloud Guard problem is given as it is. Of a normalized document it is the record in `raw_data`, or nil where there is none.
func Record(b []byte) (map[string]any, error) {
	parser := parsers.Get()
	defer release(parser, len(b))
	root, kind, _, err := parse(parser, b)
	if err != nil {
		return nil, err
	}
	return record(root, kind), nil
}

func normalize(b []byte, parts extent) (map[string]any, error) {
	parser := parsers.Get()
	defer release(parser, len(b))
	root, kind, eventType, err := parse(parser, b)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	switch kind {
	case Normalized:
		doc, _ = decode(root).(map[string]any)
		return doc, nil
	case Problem:
		doc, err = problem(root, parts)
	case AuditAPI, EventsService, ConnectorHub, LoggingSearch, FlowLog:
		doc, err = envelope(root, kind, eventType, parts)
	default:
		return nil, &Error{
			Where: "the message", What: "it is neither an OCI audit event nor a Cloud Guard problem",
			Do: "map it with a mapping of its own, or route it past this step", Err: ErrKind,
		}
	}
	if err != nil || parts == lean {
		return doc, err
	}
	if warnings := duplicates(root); len(warnings) > 0 {
		unmapped := child(doc, "unmapped")
		unmapped["duplicate_keys"] = true
		unmapped["warnings"] = warnings
	}
	return doc, nil
}

// parse reads b once for all: the kind and type by which Static judges are those by which the document is built.
func parse(parser *fastjson.Parser, b []byte) (*fastjson.Value, Kind, string, error) {
	b = withoutBOM(b)
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, Unknown, "", &Error{Where: "the message", What: "it is empty", Do: "drop empty messages before this step"}
	}
	root, err := parser.ParseBytes(b)
	if err != nil {
		return nil, Unknown, "", &Error{Where: "the message", What: "it is not JSON", Do: "send one whole record per message", Err: short(err)}
	}
	if root.Type() != fastjson.TypeObject {
		return nil, Unknown, "", &Error{
			Where: "the message", What: fmt.Sprintf("it is a JSON %s, not an object", root.Type()),
			Do: "send one record per message; `unarchive: {format: json_array}` splits an array",
		}
	}
	if bytes.IndexByte(b, '\\') >= 0 {
		unescapeNames(root)
	}
	kind, eventType := Scan(b)
	return root, kind, string(eventType), nil
}

// short cuts the cause of a parse error: fastjson quotes the rest of the document, which may be long and holds data.
func short(err error) error {
	const most = 120
	if s := err.Error(); len(s) > most {
		return errors.New(s[:most] + "...")
	}
	return err
}

var bom = []byte("\xef\xbb\xbf")

var parsers fastjson.ParserPool

// release gives a parser back, unless a huge record has blown it up.
func release(p *fastjson.Parser, size int) {
	const most = 1 << 20
	if size <= most {
		parsers.Put(p)
	}
}
