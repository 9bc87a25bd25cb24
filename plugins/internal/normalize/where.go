package normalize

import (
	"strings"
)

// where is the place in a tenancy at which something happened.
type where struct {
	tenancy, compartment, compartmentName, region string
}

// write puts the place into the document.
func (w where) write(d *draft, doc, metadata *object) {
	cloud := d.object()
	cloud.fixed("provider", provider)
	cloud.text("region", w.region)
	if w.compartment != "" {
		account := d.object()
		account.text("uid", w.compartment)
		account.fixed("type", "OCI Compartment")
		account.fixed("type_id", int64(12))
		account.text("name", w.compartmentName)
		cloud.object("account", account)
	}
	cloud.object("org", d.just("uid", w.tenancy))
	metadata.text("tenant_uid", w.tenancy)
	doc.object("cloud", cloud)
}

// account names whom something was done to where the record does not: somebody of this compartment.
func (w where) account(d *draft) *object {
	user := d.object()
	user.object("account", d.just("uid", first(w.compartment, w.tenancy, unknown)))
	return user
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
		w.tenancy = first(str(s.identity, "tenantId"), str(s.details, "tenantId"))
	}
	return w
}

var regionKeys = map[string]string{"iad": "us-ashburn-1", "phx": "us-phoenix-1", "fra": "eu-frankfurt-1", "lhr": "uk-london-1"}

// isRegion tells names of regions: letters of a country, words, and a number, as in eu-frankfurt-1.
func isRegion(s string) bool {
	country, rest, _ := strings.Cut(s, "-")
	if len(country) < 2 || len(country) > 3 || !only(country, 'a', 'z') {
		return false
	}
	words := 0
	for {
		word, behind, more := strings.Cut(rest, "-")
		if !more {
			return words > 0 && only(word, '0', '9')
		}
		if !only(word, 'a', 'z') {
			return false
		}
		words++
		rest = behind
	}
}

// only tells whether s is not empty and has bytes of a range only.
func only(s string, from, to byte) bool {
	for i := range len(s) {
		if s[i] < from || s[i] > to {
			return false
		}
	}
	return s != ""
}

// regionOf gives the region that stands in an OCID: ocid1.<type>.<realm>.<region>.<id>.
func regionOf(ocid string) string {
	rest, ok := strings.CutPrefix(ocid, "ocid1.")
	if !ok {
		return ""
	}
	_, rest, _ = strings.Cut(rest, ".")
	_, rest, _ = strings.Cut(rest, ".")
	region, _, ok := strings.Cut(rest, ".")
	if !ok {
		return ""
	}
	if name, ok := regionKeys[region]; ok {
		return name
	}
	if isRegion(region) {
		return region
	}
	return ""
}
