package rule

import "benthos-oci/plugins/internal/expr"

// Template is text with expressions in braces: "{actor.user.name} uploaded a key". `{{` stands for a brace.
type Template struct {
	Parts []TemplatePart
}

// TemplatePart is either literal text or an expression.
type TemplatePart struct {
	Text string
	Expr *expr.Expr
}
