package sample

// identityService is how the Audit API spells the IAM control plane.
const identityService = "identityControlPlane"

// identityOperations are those of the IAM control plane that change who may do what, and a few of its reads.
var identityOperations = []operation{
	{name: "UploadApiKey", service: identityService, call: "POST /20160918/users/{user}/apiKeys", kind: "user", global: true, fill: apiKey},
	{name: "DeleteApiKey", service: identityService, call: "DELETE /20160918/users/{user}/apiKeys/*****", kind: "user", global: true},
	{name: "CreateAuthToken", service: identityService, call: "POST /20160918/users/{user}/authTokens", kind: "user", global: true, fill: credential},
	{name: "DeleteAuthToken", service: identityService, call: "DELETE /20160918/users/{user}/authTokens/*****", kind: "user", global: true},
	{name: "CreateCustomerSecretKey", service: identityService, call: "POST /20160918/users/{user}/customerSecretKeys", kind: "user", global: true, fill: credential},
	{name: "DeleteCustomerSecretKey", service: identityService, call: "DELETE /20160918/users/{user}/customerSecretKeys/*****", kind: "user", global: true},
	{name: "CreateSmtpCredential", service: identityService, call: "POST /20160918/users/{user}/smtpCredentials", kind: "user", global: true, fill: credential},
	{name: "CreateOrResetUIPassword", service: identityService, call: "POST /20160918/users/{user}/uiPassword", kind: "user", global: true, fill: credential},
	{name: "CreateMfaTotpDevice", service: identityService, call: "POST /20160918/users/{user}/mfaTotpDevices", kind: "user", global: true, fill: credential},
	{name: "ActivateMfaTotpDevice", service: identityService, call: "POST /20160918/users/{user}/mfaTotpDevices/device/actions/activate", kind: "user", global: true, fill: credential},
	{name: "DeleteMfaTotpDevice", service: identityService, call: "DELETE /20160918/users/{user}/mfaTotpDevices/device", kind: "user", global: true},

	{name: "CreateUser", service: identityService, call: "POST /20160918/users", kind: "user", global: true, fill: created},
	{name: "CreateIdpUser", service: identityService, call: "POST /20160918/users", kind: "user", global: true, fill: created},
	{name: "UpdateUser", service: identityService, call: "PUT /20160918/users/{user}", kind: "user", global: true, fill: created},
	{name: "UpdateUserState", service: identityService, call: "PUT /20160918/users/{user}/state", kind: "user", global: true, fill: created},
	{name: "UpdateUserCapabilities", service: identityService, call: "PUT /20160918/users/{user}/capabilities", kind: "user", global: true, fill: capabilities},
	{name: "DeleteUser", service: identityService, call: "DELETE /20160918/users/{user}", kind: "user", global: true},
	{name: "DeleteIdpUser", service: identityService, call: "DELETE /20160918/users/{user}", kind: "user", global: true},

	{name: "AddUserToGroup", service: identityService, call: "POST /20160918/userGroupMemberships", kind: "user", global: true, fill: membership},
	{name: "RemoveUserFromGroup", service: identityService, call: "DELETE /20160918/userGroupMemberships/{id}", kind: "user", global: true, fill: membershipRemoved},
	{name: "CreateGroup", service: identityService, call: "POST /20160918/groups", kind: "group", global: true, fill: created},
	{name: "UpdateGroup", service: identityService, call: "PUT /20160918/groups/{id}", kind: "group", global: true, fill: created},
	{name: "DeleteGroup", service: identityService, call: "DELETE /20160918/groups/{id}", kind: "group", global: true},
	{name: "CreateDynamicGroup", service: identityService, call: "POST /20160918/dynamicGroups", kind: "dynamicgroup", global: true, fill: dynamicGroup},
	{name: "UpdateDynamicGroup", service: identityService, call: "PUT /20160918/dynamicGroups/{id}", kind: "dynamicgroup", global: true, fill: dynamicGroup},
	{name: "DeleteDynamicGroup", service: identityService, call: "DELETE /20160918/dynamicGroups/{id}", kind: "dynamicgroup", global: true},

	{name: "CreatePolicy", service: identityService, call: "POST /20160918/policies", kind: "policy", global: true, fill: policy},
	{name: "UpdatePolicy", service: identityService, call: "PUT /20160918/policies/{id}", kind: "policy", global: true, fill: policy},
	{name: "DeletePolicy", service: identityService, call: "DELETE /20160918/policies/{id}", kind: "policy", global: true},
	{name: "UpdateAuthenticationPolicy", service: identityService, call: "PUT /20160918/authenticationPolicies/{tenancy}", kind: "authenticationpolicy", global: true},

	{name: "CreateIdentityProvider", service: identityService, call: "POST /20160918/identityProviders", kind: "saml2idp", global: true, fill: created},
	{name: "UpdateIdentityProvider", service: identityService, call: "PUT /20160918/identityProviders/{id}", kind: "saml2idp", global: true, fill: created},
	{name: "DeleteIdentityProvider", service: identityService, call: "DELETE /20160918/identityProviders/{id}", kind: "saml2idp", global: true},
	{name: "AddIdpGroupMapping", service: identityService, call: "POST /20160918/identityProviders/idp/groupMappings", kind: "idpgroupmapping", global: true, fill: mapping},
	{name: "CreateIdpGroupMapping", service: identityService, call: "POST /20160918/identityProviders/idp/groupMappings", kind: "idpgroupmapping", global: true, fill: mapping},
	{name: "UpdateIdpGroupMapping", service: identityService, call: "PUT /20160918/identityProviders/idp/groupMappings/{id}", kind: "idpgroupmapping", global: true, fill: mapping},
	{name: "RemoveIdpGroupMapping", service: identityService, call: "DELETE /20160918/identityProviders/idp/groupMappings/{id}", kind: "idpgroupmapping", global: true},
	{name: "DeleteIdpGroupMapping", service: identityService, call: "DELETE /20160918/identityProviders/idp/groupMappings/{id}", kind: "idpgroupmapping", global: true},

	{name: "CreateCompartment", service: identityService, call: "POST /20160918/compartments", kind: "compartment", global: true, fill: created},
	{name: "UpdateCompartment", service: identityService, call: "PUT /20160918/compartments/{id}", kind: "compartment", global: true, fill: created},
	{name: "MoveCompartment", service: identityService, call: "POST /20160918/compartments/{id}/actions/moveCompartment", kind: "compartment", global: true},
	{name: "DeleteCompartment", service: identityService, call: "DELETE /20160918/compartments/{id}", kind: "compartment", global: true},
	{name: "CreateNetworkSource", service: identityService, call: "POST /20160918/networkSources", kind: "networksource", global: true, fill: created},

	{name: "ListUsers", service: identityService, call: "GET /20160918/users", global: true},
	{name: "GetUser", service: identityService, call: "GET /20160918/users/{user}", kind: "user", global: true},
	{name: "ListApiKeys", service: identityService, call: "GET /20160918/users/{user}/apiKeys", kind: "user", global: true},
	{name: "ListMfaTotpDevices", service: identityService, call: "GET /20160918/users/{user}/mfaTotpDevices", kind: "user", global: true},
	{name: "ListGroups", service: identityService, call: "GET /20160918/groups", global: true},
	{name: "GetGroup", service: identityService, call: "GET /20160918/groups/{id}", kind: "group", global: true},
	{name: "ListUserGroupMemberships", service: identityService, call: "GET /20160918/userGroupMemberships", global: true},
	{name: "ListPolicies", service: identityService, call: "GET /20160918/policies", global: true},
	{name: "GetPolicy", service: identityService, call: "GET /20160918/policies/{id}", kind: "policy", global: true},
	{name: "ListDynamicGroups", service: identityService, call: "GET /20160918/dynamicGroups", global: true},
	{name: "ListTagNamespaces", service: identityService, call: "GET /20160918/tagNamespaces", global: true},
	{name: "ListAvailabilityDomains", service: identityService, call: "GET /20160918/availabilityDomains", global: true},
	{name: "ListCompartments", service: "Compartments", call: "GET /20160918/compartments", global: true},
	{name: "GetCompartment", service: "Compartments", call: "GET /20160918/compartments/{id}", kind: "compartment", global: true},
	{name: "GetTenancy", service: "Compartments", call: "GET /20160918/tenancies/{tenancy}", global: true},
	{name: "ListRegionSubscriptions", service: "Compartments", call: "GET /20160918/tenancies/{tenancy}/regionSubscriptions", global: true},
}

// described is what the API answers about a resource that it made or changed.
func described(b *builder) *document {
	return object(
		member{"id", b.resource.ID},
		member{"compartmentId", b.Tenancy.ID},
		member{"name", b.resource.Name},
		member{"description", "Made by " + b.Actor.Name},
		member{"timeCreated", b.Time},
		member{"lifecycleState", "ACTIVE"},
		member{"freeformTags", object()},
		member{"definedTags", object()},
	)
}

func created(b *builder) {
	b.payload = described(b)
	b.current = object(member{"name", b.resource.Name}, member{"lifecycleState", "ACTIVE"})
}

func credential(b *builder) {
	b.payload = object(
		member{"id", OCID("credential", "", b.ID)},
		member{"userId", b.resource.ID},
		member{"timeCreated", b.Time},
		member{"lifecycleState", "ACTIVE"},
	)
}

// apiKey says whose key it is in the path; its id names tenancy, user and fingerprint.
func apiKey(b *builder) {
	fingerprint := b.g.fingerprint()
	b.payload = object(
		member{"keyId", b.Tenancy.ID + "/" + b.resource.ID + "/" + fingerprint},
		member{"fingerprint", fingerprint},
		member{"timeCreated", b.Time},
		member{"lifecycleState", "ACTIVE"},
		member{"inactiveStatus", nil},
	)
	b.details.set("fingerprint", fingerprint)
}

func capabilities(b *builder) {
	b.payload = described(b)
	b.previous = object(member{"capabilities", object(member{"canUseApiKeys", false}, member{"canUseConsolePassword", true})})
	b.current = object(member{"capabilities", object(member{"canUseApiKeys", true}, member{"canUseConsolePassword", true})})
}

// membership is its own resource; the user and the group stand in the answer.
func membership(b *builder) {
	b.payload = object(
		member{"id", OCID("groupmembership", "", b.resource.ID, b.group().ID)},
		member{"compartmentId", b.Tenancy.ID},
		member{"userId", b.resource.ID},
		member{"userName", b.resource.Name},
		member{"groupId", b.group().ID},
		member{"groupName", b.group().Name},
		member{"timeCreated", b.Time},
		member{"lifecycleState", "ACTIVE"},
	)
	b.member()
}

func membershipRemoved(b *builder) { b.member() }

// member notes whom a membership joins.
func (b *builder) member() {
	user := b.resource
	b.resource = Principal{Name: user.Name, ID: OCID("groupmembership", "", user.ID, b.group().ID)}
	b.path = "/20160918/userGroupMemberships"
	if b.method == "DELETE" {
		b.path += "/" + b.resource.ID
	}
	b.details.set("userId", user.ID)
	b.details.set("userName", user.Name)
	b.details.set("groupId", b.group().ID)
	b.details.set("groupName", b.group().Name)
}

func dynamicGroup(b *builder) {
	created(b)
	b.payload.set("matchingRule", "ALL {instance.compartment.id = '"+b.Tenancy.ID+"'}")
}

func policy(b *builder) {
	b.payload = described(b)
	statements := list("Allow group Operators to manage instances in compartment production",
		"Allow group Operators to use virtual-network-family in compartment production")
	b.payload.set("statements", statements)
	b.payload.set("versionDate", nil)
	b.current = object(member{"name", b.resource.Name}, member{"statements", statements})
}

func mapping(b *builder) {
	b.payload = object(
		member{"id", b.resource.ID},
		member{"idpId", OCID("saml2idp", "", b.Tenancy.ID)},
		member{"idpGroupName", "cloud-admins"},
		member{"groupId", b.group().ID},
		member{"timeCreated", b.Time},
		member{"lifecycleState", "ACTIVE"},
	)
}
