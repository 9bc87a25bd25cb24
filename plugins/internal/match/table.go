package match

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
)

// maxColumns is the most columns of a table.
const maxColumns = 100

// table is the rows of a list that was read from CSV. It never changes but for its indexes, which are made when first asked for.
type table struct {
	columns []string
	rows    [][]any
	keys    [][]string // the folded texts of the first columns of each row
	index   [expr.MaxTableKeys]struct {
		once sync.Once
		rows map[string]int
	}
}

// isTable says whether a file is one of comma-separated values.
func isTable(file string) bool { return strings.EqualFold(filepath.Ext(file), ".csv") }

// parseTable reads comma-separated values. The first row names the columns; the first columns are the key of lookups,
// as many as a lookup gives. Keys are compared by their text, without case; of two rows with one key the first counts.
// Numbers, true and false are what they look like, an empty value is null. As a list it holds the values of the first column.
func parseTable(file string, data []byte) (List, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return List{}, fmt.Errorf("%s:1:1: the table is not valid UTF-8", file)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment, r.TrimLeadingSpace, r.ReuseRecord = '#', true, true
	t := &table{}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return List{}, fmt.Errorf("%s:1:1: the table is empty: its first row names the columns", file)
	}
	if err != nil {
		return List{}, csvError(file, err)
	}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if name == "" || slices.Contains(t.columns, name) {
			line, column := r.FieldPos(i)
			return List{}, fmt.Errorf("%s:%d:%d: the first row names the columns, each once, and %q is no new name", file, line, column, name)
		}
		t.columns = append(t.columns, name)
	}
	if len(t.columns) > maxColumns {
		return List{}, fmt.Errorf("%s:1:1: a table has at most %d columns, this one has %d", file, maxColumns, len(t.columns))
	}
	var first []string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return List{}, csvError(file, err)
		}
		if len(t.rows) == maxListEntries {
			return List{}, fmt.Errorf("%s: a table has at most %d rows", file, maxListEntries)
		}
		values := make([]any, len(row))
		keys := make([]string, min(len(row), expr.MaxTableKeys))
		for i, cell := range row {
			cell = strings.TrimSpace(cell)
			values[i] = cellValue(cell)
			if i < len(keys) {
				keys[i] = fold(cell)
			}
		}
		t.rows = append(t.rows, values)
		t.keys = append(t.keys, keys)
		if cell := strings.TrimSpace(row[0]); cell != "" {
			first = append(first, strings.Clone(cell))
		}
	}
	l, err := NewList(first)
	if err != nil {
		return List{}, fmt.Errorf("reading table %s: %w", file, err)
	}
	l.table = t
	return l, nil
}

func csvError(file string, err error) error {
	var e *csv.ParseError
	if errors.As(err, &e) {
		return fmt.Errorf("%s:%d:%d: reading the table: %w", file, e.Line, max(e.Column, 1), e.Err)
	}
	return fmt.Errorf("%s:1:1: reading the table: %w", file, err)
}

// cellValue gives a cell its type: a text that is written as its number is the number.
func cellValue(cell string) any {
	switch cell {
	case "":
		return nil
	case "true":
		return true
	case "false":
		return false
	}
	if n, err := strconv.ParseInt(cell, 10, 64); err == nil && strconv.FormatInt(n, 10) == cell {
		return n
	}
	if v, ok := number(cell); ok && strings.ContainsRune(cell, '.') && !strings.ContainsAny(cell, "eExXpP_") {
		return v
	}
	return strings.Clone(cell)
}

// row gives the first row that begins with keys.
func (t *table) row(keys []any) ([]any, bool) {
	n := len(keys)
	if n == 0 || n > expr.MaxTableKeys || n > len(t.columns) {
		return nil, false
	}
	index := &t.index[n-1]
	index.once.Do(func() {
		index.rows = make(map[string]int, len(t.rows))
		for i, row := range t.keys {
			key := joined(row[:n])
			if _, taken := index.rows[key]; !taken {
				index.rows[key] = i
			}
		}
	})
	texts := make([]string, n)
	for i, k := range keys {
		if texts[i] = fold(text(k)); texts[i] == "" {
			return nil, false
		}
	}
	i, ok := index.rows[joined(texts)]
	if !ok {
		return nil, false
	}
	return t.rows[i], true
}

// joined gives several texts as one; two rows of texts with the same are the same.
func joined(texts []string) string {
	var b strings.Builder
	for _, s := range texts {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	return b.String()
}

// Row gives the value of a column in the first row of a table that begins with keys; found says whether there is one.
// A list that was not read from CSV has no rows.
func (l List) Row(keys []any, column string) (value any, found bool) {
	if l.table == nil {
		return nil, false
	}
	row, ok := l.table.row(keys)
	if !ok {
		return nil, false
	}
	if i := slices.Index(l.table.columns, column); i >= 0 {
		return row[i], true
	}
	return nil, true
}

// CheckTables finds what enabled rules ask of tables that these do not have. A table that is not among them is no problem here.
func CheckTables(rules []*rule.Rule, lists map[string]List) rule.Problems {
	var problems rule.Problems
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		for _, use := range r.Tables() {
			l, ok := lists[use.Table]
			if !ok {
				continue
			}
			text := l.lacks(use)
			if text != "" {
				problems = append(problems, rule.Problem{Pos: use.Pos, Text: "rule " + r.ID + ": " + text})
			}
		}
	}
	return problems
}

// lacks says what the list cannot give; "" where it can.
func (l List) lacks(use rule.TableUse) string {
	switch {
	case l.table == nil:
		return use.Table + " is a list and no table: lookup reads a file whose name ends in .csv"
	case use.Keys > len(l.table.columns):
		return fmt.Sprintf("the table %s has %d columns, and %d are asked for as its key", use.Table, len(l.table.columns), use.Keys)
	case use.Column != "" && !slices.Contains(l.table.columns, use.Column):
		near := expr.Nearest(use.Column, l.table.columns)
		if near != "" {
			return fmt.Sprintf("the table %s has no column %q: did you mean %q?", use.Table, use.Column, near)
		}
		return fmt.Sprintf("the table %s has no column %q: its columns are %s", use.Table, use.Column, strings.Join(l.table.columns, ", "))
	}
	return ""
}
