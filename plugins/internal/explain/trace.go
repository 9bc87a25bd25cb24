package explain

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/rule"
)

// never is a lateness that no event of a trace exceeds.
const never = 200 * 365 * 24 * time.Hour

// Limits of what is traced.
const (
	maxRecords = 1_000_000
	maxReasons = 5
	maxShown   = 60
)

// Options say how a history is traced.
type Options struct {
	// Lists are the lists and tables that the rule reads.
	Lists map[string]match.List
	// With are the rules whose incidents the rule takes, and those whose incidents these take.
	With []*rule.Rule
	// Matches leaves out the events that nothing matched.
	Matches bool
}

// ErrNoRecords says that there is nothing to trace.
var ErrNoRecords = errors.New("there are no records: the file holds one JSON record a line, or arrays of them")

// Records takes the records out of JSON: one after the other, or arrays of them.
func Records(data []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the record at line %d: %w", lineOf(data, int(decoder.InputOffset())), err)
		}
		if len(value) > 0 && value[0] == '[' {
			var some []json.RawMessage
			if err := json.Unmarshal(value, &some); err != nil {
				return nil, fmt.Errorf("reading an array of records: %w", err)
			}
			all = append(all, some...)
		} else {
			all = append(all, value)
		}
		if len(all) > maxRecords {
			return nil, fmt.Errorf("there are more than %d records: trace a part of them", maxRecords)
		}
	}
	if len(all) == 0 {
		return nil, ErrNoRecords
	}
	return all, nil
}

// lineOf gives the line of the first sign behind a place.
func lineOf(data []byte, place int) int {
	place = min(place, len(data))
	rest := data[place:]
	place += len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
	return 1 + bytes.Count(data[:place], []byte("\n"))
}

// Trace writes event by event why the rule fired or did not: which test failed first, with what it wanted and got,
// the key, and what the aggregates had come to. Events are taken in the order of their time, and time passes with them,
// so that what waits for the watermark fires where it would without any lateness.
func Trace(ctx context.Context, out io.Writer, r *rule.Rule, records []json.RawMessage, o Options) error {
	t, err := newTrace(ctx, r, o)
	if err != nil {
		return err
	}
	t.head()
	for _, e := range t.read(records) {
		if err := t.event(ctx, e); err != nil {
			return err
		}
	}
	if err := t.end(ctx); err != nil {
		return err
	}
	if _, err := out.Write(t.out.Bytes()); err != nil {
		return fmt.Errorf("writing the trace: %w", err)
	}
	return nil
}

// trace is a history that is being traced.
type trace struct {
	rule   *rule.Rule
	lists  map[string]match.List
	set    *match.Set
	engine *engine.Engine
	out    bytes.Buffer
	groups map[string]*group
	// waiting is what time has to pass for.
	waiting []*waiting
	// since is the time of the first match, by scope, where the rule learns.
	since map[string]event.Time
	// matches is true where events that nothing matched are left out.
	matches bool

	ticks     int
	passed    event.Time
	settled   map[string]*incident.Incident
	seen      int
	matched   int
	tenancies map[string]bool
}

// numbered is an event with the place of its record.
type numbered struct {
	*event.Event
	number int
}

func newTrace(ctx context.Context, r *rule.Rule, o Options) (*trace, error) {
	on := *r
	on.Enabled = true
	on.Incident.UpdateEvery = 0 // each firing is told
	t := &trace{
		rule: &on, lists: o.Lists, groups: map[string]*group{}, settled: map[string]*incident.Incident{},
		passed: event.MinTime, tenancies: map[string]bool{}, since: map[string]event.Time{}, matches: o.Matches,
	}
	var err error
	if t.set, err = match.Compile([]*rule.Rule{t.rule}); err != nil {
		return nil, fmt.Errorf("compiling the rule: %w", err)
	}
	t.set.SetLists(o.Lists)
	t.engine, err = engine.New(ctx, engine.Options{
		Rules: append(slices.Clone(o.With), t.rule), Lists: o.Lists, Lateness: never, Emit: engine.EmitOptions{Create: true, Update: true, Close: true},
	})
	if err != nil {
		return nil, fmt.Errorf("starting the engine: %w", err)
	}
	return t, nil
}

func (t *trace) say(format string, args ...any) { fmt.Fprintf(&t.out, format+"\n", args...) }

func (t *trace) head() {
	t.say("%s: %s", t.rule.ID, t.rule.WhenText(t.rule.When))
	for _, p := range t.rule.Patterns {
		if p.Incidents != nil {
			t.say("%s takes incidents of %s", p.Name, strings.Join(p.Incidents, ", "))
		}
	}
}

// read makes events of records and orders them by time and id. What cannot be read is said.
func (t *trace) read(records []json.RawMessage) []numbered {
	events := make([]numbered, 0, len(records))
	for i, record := range records {
		ev, err := normalize.Event(record)
		if err != nil {
			t.say("record %d is left out: %v", i+1, err)
			continue
		}
		events = append(events, numbered{Event: ev, number: i + 1})
	}
	slices.SortStableFunc(events, func(a, b numbered) int { return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.ID, b.ID)) })
	return events
}

// event traces one event.
func (t *trace) event(ctx context.Context, e numbered) error {
	t.seen++
	t.tenancies[e.Tenancy] = true
	if err := t.pass(ctx, e.Time); err != nil {
		return err
	}
	begin := t.out.Len()
	what := "event"
	if op, ok := e.Lookup(event.Path{"api", "operation"}).(string); ok {
		what = op
	}
	t.say("%s  record %d  %s  %s", e.Time, e.number, what, e.ID)
	hits := t.set.Match(e.Event, nil)
	if len(hits) > 0 {
		t.matched++
	}
	for i, p := range t.rule.Patterns {
		if p.Incidents != nil {
			continue
		}
		if err := t.pattern(i, e, hits); err != nil {
			return err
		}
	}
	outcomes, err := t.engine.Observe(ctx, []*event.Event{e.Event})
	if err != nil {
		return fmt.Errorf("observing record %d: %w", e.number, err)
	}
	fired, told := false, len(hits) > 0
	for _, outcome := range outcomes {
		for _, inc := range outcome.Incidents {
			told = true
			if t.other(inc) {
				continue
			}
			fired = true
			t.fires(inc)
		}
	}
	if !fired && len(hits) > 0 {
		t.waits(e, hits)
	}
	if t.matches && !told {
		t.out.Truncate(begin)
	}
	return nil
}

// pattern says whether the event matches a pattern, and why not.
func (t *trace) pattern(i int, e numbered, hits []match.Hit) error {
	p, ev := t.rule.Patterns[i], e.Event
	met := false
	for _, h := range hits {
		if h.Pattern != i {
			continue
		}
		met = true
		t.say("  %s: matches%s", p.Name, t.keyText(h))
		t.count(i, e, h)
	}
	if met {
		return nil
	}
	reasons, err := match.Why(p.Match, ev, t.lists)
	if err != nil {
		return fmt.Errorf("asking why pattern %s does not match: %w", p.Name, err)
	}
	if len(reasons) > 0 {
		t.say("  %s: does not match: %s", p.Name, reasonsText(reasons))
		return nil
	}
	env := match.Env(ev, t.lists)
	if p.Where != nil {
		for _, part := range p.Where.Conjuncts() {
			if !part.Holds(env) {
				t.say("  %s: where does not hold: %s%s", p.Name, part, valuesText(part, env))
				return nil
			}
		}
	}
	for j := range t.rule.Exceptions {
		e := &t.rule.Exceptions[j]
		if reasons, err := match.Why(e.Match, ev, t.lists); err == nil && len(reasons) == 0 && e.Holds(ev.Time) {
			t.say("  %s: does not count: the exception %q drops it", p.Name, e.Reason)
			return nil
		}
	}
	t.say("  %s: does not match", p.Name)
	return nil
}

func reasonsText(reasons []match.Reason) string {
	var parts []string
	for i, r := range reasons {
		if i == maxReasons {
			parts = append(parts, fmt.Sprintf("and %d more", len(reasons)-i))
			break
		}
		switch {
		case r.Not:
			parts = append(parts, r.Test.Text()+", which must not be")
		case r.Test.Op == rule.OpKeyword:
			parts = append(parts, "wanted: "+r.Test.Text())
		default:
			parts = append(parts, fmt.Sprintf("wanted: %s, got %s", r.Test.Text(), shown(r.Got)))
		}
	}
	return strings.Join(parts, "; ")
}

// valuesText says what the fields of a condition held.
func valuesText(e *expr.Expr, env expr.Env) string {
	var parts []string
	for _, ref := range e.Refs() {
		parts = append(parts, fmt.Sprintf("%s is %s", ref, shown(env.Field(ref))))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

func shown(v any) string {
	switch v := event.Normal(v).(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(cut(v))
	default:
		return cut(expr.Text(v))
	}
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "..."
	}
	return s
}

func (t *trace) keyText(h match.Hit) string {
	if len(t.rule.KeyNames) == 0 {
		return ""
	}
	parts := make([]string, len(t.rule.KeyNames))
	for i, name := range t.rule.KeyNames {
		parts[i] = name + " " + shown(h.Key[i])
	}
	text := ", key " + strings.Join(parts, ", ")
	if h.Null && len(t.rule.Patterns) > 1 {
		text += " (null equals nothing across patterns)"
	}
	return text
}

// fires says what fired.
func (t *trace) fires(inc *incident.Incident) {
	old := t.settled[inc.ID]
	if old != nil && inc.Revision < old.Revision {
		return
	}
	t.settled[inc.ID] = inc
	verb := "fires"
	if inc.Action == incident.Update || inc.Action == incident.Close && old != nil {
		verb = "fires again, in the same incident"
	}
	t.say("  %s: %s", verb, incidentText(inc))
}

func incidentText(inc *incident.Incident) string {
	text := fmt.Sprintf("%q, %d events", cut(inc.Title), inc.Count)
	if inc.Count == 1 {
		text = fmt.Sprintf("%q, 1 event", cut(inc.Title))
	}
	return text + ", incident " + inc.ID
}

// other tells the first message of another rule's incident; it says whether the incident is another rule's.
func (t *trace) other(inc *incident.Incident) bool {
	if inc.Rule.ID == t.rule.ID {
		return false
	}
	if inc.Action == incident.Create {
		t.say("  %s %s fires: %s, %s", inc.Fired, inc.Rule.ID, keyOf(inc.Rule, inc.Key), incidentText(inc))
	}
	return true
}

// waits says why nothing has fired.
func (t *trace) waits(e numbered, hits []match.Hit) {
	positive, ends := t.rule.Positive(), t.ends()
	candidate := slices.ContainsFunc(hits, func(h match.Hit) bool { return positive[h.Pattern] })
	switch {
	case !candidate:
	case !t.rule.Monotone() && !slices.ContainsFunc(hits, func(h match.Hit) bool { return ends[h.Pattern] }):
		t.say("  waits for what comes after it")
	case !t.rule.Monotone():
		t.say("  judged when the watermark has passed")
		if t.rule.Chained() {
			return // what its patterns of incidents hold is not known here
		}
		for _, h := range hits {
			if ends[h.Pattern] {
				t.wait(e, h)
			}
		}
	case alone(t.rule) && t.rule.Patterns[0].Having == nil:
		t.say("  counted before: an event counts once by its id")
	case alone(t.rule):
		t.say("  does not fire: its having does not hold")
	default:
		h := hits[slices.IndexFunc(hits, func(h match.Hit) bool { return positive[h.Pattern] })]
		t.say("  does not fire: %s", t.why(t.waitingFor(e, h)))
	}
}

func keyOf(r *rule.Rule, key []any) string {
	parts := make([]string, 0, len(key))
	for i, v := range key {
		parts = append(parts, r.KeyNames[i]+" "+shown(v))
	}
	return strings.Join(parts, ", ")
}
