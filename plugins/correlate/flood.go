package correlate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
)

// flood bounds how many messages of incidents leave in a span of event time, for each tenancy apart.
// It chooses which messages leave, never which incidents exist. What it holds back is counted,
// and reported as an incident of the rule correlate-flood. After a restart as many messages may leave again: those that come again
// may never have been delivered. What was held back and reported is saved, so that the report goes on where it was.
type flood struct {
	perRule, total int64
	window         time.Duration

	mu    sync.Mutex // guards all below
	spans map[floodSpan]*floodCount
	store engine.Store // nil where there is none
}

type floodSpan struct {
	tenancy string
	start   event.Time
}

// floodCount counts one span of a tenancy.
type floodCount struct {
	all   int64
	rules map[string]*floodRule
}

// floodRule counts the messages of one rule.
type floodRule struct {
	rule *rule.Rule
	left int64
	// held is how many messages were held back; first and last are the times of their incidents.
	held, revision int64
	first, last    event.Time
	// messages says of each message that was seen what became of it: when it comes again, the same does.
	messages map[floodMessage]fate
}

type floodMessage struct {
	id       string
	revision int64
}

type fate uint8

const (
	leaves fate = iota
	held
	reported // held back, and the report left in its place
)

var errFlood = errors.New("a bound is a number of messages, and not below zero; 0 is none")

const (
	// maxSpans bounds the spans that are kept: event time may go back a long way.
	maxSpans = 256
	// maxFloodMessages bounds the messages of one rule and span that are known again.
	maxFloodMessages = 100_000
)

// floodTemplate is the rule of the reports.
var floodTemplate = rule.Rule{
	ID: "correlate-flood", Title: "Incidents held back: a rule fires too often", Status: rule.StatusStable, Severity: rule.SeverityHigh,
	Category:    "operations",
	Description: "Reports that messages of incidents were held back because a rule gave more than flood_guard lets through.",
	KeyNames:    []string{"rule"}, Scope: rule.ScopeTenant, Enabled: true,
}

// newFlood gives nil where there are no bounds.
func newFlood(perRule, total int64, window time.Duration) *flood {
	if perRule == 0 && total == 0 {
		return nil
	}
	return &flood{perRule: perRule, total: total, window: window, spans: map[floodSpan]*floodCount{}}
}

// pass gives what is to leave of the messages of incidents: in the place of what it holds back, from time to time, a report.
func (f *flood) pass(list []*incident.Incident, dropped func(rule string)) []*incident.Incident {
	if f == nil || len(list) == 0 {
		return list
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	said := false
	out := make([]*incident.Incident, 0, len(list))
	for _, inc := range list {
		switch count, r := f.of(inc); f.fateOf(count, r, inc) {
		case leaves:
			out = append(out, inc)
		case reported:
			said = true
			out = append(out, f.report(inc.Tenancy, f.span(inc).start, r))
			dropped(inc.Rule.ID)
		case held:
			dropped(inc.Rule.ID)
		}
	}
	if said {
		f.save()
	}
	return out
}

func (f *flood) span(inc *incident.Incident) floodSpan {
	t := max(inc.Fired, inc.Last)
	if inc.Action == incident.Create {
		t = inc.Fired
	}
	return floodSpan{tenancy: inc.Tenancy, start: event.TimeOf(t.Time().Truncate(f.window))}
}

// of gives the counts that a message belongs to.
func (f *flood) of(inc *incident.Incident) (*floodCount, *floodRule) {
	at := f.span(inc)
	count := f.spans[at]
	if count == nil {
		f.forget()
		count = &floodCount{rules: map[string]*floodRule{}}
		f.spans[at] = count
	}
	r := count.rules[inc.Rule.ID]
	if r == nil {
		r = &floodRule{rule: inc.Rule, messages: map[floodMessage]fate{}}
		count.rules[inc.Rule.ID] = r
	}
	return count, r
}

// forget drops the oldest span where there are too many.
func (f *flood) forget() {
	if len(f.spans) < maxSpans {
		return
	}
	spans := make([]floodSpan, 0, len(f.spans))
	for s := range f.spans {
		spans = append(spans, s)
	}
	delete(f.spans, slices.MinFunc(spans, func(a, b floodSpan) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.tenancy, b.tenancy))
	}))
}

func (f *flood) fateOf(count *floodCount, r *floodRule, inc *incident.Incident) fate {
	message := floodMessage{id: inc.ID, revision: inc.Revision}
	if known, ok := r.messages[message]; ok {
		return known
	}
	var now fate
	switch {
	case (f.perRule == 0 || r.left < f.perRule) && (f.total == 0 || count.all < f.total):
		r.left++
		count.all++
	default:
		now = held
		r.hold(inc)
		// The first, the second, the fourth, ...: a flood must not be answered by another.
		if r.held&(r.held-1) == 0 {
			now = reported
			r.revision++
		}
	}
	if len(r.messages) < maxFloodMessages {
		r.messages[message] = now
	}
	return now
}

func (r *floodRule) hold(inc *incident.Incident) {
	if r.held == 0 || inc.First < r.first {
		r.first = inc.First
	}
	if r.held == 0 || inc.Last > r.last {
		r.last = inc.Last
	}
	r.held++
}

// report is the incident that says what was held back of a rule.
func (f *flood) report(tenancy string, start event.Time, r *floodRule) *incident.Incident {
	of := floodTemplate
	of.Labels = r.rule.Labels // it goes where the incidents of the rule would have gone
	key := []any{r.rule.ID}
	inc := &incident.Incident{
		ID: incident.ID(of.ID, tenancy, key, start), Rule: &of, Tenancy: tenancy, Key: key, Slot: start, Per: f.window,
		Action: incident.Update, Revision: r.revision, Count: r.held, First: r.first, Last: r.last, Fired: r.first,
		Title: fmt.Sprintf("%d messages of incidents of %s were held back: more than %s let through in %s",
			r.held, r.rule.ID, bounds(f.perRule, f.total), f.window),
		Response: []string{
			"See by unmapped.key.rule which rule it is, and whether an attack or a change made it fire so often.",
			"The incidents exist: raise flood_guard, or tune the rule by an override, and read the events again.",
		},
	}
	if r.revision == 1 {
		inc.Action = incident.Create
	}
	return inc
}

func bounds(perRule, total int64) string {
	switch {
	case total == 0:
		return fmt.Sprintf("%d of a rule are", perRule)
	case perRule == 0:
		return fmt.Sprintf("%d of all rules are", total)
	}
	return fmt.Sprintf("%d of a rule or %d of all rules are", perRule, total)
}
