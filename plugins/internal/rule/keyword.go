package rule

import (
	"slices"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/expr"
)

// keyword reads a word of a selection without a field: it passes where it stands anywhere in a text of the record.
func (d *document) keyword(n *yaml.Node) Condition {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		d.errorf(n, "a keyword is a text, not %s", kindOf(n))
		return nil
	}
	if len(n.Value) > maxPattern {
		d.errorf(n, "a keyword has at most %d bytes", maxPattern)
		return nil
	}
	return &Test{Op: OpKeyword, Value: n.Value, Glob: newGlob("*"+n.Value+"*", false), Pos: d.position(n)}
}

// keywords reads the value of `"|all"`: words that must all be there.
func (d *document) keywords(e entry) Condition {
	if e.value.Kind != yaml.SequenceNode || len(e.value.Content) == 0 {
		d.errorf(e.value, "`|all` without a field is a list of keywords, not %s", kindOf(e.value))
		return nil
	}
	if len(e.value.Content) > maxSelections {
		d.errorf(e.value, "a selection has at most %d keywords", maxSelections)
		return nil
	}
	all := make(All, 0, len(e.value.Content))
	for _, item := range e.value.Content {
		if k := d.keyword(item); k != nil {
			all = append(all, k)
		}
	}
	return all
}

// Tables gives the lookup tables that the rule's expressions read, and how, in the order of the file, each use once.
// The names of the tables are among those of Lists.
func (r *Rule) Tables() []TableUse {
	var uses []TableUse
	for _, p := range r.Patterns {
		for _, e := range p.expressions() {
			for _, l := range e.Lookups() {
				use := TableUse{Table: l.Table, Keys: l.Keys, Column: l.Column, Pos: p.Pos}
				if !slices.Contains(uses, use) {
					uses = append(uses, use)
				}
			}
		}
	}
	return uses
}

// TableUse is one use of a lookup table.
type TableUse struct {
	Table string
	// Keys is how many columns the key has.
	Keys int
	// Column is the one that is read, "" where only the key is looked for.
	Column string
	// Pos is that of the pattern.
	Pos Position
}

// expressions gives all expressions that are evaluated over the pattern's event.
func (p *Pattern) expressions() []*expr.Expr {
	all := slices.Clone(p.Captures)
	for _, b := range p.Let {
		all = append(all, b.Expr)
	}
	for _, k := range p.GroupBy {
		all = append(all, k.From...)
	}
	if p.Where != nil {
		all = append(all, p.Where)
	}
	return all
}
