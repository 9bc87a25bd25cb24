package expr

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Tables gives the rows of lookup tables. An Env that is one can evaluate lookup and lookup_has; in any other they are null.
type Tables interface {
	// Row gives the value that the first row whose leading columns are keys has in a column, nil where it is empty;
	// found says whether there is such a row. column is "" where only that is asked.
	Row(table string, keys []any, column string) (value any, found bool)
}

// MaxTableKeys is the most columns that a key of a lookup table can have.
const MaxTableKeys = 5

var tablePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// lookups are the functions that read tables.
func lookups() map[string]*function {
	return map[string]*function{
		"lookup": {
			least: 3, most: MaxTableKeys + 2, prepare: prepareLookup(true),
			usage: `lookup("table", key, ..., "column"), the column's value in the first row that has the keys, null where none has`,
		},
		"lookup_has": {
			least: 2, most: MaxTableKeys + 1, prepare: prepareLookup(false),
			usage: `lookup_has("table", key, ...), true where a row has the keys in its first columns`,
		},
	}
}

func prepareLookup(column bool) func([]any) (*function, error) {
	return func(literals []any) (*function, error) {
		table, ok := literals[0].(string)
		if !ok || !tablePattern.MatchString(table) {
			return nil, errors.New("the first argument is the name of a table in quotes, as in lookup(\"owners\", ...)")
		}
		f := &function{table: table, keys: len(literals) - 1}
		if column {
			if f.column, ok = literals[len(literals)-1].(string); !ok || f.column == "" {
				return nil, errors.New("the last argument is the name of a column in quotes, as in lookup(\"owners\", user.name, \"team\")")
			}
			f.keys--
		}
		f.inEnv = func(env Env, args []any) any {
			tables, ok := env.(Tables)
			if !ok {
				return nil
			}
			value, found := tables.Row(table, args[1:1+f.keys], f.column)
			if !column {
				return found
			}
			return value
		}
		return f, nil
	}
}

// Lookup is one use of a table.
type Lookup struct {
	Table string
	// Keys is how many columns the key has.
	Keys int
	// Column is "" for lookup_has.
	Column string
}

// Lookups gives the uses of tables in the expression, also those inside of aggregates, in the order of the text.
func (e *Expr) Lookups() []Lookup {
	var all []Lookup
	walk(e.root, func(n node) {
		switch n := n.(type) {
		case *callNode:
			if n.fn.table != "" {
				all = append(all, Lookup{Table: n.fn.table, Keys: n.fn.keys, Column: n.fn.column})
			}
		case *aggregateNode:
			if n.agg.Arg != nil {
				all = append(all, n.agg.Arg.Lookups()...)
			}
		}
	})
	return all
}

// OverEvents gives the expression with each use of a table outside of aggregates as the last of the events':
// lookup(...) becomes last(lookup(...)). Tables are read when an event is matched, and not again when it is judged.
func (e *Expr) OverEvents() (*Expr, error) {
	root, err := overEvents(e.root)
	if err != nil {
		return nil, err
	}
	return newExpr(root), nil
}

func overEvents(n node) (node, error) {
	if call, ok := n.(*callNode); ok && call.fn.table != "" {
		nested := -1
		walk(n, func(n node) {
			if a, ok := n.(*aggregateNode); ok && nested < 0 {
				nested = a.offset
			}
		})
		if nested >= 0 {
			return nil, errorAt(nested, "%s takes the values of single events: write last(%s(...)) around it, not an aggregate inside", call.name, call.name)
		}
		return &aggregateNode{agg: &Aggregate{Func: "last", Arg: newExpr(n)}, offset: call.offset}, nil
	}
	return rebuild(n, overEvents)
}

// between says whether a value lies between two others, both included: numbers, IP addresses of one family, or texts.
func between(args []any) any {
	if ip, ok := parseAddress(args[0]); ok {
		least, ok1 := parseAddress(args[1])
		most, ok2 := parseAddress(args[2])
		if ok1 && ok2 {
			return ip.Is4() == least.Is4() && ip.Is4() == most.Is4() && least.Compare(ip) <= 0 && ip.Compare(most) <= 0
		}
	}
	least, most := Compare(">=", args[0], args[1]), Compare("<=", args[0], args[2])
	switch {
	case least == false || most == false:
		return false
	case least == nil || most == nil:
		return nil
	}
	return true
}

func parseAddress(v any) (netip.Addr, bool) {
	text, ok := v.(string)
	if !ok || text == "" || len(text) > 64 {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(text)
	return ip.Unmap().WithZone(""), err == nil
}

// whole gives the whole number that a number or the text of one begins with.
func whole(args []any) any {
	n, ok := Number(toNumber(args))
	if !ok || n >= 1<<63 || n < -1<<63 {
		return nil
	}
	if i, exact := toNumber(args).(int64); exact {
		return i
	}
	return int64(n)
}

func trimLeft(s string) string { return strings.TrimLeft(s, blanks) }

func trimRight(s string) string { return strings.TrimRight(s, blanks) }

const blanks = " \t\r\n\v\f"

// String names the use as it is written.
func (l Lookup) String() string {
	if l.Column == "" {
		return fmt.Sprintf("lookup_has(%q, ...)", l.Table)
	}
	return fmt.Sprintf("lookup(%q, ..., %q)", l.Table, l.Column)
}
