package lint

import (
	"fmt"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/ocifields"
)

// kept is how long Oracle keeps audit events and logs, at most.
const kept = 365 * 24 * time.Hour

// span warns of inputs that begin before what Oracle keeps: a first run would read nothing there, and a gap looks like silence.
func (o Options) span(path string, data []byte) []Finding {
	var found []Finding
	now := time.Now()
	// What cannot be walked has been reported by the linter.
	_ = o.Schema.NewStreamConfigWalker().WalkComponentsYAML(data, func(w *service.WalkedComponent) error {
		if w.ComponentType != "input" || !slices.Contains([]string{"oci_audit", "oci_logging"}, w.Name) {
			return nil
		}
		conf, err := w.ConfigAny()
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		whole, _ := conf.(map[string]any)
		fields, _ := whole[w.Name].(map[string]any)
		at, ok := moment(fields["start"], now)
		if ok && now.Sub(at) > kept+time.Minute {
			found = append(found, Finding{File: path, Line: max(w.LineStart, 1), Column: 1, Warning: true, Message: fmt.Sprintf(
				"start of %s lies before %s, and Oracle keeps nothing older than 365 days: a first run begins there, and says in its log what it leaves out",
				w.Name, now.Add(-kept).UTC().Format(time.DateOnly))})
		}
		return nil
	})
	return found
}

// moment reads a time as the inputs do; YAML may have read it as one already.
func moment(v any, now time.Time) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		m, err := ocifields.ParseMoment(v)
		return m.At(now), err == nil && !m.IsZero()
	}
	return time.Time{}, false
}
