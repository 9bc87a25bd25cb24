package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/rules"
)

// guard has no field for the delay before its problems are read: Cloud Guard shows them up to a quarter of an hour after it has seen something.
const guard = "oci_cloudguard"

// Defaults of the fields that are compared here, as the components have them; a test holds them equal.
var (
	defaultLateness = "30m"
	defaultDelays   = map[string]delay{
		"oci_audit": {poll: "5m", wait: "2m"}, "oci_cloudguard": {poll: "30m", wait: "15m"}, "oci_logging": {poll: "5m", wait: "1m"},
	}
)

// delay is how long an event may wait in an input: until it is polled, and before it is read at all.
type delay struct{ poll, wait string }

// walked is a component of a config.
type walked struct {
	name string
	line int
	conf map[string]any
}

// clock warns of configs whose rules need more of time than they get: rules that wait for something without correlate_source,
// and a lateness below the time that an input itself takes.
func (o Options) clock(path string, data []byte) []Finding {
	var inputs, correlates []walked
	hasClock := false
	// What cannot be walked has been reported by the linter.
	_ = o.Schema.NewStreamConfigWalker().WalkComponentsYAML(data, func(w *service.WalkedComponent) error {
		c := walked{name: w.Name, line: w.LineStart}
		if conf, err := w.ConfigAny(); err == nil {
			whole, _ := conf.(map[string]any)
			c.conf, _ = whole[w.Name].(map[string]any)
		}
		switch {
		case w.ComponentType == "processor" && w.Name == "correlate":
			correlates = append(correlates, c)
		case w.ComponentType == "input" && w.Name == "correlate_source":
			hasClock = true
		case w.ComponentType == "input":
			inputs = append(inputs, c)
		}
		return nil
	})
	var found []Finding
	warn := func(line int, format string, args ...any) {
		found = append(found, Finding{File: path, Line: max(line, 1), Column: 1, Warning: true, Message: fmt.Sprintf(format, args...)})
	}
	for _, c := range correlates {
		all := c.rules(path, data)
		if waiting := waiting(all); len(inputs) > 0 && !hasClock && len(waiting) > 0 {
			warn(c.line, "%s cannot fire: nothing keeps time, so add `correlate_source: {}` beside the inputs", strings.Join(waiting, ", "))
		}
		lateness, ok := span(c.conf, "lateness", defaultLateness)
		for _, in := range inputs {
			if in.name == guard && !slices.ContainsFunc(all, (*rule.Rule).OverFindings) {
				continue
			}
			if takes, known := in.delay(); ok && known && lateness < takes {
				warn(c.line, "lateness %s is less than the %s that %s at line %d may take to read an event: such events come too late",
					expr.FormatDuration(lateness), expr.FormatDuration(takes), in.name, in.line)
			}
		}
	}
	return found
}

// rules gives the rules of a correlate.
func (c walked) rules(path string, data []byte) []*rule.Rule {
	var all []*rule.Rule
	for _, pack := range texts(c.conf["packs"]) {
		some, _ := rule.Pack(rules.FS, pack)
		all = append(all, some...)
	}
	if files := texts(c.conf["rule_files"]); len(files) > 0 {
		some, _ := rule.LoadFiles(files) // relative to where the config will run; those that are not there cannot be judged
		all = append(all, some...)
	}
	inline, _ := rule.Inline(path, data)
	return append(all, inline...)
}

// waiting gives the ids of the rules that are judged when time has passed.
func waiting(all []*rule.Rule) []string {
	var ids []string
	for _, r := range all {
		if !r.Monotone() {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// delay gives how long an event may wait in an input; false for inputs that are not ours.
func (c walked) delay() (time.Duration, bool) {
	defaults, ok := defaultDelays[c.name]
	if !ok {
		return 0, false
	}
	poll, pollOK := span(c.conf, "poll_interval", defaults.poll)
	wait, waitOK := span(c.conf, "delay", defaults.wait)
	return poll + wait, pollOK && waitOK
}

// span reads a duration; false where it is not written as one, as an environment variable.
func span(conf map[string]any, name, otherwise string) (time.Duration, bool) {
	text := otherwise
	if v, ok := conf[name]; ok {
		text = fmt.Sprint(v)
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func texts(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
