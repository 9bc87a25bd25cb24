package expr

import "math"

// Least gives a number of events, at least 1, below which the condition cannot hold, whatever they are:
// what `count() >= 5` asks for can be told without a look at the events. It may be smaller than what the condition asks for.
func (e *Expr) Least() int { return least(e.root) }

func least(n node) int {
	switch n := n.(type) {
	case *logicNode:
		left, right := least(n.left), least(n.right)
		if n.or {
			return min(left, right)
		}
		return max(left, right)
	case *compareNode:
		if a, ok := n.left.(*aggregateNode); ok && constant(n.right) {
			return leastOf(a.agg, n.op, n.right)
		}
		if a, ok := n.right.(*aggregateNode); ok && constant(n.left) {
			op := n.op
			if other, ok := flipped[op]; ok {
				op = other
			}
			return leastOf(a.agg, op, n.left)
		}
	}
	return 1
}

func leastOf(a *Aggregate, op string, bound node) int {
	if a.Func != "count" || a.Pattern != "" {
		return 1
	}
	b, ok := Number(bound.eval(nil))
	if !ok || b > math.MaxInt32 {
		return 1
	}
	switch op {
	case ">":
		return max(int(math.Floor(b))+1, 1)
	case ">=", "==":
		return max(int(math.Ceil(b)), 1)
	}
	return 1
}
