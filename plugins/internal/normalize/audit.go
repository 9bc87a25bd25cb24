package normalize

import (
	"net/netip"
	"slices"
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
	// identity, request, response and details are the members of data that most is read of, nil where they are missing.
	identity, request, response, details *fastjson.Value
	// oracle is the rest of the Logging service's envelope.
	oracle *fastjson.Value
	parts  extent
	*draft
}

// unwrap takes the envelope off.
func (d *draft) unwrap(root *fastjson.Value, kind Kind, eventType string, parts extent) source {
	s := source{eventType: eventType, parts: parts, draft: d}
	switch kind {
	case ConnectorHub, FlowLog, LoggingSearch:
		entry := root
		if kind == LoggingSearch {
			entry = root.Get("logContent")
		}
		s.id, s.time, s.service = str(entry, "id"), str(entry, "time"), str(entry, "source")
		s.version = str(entry, "dataschema")
		s.data, s.oracle = objectAt(entry, "data"), objectAt(entry, "oracle")
		s.tenancy, s.compartment = str(entry, "oracle", "tenantid"), str(entry, "oracle", "compartmentid")
		s.ingested, s.group = str(entry, "oracle", "ingestedtime"), str(entry, "oracle", "loggroupid")
		s.region = str(root, "regionId")
	default:
		s.id = first(str(root, "eventId"), str(root, "eventID"))
		s.time, s.service, s.version = str(root, "eventTime"), str(root, "source"), str(root, "eventTypeVersion")
		s.compartment = str(root, "extensions", "compartmentId")
		s.data = objectAt(root, "data")
	}
	if s.data == nil {
		s.data = fastjson.MustParse(`{}`) // not shared: reading an object writes to it
	}
	s.identity, s.request, s.response, s.details = s.data.Get("identity"), s.data.Get("request"), s.data.Get("response"), s.data.Get("additionalDetails")
	return s
}

// record gives the record with the names of the Audit API at its top level.
func (d *draft) record(root *fastjson.Value, kind Kind) map[string]any {
	whole := d.members(root, false, nil).asMap()
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
func (d *draft) envelope(root *fastjson.Value, kind Kind, eventType string, parts extent) (*object, error) {
	s := d.unwrap(root, kind, eventType, parts)
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
	if typeOf(eventType).known || kind == AuditAPI || kind == EventsService || s.group == logAudit || str(s.data, "eventName") != "" {
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

// common gives what every document has, but for its severity, and its metadata to be completed.
func common(s source, t event.Time, d deed, product string) (doc, metadata *object) {
	doc, metadata = s.object(), s.object()
	d.write(doc)
	doc.whole("time", int64(t))
	doc.text("time_dt", t.String())
	metadata.text("uid", s.id)
	metadata.text("event_code", s.eventType)
	metadata.fixed("version", SchemaVersion)
	about := s.object()
	about.text("name", product)
	about.fixed("vendor_name", vendor)
	metadata.object("product", about)
	metadata.list("profiles", s.texts("cloud", "datetime"))
	metadata.fixed("log_provider", "Oracle Cloud Infrastructure")
	metadata.text("original_time", s.time)
	metadata.text("log_version", s.version)
	metadata.text("source", s.service)
	metadata.time("logged_time", s.ingested)
	doc.object("metadata", metadata)
	return doc, metadata
}

// audit builds the document of an audit event.
func audit(s source, t event.Time) *object {
	op := typeOf(s.eventType).operation
	if op.domain {
		if name := str(s.details, "eventId"); name != "" {
			op = domainOperation(name, op.service)
		}
	}
	doc, metadata := common(s, t, op.deed, productAudit)
	doc.object("api", api(s, op)) // near the beginning, where Told looks for it
	setSeverity(doc, severityInformational)
	metadata.fixed("log_name", logAudit)
	metadata.text("correlation_uid", str(s.data, "eventGroupingId"))
	doc.text("message", first(str(s.data, "message"), str(s.response, "message")))
	w := whereOf(s)
	w.write(s.draft, doc, metadata)
	doc.object("actor", actor(s))
	doc.object("src_endpoint", sourceEndpoint(s))
	setStatus(doc, s, op.name)
	doc.object("http_request", httpRequest(s))
	setTarget(doc, s, op, w)
	if s.parts == whole {
		doc.object("unmapped", rest(s, op))
	}
	return doc
}

// actor says who did it.
func actor(s source) *object {
	user := s.object()
	uid := first(str(s.identity, "principalId"), str(s.details, "actorId"))
	name, domain := splitUser(first(str(s.identity, "principalName"), str(s.details, "actorName")))
	user.text("uid", uid)
	user.text("name", name)
	user.text("domain", first(domain, strings.ToLower(str(s.details, "domainDisplayName"))))
	a := s.object()
	if name != "" || uid != "" {
		switch {
		case strings.HasPrefix(uid, userPrefix):
			setUserType(user, 1, "User")
		case strings.HasPrefix(uid, "ocid1."), uid == "" && !strings.Contains(name, "@"):
			setUserType(user, 4, "Service")
		default:
			setUserType(user, 0, "Unknown")
		}
		user.text("credential_uid", fingerprint(str(s.identity, "credentials")))
		a.object("user", user)
	}
	a.object("session", s.just("uid", str(s.identity, "consoleSessionId")))
	a.text("invoked_by", str(s.identity, "callerName"))
	if a.empty() {
		a.text("app_name", first(s.service, unknown))
	}
	return a
}

func setUserType(user *object, id int64, name string) {
	user.whole("type_id", id)
	user.text("type", name)
}

// fingerprint gives the fingerprint in the credentials tenancy/user/fingerprint.
// Other credentials are tokens: they are not repeated.
func fingerprint(credentials string) string {
	last := credentials[strings.LastIndexByte(credentials, '/')+1:]
	const length = 16*3 - 1
	if len(last) != length {
		return ""
	}
	for i := range len(last) {
		if _, isDigit := hexDigit(last[i]); i%3 == 2 && last[i] != ':' || i%3 != 2 && !isDigit {
			return ""
		}
	}
	return strings.ToLower(last)
}

// sourceEndpoint says from where; calls within Oracle's cloud have no address.
func sourceEndpoint(s source) *object {
	endpoint := s.object()
	addresses := first(str(s.identity, "ipAddress"), str(s.details, "clientIp"), str(s.details, "clientip"))
	var on []string
	for text := range strings.SplitSeq(addresses, ",") {
		ip, ok := addressOf(strings.TrimSpace(text))
		if !ok {
			continue
		}
		if endpoint.empty() {
			endpoint.text("ip", ip)
			continue
		}
		on = append(on, ip)
	}
	if endpoint.empty() {
		endpoint.text("svc_name", first(str(s.identity, "callerName"), str(s.identity, "principalName"), s.service, unknown))
	}
	endpoint.list("intermediate_ips", s.texts(on...))
	return endpoint
}

// addressOf gives an address in its one spelling; an IPv4 address has only one.
func addressOf(text string) (string, bool) {
	if text == "" {
		return "", false // an error of ParseAddr is an allocation
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return "", false
	}
	if ip.Is4() {
		return text, true
	}
	return ip.Unmap().String(), true
}

// setStatus says whether it worked: by the end of a domain's event name, else by the HTTP status.
func setStatus(doc *object, s source, name string) {
	code := scalar(s.response, "status")
	id := int64(statusUnknown)
	switch {
	case strings.HasSuffix(name, ".success"):
		id = statusSuccess
	case strings.HasSuffix(name, ".failure"):
		id = statusFailure
	default:
		if n, ok := decimal(code); ok {
			switch {
			case n >= 200 && n < 400:
				id = statusSuccess
			case n >= 400 && n < 600:
				id = statusFailure
			}
		}
	}
	setStatusID(doc, id)
	doc.text("status_code", code)
	if id == statusFailure {
		doc.text("status_detail", first(str(s.response, "payload", "login_result"), str(s.response, "message"), str(s.data, "message")))
	}
}

func api(s source, op operation) *object {
	a := s.object()
	a.text("operation", first(op.name, str(s.data, "eventName"), unknown))
	a.object("service", s.just("name", first(op.service, s.service)))
	a.object("request", s.just("uid", str(s.request, "id")))
	response := s.object()
	if n, ok := decimal(scalar(s.response, "status")); ok {
		response.whole("code", n)
	}
	response.text("message", str(s.response, "message"))
	a.object("response", response)
	// The path begins with the version: /20160918/instances.
	if _, rest, ok := strings.Cut(str(s.request, "path"), "/"); ok {
		const length = len("20160918")
		if version, _, ok := strings.Cut(rest, "/"); ok && len(version) == length && only(version, '0', '9') {
			a.text("version", version)
		}
	}
	return a
}

// decimal reads a whole number; false for what is none.
func decimal(s string) (int64, bool) {
	if s == "" {
		return 0, false // an error is an allocation
	}
	n, err := strconv.Atoi(s)
	return int64(n), err == nil
}

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
func rest(s source, op operation) *object {
	data := s.object()
	s.data.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		name := view(key)
		parts, isMapped := mapped[name]
		switch {
		case data.has(name), isMapped && (parts == nil || v.Type() != fastjson.TypeObject):
			return
		case (name == "resourceId" || name == "resourceName") && hasResources(op.deed.class):
			return
		case v.Type() != fastjson.TypeObject:
			if n := s.pruned(v); !n.empty() {
				data.fields = append(data.fields, field{name: name, own: true, node: n})
			}
			return
		}
		o := s.members(v, true, func(part string, _ *fastjson.Value) bool { return slices.Contains(parts, part) })
		for i := range o.fields {
			if f := &o.fields[i]; f.name == "headers" && f.kind == isObject {
				mask(f.object)
			}
		}
		if !o.empty() {
			data.fields = append(data.fields, field{name: name, own: true, node: node{kind: isObject, object: o}})
		}
	})
	unmapped := s.object()
	unmapped.object("data", data)
	if s.oracle != nil {
		unmapped.object("oracle", s.members(s.oracle, false, func(name string, _ *fastjson.Value) bool { return name == "tenantid" || name == "ingestedtime" }))
	}
	return unmapped
}
