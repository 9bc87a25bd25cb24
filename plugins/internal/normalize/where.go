package normalize

import (
	"regexp"
	"strings"
)

// where is the place in a tenancy at which something happened.
type where struct {
	tenancy, compartment, compartmentName, region string
}

// write puts the place into the document.
func (w where) write(doc map[string]any) {
	cloud := map[string]any{"provider": provider}
	set(cloud, "region", w.region)
	if w.compartment != "" {
		account := map[string]any{"uid": w.compartment, "type": "OCI Compartment", "type_id": int64(12)}
		set(account, "name", w.compartmentName)
		cloud["account"] = account
	}
	if w.tenancy != "" {
		cloud["org"] = map[string]any{"uid": w.tenancy}
		child(doc, "metadata")["tenant_uid"] = w.tenancy
	}
	doc["cloud"] = cloud
}

// account names whom something was done to where the record does not: somebody of this compartment.
func (w where) account() map[string]any {
	return map[string]any{"account": map[string]any{"uid": first(w.compartment, w.tenancy, unknown)}}
}

const unknown = "unknown"

// whereOf finds the place of an audit event.
// The tenancy is that of the compartment; the caller's may be another, and is the next best guess.
func whereOf(s source) where {
	w := where{
		compartment:     first(str(s.data, "compartmentId"), s.compartment),
		compartmentName: str(s.data, "compartmentName"),
		region:          first(s.region, regionOf(str(s.data, "resourceId"))),
	}
	w.tenancy = s.tenancy
	if w.tenancy == "" && strings.HasPrefix(w.compartment, tenancyPrefix) {
		w.tenancy = w.compartment
	}
	if w.tenancy == "" {
		w.tenancy = first(str(s.data, "identity", "tenantId"), str(s.data, "additionalDetails", "tenantId"))
	}
	return w
}

var (
	regionName = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-\d+$`)
	regionKeys = map[string]string{"iad": "us-ashburn-1", "phx": "us-phoenix-1", "fra": "eu-frankfurt-1", "lhr": "uk-london-1"}
)

// regionOf gives the region that stands in an OCID: ocid1.<type>.<realm>.<region>.<id>.
func regionOf(ocid string) string {
	parts := strings.Split(ocid, ".")
	if len(parts) < 5 || parts[0] != "ocid1" {
		return ""
	}
	if name, ok := regionKeys[parts[3]]; ok {
		return name
	}
	if regionName.MatchString(parts[3]) {
		return parts[3]
	}
	return ""
}
