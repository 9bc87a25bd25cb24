package match

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"benthos-oci/plugins/internal/rule"
)

// Limits of a list file.
const (
	maxListBytes   = 64 << 20
	maxListEntries = 1_000_000
	maxListGlobs   = 10_000
)

// List is a set of values that rules name by `|expand: '%name%'`, and, where it was read from CSV, a table that they read
// by `lookup("name", key, "column")`. The zero List holds nothing. It never changes.
type List struct {
	entries *entries
	// table is set for a list that was read from CSV.
	table *table
}

type entries struct {
	count    int
	folded   map[string]struct{}
	exact    map[string]struct{}
	globs    []*rule.Glob
	casedOf  []*rule.Glob
	networks []netip.Prefix
}

// ParseList reads a list file: one value a line, with the wildcards of rules; a network such as 10.0.0.0/8 holds its addresses.
// Empty lines and what follows a # at the start of a line or after a blank are left out.
// A file whose name ends in .csv is a table: its first row names the columns, and its first column is the list.
func ParseList(file string, data []byte) (List, error) {
	if len(data) > maxListBytes {
		return List{}, fmt.Errorf("reading list %s: it is larger than %d bytes", file, maxListBytes)
	}
	if isTable(file) {
		return parseTable(file, data)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var values []string
	var errs []error
	for i, line := range strings.Split(string(data), "\n") {
		value := uncomment(line)
		if value == "" {
			continue
		}
		if !utf8.ValidString(value) {
			errs = append(errs, fmt.Errorf("%s:%d:1: the value is not valid UTF-8", file, i+1))
			continue
		}
		values = append(values, value)
	}
	if err := errors.Join(errs...); err != nil {
		return List{}, err
	}
	l, err := NewList(values)
	if err != nil {
		return List{}, fmt.Errorf("reading list %s: %w", file, err)
	}
	return l, nil
}

func uncomment(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return ""
	}
	for _, mark := range []string{" #", "\t#"} {
		if i := strings.Index(line, mark); i >= 0 {
			line = line[:i]
		}
	}
	return strings.TrimSpace(line)
}

// NewList makes a list of values, each as a line of a list file.
func NewList(values []string) (List, error) {
	if len(values) > maxListEntries {
		return List{}, fmt.Errorf("a list has at most %d values, this one has %d", maxListEntries, len(values))
	}
	e := &entries{count: len(values), folded: make(map[string]struct{}, len(values)), exact: make(map[string]struct{}, len(values))}
	for _, v := range values {
		if network, err := netip.ParsePrefix(v); err == nil {
			e.networks = append(e.networks, network.Masked())
			continue
		}
		literal, glob := rule.ParseGlob(v, false)
		if glob == nil {
			e.folded[fold(literal)] = struct{}{}
			e.exact[literal] = struct{}{}
			continue
		}
		if len(e.globs) == maxListGlobs {
			return List{}, fmt.Errorf("a list has at most %d values with wildcards", maxListGlobs)
		}
		_, cased := rule.ParseGlob(v, true)
		e.globs = append(e.globs, glob)
		e.casedOf = append(e.casedOf, cased)
	}
	return List{entries: e}, nil
}

// Len is the number of values.
func (l List) Len() int {
	if l.entries == nil {
		return 0
	}
	return l.entries.count
}

func (l List) holds(v any, cased bool) bool {
	return l.entries != nil && onText(v, func(s string) bool { return l.entries.hold(s, cased) })
}

func (e *entries) hold(s string, cased bool) bool {
	globs := e.globs
	if cased {
		globs = e.casedOf
		if _, ok := e.exact[s]; ok {
			return true
		}
	} else {
		var buf [maxFolded]byte
		if _, ok := e.folded[string(foldInto(s, buf[:0]))]; ok {
			return true
		}
	}
	for _, g := range globs {
		if g.Match(s) {
			return true
		}
	}
	if len(e.networks) == 0 {
		return false
	}
	ip, ok := address(s)
	if !ok {
		return false
	}
	for _, n := range e.networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}
