package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrDuration is what every error of ParseDuration wraps.
var ErrDuration = errors.New("a duration is numbers with units, as in 90s, 10m, 1h30m, 30d: units are ms, s, m, h, d and w")

var units = []struct {
	name string
	ms   int64
}{{"w", 7 * 86400_000}, {"d", 86400_000}, {"h", 3600_000}, {"m", 60_000}, {"s", 1000}, {"ms", 1}}

// ParseDuration reads a duration of whole milliseconds: 120s, 1.5h, 1h30m, 30d, 2w. A day is 24 hours. It is never negative.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("duration %q: %w", s, ErrDuration)
	if s == "" || s[0] == '.' {
		return 0, bad
	}
	var total float64
	rest := s
	for rest != "" {
		end := 0
		for end < len(rest) && (digitByte(rest[end]) || rest[end] == '.') {
			end++
		}
		n, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[end:]
		end = 0
		for end < len(rest) && rest[end] >= 'a' && rest[end] <= 'z' {
			end++
		}
		ms := unit(rest[:end])
		if ms == 0 {
			return 0, bad
		}
		rest = rest[end:]
		total += n * float64(ms)
	}
	// 8.001s is 8000.999... in binary: what lies nearer than any digit could mean is the whole number.
	const nothing = 1e-6
	if whole := math.Round(total); math.Abs(total-whole) <= nothing {
		total = whole
	}
	if total != math.Trunc(total) {
		return 0, fmt.Errorf("duration %q: the shortest unit is a millisecond: %w", s, ErrDuration)
	}
	if total > float64(math.MaxInt64/int64(time.Millisecond)) {
		return 0, fmt.Errorf("duration %q: it is longer than 290 years: %w", s, ErrDuration)
	}
	return time.Duration(total) * time.Millisecond, nil
}

func unit(name string) int64 {
	for _, u := range units {
		if u.name == name {
			return u.ms
		}
	}
	return 0
}

// FormatDuration gives d as ParseDuration reads it: 1h30m, 30d.
func FormatDuration(d time.Duration) string {
	ms := d.Milliseconds()
	if ms == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range units[1:] { // no weeks: 14d reads better than 2w
		if n := ms / u.ms; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteString(u.name)
			ms -= n * u.ms
		}
	}
	return b.String()
}
