// Package correlate is the processor that turns events into incidents.
//
// It stands between the inputs, with their clock correlate_source, and the outputs. It finds the events that a rule could
// match, normalizes only those, hands them to the engine, and sends what the engine finds:
//
//	pipeline:
//	  processors:
//	    - correlate:
//	        packs: [ oci ]
//	        rule_files: [ "./site/**/*.yaml" ]
//	        state_cache: state
//	        forward: [ incidents, events ]
package correlate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/lintrule"
)

const (
	fieldPacks         = "packs"
	fieldRuleFiles     = "rule_files"
	fieldRules         = "rules"
	fieldOverrides     = "overrides"
	fieldLists         = "lists"
	fieldEventMapping  = "event_mapping"
	fieldStateCache    = "state_cache"
	fieldStateTTL      = "state_ttl"
	fieldForward       = "forward"
	fieldEmit          = "emit"
	fieldLateness      = "lateness"
	fieldMaxFuture     = "max_future"
	fieldMaxMemory     = "max_memory"
	fieldIncidentsFrom = "incidents_from"
	fieldUpdateEvery   = "update_every"
	fieldFloodGuard    = "flood_guard"
	fieldFloodPerRule  = "per_rule"
	fieldFloodTotal    = "total"
	fieldFloodWindow   = "window"
)

// Values of forward and emit.
const (
	forwardIncidents = "incidents"
	forwardEvents    = "events"
	forwardLate      = "late"

	emitCreate = "create"
	emitUpdate = "update"
	emitClose  = "close"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Categories("Utility").
		Summary("Finds what rules look for in a stream of events, over windows of event time, and sends incidents.").
		Description(description).
		Fields(
			service.NewStringListField(fieldPacks).
				Description("Rules that come with the program. `oci` is the one pack there is.").
				Default([]any{}).
				Example([]any{"oci"}).
				LintRule(lintrule.Of("correlate_lint_packs", lintPacks)),
			service.NewStringListField(fieldRuleFiles).
				Description("Rule files, by path or glob; `**` stands for any folders. Tests (`*_test.yaml`) are left out. "+
					"A glob that finds nothing is an error. Files are read again when they change; rules that mean the same keep their windows, "+
					"and one mistake keeps all rules as they were.").
				Default([]any{}).
				Example([]any{"./rules/**/*.yaml"}),
			service.NewAnyListField(fieldRules).
				Description("Rules in place, each as it would stand in a file of its own. A rule may also be given as a text block, "+
					"then mistakes are reported with the line inside it.").
				Default([]any{}).
				Example([]any{map[string]any{
					"id": "site-console-login", "title": "Console sign-in", "severity": "low",
					"match": map[string]any{"api.operation": "InteractiveLogin", "status": "Success"},
				}}).
				LintRule(lintrule.Of("correlate_lint_rules", lintRules)),
			service.NewStringListField(fieldOverrides).
				Description("Override files: changes of rules by id or glob, merged in the order given. They are read again when they change.").
				Default([]any{}).
				Example([]any{"./overrides.yaml"}),
			service.NewStringMapField(fieldLists).
				Description("Lists that rules name as `%name%`: a name, and a file with one value a line. A file whose name ends in .csv is a table, which rules read by `lookup`: its first row names the columns, its first column is the list. A list is read again when its file has changed.").
				Default(map[string]any{}).
				Example(map[string]any{"oci_admins": "./lists/oci_admins.txt"}),
			service.NewBloblangField(fieldEventMapping).
				Description("How a message becomes an OCSF document. It is run for those events only that a rule could match, and what leaves "+
					"is the message as it came. A mapping that begins with the default and then sets fields of its own stays as fast; any "+
					"other is run for every message. A mapping that deletes its root leaves the event out. A message that it fails on "+
					"leaves with the error, for the dead letters.").
				Default(defaultMapping).
				Example("root = content().oci_normalize()\nroot.unmapped.site = \"hq\""),
			service.NewStringField(fieldStateCache).
				Description("The label of the cache that holds the state: `bolt` for one process, or a shared one. Without it state lives in memory "+
					"and is gone with the process.").
				Optional().
				Example("state"),
			service.NewDurationField(fieldStateTTL).
				Description("For how long beyond its use state stays in the cache. This only clears what was left behind.").
				Default("168h").
				Example("720h").
				LintRule(lintrule.Span(fieldStateTTL, 0, 0)).
				Advanced(),
			service.NewStringListField(fieldForward).
				Description("What leaves: `incidents`, `events` (every message that came in), `late` (events that came too late to count). "+
					"Messages with an error always leave.").
				Default([]any{forwardIncidents}).
				Example([]any{forwardIncidents, forwardEvents}).
				LintRule(lintChoice(forwardIncidents, forwardEvents, forwardLate)),
			service.NewStringListField(fieldEmit).
				Description("Which messages of an incident leave: its `create`, each `update`, its `close`.").
				Default([]any{emitCreate}).
				Example([]any{emitCreate, emitUpdate, emitClose}).
				LintRule(lintChoice(emitCreate, emitUpdate, emitClose)),
			service.NewDurationField(fieldLateness).
				Description("How much later than others an event may come and still count. It must be more than the delay and the poll interval "+
					"of the inputs. `correlate_source` keeps its time by it.").
				Default("30m").
				Example("2h").
				LintRule(lintrule.Span(fieldLateness, 0, 0)),
			service.NewDurationField(fieldMaxFuture).
				Description("An event further in the future than this does not move time.").
				Default("5m").
				Example("1h").
				LintRule(lintrule.Span(fieldMaxFuture, 0, 0)).
				Advanced(),
			service.NewStringField(fieldMaxMemory).
				Description("The most memory that state takes. Beyond it state of the lowest worth leaves memory; with a `state_cache` it is read "+
					"again when it is needed, without one it is lost, counted, and incidents say so.").
				Default("1GiB").
				Example("256MiB").
				LintRule(lintrule.Of("correlate_lint_size", lintrule.Text(lintSize))),
			service.NewStringField(fieldIncidentsFrom).
				Description("Events before this time build state and make no incident, so that a backfill is a warm-up without a storm. "+
					"A date or an RFC 3339 time.").
				Default("").
				Example("2026-11-21").
				Example("2026-11-21T08:00:00Z").
				LintRule(lintrule.Of("correlate_lint_time", lintrule.Text(lintTime))),
			service.NewDurationField(fieldUpdateEvery).
				Description("The least event time between two messages of one incident.").
				Default("5m").
				Example("1h").
				LintRule(lintrule.Span(fieldUpdateEvery, 0, 0)).
				Advanced(),
			service.NewObjectField(fieldFloodGuard,
				service.NewIntField(fieldFloodPerRule).
					Description("The most messages of one rule's incidents in the window; 0 is no bound.").
					Default(0).
					Example(500).
					LintRule(lintNotNegative),
				service.NewIntField(fieldFloodTotal).
					Description("The most messages of all incidents in the window; 0 is no bound.").
					Default(0).
					Example(2000).
					LintRule(lintNotNegative),
				service.NewDurationField(fieldFloodWindow).
					Description("The span of event time that is counted.").
					Default("1h").
					Example("10m").
					LintRule(lintrule.Span(fieldFloodWindow, time.Second, 0)),
			).Description("Bounds the messages of incidents that leave, for each tenancy apart. The incidents exist nevertheless: what is held "+
				"back is counted by rule, and reported by an incident of the rule `correlate-flood`, which has the labels of the rule that fires too often.").
				Advanced(),
		).
		LintRule(`root = if (this.packs | []).length() + (this.rule_files | []).length() + (this.rules | []).length() == 0 {
  [ "no rules: name a pack, rule files, or rules" ]
}`).
		Example("The shipped rules", "Incidents of the shipped rules as lines; state survives restarts.", `
pipeline:
  processors:
    - correlate:
        packs: [ oci ]
        state_cache: state
cache_resources:
  - label: state
    bolt: { path: ./state.db }
`).
		Example("A rule in place", "Five failed console sign-ins of one user, then a success.", `
pipeline:
  processors:
    - correlate:
        rules:
          - id: site-fail-then-success
            title: Sign-in after failures
            severity: high
            description: Detects a sign-in that follows five failed ones of the same user.
            window: 10m
            group_by: [ user.name ]
            patterns:
              fail:
                match: { class_name: Authentication, status: Failure }
                having: count() >= 5
              success:
                match: { class_name: Authentication, status: Success }
            when: fail then success
`)
}

func init() {
	service.MustRegisterBatchProcessor("correlate", spec(), func(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
		c, err := configFromParsed(conf)
		if err != nil {
			return nil, err
		}
		return newProcessor(c, res)
	})
}

// lintNotNegative refuses numbers below zero.
const lintNotNegative = `root = if this < 0 { [ "a bound is not below zero; 0 is none" ] }`

type config struct {
	packs     []string
	ruleFiles []string
	inline    []any
	overrides []string
	lists     map[string]string

	mappingText string
	mapping     *bloblang.Executor // nil where it is the default

	stateCache string
	stateTTL   time.Duration

	forward forward
	emit    engine.EmitOptions

	lateness      time.Duration
	maxFuture     time.Duration
	maxMemory     int64
	incidentsFrom event.Time
	updateEvery   time.Duration

	floodPerRule, floodTotal int64
	floodWindow              time.Duration
}

// forward says what leaves beside messages with errors.
type forward struct{ incidents, events, late bool }

func configFromParsed(conf *service.ParsedConfig) (config, error) {
	c := config{incidentsFrom: event.MinTime}
	var errs []error
	note := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("reading field %s: %w", field, err))
		}
	}
	var err error
	for field, into := range map[string]*[]string{fieldPacks: &c.packs, fieldRuleFiles: &c.ruleFiles, fieldOverrides: &c.overrides} {
		*into, err = conf.FieldStringList(field)
		note(field, err)
	}
	c.inline, err = anyList(conf, fieldRules)
	note(fieldRules, err)
	c.lists, err = conf.FieldStringMap(fieldLists)
	note(fieldLists, err)
	note(fieldEventMapping, c.readMapping(conf))
	if conf.Contains(fieldStateCache) {
		c.stateCache, err = conf.FieldString(fieldStateCache)
		note(fieldStateCache, err)
	}
	for field, into := range map[string]*time.Duration{
		fieldStateTTL: &c.stateTTL, fieldLateness: &c.lateness, fieldMaxFuture: &c.maxFuture, fieldUpdateEvery: &c.updateEvery,
	} {
		if *into, err = conf.FieldDuration(field); err == nil && *into < 0 {
			err = fmt.Errorf("%s is below zero", *into)
		}
		note(field, err)
	}
	note(fieldForward, readChoice(conf, fieldForward, map[string]*bool{
		forwardIncidents: &c.forward.incidents, forwardEvents: &c.forward.events, forwardLate: &c.forward.late,
	}))
	note(fieldEmit, readChoice(conf, fieldEmit, map[string]*bool{
		emitCreate: &c.emit.Create, emitUpdate: &c.emit.Update, emitClose: &c.emit.Close,
	}))
	note(fieldFloodGuard, c.readFlood(conf.Namespace(fieldFloodGuard)))
	text, err := conf.FieldString(fieldMaxMemory)
	note(fieldMaxMemory, err)
	if err == nil {
		c.maxMemory, err = parseSize(text)
		note(fieldMaxMemory, err)
	}
	text, err = conf.FieldString(fieldIncidentsFrom)
	note(fieldIncidentsFrom, err)
	if err == nil && text != "" {
		c.incidentsFrom, err = parseTime(text)
		note(fieldIncidentsFrom, err)
	}
	slices.SortStableFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(errs...)
}

func (c *config) readFlood(conf *service.ParsedConfig) error {
	for field, into := range map[string]*int64{fieldFloodPerRule: &c.floodPerRule, fieldFloodTotal: &c.floodTotal} {
		n, err := conf.FieldInt(field)
		if err != nil {
			return err
		}
		if *into = int64(n); n < 0 {
			return fmt.Errorf("%s is %d: %w", field, n, errFlood)
		}
	}
	var err error
	if c.floodWindow, err = conf.FieldDuration(fieldFloodWindow); err == nil && c.floodWindow < time.Second {
		err = fmt.Errorf("%s is %s: a span is a second or more", fieldFloodWindow, c.floodWindow)
	}
	return err
}

func (c *config) readMapping(conf *service.ParsedConfig) (err error) {
	if c.mappingText, err = conf.FieldString(fieldEventMapping); err != nil {
		return err
	}
	if strings.Join(strings.Fields(c.mappingText), " ") == defaultMapping {
		return nil
	}
	c.mapping, err = conf.FieldBloblang(fieldEventMapping)
	return err
}

func anyList(conf *service.ParsedConfig, field string) ([]any, error) {
	items, err := conf.FieldAnyList(field)
	if err != nil {
		return nil, err
	}
	all := make([]any, len(items))
	for i, item := range items {
		if all[i], err = item.FieldAny(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readChoice(conf *service.ParsedConfig, field string, choice map[string]*bool) error {
	values, err := conf.FieldStringList(field)
	if err != nil {
		return err
	}
	for _, v := range values {
		into, ok := choice[v]
		if !ok {
			return fmt.Errorf("%q is none of its values", v)
		}
		*into = true
	}
	return nil
}
