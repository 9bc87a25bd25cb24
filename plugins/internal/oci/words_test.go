package oci

import "testing"

func TestOneIsNotMany(t *testing.T) {
	for n, want := range map[int]string{0: "0 rules", 1: "1 rule", 2: "2 rules"} {
		if got := Counted(n, "rule"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
