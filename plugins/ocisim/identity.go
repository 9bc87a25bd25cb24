package ocisim

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func encodeQuery(values map[string][]string) string { return url.Values(values).Encode() }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// limit reads the number of items that a client wants in a page.
func (q *request) limit(otherwise, most int) (int, *apiError) {
	text := q.query.Get("limit")
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, invalid("limit is %q, want 1 to %d.", text, most)
	}
	return n, nil
}

// flag reads a boolean parameter.
func (q *request) flag(name string) (bool, *apiError) {
	switch text := q.query.Get(name); strings.ToLower(text) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, invalid("%s is %q, want true or false.", name, text)
	}
}

// oneOf reads a parameter that must be one of the words, in any case.
func (q *request) oneOf(name, otherwise string, words ...string) (string, *apiError) {
	text := q.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	for _, word := range words {
		if strings.EqualFold(word, text) {
			return word, nil
		}
	}
	return "", invalid("%s is %q, want one of %s.", name, text, strings.Join(words, ", "))
}

func compartmentBody(t *tenancy, c *compartment, now time.Time) []byte {
	state := "ACTIVE"
	if c.deletedBy(now) {
		state = "DELETED"
	}
	name := c.name
	if state == "DELETED" {
		name += "-deleted"
	}
	return encode(struct {
		ID             string         `json:"id"`
		CompartmentID  string         `json:"compartmentId"`
		Name           string         `json:"name"`
		Description    string         `json:"description"`
		TimeCreated    string         `json:"timeCreated"`
		LifecycleState string         `json:"lifecycleState"`
		InactiveStatus *int           `json:"inactiveStatus"`
		IsAccessible   *bool          `json:"isAccessible"`
		FreeformTags   map[string]any `json:"freeformTags"`
		DefinedTags    map[string]any `json:"definedTags"`
	}{c.id, cmp.Or(c.parent, t.id), name, "The compartment " + c.name, stamp(c.created), state, nil, nil, map[string]any{}, map[string]any{}})
}

// listCompartments gives the children of a compartment, or the whole tree below the root; the root itself is never in it.
func listCompartments(q *request) (*answer, *apiError) {
	parent := q.query.Get("compartmentId")
	if parent == "" {
		return nil, missing("compartmentId")
	}
	subtree, err := q.flag("compartmentIdInSubtree")
	if err != nil {
		return nil, err
	}
	if _, err := q.oneOf("accessLevel", "ANY", "ANY", "ACCESSIBLE"); err != nil {
		return nil, err
	}
	state, err := q.oneOf("lifecycleState", "", "CREATING", "ACTIVE", "INACTIVE", "DELETING", "DELETED")
	if err != nil {
		return nil, err
	}
	size, err := q.limit(100, 1000)
	if err != nil {
		return nil, err
	}
	if q.tenancy.compartment(parent) == nil || q.sim.denied(q.tenancy.id, InspectCompartments, parent, q.region) {
		return nil, notFound()
	}
	if subtree && parent != q.tenancy.id {
		return nil, invalid("compartmentIdInSubtree can only be true for the tenancy.")
	}
	c, err := q.turn()
	if err != nil {
		return nil, err
	}
	var found []*compartment
	for _, one := range q.tenancy.compartments[1:] {
		if one.created.After(c.asOf) || !subtree && one.parent != parent {
			continue
		}
		if name := q.query.Get("name"); name != "" && name != one.name {
			continue
		}
		if state == "" || state == "ACTIVE" && !one.deletedBy(c.asOf) || state == "DELETED" && one.deletedBy(c.asOf) {
			found = append(found, one)
		}
	}
	return q.list(c, len(found), size, q.sim.config.EmptyPages, func(i int) []byte {
		return compartmentBody(q.tenancy, found[i], c.asOf)
	}), nil
}

func getCompartment(id string) route {
	return func(q *request) (*answer, *apiError) {
		q.call.Compartment = id
		c := q.tenancy.compartment(id)
		if c == nil || c.created.After(q.now) || q.sim.denied(q.tenancy.id, InspectCompartments, id, q.region) {
			return nil, notFound()
		}
		return &answer{body: compartmentBody(q.tenancy, c, q.now)}, nil
	}
}

func getTenancy(id string) route {
	return func(q *request) (*answer, *apiError) {
		if id != q.tenancy.id || q.sim.denied(id, InspectTenancies, "", q.region) {
			return nil, notFound()
		}
		return &answer{body: encode(struct {
			ID            string `json:"id"`
			Name          string `json:"name"`
			Description   string `json:"description"`
			HomeRegionKey string `json:"homeRegionKey"`
		}{id, q.tenancy.name, "The tenancy " + q.tenancy.name, keyOfRegion(q.tenancy.regions[0])})}, nil
	}
}

func listRegionSubscriptions(id string) route {
	return func(q *request) (*answer, *apiError) {
		if id != q.tenancy.id || q.sim.denied(id, InspectTenancies, "", q.region) {
			return nil, notFound()
		}
		type subscription struct {
			RegionKey    string `json:"regionKey"`
			RegionName   string `json:"regionName"`
			Status       string `json:"status"`
			IsHomeRegion bool   `json:"isHomeRegion"`
		}
		all := make([]subscription, len(q.tenancy.regions))
		for i, name := range q.tenancy.regions {
			all[i] = subscription{keyOfRegion(name), name, "READY", i == 0}
		}
		return &answer{body: encode(all)}, nil
	}
}

// regionKeyNames are Oracle's three letters for the regions that tests use most.
var regionKeyNames = map[string]string{
	"us-phoenix-1": "PHX", "us-ashburn-1": "IAD", "eu-frankfurt-1": "FRA", "uk-london-1": "LHR", "eu-amsterdam-1": "AMS",
	"eu-zurich-1": "ZRH", "ap-tokyo-1": "NRT", "ap-sydney-1": "SYD", "ca-toronto-1": "YYZ", "sa-saopaulo-1": "GRU",
	"ap-mumbai-1": "BOM", "us-sanjose-1": "SJC", "eu-madrid-1": "MAD", "eu-paris-1": "CDG", "eu-milan-1": "LIN",
}

func keyOfRegion(name string) string {
	if key, ok := regionKeyNames[name]; ok {
		return key
	}
	return strings.ToUpper(strings.Join(slices.DeleteFunc(strings.Split(name, "-"), func(s string) bool { return s == "" }), ""))
}
