package normalize

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"benthos-oci/plugins/internal/event"
)

const (
	vendor            = "Oracle"
	provider          = "Oracle Cloud"
	productAudit      = "OCI Audit"
	productCloudGuard = "OCI Cloud Guard"
	logAudit          = "_Audit"
	tenancyPrefix     = "ocid1.tenancy."
	userPrefix        = "ocid1.user."
)

// source is a record with its envelope taken off.
type source struct {
	id, time, eventType, version string
	// service is what the envelope calls source.
	service string
	// tenancy, compartment, ingested, region and group stand in the envelopes of the Logging service only.
	tenancy, compartment, ingested, region, group string
	data                                          *fastjson.Value
	// oracle is the rest of the Logging service's envelope.
	oracle *fastjson.Value
	parts  extent
}

// unwrap takes the envelope off.
func unwrap(root *fastjson.Value, kind Kind, eventType string, parts extent) source {
	s := source{eventType: eventType, parts: parts}
	switch kind {
	case ConnectorHub, FlowLog, LoggingSearch:
		entry := root
		if kind == LoggingSearch {
			entry = root.Get("logContent")
		}
		s.id, s.time, s.service = str(entry, "id"), str(entry, "time"), str(entry, "source")
		s.version = str(entry, "dataschema")
		s.data, s.oracle = object(entry, "data"), object(entry, "oracle")
		s.tenancy, s.compartment = str(entry, "oracle", "tenantid"), str(entry, "oracle", "compartmentid")
		s.ingested, s.group = str(entry, "oracle", "ingestedtime"), str(entry, "oracle", "loggroupid")
		s.region = str(root, "regionId")
	default:
		s.id = first(str(root, "eventId"), str(root, "eventID"))
		s.time, s.service, s.version = str(root, "eventTime"), str(root, "source"), str(root, "eventTypeVersion")
		s.compartment = str(root, "extensions", "compartmentId")
		s.data = object(root, "data")
	}
	if s.data == nil {
		s.data = fastjson.MustParse(`{}`) // not shared: reading an object writes to it
	}
	return s
}

// record gives the record with the names of the Audit API at its top level.
func record(root *fastjson.Value, kind Kind) map[string]any {
	whole, _ := decode(root).(map[string]any)
	switch kind {
	case EventsService:
		return rename(whole, map[string]string{"eventID": "eventId"})
	case LoggingSearch:
		inner, _ := whole["logContent"].(map[string]any)
		return rename(inner, logNames)
	case ConnectorHub, FlowLog:
		return rename(whole, logNames)
	case Normalized:
		raw, _ := whole["raw_data"].(string)
		inner, err := Record([]byte(raw))
		if err != nil {
			return nil
		}
		return inner
	default:
		return whole
	}
}

var logNames = map[string]string{
	"id": "eventId", "time": "eventTime", "type": "eventType", "specversion": "cloudEventsVersion", "dataschema": "eventTypeVersion",
}

func rename(m map[string]any, names map[string]string) map[string]any {
	renamed := make(map[string]any, len(m))
	for name, value := range m {
		if to, ok := names[name]; ok {
			name = to
		}
		renamed[name] = value
	}
	return renamed
}

// envelope builds the document of a record that came in an envelope.
func envelope(root *fastjson.Value, kind Kind, eventType string, parts extent) (map[string]any, error) {
	s := unwrap(root, kind, eventType, parts)
	t, ok := parseTime(s.time)
	if !ok {
		return nil, timeError(kind, s.time)
	}
	switch {
	case isProblem(eventType):
		return problemEvent(s, t), nil
	case kind == FlowLog:
		return flow(s, t), nil
	}
	_, known := event.OperationOfType(eventType)
	if known || kind == AuditAPI || kind == EventsService || s.group == logAudit || str(s.data, "eventName") != "" {
		return audit(s, t), nil
	}
	return serviceLog(s, t), nil
}

func timeError(kind Kind, value string) *Error {
	where := map[Kind]string{
		AuditAPI: "eventTime", EventsService: "eventTime", ConnectorHub: "time", FlowLog: "time",
		LoggingSearch: "logContent.time", Problem: "timeLastDetected",
	}[kind]
	e := &Error{Where: "`" + where + "`", What: "it is missing", Do: "send the record as Oracle delivered it, with its time"}
	if value != "" {
		e.What = "it is no time"
		e.Do = "the time must be written as in 2026-11-21T10:30:00.000Z, not " + strconv.Quote(clip(value))
	}
	return e
}

// clip keeps quotes of a record short.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// common gives what every document has.
func common(s source, t event.Time, d deed, product string) map[string]any {
	doc := d.facts()
	doc["time"] = int64(t)
	doc["time_dt"] = t.String()
	setSeverity(doc, severityInformational)
	metadata := map[string]any{
		"version":      SchemaVersion,
		"product":      map[string]any{"name": product, "vendor_name": vendor},
		"profiles":     []any{"cloud", "datetime"},
		"log_provider": "Oracle Cloud Infrastructure",
	}
	set(metadata, "uid", s.id)
	set(metadata, "event_code", s.eventType)
	set(metadata, "original_time", s.time)
	set(metadata, "log_version", s.version)
	set(metadata, "source", s.service)
	setTime(metadata, "logged_time", s.ingested)
	doc["metadata"] = metadata
	return doc
}

// audit builds the document of an audit event.
func audit(s source, t event.Time) map[string]any {
	op := operationOf(s.eventType)
	if op.domain {
		if name := str(s.data, "additionalDetails", "eventId"); name != "" {
			op = domainOperation(name, op.service)
		}
	}
	doc := common(s, t, op.deed, productAudit)
	metadata := child(doc, "metadata")
	metadata["log_name"] = logAudit
	set(metadata, "correlation_uid", str(s.data, "eventGroupingId"))
	set(doc, "message", first(str(s.data, "message"), str(s.data, "response", "message")))
	w := whereOf(s)
	w.write(doc)
	doc["actor"] = actor(s)
	doc["src_endpoint"] = sourceEndpoint(s)
	setStatus(doc, s, op.name)
	doc["api"] = api(s, op)
	set(doc, "http_request", httpRequest(s))
	setTarget(doc, s, op, w)
	if s.parts == whole {
		set(doc, "unmapped", rest(s, op))
	}
	return doc
}

// actor says who did it.
func actor(s source) map[string]any {
	identity, details := s.data.Get("identity"), s.data.Get("additionalDetails")
	user := map[string]any{}
	uid := first(str(identity, "principalId"), str(details, "actorId"))
	name, domain := splitUser(first(str(identity, "principalName"), str(details, "actorName")))
	set(user, "uid", uid)
	set(user, "name", name)
	set(user, "domain", first(domain, strings.ToLower(str(details, "domainDisplayName"))))
	if name != "" || uid != "" {
		switch {
		case strings.HasPrefix(uid, userPrefix):
			user["type_id"], user["type"] = int64(1), "User"
		case strings.HasPrefix(uid, "ocid1."), uid == "" && !strings.Contains(name, "@"):
			user["type_id"], user["type"] = int64(4), "Service"
		default:
			user["type_id"], user["type"] = int64(0), "Unknown"
		}
		set(user, "credential_uid", fingerprint(str(identity, "credentials")))
	}
	a := map[string]any{}
	if name != "" || uid != "" {
		a["user"] = user
	}
	if session := str(identity, "consoleSessionId"); session != "" {
		a["session"] = map[string]any{"uid": session}
	}
	set(a, "invoked_by", str(identity, "callerName"))
	if len(a) == 0 {
		a["app_name"] = first(s.service, unknown)
	}
	return a
}

var fingerprintForm = regexp.MustCompile(`^([0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2}$`)

// fingerprint gives the fingerprint in the credentials tenancy/user/fingerprint.
// Other credentials are tokens: they are not repeated.
func fingerprint(credentials string) string {
	last := credentials[strings.LastIndexByte(credentials, '/')+1:]
	if fingerprintForm.MatchString(last) {
		return strings.ToLower(last)
	}
	return ""
}

// sourceEndpoint says from where; calls within Oracle's cloud have no address.
func sourceEndpoint(s source) map[string]any {
	endpoint := map[string]any{}
	addresses := first(str(s.data, "identity", "ipAddress"), str(s.data, "additionalDetails", "clientIp"), str(s.data, "additionalDetails", "clientip"))
	var on []any
	for text := range strings.SplitSeq(addresses, ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || ip.Zone() != "" {
			continue
		}
		if endpoint["ip"] == nil {
			endpoint["ip"] = ip.Unmap().String()
			continue
		}
		on = append(on, ip.Unmap().String())
	}
	set(endpoint, "intermediate_ips", on)
	if endpoint["ip"] == nil {
		endpoint["svc_name"] = first(str(s.data, "identity", "callerName"), str(s.data, "identity", "principalName"), s.service, unknown)
	}
	return endpoint
}

// setStatus says whether it worked: by the end of a domain's event name, else by the HTTP status.
func setStatus(doc map[string]any, s source, name string) {
	code := scalar(s.data, "response", "status")
	id := int64(statusUnknown)
	switch {
	case strings.HasSuffix(name, ".success"):
		id = statusSuccess
	case strings.HasSuffix(name, ".failure"):
		id = statusFailure
	default:
		if n, err := strconv.Atoi(code); err == nil {
			switch {
			case n >= 200 && n < 400:
				id = statusSuccess
			case n >= 400 && n < 600:
				id = statusFailure
			}
		}
	}
	doc["status_id"] = id
	doc["status"] = statusNames[id]
	set(doc, "status_code", code)
	if id == statusFailure {
		set(doc, "status_detail", first(str(s.data, "response", "payload", "login_result"), str(s.data, "response", "message"), str(s.data, "message")))
	}
}

func api(s source, op operation) map[string]any {
	a := map[string]any{"operation": first(op.name, str(s.data, "eventName"), unknown)}
	if service := first(op.service, s.service); service != "" {
		a["service"] = map[string]any{"name": service}
	}
	if id := str(s.data, "request", "id"); id != "" {
		a["request"] = map[string]any{"uid": id}
	}
	response := map[string]any{}
	if n, err := strconv.Atoi(scalar(s.data, "response", "status")); err == nil {
		response["code"] = int64(n)
	}
	set(response, "message", str(s.data, "response", "message"))
	set(a, "response", response)
	if parts := strings.SplitN(str(s.data, "request", "path"), "/", 3); len(parts) == 3 && versionForm.MatchString(parts[1]) {
		a["version"] = parts[1]
	}
	return a
}

var versionForm = regexp.MustCompile(`^\d{8}$`)

// mapped are the members of `data` that have a home in the document; nil means the whole member.
var mapped = map[string][]string{
	"eventName": nil, "compartmentId": nil, "compartmentName": nil, "eventGroupingId": nil, "message": nil,
	"identity": {
		"principalId", "principalName", "ipAddress", "userAgent", "consoleSessionId", "tenantId", "callerName",
		"credentials", // a token, or the fingerprint that is in the document
	},
	"request":  {"id", "path", "action", "headers"},
	"response": {"status", "message"},
}

// rest gives what has no home in OCSF, under its own names.
func rest(s source, op operation) map[string]any {
	data := map[string]any{}
	s.data.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		name := string(key)
		if _, twice := data[name]; twice {
			return
		}
		parts, isMapped := mapped[name]
		switch {
		case isMapped && (parts == nil || v.Type() != fastjson.TypeObject):
			return
		case (name == "resourceId" || name == "resourceName") && hasResources(op.deed.class):
			return
		}
		value := decode(v)
		if m, ok := value.(map[string]any); ok {
			for _, part := range parts {
				delete(m, part)
			}
			mask(m["headers"])
		}
		set(data, name, pruned(value))
	})
	unmapped := map[string]any{}
	set(unmapped, "data", data)
	if s.oracle != nil {
		if oracle, ok := decode(s.oracle).(map[string]any); ok {
			delete(oracle, "tenantid")
			delete(oracle, "ingestedtime")
			set(unmapped, "oracle", oracle)
		}
	}
	return unmapped
}
