package ocifields

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counts is what was counted, by tenancy.
type counts map[string]int

func (c counts) one(id string) { c[id]++ }

func TestWhatIsCountedBeforeTheTenancyIsKnownCountsUnderIt(t *testing.T) {
	var whose tenancy
	got := counts{}
	whose.expect("configured")
	whose.when(got.one)
	whose.when(got.one)
	if len(got) != 0 {
		t.Errorf("before it is known: got %v, want nothing counted", got)
	}
	whose.set("found")
	whose.when(got.one)
	if diff := cmp.Diff(counts{"found": 3}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestWhatIsCountedWhileTheLoginFailsCountsUnderTheConfiguredTenancy(t *testing.T) {
	for configured, want := range map[string]string{"configured": "configured", "": "unknown"} {
		var whose tenancy
		got := counts{}
		whose.expect(configured)
		whose.when(got.one)
		whose.settle()
		whose.when(got.one) // between two tries
		if diff := cmp.Diff(counts{want: 2}, got); diff != "" {
			t.Errorf("configured %q, after a login that failed (-want +got):\n%s", configured, diff)
		}
		whose.expect(configured)
		whose.when(got.one)
		whose.set("found")
		whose.settle()
		if diff := cmp.Diff(counts{want: 2, "found": 1}, got); diff != "" {
			t.Errorf("configured %q, after one that did not (-want +got):\n%s", configured, diff)
		}
	}
}

func TestWhatWaitsForTheTenancyIsBounded(t *testing.T) {
	var whose tenancy
	got := counts{}
	whose.expect("")
	for range mostHeld + 2 {
		whose.when(got.one)
	}
	if diff := cmp.Diff(counts{"unknown": mostHeld + 1}, got); diff != "" {
		t.Errorf("counts, before the login has ended (-want +got):\n%s", diff)
	}
}

func TestTenancyOfACheckNeedsNoExpectation(t *testing.T) {
	var whose tenancy
	got := counts{}
	whose.when(got.one)
	if diff := cmp.Diff(counts{"unknown": 1}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
