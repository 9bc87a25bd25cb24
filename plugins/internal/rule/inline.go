package rule

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// Inline reads the rules that stand in a configuration, in the `rules` of each `correlate`, with their places in its file.
// What is no such rule it leaves to the configuration's own linter, and so YAML that cannot be read.
func Inline(file string, data []byte) ([]*Rule, Problems) {
	root, err := parseYAML(data)
	if err != nil || root == nil {
		return nil, nil
	}
	d := &document{file: file, lines: strings.Split(string(data), "\n")}
	var rules []*Rule
	d.inline(root, 0, &rules)
	return rules, d.problems.sorted()
}

// inline finds correlate.rules below n.
func (d *document) inline(n *yaml.Node, depth int, rules *[]*Rule) {
	if depth > maxDepth*2 {
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "correlate" && c.Kind == yaml.MappingNode {
			d.inlineOf(c, rules)
			continue
		}
		d.inline(c, depth+1, rules)
	}
}

// inlineOf reads the list `rules` of one correlate.
func (d *document) inlineOf(correlate *yaml.Node, rules *[]*Rule) {
	var own []*Rule
	for i := 0; i+1 < len(correlate.Content); i += 2 {
		if list := correlate.Content[i+1]; correlate.Content[i].Value == "rules" && list.Kind == yaml.SequenceNode {
			for _, item := range list.Content {
				own = append(own, d.inlineItem(item)...)
			}
		}
	}
	d.problems = append(d.problems, Duplicates(own)...)
	*rules = append(*rules, own...)
}

func (d *document) inlineItem(item *yaml.Node) []*Rule {
	if item.Kind == yaml.ScalarNode {
		return d.inlineText(item)
	}
	count := 0
	if !d.check(item, 0, &count) {
		return nil
	}
	before := len(d.problems.Errors())
	r := d.rule(item, Options{Inline: true})
	if len(d.problems.Errors()) > before {
		return nil
	}
	r.StateHash = stateHash(r)
	return []*Rule{r}
}

// inlineText reads a rule that is written as a block of text.
func (d *document) inlineText(item *yaml.Node) []*Rule {
	rules, problems := Parse(d.file, []byte(item.Value), Options{Inline: true})
	move := func(Position) Position { return d.position(item) }
	if item.Style&yaml.LiteralStyle != 0 && item.Line < len(d.lines) {
		first := d.lines[item.Line]
		indent := len(first) - len(strings.TrimLeft(first, " "))
		move = func(at Position) Position {
			at.Line += item.Line
			at.Column += indent
			return at
		}
	}
	for _, p := range problems {
		p.Pos = move(p.Pos)
		d.problems = append(d.problems, p)
	}
	for _, r := range rules {
		r.Pos = move(r.Pos)
	}
	return rules
}
