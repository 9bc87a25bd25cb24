package engine

import (
	"cmp"
	"slices"
	"strconv"

	"benthos-oci/plugins/internal/window"
)

// chunkSize is how many entries a saved row holds. A batch writes the rows that it changed,
// so the cost of saving a hot key does not grow with its window.
const chunkSize = 64

// chunks says which row holds which entry. New entries stand in the record's own row until there are enough of them;
// then they move to a row of their own, which is written again only when one of them fires or carries an incident.
type chunks struct {
	open []*window.Entry
	// last is the number of the newest row; numbers are never used again.
	last int64
	rows []*chunk // by number
	// gone are the numbers of rows to delete.
	gone []int64
}

type chunk struct {
	number  int64
	entries []*window.Entry
	live    int
	dirty   bool
	// written says that a record in the store may name the row.
	written bool
}

func (c *chunks) take(e *window.Entry, size int) {
	e.Chunk = 0
	if size == 0 {
		return
	}
	c.open = append(c.open, e)
	if len(c.open) < size {
		return
	}
	c.last++
	row := &chunk{number: c.last, entries: c.open, live: len(c.open), dirty: true}
	for _, each := range row.entries {
		each.Chunk = c.last
	}
	c.rows = append(c.rows, row)
	c.open = nil
}

func (c *chunks) row(number int64) *chunk {
	i, found := slices.BinarySearchFunc(c.rows, number, func(r *chunk, n int64) int { return cmp.Compare(r.number, n) })
	if !found {
		return nil
	}
	return c.rows[i]
}

// changed says that what is saved of e is not true any more.
func (c *chunks) changed(e *window.Entry) {
	if len(c.rows) == 0 {
		return
	}
	if row := c.row(e.Chunk); row != nil {
		row.dirty = true
	}
}

// renumber gives the rows that are to be written again new numbers: should the record not be written after them,
// the one in the store still finds the rows that it names as they were.
func (c *chunks) renumber(all bool) {
	kept := make([]*chunk, 0, len(c.rows))
	var moved []*chunk
	for _, row := range c.rows {
		if !row.written || !row.dirty && !all {
			kept = append(kept, row)
			continue
		}
		c.gone = append(c.gone, row.number)
		moved = append(moved, row)
	}
	for _, row := range moved {
		c.last++
		row.number = c.last
		for _, e := range row.entries {
			e.Chunk = c.last
		}
	}
	kept = append(kept, moved...)
	c.rows = kept
}

// drop takes e out; a row without entries is deleted.
func (c *chunks) drop(e *window.Entry) {
	if len(c.open)+len(c.rows) == 0 {
		return
	}
	row := c.row(e.Chunk)
	if row == nil {
		if i := slices.Index(c.open, e); i >= 0 {
			c.open = slices.Delete(c.open, i, i+1)
		}
		return
	}
	row.live--
	if row.live > 0 {
		return
	}
	c.gone = append(c.gone, row.number)
	c.rows = slices.DeleteFunc(c.rows, func(r *chunk) bool { return r == row })
}

// row gives the key of the record's row, chunkKey that of one of its chunks.
func (r *record) row() string { return rowKey(r.plan.key, r.id.sum) }

func (r *record) chunkKey(number int64) string { return r.row() + "/" + strconv.FormatInt(number, 10) }
