package expr

import (
	"fmt"
	"math"
	"strings"
)

// Parse reads an expression. Its errors are *Error and say where in the text the mistake is.
func Parse(src string) (*Expr, error) {
	e, err := read(src)
	if err != nil {
		return nil, err
	}
	// Escapes and parentheses can make the canonical text longer or deeper than what was written.
	if _, err := read(e.text); err != nil {
		return nil, errorAt(0, "the expression is too large: its canonical form cannot be read (%v)", err)
	}
	return e, nil
}

func read(src string) (*Expr, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	if p.peek().kind == tokenEnd {
		return nil, errorAt(0, "the expression is empty")
	}
	root, err := p.parse(levelOr)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, errorAt(t.offset, "%s stands where the expression should end or an operator should follow", t)
	}
	return newExpr(root), nil
}

// parser is a Pratt parser: parse(level) reads as much as binds at least as tightly as level.
type parser struct {
	tokens []token
	next   int
	depth  int
	nodes  int
	// inside is the name of the aggregate whose argument is being read.
	inside string
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokenEnd {
		p.next++
	}
	return t
}

func (p *parser) parse(level int) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errorAt(p.peek().offset, "the expression is nested deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.prefix()
	if err != nil {
		return nil, err
	}
	compared := false
	for chain := 0; ; chain++ {
		at := infixLevel(p.peek())
		if at == 0 || at < level {
			return left, nil
		}
		// A chain nests to the left: a long one is as deep as a nested one.
		if chain > maxDepth*2 {
			return nil, errorAt(p.peek().offset, "the expression joins more than %d parts", maxDepth*2)
		}
		if at == levelCompare && compared {
			return nil, errorAt(p.peek().offset, "comparisons cannot be chained: join them by `and`")
		}
		compared = at == levelCompare
		if left, err = p.infix(left, at); err != nil {
			return nil, err
		}
	}
}

// infixLevel is 0 for what is no operator between two values.
func infixLevel(t token) int {
	switch t.kind {
	case tokenName:
		switch t.text {
		case "or":
			return levelOr
		case "and":
			return levelAnd
		case "in", "is", "not":
			return levelCompare
		}
	case tokenSign:
		switch t.text {
		case "==", "=", "!=", "<>", "<", "<=", ">", ">=":
			return levelCompare
		case "+", "-":
			return levelAdd
		case "*", "/", "%":
			return levelMultiply
		}
	case tokenEnd, tokenNumber, tokenDuration, tokenString:
	}
	return 0
}

func (p *parser) infix(left node, level int) (node, error) {
	op := p.take()
	if err := p.count(op); err != nil {
		return nil, err
	}
	switch op.text {
	case "is":
		return p.isNull(left)
	case "not":
		if !p.peek().word("in") {
			return nil, errorAt(op.offset, "`not` stands before a condition, or before `in`")
		}
		p.take()
		right, err := p.parse(levelAdd)
		if err != nil {
			return nil, err
		}
		return &notNode{of: &compareNode{op: "in", left: left, right: right}}, nil
	}
	right, err := p.parse(level + 1)
	if err != nil {
		return nil, err
	}
	switch level {
	case levelOr, levelAnd:
		return &logicNode{or: level == levelOr, left: left, right: right}, nil
	case levelCompare:
		name := op.text
		switch name {
		case "=":
			name = "=="
		case "<>":
			name = "!="
		}
		if null(left) || null(right) {
			return nil, errorAt(op.offset, "a comparison with null is never true: write `is null` or `is not null`")
		}
		return &compareNode{op: name, left: left, right: right}, nil
	}
	return &arithmeticNode{op: op.text[0], left: left, right: right}, nil
}

func null(n node) bool {
	l, ok := n.(*literalNode)
	return ok && l.value == nil
}

func (p *parser) isNull(left node) (node, error) {
	n := &nullNode{of: left}
	if p.peek().word("not") {
		p.take()
		n.not = true
	}
	if t := p.take(); !t.word("null") {
		return nil, errorAt(t.offset, "`is` is followed by `null` or `not null`, not by %s", t)
	}
	return n, nil
}

func (p *parser) count(at token) error {
	if p.nodes++; p.nodes > maxNodes {
		return errorAt(at.offset, "the expression has more than %d parts", maxNodes)
	}
	return nil
}

func (p *parser) prefix() (node, error) {
	t := p.take()
	if err := p.count(t); err != nil {
		return nil, err
	}
	switch t.kind {
	case tokenNumber, tokenDuration, tokenString:
		return &literalNode{value: t.value, duration: t.kind == tokenDuration}, nil
	case tokenName:
		return p.name(t)
	case tokenSign:
		return p.prefixSign(t)
	case tokenEnd:
	}
	return nil, errorAt(t.offset, "a value is missing")
}

func (p *parser) prefixSign(t token) (node, error) {
	switch t.text {
	case "(":
		inner, err := p.parse(levelOr)
		if err != nil {
			return nil, err
		}
		if end := p.take(); !end.sign(")") {
			return nil, errorAt(end.offset, "a parenthesis is not closed: `)` is missing before %s", end)
		}
		return inner, nil
	case "[":
		items, err := p.list("]")
		if err != nil {
			return nil, err
		}
		return &listNode{items: items}, nil
	case "-":
		of, err := p.parse(levelUnary)
		if err != nil {
			return nil, err
		}
		return negate(of), nil
	}
	return nil, errorAt(t.offset, "a value is missing before %s", t)
}

// negate gives a negative number for a number, so that what is printed is read to the same.
func negate(of node) node {
	if l, ok := of.(*literalNode); ok && !l.duration {
		switch v := l.value.(type) {
		case int64:
			if v > 0 {
				return &literalNode{value: -v}
			}
		case float64:
			if v > 0 {
				return &literalNode{value: -v}
			}
		}
	}
	return &negateNode{of: of}
}

// list reads items up to the closing sign.
func (p *parser) list(closing string) ([]node, error) {
	var items []node
	if p.peek().sign(closing) {
		p.take()
		return items, nil
	}
	for {
		item, err := p.parse(levelOr)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		t := p.take()
		if t.sign(closing) {
			return items, nil
		}
		if !t.sign(",") {
			return nil, errorAt(t.offset, "`,` or `%s` is missing before %s", closing, t)
		}
	}
}

func (p *parser) name(t token) (node, error) {
	switch t.text {
	case "true", "false":
		return &literalNode{value: t.text == "true"}, nil
	case "null":
		return &literalNode{}, nil
	case "not":
		of, err := p.parse(levelNot)
		if err != nil {
			return nil, err
		}
		return &notNode{of: of}, nil
	}
	if keywords[t.text] {
		return nil, errorAt(t.offset, "a value is missing before %s", t)
	}
	if p.peek().sign("(") {
		p.take()
		return p.call(t)
	}
	return &refNode{ref: Ref{Path: t.path}, offset: t.offset}, nil
}

// call reads a function's or an aggregate's arguments; its parenthesis is open.
func (p *parser) call(t token) (node, error) {
	name := t.path[len(t.path)-1]
	shape, isAggregate := aggregates[name]
	if !isAggregate {
		return p.function(t)
	}
	if p.inside != "" {
		return nil, errorAt(t.offset, "%s cannot stand inside of %s: an aggregate takes the values of single events", name, p.inside)
	}
	p.inside = name
	args, err := p.list(")")
	p.inside = ""
	if err != nil {
		return nil, err
	}
	agg := &Aggregate{Func: name}
	switch len(t.path) {
	case 1:
	case 2:
		agg.Pattern = t.path[0]
	default:
		return nil, errorAt(t.offset, "%s is neither an aggregate nor a pattern's: write %s(...) or pattern.%s(...)", t, name, name)
	}
	if len(args) < shape.least || len(args) > shape.most {
		return nil, errorAt(t.offset, "%s takes %s, not %d: %s", name, arguments(shape.least, shape.most), len(args), shape.usage)
	}
	if len(args) > 0 {
		agg.Arg = newExpr(args[0])
	}
	if len(args) > 1 {
		l, ok := args[1].(*literalNode)
		limit, isNumber := float64(0), false
		if ok && !l.duration {
			limit, isNumber = Number(l.value)
		}
		if !isNumber || limit < 1 || limit > shape.limit || shape.whole && limit != math.Trunc(limit) {
			return nil, errorAt(t.offset, "the second argument of %s is a number from 1 to %g: %s", name, shape.limit, shape.usage)
		}
		agg.Limit = limit
	}
	return &aggregateNode{agg: agg, offset: t.offset}, nil
}

func (p *parser) function(t token) (node, error) {
	name := strings.Join(t.path, ".")
	fn := functions[name]
	if fn == nil {
		return nil, errorAt(t.offset, "unknown function %q%s", name, suggestion(name))
	}
	args, err := p.list(")")
	if err != nil {
		return nil, err
	}
	if len(args) < fn.least || len(args) > fn.most {
		return nil, errorAt(t.offset, "%s takes %s, not %d: %s", name, arguments(fn.least, fn.most), len(args), fn.usage)
	}
	call := &callNode{name: name, fn: fn, args: args, offset: t.offset}
	if fn.prepare == nil {
		return call, nil
	}
	prepared, err := fn.prepare(literals(args))
	if err != nil {
		return nil, errorAt(t.offset, "%s: %v", name, err)
	}
	call.fn = prepared
	return call, nil
}

// literals gives the values of the arguments that are literals, nil for the others.
func literals(args []node) []any {
	values := make([]any, len(args))
	for i, a := range args {
		if l, ok := a.(*literalNode); ok {
			values[i] = l.value
		}
	}
	return values
}

func arguments(least, most int) string {
	switch {
	case most == 0:
		return "no argument"
	case least == 1 && most == 1:
		return "1 argument"
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	case most == many:
		return fmt.Sprintf("at least %d arguments", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func suggestion(name string) string {
	if near := Nearest(name, append(Functions(), Aggregates()...)); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}
