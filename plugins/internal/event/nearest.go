package event

import "strings"

// nearest gives the one of names, which are in lower case, that is most like name; "" where none is like it.
func nearest(name string, names []string) string {
	best, least := "", 1+max(1, len(name)/3)
	for _, candidate := range names {
		if d := Distance(name, candidate, least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// Distance counts the letters that must be added, left out, changed or swapped with their neighbor to make b of a;
// case counts nothing. It stops at limit.
func Distance(a, b string, limit int) int {
	if gap := len(a) - len(b); gap >= limit || -gap >= limit {
		return limit
	}
	// Three rows of the table: the last but one for swaps, the last, and this one.
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if fold(a[i-1]) == fold(b[j-1]) {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && fold(a[i-1]) == fold(b[j-2]) && fold(a[i-2]) == fold(b[j-1]) {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// words gives the words of a field's name, for a field that was written with other separators.
func words(name string) string {
	return strings.NewReplacer(".", "", "_", "", "-", "").Replace(name)
}
