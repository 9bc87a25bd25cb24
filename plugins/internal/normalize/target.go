package normalize

import (
	"strings"

	"github.com/valyala/fastjson"
)

// setTarget writes what the operation was done to, where the class has its place:
// `user`, `group`, `entity`, `privileges` and `resources`.
func setTarget(doc map[string]any, s source, op operation, w where) {
	switch op.deed.class {
	case accountChange:
		doc["user"] = orAccount(targetOf(s, op).user, w)
	case authentication:
		user := signingIn(s)
		doc["user"] = orAccount(user, w)
		doc["service"] = map[string]any{"name": first(op.service, s.service, unknown)}
		if id := first(str(s.data, "identity", "consoleSessionId"), str(s.data, "additionalDetails", "ssoSessionId")); id != "" {
			doc["session"] = map[string]any{"uid": id}
		}
	case groupManagement:
		t := targetOf(s, op)
		if len(t.group) == 0 {
			t.group = map[string]any{"name": unknown}
		}
		doc["group"] = t.group
		set(doc, "user", t.user)
	case userAccess:
		if op.target == targetRole {
			role(doc, s, w)
			break
		}
		grants(doc, s, w)
	case entityManagement:
		doc["entity"] = entity(s, op)
	}
	if hasResources(op.deed.class) {
		set(doc, "resources", resources(s))
	}
}

func hasResources(c *class) bool { return c == apiActivity || c == userAccess }

// orAccount says "somebody of this compartment" where a user is required and the record names none.
func orAccount(user map[string]any, w where) map[string]any {
	if len(user) == 0 {
		return w.account()
	}
	return user
}

// targets are the user and the group that an operation is done to, as OCSF has them.
type targets struct{ user, group map[string]any }

// targetOf looks for the user and the group in all the places where Oracle's services put them.
func targetOf(s source, op operation) targets {
	d := s.data
	payload, details, params := d.Get("response", "payload"), d.Get("additionalDetails"), d.Get("request", "parameters")
	now, before := d.Get("stateChange", "current"), d.Get("stateChange", "previous")
	resource := person{id: str(d, "resourceId"), name: str(d, "resourceName")}
	admin := person{id: first(str(details, "adminResourceOcid"), str(details, "adminResourceId")), name: str(details, "adminResourceName")}
	if admin.id != str(details, "adminResourceId") {
		admin.alt = str(details, "adminResourceId")
	}
	path := str(d, "request", "path")
	named := person{
		id:   first(str(payload, "userId"), str(details, "userId"), param(params, "userId"), str(now, "userId"), str(before, "userId")),
		name: first(str(payload, "userName"), str(details, "userName"), param(params, "userName")),
	}
	var user, group person
	switch op.target {
	case targetUser:
		user = person{id: segment(path, "users")}
		user = user.or(resource.ifKind("user", user.id)).or(person{str(payload, "id"), str(payload, "name"), ""}.ifKind("user", user.id)).
			or(named).or(admin).or(person{name: first(resource.name, str(payload, "name"), str(now, "name"), str(before, "name"))})
		if user.id == "" && user.name == "" {
			user = self(d) // events of one's own account need not name it
		}
	case targetCredential:
		user = person{id: segment(path, "users")}.or(named)
		user = user.or(resource.ifKind("user", user.id)).or(person{id: keyOwner(str(payload, "keyId"))}).or(admin)
	case targetMember:
		user = named.or(person{
			id:   first(str(details, "adminRefResourceOcid"), str(details, "adminRefResourceId")),
			name: str(details, "adminRefResourceName"),
		})
		group = person{
			id:   first(str(payload, "groupId"), str(details, "groupId"), param(params, "groupId"), str(now, "groupId"), str(before, "groupId")),
			name: first(str(payload, "groupName"), str(details, "groupName"), param(params, "groupName")),
		}.or(admin)
	case targetGroup:
		group = person{id: segment(path, "groups")}
		group = group.or(resource.ifKind("group", group.id)).or(person{str(payload, "id"), str(payload, "name"), ""}.ifKind("group", group.id)).
			or(admin).or(person{name: first(resource.name, str(payload, "name"), str(now, "name"), str(before, "name"))})
	case targetResource, targetPolicy, targetRole, targetEntity, targetSignIn:
	}
	if user.name == "" && user.id != "" && user.id == str(d, "identity", "principalId") {
		user.name = str(d, "identity", "principalName")
	}
	return targets{user: user.asUser(), group: group.asGroup()}
}

// person is a user or a group as records name it.
type person struct{ id, name, alt string }

// or fills what is missing from q, unless q is somebody else.
func (p person) or(q person) person {
	if p.id != "" && q.id != "" && p.id != q.id {
		return p
	}
	if p.id == "" && p.name != "" && q.name != "" && UserName(p.name) != UserName(q.name) {
		return p
	}
	return person{id: first(p.id, q.id), name: first(p.name, q.name), alt: first(p.alt, q.alt)}
}

// ifKind gives p where its OCID is of that kind or the one that is known.
func (p person) ifKind(kind, known string) person {
	if strings.HasPrefix(p.id, "ocid1."+kind+".") || p.id != "" && p.id == known {
		return p
	}
	return person{}
}

func (p person) asUser() map[string]any {
	user := map[string]any{}
	set(user, "uid", p.id)
	set(user, "uid_alt", p.alt)
	name, domain := splitUser(p.name)
	set(user, "name", name)
	set(user, "domain", domain)
	if strings.HasPrefix(p.id, userPrefix) {
		user["type_id"], user["type"] = int64(1), "User"
	}
	return user
}

func (p person) asGroup() map[string]any {
	group := map[string]any{}
	set(group, "uid", p.id)
	set(group, "uid_alt", p.alt)
	set(group, "name", p.name)
	return group
}

// self is who called.
func self(d *fastjson.Value) person {
	return person{
		id:   first(str(d, "identity", "principalId"), str(d, "additionalDetails", "actorId")),
		name: first(str(d, "identity", "principalName"), str(d, "additionalDetails", "actorName")),
	}
}

// signingIn is who signs in, or tries to.
// An identity domain names it in its details; the principal of such a record may be the service.
// A failed sign-in to the console has neither OCID nor principal, only what was typed.
func signingIn(s source) map[string]any {
	details := s.data.Get("additionalDetails")
	actor, principal := str(details, "actorName"), str(s.data, "identity", "principalName")
	p := person{id: str(s.data, "identity", "principalId"), name: first(actor, principal, str(s.data, "response", "payload", "login_input"), str(details, "userName"))}
	if actor != "" && principal != "" && UserName(actor) != UserName(principal) {
		p.id = ""
	}
	p.id = first(p.id, str(details, "actorId"))
	user := p.asUser()
	if user["domain"] == nil {
		set(user, "domain", strings.ToLower(str(details, "domainDisplayName")))
	}
	return user
}

// param gives the first value of a request parameter.
func param(params *fastjson.Value, name string) string {
	v := params.Get(name)
	if v != nil && v.Type() == fastjson.TypeArray {
		return scalar(v, "0")
	}
	return scalar(params, name)
}

// segment gives what follows a word in a path: /20160918/users/{ocid}/apiKeys has {ocid} after users.
func segment(path, after string) string {
	parts := strings.Split(path, "/")
	for i := 0; i+1 < len(parts); i++ {
		if parts[i] == after && parts[i+1] != "actions" {
			id, _, _ := strings.Cut(parts[i+1], "?")
			return id
		}
	}
	return ""
}

// keyOwner gives the user in the id of an API key: tenancy/user/fingerprint.
func keyOwner(keyID string) string {
	if parts := strings.Split(keyID, "/"); len(parts) == 3 {
		return parts[1]
	}
	return ""
}

// grants writes the statements of a policy, and the groups they name. A policy grants to groups, not to a user:
// the required `user` says that it is somebody of this compartment who is in one of them.
func grants(doc map[string]any, s source, w where) {
	privileges := []any{}
	for _, path := range [...][]string{
		{"response", "payload", "statements"},
		{"stateChange", "current", "statements"},
		{"additionalDetails", "statements"},
		{"request", "parameters", "statements"},
		{"stateChange", "previous", "statements"},
	} {
		for _, v := range s.data.GetArray(path...) {
			if statement := scalar(v); statement != "" {
				privileges = append(privileges, statement)
			}
		}
		if len(privileges) > 0 {
			break
		}
	}
	doc["privileges"] = privileges
	user := w.account()
	set(user, "groups", grantees(privileges))
	doc["user"] = user
}

// role writes the role of an application that a user or a group gets or loses.
func role(doc map[string]any, s source, w where) {
	details := s.data.Get("additionalDetails")
	privileges := []any{}
	if name := str(details, "adminResourceName"); name != "" {
		privileges = append(privileges, name)
	}
	doc["privileges"] = privileges
	who := person{
		id:   first(str(details, "adminRefResourceOcid"), str(details, "adminRefResourceId")),
		name: str(details, "adminRefResourceName"),
	}
	if !strings.EqualFold(str(details, "adminRefResourceType"), "Group") {
		doc["user"] = orAccount(who.asUser(), w)
		return
	}
	user, group := w.account(), who.asGroup()
	if len(group) > 0 {
		group["type"] = "Group"
		user["groups"] = []any{group}
	}
	doc["user"] = user
}

// grantees gives the groups that statements name: "allow group A, B to ...".
func grantees(statements []any) []any {
	var groups []any
	seen := map[string]bool{}
	for _, statement := range statements {
		words, _ := statement.(string)
		subject, _, _ := cutFold(words, " to ")
		kind := "Group"
		_, names, ok := cutFold(subject, " dynamic-group ")
		if ok {
			kind = "Dynamic Group"
		} else if _, names, ok = cutFold(subject, " group "); !ok {
			continue
		}
		for name := range strings.SplitSeq(names, ",") {
			name = strings.TrimSpace(name)
			field := "name"
			if word, rest, isID := strings.Cut(name, " "); isID && strings.EqualFold(word, "id") {
				name, field = strings.TrimSpace(rest), "uid"
			}
			name = strings.ReplaceAll(name, "'", "")
			if name == "" || seen[kind+field+name] {
				continue
			}
			seen[kind+field+name] = true
			groups = append(groups, map[string]any{field: name, "type": kind})
		}
	}
	return groups
}

// cutFold is strings.Cut without regard to the case of ASCII letters.
func cutFold(s, sep string) (before, after string, ok bool) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

func entity(s source, op operation) map[string]any {
	d := s.data
	payload, details := d.Get("response", "payload"), d.Get("additionalDetails")
	e := map[string]any{}
	uid := first(str(d, "resourceId"), str(details, "adminResourceOcid"), str(details, "adminResourceId"), str(payload, "id"))
	set(e, "uid", uid)
	set(e, "name", first(str(d, "resourceName"), str(details, "adminResourceName"), str(payload, "name"), param(d.Get("request", "parameters"), "name")))
	if len(e) == 0 {
		e["name"] = unknown
	}
	set(e, "type", first(str(details, "adminResourceType"), kindOf(uid), kindOfOperation(op.name)))
	return e
}

// kindOf gives the kind of resource in an OCID: ocid1.instance.oc1... is an instance.
func kindOf(ocid string) string {
	rest, ok := strings.CutPrefix(ocid, "ocid1.")
	if !ok {
		return ""
	}
	kind, _, _ := strings.Cut(rest, ".")
	return kind
}

// kindOfOperation gives the thing in the name of an operation: CreateDynamicGroup makes a dynamicgroup.
func kindOfOperation(name string) string {
	name = strings.ToLower(name)
	for _, verb := range [...]string{"create", "update", "delete", "add", "remove", "activate", "deactivate", "reset"} {
		if rest, ok := strings.CutPrefix(name, verb); ok {
			return rest
		}
	}
	return ""
}

func resources(s source) []any {
	details := s.data.Get("additionalDetails")
	uid := first(str(s.data, "resourceId"), str(details, "adminResourceOcid"), str(details, "adminResourceId"))
	r := map[string]any{}
	set(r, "uid", uid)
	set(r, "name", first(str(s.data, "resourceName"), str(details, "adminResourceName")))
	if len(r) == 0 {
		return nil
	}
	set(r, "type", first(kindOf(uid), str(details, "adminResourceType")))
	set(r, "region", regionOf(uid))
	return []any{r}
}
