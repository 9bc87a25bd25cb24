package correlatesource

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
)

// timeOf gives the function that finds the event time of a message.
func (c config) timeOf() func(*service.Message) (event.Time, bool) {
	if c.eventTime == nil {
		return timeOfRecord
	}
	return func(m *service.Message) (event.Time, bool) { return timeByMapping(m, c.eventTime) }
}

// timeOfRecord reads the time of Oracle's records and of OCSF documents, without decoding them.
func timeOfRecord(m *service.Message) (event.Time, bool) {
	if m.HasStructured() && !m.HasBytes() {
		v, err := m.AsStructured()
		if err != nil {
			return 0, false
		}
		doc, _ := v.(map[string]any)
		if at, ok := event.Normal(doc["time"]).(int64); ok {
			return event.Time(at), true
		}
	}
	b, err := m.AsBytes()
	if err != nil {
		return 0, false
	}
	return normalize.TimeOf(b)
}

// timeByMapping takes milliseconds since 1970, a timestamp, or RFC 3339. A message that the mapping fails on has no time.
func timeByMapping(m *service.Message, mapping *bloblang.Executor) (event.Time, bool) {
	out, err := m.BloblangQuery(mapping)
	if err != nil || out == nil {
		return 0, false
	}
	b, err := out.AsBytes()
	if err != nil {
		return 0, false
	}
	text := strings.Trim(string(b), `"`)
	if ms, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(ms) < 1<<53 {
		return event.Time(ms), true
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return event.TimeOf(at), err == nil
}
