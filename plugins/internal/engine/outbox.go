package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

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
	// parts is the number of rows that hold them.
	parts int
	// saved is false while the save that fired them has not succeeded.
	saved bool
}

const keyOutbox = "outbox"

// partSize is how many incidents one row holds.
const partSize = 500

func (t tickID) key(part int) string {
	return keyOutbox + "/" + t.Boot + "/" + t.Number + "/" + strconv.Itoa(part)
}

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
	gone := false
	for _, other := range o.order {
		row := o.rows[other]
		switch {
		case other == id:
			continue
		case other.Boot != id.Boot || !row.saved || slices.Contains(acked, other):
			for part := range row.parts {
				after = append(after, Change{Key: other.key(part)})
			}
			gone = true
		default:
			rest = append(rest, other)
		}
		named = append(named, other)
	}
	rows := make(map[tickID]*outboxRow, len(rest)+1)
	for _, other := range rest {
		rows[other] = o.rows[other]
	}
	if len(all) > 0 {
		rest, named = append(rest, id), append(named, id)
		row := &outboxRow{incidents: all}
		for part := range slices.Chunk(all, partSize) {
			before = append(before, Change{Key: id.key(row.parts), Value: encodeIncidents(part), Expires: timeOf(window.MaxTime)})
			row.parts++
		}
		rows[id] = row
	}
	old := o.rows
	o.rows = rows
	if len(all) > 0 {
		before = append(before, o.index(named, old))
	}
	if gone {
		after = append(after, o.index(rest, nil))
	}
	o.order = rest
	return before, after
}

// index gives the row that names the others; old knows those that are about to go.
func (o *outbox) index(ids []tickID, old map[tickID]*outboxRow) Change {
	var c window.Encoder
	c.Uint(uint64(len(ids)))
	for _, id := range ids {
		row := o.rows[id]
		if row == nil {
			row = old[id]
		}
		c.String(id.Boot)
		c.String(id.Number)
		c.Int(int64(row.parts))
	}
	return Change{Key: keyOutbox, Value: window.Seal(c.Body()), Expires: timeOf(window.MaxTime)}
}

func (o *outbox) restore(ctx context.Context, l *locked) error {
	if err := l.read(ctx, keyOutbox, o.decode); err != nil {
		return err
	}
	for _, id := range o.order {
		if err := o.rows[id].load(ctx, l, id); err != nil {
			return err
		}
	}
	return nil
}

func (o *outbox) decode(row []byte) error {
	body, err := window.Open(row)
	if err != nil {
		return err
	}
	d := window.NewDecoder(body)
	for range d.Len() {
		id := tickID{Boot: d.String(), Number: d.String()}
		row := &outboxRow{parts: int(d.Int()), saved: true}
		if d.Failed() {
			break
		}
		o.order = append(o.order, id)
		o.rows[id] = row
	}
	return d.Err()
}

// load reads the incidents of a tick. A row that was never written, or that cannot be read, is passed over;
// the latter is set aside.
func (r *outboxRow) load(ctx context.Context, l *locked, id tickID) error {
	for part := range r.parts {
		key := id.key(part)
		values, err := l.loadRows(ctx, []string{key})
		if err != nil {
			return err
		}
		if values[0] == nil {
			continue
		}
		list, err := decodeIncidents(values[0], l.e.rules.Load())
		if errors.Is(err, window.ErrVersion) {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		if err != nil {
			l.quarantine(key, values[0], err)
			continue
		}
		r.incidents = append(r.incidents, list...)
	}
	return nil
}
