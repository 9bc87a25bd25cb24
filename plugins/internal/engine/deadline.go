package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"benthos-oci/plugins/internal/window"
)

// minute is the width of the rows of deadlines.
const minute = 60_000

// deadlines knows which records wait for which time. A store cannot be listed, so rows of deadlines are found from
// one row that names the scopes and one for each scope that names its minutes. Each save that adds deadlines
// appends rows of its own and touches no other.
type deadlines struct {
	// mu guards all below. It is held through the save by whoever changes rows, and taken after the locks of records.
	mu     sync.Mutex
	scopes map[string]*scopeDue
	// unsaved says that a save went wrong: the rows that name others may be older than what is here.
	unsaved bool
}

type scopeDue struct {
	minutes map[int64]*dueMinute
	// retired are rows, by minute, that were met in the save at hand: they are named until its records are written.
	retired map[int64][]int64
	last    int64 // number of the newest row
}

type dueMinute struct {
	rows   []int64
	loaded bool
	keys   map[recordID]int64 // by record: its deadline
}

// Keys of rows.
const (
	keyScopes    = "deadlines"
	keyDeadlines = "deadlines/"
)

func scopeKey(scope string) string { return keyDeadlines + strconv.Quote(scope) }

func minuteKey(scope string, row int64) string {
	return scopeKey(scope) + "/" + strconv.FormatInt(row, 10)
}

// deadline is one record that waits.
type deadline struct {
	scope string
	id    recordID
	due   int64
}

func minuteOf(due int64) int64 {
	m := due / minute
	if due%minute < 0 {
		m--
	}
	return m
}

// add registers deadlines and gives the rows to write: first the new ones, then those that name them.
func (d *deadlines) add(list []deadline, keys *states) []Change {
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b deadline) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(minuteOf(a.due), minuteOf(b.due)), a.id.compare(b.id))
	})
	var rows []Change
	touched := map[string]bool{}
	newScope := d.unsaved
	for i := 0; i < len(list); {
		scope, m := list[i].scope, minuteOf(list[i].due)
		s := d.scopes[scope]
		if s == nil {
			s = &scopeDue{minutes: map[int64]*dueMinute{}}
			d.scopes[scope] = s
			newScope = true
		}
		at := s.minutes[m]
		if at == nil {
			at = &dueMinute{loaded: true, keys: map[recordID]int64{}}
			s.minutes[m] = at
		}
		s.last++
		at.rows = append(at.rows, s.last)
		var c window.Encoder
		first := i
		for i < len(list) && list[i].scope == scope && minuteOf(list[i].due) == m {
			i++
		}
		c.Uint(uint64(i - first))
		for _, each := range list[first:i] {
			at.set(each.id, each.due)
			c.String(rowKey(keys.key(each.id.of), each.id.sum))
			c.Int(each.due)
		}
		rows = append(rows, Change{Key: minuteKey(scope, s.last), Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)})
		touched[scope] = true
	}
	if d.unsaved {
		for scope := range d.scopes {
			touched[scope] = true
		}
	}
	for _, scope := range sortedKeys(touched) {
		rows = append(rows, d.index(scope))
	}
	if newScope {
		rows = append(rows, d.scopesRow())
	}
	return rows
}

func (m *dueMinute) set(id recordID, due int64) {
	if have, ok := m.keys[id]; !ok || due < have {
		m.keys[id] = due
	}
}

// index gives the row that names a scope's minutes.
func (d *deadlines) index(scope string) Change {
	s := d.scopes[scope]
	var c window.Encoder
	c.Int(s.last)
	minutes := make([]int64, 0, len(s.minutes)+len(s.retired))
	for m := range s.minutes {
		minutes = append(minutes, m)
	}
	for m := range s.retired {
		minutes = append(minutes, m)
	}
	slices.Sort(minutes)
	minutes = slices.Compact(minutes)
	c.Uint(uint64(len(minutes)))
	for _, m := range minutes {
		rows := slices.Clone(s.retired[m])
		if at := s.minutes[m]; at != nil {
			rows = append(rows, at.rows...)
		}
		c.Int(m)
		c.Ints(rows)
	}
	return Change{Key: scopeKey(scope), Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)}
}

func (d *deadlines) scopesRow() Change {
	var c window.Encoder
	names := make([]string, 0, len(d.scopes))
	for name := range d.scopes {
		names = append(names, name)
	}
	slices.Sort(names)
	writeStrings(&c, names)
	return Change{Key: keyScopes, Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)}
}

// restore reads which minutes have rows; the rows themselves are read when they are due.
func (d *deadlines) restore(ctx context.Context, l *locked) error {
	var names []string
	err := l.read(ctx, keyScopes, func(row []byte) error {
		body, err := window.Open(row)
		if err != nil {
			return err
		}
		dec := window.NewDecoder(body)
		names = readStrings(dec)
		return dec.Err()
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		s := &scopeDue{minutes: map[int64]*dueMinute{}}
		if err := l.read(ctx, scopeKey(name), s.decode); err != nil {
			return err
		}
		d.scopes[name] = s
	}
	return nil
}

func (s *scopeDue) decode(row []byte) error {
	body, err := window.Open(row)
	if err != nil {
		return err
	}
	d := window.NewDecoder(body)
	s.last = d.Int()
	for range d.Len() {
		m, rows := d.Int(), d.Ints()
		s.minutes[m] = &dueMinute{rows: rows, keys: map[recordID]int64{}}
	}
	return d.Err()
}

// ready gives the records whose deadline the marks have reached, by scope and id.
func (d *deadlines) ready(ctx context.Context, l *locked, mark func(scope string) int64) ([]deadline, error) {
	var list []deadline
	for _, scope := range sortedKeys(d.scopes) {
		reached := mark(scope)
		s := d.scopes[scope]
		minutes := make([]int64, 0)
		for m := range s.minutes {
			if m <= minuteOf(reached) {
				minutes = append(minutes, m)
			}
		}
		slices.Sort(minutes)
		for _, m := range minutes {
			at := s.minutes[m]
			if err := at.load(ctx, l, scope); err != nil {
				return nil, err
			}
			first := len(list)
			for id, due := range at.keys {
				if due <= reached {
					list = append(list, deadline{scope: scope, id: id, due: due})
				}
			}
			slices.SortFunc(list[first:], func(a, b deadline) int { return a.id.compare(b.id) })
		}
	}
	return list, nil
}

func (m *dueMinute) load(ctx context.Context, l *locked, scope string) error {
	if m.loaded || l.e.store == nil {
		return nil
	}
	keys := make([]string, len(m.rows))
	for i, row := range m.rows {
		keys[i] = minuteKey(scope, row)
	}
	values, err := l.loadRows(ctx, keys)
	if err != nil {
		return err
	}
	for i, value := range values {
		if value == nil {
			continue
		}
		if err := m.decode(value, &l.e.states); err != nil {
			l.quarantine(keys[i], value, err)
		}
	}
	m.loaded = true
	return nil
}

func (m *dueMinute) decode(row []byte, keys *states) error {
	body, err := window.Open(row)
	if err != nil {
		return err
	}
	d := window.NewDecoder(body)
	found := map[recordID]int64{}
	for range d.Len() {
		key, sum, ok := readRowKey(d.String())
		due := d.Int()
		if !ok {
			return fmt.Errorf("reading who waits: %w", window.ErrCorrupt)
		}
		found[recordID{of: keys.of(key).number, sum: sum}] = due
	}
	if err := d.Err(); err != nil {
		return err
	}
	for id, due := range found {
		m.set(id, due)
	}
	return nil
}

// done takes deadlines out that were met, and gives the rows to delete. It comes before add, which may register
// the same records again; the rows stay named until retire.
func (d *deadlines) done(list []deadline) (deletes []Change) {
	for _, each := range list {
		s := d.scopes[each.scope]
		number := minuteOf(each.due)
		m := s.minutes[number]
		if m == nil || m.keys[each.id] != each.due {
			continue
		}
		delete(m.keys, each.id)
		if len(m.keys) > 0 {
			continue
		}
		for _, row := range m.rows {
			deletes = append(deletes, Change{Key: minuteKey(each.scope, row)})
		}
		if s.retired == nil {
			s.retired = map[int64][]int64{}
		}
		s.retired[number] = m.rows
		delete(s.minutes, number)
	}
	return deletes
}

// retire gives the rows that no longer name what done took out.
func (d *deadlines) retire() []Change {
	var writes []Change
	for _, scope := range sortedKeys(d.scopes) {
		if s := d.scopes[scope]; s.retired != nil {
			s.retired = nil
			writes = append(writes, d.index(scope))
		}
	}
	return writes
}

func (d *deadlines) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, s := range d.scopes {
		for _, m := range s.minutes {
			n += len(m.keys)
		}
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
