// Package heap keeps the garbage collector from running all the time over a small heap.
//
// It stands beside the data's way. A pipeline holds little, some batches on their way, and makes much garbage: as Go comes,
// the heap is collected whenever it has doubled, which is with every few batches, and a tenth or more of all CPU goes there.
//
//	heap.Raise(heap.Floor) // once, when the program starts
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Floor is how large the heap may grow, in bytes, before garbage is collected, however little of it lives.
const Floor = 128 << 20

// Raise lets the heap grow to the floor before it is collected; above that to twice what lives, as ever.
// Where the environment has GOGC, that counts. GOMEMLIMIT is kept in any case. stop undoes it.
func Raise(floor int64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	t := &tuner{floor: floor, usual: debug.SetGCPercent(usual)}
	t.set = usual
	t.tune()
	t.arm()
	return t.stop
}

// usual is Go's own percentage.
const usual = 100

// tuner sets the percentage anew after each collection.
type tuner struct {
	floor int64
	usual int // what counted before

	mu      sync.Mutex // guards all below
	set     int
	stopped bool
}

// arm makes garbage that tells of the next collection.
func (t *tuner) arm() {
	// With a pointer in it, so that it is not put together with others, and lives as long as they do.
	type telling struct{ _ *byte }
	runtime.AddCleanup(new(telling), func(t *tuner) {
		if t.tune() {
			t.arm()
		}
	}, t)
}

// tune is false when the tuner was stopped.
func (t *tuner) tune() bool {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return false
	}
	// Setting it stops the world for a moment: small changes are left alone.
	if p := percent(int64(live[0].Value.Uint64()), t.floor); p > t.set+t.set/8 || p < t.set-t.set/8 {
		debug.SetGCPercent(p)
		t.set = p
	}
	return true
}

func (t *tuner) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.stopped = true
		debug.SetGCPercent(t.usual)
	}
}

// percent gives by how much the heap may grow beyond what lives.
func percent(live, floor int64) int {
	const least = 1 << 20 // of what lives, so that nothing is not divided by
	live = max(live, least)
	return int(max(100*(floor-live)/live, usual))
}
