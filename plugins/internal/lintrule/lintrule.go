// Package lintrule lets Go code check the fields of a config where it is linted, so that lint finds what run would refuse.
//
// It stands beside the data's way, in the specs of components. Benthos takes Bloblang for the lint rules of a field,
// so each check is a Bloblang method; the names say that they are not for mappings of users:
//
//	service.NewDurationField("overlap").Default("15m").LintRule(lintrule.Span("overlap", 15*time.Minute, 0))
package lintrule

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// methodSpan is the method that checks spans, with its parameters.
const (
	methodSpan = "benthos_oci_lint_span"
	paramField = "field"
	paramLeast = "least"
	paramMost  = "most"
)

// Check says what is wrong with the value of a field, as YAML gives it: nothing where all is well.
type Check func(value any) []string

// registered are the names of the methods that Of has made.
var registered sync.Map

// Of gives the lint rule of a field that the check is for. The check must have a name of its own, and always the same.
// A lint rule of a list is called for the list and for each of its items.
func Of(name string, check Check) string {
	if _, known := registered.LoadOrStore(name, true); !known {
		register(name, bloblang.NewPluginSpec(), func(*bloblang.ParsedParams) (Check, error) { return check, nil })
	}
	return "root = this." + name + "()"
}

// Text makes a check of one that takes a text; of other types Benthos complains.
func Text(check func(string) error) Check {
	return func(value any) []string {
		text, ok := value.(string)
		if !ok {
			return nil
		}
		if err := check(text); err != nil {
			return []string{err.Error()}
		}
		return nil
	}
}

// Positive is the least of a span that must be more than nothing.
const Positive = time.Nanosecond

// Span gives the lint rule of the field of that name made by service.NewDurationField: a span of at least so much, and at most so much where most is not 0.
func Span(field string, least, most time.Duration) string {
	registerSpan()
	return fmt.Sprintf("root = this.%s(%s: %q, %s: %q, %s: %q)", methodSpan, paramField, field, paramLeast, least, paramMost, most)
}

var registerSpan = sync.OnceFunc(func() {
	spec := bloblang.NewPluginSpec().Param(bloblang.NewStringParam(paramField)).Param(bloblang.NewStringParam(paramLeast)).Param(bloblang.NewStringParam(paramMost))
	register(methodSpan, spec, func(args *bloblang.ParsedParams) (Check, error) {
		field, err := args.GetString(paramField)
		if err != nil {
			return nil, err
		}
		var bounds [2]time.Duration
		for i, name := range []string{paramLeast, paramMost} {
			text, err := args.GetString(name)
			if err != nil {
				return nil, err
			}
			if bounds[i], err = time.ParseDuration(text); err != nil {
				return nil, err
			}
		}
		return func(value any) []string {
			if wrong := span(value, bounds[0], bounds[1]); wrong != "" {
				return []string{field + ": " + wrong}
			}
			return nil
		}, nil
	})
})

func register(name string, spec *bloblang.PluginSpec, of func(*bloblang.ParsedParams) (Check, error)) {
	// The method takes part in no mapping but lint rules.
	spec = spec.Category("Plugin").Deprecated().Description("Checks a field of a config; not for mappings.")
	bloblang.MustRegisterMethodV2(name, spec, func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		check, err := of(args)
		if err != nil {
			return nil, err
		}
		return func(value any) (any, error) {
			found := check(value)
			all := make([]any, len(found))
			for i, one := range found {
				all[i] = one
			}
			return all, nil
		}, nil
	})
}

// span says what is wrong with a span. An empty one is what an environment variable gives that is not set where lint runs.
func span(value any, least, most time.Duration) string {
	switch value.(type) {
	case nil, map[string]any, []any:
		return "" // Benthos complains of the type
	}
	text := fmt.Sprint(value)
	if text == "" {
		return ""
	}
	length, err := time.ParseDuration(text)
	switch {
	case err != nil && (strings.HasSuffix(text, "d") || strings.HasSuffix(text, "w")):
		return fmt.Sprintf("must be a span of hours, minutes or seconds, like 24h, not %q", text)
	case err != nil:
		return fmt.Sprintf("must be a span with a unit, like 5m, not %q", text)
	case length < least && least == Positive:
		return fmt.Sprintf("is %s and must be more than 0", text)
	case length < least && least == 0:
		return fmt.Sprintf("is %s and must not be negative", text)
	case length < least:
		return fmt.Sprintf("is %s and must be at least %s", text, short(least))
	case most > 0 && length > most:
		return fmt.Sprintf("is %s and must be at most %s", text, short(most))
	}
	return ""
}

// short writes a span without the units that it has none of: 15m, not 15m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
