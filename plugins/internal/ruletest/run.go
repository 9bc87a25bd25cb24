package ruletest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/sample"
	"benthos-oci/plugins/internal/watermark"
)

// never is a lateness that no event of a case exceeds.
const never = 200 * 365 * 24 * time.Hour

// Result says how one case ended.
type Result struct {
	Case string
	Pos  rule.Position
	// Diff is "" where the case passed; else it lists the incidents that were expected (-) and that came (+).
	Diff string
}

// Passed reports whether everything expected came, and nothing else.
func (r Result) Passed() bool { return r.Diff == "" }

// Run replays each case through the rule, and through the others that File.With names, whose incidents it takes.
// An error says that a case could not be run, not that it failed.
func (f *File) Run(ctx context.Context, tested *rule.Rule, with ...*rule.Rule) ([]Result, error) {
	all := append(slices.Clone(with), tested)
	if _, problems := rule.NewChain(all); problems.Err() != nil {
		return nil, fmt.Errorf("%w: name the rules whose incidents it takes under `with`", problems.Err())
	}
	results := make([]Result, 0, len(f.Cases))
	for i := range f.Cases {
		c := &f.Cases[i]
		incidents, err := f.replay(ctx, tested, all, c)
		if err != nil {
			return nil, fmt.Errorf("%s:%d:%d: running case %q: %w", c.Pos.File, c.Pos.Line, c.Pos.Column, c.Name, err)
		}
		results = append(results, Result{Case: c.Name, Pos: c.Pos, Diff: f.compare(tested, c, incidents)})
	}
	return results, nil
}

// replay feeds the case and gives the settled set, in the order of firing.
func (f *File) replay(ctx context.Context, tested *rule.Rule, rules []*rule.Rule, c *Case) ([]*incident.Incident, error) {
	lists := map[string]match.List{}
	for name, values := range f.Lists {
		list, err := match.NewList(values)
		if err != nil {
			return nil, fmt.Errorf("reading list %s: %w", name, err)
		}
		lists[name] = list
	}
	for name, text := range f.Tables {
		list, err := match.ParseList(name+".csv", []byte(text))
		if err != nil {
			return nil, fmt.Errorf("reading table %s: %w", name, err)
		}
		lists[name] = list
	}
	if err := match.CheckTables(rules, lists).Err(); err != nil {
		return nil, err
	}
	e, err := engine.New(ctx, engine.Options{
		Rules:    rules,
		Lists:    lists,
		Lateness: never,
		Emit:     engine.EmitOptions{Create: true, Update: true, Close: true},
	})
	if err != nil {
		return nil, fmt.Errorf("starting the engine: %w", err)
	}
	settled := map[string]*incident.Incident{}
	keep := func(incidents []*incident.Incident) {
		for _, inc := range incidents {
			if old := settled[inc.ID]; inc.Rule.ID == tested.ID && (old == nil || inc.Revision >= old.Revision) {
				settled[inc.ID] = inc
			}
		}
	}
	tick := watermark.Tick{Number: "1", Boot: "test", Tenancies: map[string]event.Time{}, All: c.Until, Final: c.Until == event.MaxTime}
	for i := range c.Feed {
		ev, err := c.Feed[i].event(c.Name, i, e)
		if err != nil {
			return nil, err
		}
		if ev == nil {
			continue
		}
		tick.Tenancies[ev.Tenancy] = c.Until
		outcomes, err := e.Observe(ctx, []*event.Event{ev})
		if err != nil {
			return nil, fmt.Errorf("feeding event %d: %w", i+1, err)
		}
		for _, o := range outcomes {
			keep(o.Incidents)
		}
	}
	incidents, err := e.Advance(ctx, tick)
	if err != nil {
		return nil, fmt.Errorf("moving time: %w", err)
	}
	keep(incidents)
	return inOrder(settled), nil
}

func inOrder(settled map[string]*incident.Incident) []*incident.Incident {
	all := make([]*incident.Incident, 0, len(settled))
	for _, inc := range settled {
		all = append(all, inc)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Fired != all[j].Fired {
			return all[i].Fired < all[j].Fired
		}
		return all[i].ID < all[j].ID
	})
	return all
}

// event makes the event of a feed on the way that live records take. It is nil where the rule cannot match its type.
func (f *Feed) event(caseName string, number int, e *engine.Engine) (*event.Event, error) {
	record, err := json.Marshal(f.record(caseName, number))
	if err != nil {
		return nil, fmt.Errorf("writing event %d as JSON: %w", number+1, err)
	}
	kind, eventType := normalize.Scan(record)
	if !e.MayMatch(normalize.Static(kind, string(eventType))) {
		return nil, nil
	}
	ev, err := normalize.Event(record)
	if err != nil {
		return nil, fmt.Errorf("normalizing event %d: %w", number+1, err)
	}
	return ev, nil
}

func (f *Feed) record(caseName string, number int) map[string]any {
	id := f.ID
	if id == "" {
		id = strconv.Itoa(number + 1)
	}
	id = sample.UUID("ruletest", caseName, id)
	s := f.Source
	tenancy := sample.Principal{ID: s.Tenancy}
	if s.Problem != "" {
		o := sample.ProblemOptions{Tenancy: tenancy, First: f.At.Time()}
		record := sample.Problem(s.Problem, o)
		if s.Envelope == "events_service" {
			record = sample.ProblemEvent(s.Problem, o)
		}
		return changed(record, s.Set)
	}
	record := s.Raw
	if s.Operation != "" {
		record = sample.Event(s.Operation, sample.Options{ID: id, Time: f.At.Time(), Tenancy: tenancy, Status: s.Status, Set: s.Set})
	} else {
		record = changed(cloned(record), map[string]any{"eventTime": f.At.String(), "eventId": id})
		record = changed(record, s.Set)
	}
	switch s.Envelope {
	case "connector_hub":
		return sample.ConnectorHub(record)
	case "logging_search":
		return sample.LoggingSearch(record)
	case "events_service":
		return sample.EventsService(record)
	}
	return record
}

// changed assigns the values in the order of their paths.
func changed(record, set map[string]any) map[string]any {
	paths := make([]string, 0, len(set))
	for path := range set {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		sample.Set(record, path, set[path])
	}
	return record
}

// cloned copies maps and lists, so that one feed's changes do not reach the next.
func cloned(record map[string]any) map[string]any {
	m := make(map[string]any, len(record))
	for name, value := range record {
		m[name] = clonedValue(value)
	}
	return m
}

func clonedValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return cloned(v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = clonedValue(v[i])
		}
		return all
	}
	return value
}
