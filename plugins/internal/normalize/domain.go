package normalize

import (
	"slices"
	"strings"
)

// domainOperation reads the name of an identity domain's event: area.object.verb.outcome,
// as in admin.group.add.member.success.
func domainOperation(name, service string) operation {
	op := operation{name: name, service: service, deed: deed{class: apiActivity, activity: otherActivity, other: name}}
	stem := strings.ToLower(name)
	for _, outcome := range [...]string{".success", ".failure"} {
		stem = strings.TrimSuffix(stem, outcome)
	}
	if entry, ok := domainOperations[stem]; ok {
		op.deed, op.target = entry.deed, entry.target
		return op
	}
	parts := strings.Split(stem, ".")
	if len(parts) < 3 || parts[0] != "admin" && parts[0] != "sso" {
		return op
	}
	thing, verb := parts[len(parts)-2], domainVerb(parts[len(parts)-1])
	if thing == "me" || thing == "user" {
		op.target = targetUser
	}
	switch {
	case isFactor(thing) && verb == 4:
		op.deed, op.target = deed{accountChange, 11, ""}, targetUser
	case isFactor(thing) && verb == 1:
		op.deed, op.target = deed{accountChange, 10, ""}, targetUser
	case isCredential(thing):
		op.deed, op.target = deed{accountChange, otherActivity, map[int64]string{1: addCredential, 4: removeCredential}[verb]}, targetUser
		if op.deed.other == "" {
			op.deed.other = updateCredential
		}
	case thing == "user" || thing == "me":
		op.deed = deed{accountChange, otherActivity, update}
	case parts[0] == "admin":
		op.deed, op.target = deed{entityManagement, verb, ""}, targetEntity
		if verb == otherActivity {
			op.deed.other = name
		}
	}
	return op
}

// domainOperations are the events of identity domains that have a counterpart in the control plane, or that Oracle
// names among the most important ones; keys are their names without the outcome.
var domainOperations = map[string]struct {
	deed   deed
	target target
}{
	"sso.session.create":        {deed{authentication, 1, ""}, targetSignIn},
	"sso.authentication":        {deed{authentication, 1, ""}, targetSignIn},
	"admin.authentication":      {deed{authentication, 1, ""}, targetSignIn},
	"idcs.login":                {deed{authentication, 1, ""}, targetSignIn},
	"sso.session.delete":        {deed{authentication, 2, ""}, targetSignIn},
	"sso.session.modify":        {deed{authentication, otherActivity, "Session Update"}, targetSignIn},
	"sso.app.access":            {deed{authentication, otherActivity, "Application Access"}, targetSignIn},
	"sso.auth.factor.initiated": {deed{authentication, 6, ""}, targetSignIn},

	"admin.user.create":                 {deed{accountChange, 1, ""}, targetUser},
	"admin.me.register":                 {deed{accountChange, 1, ""}, targetUser},
	"admin.user.update":                 {deed{accountChange, otherActivity, update}, targetUser},
	"admin.user.delete":                 {deed{accountChange, 6, ""}, targetUser},
	"admin.user.activate":               {deed{accountChange, 2, ""}, targetUser},
	"admin.user.activated":              {deed{accountChange, 2, ""}, targetUser},
	"admin.user.deactivate":             {deed{accountChange, 5, ""}, targetUser},
	"admin.user.deactivated":            {deed{accountChange, 5, ""}, targetUser},
	"admin.user.lock":                   {deed{accountChange, 9, ""}, targetUser},
	"admin.user.locked":                 {deed{accountChange, 9, ""}, targetUser},
	"admin.user.unlock":                 {deed{accountChange, 12, ""}, targetUser},
	"admin.user.unlocked":               {deed{accountChange, 12, ""}, targetUser},
	"admin.user.password.reset":         {deed{accountChange, 4, ""}, targetUser},
	"admin.me.password.reset":           {deed{accountChange, 4, ""}, targetUser},
	"admin.user.password.change":        {deed{accountChange, 3, ""}, targetUser},
	"admin.me.password.change":          {deed{accountChange, 3, ""}, targetUser},
	"admin.group.create":                {deed{groupManagement, 6, ""}, targetGroup},
	"admin.group.update":                {deed{groupManagement, otherActivity, update}, targetGroup},
	"admin.group.delete":                {deed{groupManagement, 5, ""}, targetGroup},
	"admin.group.add.member":            {deed{groupManagement, 3, ""}, targetMember},
	"admin.group.remove.member":         {deed{groupManagement, 4, ""}, targetMember},
	"admin.approle.add.member":          {deed{userAccess, 1, ""}, targetRole},
	"admin.approle.remove.member":       {deed{userAccess, 2, ""}, targetRole},
	"admin.grant.create":                {deed{userAccess, 1, ""}, targetRole},
	"admin.grant.delete":                {deed{userAccess, 2, ""}, targetRole},
	"admin.authenticationfactor.update": {deed{entityManagement, 3, ""}, targetEntity}, // the settings of the domain
}

// domainVerb gives the activity of Entity Management for the verb of a domain's event:
// 1 creates, 2 reads, 3 updates, 4 deletes.
func domainVerb(verb string) int64 {
	for i, prefixes := range [...][]string{
		{"create", "add", "register", "enroll", "enable", "activate", "grant"},
		{"get", "list", "read", "search"},
		{"update", "modify", "replace", "change", "patch"},
		{"delete", "remove", "unenroll", "disable", "reset", "deactivate", "revoke"},
	} {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(verb, prefix) }) {
			return int64(i + 1)
		}
	}
	return otherActivity
}

func isFactor(thing string) bool {
	return strings.Contains(thing, "factor") || strings.Contains(thing, "mfa") || thing == "device" || thing == "mydevice"
}

func isCredential(thing string) bool {
	for _, c := range [...]string{"apikey", "authtoken", "secretkey", "smtpcredential", "oauth2clientcredential", "dbcredential", "bypasscode"} {
		if strings.Contains(thing, c) {
			return true
		}
	}
	return false
}
