package event

import (
	"encoding/json"
	"math"
)

// Normal brings a decoded value to the types that rules compare:
// whole numbers are int64, other numbers float64; empty maps and typed nils stay as they are.
func Normal(v any) any {
	switch n := v.(type) {
	case int:
		return int64(n)
	case int32:
		return int64(n)
	case uint32:
		return int64(n)
	case uint64:
		if n <= math.MaxInt64 {
			return int64(n)
		}
		return float64(n)
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i
		}
		f, err := n.Float64()
		if err != nil {
			return n.String()
		}
		return Normal(f)
	case float32:
		return Normal(float64(n))
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n)
		}
		return n
	}
	return v
}

// Facts are the fields of a normalized document that are known before the record is read,
// by their path as it is written in rules. A field that is not among them may have any value.
type Facts map[string]any
