package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

// pass lets time pass to the time of the next event.
func (t *trace) pass(ctx context.Context, to event.Time) error {
	if to <= t.passed {
		return nil
	}
	t.passed = to
	if err := t.settle(ctx, to); err != nil {
		return err
	}
	return t.tick(ctx, to, "-- time passes to "+to.String())
}

func (t *trace) tick(ctx context.Context, to event.Time, title string) error {
	t.ticks++
	tick := watermark.Tick{Number: fmt.Sprintf("%020d", t.ticks), Boot: "trace", Tenancies: map[string]event.Time{}, All: to, Final: to == event.MaxTime}
	for tenancy := range t.tenancies {
		tick.Tenancies[tenancy] = to
	}
	incidents, err := t.engine.Advance(ctx, tick)
	if err != nil {
		return fmt.Errorf("moving time to %s: %w", to, err)
	}
	judged := t.judged(to)
	fired := map[string]bool{}
	for _, inc := range incidents {
		if t.grown(inc) {
			fired[t.groupName(inc.Key, inc.Tenancy)] = true
		}
	}
	at := map[string]event.Time{}
	judged = slices.DeleteFunc(judged, func(w *waiting) bool {
		at[w.fired] = t.firesAt(w)
		return fired[w.fired]
	})
	// What only the end of a slot closes is no news.
	incidents = slices.DeleteFunc(incidents, func(inc *incident.Incident) bool {
		return inc.Action == incident.Close && !t.grown(inc) && (inc.Closed == 0 || inc.Closed >= inc.Slot.Add(inc.Per))
	})
	if len(incidents)+len(judged) == 0 {
		return nil
	}
	t.say("%s", title)
	for _, inc := range incidents {
		if t.other(inc) {
			continue
		}
		grown := t.grown(inc)
		if grown || inc.Action != incident.Close {
			when, known := at[t.groupName(inc.Key, inc.Tenancy)]
			if !known {
				when = inc.Fired
			}
			t.say("%s", strings.TrimRight("  "+when.String()+" "+keyOf(t.rule, inc.Key), " "))
			t.fires(inc)
		}
		if inc.Action == incident.Close && (!grown || inc.Closed < inc.Slot.Add(inc.Per)) {
			t.say("  %s %s\n  closed: %s", inc.Closed, keyOf(t.rule, inc.Key), incidentText(inc))
		}
	}
	for _, w := range judged {
		t.say("  %s: %s", w.refusal(t.rule), t.why(w))
	}
	return nil
}

// judged takes out what is judged when the watermark stands at to.
func (t *trace) judged(to event.Time) []*waiting {
	n := 0
	for n < len(t.waiting) && t.waiting[n].due <= to {
		n++
	}
	ready := t.waiting[:n:n]
	t.waiting = t.waiting[n:]
	return ready
}

// firesAt gives the time at which a key that fires does so: behind its event by a `then not` at the rule's end.
func (t *trace) firesAt(w *waiting) event.Time {
	if then, ok := t.rule.When.(*rule.Then); ok {
		last := then.Steps[len(then.Steps)-1]
		if _, absent := last.Node.(*rule.Not); absent {
			return w.at.Add(last.Within)
		}
	}
	return w.at
}

// settle lets time pass to each time until to at which something is judged.
func (t *trace) settle(ctx context.Context, to event.Time) error {
	for len(t.waiting) > 0 && t.waiting[0].due < to {
		next := t.waiting[0].due
		if err := t.tick(ctx, next, "-- time passes to "+next.String()); err != nil {
			return err
		}
	}
	return nil
}

// grown says whether a message of an incident tells of a new firing.
func (t *trace) grown(inc *incident.Incident) bool {
	old := t.settled[inc.ID]
	return inc.Rule.ID == t.rule.ID && (old == nil || inc.Count > old.Count)
}

// end lets all time pass, and sums up.
func (t *trace) end(ctx context.Context) error {
	if err := t.settle(ctx, event.MaxTime); err != nil {
		return err
	}
	if err := t.tick(ctx, event.MaxTime, "-- all time has passed"); err != nil {
		return err
	}
	t.say("events %d, matched %d, incidents %d", t.seen, t.matched, len(t.settled))
	return nil
}
