package lint

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFieldsThatAreNoTextHoldWhatTheyMust(t *testing.T) {
	t.Setenv("SET", "yess")
	for _, test := range []struct{ fields, want string }{
		{"detail: yess", `c.yaml:4:13: detail: must be true or false, not "yess"`},
		{"detail: 1", `c.yaml:4:13: detail: must be true or false, not "1"`},
		{"detail: ${SET}", `c.yaml:4:13: detail: must be true or false, not "yess"`},
		{"detail: ${SET_NOT:true}", ""},
		{"detail: true", ""},
		{"detail: yes", ""}, // as Benthos reads it
		{"detail_budget: many", `c.yaml:4:20: detail_budget: must be a whole number, not "many"`},
		{"detail_budget: 7", ""},
		{"max_requests_per_second: fast", `c.yaml:4:30: max_requests_per_second: must be a number, not "fast"`},
		{"max_requests_per_second: 0.5", ""},
	} {
		var want []string
		if test.want != "" {
			want = []string{test.want}
		}
		got := lintFiles(t, map[string]string{"c.yaml": fmt.Sprintf("input:\n  oci_cloudguard:\n    auth: { profile: PROD }\n    %s\n", test.fields)})
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", test.fields, diff)
		}
	}
}
