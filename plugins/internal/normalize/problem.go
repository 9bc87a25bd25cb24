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
	resource, impacted     *object
	where                  where
}

// problem builds the document of a problem as the API of Cloud Guard returns it.
func (d *draft) problem(root *fastjson.Value, parts extent) (*object, error) {
	p := cloudGuardProblem{
		id: str(root, "id"), rule: str(root, "detectorRuleId"), detail: str(root, "lifecycleDetail"), risk: str(root, "riskLevel"),
		first: str(root, "timeFirstDetected"), last: str(root, "timeLastDetected"),
		description: str(root, "description"), recommendation: str(root, "recommendation"), comment: str(root, "comment"),
		score:    root.Get("riskScore"),
		resource: d.thing(root, "resource"), impacted: d.thing(root, "impactedResource"),
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
	s := source{id: strings.Join([]string{p.id, p.detail, p.risk, p.last}, "/"), time: p.last, eventType: "", draft: d}
	doc := p.document(s, t)
	if parts == lean {
		return doc, nil
	}
	doc.object("unmapped", d.members(root, true, func(name string, _ *fastjson.Value) bool {
		switch name {
		case "id", "detectorRuleId", "riskLevel", "riskScore", "timeFirstDetected", "timeLastDetected", "description",
			"recommendation", "comment", "labels", "resourceId", "resourceName", "resourceType", "impactedResourceId",
			"impactedResourceName", "impactedResourceType", "compartmentId", "region", "lifecycleDetail":
			return true
		}
		return false
	}))
	return doc, nil
}

// problemEvent builds the document of a problem as the Events service reports it.
func problemEvent(s source, t event.Time) *object {
	details := s.details
	p := cloudGuardProblem{
		id: str(s.data, "resourceId"), rule: first(str(details, "problemName"), str(s.data, "resourceName")),
		detail: strings.ToUpper(str(details, "status")), risk: str(details, "riskLevel"),
		first: str(details, "firstDetected"), last: str(details, "lastDetected"),
		description: str(details, "problemDescription"), recommendation: str(details, "problemRecommendation"),
		resource: s.thing(details, "resource"), impacted: s.thing(details, "impactedResource"),
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
	if details != nil && details.Type() == fastjson.TypeObject {
		doc.object("unmapped", s.members(details, true, func(name string, _ *fastjson.Value) bool {
			switch name {
			case "tenantId", "status", "problemName", "riskLevel", "resourceId", "resourceName", "resourceType", "labels",
				"firstDetected", "lastDetected", "region", "problemDescription", "problemRecommendation",
				"impactedResourceId", "impactedResourceName", "impactedResourceType":
				return true
			}
			return false
		}))
	}
	return doc
}

// thing reads <prefix>Id, <prefix>Name and <prefix>Type.
func (d *draft) thing(v *fastjson.Value, prefix string) *object {
	r := d.object()
	r.text("uid", str(v, prefix+"Id"))
	r.text("name", str(v, prefix+"Name"))
	if !r.empty() {
		r.text("type", str(v, prefix+"Type"))
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

func (p *cloudGuardProblem) document(s source, t event.Time) *object {
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
	doc, metadata := common(s, t, d, productCloudGuard)
	p.where.write(s.draft, doc, metadata)
	setSeverity(doc, severityOf(p.risk))
	if !closed {
		closing.id, closing.name = 1, "New"
	}
	doc.whole("status_id", closing.id)
	doc.text("status", closing.name)
	doc.text("status_detail", p.detail)
	if n, ok := number(scoreText(p.score)).(int64); ok {
		doc.whole("risk_score", n)
	}
	doc.object("finding_info", p.info(s.draft))
	if p.configuration {
		doc.object("compliance", p.compliance(s.draft, p.detail == "RESOLVED"))
	}
	doc.text("message", first(p.description, sentence(p.rule)))
	doc.text("comment", p.comment)
	doc.object("remediation", s.just("desc", p.recommendation))
	var all []*object
	for _, r := range [...]*object{p.resource, p.impacted} {
		if !r.empty() && (len(all) == 0 || r.textOf("uid") != p.resource.textOf("uid") || r.textOf("name") != p.resource.textOf("name")) {
			all = append(all, r)
		}
	}
	doc.list("resources", s.objectsOf(all...))
	metadata.list("labels", s.texts(p.cleanLabels()...))
	return doc
}

func scoreText(v *fastjson.Value) string {
	if v == nil || v.Type() != fastjson.TypeNumber {
		return ""
	}
	return v.String()
}

func (p *cloudGuardProblem) info(d *draft) *object {
	kind := "ACTIVITY"
	if p.configuration {
		kind = "CONFIG_CHANGE"
	}
	info := d.object()
	info.text("uid", first(p.id, unknown))
	info.list("types", d.texts(kind))
	info.list("data_sources", d.texts(productCloudGuard))
	if p.rule != "" {
		analytic := d.object()
		analytic.text("uid", p.rule)
		analytic.text("name", p.rule)
		analytic.whole("type_id", 1)
		analytic.text("type", "Rule")
		info.object("analytic", analytic)
	}
	info.text("title", sentence(p.rule))
	info.text("desc", p.description)
	info.time("first_seen_time", p.first)
	info.time("last_seen_time", p.last)
	return info
}

func (p *cloudGuardProblem) compliance(d *draft, passed bool) *object {
	c := d.object()
	id, status := int64(3), "Fail"
	if passed {
		id, status = 1, "Pass"
	}
	c.whole("status_id", id)
	c.text("status", status)
	c.text("control", p.rule)
	var standards []string
	for _, name := range p.cleanLabels() {
		if strings.HasPrefix(strings.ToUpper(name), "CIS") || strings.HasPrefix(strings.ToUpper(name), "PCI") {
			standards = append(standards, name)
		}
	}
	c.list("standards", d.texts(standards...))
	return c
}

func (p *cloudGuardProblem) cleanLabels() []string {
	var labels []string
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
