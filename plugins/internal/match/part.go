package match

import (
	"slices"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// parts give the parts of a time that rules compare; weeks are those of ISO 8601.
var parts = map[string]func(time.Time) int{
	"minute": time.Time.Minute,
	"hour":   time.Time.Hour,
	"day":    time.Time.Day,
	"week": func(t time.Time) int {
		_, week := t.ISOWeek()
		return week
	},
	"month": func(t time.Time) int { return int(t.Month()) },
	"year":  time.Time.Year,
}

// ofPart has the test compare a part of the field's time, in UTC. A value that is no time passes nothing.
func (t *test) ofPart(name string) {
	part, compare := parts[name], t.compare
	t.exact = nil // what the index finds is the whole value
	t.compare = func(v any, c *subject) bool {
		at, ok := timeOf(v)
		return ok && compare(int64(part(at)), c)
	}
}

// timeOf reads milliseconds since 1970, or RFC 3339.
func timeOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case int64:
		return time.UnixMilli(v).UTC(), true
	case string:
		if v == "" || v[0] < '0' || v[0] > '9' { // an error of Parse is an allocation
			return time.Time{}, false
		}
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UTC(), err == nil
	}
	return time.Time{}, false
}

// keyword passes where some text of the event passes its glob.
type keyword struct{ glob *rule.Glob }

func (k keyword) holds(c *subject) bool {
	if record := c.ev.Record(); record != nil {
		return k.in(record)
	}
	return k.in(c.ev.Document())
}

func (k keyword) in(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			if k.in(x) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(v, k.in)
	}
	return onText(event.Normal(v), k.glob.Match)
}

func (keyword) may(*subject) answer { return perhaps }
func (keyword) cost() int           { return 2000 }
func (keyword) needs() requirement  { return nil }
