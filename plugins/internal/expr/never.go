package expr

import "math"

// maxCounted is more events than can be counted.
const maxCounted = 1 << 50

// Never says whether the condition holds for no number of events, from one on, whatever the events are. silence says that it
// would for none at all. It looks at comparisons of count() with numbers; of all others it takes anything to be possible.
func (e *Expr) Never() (never, silence bool) {
	for _, n := range countsToTry(e.root) {
		if canBe(e.root, n).yes {
			return false, false
		}
	}
	return true, canBe(e.root, 0).yes
}

// countsToTry gives numbers of events, one at least from each span in which all comparisons of count() have the same answers.
func countsToTry(root node) []int64 {
	counts := []int64{1}
	walk(root, func(n node) {
		if !constant(n) {
			return
		}
		b, ok := Number(n.eval(nil))
		if !ok || math.Abs(b) > maxCounted {
			return
		}
		for _, n := range []int64{int64(math.Floor(b)), int64(math.Floor(b)) + 1} {
			if n > 1 {
				counts = append(counts, n)
			}
		}
	})
	return counts
}

// answers says which answers a condition can give.
type answers struct{ yes, no bool }

// canBe gives the answers of a condition for n events.
func canBe(c node, n int64) answers {
	switch c := c.(type) {
	case *notNode:
		of := canBe(c.of, n)
		return answers{yes: of.no, no: of.yes}
	case *logicNode:
		left, right := canBe(c.left, n), canBe(c.right, n)
		if c.or {
			return answers{yes: left.yes || right.yes, no: left.no && right.no}
		}
		return answers{yes: left.yes && right.yes, no: left.no || right.no}
	case *compareNode:
		left, known := numbersOf(c.left, n)
		right, also := numbersOf(c.right, n)
		if known && also {
			got := Compare(c.op, left, right)
			return answers{yes: got == true, no: got == false}
		}
	}
	return answers{yes: true, no: true}
}

// numbersOf gives the value of count(), of a number or of a list of numbers.
func numbersOf(c node, n int64) (any, bool) {
	switch c := c.(type) {
	case *aggregateNode:
		return n, c.agg.Func == "count" && c.agg.Arg == nil && c.agg.Pattern == ""
	case *listNode:
		for _, item := range c.items {
			if !constant(item) {
				return nil, false
			}
		}
		return c.eval(nil), true
	}
	if !constant(c) {
		return nil, false
	}
	return c.eval(nil), true
}
