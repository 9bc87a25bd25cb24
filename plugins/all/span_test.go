package all

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLintWarnsOfAStartBeforeWhatOracleKeeps(t *testing.T) {
	day := func(ago int) string { return time.Now().AddDate(0, 0, -ago).UTC().Format(time.DateOnly) }
	for _, test := range []struct {
		input, start string
		want         bool
	}{
		{"oci_audit", "-365d", false},
		{"oci_audit", "-366d", true},
		{"oci_audit", "-53w", true},
		{"oci_audit", day(364), false},
		{"oci_audit", day(367), true},
		{"oci_audit", day(367) + "T00:00:00Z", true},
		{"oci_audit", `"${START:-400d}"`, false}, // what the environment says is not judged
		{"oci_logging", "-366d", true},
		{"oci_cloudguard", "-366d", false}, // it lists what is, whatever its age
	} {
		more := ""
		if test.input == "oci_logging" {
			more = `, queries: [{name: q, search: 'search "c/_Audit"'}]`
		}
		var got []string
		for _, warning := range warnings(t, fmt.Sprintf("input:\n  %s: {start: %s%s}\n", test.input, test.start, more)) {
			if strings.Contains(warning, "Oracle keeps nothing older than 365 days") && strings.HasPrefix(warning, "c.yaml:2:1: warning: ") {
				got = append(got, warning)
				continue
			}
			t.Errorf("%s from %s: got %q besides", test.input, test.start, warning)
		}
		if (len(got) == 1) != test.want || len(got) > 1 {
			t.Errorf("%s from %s: got %q, want a warning: %v", test.input, test.start, got, test.want)
		}
	}
}
