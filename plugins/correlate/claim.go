package correlate

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// claim is the hold of one correlator on its rows in a cache.
type claim struct {
	prefix  string
	release func()
}

type claimKey struct{ cache, prefix string }

// claimState gives the prefix of the correlator's rows, which must stay the same over restarts:
// that is its label, so that two correlators can share a cache. Two that would write the same rows are an error.
func claimState(res *service.Resources, cache string) (claim, error) {
	prefix := "correlate/"
	if id := res.StreamID(); id != "" {
		prefix += id + "/"
	}
	if label := res.Label(); label != "" {
		prefix += label + "/"
	}
	if cache == "" {
		return claim{prefix: prefix, release: func() {}}, nil
	}
	v, _ := res.GetOrSetGeneric(claimKey{cache: cache, prefix: prefix}, new(atomic.Bool))
	taken, ok := v.(*atomic.Bool)
	if !ok || !taken.CompareAndSwap(false, true) {
		return claim{}, fmt.Errorf("two correlate processors would write the same state in cache %s: give each its own label", cache)
	}
	var once sync.Once
	return claim{prefix: prefix, release: func() { once.Do(func() { taken.Store(false) }) }}, nil
}
