package foreign

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

var (
	errRules    = errors.New("the correlation names no `rules`")
	errMissing  = errors.New("the correlation names a rule that is not in the file")
	errType     = errors.New("the type of correlation is not known")
	errTimespan = errors.New("the correlation has no `timespan` such as 5m")
)

var timespan = regexp.MustCompile(`^\d+[smhdw]$`)

// correlation writes a correlation. Rules that it names become patterns; correlations that it names stay rules of their
// own, whose incidents it takes.
func (d *document) correlation(out *mapping, documents []*document) error {
	c := d.get("correlation")
	named := texts(get(c, "rules"))
	if len(named) == 0 {
		return errRules
	}
	var parts []*document
	for _, name := range named {
		of := find(documents, name)
		if of == nil || of == d {
			return fmt.Errorf("%w: %s", errMissing, name)
		}
		parts = append(parts, of)
	}
	window := text(get(c, "timespan"))
	if !timespan.MatchString(window) {
		return errTimespan
	}
	out.text("window", window)
	kind := text(get(c, "type"))
	switch kind {
	case "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median":
		return d.counting(out, c, kind, parts)
	case "temporal", "temporal_ordered":
		d.temporal(out, c, kind, parts)
		return nil
	}
	return fmt.Errorf("%w: %q", errType, kind)
}

// counting writes a correlation that counts the events of its rules together.
func (d *document) counting(out *mapping, c *yaml.Node, kind string, parts []*document) error {
	var keys *mapping
	for i, part := range parts {
		k := d.groupBy(c, part)
		if i > 0 && !sameMapping(keys, k) {
			d.note("the aliases of %s were not carried over: one pattern has one group_by", part.name)
			continue
		}
		keys = k
	}
	if len(keys.content) > 0 {
		out.add("group_by", keys.node())
	}
	chained := slices.ContainsFunc(parts, func(p *document) bool { return p.get("correlation") != nil })
	switch {
	case chained:
		var ids []string
		for _, part := range parts {
			if part.get("correlation") == nil {
				d.note("%s counts events and incidents together, which is not possible here: its events were left out", part.name)
				continue
			}
			ids = append(ids, part.id)
		}
		out.texts("incidents", ids)
	case len(parts) == 1:
		out.add("detection", d.take(parts[0], ""))
	default:
		all := &mapping{}
		var conditions []string
		for i, part := range parts {
			detection := d.take(part, fmt.Sprintf("r%d_", i+1))
			for j := 0; j+1 < len(detection.Content); j += 2 {
				if name := detection.Content[j].Value; name != "condition" {
					all.add(name, detection.Content[j+1])
					continue
				}
				conditions = append(conditions, "("+detection.Content[j+1].Value+")")
			}
		}
		all.text("condition", strings.Join(conditions, " or "))
		out.add("detection", all.node())
	}
	having, err := d.having(get(c, "condition"), kind)
	if err != nil {
		return err
	}
	out.text("having", having)
	return nil
}

// take gives the detection of a rule that the correlation is made of, and its notes.
func (d *document) take(part *document, prefix string) *yaml.Node {
	detection := part.detection(prefix)
	part.sources()
	for _, note := range part.notes {
		d.note("%s: %s", part.name, note)
	}
	part.notes = nil
	return detection
}

var comparisons = []struct{ sigma, own string }{{"gt", ">"}, {"gte", ">="}, {"lt", "<"}, {"lte", "<="}, {"eq", "=="}, {"neq", "!="}}

// having writes the condition of a correlation that counts.
func (d *document) having(condition *yaml.Node, kind string) (string, error) {
	named := texts(get(condition, "field"))
	args := make([]string, len(named))
	for i, name := range named {
		args[i] = expression(d.field(name))
	}
	arg := strings.Join(args, ", ")
	if len(args) > 1 {
		arg = "tuple(" + arg + ")"
	}
	var aggregate string
	switch kind {
	case "event_count":
		aggregate = "count()"
	case "value_count":
		aggregate = "distinct(" + arg + ")"
	case "value_percentile":
		percentile := text(get(condition, "percentile"))
		if percentile == "" {
			percentile = "50"
			d.note("the percentile is not given: 50 is written")
		}
		aggregate = "percentile(" + arg + ", " + percentile + ")"
	default:
		aggregate = strings.TrimPrefix(kind, "value_") + "(" + arg + ")"
	}
	if kind != "event_count" && arg == "" {
		return "", fmt.Errorf("the condition of a %s names a `field`: %w", kind, ErrNotSigma)
	}
	var parts []string
	for _, c := range comparisons {
		if v := text(get(condition, c.sigma)); v != "" {
			parts = append(parts, aggregate+" "+c.own+" "+v)
		}
	}
	if len(parts) == 0 {
		return "", fmt.Errorf("the condition compares with nothing: %w", ErrNotSigma)
	}
	if slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(p, " <") }) {
		d.note("a count below a limit is judged only where there is an event: for silence write `then not`")
	}
	return strings.Join(parts, " and "), nil
}

// expression gives a field as expressions name it.
func expression(field string) string {
	path, err := event.ParsePath(field)
	if err != nil {
		return field
	}
	return expr.Field(expr.Ref{Path: path}).String()
}

// temporal writes a correlation of several patterns.
func (d *document) temporal(out *mapping, c *yaml.Node, kind string, parts []*document) {
	patterns := &mapping{}
	names := map[string]string{}
	var order []string
	for _, part := range asked(get(c, "condition"), parts, d) {
		name := patternName(part.name, order)
		names[part.name], names[part.uuid] = name, name
		order = append(order, name)
		p := &mapping{}
		if part.get("correlation") != nil {
			p.texts("incidents", []string{part.id})
			d.note("%s is a rule of its own, whose incidents this one takes", part.id)
		} else {
			p.add("detection", d.take(part, ""))
		}
		if keys := d.groupBy(c, part); len(keys.content) > 0 {
			p.add("group_by", keys.node())
		}
		patterns.add(name, p.node())
	}
	out.add("patterns", patterns.node())
	out.text("when", d.when(get(c, "condition"), kind, order, names))
}

// asked leaves out the rules that an extended condition does not name.
func asked(condition *yaml.Node, parts []*document, d *document) []*document {
	extended := text(condition)
	if extended == "" {
		return parts
	}
	named := map[string]bool{}
	renamed(extended, func(name string) string {
		named[name] = true
		return name
	})
	return slices.DeleteFunc(slices.Clone(parts), func(part *document) bool {
		unused := !named[part.name] && !named[part.uuid]
		if unused {
			d.note("%s was not carried over: the condition does not name it", part.name)
		}
		return unused
	})
}

// patternName gives a name that a pattern can have.
func patternName(name string, taken []string) string {
	name = strings.ReplaceAll(slug(name), "-", "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' || expr.Usage(name) != "" || name == "raw" || slices.Contains([]string{"and", "or", "not", "then", "within"}, name) {
		name = "p_" + name
	}
	for slices.Contains(taken, name) {
		name += "_2"
	}
	return name
}

// when writes how the patterns belong together.
func (d *document) when(condition *yaml.Node, kind string, order []string, names map[string]string) string {
	word := " and "
	if kind == "temporal_ordered" {
		word = " then "
	}
	plain := strings.Join(order, word)
	if condition == nil {
		return plain
	}
	extended := text(condition)
	if extended == "" {
		if text(get(condition, "gte")) != strconv.Itoa(len(order)) {
			d.note("the condition counts how many rules match, which has no counterpart: all of them are asked for")
		}
		return plain
	}
	own := renamed(extended, func(name string) string {
		if as, ok := names[name]; ok {
			return as
		}
		d.note("the condition names %s, which is none of its rules", name)
		return name
	})
	if kind == "temporal" {
		return own
	}
	if strings.ContainsAny(own, "()") || slices.Contains(strings.Fields(own), "or") {
		d.note("the condition `%s` of an ordered correlation was not carried over: write it with `then` and parentheses", extended)
		return plain
	}
	return strings.ReplaceAll(own, " and ", " then ")
}

// groupBy gives the key of one rule's events.
func (d *document) groupBy(c *yaml.Node, part *document) *mapping {
	keys := &mapping{}
	aliases := get(c, "aliases")
	for _, name := range texts(get(c, "group-by")) {
		alias := strings.ReplaceAll(slug(name), "-", "_")
		if alias == "" || alias[0] >= '0' && alias[0] <= '9' {
			alias = "k_" + alias
		}
		if part.get("correlation") != nil {
			keys.text(alias, "unmapped.key."+alias)
			continue
		}
		field := name
		if as := get(aliases, name); as != nil {
			if field = text(get(as, part.name)); field == "" {
				d.note("the alias %s has no field of %s", name, part.name)
				field = name
			}
		}
		keys.text(alias, d.field(field))
	}
	return keys
}

func sameMapping(a, b *mapping) bool {
	return slices.EqualFunc(a.content, b.content, func(x, y *yaml.Node) bool { return x.Value == y.Value })
}
