package match

import "benthos-oci/plugins/internal/rule"

// fewValues is from how many values on a lookup is cheaper than a comparison with each.
const fewValues = 4

// oneOf is the tests of an `or` that compare one field with values, taken together.
type oneOf struct {
	rule.Condition
	first  *rule.Test
	values []string
}

// together puts the tests of an `or` that compare the same field with values, without case, into one lookup.
func together(parts []rule.Condition) []rule.Condition {
	count := map[string]int{}
	for _, p := range parts {
		if name, ok := comparedWithValue(p); ok {
			count[name]++
		}
	}
	groups := map[string]*oneOf{}
	var out []rule.Condition
	for _, p := range parts {
		name, ok := comparedWithValue(p)
		test, isTest := p.(*rule.Test)
		if !ok || !isTest || count[name] < fewValues {
			out = append(out, p)
			continue
		}
		if groups[name] == nil {
			groups[name] = &oneOf{first: test}
			out = append(out, groups[name])
		}
		groups[name].values = append(groups[name].values, fold(text(test.Value)))
	}
	return out
}

func comparedWithValue(c rule.Condition) (field string, ok bool) {
	t, ok := c.(*rule.Test)
	if !ok || t.Op != rule.OpEqual || t.Cased || t.Part != "" {
		return "", false
	}
	return t.Field.String(), true
}

func (o *oneOf) compile() condition {
	set := make(map[string]struct{}, len(o.values))
	for _, v := range o.values {
		set[v] = struct{}{}
	}
	return &test{
		path: o.first.Field, name: o.first.Field.String(), raw: o.first.Field[0] == "raw", weight: 2, exact: o.values,
		compare: func(v any, _ *subject) bool {
			var buf [maxFolded]byte
			key, ok := folded(v, buf[:0])
			if !ok {
				return false
			}
			_, found := set[string(key)]
			return found
		},
	}
}

// folded writes the folded text of a scalar into buf; false for what has no text.
func folded(v any, buf []byte) ([]byte, bool) {
	if s, ok := v.(string); ok {
		return foldInto(s, buf), true
	}
	return scalarText(v, buf)
}
