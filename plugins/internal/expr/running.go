package expr

import (
	"math/bits"
	"slices"
)

// Running keeps the aggregates of one expression while events come and go, so that an event costs itself and not all events.
// It gives what Aggregate.Over gives, or nothing: where a value is no whole number that a float holds, what a sum comes to
// depends on the order in which it is added up, and the events have to be looked at. The zero value is of no events.
type Running struct {
	// Ordered says that min, max, median or percentile are asked for.
	Ordered bool

	// events are those where the expression is not null.
	events int64
	// whole counts the whole numbers up to 2^53, odd the other numbers, and others what is no number.
	whole, odd, others int
	sum                int64
	// size is the sum of the numbers without their signs, of 128 bits.
	sizeHigh, size uint64
	order          ordered
}

const maxWhole = 1 << 53

// Runs says whether a Running can give the aggregate, and whether it must be ordered for it.
func (a *Aggregate) Runs() (runs, orders bool) {
	switch a.Func {
	case "count", "sum", "avg":
		return a.Arg != nil, false
	case "min", "max", "median", "percentile":
		return true, true
	}
	return false, false
}

// Add takes the value that the expression has for an event that came; Remove for one that went.
func (r *Running) Add(v any) { r.each(v, true) }

// Remove takes back what Add took.
func (r *Running) Remove(v any) { r.each(v, false) }

func (r *Running) each(v any, add bool) {
	if v == nil {
		return
	}
	if add {
		r.events++
	} else {
		r.events--
	}
	list, ok := v.([]any)
	if !ok {
		r.one(v, add)
		return
	}
	for _, each := range Flatten(list) {
		r.one(each, add)
	}
}

func (r *Running) one(v any, add bool) {
	count := &r.others
	n, isWhole := v.(int64)
	switch _, isNumber := Number(v); {
	case isWhole && n >= -maxWhole && n <= maxWhole:
		count = &r.whole
	case isNumber:
		count = &r.odd
	}
	if add {
		*count++
	} else {
		*count--
	}
	if count != &r.whole {
		return
	}
	size := uint64(max(n, -n))
	var carry uint64
	if add {
		r.sum += n
		r.size, carry = bits.Add64(r.size, size, 0)
		r.sizeHigh += carry
	} else {
		r.sum -= n
		r.size, carry = bits.Sub64(r.size, size, 0)
		r.sizeHigh -= carry
	}
	switch {
	case r.Ordered && add:
		r.order.add(n)
	case r.Ordered:
		r.order.remove(n)
	}
}

// Over gives the value of the aggregate over the events that are there; ok is false where they have to be looked at.
func (r *Running) Over(a *Aggregate) (value any, ok bool) {
	if a.Func == "count" {
		return r.events, true
	}
	if r.odd > 0 {
		return nil, false
	}
	if r.whole == 0 {
		return nil, r.others == 0 || a.Func != "min" && a.Func != "max"
	}
	// Below, no sum on the way can be one that a float does not hold.
	exact := r.sizeHigh == 0 && r.size <= maxWhole
	switch a.Func {
	case "sum":
		return r.sum, exact
	case "avg":
		return finite(float64(r.sum) / float64(r.whole)), exact
	case "min":
		return r.order.at(0), r.Ordered
	case "max":
		return r.order.at(r.whole - 1), r.Ordered
	case "median", "percentile":
		f, _ := ranked(a, r.whole, func(i int) float64 { return float64(r.order.at(i)) })
		return finite(f), r.Ordered
	}
	return nil, false
}

// ordered is a list of numbers in order, in blocks of a bounded length.
type ordered struct{ blocks [][]int64 }

const orderedBlock = 256

// block gives the first block that ends at n or behind it; the last one where none does.
func (o *ordered) block(n int64) int {
	i, _ := slices.BinarySearchFunc(o.blocks, n, func(b []int64, n int64) int {
		if b[len(b)-1] < n {
			return -1
		}
		return 1
	})
	return min(i, len(o.blocks)-1)
}

func (o *ordered) add(n int64) {
	if len(o.blocks) == 0 {
		o.blocks = append(o.blocks, []int64{n})
		return
	}
	i := o.block(n)
	at, _ := slices.BinarySearch(o.blocks[i], n)
	o.blocks[i] = slices.Insert(o.blocks[i], at, n)
	if b := o.blocks[i]; len(b) > orderedBlock {
		o.blocks = slices.Insert(o.blocks, i+1, slices.Clone(b[orderedBlock/2:]))
		o.blocks[i] = b[:orderedBlock/2]
	}
}

// remove takes one n out, which is there.
func (o *ordered) remove(n int64) {
	i := o.block(n)
	at, _ := slices.BinarySearch(o.blocks[i], n)
	o.blocks[i] = slices.Delete(o.blocks[i], at, at+1)
	if len(o.blocks[i]) == 0 {
		o.blocks = slices.Delete(o.blocks, i, i+1)
	}
}

func (o *ordered) at(i int) int64 {
	for _, b := range o.blocks {
		if i < len(b) {
			return b[i]
		}
		i -= len(b)
	}
	return 0
}
