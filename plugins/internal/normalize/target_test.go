package normalize_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

// look gives the value of each field of the record.
func look(t *testing.T, record []byte, fields ...string) map[string]any {
	t.Helper()
	ev, err := normalize.Event(record)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for _, field := range fields {
		path, err := event.ParsePath(field)
		if err != nil {
			t.Fatal(err)
		}
		values[field] = ev.Lookup(path)
	}
	return values
}

// TestTargetOfEachOperationIsNamed is the table of where targets stand: none of these fields may be null
// on an event that succeeded, whichever family of identity events it comes from.
func TestTargetOfEachOperationIsNamed(t *testing.T) {
	targets := map[string][]string{
		"Account Change":         {"user.uid", "user.name"},
		"Authentication":         {"user.uid", "user.name", "service.name"},
		"Group Management":       {"group.uid", "group.name"},
		"User Access Management": {"resources.uid", "resources.name"},
		"Entity Management":      {"entity.uid", "entity.name", "entity.type"},
	}
	classes := map[string]int{}
	for _, op := range sample.Operations() {
		if strings.HasSuffix(op, ".failure") {
			continue
		}
		record := sample.JSON(op, sample.Options{})
		class, _ := look(t, record, "class_name")["class_name"].(string)
		classes[class]++
		fields := append([]string{"actor.user.uid", "actor.user.name", "src_endpoint.ip", "api.operation", "metadata.tenant_uid", "metadata.uid"}, targets[class]...)
		if op == "AddUserToGroup" || op == "RemoveUserFromGroup" || strings.Contains(op, ".member.") {
			fields = append(fields, "user.uid", "user.name")
		}
		if op == "CreatePolicy" || op == "UpdatePolicy" {
			fields = append(fields, "privileges", "user.groups.name")
		}
		for field, value := range look(t, record, fields...) {
			if value == nil {
				t.Errorf("%s (%s): %s is null", op, class, field)
			}
		}
	}
	for class := range targets {
		if classes[class] == 0 {
			t.Errorf("no operation of class %s", class)
		}
	}
}

func TestTargetsStandWhereTheOperationPutsThem(t *testing.T) {
	alice := sample.Principal{Name: "default/Alice@Example.com", ID: "ocid1.user.oc1..alice"}
	bob := sample.Principal{Name: "oracleidentitycloudservice/Bob@Example.com", ID: "ocid1.user.oc1..bob"}
	admins := sample.Principal{Name: "Administrators", ID: "ocid1.group.oc1..admins"}
	tests := []struct {
		name    string
		op      string
		options sample.Options
		want    map[string]any
	}{
		{
			name: "the user of an API key is in the path", op: "UploadApiKey",
			options: sample.Options{Actor: alice, Set: map[string]any{
				"data.request.path": "/20160918/users/ocid1.user.oc1..bob/apiKeys", "data.resourceId": nil, "data.resourceName": nil,
				"data.response.payload": nil,
			}},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": nil, "actor.user.uid": "ocid1.user.oc1..alice", "actor.user.name": "alice@example.com"},
		},
		{
			name: "the key's id names its user as well", op: "UploadApiKey",
			options: sample.Options{Actor: alice, Set: map[string]any{
				"data.request.path": "/20160918/apiKeys", "data.resourceId": nil, "data.resourceName": nil,
				"data.response.payload.keyId": "ocid1.tenancy.oc1..t/ocid1.user.oc1..bob/aa:bb",
			}},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob"},
		},
		{
			name: "who uploads a key of their own is named", op: "UploadApiKey",
			options: sample.Options{Actor: alice, Set: map[string]any{
				"data.request.path": "/20160918/users/ocid1.user.oc1..alice/apiKeys", "data.resourceId": nil, "data.resourceName": nil,
			}},
			want: map[string]any{"user.uid": "ocid1.user.oc1..alice", "user.name": "alice@example.com"},
		},
		{
			name: "the name of another resource is not taken for the user's", op: "UploadApiKey",
			options: sample.Options{Actor: alice, Set: map[string]any{
				"data.request.path": "/20160918/users/ocid1.user.oc1..bob/apiKeys", "data.resourceId": "ocid1.user.oc1..carol", "data.resourceName": "carol",
			}},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": nil},
		},
		{
			name: "a new user", op: "CreateUser", options: sample.Options{Actor: alice, Target: bob},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": "bob@example.com", "class_name": "Account Change", "activity_name": "Create"},
		},
		{
			name: "a new user in an identity domain", op: "admin.user.create.success", options: sample.Options{Actor: alice, Target: bob},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": "bob@example.com", "class_name": "Account Change", "activity_name": "Create"},
		},
		{
			name: "a deleted user is known by the path and the name", op: "DeleteUser", options: sample.Options{Actor: alice, Target: bob},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": "bob@example.com", "activity_name": "Delete"},
		},
		{
			name: "a user that could not be created is still named", op: "admin.user.create.failure", options: sample.Options{Actor: alice, Target: bob},
			want: map[string]any{"user.name": "bob@example.com", "status": "Failure"},
		},
		{
			name: "a member", op: "AddUserToGroup", options: sample.Options{Actor: alice, Target: bob, Group: admins},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": "bob@example.com", "group.uid": "ocid1.group.oc1..admins", "group.name": "Administrators", "activity_name": "Add User"},
		},
		{
			name: "a member in an identity domain", op: "admin.group.add.member.success", options: sample.Options{Actor: alice, Target: bob, Group: admins},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "user.name": "bob@example.com", "group.uid": "ocid1.group.oc1..admins", "group.name": "Administrators", "activity_name": "Add User"},
		},
		{
			name: "a refused membership names no group", op: "AddUserToGroup",
			options: sample.Options{Actor: alice, Status: "404", Set: map[string]any{"data.additionalDetails": nil, "data.response.payload": nil}},
			want:    map[string]any{"group.name": "unknown", "user.uid": nil, "status": "Failure"},
		},
		{
			name: "a second factor is removed", op: "DeleteMfaTotpDevice", options: sample.Options{Actor: alice, Target: bob},
			want: map[string]any{"user.uid": "ocid1.user.oc1..bob", "activity_name": "MFA Factor Disable"},
		},
		{
			name: "a sign-in that failed has only what was typed", op: "InteractiveLogin",
			options: sample.Options{Actor: alice, Status: "400", Set: map[string]any{"data.identity.principalName": nil}},
			want:    map[string]any{"user.name": "alice@example.com", "user.uid": nil, "class_name": "Authentication", "activity_name": "Logon", "status": "Failure", "status_detail": "PASSWORD_INVALID"},
		},
		{
			name: "a sign-in", op: "InteractiveLogin", options: sample.Options{Actor: alice},
			want: map[string]any{"user.name": "alice@example.com", "user.uid": "ocid1.user.oc1..alice", "class_name": "Authentication", "activity_name": "Logon", "status": "Success"},
		},
		{
			name: "a sign-in to an identity domain", op: "sso.session.create.success", options: sample.Options{Actor: alice},
			want: map[string]any{"user.name": "alice@example.com", "user.uid": "ocid1.user.oc1..alice", "class_name": "Authentication", "activity_name": "Logon", "status": "Success"},
		},
		{
			name: "a sign-in to an identity domain that failed", op: "sso.authentication.failure", options: sample.Options{Actor: alice},
			want: map[string]any{"user.name": "alice@example.com", "class_name": "Authentication", "activity_name": "Logon", "status": "Failure"},
		},
		{
			name: "a domain's service is not who signs in", op: "sso.session.create.success",
			options: sample.Options{Actor: alice, Set: map[string]any{"data.identity.principalName": "idcssso", "data.identity.principalId": "ocid1.app.oc1..sso", "data.additionalDetails.actorId": "0123"}},
			want:    map[string]any{"user.name": "alice@example.com", "user.uid": "0123"},
		},
		{
			name: "access to an application is no sign-in", op: "sso.app.access.success", options: sample.Options{Actor: alice},
			want: map[string]any{"class_name": "Authentication", "activity_name": "Application Access"},
		},
		{
			name: "a policy names its statements and their groups", op: "CreatePolicy",
			options: sample.Options{Actor: alice, Set: map[string]any{"data.response.payload.statements": []any{
				"Allow group 'Default'/'Admins', Operators to manage all-resources in tenancy",
				"ALLOW GROUP ID ocid1.group.oc1..g TO read buckets IN TENANCY",
				"Allow dynamic-group builders to use secrets in compartment x",
				"Allow any-user to inspect users in tenancy",
			}}},
			want: map[string]any{
				"class_name": "User Access Management", "user.name": nil,
				"user.groups.name": []any{"Default/Admins", "Operators", "builders"}, "user.groups.uid": []any{"ocid1.group.oc1..g"},
				"user.groups.type": []any{"Group", "Group", "Group", "Dynamic Group"},
			},
		},
		{
			name: "a refused policy grants nothing", op: "CreatePolicy", options: sample.Options{Actor: alice, Status: "404"},
			want: map[string]any{"privileges": []any{}, "user.groups.name": nil, "status": "Failure"},
		},
		{
			name: "a role of an application is a privilege of its member", op: "admin.group.add.member.success",
			options: sample.Options{Actor: alice, Target: bob, Set: map[string]any{
				"data.additionalDetails.eventId": "admin.approle.add.member.success", "data.additionalDetails.adminResourceName": "Identity Domain Administrator",
				"data.additionalDetails.adminResourceType": "AppRole",
			}},
			want: map[string]any{
				"class_name": "User Access Management", "activity_name": "Assign Privileges", "privileges": []any{"Identity Domain Administrator"},
				"user.uid": "ocid1.user.oc1..bob", "user.name": "bob@example.com", "api.operation": "admin.approle.add.member.success",
			},
		},
		{
			name: "a group's role is that of its members", op: "admin.group.remove.member.success",
			options: sample.Options{Actor: alice, Target: sample.Principal{Name: "Operators", ID: "ocid1.group.oc1..ops"}, Set: map[string]any{
				"data.additionalDetails.eventId": "admin.approle.remove.member.success", "data.additionalDetails.adminRefResourceType": "Group",
			}},
			want: map[string]any{"activity_name": "Revoke Privileges", "user.name": nil, "user.groups.name": []any{"Operators"}, "user.groups.uid": []any{"ocid1.group.oc1..ops"}},
		},
		{
			name: "a factor that a domain's administrator takes away", op: "admin.user.update.success",
			options: sample.Options{Actor: alice, Target: bob, Set: map[string]any{"data.additionalDetails.eventId": "admin.authenticationfactor.delete.success"}},
			want:    map[string]any{"class_name": "Account Change", "activity_name": "MFA Factor Disable", "user.name": "bob@example.com"},
		},
		{
			name: "a code that replaces the second factor", op: "sso.bypasscode.create.success", options: sample.Options{Actor: alice},
			want: map[string]any{"class_name": "Account Change", "activity_name": "Add Credential", "user.name": "alice@example.com"},
		},
		{
			name: "a terminated instance", op: "TerminateInstance", options: sample.Options{Actor: alice, Target: sample.Principal{Name: "web-01", ID: "ocid1.instance.oc1.iad.web"}},
			want: map[string]any{"class_name": "API Activity", "activity_name": "Delete", "resources.uid": []any{"ocid1.instance.oc1.iad.web"}, "resources.type": []any{"instance"}, "cloud.region": "us-ashburn-1"},
		},
		{
			name: "the end of an operation is the same operation", op: "TerminateInstance.end", options: sample.Options{Actor: alice},
			want: map[string]any{"api.operation": "TerminateInstance", "metadata.event_code": "com.oraclecloud.ComputeApi.TerminateInstance.end", "activity_name": "Delete"},
		},
		{
			name: "a dynamic group is an entity", op: "CreateDynamicGroup", options: sample.Options{Target: sample.Principal{Name: "builders", ID: "ocid1.dynamicgroup.oc1..b"}},
			want: map[string]any{"class_name": "Entity Management", "activity_name": "Create", "entity.name": "builders", "entity.uid": "ocid1.dynamicgroup.oc1..b", "entity.type": "dynamicgroup"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fields := make([]string, 0, len(test.want))
			for field := range test.want {
				fields = append(fields, field)
			}
			got := look(t, sample.JSON(test.op, test.options), fields...)
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("fields (-got +want):\n%s", diff)
			}
		})
	}
}

func TestUserNameHasOneSpelling(t *testing.T) {
	tests := []struct{ in, want string }{
		{"alice", "alice"},
		{" Alice@Example.com ", "alice@example.com"},
		{"default/alice", "alice"},
		{"Default/Alice", "alice"},
		{"OracleIdentityCloudService/alice", "alice"},
		{"default/oracleidentitycloudservice/alice", "alice"},
		{"tenant: acme, user: Alice", "alice"},
		{"tenant: acme, user: oracleidentitycloudservice/Alice", "alice"},
		{"tenant: acme", "tenant: acme"},
		{"partners/alice", "partners/alice"}, // another domain's alice is somebody else
		{"default/", ""},
		{"", ""},
	}
	for _, test := range tests {
		if got := normalize.UserName(test.in); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}
