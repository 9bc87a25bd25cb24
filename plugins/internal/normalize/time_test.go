package normalize

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"benthos-oci/plugins/internal/event"
)

// TestUsualTimeIsThatOfTheStandardLibrary compares the short way with the long one: it may know less, and never something else.
func TestUsualTimeIsThatOfTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	layouts := []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.0Z", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05.000000000Z"}
	begin, end := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	for range 20_000 {
		at := time.Unix(begin+r.Int64N(end-begin), r.Int64N(int64(time.Second))).UTC()
		for _, layout := range layouts {
			s := at.Format(layout)
			want, err := time.Parse(time.RFC3339, s)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := usualTime(s); !ok || got != event.TimeOf(want) {
				t.Fatalf("usualTime(%q) = %v, %t, want %v", s, got, ok, event.TimeOf(want))
			}
		}
	}
}

func TestUsualTimeTakesNothingThatIsNoTime(t *testing.T) {
	var all []string
	for _, year := range []int{0, 1, 1899, 1900, 2000, 2023, 2024, 2100} {
		for month := range 14 {
			for day := range 33 {
				all = append(all, fmt.Sprintf("%04d-%02d-%02dT10:00:00Z", year, month, day))
			}
		}
	}
	all = append(
		all, "", "Z", "2026-11-20", "2026-11-20T24:00:00Z", "2026-11-20T10:60:00Z", "2026-11-20T10:00:60Z", "2026-11-20T10:00:00", "2026-11-20T10:00:00.Z",
		"2026-11-20T10:00:00,5Z", "2026-11-20T10:00:00.1234567890Z", "2026-11-20T10:00:00.12x4Z", "2026-11-20T10:00:00+01:00", "2026-11-20 10:00:00Z",
		"2026-1a-20T10:00:00Z", "20261-11-20T10:00:0Z", "2026-11-20T10:00:0/Z", "2026-11-20T1:00:00.000Z",
	)
	known := 0
	for _, s := range all {
		got, ok := usualTime(s)
		if !ok {
			continue
		}
		known++
		if want, err := time.Parse(time.RFC3339, s); err != nil || got != event.TimeOf(want) {
			t.Errorf("usualTime(%q) = %v, want %v (%v)", s, got, want, err)
		}
	}
	if want := 7 * 365; known < want {
		t.Errorf("knew %d times, want at least %d", known, want)
	}
}
