package progress

import (
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Standing says how far a bounded input has come.
type Standing struct {
	// Done of Whole was delivered and saved: the spans of all partitions, added up. Whole is 0 until the partitions are known.
	Done, Whole time.Duration
	// Records were delivered by this run of the program, and Requests made.
	Records, Requests int64
	// Partitions are those that are known, Failing those that cannot be read at present.
	Partitions, Failing int
	// Settles is when nothing of the span can appear late any more: no input ends before it.
	Settles time.Time
}

// Board shows how far the bounded inputs of a stream have come: inputs put themselves on it, and a command looks at it.
type Board struct {
	mu     sync.Mutex
	inputs []func() Standing // mu
}

type boardKey struct{ stream string }

// BoardOf gives the board of the stream that res belongs to.
func BoardOf(res *service.Resources) *Board {
	v, _ := res.GetOrSetGeneric(boardKey{stream: res.StreamID()}, &Board{})
	b, _ := v.(*Board)
	return b
}

// Show puts an input on the board; the function is called whenever somebody looks.
func (b *Board) Show(standing func() Standing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inputs = append(b.inputs, standing)
}

// Look adds up how far all inputs have come.
func (b *Board) Look() Standing {
	b.mu.Lock()
	inputs := b.inputs
	b.mu.Unlock()
	var all Standing
	for _, look := range inputs {
		one := look()
		all.Done += one.Done
		all.Whole += one.Whole
		all.Records += one.Records
		all.Requests += one.Requests
		all.Partitions += one.Partitions
		all.Failing += one.Failing
		if one.Settles.After(all.Settles) {
			all.Settles = one.Settles
		}
	}
	return all
}
