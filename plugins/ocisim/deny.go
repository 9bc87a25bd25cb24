package ocisim

import (
	"fmt"
	"slices"
	"strings"
)

// Permissions gives the permissions that Deny can take away, sorted.
func Permissions() []string {
	return []string{
		ReadAuditEvents, ReadCloudGuardConfig, ReadCloudGuardProblems, InspectCompartments, ReadLogContent, UseStreamPull, ReadStreams, InspectTenancies,
	}
}

// ParseDenial reads a permission and where it is denied, as in audit-events,region=us-ashburn-1,compartment=<ocid>.
// Everything but the permission may be left out, and means everywhere then.
func ParseDenial(text string) (Denial, error) {
	words := strings.Split(text, ",")
	d := Denial{Permission: strings.TrimSpace(words[0])}
	if !slices.Contains(Permissions(), d.Permission) {
		return Denial{}, fmt.Errorf("reading the denial %q: %q is no permission, want one of %s", text, d.Permission, strings.Join(Permissions(), ", "))
	}
	for _, word := range words[1:] {
		name, value, ok := strings.Cut(strings.TrimSpace(word), "=")
		to, known := map[string]*string{"tenancy": &d.Tenancy, "compartment": &d.Compartment, "region": &d.Region}[name]
		if !ok || !known || value == "" {
			return Denial{}, fmt.Errorf("reading the denial %q: %q is none of tenancy=, compartment=, region= with a value", text, word)
		}
		*to = value
	}
	return d, nil
}

// String is the denial as ParseDenial reads it.
func (d Denial) String() string {
	words := []string{d.Permission}
	for _, word := range []struct{ name, value string }{{"tenancy", d.Tenancy}, {"compartment", d.Compartment}, {"region", d.Region}} {
		if word.value != "" {
			words = append(words, word.name+"="+word.value)
		}
	}
	return strings.Join(words, ",")
}
