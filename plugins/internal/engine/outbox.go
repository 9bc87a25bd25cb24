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

// settle makes all the row of tick id, and takes the others that moved to it and the acked ones out.
// It gives what is to be written before the records that fired, and what after them.
func (o *outbox) settle(id tickID, all []*incident.Incident, acked []tickID) (before, after []Change) {
	rest := make([]tickID, 0, len(o.order)+1)
	named := make([]tickID, 0, len(o.order)+1)
	for _, other := range o.order {
		row := o.rows[other]
		switch {
		case other == id:
			continue
		case other.Boot != id.Boot || !row.saved || slices.Contains(acked, other):
			after = append(after, Change{Key: other.key()})
		default:
			rest = append(rest, other)
		}
		named = append(named, other)
	}
	gone := len(after) > 0
	rows := make(map[tickID]*outboxRow, len(rest)+1)
	for _, other := range rest {
		rows[other] = o.rows[other]
	}
	if len(all) > 0 {
		rest, named = append(rest, id), append(named, id)
		rows[id] = &outboxRow{incidents: all}
		before = append(before,
			Change{Key: id.key(), Value: encodeIncidents(all), Expires: timeOf(window.MaxTime)}, outboxIndex(named))
	}
	if gone {
		after = append(after, outboxIndex(rest))
	}
	o.rows, o.order = rows, rest
	return before, after
}

// outboxIndex gives the row that names the others.
func outboxIndex(ids []tickID) Change {
	var c window.Encoder
	c.Uint(uint64(len(ids)))
	for _, id := range ids {
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
