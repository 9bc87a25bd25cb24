package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/internal/window"
)

// saving is what is saved beside records.
type saving struct {
	// waits are deadlines to register, met those to take out.
	waits, met []deadline
	// before are written before the records, after behind them.
	before, after []Change
}

// save writes records and what belongs to them in one go. Its order is safe where the store has no transaction:
// deadlines before the records that wait for them, what fired before the records that say that it did,
// records before what says that time has passed, deletes last.
func (e *Engine) save(ctx context.Context, l *locked, list []*record, s saving) error {
	if e.store == nil {
		e.due.mu.Lock()
		e.due.done(s.met)
		e.due.remember(s.waits)
		e.due.forget()
		e.due.mu.Unlock()
		l.saved(list)
		return nil
	}
	var changes []Change
	deadlines := len(s.waits)+len(s.met) > 0
	if deadlines {
		e.due.mu.Lock()
		defer e.due.mu.Unlock()
	}
	met := e.due.done(s.met)
	changes = append(changes, e.due.add(s.waits, &e.states)...)
	changes = append(changes, s.before...)
	records, gone := l.changes(list)
	changes = append(changes, records...)
	changes = append(changes, e.history.row()...)
	changes = append(changes, s.after...)
	if deadlines {
		changes = append(changes, e.due.retire()...)
	}
	changes = append(changes, gone...)
	changes = append(changes, met...)
	changes = append(changes, e.garbage.take()...)
	if len(changes) == 0 {
		return nil
	}
	if err := e.store.Save(ctx, changes); err != nil {
		l.failed(list)
		if deadlines {
			e.due.failed()
		}
		e.history.failed()
		e.garbage.keep(changes)
		return fmt.Errorf("saving %d rows of state: %w", len(changes), err)
	}
	l.saved(list)
	if deadlines {
		e.due.saved()
	}
	return nil
}

// garbage is what should have been deleted by saves that went wrong. Keys of such rows are never used again.
type garbage struct {
	mu   sync.Mutex
	rows []Change // guarded by mu
}

func (g *garbage) take() []Change {
	g.mu.Lock()
	defer g.mu.Unlock()
	rows := g.rows
	g.rows = nil
	return rows
}

func (g *garbage) keep(changes []Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range changes {
		if c.Value == nil {
			g.rows = append(g.rows, c)
		}
	}
}

// Keys of rows.
const (
	keyClock   = "clock"
	keyHistory = "history"
)

// row gives the row of what first_seen has watched, where it changed.
func (h *history) row() []Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dirty {
		return nil
	}
	h.dirty = false
	var c window.Encoder
	keys := sortedKeys(h.since)
	c.Uint(uint64(len(keys)))
	for _, k := range keys {
		c.String(k)
		c.Int(h.since[k])
	}
	return []Change{{Key: keyHistory, Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)}}
}

func (h *history) failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirty = true
}

func (h *history) decode(row []byte) error {
	body, err := window.Open(row)
	if err != nil {
		return err
	}
	d := window.NewDecoder(body)
	for range d.Len() {
		k := d.String()
		h.since[k] = d.Int()
	}
	return d.Err()
}

// row gives the row of the marks.
func (m *marks) row() Change {
	var c window.Encoder
	scopes := sortedKeys(m.by)
	c.Uint(uint64(len(scopes)))
	for _, s := range scopes {
		c.String(s)
		c.Int(m.by[s])
	}
	c.Uint(uint64(len(m.known)))
	for _, id := range m.known {
		c.String(id.Source)
		c.String(id.Tenancy)
		c.String(id.Name)
	}
	return Change{Key: keyClock, Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)}
}

func (m *marks) decode(row []byte) error {
	body, err := window.Open(row)
	if err != nil {
		return err
	}
	d := window.NewDecoder(body)
	for range d.Len() {
		scope := d.String()
		m.by[scope] = d.Int()
	}
	for range d.Len() {
		m.known = append(m.known, watermark.ID{Source: d.String(), Tenancy: d.String(), Name: d.String()})
	}
	m.ticked = true
	return d.Err()
}

// restore reads what is not read key by key: where time stands, which deadlines there are, what was not delivered.
func (e *Engine) restore(ctx context.Context) error {
	if e.store == nil {
		return nil
	}
	l := &locked{e: e}
	if err := l.read(ctx, keyClock, e.marks.decode); err != nil {
		return err
	}
	if err := l.read(ctx, keyHistory, e.history.decode); err != nil {
		return err
	}
	if err := e.due.restore(ctx, l); err != nil {
		return err
	}
	if err := e.outbox.restore(ctx, l); err != nil {
		return err
	}
	if len(l.extra) == 0 {
		return nil
	}
	if err := e.store.Save(ctx, l.extra); err != nil {
		return fmt.Errorf("setting damaged rows aside: %w", err)
	}
	return nil
}

// read reads one row. A row that is damaged is set aside and counts as absent.
func (l *locked) read(ctx context.Context, key string, decode func(row []byte) error) error {
	rows, err := l.loadRows(ctx, []string{key})
	if err != nil || rows[0] == nil {
		return err
	}
	err = decode(rows[0])
	if errors.Is(err, window.ErrCorrupt) {
		l.quarantine(key, rows[0], err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	return nil
}
