package ocisim

import (
	"strings"
	"testing"
)

func TestDenialsAreReadAsTheyAreWritten(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Denial
	}{
		{"audit-events", Denial{Permission: ReadAuditEvents}},
		{"log-content,region=us-ashburn-1", Denial{Permission: ReadLogContent, Region: "us-ashburn-1"}},
		{"compartments,tenancy=t,compartment=c,region=r", Denial{Permission: InspectCompartments, Tenancy: "t", Compartment: "c", Region: "r"}},
	} {
		got, err := ParseDenial(tt.text)
		if err != nil || got != tt.want || got.String() != tt.text {
			t.Errorf("ParseDenial(%q) = %+v, %v, written %q; want %+v", tt.text, got, err, got, tt.want)
		}
	}
	for _, text := range []string{"", "audit", "audit-events,where=here", "audit-events,region", "audit-events,region=", "region=r"} {
		if got, err := ParseDenial(text); err == nil {
			t.Errorf("ParseDenial(%q) = %+v, want an error", text, got)
		} else if !strings.Contains(err.Error(), "want one of") && !strings.Contains(err.Error(), "none of tenancy=") {
			t.Errorf("ParseDenial(%q): got %v, want what would be right", text, err)
		}
	}
	for _, permission := range Permissions() {
		if _, err := ParseDenial(permission); err != nil {
			t.Errorf("ParseDenial(%q): got %v, want it read", permission, err)
		}
	}
}
