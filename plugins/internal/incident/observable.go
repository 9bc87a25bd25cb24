package incident

import (
	"strconv"
	"strings"
)

// maxObservables is the most observables that an incident lists.
const maxObservables = 50

// observable says where in an evidence something stands that can be looked up elsewhere.
type observable struct {
	path   []string
	typeID int64
	name   string
}

var evidenceObservables = []observable{
	{[]string{"src_endpoint", "ip"}, 2, "IP Address"},
	{[]string{"dst_endpoint", "ip"}, 2, "IP Address"},
	{[]string{"actor", "user", "name"}, 4, "User Name"},
	{[]string{"user", "name"}, 4, "User Name"},
	{[]string{"actor", "user", "uid"}, 10, "Resource UID"},
	{[]string{"user", "uid"}, 10, "Resource UID"},
}

// observables gives what analysts look up, each value once, with the place where it stands first.
func observables(evidences []any) []any {
	var list []any
	type identity struct {
		typeID int64
		value  string
	}
	seen := map[identity]bool{}
	add := func(name string, o observable, value string) {
		id := identity{o.typeID, value}
		if value == "" || seen[id] || len(list) == maxObservables {
			return
		}
		seen[id] = true
		list = append(list, map[string]any{"name": name, "type_id": o.typeID, "type": o.name, "value": value})
	}
	for i, each := range evidences {
		e, ok := each.(map[string]any)
		if !ok {
			continue
		}
		at := "evidences[" + strconv.Itoa(i) + "]"
		for _, o := range evidenceObservables {
			var v any = e
			for _, key := range o.path {
				m, _ := v.(map[string]any)
				v = m[key]
			}
			value, _ := v.(string)
			add(at+"."+strings.Join(o.path, "."), o, value)
		}
		resources, _ := e["resources"].([]any)
		for k, each := range resources {
			r, _ := each.(map[string]any)
			uid, _ := r["uid"].(string)
			add(at+".resources["+strconv.Itoa(k)+"].uid", observable{typeID: 10, name: "Resource UID"}, uid)
		}
	}
	return list
}
