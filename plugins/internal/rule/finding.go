package rule

import (
	"fmt"
	"slices"
	"strings"
)

// cloudGuard is how rules name the source of Cloud Guard's problems.
const cloudGuard = "oci_cloudguard"

// OverFindings is true for a rule over findings, which are Cloud Guard's problems: it says so in its data sources,
// or asks for the class of a finding. Incidents of other rules are findings, too, but come from the rules themselves.
func (r *Rule) OverFindings() bool {
	if slices.Contains(r.DataSources, cloudGuard) {
		return true
	}
	return slices.ContainsFunc(r.Patterns, func(p *Pattern) bool { return p.Incidents == nil && asksForFinding(p.Match) })
}

// asksForFinding is true where one of the tests that an event may have to pass is for the class of a finding.
func asksForFinding(c Condition) bool {
	switch c := c.(type) {
	case All:
		return slices.ContainsFunc(c, asksForFinding)
	case Any:
		return slices.ContainsFunc(c, asksForFinding)
	case *Test:
		value := strings.ToLower(fmt.Sprint(c.Value))
		switch c.Field.String() {
		case "class_name":
			return strings.Contains(value, "finding")
		case "class_uid":
			return value == "2003" || value == "2004"
		}
	}
	return false
}
