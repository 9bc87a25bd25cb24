package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"benthos-oci/plugins/internal/window"
)

// minute is the width of the rows of deadlines.
const minute = 60_000

// deadlines knows which records wait for which time. A store cannot be listed, so rows of deadlines are found from
// one row that names the scopes and one for each scope that names its minutes. The rows of a minute are a chain: they are
// numbered, and read until there is none. A save adds a row to the chains of its minutes and touches no other;
// what names the minutes is written when a minute is new or over.
type deadlines struct {
	// mu guards all below. It is held through the save by whoever changes rows, and taken after the locks of records.
	mu     sync.Mutex
	scopes map[string]*scopeDue
	// unsaved says that a save went wrong: the rows that name others may be older than what is here.
	unsaved bool
	// writing is what the save at hand writes; lost is what saves that went wrong wrote, and the next one writes again:
	// it takes the same numbers, and a record in the store may rely on what they hold.
	writing, lost []deadline
	grown         []*dueMinute // chains that the save at hand makes longer
}

type scopeDue struct {
	minutes map[int64]*dueMinute
	// retired are chains, by minute, that were met in the save at hand: they are named until its records are written.
	retired map[int64][]int64
	last    int64 // number of the newest chain; none is used again
}

type dueMinute struct {
	// chain is the one that this process writes, rows its length; 0 where there is none.
	chain, rows int64
	// before are the chains of earlier processes, with their lengths once they are loaded.
	before []dueChain
	loaded bool
	keys   map[recordID]int64 // by record: its deadline
}

type dueChain struct{ number, rows int64 }

func (m *dueMinute) chains() []int64 {
	var list []int64
	for _, c := range m.before {
		list = append(list, c.number)
	}
	if m.chain != 0 {
		list = append(list, m.chain)
	}
	return list
}

// Keys of rows.
const (
	keyScopes    = "deadlines"
	keyDeadlines = "deadlines/"
)

func scopeKey(scope string) string { return keyDeadlines + strconv.Quote(scope) }

func dueKey(scope string, chain, row int64) string {
	return scopeKey(scope) + "/" + strconv.FormatInt(chain, 10) + "/" + strconv.FormatInt(row, 10)
}

// awayScope begins the scopes of deadlines that were reached while their rule was away. They wait for it to come back.
const awayScope = "\x00away "

// awayFor is how long.
const awayFor = 30 * 24 * 3600_000

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

// remember registers deadlines that are in no store.
func (d *deadlines) remember(list []deadline) {
	for _, each := range list {
		d.minute(each.scope, minuteOf(each.due)).set(each.id, each.due)
	}
}

// minute gives a minute, which is made when it is first needed.
func (d *deadlines) minute(scope string, m int64) *dueMinute {
	s := d.scopes[scope]
	if s == nil {
		s = &scopeDue{minutes: map[int64]*dueMinute{}}
		d.scopes[scope] = s
	}
	at := s.minutes[m]
	if at == nil {
		at = &dueMinute{loaded: true, keys: map[recordID]int64{}}
		s.minutes[m] = at
	}
	return at
}

// add registers deadlines and gives the rows to write: first the new ones, then those that name them.
func (d *deadlines) add(list []deadline, keys *states) []Change {
	if len(list) == 0 {
		return nil
	}
	list = append(list, d.lost...)
	d.writing, d.grown = list, nil
	slices.SortFunc(list, func(a, b deadline) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(minuteOf(a.due), minuteOf(b.due)), a.id.compare(b.id), cmp.Compare(a.due, b.due))
	})
	var rows []Change
	named := map[string]bool{}
	newScope := d.unsaved
	for i := 0; i < len(list); {
		scope, m := list[i].scope, minuteOf(list[i].due)
		newScope = newScope || d.scopes[scope] == nil
		at := d.minute(scope, m)
		if at.chain == 0 {
			s := d.scopes[scope]
			s.last++
			at.chain = s.last
			named[scope] = true
		}
		first := i
		for i < len(list) && list[i].scope == scope && minuteOf(list[i].due) == m {
			at.set(list[i].id, list[i].due)
			i++
		}
		d.grown = append(d.grown, at)
		rows = append(rows, Change{Key: dueKey(scope, at.chain, at.rows+1), Value: encodeDue(list[first:i], keys), Expires: timeOf(window.MaxTime)})
	}
	if d.unsaved {
		for scope := range d.scopes {
			named[scope] = true
		}
	}
	for _, scope := range sortedKeys(named) {
		rows = append(rows, d.index(scope))
	}
	if newScope {
		rows = append(rows, d.scopesRow())
	}
	return rows
}

// saved says that what add gave is written; failed that it may not be.
func (d *deadlines) saved() {
	if len(d.writing) == 0 {
		return
	}
	for _, m := range d.grown {
		m.rows++
	}
	d.writing, d.lost, d.grown, d.unsaved = nil, nil, nil, false
}

func (d *deadlines) failed() {
	if len(d.writing) > 0 {
		d.lost = slices.Clone(d.writing)
	}
	d.writing, d.grown, d.unsaved = nil, nil, true
}

// encodeDue writes deadlines of one minute: the rules, then for each record its rule, its sum and its deadline.
func encodeDue(list []deadline, keys *states) []byte {
	var c window.Encoder
	numbers := map[uint32]uint64{}
	var rules []string
	for i := range list {
		if _, ok := numbers[list[i].id.of]; !ok {
			numbers[list[i].id.of] = uint64(len(rules))
			rules = append(rules, keys.key(list[i].id.of))
		}
	}
	writeStrings(&c, rules)
	c.Uint(uint64(len(list)))
	for i := range list {
		c.Uint(numbers[list[i].id.of])
		c.Bytes(list[i].id.sum[:])
		c.Int(list[i].due)
	}
	return window.Seal(c.Body())
}

func (m *dueMinute) set(id recordID, due int64) {
	if have, ok := m.keys[id]; !ok || due < have {
		m.keys[id] = due
	}
}

// index gives the row that names a scope's minutes and their chains.
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
		chains := slices.Clone(s.retired[m])
		if at := s.minutes[m]; at != nil {
			chains = append(chains, at.chains()...)
		}
		c.Int(m)
		c.Ints(chains)
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
		m, at := d.Int(), &dueMinute{keys: map[recordID]int64{}}
		for _, number := range d.Ints() {
			at.before = append(at.before, dueChain{number: number})
		}
		s.minutes[m] = at
	}
	return d.Err()
}

// ready gives the records whose deadline the marks have reached, by scope and id. With away those are given that wait for their rule.
func (d *deadlines) ready(ctx context.Context, l *locked, mark func(scope string) int64, away bool) ([]deadline, error) {
	var list []deadline
	for _, scope := range sortedKeys(d.scopes) {
		of, isAway := strings.CutPrefix(scope, awayScope)
		if isAway != away {
			continue
		}
		reached := mark(of)
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

// dueRead is how many rows of a chain are read at a time.
const dueRead = 32

func (m *dueMinute) load(ctx context.Context, l *locked, scope string) error {
	if m.loaded || l.e.store == nil {
		return nil
	}
	for i := range m.before {
		if err := m.loadChain(ctx, l, scope, &m.before[i]); err != nil {
			return err
		}
	}
	m.loaded = true
	return nil
}

func (m *dueMinute) loadChain(ctx context.Context, l *locked, scope string, c *dueChain) error {
	c.rows = 0
	for {
		var keys []string
		for i := range int64(dueRead) {
			keys = append(keys, dueKey(scope, c.number, c.rows+1+i))
		}
		values, err := l.loadRows(ctx, keys)
		if err != nil {
			return err
		}
		for i, value := range values {
			if value == nil {
				return nil
			}
			c.rows++
			if err := m.decode(value, &l.e.states); err != nil {
				l.quarantine(keys[i], value, err)
			}
		}
	}
}

func (m *dueMinute) decode(row []byte, keys *states) error {
	body, err := window.Open(row)
	if err != nil {
		return err
	}
	d := window.NewDecoder(body)
	rules := readStrings(d)
	found := map[recordID]int64{}
	for range d.Len() {
		rule, sum, due := d.Uint(), d.Bytes(), d.Int()
		if rule >= uint64(len(rules)) || len(sum) != len(keySum{}) {
			return fmt.Errorf("reading who waits: %w", window.ErrCorrupt)
		}
		found[recordID{of: keys.of(rules[rule]).number, sum: keySum(sum)}] = due
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
		own := dueChain{number: m.chain, rows: m.rows}
		if m.chain != 0 && len(d.lost) > 0 {
			own.rows++ // it may have been written
		}
		for _, c := range append(m.before[:len(m.before):len(m.before)], own) {
			for row := range c.rows {
				deletes = append(deletes, Change{Key: dueKey(each.scope, c.number, row+1)})
			}
		}
		if s.retired == nil {
			s.retired = map[int64][]int64{}
		}
		s.retired[number] = append(s.retired[number], m.chains()...)
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

// forget lets go of what done took out, where there is no store.
func (d *deadlines) forget() {
	for _, s := range d.scopes {
		s.retired = nil
	}
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
