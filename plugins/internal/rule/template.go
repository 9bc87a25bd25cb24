package rule

import (
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/expr"
)

// Template is text with expressions in braces: "{actor.user.name} uploaded a key". `{{` stands for a brace.
type Template struct {
	Parts []TemplatePart
}

// TemplatePart is either literal text or an expression.
type TemplatePart struct {
	Text string
	Expr *expr.Expr
}

// Text gives the template with the values of its expressions; a null is a question mark.
func (t *Template) Text(env expr.Env) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Expr == nil {
			b.WriteString(p.Text)
			continue
		}
		if v := p.Expr.Eval(env); v != nil {
			b.WriteString(expr.Text(v))
			continue
		}
		b.WriteByte('?')
	}
	return b.String()
}

// maxParts is the most expressions that a template can have.
const maxParts = 50

// template reads a text with expressions; resolve is given each of them with the byte at which it begins.
func (d *document) template(n *yaml.Node, what string, resolve func(e *expr.Expr, start int) *expr.Expr) *Template {
	text, ok := d.text(n, what)
	if !ok {
		return &Template{}
	}
	t := &Template{}
	var literal strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "{{"), strings.HasPrefix(text[i:], "}}"):
			literal.WriteByte(text[i])
			i++
			continue
		case text[i] != '{':
			literal.WriteByte(text[i])
			continue
		}
		if i > 0 && text[i-1] == '$' {
			d.errorAt(d.within(n, i-1), "%s has ${...}, which Benthos replaces as environment before the rule is read: write {...}", what)
			return t
		}
		end := closing(text, i+1)
		if end < 0 {
			d.errorAt(d.within(n, i), "a brace is not closed in %s: write {{ for the character itself", what)
			return t
		}
		e, err := expr.Parse(text[i+1 : end])
		if err != nil {
			d.expressionError(n, i+1, err)
			i = end
			continue
		}
		if literal.Len() > 0 {
			t.Parts = append(t.Parts, TemplatePart{Text: literal.String()})
			literal.Reset()
		}
		if e = resolve(e, i+1); e != nil {
			t.Parts = append(t.Parts, TemplatePart{Expr: e})
		}
		if len(t.Parts) > maxParts {
			d.errorf(n, "%s has more than %d parts", what, maxParts)
			return t
		}
		i = end
	}
	if literal.Len() > 0 {
		t.Parts = append(t.Parts, TemplatePart{Text: literal.String()})
	}
	return t
}

// closing finds the brace that ends an expression, past the strings in it; -1 where there is none.
func closing(text string, from int) int {
	quote := byte(0)
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '}':
			return i
		}
	}
	return -1
}
