package window

// CompactEntry writes an entry whose time is not before since. Covered and Chunk are not written.
func (c *Encoder) CompactEntry(e *Entry, since int64) {
	flags := e.flags()
	if len(e.Values) > 0 {
		flags |= flagValues
	}
	if e.Patterns != 1 {
		flags |= flagPatterns
	}
	c.b = append(c.b, flags)
	c.Uint(uint64(e.Time) - uint64(since))
	c.String(e.ID)
	if flags&flagPatterns != 0 {
		c.Uint(e.Patterns)
	}
	if flags&flagValues != 0 {
		c.Uint(uint64(len(e.Values)))
		for _, list := range e.Values {
			c.Values(list)
		}
	}
	if flags&flagEvidence != 0 {
		c.Evidence(e.Evidence)
	}
	if flags&flagCarried != 0 {
		c.Ints(e.Carried)
	}
}

// CompactEntry reads an entry.
func (d *Decoder) CompactEntry(since int64) Entry {
	flags := byte(0)
	if b := d.take(1); len(b) == 1 {
		flags = b[0]
	}
	e := Entry{
		Time: int64(d.Uint() + uint64(since)), ID: d.String(), Patterns: 1,
		Fires: flags&flagFires != 0, Judged: flags&flagJudged != 0,
	}
	if flags&flagPatterns != 0 {
		e.Patterns = d.Uint()
	}
	if flags&flagValues != 0 {
		n := d.Len()
		if n > MaxPatterns {
			d.fail("the values of an entry")
			return e
		}
		e.Values = make([][]any, n)
		for p := range e.Values {
			e.Values[p] = d.Values()
		}
	}
	if flags&flagEvidence != 0 {
		e.Evidence = d.Evidence()
	}
	if flags&flagCarried != 0 {
		e.Carried = d.Ints()
	}
	return e
}
