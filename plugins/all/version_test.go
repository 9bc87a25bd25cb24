package all

import "testing"

func TestVersionIsTheOneThatTheBuildStamped(t *testing.T) {
	if version, built := Version(); version == "" || built == "" {
		t.Errorf("without a stamp: got %q and %q, want something in each", version, built)
	}
	defer func(was string) { stamped = was }(stamped)
	stamped = "v1.2.3-4-gabcdef0-dirty"
	if version, _ := Version(); version != stamped {
		t.Errorf("got the version %q, want the stamp %q", version, stamped)
	}
}
