package rule

import (
	"net/netip"
	"regexp"

	"benthos-oci/plugins/internal/event"
)

// Condition is a test of one event: All, Any, None or Test.
type Condition interface{ condition() }

// All holds when each of its conditions does; an empty All always holds.
type All []Condition

// Any holds when one of its conditions does; an empty Any never holds.
type Any []Condition

// None holds when its condition does not.
type None struct{ Of Condition }

// Test compares one field. A null field passes no test but OpNull and OpExists.
// An array passes when one of its elements does.
type Test struct {
	// Field is nil for OpKeyword.
	Field event.Path
	Op    Op
	// Part is set where not the field's time is compared but a part of it, in UTC: minute, hour, day, week, month or year.
	Part string
	// Value is what is compared with: string (OpEqual, OpContains, OpPrefix, OpSuffix, OpLess ...),
	// int64, float64, bool; nil for OpNull, OpExists, OpField, OpRegexp, OpCIDR, OpList.
	Value any
	// Cased is true for `|cased`; else strings are compared without case.
	Cased bool
	// Regexp is set for OpRegexp.
	Regexp *regexp.Regexp
	// Glob is set for OpWildcard.
	Glob *Glob
	// Prefix is the network of OpCIDR.
	Prefix netip.Prefix
	// Other is the second field of OpField.
	Other event.Path
	// List is the name of the list of OpList (`|expand: '%name%'`).
	List string
	// Want is false for `field|exists: false`.
	Want bool
	Pos  Position
}

// Op is a comparison.
type Op uint8

// Comparisons.
const (
	OpEqual Op = iota
	OpContains
	OpPrefix
	OpSuffix
	OpWildcard
	OpRegexp
	OpCIDR
	OpLess
	OpLessEqual
	OpGreater
	OpGreaterEqual
	OpNull
	OpExists
	OpField
	OpList
	// OpKeyword passes where any text of the record, or of the document where there is no record, passes Glob.
	OpKeyword
)

func (All) condition()   {}
func (Any) condition()   {}
func (None) condition()  {}
func (*Test) condition() {}
