package expr

import (
	"math"
	"strconv"
	"strings"
)

// Compare gives the result of a comparison: true, false, or nil where a value is null or the types have no order.
// op is ==, !=, <, <=, >, >= or in. An array on the left compares as one of its elements does; `!=` is the opposite of `==`.
func Compare(op string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	if op == "!=" {
		if equal, ok := Compare("==", a, b).(bool); ok {
			return !equal
		}
		return nil
	}
	if list, ok := a.([]any); ok {
		return anyOf(list, func(x any) any {
			if x == nil {
				return false // an array's nulls are left out
			}
			return Compare(op, x, b)
		})
	}
	if list, ok := b.([]any); ok {
		if op == "in" {
			op = "=="
		}
		return anyOf(list, func(x any) any { return Compare(op, a, x) })
	}
	if op == "==" || op == "in" {
		return Equal(a, b)
	}
	order, ok := Order(a, b)
	if !ok {
		return nil
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// anyOf is SQL's `or` over a list: true if one is, else null if one is, else false.
func anyOf(list []any, test func(any) any) any {
	var result any = false
	for _, x := range list {
		switch test(x) {
		case true:
			return true
		case nil:
			result = nil
		}
	}
	return result
}

// Equal says whether two scalar values are the same: by type and exact value, whole numbers equal to other numbers of that value.
// Nulls, arrays and objects equal nothing.
func Equal(a, b any) bool {
	order, ok := Order(a, b)
	if ok {
		return order == 0
	}
	x, ok := a.(bool)
	if !ok {
		return false
	}
	y, ok := b.(bool)
	return ok && x == y
}

// Order compares two numbers or two strings: negative, zero or positive. It is false where the values have no order.
func Order(a, b any) (int, bool) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true
		}
	case int64:
		switch y := b.(type) {
		case int64:
			return order(x, y), true
		case float64:
			return orderMixed(x, y)
		}
	case float64:
		switch y := b.(type) {
		case int64:
			o, ok := orderMixed(y, x)
			return -o, ok
		case float64:
			if math.IsNaN(x) || math.IsNaN(y) {
				return 0, false
			}
			return order(x, y), true
		}
	}
	return 0, false
}

func order[T int64 | float64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// orderMixed compares without losing the digits that a float64 does not hold.
func orderMixed(x int64, y float64) (int, bool) {
	switch {
	case math.IsNaN(y):
		return 0, false
	case y >= 1<<63:
		return -1, true
	case y < -(1 << 63):
		return 1, true
	}
	whole := math.Trunc(y)
	if o := order(x, int64(whole)); o != 0 {
		return o, true
	}
	return order(whole, y), true
}

// calculate applies an arithmetic operator; nil where a value is no number, or the result none.
func calculate(op byte, a, b any) any {
	if x, ok := a.(string); ok && op == '+' {
		if y, ok := b.(string); ok && len(x)+len(y) <= maxString {
			return x + y
		}
		return nil
	}
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if xInt && yInt {
		if v, ok := calculateInt(op, x, y); ok {
			return v
		}
	}
	f, ok := Number(a)
	if !ok {
		return nil
	}
	g, ok := Number(b)
	if !ok {
		return nil
	}
	switch op {
	case '+':
		return finite(f + g)
	case '-':
		return finite(f - g)
	case '*':
		return finite(f * g)
	case '/':
		return finite(f / g)
	}
	return finite(math.Mod(f, g))
}

// calculateInt is false where the result is not a whole number that int64 holds.
func calculateInt(op byte, x, y int64) (int64, bool) {
	switch op {
	case '+':
		sum := x + y
		return sum, (sum > x) == (y > 0)
	case '-':
		diff := x - y
		return diff, (diff < x) == (y > 0)
	case '*':
		if x == 0 || y == 0 {
			return 0, true
		}
		product := x * y
		return product, product/y == x && (y != -1 || x != math.MinInt64)
	case '/':
		if y == 0 || x%y != 0 || x == math.MinInt64 && y == -1 {
			return 0, false
		}
		return x / y, true
	}
	if y == 0 || y == -1 {
		return 0, y != 0
	}
	return x % y, true
}

// Number gives the value of a number.
func Number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, !math.IsNaN(n) && !math.IsInf(n, 0)
	}
	return 0, false
}

// finite gives a number that rules compare: whole ones as int64, nil for what is none.
func finite(f float64) any {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return int64(f)
	}
	return f
}

// Text gives a value as a title shows it: nothing for null, lists joined by commas.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = Text(x)
		}
		return strings.Join(parts, ", ")
	}
	return encoded(v)
}
