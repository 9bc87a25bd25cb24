package event

import (
	"errors"
	"fmt"
	"strings"
)

// Path names a field by the keys that lead to it, outermost first.
type Path []string

// ErrPath is what every error of ParsePath wraps.
var ErrPath = errors.New("a field is names joined by dots; a name with other characters than letters, digits, _, - and @ stands in double quotes")

// ParsePath reads a field as rules write it: `user.name`, `raw.data."a.b"`.
func ParsePath(s string) (Path, error) {
	var p Path
	rest := s
	for {
		var name string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("field %q: a quote is not closed: %w", s, ErrPath)
			}
			name, rest = rest[1:1+end], rest[end+2:]
		} else {
			end := 0
			for end < len(rest) && nameByte(rest[end]) {
				end++
			}
			name, rest = rest[:end], rest[end:]
		}
		if name == "" {
			return nil, fmt.Errorf("field %q: a name is empty: %w", s, ErrPath)
		}
		p = append(p, name)
		if rest == "" {
			return p, nil
		}
		if rest[0] != '.' {
			return nil, fmt.Errorf("field %q: %q cannot stand in a name: %w", s, rest[0], ErrPath)
		}
		rest = rest[1:]
	}
}

// String gives the path as ParsePath reads it.
func (p Path) String() string {
	var b strings.Builder
	for i, name := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		if plainName(name) {
			b.WriteString(name)
			continue
		}
		b.WriteByte('"')
		b.WriteString(name)
		b.WriteByte('"')
	}
	return b.String()
}

func plainName(s string) bool {
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func nameByte(c byte) bool {
	return c == '_' || c == '-' || c == '@' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
