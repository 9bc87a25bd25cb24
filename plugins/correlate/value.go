package correlate

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/event"
)

var (
	errSize = errors.New("a size is a number with a unit of B, KB, MB, GB, KiB, MiB or GiB, like 512MiB")
	errTime = errors.New("a time is a date like 2026-11-21, or RFC 3339 like 2026-11-21T08:00:00Z")
)

var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"B", 1},
}

// parseSize reads a size in bytes. It must be above zero: a correlator without memory finds nothing.
func parseSize(s string) (int64, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		size := n * u.bytes
		if err != nil || math.IsNaN(size) || size < 1 || size >= math.MaxInt64 {
			return 0, fmt.Errorf("%q: %w", s, errSize)
		}
		return int64(size), nil
	}
	return 0, fmt.Errorf("%q: %w", s, errSize)
}

func parseTime(s string) (event.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return event.TimeOf(t), nil
		}
	}
	return 0, fmt.Errorf("%q: %w", s, errTime)
}
