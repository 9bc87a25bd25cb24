package normalize

import (
	"strings"

	"github.com/valyala/fastjson"

	"benthos-oci/plugins/internal/event"
)

// cloudGuardProblem is a problem, as both its API and the Events service tell it.
type cloudGuardProblem struct {
	id, rule, detail, risk string
	first, last            string
	description            string
	recommendation         string
	comment                string
	labels                 []string
	configuration          bool // a resource is set up badly; else something was done
	isNew                  bool
	score                  *fastjson.Value
	resource, impacted     map[string]any
	where                  where
}

// problem builds the document of a problem as the API of Cloud Guard returns it.
func problem(root *fastjson.Value, parts extent) (map[string]any, error) {
	p := cloudGuardProblem{
		id: str(root, "id"), rule: str(root, "detectorRuleId"), detail: str(root, "lifecycleDetail"), risk: str(root, "riskLevel"),
		first: str(root, "timeFirstDetected"), last: str(root, "timeLastDetected"),
		description: str(root, "description"), recommendation: str(root, "recommendation"), comment: str(root, "comment"),
		score:    root.Get("riskScore"),
		resource: thing(root, "resource"), impacted: thing(root, "impactedResource"),
		where: where{compartment: str(root, "compartmentId"), region: first(str(root, "region"), str(root, "regions", "0"))},
	}
	if strings.HasPrefix(p.where.compartment, tenancyPrefix) {
		p.where.tenancy = p.where.compartment
	}
	detector := str(root, "detectorId")
	p.configuration = strings.Contains(detector, "CONFIGURATION") || strings.Contains(detector, "CONTAINER_SECURITY")
	for _, label := range root.GetArray("labels") {
		p.labels = append(p.labels, str(label))
	}
	p.isNew = p.first == p.last
	t, ok := parseTime(p.last)
	if !ok {
		return nil, timeError(Problem, p.last)
	}
	// A problem keeps its OCID for life: what changed makes the event's id.
	s := source{id: strings.Join([]string{p.id, p.detail, p.risk, p.last}, "/"), time: p.last, eventType: ""}
	doc := p.document(s, t)
	if parts == lean {
		return doc, nil
	}
	unmapped := map[string]any{}
	root.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		switch name := string(key); name {
		case "id", "detectorRuleId", "riskLevel", "riskScore", "timeFirstDetected", "timeLastDetected", "description",
			"recommendation", "comment", "labels", "resourceId", "resourceName", "resourceType", "impactedResourceId",
			"impactedResourceName", "impactedResourceType", "compartmentId", "region", "lifecycleDetail":
		default:
			if _, twice := unmapped[name]; !twice {
				set(unmapped, name, pruned(decode(v)))
			}
		}
	})
	set(doc, "unmapped", unmapped)
	return doc, nil
}

// problemEvent builds the document of a problem as the Events service reports it.
func problemEvent(s source, t event.Time) map[string]any {
	details := s.data.Get("additionalDetails")
	p := cloudGuardProblem{
		id: str(s.data, "resourceId"), rule: first(str(details, "problemName"), str(s.data, "resourceName")),
		detail: strings.ToUpper(str(details, "status")), risk: str(details, "riskLevel"),
		first: str(details, "firstDetected"), last: str(details, "lastDetected"),
		description: str(details, "problemDescription"), recommendation: str(details, "problemRecommendation"),
		resource: thing(details, "resource"), impacted: thing(details, "impactedResource"),
		where: where{
			tenancy: str(details, "tenantId"), compartment: first(str(s.data, "compartmentId"), s.compartment),
			compartmentName: str(s.data, "compartmentName"), region: str(details, "region"),
		},
		configuration: str(details, "problemType") == "CONFIG_CHANGE",
		isNew:         strings.HasPrefix(str(details, "reason"), "New"),
	}
	for label := range strings.SplitSeq(str(details, "labels"), ",") {
		p.labels = append(p.labels, label)
	}
	switch kind := strings.ToLower(s.eventType); {
	case strings.HasSuffix(kind, "problemdismissed"):
		p.detail = "DISMISSED"
	case strings.HasSuffix(kind, "problemremediated"):
		p.detail = "RESOLVED"
	}
	doc := p.document(s, t)
	if s.parts == lean {
		return doc
	}
	unmapped := map[string]any{}
	if details != nil && details.Type() == fastjson.TypeObject {
		details.GetObject().Visit(func(key []byte, v *fastjson.Value) {
			switch name := string(key); name {
			case "tenantId", "status", "problemName", "riskLevel", "resourceId", "resourceName", "resourceType", "labels",
				"firstDetected", "lastDetected", "region", "problemDescription", "problemRecommendation",
				"impactedResourceId", "impactedResourceName", "impactedResourceType":
			default:
				if _, twice := unmapped[name]; !twice {
					set(unmapped, name, pruned(decode(v)))
				}
			}
		})
	}
	set(doc, "unmapped", unmapped)
	return doc
}

// thing reads <prefix>Id, <prefix>Name and <prefix>Type.
func thing(v *fastjson.Value, prefix string) map[string]any {
	r := map[string]any{}
	set(r, "uid", str(v, prefix+"Id"))
	set(r, "name", str(v, prefix+"Name"))
	if len(r) > 0 {
		set(r, "type", str(v, prefix+"Type"))
	}
	return r
}

// closings are what ends a problem, with the status of OCSF.
var closings = map[string]struct {
	id   int64
	name string
}{
	"DISMISSED": {3, "Suppressed"}, "RESOLVED": {4, "Resolved"}, "DELETED": {6, "Deleted"},
}

func (p cloudGuardProblem) document(s source, t event.Time) map[string]any {
	closing, closed := closings[p.detail]
	d := deed{class: detectionFinding, activity: 2}
	if p.configuration {
		d.class = complianceFinding
	}
	switch {
	case closed:
		d.activity = 3
	case p.isNew:
		d.activity = 1
	}
	doc := common(s, t, d, productCloudGuard)
	p.where.write(doc)
	setSeverity(doc, severityOf(p.risk))
	doc["status_id"], doc["status"] = int64(1), "New"
	if closed {
		doc["status_id"], doc["status"] = closing.id, closing.name
	}
	set(doc, "status_detail", p.detail)
	if n, ok := number(scoreText(p.score)).(int64); ok {
		doc["risk_score"] = n
	}
	doc["finding_info"] = p.info()
	if p.configuration {
		doc["compliance"] = p.compliance(p.detail == "RESOLVED")
	}
	set(doc, "message", first(p.description, sentence(p.rule)))
	set(doc, "comment", p.comment)
	if p.recommendation != "" {
		doc["remediation"] = map[string]any{"desc": p.recommendation}
	}
	var all []any
	for _, r := range []map[string]any{p.resource, p.impacted} {
		if len(r) > 0 && (len(all) == 0 || r["uid"] != p.resource["uid"] || r["name"] != p.resource["name"]) {
			all = append(all, r)
		}
	}
	set(doc, "resources", all)
	set(child(doc, "metadata"), "labels", p.cleanLabels())
	return doc
}

func scoreText(v *fastjson.Value) string {
	if v == nil || v.Type() != fastjson.TypeNumber {
		return ""
	}
	return v.String()
}

func (p cloudGuardProblem) info() map[string]any {
	kind := "ACTIVITY"
	if p.configuration {
		kind = "CONFIG_CHANGE"
	}
	info := map[string]any{"uid": first(p.id, unknown), "types": []any{kind}, "data_sources": []any{productCloudGuard}}
	if p.rule != "" {
		info["analytic"] = map[string]any{"uid": p.rule, "name": p.rule, "type_id": int64(1), "type": "Rule"}
	}
	set(info, "title", sentence(p.rule))
	set(info, "desc", p.description)
	setTime(info, "first_seen_time", p.first)
	setTime(info, "last_seen_time", p.last)
	return info
}

func (p cloudGuardProblem) compliance(passed bool) map[string]any {
	c := map[string]any{"status_id": int64(3), "status": "Fail"}
	if passed {
		c["status_id"], c["status"] = int64(1), "Pass"
	}
	set(c, "control", p.rule)
	var standards []any
	for _, label := range p.cleanLabels() {
		if name, _ := label.(string); strings.HasPrefix(strings.ToUpper(name), "CIS") || strings.HasPrefix(strings.ToUpper(name), "PCI") {
			standards = append(standards, name)
		}
	}
	set(c, "standards", standards)
	return c
}

func (p cloudGuardProblem) cleanLabels() []any {
	var labels []any
	for _, label := range p.labels {
		if label = strings.TrimSpace(label); label != "" {
			labels = append(labels, label)
		}
	}
	return labels
}

func severityOf(risk string) int64 {
	switch strings.ToUpper(risk) {
	case "CRITICAL":
		return severityCritical
	case "HIGH":
		return severityHigh
	case "MEDIUM":
		return severityMedium
	case "LOW":
		return severityLow
	case "MINOR":
		return severityInformational
	case "":
		return severityUnknown
	}
	return severityOther
}

// sentence spells a rule's name as text: BUCKET_IS_PUBLIC is "Bucket is public".
func sentence(rule string) string {
	s := strings.ToLower(strings.ReplaceAll(rule, "_", " "))
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
