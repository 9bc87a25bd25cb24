package expr

import (
	"math"
	"slices"
)

// aggregate is the shape of a call over events.
type aggregate struct {
	least, most int
	usage       string
	// limit is the largest second argument; whole is true where it has no fraction.
	limit float64
	whole bool
}

// maxValues is the most that values(field, n) can keep; defaultValues what it keeps where n is not written.
const (
	maxValues     = 1000
	defaultValues = 20
)

var aggregates = map[string]aggregate{
	"count":      {least: 0, most: 1, usage: "count(), or count(field) for the events where it is not null"},
	"distinct":   {least: 1, most: 1, usage: "distinct(field), how many different values; an array counts as each of its elements"},
	"sum":        {least: 1, most: 1, usage: "sum(number); sum(nonnegative(number)) can fire at once"},
	"avg":        {least: 1, most: 1, usage: "avg(number), the mean"},
	"min":        {least: 1, most: 1, usage: "min(value), the least number, or text where there is none"},
	"max":        {least: 1, most: 1, usage: "max(value), the greatest number, or text where there is none"},
	"first":      {least: 1, most: 1, usage: "first(field), of the earliest event where it is not null"},
	"last":       {least: 1, most: 1, usage: "last(field), of the latest event where it is not null"},
	"values":     {least: 1, most: 2, limit: maxValues, whole: true, usage: "values(field, n), the first n different ones"},
	"median":     {least: 1, most: 1, usage: "median(number), the middle one, or the mean of the middle two"},
	"percentile": {least: 2, most: 2, limit: 100, usage: "percentile(number, 95), the nearest rank"},
	"stddev":     {least: 1, most: 1, usage: "stddev(number), of the population"},
	"variance":   {least: 1, most: 1, usage: "variance(number), of the population"},
	"mode":       {least: 1, most: 1, usage: "mode(field), the most frequent value; of two the earlier"},
	"pctchange":  {least: 1, most: 1, usage: "pctchange(number), 100 * |last - first| / |first|"},
}

// Aggregates gives the names of all aggregates, sorted.
func Aggregates() []string { return names(aggregates) }

// Over gives the value of the aggregate over events: values holds that of Arg for each event, in the order of (time, id);
// for count() it has one element, of any value, for each event.
// An array counts as each of its elements, but count counts the event once. It is the definition that faster forms are held to.
func (a *Aggregate) Over(values []any) any {
	if a.Func == "count" {
		if a.Arg == nil {
			return int64(len(values))
		}
		n := int64(0)
		for _, v := range values {
			if v != nil {
				n++
			}
		}
		return n
	}
	flat := Flatten(values)
	switch a.Func {
	case "distinct":
		return int64(len(different(flat, len(flat))))
	case "values":
		limit := defaultValues
		if a.Limit != 0 {
			limit = int(a.Limit)
		}
		if list := different(flat, limit); len(list) > 0 {
			return list
		}
		return nil
	case "mode":
		return mode(flat)
	case "min", "max":
		return extreme(flat, a.Func == "max")
	case "first", "last":
		if len(flat) == 0 {
			return nil
		}
		if a.Func == "first" {
			return flat[0]
		}
		return flat[len(flat)-1]
	}
	numbers := make([]float64, 0, len(flat))
	for _, v := range flat {
		if n, ok := Number(v); ok {
			numbers = append(numbers, n)
		}
	}
	if a.Func == "sum" {
		return sum(flat)
	}
	return finiteOrNil(statistic(a, numbers))
}

func finiteOrNil(f float64, ok bool) any {
	if !ok {
		return nil
	}
	return finite(f)
}

// Flatten gives the values that aggregates work on: nulls left out, arrays taken apart.
func Flatten(values []any) []any {
	flat := make([]any, 0, len(values))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
		case []any:
			flat = append(flat, Flatten(v)...)
		default:
			flat = append(flat, v)
		}
	}
	return flat
}

// Identity gives a value that can be a map key and is the same for values that distinct takes for one.
func Identity(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	}
	return "\x00" + encoded(v)
}

func different(flat []any, limit int) []any {
	seen := make(map[any]bool, min(len(flat), limit))
	var list []any
	for _, v := range flat {
		id := Identity(v)
		if len(list) == limit {
			break
		}
		if !seen[id] {
			seen[id] = true
			list = append(list, v)
		}
	}
	return list
}

func mode(flat []any) any {
	counts := make(map[any]int, len(flat))
	for _, v := range flat {
		counts[Identity(v)]++
	}
	var best any
	most := 0
	for _, v := range flat {
		if n := counts[Identity(v)]; n > most {
			best, most = v, n
		}
	}
	return best
}

// extreme gives the least or the greatest: of the numbers where there is one, else of the texts.
func extreme(flat []any, greatest bool) any {
	var best any
	for _, v := range flat {
		if _, isText := v.(string); !isText {
			if _, isNumber := Number(v); !isNumber {
				continue
			}
		}
		if best == nil {
			best = v
			continue
		}
		o, ok := Order(v, best)
		if !ok {
			if _, isText := best.(string); isText {
				best = v
			}
			continue
		}
		if greatest && o > 0 || !greatest && o < 0 {
			best = v
		}
	}
	return best
}

// sum adds whole numbers exactly as long as they fit; null where there is no number.
func sum(flat []any) any {
	var total any
	for _, v := range flat {
		if _, ok := Number(v); !ok {
			continue
		}
		if total == nil {
			total = v
			continue
		}
		total = calculate('+', total, v)
	}
	return total
}

func statistic(a *Aggregate, numbers []float64) (float64, bool) {
	n := float64(len(numbers))
	if n == 0 {
		return 0, false
	}
	switch a.Func {
	case "avg":
		return mean(numbers), true
	case "stddev":
		return math.Sqrt(variance(numbers)), true
	case "variance":
		return variance(numbers), true
	case "pctchange":
		first, last := numbers[0], numbers[len(numbers)-1]
		return 100 * math.Abs(last-first) / math.Abs(first), true
	}
	sorted := slices.Clone(numbers)
	slices.Sort(sorted)
	return ranked(a, len(sorted), func(i int) float64 { return sorted[i] })
}

// ranked gives the median or the percentile of n numbers, at least one, in order.
func ranked(a *Aggregate, n int, sorted func(i int) float64) (float64, bool) {
	if a.Func == "median" {
		middle := n / 2
		if n%2 == 1 {
			return sorted(middle), true
		}
		return sorted(middle-1) + (sorted(middle)-sorted(middle-1))/2, true
	}
	rank := int(math.Ceil(a.Limit / 100 * float64(n)))
	return sorted(min(max(rank, 1), n) - 1), true
}

func mean(numbers []float64) float64 {
	total := 0.0
	for _, x := range numbers {
		total += x
	}
	return total / float64(len(numbers))
}

func variance(numbers []float64) float64 {
	m := mean(numbers)
	total := 0.0
	for _, x := range numbers {
		total += (x - m) * (x - m)
	}
	return total / float64(len(numbers))
}

// Monotone says whether the condition, once it holds over some events, holds over every larger set of events:
// count, distinct and max with > or >=, min with < or <=, sum(nonnegative(x)) with > or >=, each against a number, joined by `and` and `or`.
// Such a condition can fire with the event that fulfils it; every other is judged when the watermark has passed.
func (e *Expr) Monotone() bool { return monotone(e.root) }

func monotone(n node) bool {
	switch n := n.(type) {
	case *logicNode:
		return monotone(n.left) && monotone(n.right)
	case *literalNode:
		return true
	case *compareNode:
		if a, ok := n.left.(*aggregateNode); ok && constant(n.right) {
			return grows(a.agg, n.op)
		}
		if a, ok := n.right.(*aggregateNode); ok && constant(n.left) {
			return grows(a.agg, flipped[n.op])
		}
	}
	return false
}

var flipped = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}

// constant says whether the node has one number for a value, whatever the events.
func constant(n node) bool {
	if l, ok := n.(*literalNode); ok {
		_, isNumber := Number(l.value)
		return isNumber
	}
	switch n.(type) {
	case *arithmeticNode, *negateNode:
		for _, c := range n.children() {
			if !constant(c) {
				return false
			}
		}
		return true
	}
	return false
}

func grows(a *Aggregate, op string) bool {
	switch a.Func {
	case "count", "distinct", "max":
		return op == ">" || op == ">="
	case "min":
		return op == "<" || op == "<="
	case "sum":
		return (op == ">" || op == ">=") && neverNegative(a.Arg.root)
	}
	return false
}

func neverNegative(n node) bool {
	switch n := n.(type) {
	case *callNode:
		return n.name == "nonnegative" || n.name == "abs" || n.name == "len"
	case *literalNode:
		v, ok := Number(n.value)
		return ok && v >= 0
	}
	return false
}
