package engine

import (
	"fmt"
	"slices"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/window"
)

// encode gives the record's own row. It writes over what c holds.
func (r *record) encode(c *window.Encoder) []byte {
	c.Reset()
	writeCaptures(c, r.plan.captures)
	c.String(r.tenancy)
	c.Values(r.key)
	c.Int(r.pruned)
	c.Int(r.short)
	c.Int(r.due)
	c.Int(r.chunks.last)
	numbers := make([]int64, 0, len(r.chunks.rows))
	for _, row := range r.chunks.rows {
		numbers = append(numbers, row.number)
	}
	c.Ints(numbers)
	c.Uint(uint64(len(r.slots)))
	for _, s := range r.slots {
		s.encode(c)
	}
	writeEntries(c, r.chunks.open, r.pruned)
	return window.Seal(c.Body())
}

func (r *record) encodeChunk(c *window.Encoder, row *chunk) []byte {
	c.Reset()
	writeCaptures(c, r.plan.captures)
	writeEntries(c, row.entries, r.pruned)
	return window.Seal(c.Body())
}

// writeEntries writes the entries that are not pruned.
func writeEntries(c *window.Encoder, entries []*window.Entry, pruned int64) {
	n := 0
	for _, e := range entries {
		if e.Time > pruned {
			n++
		}
	}
	c.Uint(uint64(n))
	for _, e := range entries {
		if e.Time > pruned {
			c.Entry(e)
		}
	}
}

func writeCaptures(c *window.Encoder, captures [][]string) {
	c.Uint(uint64(len(captures)))
	for _, texts := range captures {
		c.Uint(uint64(len(texts)))
		for _, t := range texts {
			c.String(t)
		}
	}
}

func readCaptures(d *window.Decoder) [][]string {
	captures := make([][]string, 0, d.Len())
	for range cap(captures) {
		texts := make([]string, 0, d.Len())
		for range cap(texts) {
			texts = append(texts, d.String())
		}
		captures = append(captures, texts)
	}
	return captures
}

// adopt puts the values of an entry where the plan expects them: a rule whose words changed captures other fields.
func (p *plan) adopt(e *window.Entry, saved [][]string) {
	if slices.EqualFunc(saved, p.captures, slices.Equal) {
		return
	}
	values := make([][]any, len(p.patterns))
	for i := range p.patterns {
		if e.Patterns&(1<<i) == 0 || len(p.captures[i]) == 0 {
			continue
		}
		values[i] = make([]any, len(p.captures[i]))
		if i >= len(saved) {
			continue
		}
		for old, text := range saved[i] {
			if c, ok := p.patterns[i].index[text]; ok {
				values[i][c] = capture(e, i, old)
			}
		}
	}
	e.Values = values
}

// decodeRecord reads a record's own row. The entries of its chunks are still to come: see readChunk and rebuild.
func decodeRecord(p *plan, id recordID, row []byte) (*record, error) {
	body, err := window.Open(row)
	if err != nil {
		return nil, fmt.Errorf("opening record %s: %w", rowKey(p.key, id.sum), err)
	}
	d := window.NewDecoder(body)
	captures := readCaptures(d)
	r := newRecord(p, id, d.String(), d.Values())
	r.pruned = d.Int()
	r.short = d.Int()
	r.due = d.Int()
	r.chunks.last = d.Int()
	for _, number := range d.Ints() {
		r.chunks.rows = append(r.chunks.rows, &chunk{number: number, written: true})
	}
	for range d.Len() {
		s := decodeSlot(d)
		if d.Failed() {
			break
		}
		r.slots = append(r.slots, s)
		r.bytes += slotBytes
	}
	r.chunks.open = r.readEntries(d, captures, 0)
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("decoding record %s: %w", rowKey(p.key, id.sum), err)
	}
	return r, nil
}

// readChunk adds the entries of one chunk.
func (r *record) readChunk(row *chunk, value []byte) error {
	body, err := window.Open(value)
	if err != nil {
		return fmt.Errorf("opening chunk %d of record %s: %w", row.number, r.row(), err)
	}
	d := window.NewDecoder(body)
	captures := readCaptures(d)
	entries := r.readEntries(d, captures, row.number)
	if err := d.Err(); err != nil {
		return fmt.Errorf("decoding chunk %d of record %s: %w", row.number, r.row(), err)
	}
	row.entries, row.live = entries, len(entries)
	return nil
}

func (r *record) readEntries(d *window.Decoder, captures [][]string, number int64) []*window.Entry {
	var list []*window.Entry
	for range d.Len() {
		e := d.Entry()
		if d.Failed() {
			return nil
		}
		e.Patterns &= 1<<len(r.plan.patterns) - 1
		if e.Patterns == 0 || e.Time <= r.pruned {
			continue
		}
		e.Chunk = number
		r.plan.adopt(&e, captures)
		known := r.series.Len()
		entry, _ := r.series.Insert(e)
		if r.series.Len() == known {
			continue
		}
		r.bytes += entryBytes(entry)
		r.touched = max(r.touched, entry.Time)
		list = append(list, entry)
	}
	return list
}

// rebuild derives what is not saved, once all entries are there.
func (r *record) rebuild() {
	for i := range r.chunks.rows {
		if row := r.chunks.rows[i]; row.live == 0 {
			r.chunks.gone = append(r.chunks.gone, row.number)
		}
	}
	r.chunks.rows = slices.DeleteFunc(r.chunks.rows, func(row *chunk) bool { return row.live == 0 })
	for _, s := range r.slots {
		s.total = s.base
	}
	for _, e := range r.series.All() {
		if e.Fires {
			r.cover(e)
		}
	}
}

func (s *slot) encode(c *window.Encoder) {
	c.Int(s.start)
	s.base.encode(c)
	c.Int(s.fired)
	c.Int(s.last)
	c.Bool(s.created)
	c.Bool(s.fed)
	c.Int(s.closed)
	c.String(s.creator)
	c.Int(s.revision)
	s.sent.encode(c)
	c.Int(s.sentAt)
	writeExhibits(c, s.baseFirst)
	writeExhibits(c, s.baseLast)
	c.String(s.text.title)
	c.Value(s.text.attributes)
	writeStrings(c, s.text.response)
	writeStrings(c, s.incomplete)
}

func decodeSlot(d *window.Decoder) *slot {
	s := &slot{start: d.Int(), base: decodeSpan(d), fired: d.Int(), last: d.Int(), created: d.Bool(), fed: d.Bool(), closed: d.Int(), creator: d.String(), revision: d.Int()}
	s.sent = decodeSpan(d)
	s.sentAt = d.Int()
	s.baseFirst = readExhibits(d)
	s.baseLast = readExhibits(d)
	s.text.title = d.String()
	s.text.attributes, _ = d.Value().(map[string]any)
	s.text.response = readStrings(d)
	s.incomplete = readStrings(d)
	return s
}

func (s span) encode(c *window.Encoder) {
	c.Int(s.count)
	c.Int(s.first)
	c.Int(s.last)
}

func decodeSpan(d *window.Decoder) span {
	return span{count: d.Int(), first: d.Int(), last: d.Int()}
}

func writeStrings(c *window.Encoder, list []string) {
	c.Uint(uint64(len(list)))
	for _, s := range list {
		c.String(s)
	}
}

func readStrings(d *window.Decoder) []string {
	var list []string
	for range d.Len() {
		list = append(list, d.String())
	}
	return list
}

func writeEvidence(c *window.Encoder, list []incident.Evidence) {
	c.Uint(uint64(len(list)))
	for _, v := range list {
		c.String(v.ID)
		c.Int(int64(v.Time))
		c.String(v.Pattern)
		c.Int(v.TypeUID)
		c.String(v.Product)
		c.Value(v.Doc)
	}
}

func readEvidence(d *window.Decoder) []incident.Evidence {
	var list []incident.Evidence
	for range d.Len() {
		v := incident.Evidence{ID: d.String(), Time: event.Time(d.Int()), Pattern: d.String(), TypeUID: d.Int(), Product: d.String()}
		v.Doc, _ = d.Value().(map[string]any)
		if d.Failed() {
			return nil
		}
		list = append(list, v)
	}
	return list
}

func writeExhibits(c *window.Encoder, list []exhibit) {
	c.Uint(uint64(len(list)))
	for _, x := range list {
		c.String(x.id)
		c.Int(x.time)
		c.String(x.pattern)
		c.Bool(x.evidence != nil)
		if x.evidence != nil {
			c.Evidence(x.evidence)
		}
	}
}

func readExhibits(d *window.Decoder) []exhibit {
	var list []exhibit
	for range d.Len() {
		x := exhibit{id: d.String(), time: d.Int(), pattern: d.String()}
		if d.Bool() {
			x.evidence = d.Evidence()
		}
		if d.Failed() {
			return nil
		}
		list = append(list, x)
	}
	return list
}
