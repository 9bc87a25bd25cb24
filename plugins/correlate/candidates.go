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

// candidates knows which types of events some rule could match.
// Looking up a known type neither locks nor allocates.
type candidates struct {
	mayMatch func(event.Facts) bool
	known    func(normalize.Kind, string) event.Facts

	mu     sync.Mutex // held while a type is added
	answer atomic.Pointer[[kinds]map[string]bool]
}

const kinds = 32

func newCandidates(mayMatch func(event.Facts) bool, known func(normalize.Kind, string) event.Facts) *candidates {
	c := &candidates{mayMatch: mayMatch, known: known}
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
	if kind == normalize.Unknown || int(kind) >= kinds {
		return true
	}
	if may, ok := c.answer.Load()[kind][string(eventType)]; ok {
		return may
	}
	return c.judge(kind, string(eventType))
}

func (c *candidates) judge(kind normalize.Kind, eventType string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	may := c.mayMatch(c.known(kind, eventType))
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
