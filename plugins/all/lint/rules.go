package lint

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/ruletest"
)

// ruleTest reads a rule test file; whether its cases pass is what `rules test` says.
func ruleTest(path string, data []byte) []Finding {
	_, problems := ruletest.Parse(path, data)
	return ofProblems(problems)
}

// ruleTestBlock reads a rule test in a document, which has no file whose name could be its rule's.
func ruleTestBlock(path string, data []byte) []Finding {
	var test struct{ Rule string }
	_ = yaml.Unmarshal(data, &test) // what is wrong with it is found below
	found := ruleTest(test.Rule+ruletest.Suffix+".yaml", data)
	for i := range found {
		found[i].File = path
	}
	return found
}

// placed gives the finding of a text that may begin with its place: file:line:column: text.
func placed(path, text string) Finding {
	f := Finding{File: path, Line: 1, Column: 1, Message: text}
	rest, ok := strings.CutPrefix(text, path+":")
	if !ok {
		return f
	}
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) < 3 {
		return f
	}
	line, lineErr := strconv.Atoi(parts[0])
	column, columnErr := strconv.Atoi(parts[1])
	if lineErr != nil || columnErr != nil {
		return f
	}
	return Finding{File: path, Line: line, Column: column, Message: strings.TrimSpace(parts[2])}
}

// overrides reads an overrides file and tries it on the rules that are known.
func (o Options) overrides(path string, data []byte) []Finding {
	overrides, problems := rule.ParseOverrides(path, data)
	_, more := rule.Apply(o.Known, overrides)
	return ofProblems(append(problems, more...))
}

func list(path string, data []byte) []Finding {
	_, err := match.ParseList(path, data)
	if err == nil {
		return nil
	}
	var found []Finding
	for text := range strings.SplitSeq(err.Error(), "\n") {
		found = append(found, placed(path, text))
	}
	return found
}
