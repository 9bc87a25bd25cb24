package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFile is the largest file that is read; maxDocuments the most documents of one.
const (
	maxFile      = 1 << 20
	maxDocuments = 200
)

// ErrNotSigma says that a file holds no rule of Sigma.
var ErrNotSigma = errors.New("a rule of Sigma has `detection` with `logsource`, or `correlation`")

// document is one document of Sigma.
type document struct {
	draft
	node *yaml.Node
	// name is how correlations name it: its `name`, or its `id`.
	name string
	// uuid is its `id`.
	uuid string
}

// Sigma reads a file of Sigma's rules: detections, and correlations (event_count, value_count, value_sum, value_avg,
// value_percentile, value_median, temporal and temporal_ordered with extended conditions, aliases, correlations of
// correlations), several documents to a file. A field that the catalog does not know is read from the record, as raw.<field>.
// Rules that correlations only build upon become parts of them,
// unless the correlation says `generate: true`.
func Sigma(file string, data []byte) ([]Rule, error) {
	documents, err := read(file, data)
	if err != nil {
		return nil, err
	}
	used := map[*document]bool{}
	for _, d := range documents {
		if c := d.get("correlation"); c != nil && !isTrue(d.get("generate")) && !isTrue(get(c, "generate")) {
			for _, name := range texts(get(c, "rules")) {
				if of := find(documents, name); of != nil && of.get("correlation") == nil {
					used[of] = true
				}
			}
		}
	}
	var rules []Rule
	for _, d := range documents {
		if used[d] {
			continue
		}
		out := &mapping{}
		d.head(out)
		if d.get("correlation") != nil {
			err = d.correlation(out, documents)
		} else {
			out.add("detection", d.detection(""))
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d:%d: %w", file, d.node.Line, d.node.Column, err)
		}
		r, err := d.finish(out)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// read takes the documents out of a file.
func read(file string, data []byte) (documents []*document, err error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s:1:1: the file is larger than %d KiB", file, maxFile>>10)
	}
	defer func() {
		if r := recover(); r != nil { // the YAML library has panicked on broken input before
			documents, err = nil, fmt.Errorf("%s:1:1: this cannot be read: %v", file, r)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: reading YAML: %w", file, err)
		}
		if len(n.Content) == 0 || n.Content[0].Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s:%d:1: %w", file, max(n.Line, 1), ErrNotSigma)
		}
		d := &document{node: n.Content[0]}
		if d.get("correlation") == nil && (d.get("detection") == nil || d.get("logsource") == nil && d.get("name") == nil) {
			return nil, fmt.Errorf("%s:%d:%d: %w", file, d.node.Line, d.node.Column, ErrNotSigma)
		}
		documents = append(documents, d)
		if len(documents) > maxDocuments {
			return nil, fmt.Errorf("%s:1:1: the file has more than %d documents", file, maxDocuments)
		}
	}
	if len(documents) == 0 {
		return nil, fmt.Errorf("%s:1:1: the file is empty: %w", file, ErrNotSigma)
	}
	taken := map[string]bool{}
	for _, d := range documents {
		d.name, d.uuid = text(d.get("name")), text(d.get("id"))
		d.id = slug(d.name)
		if len(documents) == 1 {
			d.id = slug(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
		}
		if d.id == "" {
			d.id = slug(text(d.get("title")))
		}
		for d.id == "" || taken[d.id] {
			d.id = strings.TrimPrefix(d.id+"-2", "-")
		}
		taken[d.id] = true
		if d.name == "" {
			d.name = d.id
		}
	}
	return documents, nil
}

// find gives the document that a correlation names.
func find(documents []*document, name string) *document {
	i := slices.IndexFunc(documents, func(d *document) bool { return name != "" && (d.name == name || d.uuid == name) })
	if i < 0 {
		return nil
	}
	return documents[i]
}

func (d *document) get(name string) *yaml.Node { return get(d.node, name) }

// carried are the keys of a document that have a counterpart; the others are noted.
var carried = []string{
	"title", "id", "name", "status", "description", "author", "date", "modified", "license", "references", "tags", "falsepositives", "level",
	"logsource", "detection", "correlation", "generate",
}

// head writes what is said about the rule.
func (d *document) head(out *mapping) {
	out.text("id", d.id)
	title := text(d.get("title"))
	if title == "" {
		title = d.id
		d.note("it has no title: its id stands for it")
	}
	out.text("title", title)
	switch status := text(d.get("status")); status {
	case "stable", "test", "experimental", "deprecated":
		out.text("status", status)
	case "unsupported":
		out.text("status", "deprecated")
		d.note("the status unsupported is written deprecated")
	default:
		out.text("status", "experimental")
	}
	severity := text(d.get("level"))
	if !slices.Contains([]string{"informational", "low", "medium", "high", "critical"}, severity) {
		d.note("it has no level: medium is written")
		severity = "medium"
	}
	out.text("severity", severity)
	for _, name := range []string{"description", "author", "license"} {
		if s := strings.TrimSpace(text(d.get(name))); s != "" {
			out.text(name, s)
		}
	}
	for _, name := range []string{"date", "modified"} {
		if s := strings.ReplaceAll(text(d.get(name)), "/", "-"); s != "" {
			out.text(name, s)
		}
	}
	out.texts("references", texts(d.get("references")))
	out.texts("tags", texts(d.get("tags")))
	out.texts("data_sources", d.sources())
	out.texts("falsepositives", texts(d.get("falsepositives")))
	if d.uuid != "" {
		d.note("its id was %s", d.uuid)
	}
	for i := 0; i+1 < len(d.node.Content); i += 2 {
		if name := d.node.Content[i].Value; !slices.Contains(carried, name) {
			d.note("`%s` was not carried over", name)
		}
	}
}

// sources gives the inputs that stand for a log source.
func (d *document) sources() []string {
	source := d.get("logsource")
	if source == nil {
		return nil
	}
	product, service := text(get(source, "product")), text(get(source, "service"))
	if product == "oci" || product == "oracle" || product == "oracle_cloud" {
		switch service {
		case "", "audit":
			return []string{"oci_audit"}
		case "cloudguard", "cloud_guard":
			return []string{"oci_cloudguard"}
		}
	}
	var parts []string
	for i := 0; i+1 < len(source.Content); i += 2 {
		parts = append(parts, source.Content[i].Value+" "+source.Content[i+1].Value)
	}
	d.note("the log source (%s) was not carried over: say in the detection which events it is about", strings.Join(parts, ", "))
	return nil
}
