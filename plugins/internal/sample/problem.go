package sample

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// ProblemOptions choose what a Cloud Guard problem says. The zero value of each field means a fixed default.
type ProblemOptions struct {
	// ID is the problem's OCID.
	ID string
	// Tenancy, Compartment and Region say where the resource is.
	Tenancy     Principal
	Compartment Principal
	Region      string
	// Resource is what the problem is about.
	Resource Principal
	// First and Last are when it was detected; Last is First by default.
	First time.Time
	Last  time.Time
	// State is ACTIVE or INACTIVE, Detail is OPEN, RESOLVED, DISMISSED or DELETED.
	State  string
	Detail string
	// Risk is CRITICAL, HIGH, MEDIUM, LOW or MINOR.
	Risk string
	// Comment is what the person wrote who closed it.
	Comment string
}

// kindOfProblem is a rule of a Cloud Guard detector.
type kindOfProblem struct {
	detector, risk, resource, labels, description, recommendation string
	score                                                         int
	activity                                                      bool
}

const (
	configuration = "IAAS_CONFIGURATION_DETECTOR"
	activity      = "IAAS_ACTIVITY_DETECTOR"
	threat        = "IAAS_THREAT_DETECTOR"
)

var problems = map[string]kindOfProblem{
	"BUCKET_IS_PUBLIC":             {detector: configuration, risk: "CRITICAL", score: 90, resource: "Bucket", labels: "CIS_OCI_V1.1_OBJECTSTORAGE,ObjectStorage", description: "Anybody can read the objects of this bucket without signing in.", recommendation: "Make the bucket private, or confirm that it is meant to be public."},
	"VCN_NO_INBOUND_SECURITY_LIST": {detector: configuration, risk: "MEDIUM", score: 40, resource: "VCN", labels: "Network", description: "The network has no security list with rules for incoming traffic.", recommendation: "Add rules that admit known sources only."},
	"SECURITY_LISTS_OPEN_SOURCE":   {detector: configuration, risk: "CRITICAL", score: 85, resource: "SecurityList", labels: "CIS_OCI_V1.1_NETWORK,Network", description: "A rule admits traffic from any address to a sensitive port.", recommendation: "Narrow the source of the rule."},
	"PASSWORD_TOO_OLD":             {detector: configuration, risk: "MEDIUM", score: 30, resource: "User", labels: "CIS_OCI_V1.1_IAM,IAM", description: "The password is older than the limit.", recommendation: "Have the user change the password."},
	"USER_API_KEY_TOO_OLD":         {detector: configuration, risk: "MEDIUM", score: 30, resource: "User", labels: "CIS_OCI_V1.1_IAM,IAM", description: "An API key is older than 90 days.", recommendation: "Rotate the key."},
	"INSTANCE_PUBLIC_IP":           {detector: configuration, risk: "HIGH", score: 60, resource: "Instance", labels: "Compute", description: "The instance has a public address.", recommendation: "Move the instance behind a load balancer or a bastion."},
	"SCANNED_HOST_VULNERABILITY":   {detector: configuration, risk: "HIGH", score: 70, resource: "HostAgentScan", labels: "VSS", description: "The scan of the host found vulnerabilities.", recommendation: "Patch the packages that the scan names."},
	"VCN_DHCP_OPTION_CHANGED":      {detector: activity, risk: "MEDIUM", score: 35, resource: "DHCP", labels: "CIS_OCI_V1.0_NETWORK,Network", activity: true, description: "The DHCP options of a network were changed.", recommendation: "Confirm the change with who made it."},
	"SUSPICIOUS_IP_ACTIVITY":       {detector: activity, risk: "CRITICAL", score: 95, resource: "User", labels: "CIS3.0,Network", activity: true, description: "A user signed in from an address known for attacks.", recommendation: "Confirm that it was the user; reset the credentials otherwise."},
	"IMPOSSIBLE_TRAVEL":            {detector: threat, risk: "HIGH", score: 75, resource: "User", labels: "Threat", activity: true, description: "A user acted from two places too far apart for the time between.", recommendation: "Confirm both sign-ins with the user."},
	"ROGUE_USER":                   {detector: threat, risk: "CRITICAL", score: 98, resource: "User", labels: "Threat", activity: true, description: "What the user does looks like an attacker who holds the user's credentials.", recommendation: "Disable the user and read what it did."},
}

// Problems gives the names of problems that Problem knows, sorted.
func Problems() []string {
	return slices.Sorted(maps.Keys(problems))
}

func (o ProblemOptions) withDefaults(name string) (ProblemOptions, kindOfProblem) {
	kind, ok := problems[name]
	if !ok {
		kind = kindOfProblem{detector: configuration, risk: "LOW", score: 10, resource: "Instance", labels: "Other", description: "A detector found a problem.", recommendation: "Look at the resource."}
	}
	if o.Tenancy.ID == "" {
		o.Tenancy.ID = OCID("tenancy", "", "acme")
	}
	if o.Region == "" {
		o.Region = "eu-frankfurt-1"
	}
	if o.Compartment.ID == "" {
		o.Compartment = Principal{Name: "production", ID: OCID("compartment", "", o.Tenancy.ID, "production")}
	}
	if o.Resource.Name == "" {
		o.Resource.Name = strings.ToLower(kind.resource) + "-1"
	}
	if o.Resource.ID == "" {
		o.Resource.ID = OCID(strings.ToLower(kind.resource), o.Region, o.Tenancy.ID, o.Resource.Name)
	}
	if o.ID == "" {
		o.ID = OCID("cloudguardproblem", o.Region, name, o.Resource.ID)
	}
	if o.First.IsZero() {
		o.First = defaultTime
	}
	if o.Last.IsZero() {
		o.Last = o.First
	}
	if o.State == "" {
		o.State = "ACTIVE"
	}
	if o.Detail == "" {
		o.Detail = "OPEN"
	}
	if o.Risk == "" {
		o.Risk = kind.risk
	}
	return o, kind
}

func summary(name string, o ProblemOptions, kind kindOfProblem) *document {
	var labels []any
	for label := range strings.SplitSeq(kind.labels, ",") {
		labels = append(labels, label)
	}
	return object(
		member{"id", o.ID},
		member{"compartmentId", o.Compartment.ID},
		member{"detectorRuleId", name},
		member{"riskLevel", o.Risk},
		member{"riskScore", kind.score},
		member{"resourceId", o.Resource.ID},
		member{"resourceName", o.Resource.Name},
		member{"resourceType", kind.resource},
		member{"labels", labels},
		member{"timeFirstDetected", o.First},
		member{"timeLastDetected", o.Last},
		member{"lifecycleState", o.State},
		member{"lifecycleDetail", o.Detail},
		member{"detectorId", kind.detector},
		member{"region", o.Region},
		member{"regions", list(o.Region)},
		member{"targetId", OCID("cloudguardtarget", o.Region, o.Tenancy.ID)},
		member{"locks", nil},
	)
}

func problem(name string, o ProblemOptions, kind kindOfProblem) *document {
	doc := summary(name, o, kind)
	var comment any
	if o.Comment != "" {
		comment = o.Comment
	}
	var impacted, impactedID, impactedType any
	if kind.activity {
		impacted, impactedID, impactedType = o.Resource.Name, o.Resource.ID, kind.resource
	}
	for _, m := range []member{
		{"peakRiskScore", kind.score},
		{"peakRiskScoreDate", instant(o.First)},
		{"peakRiskScoreLookupPeriodInDays", 30},
		{"autoResolveDate", nil},
		{"additionalDetails", object(member{"Detected by", kind.detector}, member{"Resource", o.Resource.Name})},
		{"description", kind.description},
		{"recommendation", kind.recommendation},
		{"comment", comment},
		{"impactedResourceName", impacted},
		{"impactedResourceId", impactedID},
		{"impactedResourceType", impactedType},
	} {
		doc.set(m.name, m.value)
	}
	return doc
}

// ProblemSummary gives a problem of the named detector rule as ListProblems returns it.
func ProblemSummary(name string, o ProblemOptions) map[string]any {
	o, kind := o.withDefaults(name)
	return summary(name, o, kind).values()
}

// ProblemSummaryJSON gives the same as bytes.
func ProblemSummaryJSON(name string, o ProblemOptions) []byte {
	o, kind := o.withDefaults(name)
	return summary(name, o, kind).append(nil)
}

// Problem gives a problem of the named detector rule as GetProblem returns it, with description and recommendation.
func Problem(name string, o ProblemOptions) map[string]any {
	o, kind := o.withDefaults(name)
	return problem(name, o, kind).values()
}

// ProblemJSON gives the same as bytes.
func ProblemJSON(name string, o ProblemOptions) []byte {
	o, kind := o.withDefaults(name)
	return problem(name, o, kind).append(nil)
}

// ProblemEvent gives the same problem as a record of the Events service,
// detected, dismissed or remediated as the options say.
func ProblemEvent(name string, o ProblemOptions) map[string]any {
	o, kind := o.withDefaults(name)
	eventType, status, reason := "problemdetected", "OPEN", "New Problem detected by CloudGuard"
	switch o.Detail {
	case "DISMISSED":
		eventType, status, reason = "problemdismissed", "DISMISSED", "Problem dismissed"
	case "RESOLVED":
		eventType, status, reason = "problemremediated", "RESOLVED", "Problem remediated"
	default:
		if o.Last.After(o.First) {
			reason = "Existing Problem updated by CloudGuard"
		}
	}
	class := "CONFIG_CHANGE"
	if kind.activity {
		class = "ACTIVITY"
	}
	details := object(
		member{"tenantId", o.Tenancy.ID},
		member{"status", status},
		member{"reason", reason},
		member{"problemName", name},
		member{"riskLevel", o.Risk},
		member{"problemType", class},
		member{"resourceName", o.Resource.Name},
		member{"resourceId", o.Resource.ID},
		member{"resourceType", kind.resource},
		member{"targetId", OCID("cloudguardtarget", o.Region, o.Tenancy.ID)},
		member{"labels", strings.ReplaceAll(kind.labels, ",", ", ")},
		member{"firstDetected", o.First},
		member{"lastDetected", o.Last},
		member{"region", o.Region},
		member{"problemDescription", kind.description},
		member{"problemRecommendation", kind.recommendation},
		member{"problemAdditionalDetails", object()},
	)
	if kind.activity {
		details.set("impactedResourceName", o.Resource.Name)
		details.set("impactedResourceId", o.Resource.ID)
		details.set("impactedResourceType", kind.resource)
	}
	return object(
		member{"eventType", "com.oraclecloud.cloudguard." + eventType},
		member{"cloudEventsVersion", "0.1"},
		member{"eventTypeVersion", "2.0"},
		member{"source", "CloudGuardResponderEngine"},
		member{"eventTime", o.Last},
		member{"contentType", "application/json"},
		member{"data", object(
			member{"compartmentId", o.Compartment.ID},
			member{"compartmentName", o.Compartment.Name},
			member{"resourceName", titled(name)},
			member{"resourceId", o.ID},
			member{"additionalDetails", details},
		)},
		member{"eventID", UUID("problem", o.ID, instant(o.Last), o.Detail)},
		member{"extensions", object(member{"compartmentId", o.Compartment.ID})},
	).values()
}

// titled spells a rule's name as the console shows it: BUCKET_IS_PUBLIC is "Bucket is public".
func titled(name string) string {
	s := strings.ToLower(strings.ReplaceAll(name, "_", " "))
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
