package ocisim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// problem is a Cloud Guard problem with all that becomes of it.
type problem struct {
	name    string
	options sample.ProblemOptions // State, Detail, Risk, Last and Comment are those of the first detection
	where   *compartment
	// rescan is how often the detector finds an open problem again; 0 never. Each time moves timeLastDetected.
	rescan  time.Duration
	scanned time.Time // after it there are no scans
	changes []change  // by time; the first opens the problem
}

type change struct {
	at      time.Time
	detail  string // OPEN, RESOLVED, DISMISSED, DELETED; "" where the lifecycle stays as it is
	comment string
	actor   string

	detected bool   // timeLastDetected moves
	risk     string // the new level, "" where it stays
	purged   bool   // the problem is not known any more
}

// fates are what becomes of problems, one after the other: changes by parts of the span after the first detection.
var fates = [][]struct {
	part   float64
	detail string
}{
	{},
	{{0.3, "RESOLVED"}},
	{{0.2, "DISMISSED"}},
	{},
	{{0.2, "RESOLVED"}, {0.5, "OPEN"}},
	{{0.4, "DELETED"}},
}

func newProblems(t *tenancy) []problem {
	names := sample.Problems()
	span := t.config.End.Sub(t.config.Start)
	all := make([]problem, 0, t.config.Problems)
	for i := range t.config.Problems {
		g := newGen(t.config.Seed, uint64(t.number), uint64(i), 23)
		name := names[(i+g.below(2))%len(names)]
		where := t.compartments[g.below(len(t.compartments))]
		region := t.regions[g.below(len(t.regions))]
		first := t.config.Start.Add(time.Duration(g.float() * 0.6 * float64(span))).Truncate(time.Millisecond)
		p := problem{name: name, where: where, options: sample.ProblemOptions{
			ID:          sample.OCID("cloudguardproblem", t.regions[0], t.id, strconv.Itoa(i)),
			Tenancy:     sample.Principal{Name: t.name, ID: t.id},
			Compartment: sample.Principal{Name: where.name, ID: where.id},
			Region:      region, First: first,
			Resource: sample.Principal{Name: strings.ToLower(strings.ReplaceAll(name, "_", "-")) + "-" + strconv.Itoa(i)},
		}}
		if full := sample.ProblemSummary(name, p.options); full["detectorId"] == "IAAS_CONFIGURATION_DETECTOR" {
			p.rescan, p.scanned = span/12, t.config.End
		}
		p.changes = []change{{at: first, detail: "OPEN", actor: "Cloud Guard", detected: true}}
		for _, fate := range fates[i%len(fates)] {
			// The fate of a problem that is found late lies in what is left of the span.
			at := first.Add(time.Duration(fate.part * float64(t.config.End.Sub(first)))).Truncate(time.Millisecond)
			c := change{at: at, detail: fate.detail, detected: fate.detail == "OPEN", actor: "security.operator@" + t.name + ".example"}
			if fate.detail == "DISMISSED" {
				c.comment = "Known and accepted"
			}
			p.changes = append(p.changes, c)
		}
		all = append(all, p)
	}
	return all
}

// at gives the problem as it is known at a time; ok is false before its first detection.
func (p problem) at(now, end time.Time) (o sample.ProblemOptions, ok bool) {
	if now.After(end) {
		now = end // what happens after the span is not told
	}
	if now.Before(p.options.First) {
		return o, false
	}
	o = p.options
	o.Last = o.First
	for i, c := range p.changes {
		if c.at.After(now) {
			break
		}
		if c.purged {
			return o, false
		}
		if c.risk != "" {
			o.Risk = c.risk
		}
		if c.detected {
			o.Last = c.at
		}
		if c.detail != "" {
			o.Detail, o.Comment = c.detail, c.comment
			o.State = "ACTIVE"
		}
		if o.Detail != "OPEN" {
			o.State = "INACTIVE"
			continue // closing a problem is no detection
		}
		until := now
		if i+1 < len(p.changes) && p.changes[i+1].at.Before(now) {
			until = p.changes[i+1].at.Add(-time.Millisecond)
		}
		if until.After(p.scanned) {
			until = p.scanned
		}
		if p.rescan > 0 && until.After(c.at) {
			o.Last = later(o.Last, c.at.Add(until.Sub(c.at).Truncate(p.rescan)))
		}
	}
	return o, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (q *request) cloudGuardOff() bool { return q.sim.config.CloudGuardOff }

func getConfiguration(q *request) (*answer, *apiError) {
	id := q.query.Get("compartmentId")
	switch {
	case id == "":
		return nil, missing("compartmentId")
	case id != q.tenancy.id || q.sim.denied(id, ReadCloudGuardConfig, id, q.region):
		return nil, notFound()
	}
	status := "ENABLED"
	if q.cloudGuardOff() {
		status = "DISABLED"
	}
	return &answer{body: encode(struct {
		ReportingRegion       string `json:"reportingRegion"`
		Status                string `json:"status"`
		ServiceConfigurations []any  `json:"serviceConfigurations"`
		SelfManageResources   bool   `json:"selfManageResources"`
	}{q.tenancy.regions[0], status, nil, false})}, nil
}

// problemFilter is what a client asks ListProblems for, Oracle's defaults filled in.
type problemFilter struct {
	state, detail, risk, detector  string
	resourceType, resource, target string
	region                         string
	rules                          []string
	lastFrom, lastTo               time.Time
	firstFrom, firstTo             time.Time
	sortBy, order                  string
	subtree, accessible            bool
	compartment                    string
	size                           int
}

func (q *request) problemFilter(now time.Time) (f problemFilter, err *apiError) {
	text := func(name string) string { return q.query.Get(name) }
	f.resourceType, f.resource, f.target, f.region = text("resourceType"), text("resourceId"), text("targetId"), text("region")
	f.compartment, f.rules = text("compartmentId"), q.query["detectorRuleIdList"]
	access := ""
	for _, read := range []struct {
		to              *string
		name, otherwise string
		words           []string
	}{
		{&f.state, "lifecycleState", "ACTIVE", []string{"ACTIVE", "INACTIVE"}},
		{&f.detail, "lifecycleDetail", "", []string{"OPEN", "RESOLVED", "DISMISSED", "DELETED"}},
		{&f.risk, "riskLevel", "", []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "MINOR"}},
		{&f.detector, "detectorType", "", []string{"IAAS_ACTIVITY_DETECTOR", "IAAS_CONFIGURATION_DETECTOR", "IAAS_THREAT_DETECTOR", "IAAS_LOG_INSIGHT_DETECTOR", "IAAS_INSTANCE_SECURITY_DETECTOR", "IAAS_CONTAINER_SECURITY_DETECTOR"}},
		{&f.sortBy, "sortBy", "timeLastDetected", []string{"riskLevel", "timeLastDetected", "resourceName"}},
		{&f.order, "sortOrder", "DESC", []string{"ASC", "DESC"}},
		{&access, "accessLevel", "RESTRICTED", []string{"RESTRICTED", "ACCESSIBLE"}},
	} {
		if *read.to, err = q.oneOf(read.name, read.otherwise, read.words...); err != nil {
			return f, err
		}
	}
	f.accessible = access == "ACCESSIBLE"
	if f.subtree, err = q.flag("compartmentIdInSubtree"); err != nil {
		return f, err
	}
	const defaultSpan = 30 * 24 * time.Hour
	for _, read := range []struct {
		to        *time.Time
		name      string
		otherwise time.Time
	}{
		{&f.lastFrom, "timeLastDetectedGreaterThanOrEqualTo", now.Add(-defaultSpan)},
		{&f.lastTo, "timeLastDetectedLessThanOrEqualTo", now},
		{&f.firstFrom, "timeFirstDetectedGreaterThanOrEqualTo", time.Time{}},
		{&f.firstTo, "timeFirstDetectedLessThanOrEqualTo", time.Time{}},
	} {
		*read.to = read.otherwise
		if given := text(read.name); given != "" {
			at, bad := time.Parse(time.RFC3339Nano, given)
			if bad != nil {
				return f, invalid("%s is %q, want a time in RFC 3339.", read.name, given)
			}
			*read.to = at
		}
	}
	f.size, err = q.limit(100, 1000)
	return f, err
}

func (f problemFilter) admits(p problem, o sample.ProblemOptions, summary map[string]any) bool {
	word := func(name string) string { s, _ := summary[name].(string); return s }
	return o.State == f.state && anyOr(f.detail, o.Detail) && anyOr(f.risk, word("riskLevel")) && anyOr(f.detector, word("detectorId")) &&
		anyOr(f.resourceType, word("resourceType")) && anyOr(f.resource, word("resourceId")) && anyOr(f.target, word("targetId")) && anyOr(f.region, o.Region) &&
		(len(f.rules) == 0 || slices.Contains(f.rules, p.name)) &&
		!o.Last.Before(f.lastFrom) && !o.Last.After(f.lastTo) &&
		(f.firstFrom.IsZero() || !o.First.Before(f.firstFrom)) && (f.firstTo.IsZero() || !o.First.After(f.firstTo))
}

// listProblems answers with Oracle's defaults, each of which hides something:
// ACTIVE only, the last 30 days only, the compartment itself only, an error where a compartment below cannot be read.
func listProblems(q *request) (*answer, *apiError) {
	c, err := q.turn()
	if err != nil {
		return nil, err
	}
	f, err := q.problemFilter(c.asOf)
	if err != nil {
		return nil, err
	}
	if f.compartment == "" {
		return nil, missing("compartmentId")
	}
	where := q.tenancy.compartment(f.compartment)
	if where == nil || q.cloudGuardOff() || q.problemsDenied(where.id) {
		return nil, notFound()
	}
	type row struct {
		problem problem
		options sample.ProblemOptions
		risk    int
	}
	var rows []row
	for _, p := range q.tenancy.problems {
		inside := p.where == where || f.subtree && q.tenancy.below(p.where, where)
		if !inside {
			continue
		}
		if q.problemsDenied(p.where.id) {
			if !f.accessible {
				return nil, notFound()
			}
			continue
		}
		p, end := q.sim.happened.with(p, q.sim.config.End)
		o, found := p.at(c.asOf, end)
		if !found {
			continue
		}
		summary := sample.ProblemSummary(p.name, o)
		if f.admits(p, o, summary) {
			risk, _ := summary["riskLevel"].(string)
			rows = append(rows, row{p, o, slices.Index([]string{"MINOR", "LOW", "MEDIUM", "HIGH", "CRITICAL"}, risk)})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		var order int
		switch f.sortBy {
		case "riskLevel":
			order = cmp.Compare(a.risk, b.risk)
		case "resourceName":
			order = cmp.Compare(a.options.Resource.Name, b.options.Resource.Name)
		default:
			order = a.options.Last.Compare(b.options.Last)
		}
		if f.order == "DESC" {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a.options.ID, b.options.ID))
	})
	ans := q.list(c, len(rows), f.size, q.sim.config.EmptyPages, func(i int) []byte {
		return sample.ProblemSummaryJSON(rows[i].problem.name, rows[i].options)
	})
	ans.inside = true
	return ans, nil
}

func (q *request) problemsDenied(compartment string) bool {
	return q.sim.denied(q.tenancy.id, ReadCloudGuardProblems, compartment, q.region)
}

// below reports whether c stands somewhere below top.
func (t *tenancy) below(c, top *compartment) bool {
	for c != nil && c.parent != "" {
		if c.parent == top.id {
			return true
		}
		c = t.compartment(c.parent)
	}
	return false
}

// problem finds a problem that the caller may read.
func (q *request) problem(id string) (problem, sample.ProblemOptions, *apiError) {
	for _, p := range q.tenancy.problems {
		if p.options.ID != id {
			continue
		}
		q.call.Compartment = p.where.id
		p, end := q.sim.happened.with(p, q.sim.config.End)
		o, found := p.at(q.now, end)
		if found && !q.cloudGuardOff() && !q.problemsDenied(p.where.id) {
			return p, o, nil
		}
	}
	return problem{}, sample.ProblemOptions{}, notFound()
}

func getProblem(id string) route {
	return func(q *request) (*answer, *apiError) {
		p, o, err := q.problem(id)
		if err != nil {
			return nil, err
		}
		return &answer{body: sample.ProblemJSON(p.name, o)}, nil
	}
}
