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
	"slices"
	"strings"

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
func Normalize(b []byte) (map[string]any, error) { return asMap(b, whole) }

// AppendJSON writes the same document behind dst, without making it in another form first; rawData keeps the record in it as text.
// A document that is normalized already is appended as it is.
func AppendJSON(dst, b []byte, rawData bool) ([]byte, error) {
	d := drafts.Get().(*draft)
	defer d.release(len(b))
	doc, kind, err := d.normalize(b, whole)
	if err != nil {
		return nil, err
	}
	if kind == Normalized {
		return append(dst, b...), nil
	}
	if rawData {
		doc.text("raw_data", view(b))
	}
	return doc.appendJSON(dst), nil
}

func asMap(b []byte, parts extent) (map[string]any, error) {
	d := drafts.Get().(*draft)
	defer d.release(len(b))
	doc, _, err := d.normalize(b, parts)
	if err != nil {
		return nil, err
	}
	return doc.asMap(), nil
}

// Event gives the event of the record b: its OCSF document, and the record itself for `raw.<path>`.
// What few rules ask for is built when one does, from the same bytes: b must not be changed afterwards.
func Event(b []byte) (*event.Event, error) {
	doc, err := asMap(b, lean)
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
	// They are kept for longer than the event, of whose memory they are a part.
	ev.ID, ev.Tenancy = strings.Clone(ev.ID), strings.Clone(ev.Tenancy)
	ev.Defer(func() map[string]any {
		doc, err := Normalize(b)
		if err != nil {
			return nil // cannot be, as above
		}
		return doc
	})
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
	d := drafts.Get().(*draft)
	defer d.release(len(b))
	root, kind, _, err := d.parse(b)
	if err != nil {
		return nil, err
	}
	return d.record(root, kind), nil
}

func (d *draft) normalize(b []byte, parts extent) (*object, Kind, error) {
	root, kind, eventType, err := d.parse(b)
	if err != nil {
		return nil, kind, err
	}
	var doc *object
	switch kind {
	case Normalized:
		return d.normalized(root, parts), kind, nil
	case Problem:
		doc, err = d.problem(root, parts)
	case AuditAPI, EventsService, ConnectorHub, LoggingSearch, FlowLog:
		doc, err = d.envelope(root, kind, eventType, parts)
	default:
		return nil, kind, &Error{
			Where: "the message", What: "it is neither an OCI audit event nor a Cloud Guard problem",
			Do: "map it with a mapping of its own, or route it past this step", Err: ErrKind,
		}
	}
	if err == nil && parts == whole && d.mayRepeat(root) {
		if repeated := duplicates(root); len(repeated) > 0 {
			d.warn(doc, repeated)
		}
	}
	return doc, kind, err
}

// normalized takes a document as it is; a lean one without the same parts as any other.
func (d *draft) normalized(root *fastjson.Value, parts extent) *object {
	if parts == whole {
		return d.members(root, false, nil)
	}
	request := root.Get("http_request")
	doc := d.members(root, false, func(name string, v *fastjson.Value) bool {
		return name == "unmapped" || name == "http_request" && v == request && v.Type() == fastjson.TypeObject
	})
	if objectAt(root, "http_request") != nil {
		lean := d.members(request, false, func(name string, _ *fastjson.Value) bool { return name == "http_headers" })
		doc.fields = append(doc.fields, field{name: "http_request", node: node{kind: isObject, object: lean}})
	}
	return doc
}

// warn says in the document that keys of the record stand more than once.
func (d *draft) warn(doc *object, warnings []string) {
	var unmapped *object
	for i := range doc.fields {
		if f := &doc.fields[i]; f.name == "unmapped" {
			unmapped = f.object
		}
	}
	if unmapped == nil {
		unmapped = d.object()
		doc.fields = append(doc.fields, field{name: "unmapped", node: node{kind: isObject, object: unmapped}})
	}
	unmapped.fields = slices.DeleteFunc(unmapped.fields, func(f field) bool { return f.name == "duplicate_keys" || f.name == "warnings" })
	unmapped.fixed("duplicate_keys", true)
	unmapped.list("warnings", d.texts(warnings...))
}

// parse reads b once for all: the kind and type by which Static judges are those by which the document is built.
func (d *draft) parse(b []byte) (*fastjson.Value, Kind, string, error) {
	b = withoutBOM(b)
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, Unknown, "", &Error{Where: "the message", What: "it is empty", Do: "drop empty messages before this step"}
	}
	root, err := d.parser.ParseBytes(b)
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
	return root, kind, view(eventType), nil
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
