package incident

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// Version of OCSF, and the numbers of the class that incidents have there.
const (
	ocsfVersion = "1.8.0"
	classUID    = 2004
)

// Product is the name under which incidents say who found them.
const Product = "benthos-oci"

// activities are OCSF's, by action.
var activities = map[Action]struct {
	id   int
	name string
}{
	Create: {1, "Create"},
	Update: {2, "Update"},
	Close:  {3, "Close"},
}

// severities are OCSF's, by severity.
var severities = map[rule.Severity]struct {
	id   int
	name string
}{
	rule.SeverityInformational: {1, "Informational"},
	rule.SeverityLow:           {2, "Low"},
	rule.SeverityMedium:        {3, "Medium"},
	rule.SeverityHigh:          {4, "High"},
	rule.SeverityCritical:      {5, "Critical"},
}

// OCSF gives the incident as an OCSF Detection Finding. Numbers are int64, lists []any: the types of a decoded document.
// The document shares nothing with the incident, so that it may be changed.
func (inc *Incident) OCSF() map[string]any {
	activity, ok := activities[inc.Action]
	if !ok {
		activity.name = "Unknown"
	}
	severity, ok := severities[inc.Rule.Severity]
	if !ok {
		severity.name = "Unknown"
	}
	evidences := inc.evidences()
	doc := map[string]any{
		"class_uid": int64(classUID), "class_name": "Detection Finding",
		"category_uid": int64(2), "category_name": "Findings",
		"activity_id": int64(activity.id), "activity_name": activity.name,
		"type_uid": int64(classUID*100 + activity.id), "type_name": "Detection Finding: " + activity.name,
		"severity_id": int64(severity.id), "severity": severity.name,
		"message":   inc.Title,
		"is_alert":  true,
		"action_id": int64(3), "action": "Observed",
		"disposition_id": int64(19), "disposition": "Alert",
		"count":        inc.Count,
		"metadata":     inc.metadata(),
		"cloud":        inc.cloud(),
		"finding_info": inc.findingInfo(),
		"unmapped":     inc.unmapped(),
	}
	inc.status(doc)
	stamp(doc, "time", inc.time())
	stamp(doc, "start_time", inc.First)
	stamp(doc, "end_time", inc.Last)
	doc["duration"] = int64(inc.Last - inc.First)
	putList(doc, "evidences", evidences)
	putList(doc, "resources", inc.resources())
	putList(doc, "observables", observables(evidences))
	if r := inc.remediation(); r != nil {
		doc["remediation"] = r
	}
	return clone(doc).(map[string]any)
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, each := range v {
			out[k] = clone(each)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = clone(each)
		}
		return out
	}
	return v
}

// time is when the incident came to be what it says.
func (inc *Incident) time() event.Time {
	switch inc.Action {
	case Create:
		return inc.Fired
	case Close:
		if inc.Closed != 0 {
			return max(inc.Closed, inc.Fired, inc.Last)
		}
		return max(inc.Slot.Add(inc.Per), inc.Fired, inc.Last)
	default:
		return max(inc.Fired, inc.Last)
	}
}

// status is that of an analyst's work, which has not begun: what closes is the incident, not the case.
func (inc *Incident) status(doc map[string]any) {
	doc["status_id"], doc["status"] = int64(1), "New"
	if inc.Action == Close {
		doc["status_id"], doc["status"] = int64(99), "Settled"
	}
}

// stamp writes a time as a number and as text.
func stamp(doc map[string]any, name string, t event.Time) {
	doc[name] = int64(t)
	// RFC 3339 has years of four digits.
	if year := t.Time().Year(); year >= 0 && year <= 9999 {
		doc[name+"_dt"] = t.String()
	}
}

func (inc *Incident) metadata() map[string]any {
	m := map[string]any{
		"version":         ocsfVersion,
		"uid":             inc.ID,
		"correlation_uid": CorrelationID(inc.Rule.ID, inc.Tenancy, inc.Key),
		"event_code":      inc.Rule.ID,
		"sequence":        inc.Revision,
		"log_name":        "correlate",
		"product":         map[string]any{"name": Product, "vendor_name": Product},
		"profiles":        []any{"cloud", "datetime", "security_control", "incident"},
	}
	if inc.Tenancy != "" {
		m["tenant_uid"] = inc.Tenancy
	}
	if inc.Truncated {
		m["is_truncated"] = true
	}
	putList(m, "labels", inc.labels())
	return m
}

func (inc *Incident) labels() []any {
	var list []any
	for _, name := range slices.Sorted(maps.Keys(inc.Rule.Labels)) {
		list = append(list, name+":"+inc.Rule.Labels[name])
	}
	return list
}

// cloud says what the events have in common: the region and account where all of them name the same.
func (inc *Incident) cloud() map[string]any {
	c := map[string]any{"provider": "Oracle Cloud"}
	for _, name := range []string{"region", "account"} {
		if v := inc.common(name); v != nil {
			c[name] = v
		}
	}
	if inc.Tenancy != "" {
		c["org"] = map[string]any{"uid": inc.Tenancy}
	}
	return c
}

func (inc *Incident) common(name string) any {
	var common any
	text := ""
	for _, v := range inc.Evidence {
		cloud, ok := v.Doc["cloud"].(map[string]any)
		if !ok || cloud[name] == nil {
			return nil
		}
		if common == nil {
			common, text = cloud[name], fmt.Sprint(cloud[name]) // maps print in the order of their keys
			continue
		}
		if fmt.Sprint(cloud[name]) != text {
			return nil
		}
	}
	return common
}

func (inc *Incident) findingInfo() map[string]any {
	r := inc.Rule
	info := map[string]any{
		"uid":                  inc.ID,
		"title":                inc.Title,
		"types":                []any{"correlation"},
		"analytic":             inc.analytic(),
		"related_events_count": inc.Count,
	}
	stamp(info, "created_time", inc.Fired)
	stamp(info, "first_seen_time", inc.First)
	stamp(info, "last_seen_time", inc.Last)
	if inc.Action != Create {
		stamp(info, "modified_time", inc.time())
	}
	if r.Description != "" {
		info["desc"] = r.Description
	}
	putList(info, "attacks", attacks(tags(r)))
	putList(info, "data_sources", texts(r.DataSources))
	putList(info, "related_events", inc.related())
	return info
}

func (inc *Incident) analytic() map[string]any {
	r := inc.Rule
	a := map[string]any{"uid": r.ID, "name": r.Title, "type_id": int64(1), "type": "Rule"}
	if r.Title == "" {
		a["name"] = r.ID
	}
	if r.Category != "" {
		a["category"] = r.Category
	}
	if r.StateHash != "" {
		a["version"] = r.StateHash
	}
	return a
}

func (inc *Incident) related() []any {
	var list []any
	for _, v := range inc.Evidence {
		if v.ID == "" {
			continue
		}
		e := map[string]any{"uid": v.ID}
		stamp(e, "created_time", v.Time)
		if v.TypeUID != 0 {
			e["type_uid"] = v.TypeUID
		}
		if v.Product != "" {
			e["product"] = map[string]any{"name": v.Product, "vendor_name": "Oracle"}
		}
		list = append(list, e)
	}
	return list
}

// evidenceParts are the parts of an event that OCSF's evidences have a place for.
var evidenceParts = []string{"actor", "api", "src_endpoint", "dst_endpoint", "user", "device", "url", "resources"}

// evidences gives the evidence. OCSF wants at least one part that says what happened; where an event has none its id is the data.
func (inc *Incident) evidences() []any {
	list := make([]any, 0, len(inc.Evidence))
	for _, v := range inc.Evidence {
		out := map[string]any{}
		for _, name := range evidenceParts {
			switch part := v.Doc[name].(type) {
			case map[string]any:
				if len(part) > 0 {
					out[name] = part
				}
			case []any:
				if len(part) > 0 && name == "resources" {
					out[name] = part
				}
			}
		}
		if group, ok := v.Doc["group"].(map[string]any); ok {
			out["data"] = map[string]any{"group": group}
		}
		said := false
		for name := range out {
			said = said || name != "resources"
		}
		if !said {
			out["data"] = map[string]any{"uid": v.ID, "time": int64(v.Time)}
		}
		if v.ID != "" {
			out["uid"] = v.ID
		}
		if v.Pattern != "" {
			out["name"] = v.Pattern
		}
		list = append(list, out)
	}
	return list
}

// maxResources is the most resources that an incident lists.
const maxResources = 20

// resources gives what the events touched, each once.
func (inc *Incident) resources() []any {
	var list []any
	seen := map[string]bool{}
	for _, v := range inc.Evidence {
		resources, _ := v.Doc["resources"].([]any)
		for _, each := range resources {
			r, ok := each.(map[string]any)
			if !ok {
				continue
			}
			id := fmt.Sprint(r["uid"], "\x00", r["name"], "\x00", r["type"])
			if seen[id] || len(list) == maxResources {
				continue
			}
			seen[id] = true
			list = append(list, r)
		}
	}
	return list
}

func (inc *Incident) remediation() map[string]any {
	if len(inc.Response) == 0 {
		return nil
	}
	var b strings.Builder
	for i, s := range inc.Response {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strconv.Itoa(i+1) + ". " + s)
	}
	r := map[string]any{"desc": b.String()}
	putList(r, "references", texts(inc.Rule.References))
	return r
}

// unmapped holds what OCSF has no place for.
func (inc *Incident) unmapped() map[string]any {
	r := inc.Rule
	key := map[string]any{}
	for i, v := range inc.Key {
		alias := strconv.Itoa(i)
		if i < len(r.KeyNames) {
			alias = r.KeyNames[i]
		}
		key[alias] = v
	}
	about := map[string]any{"id": r.ID}
	if r.Status != "" {
		about["status"] = string(r.Status)
	}
	putList(about, "tags", texts(tags(r)))
	putList(about, "falsepositives", texts(r.FalsePositives))
	out := map[string]any{
		"rule": about, "key": key, "revision": inc.Revision,
		"slot": map[string]any{"start": inc.Slot.String(), "seconds": int64(inc.Per.Seconds())},
	}
	if len(inc.Attributes) > 0 {
		out["attributes"] = inc.Attributes
	}
	if len(r.Labels) > 0 {
		labels := make(map[string]any, len(r.Labels))
		for name, v := range r.Labels {
			labels[name] = v
		}
		out["labels"] = labels
	}
	putList(out, "incomplete_sources", texts(inc.IncompleteSources))
	return out
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// putList writes a list that is not empty.
func putList(doc map[string]any, name string, list []any) {
	if len(list) > 0 {
		doc[name] = list
	}
}
