package engine

import (
	"context"
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/internal/window"
)

// outbox keeps what ticks fired until the ticks are known to be delivered: an incident that no event carries
// would be lost with the tick otherwise.
type outbox struct {
	rows  map[tickID]*outboxRow
	order []tickID
}

// tickID names a tick over all runs of the process.
type tickID struct{ Boot, Number string }

type outboxRow struct {
	incidents []*incident.Incident
	// saved is false while the save that fired them has not succeeded.
	saved bool
}

const keyOutbox = "outbox"

func (t tickID) key() string { return keyOutbox + "/" + t.Boot + "/" + t.Number }

func idOf(t watermark.Tick) tickID { return tickID{Boot: t.Boot, Number: t.Number} }

// take puts incidents under a tick, together with those of ticks that can never be acked:
// those of earlier runs, and those whose save went wrong. It gives all that leaves with the tick.
func (o *outbox) take(id tickID, fired []*incident.Incident) []*incident.Incident {
	var all []*incident.Incident
	for _, other := range o.order {
		row := o.rows[other]
		if other == id || other.Boot != id.Boot || !row.saved {
			all = append(all, row.incidents...)
		}
	}
	return append(all, fired...)
}

// settle makes all the row of tick id, takes the others that moved to it and the acked ones out,
// and gives the rows to write and to delete.
func (o *outbox) settle(id tickID, all []*incident.Incident, acked []tickID) (writes, deletes []Change) {
	before := len(o.rows)
	gone := func(other tickID) bool {
		row := o.rows[other]
		return other == id || other.Boot != id.Boot || !row.saved || slices.Contains(acked, other)
	}
	for _, other := range o.order {
		if !gone(other) {
			continue
		}
		if other != id {
			deletes = append(deletes, Change{Key: other.key()})
		}
	}
	rest := slices.DeleteFunc(slices.Clone(o.order), gone)
	if len(all) > 0 {
		writes = append(writes, Change{Key: id.key(), Value: encodeIncidents(all), Expires: timeOf(window.MaxTime)})
		rest = append(rest, id)
	}
	rows := make(map[tickID]*outboxRow, len(rest))
	for _, other := range rest {
		rows[other] = o.rows[other]
	}
	if len(all) > 0 {
		rows[id] = &outboxRow{incidents: all}
	}
	o.rows, o.order = rows, rest
	if len(all) > 0 || len(rows) != before {
		writes = append(writes, o.index())
	}
	return writes, deletes
}

// index gives the row that names the others.
func (o *outbox) index() Change {
	var c window.Encoder
	c.Uint(uint64(len(o.order)))
	for _, id := range o.order {
		c.String(id.Boot)
		c.String(id.Number)
	}
	return Change{Key: keyOutbox, Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)}
}

func (o *outbox) restore(ctx context.Context, l *locked) error {
	rows, err := l.loadRows(ctx, []string{keyOutbox})
	if err != nil || rows[0] == nil {
		return err
	}
	body, err := window.Open(rows[0])
	if err != nil {
		return fmt.Errorf("reading %s: %w", keyOutbox, err)
	}
	d := window.NewDecoder(body)
	var keys []string
	for range d.Len() {
		id := tickID{Boot: d.String(), Number: d.String()}
		o.order = append(o.order, id)
		keys = append(keys, id.key())
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", keyOutbox, err)
	}
	if len(keys) == 0 {
		return nil
	}
	values, err := l.loadRows(ctx, keys)
	if err != nil {
		return err
	}
	for i, id := range o.order {
		row := &outboxRow{saved: true}
		o.rows[id] = row
		if values[i] == nil {
			continue
		}
		if row.incidents, err = decodeIncidents(values[i], l.e.rules.Load()); err != nil {
			return fmt.Errorf("reading %s: %w", keys[i], err)
		}
	}
	return nil
}
