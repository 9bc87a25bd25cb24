package correlate

import (
	"maps"
	"sync"
	"sync/atomic"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
)

// maxTypes bounds how many event types are remembered: types come from outside.
const maxTypes = 4096

// maxTypeLength is the length of a type beyond which an event is looked at rather than its type remembered.
const maxTypeLength = 512

// candidates knows which types of events some rule could match.
// Looking up a known type neither locks nor allocates.
type candidates struct {
	mayMatch func(event.Facts) bool
	mapper   *mapper

	mu     sync.Mutex // held while a type is added
	answer atomic.Pointer[[kinds]map[string]bool]
}

const kinds = 32

func newCandidates(mayMatch func(event.Facts) bool, m *mapper) *candidates {
	c := &candidates{mayMatch: mayMatch, mapper: m}
	c.reset()
	return c
}

// reset forgets all answers: the rules have changed.
func (c *candidates) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer.Store(new([kinds]map[string]bool))
}

// is says whether a rule could match the record b. What is of no known kind must be looked at.
func (c *candidates) is(b []byte) bool {
	kind, eventType := normalize.Peek(b)
	switch {
	case kind == normalize.Unknown || int(kind) >= kinds || len(eventType) > maxTypeLength:
		return true
	case kind == normalize.Normalized:
		// A document is known by what it says itself.
		told := normalize.Tell(b)
		var buffer [256]byte
		key := told.AppendKey(buffer[:0])
		if len(key) > maxTypeLength {
			return true
		}
		if may, ok := c.answer.Load()[kind][string(key)]; ok {
			return may
		}
		return c.judge(kind, string(key), c.mapper.kept(told.Facts()))
	}
	if may, ok := c.answer.Load()[kind][string(eventType)]; ok {
		return may
	}
	return c.judge(kind, string(eventType), c.mapper.known(kind, string(eventType)))
}

func (c *candidates) judge(kind normalize.Kind, eventType string, facts event.Facts) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	may := c.mayMatch(facts)
	now := *c.answer.Load()
	if len(now[kind]) >= maxTypes {
		return may
	}
	next := make(map[string]bool, len(now[kind])+1)
	maps.Copy(next, now[kind])
	next[eventType] = may
	now[kind] = next
	c.answer.Store(&now)
	return may
}
