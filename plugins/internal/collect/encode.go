package collect

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// positionVersion is the version of the position and of segments that this program writes.
const positionVersion = 1

type position struct {
	start, end, again time.Time
	segments          []segment
}

// storedPosition is how a position stands in the store.
type storedPosition struct {
	Version  int             `json:"v"`
	Start    time.Time       `json:"start"`
	End      time.Time       `json:"end"`
	Again    time.Time       `json:"again"`
	Segments []storedSegment `json:"segments,omitempty"`
}

type storedSegment struct {
	Name string    `json:"name"`
	End  time.Time `json:"end"`
}

func encodePosition(p position) []byte {
	stored := storedPosition{Version: positionVersion, Start: p.start, End: p.end, Again: p.again}
	for _, s := range p.segments {
		stored.Segments = append(stored.Segments, storedSegment{Name: s.name, End: s.end})
	}
	b, err := json.Marshal(stored)
	if err != nil {
		panic(err) // times and strings always encode
	}
	return b
}

// Saved is a position as it was found in the store; its segments must be loaded before a cursor can be made of it.
type Saved struct {
	stored storedPosition
	prefix string
}

// ParsePosition reads a saved position.
func ParsePosition(prefix string, value []byte) (*Saved, error) {
	s := &Saved{prefix: prefix}
	if err := json.Unmarshal(value, &s.stored); err != nil {
		return nil, fmt.Errorf("reading the saved position %s: it is damaged (%w); delete this key to begin at `start` again", prefix, err)
	}
	if s.stored.Version != positionVersion {
		return nil, fmt.Errorf("reading the saved position %s: it has version %d and this program knows version %d only; use the version of the program that wrote it, or delete this key to begin at `start` again",
			prefix, s.stored.Version, positionVersion)
	}
	if s.stored.End.IsZero() || s.stored.Again.After(s.stored.End) {
		return nil, fmt.Errorf("reading the saved position %s: it is damaged (its times contradict each other); delete this key to begin at `start` again", prefix)
	}
	return s, nil
}

// Segments are the keys of the segments to load.
func (s *Saved) Segments() []string {
	keys := make([]string, len(s.stored.Segments))
	for i, seg := range s.stored.Segments {
		keys[i] = s.prefix + "/" + seg.Name
	}
	return keys
}

// Restore makes a cursor of a saved position and the values of its segments, aligned with Segments.
// A segment that is missing or damaged costs duplicates, never events: the second result counts them.
func (s *Saved) Restore(plan Plan, values [][]byte) (*Cursor, int) {
	c := Start(plan, s.prefix, s.stored.Start)
	c.end, c.again = s.stored.End.UTC(), s.stored.Again.UTC()
	c.saved, c.savedAgain = c.end, c.again
	bad := 0
	for i, stored := range s.stored.Segments {
		seg := segment{name: stored.Name, end: stored.End.UTC()}
		ids, err := decodeSegment(values[i])
		if err != nil {
			bad++
		}
		seg.ids = ids
		c.segments = append(c.segments, seg)
		for _, id := range ids {
			c.seen[id] = nil
		}
	}
	return c, bad
}

// encodeSegment writes ids as version, ids, checksum.
func encodeSegment(ids []ID) []byte {
	b := make([]byte, 0, 1+len(ids)*len(ID{})+4)
	b = append(b, positionVersion)
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func decodeSegment(b []byte) ([]ID, error) {
	if len(b) < 5 || b[0] != positionVersion {
		return nil, errors.New("reading a segment: it is damaged")
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum || (len(body)-1)%len(ID{}) != 0 {
		return nil, errors.New("reading a segment: it is damaged")
	}
	body = body[1:]
	ids := make([]ID, 0, len(body)/len(ID{}))
	for ; len(body) > 0; body = body[len(ID{}):] {
		ids = append(ids, ID(body))
	}
	return ids, nil
}

// EncodeLedger writes a ledger.
func EncodeLedger(l Ledger) []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // times always encode
	}
	return b
}

// ParseLedger reads a ledger; key names it in errors.
func ParseLedger(key string, value []byte) (Ledger, error) {
	var l Ledger
	if err := json.Unmarshal(value, &l); err != nil {
		return l, fmt.Errorf("reading the saved position %s: it is damaged (%w); delete the keys that begin with %s to begin at `start` again", key, err, strings.TrimSuffix(key, "/ledger"))
	}
	if l.Version != ledgerVersion || l.Start.IsZero() {
		return l, fmt.Errorf("reading the saved position %s: it has version %d and this program knows version %d only; use the version of the program that wrote it, or another checkpoint_key", key, l.Version, ledgerVersion)
	}
	return l, nil
}
