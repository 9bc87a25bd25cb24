package ocifields

import (
	"maps"
	"slices"
)

// Sorted gives the values of a map in the order of its keys.
func Sorted[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[key])
	}
	return out
}
