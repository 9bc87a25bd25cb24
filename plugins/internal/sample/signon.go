package sample

import "strings"

// signOnService is how the Audit API spells the sign-on service that came before identity domains.
const signOnService = "IdentitySignOn"

// domainService and the event names beside it are our spelling: what is certain about an identity domain's event
// in the audit log is its own id, in data.additionalDetails.eventId.
const domainService = "IdentityDomains"

var signOnOperations = []operation{
	{name: "InteractiveLogin", service: signOnService, call: "POST /v1/interactiveLogin", global: true, fill: interactiveLogin},
	{name: "LoginSessionRefresh", service: signOnService, call: "POST /v1/loginSessionRefresh", global: true},
}

// domainOperations are events of identity domains, named by their event ids.
var domainOperations = []operation{
	{name: "sso.session.create.success", service: domainService, domain: "CreateSession", call: "POST /sso/v1/user/login", global: true, fill: signOn},
	{name: "sso.session.create.failure", service: domainService, domain: "CreateSession", call: "POST /sso/v1/user/login", global: true, fill: signOn},
	{name: "sso.authentication.failure", service: domainService, domain: "Authenticate", call: "POST /sso/v1/user/login", global: true, fill: signOn},
	{name: "sso.session.delete.success", service: domainService, domain: "DeleteSession", call: "GET /sso/v1/user/logout", global: true, fill: signOn},
	{name: "sso.session.modify.success", service: domainService, domain: "ModifySession", call: "POST /sso/v1/user/login", global: true, fill: signOn},
	{name: "sso.app.access.success", service: domainService, domain: "AccessApp", call: "GET /oauth2/v1/authorize", global: true, fill: signOn},
	{name: "sso.app.access.failure", service: domainService, domain: "AccessApp", call: "GET /oauth2/v1/authorize", global: true, fill: signOn},
	{name: "sso.auth.factor.initiated", service: domainService, domain: "InitiateFactor", call: "POST /sso/v1/sdk/authenticate", global: true, fill: signOn},
	{name: "sso.bypasscode.create.success", service: domainService, domain: "CreateBypassCode", call: "POST /admin/v1/MyBypassCodes", global: true, fill: signOn},
	{name: "sso.bypasscode.delete.success", service: domainService, domain: "DeleteBypassCode", call: "DELETE /admin/v1/MyBypassCodes", global: true, fill: signOn},

	{name: "admin.user.create.success", service: domainService, domain: "CreateUser", call: "POST /admin/v1/Users", kind: "user", global: true, fill: administered},
	{name: "admin.user.create.failure", service: domainService, domain: "CreateUser", call: "POST /admin/v1/Users", kind: "user", global: true, fill: administered},
	{name: "admin.user.update.success", service: domainService, domain: "UpdateUser", call: "PATCH /admin/v1/Users/{id}", kind: "user", global: true, fill: administered},
	{name: "admin.user.delete.success", service: domainService, domain: "DeleteUser", call: "DELETE /admin/v1/Users/{id}", kind: "user", global: true, fill: administered},
	{name: "admin.user.activated.success", service: domainService, domain: "ActivateUser", call: "PUT /admin/v1/UserStatusChanger/{id}", kind: "user", global: true, fill: administered},
	{name: "admin.user.password.reset.success", service: domainService, domain: "ResetUserPassword", call: "PUT /admin/v1/UserPasswordResetter/{id}", kind: "user", global: true, fill: administered},
	{name: "admin.group.create.success", service: domainService, domain: "CreateGroup", call: "POST /admin/v1/Groups", kind: "group", global: true, fill: administered},
	{name: "admin.group.update.success", service: domainService, domain: "UpdateGroup", call: "PATCH /admin/v1/Groups/{id}", kind: "group", global: true, fill: administered},
	{name: "admin.group.delete.success", service: domainService, domain: "DeleteGroup", call: "DELETE /admin/v1/Groups/{id}", kind: "group", global: true, fill: administered},
	{name: "admin.group.add.member.success", service: domainService, domain: "AddGroupMember", call: "PATCH /admin/v1/Groups/{group}", kind: "user", global: true, fill: domainMembership},
	{name: "admin.group.remove.member.success", service: domainService, domain: "RemoveGroupMember", call: "PATCH /admin/v1/Groups/{group}", kind: "user", global: true, fill: domainMembership},
	{name: "admin.app.create.success", service: domainService, domain: "CreateApp", call: "POST /admin/v1/Apps", kind: "app", global: true, fill: administered},
	{name: "admin.app.update.success", service: domainService, domain: "UpdateApp", call: "PATCH /admin/v1/Apps/{id}", kind: "app", global: true, fill: administered},
	{name: "admin.policy.update.success", service: domainService, domain: "UpdatePolicy", call: "PUT /admin/v1/Policies/{id}", kind: "domainpolicy", global: true, fill: administered},
	{name: "admin.authenticationfactor.update.success", service: domainService, domain: "UpdateAuthenticationFactor", call: "PUT /admin/v1/AuthenticationFactorSettings/{id}", kind: "factorsettings", global: true, fill: administered},
	{name: "admin.me.password.change.success", service: domainService, domain: "ChangeMyPassword", call: "PUT /admin/v1/MePasswordChanger", global: true, fill: selfService},
	{name: "admin.me.register.success", service: domainService, domain: "RegisterMe", call: "POST /admin/v1/Me", global: true, fill: selfService},
	{name: "admin.myrequest.create.success", service: domainService, domain: "CreateMyRequest", call: "POST /admin/v1/MyRequests", global: true, fill: selfService},
}

// bare takes away what sign-on services put before a user's name.
func bare(name string) string {
	for _, prefix := range []string{"default/", "Default/", "oracleidentitycloudservice/", "OracleIdentityCloudService/"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

func interactiveLogin(b *builder) {
	result := "SUCCESS"
	if b.failed {
		result = "PASSWORD_INVALID"
	}
	b.Console = true
	b.UserAgent = agentOf(b)
	b.params = object(member{"tenant", list(b.Tenancy.Name)})
	b.payload = object(
		member{"login_input", "tenant: " + b.Tenancy.Name + ", user: " + b.Actor.Name},
		member{"login_result", result},
	)
}

// domain fills what every event of an identity domain says in data.additionalDetails.
func (b *builder) domain() {
	b.Console = true
	b.UserAgent = agentOf(b)
	d := b.details
	d.set("eventId", b.outcome())
	d.set("actorType", "User")
	d.set("actorId", b.g.text(32, hexLetters))
	d.set("actorName", bare(b.Actor.Name))
	d.set("actorDisplayName", display(bare(b.Actor.Name)))
	d.set("clientIp", b.IP)
	d.set("domainDisplayName", "Default")
	d.set("domainOcid", OCID("domain", "", b.Tenancy.ID, "Default"))
	d.set("tenantOcid", b.Tenancy.ID)
	d.set("ecId", b.g.text(14, base32Letters)+"0000000000")
	d.set("rId", "0:1:1:"+b.g.text(2, "123456789"))
	d.set("timestamp", b.Time)
	if b.failed && b.Status == "200" {
		b.Status = "401"
	}
}

// outcome is the event id; a status that says failure makes it that of the failed call.
func (b *builder) outcome() string {
	if name, ok := strings.CutSuffix(b.op.name, ".success"); ok && b.failed {
		return name + ".failure"
	}
	return b.op.name
}

func display(name string) string {
	first, _, _ := strings.Cut(name, "@")
	return strings.ReplaceAll(first, ".", " ")
}

func signOn(b *builder) {
	b.domain()
	d := b.details
	d.set("serviceName", "SSO")
	d.set("ssoIdentityProvider", "UserNamePassword")
	d.set("ssoIdentityProviderType", "LOCAL")
	d.set("ssoRp", "OCI-V2-App-"+b.Tenancy.Name)
	d.set("ssoAuthnLevel", 0)
	d.set("ssoSessionId", b.g.text(32, hexLetters))
	d.set("ssoUserAgent", b.UserAgent)
	d.set("ssoProtectedResource", "https://idcs-"+b.g.text(32, hexLetters)+".identity.oraclecloud.com/ui/v1/myconsole")
	d.set("message", "The event "+b.op.name+" was recorded.")
	if b.failed {
		d.set("reasonValue", "SSO-1001")
		d.set("message", "Authentication failure You entered an incorrect user name or password.")
	}
}

// administered names the resource as identity domains do: its id there, and its OCID beside it.
func administered(b *builder) {
	b.domain()
	kind := map[string]string{"user": "User", "group": "Group", "app": "App", "domainpolicy": "Policy", "factorsettings": "AuthenticationFactorSettings"}[b.op.kind]
	d := b.details
	d.set("serviceName", "Admin")
	d.set("adminResourceType", kind)
	d.set("adminResourceName", bare(b.resource.Name))
	d.set("adminResourceId", b.g.text(32, hexLetters))
	d.set("adminResourceOcid", b.resource.ID)
	d.set("message", kind+" "+bare(b.resource.Name)+" was changed.")
}

func domainMembership(b *builder) {
	b.domain()
	user := b.resource
	b.resource = b.group()
	d := b.details
	d.set("serviceName", "Admin")
	d.set("adminResourceType", "Group")
	d.set("adminResourceName", b.resource.Name)
	d.set("adminResourceId", b.g.text(32, hexLetters))
	d.set("adminResourceOcid", b.resource.ID)
	d.set("adminRefResourceType", "User")
	d.set("adminRefResourceName", bare(user.Name))
	d.set("adminRefResourceId", b.g.text(32, hexLetters))
	d.set("adminRefResourceOcid", user.ID)
	d.set("message", "The members of the group "+b.resource.Name+" were changed.")
}

func selfService(b *builder) {
	b.domain()
	b.details.set("serviceName", "Admin")
	b.details.set("adminResourceType", "User")
	b.details.set("adminResourceName", bare(b.Actor.Name))
	b.details.set("adminResourceOcid", b.Actor.ID)
	b.details.set("message", "The user "+bare(b.Actor.Name)+" changed their own account.")
}
