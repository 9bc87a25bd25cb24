package main

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"

	"benthos-oci/plugins/ocisim/corpus"
)

// setting is what all rows of a run share.
type setting struct {
	corpus string // path
	events int    // in it
	dir    string // for files that a row writes
	check  bool   // look at what leaves, and measure nothing
}

// row is one pipeline over one feed.
type row struct {
	name  string
	title string
	// part is one over the share of the corpus that the row reads: slow rows need fewer events for the same certainty.
	part    int
	input   string
	threads int
	// steps are the processors, and resources what they need; %DIR% is a place for files.
	steps, resources string
	kind             kind
	keys             int // open keys before the clock starts
}

// kind says which events a row reads.
type kind uint8

const (
	ofCorpus kind = iota
	ofCorpusBuilt
	ofKeys
	ofSmall
	ofSmallMix
)

// all and peersShare are how many of a hundred small events all of the hot rules match; the latter is the share that other
// engines were measured with (7.5 million matches of 50 rules in a million events).
const (
	all        = 100
	peersShare = 15
)

const (
	plainInput   = "bench_events: {}"
	clockedInput = "correlate_source: {inputs: [{" + plainInput + "}]}"
)

// countingRule is written for correlate here and in stock Benthos in stock.yaml.
const countingRule = `
id: bench-counting
title: Many changes of instances
status: experimental
severity: low
description: Detects three changes of instances by one principal.
window: 24h
group_by: {actor: actor.user.uid}
match:
  api.operation: [UpdateInstance, InstanceAction]
  status: Success
having: count() >= 3
incident:
  title: "{actor}"
  per: 24h`

//go:embed stock.blobl
var stockMapping string

//go:embed stock.yaml
var stockCounting string

// stockSteps puts the mapping before the processors of stock.yaml.
func stockSteps() string {
	_, steps, _ := strings.Cut(stockCounting, "  processors:\n")
	steps, _, _ = strings.Cut(steps, "cache_resources:")
	return "- mapping: |\n" + indented(stockMapping, 4) + strings.ReplaceAll("\n"+steps, "\n    ", "\n")
}

const (
	normalizeStep = "- mapping: root = content().oci_normalize()\n"
	asBytesStep   = "- mapping: 'root = content().oci_normalize(bytes: true)'\n"
)

func rows() []row {
	return []row{
		{name: "empty", title: "empty pipeline"},
		{name: "raw-pad-1", title: "`correlate`, raw events, 1 rule, none matching", steps: correlateStep("", padding(1))},
		{name: "raw-pad-100", title: "`correlate`, raw events, 100 rules, none matching", steps: correlateStep("", padding(100))},
		{name: "raw-pad-1000", title: "`correlate`, raw events, 1,000 rules, none matching", steps: correlateStep("", padding(1000))},
		{name: "raw-pack", title: "`correlate`, raw events, the shipped rules", steps: correlateStep("packs: [oci]", "")},
		{name: "raw-pack-forward", title: "the same, and all events leave, too", steps: correlateStep("packs: [oci]\nforward: [incidents, events]", "")},
		{name: "raw-pack-clock", title: "the same as the last but one, its input in `correlate_source`", input: clockedInput, steps: correlateStep("packs: [oci]", "")},
		{name: "normalize", title: "`oci_normalize` of every event", part: 5, steps: normalizeStep},
		{name: "normalize-bytes", title: "`oci_normalize` of every event, as bytes", part: 5, steps: asBytesStep},
		{name: "bytes-pack", title: "`oci_normalize` as bytes, then `correlate` with the shipped rules", part: 5, steps: asBytesStep + correlateStep("packs: [oci]", "")},
		{name: "bytes-count", title: "`oci_normalize` as bytes, then `correlate` with one counting rule", part: 5, steps: asBytesStep + correlateStep("", countingRule)},
		{name: "normalize-pack", title: "`oci_normalize`, then `correlate` with the shipped rules", part: 5, steps: normalizeStep + correlateStep("packs: [oci]", "")},
		{name: "normalize-pack-clock", title: "the same, its input in `correlate_source`", part: 5, input: clockedInput, steps: normalizeStep + correlateStep("packs: [oci]", "")},
		{name: "normalize-count", title: "`oci_normalize`, then `correlate` with one counting rule", part: 5, steps: normalizeStep + correlateStep("", countingRule)},
		{name: "stock", title: "the same normalization and counting in stock Benthos", part: 20, steps: stockSteps(), resources: "cache_resources: [{label: counts, memory: {}}]"},
		{name: "built-1", title: "`oci_normalize` as bytes, then `correlate`, messages prebuilt, 1 thread", part: 5, kind: ofCorpusBuilt, steps: asBytesStep + correlateStep("packs: [oci]", "")},
		{name: "built-2", title: "the same with 2 threads", part: 5, kind: ofCorpusBuilt, threads: 2, steps: asBytesStep + correlateStep("packs: [oci]", "")},
		{name: "count-memory", title: "`correlate`, raw, 1 % of events match, state in memory", steps: correlateStep("", countingRule)},
		{name: "count-bolt", title: "the same, state in `bolt`", steps: correlateStep("state_cache: state", countingRule), resources: "cache_resources: [{label: state, bolt: {path: %DIR%/state.db}}]"},
		{name: "keys-1000", title: "`correlate`, raw, 1 % of events match, 1,000 keys open", kind: ofKeys, keys: 1000, steps: correlateStep("", countingRule)},
		{name: "keys-1000000", title: "the same with 1,000,000 keys open", kind: ofKeys, keys: 1_000_000, steps: correlateStep("", countingRule)},
		{name: "hot-50", title: "50 rules that all match every event, 700 bytes, raw", part: 5, kind: ofSmall, steps: correlateStep("", hot(50))},
		{name: "hot-50-mix", title: "50 rules that all match 15 of 100 events, 700 bytes, raw", part: 2, kind: ofSmallMix, steps: correlateStep("", hot(50))},
	}
}

// config gives the pipeline as YAML.
func (r row) config(dir string, check bool) string {
	input, output, threads := r.input, "drop: {}", max(r.threads, 1)
	if input == "" {
		input = plainInput
	}
	if check {
		output = "bench_out: {}"
	}
	steps := r.steps
	if steps == "" {
		steps = "[]"
	}
	config := fmt.Sprintf("input:\n  %s\npipeline:\n  threads: %d\n  processors:\n%s\noutput:\n  %s\n%s\n",
		input, threads, indented(steps, 4), output, r.resources)
	return strings.ReplaceAll(config, "%DIR%", filepath.ToSlash(dir))
}

// feed gives the events of the row.
func (r row) feed(s setting) (f *feed, release func(), err error) {
	events := s.events / max(r.part, 1)
	switch r.kind {
	case ofSmall:
		return &feed{events: corpus.Small(events, all)}, func() {}, nil
	case ofSmallMix:
		return &feed{events: corpus.Small(events, peersShare)}, func() {}, nil
	case ofCorpus, ofCorpusBuilt, ofKeys:
	}
	c, err := openCorpus(s.corpus, events)
	if err != nil {
		return nil, nil, err
	}
	f = &feed{events: c.lines, built: r.kind == ofCorpusBuilt}
	if r.kind == ofKeys {
		keys := min(r.keys, s.events)
		f.events = corpus.Keyed(c.lines, keys)
		f.warmUp, f.settle = warmUp(c.lines, keys), settling
	}
	return f, c.unmap, nil
}

// settling is how many batches correlate needs to look at all that it keeps twice, and to lay to rest what nothing has touched.
const settling = 2200

// warmUp opens keys. It is one event by so many principals, made as it is read: to hold all of them would be to measure them.
func warmUp(lines [][]byte, keys int) func(at int) []byte {
	var one []byte
	for _, line := range lines {
		if corpus.Counted(line) {
			one = line
			break
		}
	}
	return func(at int) []byte {
		if at >= keys {
			return nil
		}
		return corpus.Opening(one, at)
	}
}

func correlateStep(fields, rules string) string {
	var b strings.Builder
	b.WriteString("- correlate:\n")
	if fields != "" {
		b.WriteString(indented(fields, 4))
	}
	if rules != "" {
		b.WriteString("    rules:\n")
		for rule := range strings.SplitSeq(strings.TrimSpace(rules), "\n\n") {
			b.WriteString("      - " + strings.TrimLeft(indented(rule, 8), " "))
		}
	}
	return b.String()
}

// padding gives rules like those that a site has, of which none looks at an event of the corpus.
func padding(n int) string {
	var rules []string
	for i := range n {
		match := fmt.Sprintf("{api.operation: PurgeThing%d, status: Success}", i)
		switch i % 10 {
		case 7:
			match = fmt.Sprintf("{metadata.event_code: com.oraclecloud.Padding.Event%d, src_endpoint.ip|cidr: 10.%d.0.0/16}", i, i%250)
		case 8:
			match = fmt.Sprintf("{api.operation|startswith: [Discard%d, Shred%d], actor.user.name|contains: temp}", i, i)
		case 9:
			match = fmt.Sprintf("{api.operation|re: '^Erase%d[A-Z].*Forever$', status: Failure}", i)
		}
		rules = append(rules, fmt.Sprintf("id: bench-padding-%d\ntitle: Padding %d\nstatus: experimental\nseverity: low\n"+
			"description: Detects nothing in the corpus.\nwindow: 10m\ngroup_by: {actor: actor.user.uid}\nmatch: %s\nhaving: count() >= 5\n"+
			"incident:\n  title: \"{actor}\"", i, i, match))
	}
	return strings.Join(rules, "\n\n")
}

// hot gives rules that take every event of small, each with its own threshold.
func hot(n int) string {
	var rules []string
	for i := range n {
		rules = append(rules, fmt.Sprintf("id: bench-hot-%d\ntitle: Hot %d\nstatus: experimental\nseverity: low\n"+
			"description: Detects many changes of instances by one principal.\nwindow: 120s\ngroup_by: {actor: actor.user.name}\n"+
			"match: {api.operation: UpdateInstance, status: Success}\nhaving: count() >= %d\nincident:\n  title: \"{actor}\"", i, i, 5*(i+1)))
	}
	return strings.Join(rules, "\n\n")
}

func indented(s string, by int) string {
	pad := strings.Repeat(" ", by)
	var b strings.Builder
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		if line != "" {
			b.WriteString(pad + line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
