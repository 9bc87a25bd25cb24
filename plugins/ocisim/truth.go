package ocisim

import (
	"slices"
	"strings"
	"time"
)

// Truth is all that a simulator holds, to compare with what arrived.
type Truth struct {
	Events   []EventTruth
	Problems []ProblemTruth
	Stories  []Story
}

// EventTruth is one audit event.
type EventTruth struct {
	ID          string
	Time        time.Time
	Processed   time.Time
	Visible     time.Time // when ListEvents shows it at the earliest
	Ingested    time.Time // when SearchLogs shows it at the earliest
	Tenancy     string
	Region      string
	Compartment string // OCID
	Operation   string // as package sample names it
	Story       string // the story's name; "" for noise
}

// ProblemTruth is one Cloud Guard problem.
type ProblemTruth struct {
	ID          string
	Name        string
	Tenancy     string
	Region      string
	Compartment string
	Changes     []ProblemChange
}

// ProblemChange is a change of a problem's lifecycle.
type ProblemChange struct {
	Time   time.Time
	Detail string // OPEN, RESOLVED, DISMISSED, DELETED
}

// Truth tells all that the simulator holds: events by tenancy and time, problems, and the stories.
// It is made once and shared: it must not be changed.
func (s *Sim) Truth() *Truth { return s.truth() }

func (s *Sim) tell() *Truth {
	truth := &Truth{}
	for _, t := range s.tenancies {
		storyOf := map[string]string{}
		for _, story := range t.stories {
			for _, id := range story.Events {
				storyOf[id] = story.Name
			}
		}
		var events []EventTruth
		for at, records := range t.records {
			for _, r := range records {
				events = append(events, t.tellRecord(at, r, storyOf))
			}
		}
		slices.SortFunc(events, func(a, b EventTruth) int {
			if order := a.Time.Compare(b.Time); order != 0 {
				return order
			}
			return strings.Compare(a.ID, b.ID)
		})
		truth.Events = append(truth.Events, events...)
		for _, p := range t.problems {
			truth.Problems = append(truth.Problems, p.tell(t))
		}
		truth.Stories = append(truth.Stories, t.stories...)
	}
	return truth
}

func (t *tenancy) tellRecord(at place, r record, storyOf map[string]string) EventTruth {
	id := t.identify(r)
	op := noiseMix[r.op].op
	if r.number < 0 {
		op = t.woven[-r.number-1].op
	}
	processed := time.UnixMilli(r.processed).UTC()
	return EventTruth{
		ID: id, Time: time.UnixMilli(r.time).UTC(), Processed: processed, Visible: processed.Add(t.lag(r)), Ingested: r.ingested(),
		Tenancy: t.id, Region: at.region, Compartment: t.compartments[at.compartment].id, Operation: op, Story: storyOf[id],
	}
}

func (p problem) tell(t *tenancy) ProblemTruth {
	told := ProblemTruth{ID: p.options.ID, Name: p.name, Tenancy: t.id, Region: p.options.Region, Compartment: p.where.id}
	for _, c := range p.changes {
		told.Changes = append(told.Changes, ProblemChange{c.at, c.detail})
	}
	return told
}
