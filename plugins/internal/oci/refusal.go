package oci

import (
	"fmt"
	"strings"
)

// stranger says why Oracle does not know a key, and what to do. before is true where it has accepted it in that region.
func (id identity) stranger(what call, said string, before bool) string {
	begin := fmt.Sprintf("%s in %s was refused (%s) because Oracle ", what.operation, what.region, said)
	const elsewhere = "; Oracle says the same of a region that the tenancy is not subscribed to"
	switch {
	case id.Method == SessionToken:
		profile := strings.TrimPrefix(id.Name, "session token of profile ")
		profile, _, _ = strings.Cut(profile, " ")
		return begin + fmt.Sprintf("does not accept the %s: run `oci session refresh --profile %s`, or `oci session authenticate --profile-name %s` where the session has ended; no restart is needed%s",
			id.Name, profile, profile, elsewhere)
	case id.Method == InstancePrincipal:
		return begin + fmt.Sprintf("does not accept the token of %s there, though it has just given it: check that tenancy %s is subscribed to %s, and that the instance was not cloned or moved%s",
			id.Name, id.Tenancy, what.region, elsewhere)
	case id.Method == ResourcePrincipal:
		return begin + fmt.Sprintf("does not accept the token of %s: the platform replaces it in time where it stands in a file (%s), so check that it does%s", id.Name, envToken, elsewhere)
	case id.Method == WorkloadIdentity:
		return begin + fmt.Sprintf("does not accept the token of %s there, though the cluster has just given it: check that tenancy %s is subscribed to %s%s", id.Name, id.Tenancy, what.region, elsewhere)
	case before:
		return fmt.Sprintf("%s in %s was refused (%s) though this key was accepted before: the API key %s of user %s was deleted or its user blocked, so put a new key in the place of the old, no restart is needed",
			what.operation, what.region, said, short(id.Fingerprint), id.User)
	}
	return begin + fmt.Sprintf("knows no active API key %s of user %s in tenancy %s there: upload this key's public half to that user (Console, user, API keys), or correct auth.user, auth.tenancy or auth.region%s",
		short(id.Fingerprint), id.User, id.Tenancy, elsewhere)
}

// may gives the policy statement that lets this identity do something, of one for a group; and says who must be named in it.
func (id identity) may(statement string) (own, who, mend string) {
	group := "group SiemReaders"
	switch id.Method {
	case InstancePrincipal, ResourcePrincipal:
		return strings.Replace(statement, group, "dynamic-group SiemCollectors", 1), id.Name, "with a dynamic group that it belongs to"
	case WorkloadIdentity:
		namespace, name, ok := strings.Cut(strings.TrimPrefix(id.Name, "workload "), "/")
		if !ok {
			namespace, name = "NAMESPACE", "SERVICE_ACCOUNT"
		}
		return strings.Replace(statement, group, "any-user", 1) + fmt.Sprintf(
			" where all {request.principal.type = 'workload', request.principal.namespace = '%s', request.principal.service_account = '%s', request.principal.cluster_id = 'CLUSTER_OCID'}",
			namespace, name), id.Name, "with the cluster's OCID in it"
	default:
		return statement, "the key's user", "with the user's group in it"
	}
}
