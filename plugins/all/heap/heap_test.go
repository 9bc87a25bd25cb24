package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestPercentLetsASmallHeapGrowToTheFloorAndALargeOneDouble(t *testing.T) {
	for _, c := range []struct {
		live, floor int64
		want        int
	}{
		{live: 0, floor: 96 << 20, want: 9500},
		{live: 12 << 20, floor: 96 << 20, want: 700},
		{live: 47 << 20, floor: 96 << 20, want: 104},
		{live: 48 << 20, floor: 96 << 20, want: 100},
		{live: 49 << 20, floor: 96 << 20, want: 100},
		{live: 10 << 30, floor: 96 << 20, want: 100},
	} {
		if got := percent(c.live, c.floor); got != c.want {
			t.Errorf("percent(%d, %d): got %d, want %d", c.live, c.floor, got, c.want)
		}
	}
}

// collections makes so many bytes of garbage and gives how often it was collected.
func collections(bytes int) uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const piece = 64 << 10
	for range bytes / piece {
		garbage = make([]byte, piece)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

var garbage []byte

func TestGarbageOfASmallHeapIsCollectedSeldom(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(usual))
	runtime.GC()
	const made = 1 << 30
	often := collections(made)
	stop := Raise(Floor)
	seldom := collections(made)
	stop()
	runtime.GC()
	again := collections(made)
	if want := uint32(made/Floor) + 4; seldom > want {
		t.Errorf("with the floor: got %d collections of 1 GiB of garbage, want at most %d", seldom, want)
	}
	if often < 2*seldom || again < 2*seldom {
		t.Errorf("without the floor: got %d collections before and %d after, with it %d: it changed nothing, or stays", often, again, seldom)
	}
}

func TestEnvironmentSaysWhenToCollect(t *testing.T) {
	t.Setenv("GOGC", "150")
	defer debug.SetGCPercent(debug.SetGCPercent(150))
	defer Raise(Floor)()
	if got := debug.SetGCPercent(150); got != 150 {
		t.Errorf("got %d, want the 150 that was set", got)
	}
}
