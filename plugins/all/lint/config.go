package lint

import (
	"bytes"
	"errors"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/rule"
)

// config lints a Benthos config, or the tests of one: the schema knows both.
func (o Options) config(path string, data []byte) []Finding {
	linter := o.Schema.NewStreamConfigLinter().
		SetRejectDeprecated(o.RejectDeprecated).
		SetRequireLabels(o.RequireLabels).
		SetSkipEnvVarCheck(o.SkipEnvVarCheck)
	lints, err := linter.LintYAML(data)
	if err != nil {
		return []Finding{{File: path, Line: lineOf(err), Column: 1, Message: err.Error()}}
	}
	var found []Finding
	for _, l := range lints {
		found = append(found, Finding{File: path, Line: max(l.Line, 1), Column: max(l.Column, 1), Message: message(l)})
	}
	found = append(inlinePlaces(found, path, data), o.clock(path, data)...)
	return append(found, o.span(path, data)...)
}

// inlinePlaces gives what is wrong with rules in place its own line and column: the schema's linter knows only where each rule begins.
func inlinePlaces(found []Finding, path string, data []byte) []Finding {
	_, problems := rule.Inline(path, data)
	for _, p := range problems {
		for i := range found {
			if f := &found[i]; f.Column <= 1 && strings.HasSuffix(f.Message, p.Text) {
				f.Line, f.Column, f.Message, f.Warning = p.Pos.Line, p.Pos.Column, p.Text, p.Warning
				break
			}
		}
	}
	return found
}

func message(l service.Lint) string {
	if l.What != "" {
		return l.What
	}
	return l.Error()
}

// lineOf gives the line that an error of the YAML reader names.
func lineOf(err error) int {
	var mistake *yaml.TypeError
	text := err.Error()
	if errors.As(err, &mistake) && len(mistake.Errors) > 0 {
		text = mistake.Errors[0]
	}
	_, rest, ok := strings.Cut(text, "line ")
	if !ok {
		return 1
	}
	line := 0
	for _, c := range rest {
		if c < '0' || c > '9' || line > 1<<20 {
			break
		}
		line = 10*line + int(c-'0')
	}
	return max(line, 1)
}

// markdown lints each YAML block of a document.
func markdown(path string, data []byte, lint func(path string, block []byte, above int) []Finding) []Finding {
	var found []Finding
	var block []byte
	above, inside := 0, false
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		switch {
		case !inside && text == "```yaml":
			inside, above, block = true, i+1, nil
		case inside && text == "```":
			inside = false
			found = append(found, lint(path, block, above)...)
		case inside:
			block = append(block, line...)
		}
	}
	if inside {
		found = append(found, Finding{File: path, Line: above, Column: 1, Message: "the block of YAML is not closed"})
	}
	return found
}
