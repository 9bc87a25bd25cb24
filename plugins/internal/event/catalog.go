package event

import (
	"slices"
	"strings"
)

// Type is what a field holds.
type Type string

// Types of fields. An array holds values of the type that its name ends with.
const (
	String    Type = "string"
	Int       Type = "int"
	Bool      Type = "bool"
	IP        Type = "ip"
	Timestamp Type = "time" // milliseconds since 1970-01-01T00:00:00Z
	Strings   Type = "array of string"
	Ints      Type = "array of int"
	Objects   Type = "array of object"
	Object    Type = "object"
	anyType   Type = "any"
)

// Field is a field of normalized events that rules may name.
type Field struct {
	// Name is its path, as rules write it.
	Name string
	// Type is what it holds.
	Type Type
	// Meaning says what it tells, in one line.
	Meaning string
	// Audit is where it comes from in an audit event, as the Audit API spells it; Problem where in a Cloud Guard problem.
	// Other envelopes hold the same under the names that `raw` gives them. Empty where the source has nothing like it.
	Audit, Problem string
	// Open is true where any path below the field may be named.
	Open bool
}

// Fields gives the catalog, in the order in which documentation shows it.
func Fields() []Field { return slices.Clone(fields) }

// FieldNamed gives the field of that name. A path below an open field is known, with the type of what stands there: any.
func FieldNamed(name string) (Field, bool) {
	if f, ok := byName[name]; ok {
		return f, true
	}
	for rest := name; ; {
		i := strings.LastIndexByte(rest, '.')
		if i < 0 {
			return Field{}, false
		}
		rest = rest[:i]
		if f, ok := byName[rest]; ok && f.Open {
			return Field{Name: name, Type: anyType, Meaning: f.Meaning, Open: true}, true
		}
	}
}

// Nearest gives the name of the field that is most like name, or "" where none is.
func Nearest(name string) string {
	lower := strings.ToLower(name)
	for _, f := range fields {
		if words(f.Name) == words(lower) || strings.HasSuffix(f.Name, "."+lower) && !strings.Contains(lower, ".") {
			return f.Name
		}
	}
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return nearest(lower, names)
}

var byName = func() map[string]Field {
	m := make(map[string]Field, len(fields))
	for _, f := range fields {
		m[f.Name] = f
	}
	return m
}()

// fields is the catalog. Parents stand before their members.
var fields = []Field{
	{Name: "time", Type: Timestamp, Meaning: "When it happened", Audit: "eventTime", Problem: "timeLastDetected"},
	{Name: "time_dt", Type: String, Meaning: "The same as text (RFC 3339, UTC)", Audit: "eventTime", Problem: "timeLastDetected"},
	{Name: "class_name", Type: String, Meaning: "What kind of event it is: `Authentication`, `Account Change`, `Group Management`, `User Access Management`, `Entity Management`, `API Activity`, `Compliance Finding`, `Detection Finding`, `Network Activity`", Audit: "eventType", Problem: "detectorId"},
	{Name: "class_uid", Type: Int, Meaning: "The number of the class: 3002, 3001, 3006, 3005, 3004, 6003, 2003, 2004, 4001", Audit: "eventType", Problem: "detectorId"},
	{Name: "category_name", Type: String, Meaning: "`Identity & Access Management`, `Application Activity`, `Findings`, `Network Activity`", Audit: "eventType", Problem: "detectorId"},
	{Name: "category_uid", Type: Int, Meaning: "The number of the category: 3, 6, 2, 4", Audit: "eventType", Problem: "detectorId"},
	{Name: "activity_name", Type: String, Meaning: "What was done: `Create`, `Read`, `Update`, `Delete`, `Logon`, `Add User`, `MFA Factor Disable`, `Add Credential`, ...", Audit: "eventType", Problem: "lifecycleDetail"},
	{Name: "activity_id", Type: Int, Meaning: "The number of the activity in its class; 99 where OCSF has none", Audit: "eventType", Problem: "lifecycleDetail"},
	{Name: "type_name", Type: String, Meaning: "Class and activity: `Authentication: Logon`", Audit: "eventType", Problem: "lifecycleDetail"},
	{Name: "type_uid", Type: Int, Meaning: "class_uid * 100 + activity_id", Audit: "eventType", Problem: "lifecycleDetail"},
	{Name: "status", Type: String, Meaning: "`Success`, `Failure` or `Unknown`; of a problem `New`, `Suppressed`, `Resolved` or `Deleted`", Audit: "data.response.status", Problem: "lifecycleDetail"},
	{Name: "status_id", Type: Int, Meaning: "The number of the status", Audit: "data.response.status", Problem: "lifecycleDetail"},
	{Name: "status_code", Type: String, Meaning: "The HTTP status", Audit: "data.response.status"},
	{Name: "status_detail", Type: String, Meaning: "Why it failed; of a problem its state as Cloud Guard names it", Audit: "data.response.payload.login_result, data.response.message", Problem: "lifecycleDetail"},
	{Name: "severity", Type: String, Meaning: "`Informational` for audit events; of a problem its risk: `Critical`, `High`, `Medium`, `Low`, `Informational` (minor)", Problem: "riskLevel"},
	{Name: "severity_id", Type: Int, Meaning: "The number of the severity: 1 to 5", Problem: "riskLevel"},
	{Name: "message", Type: String, Meaning: "What the service says in words", Audit: "data.message", Problem: "description"},
	{Name: "comment", Type: String, Meaning: "What the person wrote who closed a problem", Problem: "comment"},
	{Name: "risk_score", Type: Int, Meaning: "The risk of a problem, 0 to 100", Problem: "riskScore"},

	{Name: "metadata.uid", Type: String, Meaning: "The id of the event: it is counted once by this id", Audit: "eventId", Problem: "id, lifecycleDetail, riskLevel, timeLastDetected"},
	{Name: "metadata.event_code", Type: String, Meaning: "The event type as it came; compared without case", Audit: "eventType"},
	{Name: "metadata.tenant_uid", Type: String, Meaning: "The OCID of the tenancy", Audit: "data.compartmentId, data.identity.tenantId", Problem: "compartmentId"},
	{Name: "metadata.correlation_uid", Type: String, Meaning: "What the begin and the end of one operation share", Audit: "data.eventGroupingId"},
	{Name: "metadata.original_time", Type: String, Meaning: "The time as it came", Audit: "eventTime", Problem: "timeLastDetected"},
	{Name: "metadata.logged_time", Type: Timestamp, Meaning: "When the Logging service took it in (Connector Hub and Logging search only)", Audit: "oracle.ingestedtime"},
	{Name: "metadata.source", Type: String, Meaning: "What the record calls its source: a service or a resource", Audit: "source", Problem: "source"},
	{Name: "metadata.log_name", Type: String, Meaning: "`_Audit` for audit events"},
	{Name: "metadata.log_provider", Type: String, Meaning: "`Oracle Cloud Infrastructure`"},
	{Name: "metadata.log_version", Type: String, Meaning: "The version of the record's format", Audit: "eventTypeVersion"},
	{Name: "metadata.labels", Type: Strings, Meaning: "The labels of a problem", Problem: "labels"},
	{Name: "metadata.version", Type: String, Meaning: "The version of OCSF"},
	{Name: "metadata.product.name", Type: String, Meaning: "`OCI Audit`, `OCI Cloud Guard` or `OCI Logging`"},
	{Name: "metadata.product.vendor_name", Type: String, Meaning: "`Oracle`"},
	{Name: "metadata.profiles", Type: Strings, Meaning: "The profiles of OCSF that the document follows"},

	{Name: "api.operation", Type: String, Meaning: "The operation without its service (`UploadApiKey`), or the name of an identity domain's event (`sso.session.create.success`)", Audit: "eventType, data.additionalDetails.eventId"},
	{Name: "api.service.name", Type: String, Meaning: "The service, as the event type names it", Audit: "eventType"},
	{Name: "api.request.uid", Type: String, Meaning: "The id of the request", Audit: "data.request.id"},
	{Name: "api.response.code", Type: Int, Meaning: "The HTTP status", Audit: "data.response.status"},
	{Name: "api.response.message", Type: String, Meaning: "What the response says in words", Audit: "data.response.message"},
	{Name: "api.version", Type: String, Meaning: "The version of the API", Audit: "data.request.path"},

	{Name: "actor.user.name", Type: String, Meaning: "Who did it: lower case, without `default/` and `oracleidentitycloudservice/`", Audit: "data.identity.principalName, data.additionalDetails.actorName"},
	{Name: "actor.user.uid", Type: String, Meaning: "The OCID of who did it", Audit: "data.identity.principalId, data.additionalDetails.actorId"},
	{Name: "actor.user.type", Type: String, Meaning: "`User`, `Service` (instances, functions, services) or `Unknown`", Audit: "data.identity.principalId"},
	{Name: "actor.user.type_id", Type: Int, Meaning: "The number of the type: 1, 4 or 0", Audit: "data.identity.principalId"},
	{Name: "actor.user.domain", Type: String, Meaning: "The identity domain of who did it, in lower case", Audit: "data.additionalDetails.domainDisplayName"},
	{Name: "actor.user.credential_uid", Type: String, Meaning: "The fingerprint of the API key that signed the call", Audit: "data.identity.credentials"},
	{Name: "actor.session.uid", Type: String, Meaning: "The session of the console", Audit: "data.identity.consoleSessionId"},
	{Name: "actor.invoked_by", Type: String, Meaning: "The service that called on behalf of the actor", Audit: "data.identity.callerName"},
	{Name: "actor.app_name", Type: String, Meaning: "What called, where nobody is named", Audit: "source"},

	{Name: "user.name", Type: String, Meaning: "Whom it was done to; in Authentication who signs in. One spelling, as actor.user.name", Audit: "by operation: data.resourceName, data.response.payload, data.additionalDetails, data.identity.principalName"},
	{Name: "user.uid", Type: String, Meaning: "The OCID of that user", Audit: "by operation: data.request.path, data.resourceId, data.response.payload, data.additionalDetails, data.identity.principalId"},
	{Name: "user.uid_alt", Type: String, Meaning: "The id of that user in its identity domain, where the OCID is known as well", Audit: "data.additionalDetails.adminResourceId"},
	{Name: "user.domain", Type: String, Meaning: "The identity domain of that user, in lower case", Audit: "data.additionalDetails.domainDisplayName"},
	{Name: "user.type", Type: String, Meaning: "`User` where the OCID is a user's", Audit: "data.identity.principalId"},
	{Name: "user.type_id", Type: Int, Meaning: "The number of the type", Audit: "data.identity.principalId"},
	{Name: "user.account.uid", Type: String, Meaning: "The compartment of the user, where the record names no user", Audit: "data.compartmentId"},
	{Name: "user.groups", Type: Objects, Meaning: "The groups that the statements of a policy name, or that a role is given to"},
	{Name: "user.groups.name", Type: Strings, Meaning: "Their names", Audit: "data.response.payload.statements"},
	{Name: "user.groups.uid", Type: Strings, Meaning: "Their OCIDs, where the statements have those", Audit: "data.response.payload.statements"},
	{Name: "user.groups.type", Type: Strings, Meaning: "`Group` or `Dynamic Group`", Audit: "data.response.payload.statements"},
	{Name: "group.name", Type: String, Meaning: "The group that was changed; `unknown` where the record names none", Audit: "by operation: data.resourceName, data.response.payload, data.additionalDetails"},
	{Name: "group.uid", Type: String, Meaning: "The OCID of the group", Audit: "by operation: data.resourceId, data.response.payload, data.additionalDetails"},
	{Name: "group.uid_alt", Type: String, Meaning: "The id of the group in its identity domain, where the OCID is known as well", Audit: "data.additionalDetails.adminResourceId"},
	{Name: "privileges", Type: Strings, Meaning: "The statements of a policy; the role of an application in a domain", Audit: "data.response.payload.statements, data.stateChange.current.statements, data.additionalDetails.adminResourceName"},
	{Name: "entity.name", Type: String, Meaning: "The dynamic group, identity provider, domain, application, ... that was changed", Audit: "data.resourceName, data.additionalDetails.adminResourceName"},
	{Name: "entity.uid", Type: String, Meaning: "Its OCID or id", Audit: "data.resourceId, data.additionalDetails.adminResourceOcid"},
	{Name: "entity.type", Type: String, Meaning: "What it is", Audit: "data.resourceId, data.additionalDetails.adminResourceType"},
	{Name: "resources", Type: Objects, Meaning: "What it was done to, in API Activity, User Access Management and problems"},
	{Name: "resources.uid", Type: Strings, Meaning: "OCIDs of the resources", Audit: "data.resourceId", Problem: "resourceId, impactedResourceId"},
	{Name: "resources.name", Type: Strings, Meaning: "Names of the resources", Audit: "data.resourceName", Problem: "resourceName, impactedResourceName"},
	{Name: "resources.type", Type: Strings, Meaning: "Kinds of the resources: `instance`, `policy`, ...", Audit: "data.resourceId", Problem: "resourceType, impactedResourceType"},
	{Name: "resources.region", Type: Strings, Meaning: "Regions in the OCIDs of the resources", Audit: "data.resourceId"},
	{Name: "service.name", Type: String, Meaning: "What was signed in to", Audit: "eventType"},
	{Name: "session.uid", Type: String, Meaning: "The session that a sign-in began", Audit: "data.identity.consoleSessionId, data.additionalDetails.ssoSessionId"},

	{Name: "src_endpoint.ip", Type: IP, Meaning: "The address from which it was done", Audit: "data.identity.ipAddress"},
	{Name: "src_endpoint.port", Type: Int, Meaning: "The port from which a flow came"},
	{Name: "src_endpoint.intermediate_ips", Type: Strings, Meaning: "Further addresses in the record", Audit: "data.identity.ipAddress"},
	{Name: "src_endpoint.svc_name", Type: String, Meaning: "Who called, where the record has no address", Audit: "data.identity.callerName, data.identity.principalName, source"},
	{Name: "dst_endpoint.ip", Type: IP, Meaning: "The address to which a flow went"},
	{Name: "dst_endpoint.port", Type: Int, Meaning: "The port to which a flow went"},
	{Name: "http_request.http_method", Type: String, Meaning: "The HTTP method", Audit: "data.request.action"},
	{Name: "http_request.user_agent", Type: String, Meaning: "The program that called", Audit: "data.identity.userAgent"},
	{Name: "http_request.url.path", Type: String, Meaning: "The path that was called", Audit: "data.request.path"},
	{Name: "http_request.http_headers", Type: Objects, Meaning: "The headers of the request; those that let somebody in are masked", Audit: "data.request.headers"},
	{Name: "http_request.http_headers.name", Type: Strings, Meaning: "Their names", Audit: "data.request.headers"},
	{Name: "http_request.http_headers.value", Type: Strings, Meaning: "Their values", Audit: "data.request.headers"},

	{Name: "cloud.provider", Type: String, Meaning: "`Oracle Cloud`"},
	{Name: "cloud.region", Type: String, Meaning: "The region, where the record or the OCID of the resource names it", Audit: "data.resourceId", Problem: "region"},
	{Name: "cloud.account.uid", Type: String, Meaning: "The OCID of the compartment", Audit: "data.compartmentId", Problem: "compartmentId"},
	{Name: "cloud.account.name", Type: String, Meaning: "The name of the compartment", Audit: "data.compartmentName"},
	{Name: "cloud.account.type", Type: String, Meaning: "`OCI Compartment`"},
	{Name: "cloud.account.type_id", Type: Int, Meaning: "12"},
	{Name: "cloud.org.uid", Type: String, Meaning: "The OCID of the tenancy", Audit: "data.compartmentId, data.identity.tenantId", Problem: "compartmentId"},

	{Name: "finding_info.uid", Type: String, Meaning: "The OCID of a problem", Problem: "id"},
	{Name: "finding_info.title", Type: String, Meaning: "The detector rule in words", Problem: "detectorRuleId"},
	{Name: "finding_info.desc", Type: String, Meaning: "What the problem is about", Problem: "description"},
	{Name: "finding_info.types", Type: Strings, Meaning: "`CONFIG_CHANGE` or `ACTIVITY`", Problem: "detectorId"},
	{Name: "finding_info.analytic.uid", Type: String, Meaning: "The detector rule: `BUCKET_IS_PUBLIC`", Problem: "detectorRuleId"},
	{Name: "finding_info.analytic.name", Type: String, Meaning: "The detector rule", Problem: "detectorRuleId"},
	{Name: "finding_info.analytic.type", Type: String, Meaning: "`Rule`"},
	{Name: "finding_info.analytic.type_id", Type: Int, Meaning: "1"},
	{Name: "finding_info.first_seen_time", Type: Timestamp, Meaning: "When the problem was first detected", Problem: "timeFirstDetected"},
	{Name: "finding_info.last_seen_time", Type: Timestamp, Meaning: "When the problem was last detected", Problem: "timeLastDetected"},
	{Name: "finding_info.data_sources", Type: Strings, Meaning: "`OCI Cloud Guard`"},
	{Name: "compliance.control", Type: String, Meaning: "The detector rule of a configuration problem", Problem: "detectorRuleId"},
	{Name: "compliance.standards", Type: Strings, Meaning: "Labels that name a standard", Problem: "labels"},
	{Name: "compliance.status", Type: String, Meaning: "`Fail`, or `Pass` once it is resolved", Problem: "lifecycleDetail"},
	{Name: "compliance.status_id", Type: Int, Meaning: "3 or 1", Problem: "lifecycleDetail"},
	{Name: "remediation.desc", Type: String, Meaning: "What Cloud Guard recommends", Problem: "recommendation"},

	{Name: "unmapped", Type: Object, Meaning: "What has no home in OCSF, under its own names", Audit: "data", Problem: "the record", Open: true},
	{Name: "raw", Type: Object, Meaning: "The record as the Audit API would return it, whatever envelope it came in", Audit: "the record", Problem: "the record", Open: true},
	{Name: "raw_data", Type: String, Meaning: "The record as text, where it was asked for"},
	{Name: "enrichments", Type: Objects, Meaning: "What a site adds to events", Open: true},
}
