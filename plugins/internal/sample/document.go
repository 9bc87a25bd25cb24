package sample

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// document is a JSON object that keeps its members in the order in which Oracle's API writes them.
type document struct{ members []member }

type member struct {
	name  string
	value any // nil, bool, int, string, time.Time, []any, *document, or what Options.Set holds
}

func object(members ...member) *document { return &document{members: members} }

func list(values ...any) []any { return values }

func (d *document) set(name string, value any) {
	for i := range d.members {
		if d.members[i].name == name {
			d.members[i].value = value
			return
		}
	}
	d.members = append(d.members, member{name, value})
}

func (d *document) get(name string) any {
	for i := range d.members {
		if d.members[i].name == name {
			return d.members[i].value
		}
	}
	return nil
}

// assign puts value at path; objects that are missing on the way are made.
func (d *document) assign(path []string, value any) {
	name := path[0]
	if len(path) == 1 {
		d.set(name, value)
		return
	}
	switch next := d.get(name).(type) {
	case *document:
		next.assign(path[1:], value)
	case []any:
		assignElement(next, path[1:], value)
	default:
		made := object()
		made.assign(path[1:], value)
		d.set(name, made)
	}
}

func assignElement(values []any, path []string, value any) {
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i >= len(values) {
		return
	}
	if len(path) == 1 {
		values[i] = value
		return
	}
	switch next := values[i].(type) {
	case *document:
		next.assign(path[1:], value)
	case map[string]any:
		assignMap(next, path[1:], value)
	}
}

// values gives the document as encoding/json would decode it.
func (d *document) values() map[string]any {
	m := make(map[string]any, len(d.members))
	for _, member := range d.members {
		m[member.name] = plain(member.value)
	}
	return m
}

func plain(v any) any {
	switch v := v.(type) {
	case *document:
		if v == nil {
			return nil
		}
		return v.values()
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = plain(v[i])
		}
		return all
	case int:
		return float64(v)
	case time.Time:
		return instant(v)
	case nil, bool, string, float64:
		return v
	}
	// A value of Options.Set: what its JSON says, and nothing shared with the caller.
	var decoded any
	if err := json.Unmarshal(appendValue(nil, v), &decoded); err != nil {
		return nil
	}
	return decoded
}

func (d *document) append(b []byte) []byte {
	if d == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, member := range d.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, member.name)
		b = append(b, ':')
		b = appendValue(b, member.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case *document:
		return v.append(b)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case time.Time:
		b = append(b, '"')
		b = v.UTC().AppendFormat(b, instantLayout)
		return append(b, '"')
	case []any:
		b = append(b, '[')
		for i := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, v[i])
		}
		return append(b, ']')
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		// Only a value of Options.Set can be unfit for JSON; what it is stays visible.
		return appendString(b, fmt.Sprint(v))
	}
	return append(b, encoded...)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			encoded, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, encoded...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// instantLayout is how Oracle's APIs write a time.
const instantLayout = "2006-01-02T15:04:05.000Z"

func instant(t time.Time) string { return t.UTC().Format(instantLayout) }

// Set puts value at a path of names joined by dots (`data.identity.principalId`) in doc.
// Objects that are missing on the way are made; a number names an element of an array;
// a name that holds dots stands in double quotes.
func Set(doc map[string]any, path string, value any) {
	if doc == nil || path == "" {
		return
	}
	assignMap(doc, segments(path), value)
}

func assignMap(doc map[string]any, path []string, value any) {
	name := path[0]
	if len(path) == 1 {
		doc[name] = value
		return
	}
	switch next := doc[name].(type) {
	case map[string]any:
		assignMap(next, path[1:], value)
	case []any:
		assignElement(next, path[1:], value)
	default:
		made := map[string]any{}
		assignMap(made, path[1:], value)
		doc[name] = made
	}
}

func segments(path string) []string {
	var all []string
	for path != "" {
		if rest, ok := strings.CutPrefix(path, `"`); ok {
			if name, after, closed := strings.Cut(rest, `"`); closed {
				all = append(all, name)
				path = strings.TrimPrefix(after, ".")
				continue
			}
		}
		name, after, _ := strings.Cut(path, ".")
		all = append(all, name)
		path = after
	}
	return all
}
