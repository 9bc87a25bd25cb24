package collect

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Save is a set of changes that brings what is saved up to date. They are written in order; each may be written again.
type Save struct {
	Changes []Change

	passes     int           // how many passes are over with it
	end, again time.Time     // the position with it
	kept       []segment     // with it
	gone       []segment     // no more with it
	parts      map[*Pass]int // how many ids of passes that are not over are in it
}

// Save gives what must be written: the ids of each pass that was read and acked, without a gap before it, and only then the position.
// False where nothing has changed. The owner writes one Save at a time.
func (c *Cursor) Save() (*Save, bool) {
	s := &Save{end: c.saved, again: c.savedAgain}
	all := slices.Clone(c.segments)
	for _, p := range c.passes {
		if !p.read || p.active || p.flying > 0 {
			break
		}
		s.passes++
		if len(p.ids) > 0 {
			all = append(all, segment{name: unique(all, minute(s.end)), end: p.end, ids: p.ids})
		}
		s.end, s.again = p.end, p.again
	}
	if s.passes == 0 {
		return nil, false
	}
	for _, seg := range all {
		// No later pass reads what lies before again, so these ids cannot come back.
		if c.plan.forgets(seg.end, s.again) {
			s.gone = append(s.gone, seg)
			continue
		}
		s.kept = append(s.kept, seg)
	}
	c.write(s)
	return s, true
}

// SavePart gives what must be written so that a restart does not send again what was acked of passes that are not over.
// The position stays. False where fewer than least ids, and at least one, have been acked.
func (c *Cursor) SavePart(least int) (*Save, bool) {
	s := &Save{end: c.saved, again: c.savedAgain, parts: map[*Pass]int{}}
	part := segment{name: unique(c.segments, minute(c.saved)+"-1"), end: c.end}
	for _, p := range c.passes {
		part.ids = append(part.ids, p.ids...)
		s.parts[p] = len(p.ids)
	}
	if len(part.ids) < max(1, least) {
		return nil, false
	}
	s.kept = append(slices.Clone(c.segments), part)
	c.write(s)
	return s, true
}

// unique names a segment by where its pass begins, so that one which a crash has cut short is overwritten and not left behind.
// A second one that begins there gets a number: a pass that only looks for what appeared late ends where it begins.
func unique(all []segment, name string) string {
	base, _, _ := strings.Cut(name, "-")
	for n := 2; slices.ContainsFunc(all, func(seg segment) bool { return seg.name == name }); n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	return name
}

// write puts the changes in their order: new ids, the position, and then the ids that nothing names any more.
func (c *Cursor) write(s *Save) {
	for _, seg := range s.kept {
		if !c.has(seg.name) {
			s.Changes = append(s.Changes, Change{Key: c.segmentKey(seg.name), Value: encodeSegment(seg.ids)})
		}
	}
	s.Changes = append(s.Changes, Change{Key: c.prefix, Value: encodePosition(position{start: c.start, end: s.end, again: s.again, segments: s.kept})})
	for _, seg := range s.gone {
		if c.has(seg.name) {
			s.Changes = append(s.Changes, Change{Key: c.segmentKey(seg.name)})
		}
	}
}

// has is true where a segment of that name is saved.
func (c *Cursor) has(name string) bool {
	return slices.ContainsFunc(c.segments, func(seg segment) bool { return seg.name == name })
}

// Saved says that the changes were written.
func (c *Cursor) Saved(s *Save) {
	for _, seg := range s.kept {
		if c.has(seg.name) {
			continue
		}
		for _, id := range seg.ids {
			c.seen[id] = nil
		}
	}
	c.saved, c.savedAgain, c.segments = s.end, s.again, s.kept
	c.passes = slices.Clone(c.passes[s.passes:])
	for _, seg := range s.gone {
		for _, id := range seg.ids {
			delete(c.seen, id)
		}
	}
	for p, n := range s.parts {
		p.ids = slices.Clone(p.ids[n:])
	}
}

// forgets is true where no pass that looks from again on can meet a record of a pass that ended at end.
func (p Plan) forgets(end, again time.Time) bool {
	return end.Before(again) || end.Equal(again) && !p.Inclusive
}

// minute names a time in keys.
func minute(t time.Time) string { return strconv.FormatInt(t.Unix()/60, 10) }
