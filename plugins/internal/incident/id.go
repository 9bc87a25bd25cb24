package incident

import (
	"math"
	"strconv"
	"strings"

	"github.com/gofrs/uuid/v5"

	"benthos-oci/plugins/internal/event"
)

// space is the name space of all ids that this package makes. It never changes.
var space = uuid.Must(uuid.FromString("5d1c1f6c-1f0b-5b6e-9d55-0c4f6f4b2a11"))

// ID gives the id of the incident of a rule, tenancy and key in the slot that begins at slot.
// It depends on nothing else, so whoever sees the same firings gives them the same id.
func ID(rule, tenancy string, key []any, slot event.Time) string {
	return uuid.NewV5(space, name(rule, tenancy, key)+"slot "+strconv.FormatInt(int64(slot), 10)).String()
}

// CorrelationID gives what the incidents of one rule, tenancy and key have in common over all slots.
func CorrelationID(rule, tenancy string, key []any) string {
	return uuid.NewV5(space, name(rule, tenancy, key)).String()
}

// name writes its arguments so that two texts are the same only if these are, in type and value.
func name(rule, tenancy string, key []any) string {
	var b strings.Builder
	text := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	text(rule)
	text(tenancy)
	for _, v := range key {
		switch v := v.(type) {
		case bool:
			b.WriteString("bool ")
			text(strconv.FormatBool(v))
		case int64:
			b.WriteString("int ")
			text(strconv.FormatInt(v, 10))
		case float64:
			b.WriteString("float ")
			text(strconv.FormatUint(math.Float64bits(v), 16))
		case string:
			b.WriteString("string ")
			text(v)
		default:
			b.WriteString("null ")
		}
	}
	return b.String()
}
