package oci

import "strconv"

// Counted writes so many of something: 1 region, 2 regions. one is a word whose plural ends in s.
func Counted[N ~int | ~int32 | ~int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(int64(n), 10) + " " + one + "s"
}
