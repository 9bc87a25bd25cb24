package sample

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operation says what an audit event of one API operation looks like.
type operation struct {
	name    string // data.eventName; an identity domain's event id for its events
	service string // the second word of the event type
	call    string // method and path; {id}, {user}, {group}, {tenancy} stand for identifiers
	kind    string // the resource's kind in its OCID; "" where the call has no single resource
	global  bool   // identity: the resource belongs to no region
	domain  string // data.eventName of an identity domain's event
	fill    func(*builder)
}

// builder holds the values of one event while its parts are made.
type builder struct {
	Options
	op       *operation
	g        generator
	resource Principal
	params   *document
	payload  *document
	details  *document
	previous *document
	current  *document
	freeform *document
	failed   bool
	method   string
	path     string
}

var defaultTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func (o Options) withDefaults() Options {
	if o.Time.IsZero() {
		o.Time = defaultTime
	}
	if o.Tenancy.ID == "" {
		o.Tenancy.ID = OCID("tenancy", "", "acme")
	}
	if o.Tenancy.Name == "" {
		o.Tenancy.Name = "acme"
	}
	if o.Region == "" {
		o.Region = "eu-frankfurt-1"
	}
	if o.Actor.Name == "" && o.Actor.ID == "" {
		o.Actor.Name = "alice@example.com"
	}
	if o.Actor.ID == "" {
		o.Actor.ID = OCID("user", "", o.Tenancy.ID, o.Actor.Name)
	}
	if o.IP == "" {
		o.IP = "203.0.113.10"
	}
	return o
}

// audit builds the event of one operation.
func audit(name string, o Options) *document {
	op, suffix, ok := find(name)
	if !ok {
		op = &operation{name: name, service: "UnknownService", call: "POST /20160918/" + name}
	}
	o = o.withDefaults()
	if o.ID == "" {
		o.ID = UUID(name, o.Tenancy.ID, o.Actor.ID, o.Actor.Name, o.Target.ID, o.Target.Name, o.Region, o.IP, o.Status,
			strconv.FormatInt(o.Time.UnixNano(), 10))
	}
	b := &builder{Options: o, op: op, g: seeded(o.ID)}
	b.prepare()
	if op.fill != nil {
		op.fill(b)
	}
	eventName, eventType := op.name, "com.oraclecloud."+op.service+"."+op.name+suffix
	if op.domain != "" {
		eventName, eventType = op.domain, "com.oraclecloud."+op.service+"."+op.domain
	}
	doc := object(
		member{"eventType", eventType},
		member{"cloudEventsVersion", "0.1"},
		member{"eventTypeVersion", "2.0"},
		member{"source", b.source()},
		member{"eventId", o.ID},
		member{"eventTime", o.Time},
		member{"contentType", "application/json"},
		member{"data", b.data(eventName)},
	)
	for _, path := range slices.Sorted(maps.Keys(o.Set)) {
		if path != "" {
			doc.assign(segments(path), o.Set[path])
		}
	}
	return doc
}

// prepare settles what the parts of the event share: outcome, resource, method and path.
func (b *builder) prepare() {
	op := b.op
	status, err := strconv.Atoi(b.Status)
	b.failed = err == nil && status >= 400 || strings.HasSuffix(op.name, ".failure")
	b.method, b.path, _ = strings.Cut(op.call, " ")
	if b.Status == "" {
		b.Status = b.success()
	}
	if op.kind != "" {
		b.resource = b.target(op.kind)
	}
	if b.Compartment.ID == "" {
		b.Compartment = Principal{Name: b.Tenancy.Name + " (root)", ID: b.Tenancy.ID}
		if !op.global {
			b.Compartment = Principal{Name: "production", ID: OCID("compartment", "", b.Tenancy.ID, "production")}
		}
	}
	if b.UserAgent == "" {
		b.UserAgent = agentOf(b)
	}
	b.path = strings.NewReplacer("{id}", b.resource.ID, "{user}", b.resource.ID, "{group}", b.group().ID,
		"{tenancy}", b.Tenancy.ID, "{name}", b.resource.Name, "{n}", "n"+b.Tenancy.Name).Replace(b.path)
	b.params, b.details = object(), object()
}

func agentOf(b *builder) string {
	if b.Console {
		return "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	}
	return "Oracle-PythonSDK/2.160.0 (python 3.11.9; x86_64-Linux)"
}

func (b *builder) success() string {
	if b.method == "DELETE" {
		return "204"
	}
	return "200"
}

// target is the resource that the options name, or one made up of the event's id.
func (b *builder) target(kind string) Principal {
	region := b.Region
	if b.op.global {
		region = ""
	}
	t := b.Target
	if t.ID == "" && t.Name == "" {
		t.Name = defaultName(kind, &b.g)
	}
	if t.ID == "" {
		t.ID = OCID(kind, region, b.Tenancy.ID, t.Name)
	}
	return t
}

func (b *builder) group() Principal {
	g := b.Group
	if g.Name == "" && g.ID == "" {
		g.Name = "Administrators"
	}
	if g.ID == "" {
		g.ID = OCID("group", "", b.Tenancy.ID, g.Name)
	}
	return g
}

func defaultName(kind string, g *generator) string {
	switch kind {
	case "user":
		return "bob@example.com"
	case "policy":
		return "operators-policy"
	case "group":
		return "Operators"
	case "bucket":
		return "invoices"
	}
	return kind + "-" + g.text(4, hexLetters)
}

func (b *builder) source() string {
	if b.resource.Name != "" && !b.op.global {
		return b.resource.Name
	}
	return b.op.service
}

func (b *builder) data(eventName string) *document {
	outcome := " succeeded"
	if b.failed {
		outcome = " failed"
	}
	message := eventName + outcome
	if said, ok := b.details.get("message").(string); ok && b.op.domain != "" {
		message = said
	}
	var resourceName, resourceID any
	refusedCreation := b.failed && b.method == "POST" && !strings.Contains(b.op.call, "{")
	if b.resource != (Principal{}) && !refusedCreation {
		resourceName, resourceID = b.resource.Name, b.resource.ID
	}
	var availability any
	if b.op.service == "ComputeApi" {
		availability = "AD" + strconv.Itoa(1+b.g.below(3))
	}
	change := object(member{"previous", nil}, member{"current", nil})
	if b.previous != nil && !b.failed {
		change.set("previous", b.previous)
	}
	if b.current != nil && !b.failed {
		change.set("current", b.current)
	}
	return object(
		member{"eventGroupingId", b.groupingID()},
		member{"eventName", eventName},
		member{"compartmentId", b.Compartment.ID},
		member{"compartmentName", b.Compartment.Name},
		member{"resourceName", resourceName},
		member{"resourceId", resourceID},
		member{"availabilityDomain", availability},
		member{"freeformTags", b.tags()},
		member{"definedTags", b.definedTags()},
		member{"identity", b.identity()},
		member{"request", b.request()},
		member{"response", b.response()},
		member{"stateChange", change},
		member{"additionalDetails", b.details},
		member{"message", message},
		member{"systemTags", nil},
		member{"securityAttributes", nil},
	)
}

func (b *builder) groupingID() string {
	return b.g.text(32, upperHex) + "/" + b.g.text(32, upperHex)
}

func (b *builder) tags() any {
	if b.freeform != nil {
		return b.freeform
	}
	return object()
}

func (b *builder) definedTags() any {
	if b.op.global || b.resource.ID == "" {
		return object()
	}
	return object(member{"Oracle-Tags", object(
		member{"CreatedBy", "default/terraform@example.com"},
		member{"CreatedOn", "2026-02-11T08:14:09.312Z"},
	)})
}

// authType follows the kind of the caller's OCID.
func (b *builder) authType() string {
	switch {
	case strings.HasPrefix(b.Actor.ID, "ocid1.instance."):
		return "instance"
	case strings.HasPrefix(b.Actor.ID, "ocid1.user.") || b.Actor.ID == "":
		return "natv"
	case strings.HasPrefix(b.Actor.ID, "ocid1.saml2idp."):
		return "fed"
	}
	return "resource"
}

func (b *builder) identity() *document {
	var credentials, session any
	switch {
	case b.Console:
		session = "csid" + b.g.text(28, hexLetters)
	case b.authType() == "natv" && b.Actor.ID != "":
		credentials = b.Tenancy.ID + "/" + b.Actor.ID + "/" + b.g.fingerprint()
	}
	var id any = b.Actor.ID
	if b.op.service == signOnService && b.failed {
		// Who fails to sign in is not known yet: the record has a name and no OCID.
		id = nil
	}
	return object(
		member{"principalName", b.Actor.Name},
		member{"principalId", id},
		member{"authType", b.authType()},
		member{"callerName", nil},
		member{"callerId", nil},
		member{"tenantId", b.Tenancy.ID},
		member{"ipAddress", b.IP},
		member{"credentials", credentials},
		member{"userAgent", b.UserAgent},
		member{"consoleSessionId", session},
	)
}

func (b *builder) request() *document {
	requestID := b.g.text(32, upperHex) + "/" + b.g.text(32, upperHex)
	params := b.params
	if strings.HasPrefix(b.method, "GET") && len(params.members) == 0 && b.op.kind == "" {
		params = object(
			member{"compartmentId", list(b.Compartment.ID)},
			member{"limit", list("100")},
		)
	}
	return object(
		member{"id", requestID},
		member{"path", b.path},
		member{"action", b.method},
		member{"parameters", params},
		member{"headers", b.headers()},
	)
}

func (b *builder) headers() *document {
	host := strings.ToLower(b.op.service) + "." + b.Region + ".oraclecloud.com"
	h := object(
		member{"Accept", list("application/json")},
		member{"Date", list(b.Time.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))},
		member{"Host", list(host)},
		member{"User-Agent", list(b.UserAgent)},
		member{"X-Real-IP", list(b.IP)},
		member{"X-Real-Port", list(strconv.Itoa(20000 + b.g.below(40000)))},
	)
	if b.Console {
		h.set("opc-console-session", list("*****"))
		h.set("Referer", list("https://cloud.oracle.com/"))
		return h
	}
	h.set("Authorization", list(`Signature algorithm="rsa-sha256",headers="date (request-target) host",keyId="*****",signature="*****",version="1"`))
	return h
}

func (b *builder) response() *document {
	payload := b.payload
	var message any
	if b.failed && b.op.domain == "" && b.op.service != signOnService {
		code, said := failure(b.Status)
		payload = object(member{"code", code}, member{"message", said})
		message = said
	}
	if payload == nil {
		payload = object()
	}
	return object(
		member{"status", b.Status},
		member{"responseTime", b.Time.Add(time.Duration(20+b.g.below(400)) * time.Millisecond)},
		member{"headers", object(
			member{"Content-Type", list("application/json")},
			member{"Content-Length", list(strconv.Itoa(2 + b.g.below(9000)))},
			member{"opc-request-id", list(b.g.text(32, upperHex))},
		)},
		member{"payload", payload},
		member{"message", message},
	)
}

// failure gives Oracle's error code and text for a status.
func failure(status string) (code, message string) {
	switch status {
	case "401":
		return "NotAuthenticated", "The required information to complete authentication was not provided or was incorrect."
	case "403":
		return "NotAllowed", "The operation is not allowed."
	case "404":
		return "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found."
	case "409":
		return "Conflict", "The resource is in a conflicting state."
	case "412":
		return "NoEtagMatch", "The if-match header did not match the resource's ETag."
	case "429":
		return "TooManyRequests", "Too many requests for the user."
	case "500":
		return "InternalServerError", "Internal error."
	}
	return "InvalidParameter", "The request holds a parameter that is not valid."
}
