package engine

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// appendJSON appends a value of a document, with the keys of objects in order. What JSON cannot say is null.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.AppendFloat(b, v, 'f', -1, 64)
		}
	case string:
		return appendText(b, v)
	case []any:
		b = append(b, '[')
		for i, each := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, each)
		}
		return append(b, ']')
	case map[string]any:
		return appendObject(b, v)
	}
	other, err := json.Marshal(v)
	if err != nil {
		// What came out of JSON goes back into it; a mapping may have left something else.
		return append(b, "null"...)
	}
	return append(b, other...)
}

func appendObject(b []byte, m map[string]any) []byte {
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, k), ':')
		b = appendJSON(b, m[k])
	}
	return append(b, '}')
}

// appendText appends a text; what needs to be escaped is left to package json.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
