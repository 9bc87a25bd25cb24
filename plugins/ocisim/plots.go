package ocisim

import (
	"strconv"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// The shipped rules, by their ids.
const (
	ruleKeyUploaded   = "oci-iam-api-key-uploaded"
	ruleUserCreated   = "oci-iam-user-created"
	ruleUserDeleted   = "oci-iam-user-deleted"
	ruleUserAdded     = "oci-iam-user-added-to-group"
	ruleMFADisabled   = "oci-iam-mfa-disabled"
	rulePolicyCreated = "oci-iam-policy-created"
	ruleSpraying      = "oci-console-password-spraying"
	ruleBruteforce    = "oci-console-bruteforce-success"
	ruleKeyThenPolicy = "oci-iam-key-then-policy"
	ruleTermination   = "oci-compute-mass-termination"
	ruleRetention     = "oci-audit-retention-reduced"
	failedLogin       = "400"
)

// plots are the stories, near misses among them.
var plots = []plot{
	{name: "retention-reduced", title: "The audit retention is cut and comes back only after two hours", lasts: 2*time.Hour + time.Minute, retention: true, tell: retentionReduced},
	{name: "key-uploaded", title: "Somebody adds an API key to another user", lasts: time.Minute, tell: keyUploaded},
	{name: "key-refused", title: "An API key is refused", lasts: time.Minute, tell: keyRefused},
	{name: "user-created", title: "A user is made in IAM", lasts: time.Minute, tell: userCreated("CreateUser")},
	{name: "domain-user-created", title: "A user is made in an identity domain", lasts: time.Minute, tell: userCreated("admin.user.create.success")},
	{name: "user-updated", title: "A user is changed, not made", lasts: time.Minute, tell: userUpdated},
	{name: "user-deleted", title: "A user is deleted in IAM", lasts: time.Minute, tell: userDeleted("DeleteUser")},
	{name: "domain-user-deleted", title: "A user is deleted in an identity domain", lasts: time.Minute, tell: userDeleted("admin.user.delete.success")},
	{name: "deletion-refused", title: "The deletion of a user is refused", lasts: time.Minute, tell: deletionRefused},
	{name: "user-added", title: "A user joins the administrators in IAM", lasts: time.Minute, tell: userAdded("AddUserToGroup")},
	{name: "domain-user-added", title: "A user joins the administrators in an identity domain", lasts: time.Minute, tell: userAdded("admin.group.add.member.success")},
	{name: "user-removed", title: "A user leaves a group", lasts: time.Minute, tell: userRemoved},
	{name: "mfa-disabled", title: "A second factor is taken from a user", lasts: time.Minute, tell: mfaDisabled},
	{name: "mfa-enrolled", title: "A second factor is enrolled", lasts: time.Minute, tell: mfaEnrolled},
	{name: "policy-created", title: "A policy gives everything to a group", lasts: time.Minute, tell: policyCreated},
	{name: "policy-refused", title: "A policy is refused, another one is changed", lasts: 2 * time.Minute, tell: policyRefused},
	{name: "password-spraying", title: "One address tries eight users, in both sign-on services", lasts: 12 * time.Minute, tell: spraying},
	{name: "five-mistypers", title: "Five users mistype their passwords behind one address", lasts: 14 * time.Minute, tell: fiveMistypers},
	{name: "bruteforce", title: "Six failures and then a sign-in", lasts: 9 * time.Minute, tell: bruteforce("InteractiveLogin", "InteractiveLogin")},
	{name: "domain-bruteforce", title: "Six failures and then a sign-in to an identity domain", lasts: 9 * time.Minute, tell: bruteforce("sso.authentication.failure", "sso.session.create.success")},
	{name: "forgotten-password", title: "Four failures and then a sign-in", lasts: 9 * time.Minute, tell: forgottenPassword},
	{name: "key-then-policy", title: "A user gets an API key and creates a policy half an hour later", lasts: 40 * time.Minute, tell: keyThenPolicy},
	{name: "policy-then-key", title: "A user creates a policy and gets an API key later", lasts: 40 * time.Minute, tell: policyThenKey},
	{name: "mass-termination", title: "One principal terminates seven instances in six minutes", lasts: 9 * time.Minute, tell: massTermination},
	{name: "four-terminations", title: "One principal terminates four instances", lasts: 9 * time.Minute, tell: fourTerminations},
	{name: "retention-restored", title: "The audit retention is cut by mistake and put back", lasts: 2 * time.Hour, retention: true, tell: retentionRestored},
}

func keyUploaded(w *weaver) {
	eve, service := w.person("eve"), w.service("backup")
	at := w.at(0, "UploadApiKey", sample.Options{Actor: eve, Target: service, Console: true})
	w.raises(ruleKeyUploaded, map[string]string{"target": service.ID, "actor": eve.ID}, at)
}

func keyRefused(w *weaver) {
	eve, service := w.person("eve"), w.service("backup")
	w.at(0, "UploadApiKey", sample.Options{Actor: eve, Target: service, Status: "404"})
	w.at(10*time.Second, "ListApiKeys", sample.Options{Actor: eve, Target: service})
	w.near(ruleKeyUploaded)
}

func userCreated(op string) func(*weaver) {
	return func(w *weaver) {
		eve, made := w.person("eve"), w.person("dora")
		at := w.at(0, op, sample.Options{Actor: eve, Target: made, Console: true})
		w.raises(ruleUserCreated, map[string]string{"target": made.Name, "actor": eve.Name}, at)
	}
}

func userUpdated(w *weaver) {
	ops, worker := w.person("otto"), w.person("willem")
	w.at(0, "UpdateUser", sample.Options{Actor: ops, Target: worker})
	w.at(20*time.Second, "admin.user.update.success", sample.Options{Actor: ops, Target: worker})
	w.near(ruleUserCreated, ruleUserDeleted)
}

func userDeleted(op string) func(*weaver) {
	return func(w *weaver) {
		eve, gone := w.person("eve"), w.person("walter")
		at := w.at(0, op, sample.Options{Actor: eve, Target: gone})
		w.raises(ruleUserDeleted, map[string]string{"target": gone.Name, "actor": eve.Name}, at)
	}
}

func deletionRefused(w *weaver) {
	w.at(0, "DeleteUser", sample.Options{Actor: w.person("eve"), Target: w.person("walter"), Status: "404"})
	w.near(ruleUserDeleted)
}

func userAdded(op string) func(*weaver) {
	return func(w *weaver) {
		eve, member, admins := w.person("eve"), w.person("max"), w.group("Administrators")
		at := w.at(0, op, sample.Options{Actor: eve, Target: member, Group: admins, Console: true})
		w.raises(ruleUserAdded, map[string]string{"target": member.ID, "group": admins.ID, "actor": eve.ID}, at)
	}
}

func userRemoved(w *weaver) {
	ops, member, group := w.person("otto"), w.person("lena"), w.group("Contractors")
	w.at(0, "RemoveUserFromGroup", sample.Options{Actor: ops, Target: member, Group: group})
	w.at(15*time.Second, "admin.group.remove.member.success", sample.Options{Actor: ops, Target: member, Group: group})
	w.near(ruleUserAdded)
}

func mfaDisabled(w *weaver) {
	eve, victim := w.person("eve"), w.person("vera")
	at := w.at(0, "DeleteMfaTotpDevice", sample.Options{Actor: eve, Target: victim, Console: true})
	w.raises(ruleMFADisabled, map[string]string{"target": victim.ID, "actor": eve.ID}, at)
}

func mfaEnrolled(w *weaver) {
	user := w.person("carla")
	w.at(0, "CreateMfaTotpDevice", sample.Options{Actor: user, Target: user, Console: true})
	w.at(30*time.Second, "ActivateMfaTotpDevice", sample.Options{Actor: user, Target: user, Console: true})
	w.near(ruleMFADisabled)
}

// policyOf names a policy that occurs in this story only.
func (w *weaver) policyOf(name string) sample.Principal {
	return sample.Principal{Name: name, ID: sample.OCID("policy", "", w.t.id, w.plot.name, name)}
}

const everything = "Allow group Contractors to manage all-resources in tenancy"

func policyCreated(w *weaver) {
	eve, policy := w.person("eve"), w.policyOf("temporary-access")
	at := w.at(0, "CreatePolicy", sample.Options{Actor: eve, Target: policy, Console: true, Set: map[string]any{
		"data.response.payload.statements":    []any{everything},
		"data.stateChange.current.statements": []any{everything},
	}})
	w.raises(rulePolicyCreated, map[string]string{"policy": policy.ID, "actor": eve.ID}, at)
}

func policyRefused(w *weaver) {
	ops, policy := w.person("otto"), w.policyOf("operators")
	w.at(0, "CreatePolicy", sample.Options{Actor: ops, Target: w.policyOf("too-much"), Status: "404"})
	w.at(time.Minute, "UpdatePolicy", sample.Options{Actor: ops, Target: policy})
	w.near(rulePolicyCreated)
}

// fail lets a user fail to sign in: some at the sign-on service, some in the identity domain,
// their names spelled as each spells them.
func (w *weaver) fail(after time.Duration, i int, user sample.Principal) time.Time {
	if i%2 == 0 {
		return w.at(after, "InteractiveLogin", sample.Options{Actor: user, Status: failedLogin})
	}
	user.Name = "default/" + user.Name
	return w.at(after, "sso.authentication.failure", sample.Options{Actor: user})
}

// tried are the first names of the users that one address tries.
var tried = []string{"udo", "ulla", "uma", "uri", "ursula", "ute", "uwe", "uzoma"}

func spraying(w *weaver) {
	var times []time.Time
	for i := range tried {
		times = append(times, w.fail(time.Duration(i)*80*time.Second, i, w.person(tried[i])))
	}
	w.raises(ruleSpraying, map[string]string{"src_endpoint.ip": w.ip}, times...)
}

// fiveMistypers are one too few, though one of them fails twice.
func fiveMistypers(w *weaver) {
	for i := range 6 {
		w.fail(time.Duration(i)*2*time.Minute, i, w.person(tried[i%5]))
	}
	w.near(ruleSpraying)
}

func bruteforce(failure, success string) func(*weaver) {
	return func(w *weaver) {
		victim := w.person("vera")
		status := ""
		if failure == "InteractiveLogin" {
			status = failedLogin
		}
		var times []time.Time
		for i := range 6 {
			times = append(times, w.at(time.Duration(i)*45*time.Second, failure, sample.Options{Actor: victim, Status: status}))
		}
		times = append(times, w.at(6*time.Minute, success, sample.Options{Actor: victim}))
		w.raises(ruleBruteforce, map[string]string{"user.name": victim.Name}, times...)
	}
}

func forgottenPassword(w *weaver) {
	user := w.person("theo")
	for i := range 4 {
		w.fail(time.Duration(i)*time.Minute, i, user)
	}
	w.at(5*time.Minute, "sso.session.create.success", sample.Options{Actor: user})
	w.near(ruleBruteforce)
}

func keyThenPolicy(w *weaver) {
	eve, service, policy := w.person("eve"), w.service("deploy"), w.policyOf("automation")
	key := w.at(0, "UploadApiKey", sample.Options{Actor: eve, Target: service, Console: true})
	made := w.at(30*time.Minute, "CreatePolicy", sample.Options{Actor: service, Target: policy})
	w.raises(ruleKeyUploaded, map[string]string{"target": service.ID, "actor": eve.ID}, key)
	w.raises(rulePolicyCreated, map[string]string{"policy": policy.ID, "actor": service.ID}, made)
	w.raises(ruleKeyThenPolicy, map[string]string{"user": service.ID}, key, made)
}

// policyThenKey is the same deeds the other way around: each by itself is reported, the order is not the attack's.
func policyThenKey(w *weaver) {
	admin, policy := w.person("anton"), w.policyOf("backup")
	made := w.at(0, "CreatePolicy", sample.Options{Actor: admin, Target: policy})
	key := w.at(30*time.Minute, "UploadApiKey", sample.Options{Actor: admin, Target: admin})
	w.raises(rulePolicyCreated, map[string]string{"policy": policy.ID, "actor": admin.ID}, made)
	w.raises(ruleKeyUploaded, map[string]string{"target": admin.ID, "actor": admin.ID}, key)
	w.near(ruleKeyThenPolicy)
}

// terminate ends n instances, each reported at its begin and at its end, in the last region and compartment.
func (w *weaver) terminate(who sample.Principal, n int) []time.Time {
	region := w.t.regions[len(w.t.regions)-1]
	var where *compartment
	for _, c := range w.t.compartments {
		if c.open(w.start) && c.open(w.t.config.End) {
			where = c
		}
	}
	var times []time.Time
	for i := range n {
		name := "web-" + strconv.Itoa(i)
		o := sample.Options{
			Actor: who, Region: region, Compartment: sample.Principal{ID: where.id},
			Target: sample.Principal{Name: name, ID: sample.OCID("instance", region, w.t.id, w.plot.name, name)},
		}
		begin := time.Duration(i) * 50 * time.Second
		times = append(times,
			w.at(begin, "TerminateInstance.begin", o),
			w.at(begin+25*time.Second, "TerminateInstance.end", o))
	}
	return times
}

func massTermination(w *weaver) {
	eve := w.person("eve")
	times := w.terminate(eve, 7)
	w.raises(ruleTermination, map[string]string{"actor": eve.ID}, times...)
}

// fourTerminations are eight events of four instances: who counts events instead of instances is fooled.
func fourTerminations(w *weaver) {
	w.terminate(w.person("otto"), 4)
	w.near(ruleTermination)
}

// retain changes how many days audit events are kept.
func (w *weaver) retain(after time.Duration, who sample.Principal, before, now int) time.Time {
	return w.at(after, updateRetention, sample.Options{Actor: who, Console: true, Set: map[string]any{
		"data.stateChange.previous.retentionPeriodDays": before,
		"data.stateChange.current.retentionPeriodDays":  now,
	}})
}

const updateRetention = "UpdateConfiguration"

func retentionReduced(w *weaver) {
	cut := w.retain(0, w.person("eve"), 365, 90)
	w.retain(2*time.Hour, w.person("aude"), 90, 365)
	w.raises(ruleRetention, map[string]string{"tenancy": w.t.id}, cut)
}

func retentionRestored(w *weaver) {
	ops := w.person("otto")
	w.retain(0, ops, 365, 90)
	w.retain(20*time.Minute, ops, 90, 365)
	w.near(ruleRetention)
}
