// Package correlatesource keeps event time for correlate.
//
// It stands among the inputs. The oci inputs report by themselves what they read and what was delivered; beside them it
// is a clock. Other inputs are wrapped: their batches pass unchanged while it takes note of them. Either way it sends
// ticks, messages that say up to when everything has been seen, which only correlate reads:
//
//	input:
//	  broker:
//	    inputs:
//	      - { label: audit, oci_audit: { auth: { profile: PROD }, checkpoint_cache: state } }
//	      - { label: clock, correlate_source: {} }
package correlatesource

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
)

const (
	fieldInputs       = "inputs"
	fieldEventTime    = "event_time"
	fieldTickInterval = "tick_interval"
	fieldIdleTimeout  = "idle_timeout"
	fieldMaxHold      = "max_hold"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Categories("Utility").
		Summary("Keeps event time for `correlate`: a clock beside the oci inputs, a wrapper around all others.").
		Description(`
A rule that waits for something not to happen needs to know when everything up to a time has been seen. A processor
cannot know: it sees no acknowledgments, and says nothing without a message. This input does. It sends small messages,
ticks, that carry the watermark of each tenancy; `+"`correlate`"+` acts on them and lets none pass.

The oci inputs report their progress by themselves: put `+"`correlate_source: {}`"+` beside them into a `+"`broker`"+`.
Inputs of other kinds go under `+"`inputs`"+`. Without a `+"`correlate`"+` in the stream there are no ticks.

## Time

A partition is a compartment in a region, a partition of a topic, or a whole input. Its time is the largest event time
read before its oldest unacknowledged batch, less the `+"`lateness` of `correlate`"+`: nothing in flight, in another
thread or being retried can become late. A tenancy's watermark is the least over its partitions, and never goes back.
Partitions are saved with the state of `+"`correlate`"+`; after a restart a known one holds time until it has spoken.

A partition that is silent for `+"`max_hold`"+` is left out, so that time does not freeze: a warning says so, and
incidents that fire by time meanwhile name it in `+"`incomplete_sources`"+`. What it brings later may be late.

## Delivery

Batches leave as they came and are acknowledged to their input once the output has taken them. A batch that is rejected
is sent again, whole, until it is taken; its input does not see the rejection. That an error may name single messages of
a batch is ignored on purpose: behind a processor that changes a batch these names are wrong. Ticks are sent again in the same way.

## Back pressure

Nothing is buffered: an input is read again when its last batch was handed on. One tick is on its way at a time.

## Readiness

The connection of a wrapped input is tested before its first message and whenever it has brought nothing for a minute. While
it cannot connect, the input counts as disconnected and names it, and its time does not run on. What other wrapped inputs
bring leaves all the same, and while they bring something the input counts as connected. Inputs that know no test are read as they are.

## Shutdown

When all inputs have ended and everything is delivered, one last tick closes all windows; when that is delivered too,
the input ends. An input that never ends keeps the stream running. Stopped before that, no last tick is sent:
open windows stay in the state.
`).
		Fields(
			service.NewInputListField(fieldInputs).
				Description("Inputs that do not report their own progress, like `kafka_franz` or `file`. Leave it out beside the oci inputs.").
				Default([]any{}).
				Example([]any{map[string]any{"kafka_franz": map[string]any{
					"seed_brokers": []any{"localhost:9092"}, "topics": []any{"oci-raw"}, "consumer_group": "detect",
				}}}),
			service.NewBloblangField(fieldEventTime).
				Description("Where the messages of wrapped inputs have their time, for those that are neither Oracle's records nor OCSF "+
					"documents: milliseconds since 1970, a timestamp, or RFC 3339. A message without a time does not move time.").
				Optional().
				Example(`root = this.published`).
				Example(`root = this.ts.ts_unix_milli()`),
			service.NewDurationField(fieldTickInterval).
				Description("How often time is looked at. A tick is sent only when something has moved.").
				Default("1s").
				Example("200ms").
				LintRule(lintrule.Span(fieldTickInterval, lintrule.Positive, 0)).
				Advanced(),
			service.NewDurationField(fieldIdleTimeout).
				Description("How long nothing may come from a partition of a wrapped input, with nothing in flight, before its time "+
					"runs on at the clock's speed. `0s` means never. The oci inputs say by themselves that they have caught up.").
				Default("5m").
				Example("30s").
				LintRule(lintrule.Span(fieldIdleTimeout, 0, 0)),
			service.NewDurationField(fieldMaxHold).
				Description("How long a silent partition holds time.").
				Default("1h").
				Example("15m").
				LintRule(lintrule.Span(fieldMaxHold, lintrule.Positive, 0)),
		).
		Example("Beside the oci inputs", "The audit log of a tenancy, with its clock.", `
input:
  broker:
    inputs:
      - label: audit
        oci_audit:
          auth: { config_file: ~/.oci/config, profile: DEFAULT }
          checkpoint_cache: state
      - label: clock
        correlate_source: {}
pipeline:
  processors:
    - correlate: { packs: [ oci ], state_cache: state }
output:
  stdout: {}
cache_resources:
  - label: state
    bolt: { path: ./state.db }
`).
		Example("Around a file", "Raw events of an archive; the last tick closes all windows.", `
input:
  correlate_source:
    inputs:
      - file: { paths: [ ./audit.jsonl ] }
pipeline:
  processors:
    - correlate: { packs: [ oci ] }
output:
  stdout: {}
`)
}

func init() {
	service.MustRegisterBatchInput("correlate_source", spec(), func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
		c, err := configFromParsed(conf)
		if err != nil {
			return nil, err
		}
		return newInput(c, progress.Of(res), res), nil
	})
}

type config struct {
	inputs       []child
	eventTime    *bloblang.Executor // nil where package normalize knows
	tickInterval time.Duration
	limits       watermark.Limits
}

func configFromParsed(conf *service.ParsedConfig) (c config, err error) {
	for _, f := range []struct {
		name string
		into *time.Duration
		zero bool
	}{
		{fieldTickInterval, &c.tickInterval, false},
		{fieldIdleTimeout, &c.limits.IdleTimeout, true},
		{fieldMaxHold, &c.limits.MaxHold, false},
	} {
		if *f.into, err = conf.FieldDuration(f.name); err != nil {
			return c, err
		}
		if *f.into < 0 || *f.into == 0 && !f.zero {
			return c, fmt.Errorf("reading field %s: %s is not above zero", f.name, *f.into)
		}
	}
	if conf.Contains(fieldEventTime) {
		if c.eventTime, err = conf.FieldBloblang(fieldEventTime); err != nil {
			return c, err
		}
	}
	inputs, err := conf.FieldInputList(fieldInputs)
	if err != nil {
		return c, err
	}
	for _, in := range inputs {
		c.inputs = append(c.inputs, in)
	}
	return c, nil
}
