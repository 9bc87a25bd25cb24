package normalize

import (
	"strings"

	"github.com/valyala/fastjson"
)

// setTarget writes what the operation was done to, where the class has its place:
// `user`, `group`, `entity`, `privileges` and `resources`.
func setTarget(doc *object, s source, op operation, w where) {
	switch op.deed.class {
	case accountChange:
		doc.object("user", orAccount(s, targetOf(s, op).user, w))
	case authentication:
		doc.object("user", orAccount(s, signingIn(s), w))
		doc.object("service", s.just("name", first(op.service, s.service, unknown)))
		doc.object("session", s.just("uid", first(str(s.identity, "consoleSessionId"), str(s.details, "ssoSessionId"))))
	case groupManagement:
		t := targetOf(s, op)
		if t.group.empty() {
			t.group = s.just("name", unknown)
		}
		doc.object("group", t.group)
		doc.object("user", t.user)
	case userAccess:
		if op.target == targetRole {
			role(doc, s, w)
			break
		}
		grants(doc, s, w)
	case entityManagement:
		doc.object("entity", entity(s, op))
	}
	if hasResources(op.deed.class) {
		doc.list("resources", resources(s))
	}
}

func hasResources(c *class) bool { return c == apiActivity || c == userAccess }

// orAccount says "somebody of this compartment" where a user is required and the record names none.
func orAccount(s source, user *object, w where) *object {
	if user.empty() {
		return w.account(s.draft)
	}
	return user
}

// targets are the user and the group that an operation is done to, as OCSF has them.
type targets struct{ user, group *object }

// targetOf looks for the user and the group in all the places where Oracle's services put them.
func targetOf(s source, op operation) targets {
	d, details := s.data, s.details
	payload, params := s.response.Get("payload"), s.request.Get("parameters")
	now, before := d.Get("stateChange", "current"), d.Get("stateChange", "previous")
	resource := person{id: str(d, "resourceId"), name: str(d, "resourceName")}
	admin := person{id: first(str(details, "adminResourceOcid"), str(details, "adminResourceId")), name: str(details, "adminResourceName")}
	if admin.id != str(details, "adminResourceId") {
		admin.alt = str(details, "adminResourceId")
	}
	path := str(s.request, "path")
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
			user = self(s) // events of one's own account need not name it
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
	if user.name == "" && user.id != "" && user.id == str(s.identity, "principalId") {
		user.name = str(s.identity, "principalName")
	}
	return targets{user: user.asUser(s.draft), group: group.asGroup(s.draft)}
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

func (p person) asUser(d *draft) *object {
	user := d.object()
	user.text("uid", p.id)
	user.text("uid_alt", p.alt)
	name, domain := splitUser(p.name)
	user.text("name", name)
	user.text("domain", domain)
	if strings.HasPrefix(p.id, userPrefix) {
		setUserType(user, 1, "User")
	}
	return user
}

func (p person) asGroup(d *draft) *object {
	group := d.object()
	group.text("uid", p.id)
	group.text("uid_alt", p.alt)
	group.text("name", p.name)
	return group
}

// self is who called.
func self(s source) person {
	return person{
		id:   first(str(s.identity, "principalId"), str(s.details, "actorId")),
		name: first(str(s.identity, "principalName"), str(s.details, "actorName")),
	}
}

// signingIn is who signs in, or tries to.
// An identity domain names it in its details; the principal of such a record may be the service.
// A failed sign-in to the console has neither OCID nor principal, only what was typed.
func signingIn(s source) *object {
	actor, principal := str(s.details, "actorName"), str(s.identity, "principalName")
	p := person{id: str(s.identity, "principalId"), name: first(actor, principal, str(s.response, "payload", "login_input"), str(s.details, "userName"))}
	if actor != "" && principal != "" && UserName(actor) != UserName(principal) {
		p.id = ""
	}
	p.id = first(p.id, str(s.details, "actorId"))
	user := p.asUser(s.draft)
	if !user.has("domain") {
		user.text("domain", strings.ToLower(str(s.details, "domainDisplayName")))
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
	for {
		part, rest, more := strings.Cut(path, "/")
		if !more {
			return ""
		}
		next, _, _ := strings.Cut(rest, "/")
		if part == after && next != "actions" {
			id, _, _ := strings.Cut(next, "?")
			return id
		}
		path = rest
	}
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
func grants(doc *object, s source, w where) {
	var privileges []string
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
	setPrivileges(doc, s, privileges)
	user := w.account(s.draft)
	user.list("groups", grantees(s.draft, privileges))
	doc.object("user", user)
}

// setPrivileges writes them also where there are none: the class asks for them.
func setPrivileges(doc *object, s source, privileges []string) {
	doc.fields = append(doc.fields, field{name: "privileges", node: node{kind: isList, list: s.texts(privileges...)}})
}

// role writes the role of an application that a user or a group gets or loses.
func role(doc *object, s source, w where) {
	details := s.details
	var privileges []string
	if name := str(details, "adminResourceName"); name != "" {
		privileges = append(privileges, name)
	}
	setPrivileges(doc, s, privileges)
	who := person{
		id:   first(str(details, "adminRefResourceOcid"), str(details, "adminRefResourceId")),
		name: str(details, "adminRefResourceName"),
	}
	if !strings.EqualFold(str(details, "adminRefResourceType"), "Group") {
		doc.object("user", orAccount(s, who.asUser(s.draft), w))
		return
	}
	user, group := w.account(s.draft), who.asGroup(s.draft)
	if !group.empty() {
		group.fixed("type", "Group")
		user.list("groups", s.objectsOf(group))
	}
	doc.object("user", user)
}

// grantees gives the groups that statements name: "allow group A, B to ...".
func grantees(d *draft, statements []string) []node {
	var groups []*object
	seen := map[string]bool{}
	for _, words := range statements {
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
			group := d.just(field, name)
			group.text("type", kind)
			groups = append(groups, group)
		}
	}
	return d.objectsOf(groups...)
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

func entity(s source, op operation) *object {
	d, details, payload := s.data, s.details, s.response.Get("payload")
	e := s.object()
	uid := first(str(d, "resourceId"), str(details, "adminResourceOcid"), str(details, "adminResourceId"), str(payload, "id"))
	e.text("uid", uid)
	e.text("name", first(str(d, "resourceName"), str(details, "adminResourceName"), str(payload, "name"), param(s.request.Get("parameters"), "name")))
	if e.empty() {
		e.text("name", unknown)
	}
	e.text("type", first(str(details, "adminResourceType"), kindOf(uid), kindOfOperation(op.name)))
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

func resources(s source) []node {
	details := s.details
	uid := first(str(s.data, "resourceId"), str(details, "adminResourceOcid"), str(details, "adminResourceId"))
	r := s.object()
	r.text("uid", uid)
	r.text("name", first(str(s.data, "resourceName"), str(details, "adminResourceName")))
	if r.empty() {
		return nil
	}
	r.text("type", first(kindOf(uid), str(details, "adminResourceType")))
	r.text("region", regionOf(uid))
	return s.objectsOf(r)
}
