package normalize

import (
	"bytes"

	"benthos-oci/plugins/internal/event"
)

// Kind says what a record is and in which envelope it came.
type Kind uint8

// Kinds of records.
const (
	// Unknown is anything else.
	Unknown Kind = iota
	// AuditAPI is an audit event as the Audit API returns it: CloudEvents 0.1, `eventType`, `eventId`.
	AuditAPI
	// ConnectorHub is a log entry as Connector Hub delivers it: CloudEvents 1.0, `type`, `id`, `oracle`.
	ConnectorHub
	// LoggingSearch is a result of a Logging search: the same in `logContent`.
	LoggingSearch
	// EventsService is an event as a rule of the Events service delivers it: as AuditAPI, but `eventID`.
	EventsService
	// Problem is a Cloud Guard problem as its API returns it.
	Problem
	// FlowLog is a VCN flow log record in the envelope of ConnectorHub.
	FlowLog
	// Normalized is an OCSF document.
	Normalized
)

var kindNames = [...]string{"unknown", "audit_api", "connector_hub", "logging_search", "events_service", "problem", "flow_log", "normalized"}

// String gives the kind in lower case with underscores.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

const (
	typePrefix  = "com.oraclecloud."
	flowLogType = "com.oraclecloud.vcn.flowlogs.DataEvent"
)

// Scan says what b is and gives its event type, by looking at the names at its top level only.
// It stops as soon as it knows, allocates nothing (but for a type that is written with escapes), and never panics.
// The type is a part of b. What is not JSON is Unknown or anything: Normalize says so.
func Scan(b []byte) (kind Kind, eventType []byte) {
	m := members{b: withoutBOM(b)}
	kind, eventType, id := m.scan()
	if kind != AuditAPI {
		return kind, eventType
	}
	// The Audit API and the Events service differ in how they spell the id: the first spelling counts.
	for id == nameOther && m.next() {
		if n := m.name(); n == nameEventID || n == nameEventIDCapital {
			id = n
		}
	}
	if id == nameEventIDCapital {
		kind = EventsService
	}
	return kind, eventType
}

// Peek is Scan, but takes what the Events service delivers for AuditAPI: of both the same is known by their types.
// It mostly looks at the first member only.
func Peek(b []byte) (kind Kind, eventType []byte) {
	if eventType, ok := usualType(b); ok {
		return AuditAPI, eventType
	}
	m := members{b: withoutBOM(b)}
	kind, eventType, _ = m.scan()
	return kind, eventType
}

// withoutBOM cuts the mark that some programs put before text.
func withoutBOM(b []byte) []byte {
	if len(b) > 0 && b[0] == bom[0] {
		return bytes.TrimPrefix(b, bom)
	}
	return b
}

// auditBegin is how the Audit API begins each event.
const auditBegin = `{"eventType":"`

// usualType gives the type of a record that begins as the Audit API writes it, without escapes; false for any other.
func usualType(b []byte) ([]byte, bool) {
	if len(b) < len(auditBegin) || string(b[:len(auditBegin)]) != auditBegin {
		return nil, false
	}
	rest := b[len(auditBegin):]
	n := bytes.IndexByte(rest, '"')
	if n < 0 || bytes.IndexByte(rest[:n], '\\') >= 0 {
		return nil, false
	}
	return rest[:n], true
}

// usualAuditTime gives the time of a record as the Audit API writes it; false for any other.
// What stands before the time must be plain members only, without an object or an escape: then the first of that name
// is the one at the top level.
func usualAuditTime(b []byte) (event.Time, bool) {
	const near = 1024
	if _, ok := usualType(b); !ok {
		return 0, false
	}
	head := b[:min(len(b), near)]
	n := bytes.Index(head, endOfTime) // its first letter is rare, so it is found fast
	if n < 0 || !bytes.HasSuffix(head[:n], beginOfTime) ||
		bytes.IndexByte(head[1:n], '{') >= 0 || bytes.IndexByte(head[:n], '\\') >= 0 {
		return 0, false
	}
	rest, ok := bytes.CutPrefix(head[n+len(endOfTime):], beginOfValue)
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return 0, false
	}
	return usualTime(rest[:end])
}

var beginOfTime, endOfTime, beginOfValue = []byte(`"event`), []byte(`Time"`), []byte(`:"`)

// scan stops at the member that tells the kind. id is the spelling of the id, where that was passed.
func (m *members) scan() (kind Kind, eventType []byte, id name) {
	if !m.open() {
		return Unknown, nil, nameOther
	}
	for m.next() {
		switch n := m.name(); n {
		case nameEventID, nameEventIDCapital:
			if id == nameOther {
				id = n
			}
		default:
			if kind, eventType = m.kind(n); kind != Unknown {
				return kind, eventType, id
			}
		}
	}
	return Unknown, nil, id
}

// kind says what the member with that name makes of the record; Unknown where it says nothing.
func (m *members) kind(n name) (Kind, []byte) {
	switch n {
	case nameEventType:
		if m.value[0] == '"' {
			return AuditAPI, text(m.value)
		}
	case nameType:
		if m.value[0] != '"' {
			break
		}
		if t := text(m.value); hasFold(t, typePrefix) {
			return logKind(t, ConnectorHub), t
		}
	case nameLogContent:
		inner := members{b: m.value}
		for ok := inner.open(); ok && inner.next(); {
			if inner.name() == nameType && inner.value[0] == '"' {
				t := text(inner.value)
				return logKind(t, LoggingSearch), t
			}
		}
	case nameDetectorRuleID, nameDetectorID:
		if m.value[0] == '"' {
			return Problem, nil
		}
	case nameClassUID:
		if c := m.value[0]; c >= '0' && c <= '9' {
			return Normalized, nil
		}
	default:
	}
	return Unknown, nil
}

func logKind(eventType []byte, envelope Kind) Kind {
	if len(eventType) == len(flowLogType) && hasFold(eventType, flowLogType) && envelope == ConnectorHub {
		return FlowLog
	}
	return envelope
}

// Told is what a normalized document says of itself, as far as most rules ask for it first.
// A field that it does not have, or not as a plain text, is nil. The texts are parts of the document.
type Told struct{ Class, Activity, EventCode, Operation []byte }

// Tell reads a normalized document without decoding it, and stops when it knows all.
func Tell(b []byte) Told {
	var t Told
	m := members{b: withoutBOM(b)}
	var seen [nameOperation + 1]bool
	left := 4
	for ok := m.open(); ok && left > 0 && m.next(); {
		n := m.name()
		if seen[n] {
			continue
		}
		switch n {
		case nameClassName:
			t.Class = m.plain()
		case nameActivityName:
			t.Activity = m.plain()
		case nameMetadata:
			t.EventCode = m.inside(nameEventCode)
		case nameAPI:
			t.Operation = m.inside(nameOperation)
		default:
			continue
		}
		seen[n] = true
		left--
	}
	return t
}

// plain gives the value as a text, nil for what is none, or is written with escapes.
func (m *members) plain() []byte {
	if m.value[0] != '"' || bytes.IndexByte(m.value, '\\') >= 0 {
		return nil
	}
	return m.value[1 : len(m.value)-1]
}

// inside gives a plain text of the value.
func (m *members) inside(want name) []byte {
	inner := members{b: m.value}
	for ok := inner.open(); ok && inner.next(); {
		if inner.name() == want {
			return inner.plain()
		}
	}
	return nil
}

// Facts gives the same for rules.
func (t Told) Facts() event.Facts {
	facts := event.Facts{}
	for name, value := range map[string][]byte{
		"class_name": t.Class, "activity_name": t.Activity, "metadata.event_code": t.EventCode, "api.operation": t.Operation,
	} {
		if value != nil {
			facts[name] = string(value)
		}
	}
	return facts
}

// AppendKey writes what tells apart documents of which different facts are known.
func (t Told) AppendKey(dst []byte) []byte {
	for _, value := range [...][]byte{t.Class, t.Activity, t.EventCode, t.Operation} {
		// A text of JSON has no control characters, so what is missing differs from what is empty.
		if value == nil {
			dst = append(dst, 1)
		}
		dst = append(append(dst, value...), 0)
	}
	return dst
}

// TimeOf gives the event time of the record b without decoding it; false where there is none.
// It is the time that Event gives.
func TimeOf(b []byte) (event.Time, bool) {
	if at, ok := usualAuditTime(b); ok {
		return at, true
	}
	m := members{b: withoutBOM(b)}
	kind := Unknown
	// The first members of these names; which of them counts is known when the kind is, and that may stand behind them.
	var eventTime, plain, detected, content []byte
	for ok := m.open(); ok && m.next(); {
		n := m.name()
		switch n {
		case nameEventTime:
			keepFirst(&eventTime, m.value)
		case nameTime:
			keepFirst(&plain, m.value)
		case nameTimeLastDetected:
			keepFirst(&detected, m.value)
		case nameLogContent:
			keepFirst(&content, m.value)
		default:
		}
		if kind == Unknown {
			kind, _ = m.kind(n)
		}
		var found []byte
		switch kind {
		case AuditAPI, EventsService:
			found = eventTime
		case ConnectorHub, FlowLog:
			found = plain
		case LoggingSearch:
			return timeMember(content, nameTime)
		case Problem:
			found = detected
		case Normalized:
			if plain != nil {
				return numberTime(string(plain))
			}
		case Unknown:
		}
		if found != nil {
			return quotedTime(found)
		}
	}
	return 0, false
}

func keepFirst(value *[]byte, v []byte) {
	if *value == nil {
		*value = v
	}
}

func timeMember(b []byte, want name) (event.Time, bool) {
	m := members{b: b}
	for ok := m.open(); ok && m.next(); {
		if m.name() == want {
			return quotedTime(m.value)
		}
	}
	return 0, false
}

// quotedTime reads a JSON string.
func quotedTime(value []byte) (event.Time, bool) {
	if value[0] != '"' {
		return 0, false
	}
	t := text(value)
	if at, ok := usualTime(t); ok {
		return at, true
	}
	return parseTime(string(t))
}
