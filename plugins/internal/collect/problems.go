package collect

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Problem is what of a Cloud Guard problem decides whether it has changed.
type Problem struct {
	ID string
	// Print describes everything that counts as a change.
	Print string
	// Open is true until the problem was resolved, dismissed or deleted.
	Open bool
	// Ending says how a problem ended that is not open: Resolved, Dismissed, Deleted, or Closed where it is none of these.
	// A malformed one has none.
	Ending Verdict
	// Last is when it was last detected.
	Last time.Time
}

// Verdict says why a problem is sent; empty: it is not.
type Verdict string

// The verdicts.
const (
	Unchanged Verdict = ""
	New       Verdict = "new"
	Changed   Verdict = "changed"
	Reopened  Verdict = "reopened"
	Resolved  Verdict = "resolved"
	Dismissed Verdict = "dismissed"
	Deleted   Verdict = "deleted"
	Closed    Verdict = "closed"
)

// known is a problem as it was delivered.
type known struct {
	Hash string    `json:"h"`
	Open bool      `json:"o,omitempty"`
	End  Verdict   `json:"e,omitempty"`
	Last time.Time `json:"t"`
}

// shards is how many records hold the problems, so that one change rewrites little.
const shards = 32

// Sweep is the range of last-detected times that one reading of all problems covers, both ends included.
type Sweep struct{ From, To time.Time }

// Problems remembers which problems were delivered, and as what. Its owner locks it.
type Problems struct {
	prefix  string
	start   time.Time
	overlap time.Duration

	delivered map[string]known
	dirty     [shards]bool
	flying    map[string]string // hash on its way, by id
	listed    map[string]bool   // seen in the current sweep
	last      time.Time         // the start of the last sweep that was delivered; zero: none
}

// NewProblems begins without a memory. Its keys begin with prefix.
func NewProblems(prefix string, start time.Time, overlap time.Duration) *Problems {
	return &Problems{
		prefix: prefix, start: start.UTC(), overlap: overlap,
		delivered: map[string]known{}, flying: map[string]string{}, listed: map[string]bool{},
	}
}

// Keys are the keys to load before the first sweep; the first is the position.
func (p *Problems) Keys() []string {
	keys := []string{p.prefix}
	for i := range shards {
		keys = append(keys, p.shardKey(i))
	}
	return keys
}

type storedSweep struct {
	Version int       `json:"v"`
	Last    time.Time `json:"last"`
}

type storedShard struct {
	Version  int              `json:"v"`
	Problems map[string]known `json:"problems"`
}

// Restore takes the values of Keys, nil where there is none.
func (p *Problems) Restore(values [][]byte) error {
	// Shards without a position are of a first sweep that was cut off: what they hold was delivered all the same.
	if len(values) > 0 && values[0] != nil {
		var s storedSweep
		if err := json.Unmarshal(values[0], &s); err != nil {
			return fmt.Errorf("reading the saved position %s: it is damaged (%w); delete this key to begin at `start` again", p.prefix, err)
		}
		if s.Version != positionVersion {
			return fmt.Errorf("reading the saved position %s: it has version %d and this program knows version %d only", p.prefix, s.Version, positionVersion)
		}
		p.last = s.Last.UTC()
	}
	for i, value := range values[min(1, len(values)):] {
		if value == nil {
			continue
		}
		var s storedShard
		if err := json.Unmarshal(value, &s); err != nil || s.Version != positionVersion {
			return fmt.Errorf("reading the saved problems %s: they are damaged or of another version; delete this key to have its problems sent again", p.shardKey(i))
		}
		maps.Copy(p.delivered, s.Problems)
	}
	return nil
}

// Begin opens a sweep at now, Oracle's time. It reaches back to the start of the last one less the overlap,
// and further where a problem that is still open was last detected earlier, so that each open problem is seen in one list or the other.
func (p *Problems) Begin(now time.Time) Sweep {
	s := Sweep{From: p.start, To: now.UTC()}
	if !p.last.IsZero() {
		s.From = later(p.start, p.last.Add(-p.overlap))
	}
	for _, k := range p.delivered {
		if k.Open {
			s.From = earlier(s.From, k.Last)
		}
	}
	p.listed = map[string]bool{}
	return s
}

// Judge tells whether a problem that was read must be sent, and why. One that is on its way as it is does not count as changed.
func (p *Problems) Judge(one Problem) Verdict {
	p.listed[one.ID] = true
	hash := hashOf(one)
	if p.flying[one.ID] == hash {
		return Unchanged
	}
	old, ok := p.delivered[one.ID]
	switch {
	case ok && old.Hash == hash:
		if old.Last.Before(one.Last) {
			old.Last = one.Last.UTC()
			p.put(one.ID, old)
		}
		return Unchanged
	case !one.Open && one.Ending != Unchanged:
		// One that is first seen when it is over has ended, too. One that was resolved and is detected again was open in between.
		again := one.Ending == Resolved && old.Last.Before(one.Last)
		if !ok || old.Open || old.End != one.Ending || again {
			return one.Ending
		}
	case !ok && p.flying[one.ID] == "":
		return New
	case ok && !old.Open && one.Open:
		return Reopened
	}
	return Changed
}

// Sent says that the problem is on its way.
func (p *Problems) Sent(one Problem) { p.flying[one.ID] = hashOf(one) }

// Acked says that the output has the problem as it was sent.
func (p *Problems) Acked(one Problem) {
	hash := hashOf(one)
	if p.flying[one.ID] == hash {
		delete(p.flying, one.ID)
	}
	now := known{Hash: hash, Open: one.Open, End: one.Ending, Last: one.Last.UTC()}
	if !one.Open && one.Ending == Unchanged {
		// A malformed record says nothing about whether the problem is over.
		old := p.delivered[one.ID]
		now.Open, now.End = old.Open, old.End
	}
	p.put(one.ID, now)
}

// Nacked says that the output will not take the problem: the next sweep sends it again.
func (p *Problems) Nacked(one Problem) {
	if p.flying[one.ID] == hashOf(one) {
		delete(p.flying, one.ID)
	}
}

// Missing are the open problems that neither list of the current sweep has shown, in order of their ids: they must be asked for one by one.
func (p *Problems) Missing() []string {
	var ids []string
	for id, k := range p.delivered {
		if k.Open && !p.listed[id] && p.flying[id] == "" {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	return ids
}

// Forget drops a problem that Oracle does not know any more.
func (p *Problems) Forget(id string) {
	delete(p.delivered, id)
	p.dirty[shardOf(id)] = true
}

// Known is the number of problems that are remembered, and how many of them are open.
func (p *Problems) Known() (all, open int) {
	for _, k := range p.delivered {
		if k.Open {
			open++
		}
	}
	return len(p.delivered), open
}

// Done gives what must be written once a sweep that began at began was delivered to its end: the problems, and only then the position.
func (p *Problems) Done(began time.Time) []Change {
	// A closed problem that no later sweep can list need not be remembered.
	oldest := later(p.start, began.Add(-p.overlap))
	for _, k := range p.delivered {
		if k.Open {
			oldest = earlier(oldest, k.Last)
		}
	}
	for id, k := range p.delivered {
		if !k.Open && k.Last.Before(oldest) {
			p.Forget(id)
		}
	}
	p.last = began.UTC()
	changes := p.Acks()
	position, err := json.Marshal(storedSweep{Version: positionVersion, Last: p.last})
	if err != nil {
		panic(err) // times always encode
	}
	return append(changes, Change{Key: p.prefix, Value: position})
}

// Acks gives what must be written of the problems that were delivered so far. The owner puts changes back with Unsaved when writing them fails.
func (p *Problems) Acks() []Change {
	var changes []Change
	parts := make([]map[string]known, shards)
	for id, k := range p.delivered {
		i := shardOf(id)
		if !p.dirty[i] {
			continue
		}
		if parts[i] == nil {
			parts[i] = map[string]known{}
		}
		parts[i][id] = k
	}
	for i := range shards {
		if !p.dirty[i] {
			continue
		}
		p.dirty[i] = false
		change := Change{Key: p.shardKey(i)}
		if len(parts[i]) > 0 {
			value, err := json.Marshal(storedShard{Version: positionVersion, Problems: parts[i]})
			if err != nil {
				panic(err) // times and strings always encode
			}
			change.Value = value
		}
		changes = append(changes, change)
	}
	return changes
}

// Unsaved says that the changes could not be written.
func (p *Problems) Unsaved(changes []Change) {
	for i := range shards {
		key := p.shardKey(i)
		if slices.ContainsFunc(changes, func(c Change) bool { return c.Key == key }) {
			p.dirty[i] = true
		}
	}
}

func (p *Problems) put(id string, k known) {
	p.delivered[id] = k
	p.dirty[shardOf(id)] = true
}

func (p *Problems) shardKey(i int) string { return p.prefix + "/" + strconv.Itoa(i) }

func shardOf(id string) int {
	h := IDOf([]byte(id))
	return int(h[0]) % shards
}

func hashOf(one Problem) string {
	h := IDOf([]byte(strings.Join([]string{one.Print, strconv.FormatBool(one.Open)}, "\x00")))
	return hex.EncodeToString(h[:])
}

// Position is the start of the last sweep that was delivered, or where the first one begins.
func (p *Problems) Position() time.Time { return later(p.start, p.last) }
