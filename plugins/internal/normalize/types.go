package normalize

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"benthos-oci/plugins/internal/event"
)

// typed is what an event type says by itself.
type typed struct {
	operation
	// known says that the type is in the catalog of operations.
	known bool
}

const (
	// mostTypes bounds the types that are remembered, and longestType their length: types come from outside.
	mostTypes   = 4096
	longestType = 512
)

// types remembers what the types say that were met: a tenancy has a few hundred, and reads each of them again with every event.
// The map is never changed, so reading it takes no lock.
var types struct {
	mu    sync.Mutex // held while a type is added
	known atomic.Pointer[map[string]typed]
}

// typeOf says what an event type says, which may be a part of the record.
func typeOf(eventType string) typed {
	known := types.known.Load()
	if known != nil {
		if t, ok := (*known)[eventType]; ok {
			return t
		}
	}
	if len(eventType) > longestType {
		return readType(eventType)
	}
	types.mu.Lock()
	defer types.mu.Unlock()
	next := map[string]typed{}
	if known = types.known.Load(); known != nil {
		if len(*known) >= mostTypes {
			return readType(eventType)
		}
		maps.Copy(next, *known)
	}
	own := strings.Clone(eventType)
	t := readType(own)
	next[own] = t
	types.known.Store(&next)
	return t
}

func readType(eventType string) typed {
	_, known := event.OperationOfType(eventType)
	return typed{operation: operationOf(eventType), known: known}
}
