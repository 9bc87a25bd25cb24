package expr

import "benthos-oci/plugins/internal/event"

// Nearest gives the name that is most like the one that was written, or "" where none is near enough to be meant.
// Of names that are equally near, the first is given.
func Nearest(written string, names []string) string {
	best, bestDistance := "", len(written)/3+2
	if len(written) > 200 {
		return ""
	}
	for _, name := range names {
		if d := event.Distance(written, name, bestDistance); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}
