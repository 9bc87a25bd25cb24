package expr

import (
	"math"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/event"
)

// node is one part of an expression.
type node interface {
	eval(env Env) any
	write(b *strings.Builder)
	// level is how tightly the node binds: its text needs parentheses where a higher level is asked for.
	level() int
	children() []node
	// with gives the node with other children, as many as it has.
	with(children []node) node
}

// Levels of binding, loosest first.
const (
	levelOr = iota + 1
	levelAnd
	levelNot
	levelCompare
	levelAdd
	levelMultiply
	levelUnary
	levelPrimary
)

// walk calls f for n and everything below it, in the order of the text. The arguments of aggregates are not below.
func walk(n node, f func(node)) {
	f(n)
	for _, c := range n.children() {
		walk(c, f)
	}
}

func writeAt(b *strings.Builder, n node, level int) {
	if n.level() >= level {
		n.write(b)
		return
	}
	b.WriteByte('(')
	n.write(b)
	b.WriteByte(')')
}

type literalNode struct {
	value any
	// duration is true where the value is milliseconds that were written as a duration.
	duration bool
}

func (n *literalNode) eval(Env) any     { return n.value }
func (*literalNode) children() []node   { return nil }
func (n *literalNode) with([]node) node { return n }
func (n *literalNode) level() int {
	switch v := n.value.(type) {
	case int64:
		if v < 0 {
			return levelUnary
		}
	case float64:
		if v < 0 {
			return levelUnary
		}
	}
	return levelPrimary
}

func (n *literalNode) write(b *strings.Builder) {
	switch v := n.value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		if n.duration {
			b.WriteString(FormatDuration(time.Duration(v) * time.Millisecond))
			return
		}
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		b.WriteString(strconv.Quote(v))
	}
}

type refNode struct {
	ref    Ref
	offset int
}

func (n *refNode) eval(env Env) any         { return event.Normal(env.Field(n.ref)) }
func (n *refNode) write(b *strings.Builder) { writeRef(b, n.ref) }
func (*refNode) level() int                 { return levelPrimary }
func (*refNode) children() []node           { return nil }
func (n *refNode) with([]node) node         { return n }

func writeRef(b *strings.Builder, r Ref) {
	if r.Pattern != "" {
		b.WriteString(r.Pattern)
		b.WriteByte('.')
	}
	for i, name := range r.Path {
		if i > 0 {
			b.WriteByte('.')
		}
		if plain(name, i == 0 && r.Pattern == "") {
			b.WriteString(name)
			continue
		}
		// One quoted name alone would be a string.
		quote := byte('"')
		if len(r.Path) == 1 && r.Pattern == "" || strings.ContainsAny(name, `"\`) {
			quote = '`'
		}
		b.WriteByte(quote)
		b.WriteString(name)
		b.WriteByte(quote)
	}
}

// plain says whether a name can stand without quotes; a first one must not be a word of the language.
func plain(name string, first bool) bool {
	if name == "" || first && (keywords[name] || !letterByte(name[0])) {
		return false
	}
	for i := range len(name) {
		if !letterByte(name[i]) && !digitByte(name[i]) {
			return false
		}
	}
	return true
}

type listNode struct{ items []node }

func (n *listNode) eval(env Env) any {
	list := make([]any, len(n.items))
	for i, item := range n.items {
		list[i] = item.eval(env)
	}
	return list
}

func (n *listNode) write(b *strings.Builder) {
	b.WriteByte('[')
	writeArgs(b, n.items)
	b.WriteByte(']')
}
func (*listNode) level() int            { return levelPrimary }
func (n *listNode) children() []node    { return n.items }
func (*listNode) with(kids []node) node { return &listNode{items: kids} }

func writeArgs(b *strings.Builder, args []node) {
	for i, a := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		writeAt(b, a, levelOr)
	}
}

// logicNode is `and` or `or`, with SQL's three values.
type logicNode struct {
	or          bool
	left, right node
}

func (n *logicNode) eval(env Env) any {
	left := truth(n.left.eval(env))
	if left == n.or { // false and ..., true or ...
		return n.or
	}
	right := truth(n.right.eval(env))
	if right == n.or {
		return n.or
	}
	if left == nil || right == nil {
		return nil
	}
	return !n.or
}

// truth gives a condition's value: true, false or nil; what is no condition is nil.
func truth(v any) any {
	if b, ok := v.(bool); ok {
		return b
	}
	return nil
}

func (n *logicNode) write(b *strings.Builder) {
	op := " and "
	if n.or {
		op = " or "
	}
	writeAt(b, n.left, n.level())
	b.WriteString(op)
	writeAt(b, n.right, n.level()+1)
}

func (n *logicNode) level() int {
	if n.or {
		return levelOr
	}
	return levelAnd
}
func (n *logicNode) children() []node { return []node{n.left, n.right} }
func (n *logicNode) with(kids []node) node {
	return &logicNode{or: n.or, left: kids[0], right: kids[1]}
}

type notNode struct{ of node }

func (n *notNode) eval(env Env) any {
	if b, ok := n.of.eval(env).(bool); ok {
		return !b
	}
	return nil
}

func (n *notNode) write(b *strings.Builder) {
	b.WriteString("not ")
	writeAt(b, n.of, levelNot)
}
func (*notNode) level() int            { return levelNot }
func (n *notNode) children() []node    { return []node{n.of} }
func (*notNode) with(kids []node) node { return &notNode{of: kids[0]} }

// compareNode is ==, !=, <, <=, >, >= or in.
type compareNode struct {
	op          string
	left, right node
}

func (n *compareNode) eval(env Env) any {
	return Compare(n.op, n.left.eval(env), n.right.eval(env))
}

func (n *compareNode) write(b *strings.Builder) {
	writeAt(b, n.left, levelAdd)
	b.WriteString(" " + n.op + " ")
	writeAt(b, n.right, levelAdd)
}
func (*compareNode) level() int         { return levelCompare }
func (n *compareNode) children() []node { return []node{n.left, n.right} }
func (n *compareNode) with(kids []node) node {
	return &compareNode{op: n.op, left: kids[0], right: kids[1]}
}

// nullNode is `is null` or `is not null`.
type nullNode struct {
	of  node
	not bool
}

func (n *nullNode) eval(env Env) any { return (n.of.eval(env) == nil) != n.not }
func (n *nullNode) write(b *strings.Builder) {
	writeAt(b, n.of, levelAdd)
	if n.not {
		b.WriteString(" is not null")
		return
	}
	b.WriteString(" is null")
}
func (*nullNode) level() int              { return levelCompare }
func (n *nullNode) children() []node      { return []node{n.of} }
func (n *nullNode) with(kids []node) node { return &nullNode{of: kids[0], not: n.not} }

// arithmeticNode is +, -, *, / or %.
type arithmeticNode struct {
	op          byte
	left, right node
}

func (n *arithmeticNode) eval(env Env) any {
	return calculate(n.op, n.left.eval(env), n.right.eval(env))
}

func (n *arithmeticNode) write(b *strings.Builder) {
	writeAt(b, n.left, n.level())
	b.WriteByte(' ')
	b.WriteByte(n.op)
	b.WriteByte(' ')
	writeAt(b, n.right, n.level()+1)
}

func (n *arithmeticNode) level() int {
	if n.op == '+' || n.op == '-' {
		return levelAdd
	}
	return levelMultiply
}
func (n *arithmeticNode) children() []node { return []node{n.left, n.right} }
func (n *arithmeticNode) with(kids []node) node {
	return &arithmeticNode{op: n.op, left: kids[0], right: kids[1]}
}

type negateNode struct{ of node }

func (n *negateNode) eval(env Env) any {
	switch v := n.of.eval(env).(type) {
	case int64:
		if v == math.MinInt64 {
			return -float64(v)
		}
		return -v
	case float64:
		return -v
	}
	return nil
}

func (n *negateNode) write(b *strings.Builder) {
	b.WriteByte('-')
	writeAt(b, n.of, levelUnary)
}
func (*negateNode) level() int            { return levelUnary }
func (n *negateNode) children() []node    { return []node{n.of} }
func (*negateNode) with(kids []node) node { return &negateNode{of: kids[0]} }

type callNode struct {
	name   string
	fn     *function
	args   []node
	offset int
}

func (n *callNode) eval(env Env) any {
	args := make([]any, len(n.args))
	for i, a := range n.args {
		args[i] = a.eval(env)
		if args[i] == nil && !n.fn.nulls {
			return nil
		}
	}
	if n.fn.inEnv != nil {
		return event.Normal(n.fn.inEnv(env, args))
	}
	return event.Normal(n.fn.call(args))
}

func (n *callNode) write(b *strings.Builder) {
	b.WriteString(n.name)
	b.WriteByte('(')
	writeArgs(b, n.args)
	b.WriteByte(')')
}
func (*callNode) level() int         { return levelPrimary }
func (n *callNode) children() []node { return n.args }
func (n *callNode) with(kids []node) node {
	return &callNode{name: n.name, fn: n.fn, args: kids, offset: n.offset}
}

type aggregateNode struct {
	agg    *Aggregate
	offset int
}

func (n *aggregateNode) eval(env Env) any         { return event.Normal(env.Aggregate(n.agg)) }
func (n *aggregateNode) write(b *strings.Builder) { writeAggregate(b, n.agg) }
func (*aggregateNode) level() int                 { return levelPrimary }
func (*aggregateNode) children() []node           { return nil }
func (n *aggregateNode) with([]node) node         { return n }

func writeAggregate(b *strings.Builder, a *Aggregate) {
	if a.Pattern != "" {
		b.WriteString(a.Pattern)
		b.WriteByte('.')
	}
	b.WriteString(a.Func)
	b.WriteByte('(')
	if a.Arg != nil {
		b.WriteString(a.Arg.text)
	}
	if a.Limit != 0 {
		b.WriteString(", ")
		b.WriteString(strconv.FormatFloat(a.Limit, 'g', -1, 64))
	}
	b.WriteByte(')')
}
