package normalize

import (
	"maps"
	"strings"

	"benthos-oci/plugins/internal/event"
)

// operation is what an event type alone says about an event.
type operation struct {
	// name is the operation as rules write it: the last part of the type, without .begin and .end.
	name string
	// service is the part of the type before the operation.
	service string
	deed    deed
	target  target
	// domain is true where the record may be the event of an identity domain, which has its name elsewhere:
	// then the deed is only known when the record is read.
	domain bool
}

// target says where an operation names what it is done to.
type target uint8

const (
	targetResource   target = iota // resourceId and resourceName
	targetUser                     // the user itself
	targetCredential               // something that belongs to a user: the user is in the path, the response or the parameters
	targetMember                   // a user and a group
	targetGroup                    // the group itself
	targetPolicy                   // statements
	targetRole                     // a role of an application, and the user or group that gets or loses it
	targetEntity                   // another entity of IAM
	targetSignIn                   // who signs in
)

const (
	addCredential    = "Add Credential"
	updateCredential = "Update Credential"
	removeCredential = "Remove Credential"
	update           = "Update"
)

// identityOperations are the operations of IAM that change or use identities; every other operation is an API Activity.
// Keys are in lower case.
var identityOperations = map[string]struct {
	deed   deed
	target target
}{
	"interactivelogin":         {deed{authentication, 1, ""}, targetSignIn},
	"login":                    {deed{authentication, 1, ""}, targetSignIn},
	"receivesamlspssoresponse": {deed{authentication, 1, ""}, targetSignIn},
	"receivesamlspssoresonse":  {deed{authentication, 1, ""}, targetSignIn}, // as some releases spell it
	"loginsessionrefresh":      {deed{authentication, otherActivity, "Session Update"}, targetSignIn},
	"logout":                   {deed{authentication, 2, ""}, targetSignIn},
	"interactivelogout":        {deed{authentication, 2, ""}, targetSignIn},

	"createuser":             {deed{accountChange, 1, ""}, targetUser},
	"createidpuser":          {deed{accountChange, 1, ""}, targetUser},
	"updateuser":             {deed{accountChange, otherActivity, update}, targetUser},
	"updateidpuser":          {deed{accountChange, otherActivity, update}, targetUser},
	"deleteuser":             {deed{accountChange, 6, ""}, targetUser},
	"deleteidpuser":          {deed{accountChange, 6, ""}, targetUser},
	"updateuserstate":        {deed{accountChange, 12, ""}, targetUser}, // all it can do is to unblock
	"updateusercapabilities": {deed{accountChange, otherActivity, "Update Capabilities"}, targetUser},

	"createorresetuipassword":         {deed{accountChange, 4, ""}, targetCredential},
	"createorupdateuiconsolepassword": {deed{accountChange, 4, ""}, targetCredential},
	"resetidpscimclient":              {deed{entityManagement, 3, ""}, targetEntity},
	"updateuipassword":                {deed{accountChange, 3, ""}, targetCredential},
	"createmfatotpdevice":             {deed{accountChange, otherActivity, addCredential}, targetCredential}, // inactive until activated
	"generatetotpseed":                {deed{accountChange, otherActivity, updateCredential}, targetCredential},
	"activatemfatotpdevice":           {deed{accountChange, 10, ""}, targetCredential},
	"deletemfatotpdevice":             {deed{accountChange, 11, ""}, targetCredential},
	"uploadapikey":                    {deed{accountChange, otherActivity, addCredential}, targetCredential},
	"deleteapikey":                    {deed{accountChange, otherActivity, removeCredential}, targetCredential},

	"creategroup":         {deed{groupManagement, 6, ""}, targetGroup},
	"updategroup":         {deed{groupManagement, otherActivity, update}, targetGroup},
	"deletegroup":         {deed{groupManagement, 5, ""}, targetGroup},
	"addusertogroup":      {deed{groupManagement, 3, ""}, targetMember},
	"removeuserfromgroup": {deed{groupManagement, 4, ""}, targetMember},

	"createpolicy": {deed{userAccess, 1, ""}, targetPolicy},
	"updatepolicy": {deed{userAccess, otherActivity, "Update Privileges"}, targetPolicy},
	"deletepolicy": {deed{userAccess, 2, ""}, targetPolicy},

	"addidpgroupmapping":    {deed{entityManagement, 1, ""}, targetEntity},
	"removeidpgroupmapping": {deed{entityManagement, 4, ""}, targetEntity},
	"activatedomain":        {deed{entityManagement, 10, ""}, targetEntity},
	"deactivatedomain":      {deed{entityManagement, 11, ""}, targetEntity},
}

func init() {
	// Credentials and entities of IAM that are created, updated and deleted alike.
	for _, thing := range []string{
		"authtoken", "swiftpassword", "customersecretkey", "smtpcredential", "oauthclientcredential",
		"oauth2clientcredential", "dbcredential",
	} {
		for verb, activity := range map[string]string{"create": addCredential, "update": updateCredential, "delete": removeCredential} {
			entry := identityOperations[verb+thing]
			entry.deed, entry.target = deed{accountChange, otherActivity, activity}, targetCredential
			identityOperations[verb+thing] = entry
		}
	}
	for _, thing := range []string{
		"dynamicgroup", "identityprovider", "saml2identityprovider", "idpgroupmapping", "networksource", "authenticationpolicy", "domain",
	} {
		for verb, activity := range map[string]int64{"create": 1, "update": 3, "delete": 4} {
			entry := identityOperations[verb+thing]
			entry.deed, entry.target = deed{entityManagement, activity, ""}, targetEntity
			identityOperations[verb+thing] = entry
		}
	}
}

// verbs are how names of operations begin, with the activity of API Activity.
// The longest that fits counts, so that ListXs is not a Lis..., and no verb is hidden by a shorter one.
var verbs = map[string]int64{
	"create": 1, "launch": 1, "add": 1, "upload": 1, "insert": 1, "copy": 1, "import": 1, "generate": 1, "register": 1,
	"clone": 1, "provision": 1, "issue": 1,
	"get": 2, "list": 2, "head": 2, "search": 2, "summarize": 2, "read": 2, "describe": 2, "query": 2, "download": 2,
	"fetch": 2, "export": 2, "retrieve": 2, "lookup": 2, "check": 2, "validate": 2, "preview": 2,
	"update": 3, "change": 3, "modify": 3, "move": 3, "rename": 3, "enable": 3, "disable": 3, "attach": 3, "detach": 3,
	"start": 3, "stop": 3, "reboot": 3, "reset": 3, "restart": 3, "set": 3, "put": 3, "patch": 3, "activate": 3,
	"deactivate": 3, "assign": 3, "unassign": 3, "rotate": 3, "resize": 3, "scale": 3, "instanceaction": 3, "cancel": 3,
	"restore": 3, "bulk": 3, "connect": 3, "failover": 3, "switchover": 3, "tag": 3, "apply": 3,
	"delete": 4, "terminate": 4, "remove": 4, "purge": 4, "schedule": 4, "deregister": 4, "unregister": 4, "revoke": 4, "abort": 4,
}

// verbOf gives the activity that the beginning of an operation's name stands for.
func verbOf(lowerName string) int64 {
	for n := min(len(lowerName), longestVerb); n > 1; n-- {
		if activity, ok := verbs[lowerName[:n]]; ok {
			return activity
		}
	}
	return otherActivity
}

var longestVerb = func() int {
	most := 0
	for v := range verbs {
		most = max(most, len(v))
	}
	return most
}()

// operationOf reads an event type.
// It sees nothing but the type, so what it says holds for every record of that type.
func operationOf(eventType string) operation {
	known, isKnown := event.OperationOfType(eventType)
	rest := eventType
	if len(rest) >= len(typePrefix) && strings.EqualFold(rest[:len(typePrefix)], typePrefix) {
		rest = rest[len(typePrefix):]
	}
	rest = withoutPhase(rest)
	op := operation{name: rest}
	if i := strings.LastIndexByte(rest, '.'); i >= 0 {
		op.service, op.name = rest[:i], rest[i+1:]
	}
	lowerName := strings.ToLower(op.name)
	if isKnown && known.Name != "" { // what Cloud Guard announces is no operation
		op.service, op.name = known.Service, known.Name
	}
	if isControlPlane(op.service) {
		if entry, ok := identityOperations[lowerName]; ok {
			op.deed, op.target = entry.deed, entry.target
			return op
		}
	}
	op.deed = deed{class: apiActivity, activity: verbOf(lowerName)}
	if op.deed.activity == otherActivity {
		op.deed.other = op.name
	}
	op.domain = isDomain(op.service) || isControlPlane(op.service) && !isKnown
	return op
}

// withoutPhase cuts the end of the types of long operations, which are reported twice.
func withoutPhase(s string) string {
	for _, phase := range [...]string{".begin", ".end"} {
		if n := len(s) - len(phase); n > 0 && strings.EqualFold(s[n:], phase) {
			return s[:n]
		}
	}
	return s
}

// isControlPlane tells the services of IAM and of the sign-on before identity domains.
func isControlPlane(service string) bool {
	switch strings.ToLower(service) {
	case "identitycontrolplane", "identity", "identitysignon", "consolesignon":
		return true
	}
	return false
}

// isDomain tells the services whose records may be events of identity domains.
// Oracle does not document how the type of such an event is spelled, only where its own name stands.
func isDomain(service string) bool {
	s := strings.ToLower(service)
	return (strings.HasPrefix(s, "identity") || strings.HasPrefix(s, "idcs")) && !isControlPlane(service)
}

// isProblem tells the types by which Cloud Guard reports problems through the Events service.
func isProblem(eventType string) bool {
	const prefix = typePrefix + "cloudguard.problem"
	return len(eventType) > len(prefix) && strings.EqualFold(eventType[:len(prefix)], prefix)
}

// Static gives the fields that every record of this kind and type has with the same value in its document.
// A field that could differ is not among them.
func Static(kind Kind, eventType string) event.Facts {
	switch kind {
	case AuditAPI, EventsService, ConnectorHub, LoggingSearch:
	case Problem:
		return event.Facts{
			"category_uid": complianceFinding.category, "category_name": complianceFinding.categoryName,
			"metadata.version": SchemaVersion, "metadata.product.name": productCloudGuard,
		}
	case FlowLog:
		return event.Facts{"metadata.version": SchemaVersion, "metadata.event_code": eventType}
	case Unknown, Normalized:
		return nil
	}
	facts := event.Facts{"metadata.version": SchemaVersion}
	if eventType != "" {
		facts["metadata.event_code"] = eventType
	}
	if isProblem(eventType) {
		facts["category_uid"], facts["category_name"] = complianceFinding.category, complianceFinding.categoryName
		facts["metadata.product.name"] = productCloudGuard
		return facts
	}
	t := typeOf(eventType)
	if !t.known && (kind == ConnectorHub || kind == LoggingSearch) {
		return facts // may be the log of a service
	}
	facts["metadata.product.name"] = productAudit
	op := t.operation
	if op.domain {
		return facts
	}
	if op.name != "" {
		facts["api.operation"] = op.name
	}
	if op.service != "" {
		facts["api.service.name"] = op.service
	}
	maps.Copy(facts, op.deed.facts())
	return facts
}
