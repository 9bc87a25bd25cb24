package backfill

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"benthos-oci/plugins/bolt"
	"benthos-oci/plugins/internal/ocifields"
)

// plan is what a backfill remembers of itself. A span before now is made absolute once, so that a second run reads the same.
type plan struct {
	Version int `json:"v"`
	// Asked are start and end as they were given.
	Asked [2]string `json:"asked"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended,omitzero"`
}

const planVersion = 1

// span is what is read, for people.
func (p plan) span() string { return stamp(p.Start) + " to " + stamp(p.End) }

// memory is the plan in the state file, which stays open so that no other backfill takes it.
type memory struct {
	path    string
	store   *bolt.Store
	plan    plan
	resumed bool
}

const (
	planBucket = "backfill"
	planKey    = "plan"
)

// oldest is how long Oracle keeps audit events and logs, at most.
const oldest = 365 * 24 * time.Hour

// remember opens the state file and takes up the plan in it, or the one that is asked for, which begin writes.
func remember(o Options, now time.Time) (*memory, error) {
	wanted, err := o.plan(now)
	if err != nil {
		return nil, err
	}
	store, err := bolt.Open(bolt.Options{Path: o.State, Bucket: planBucket})
	if err != nil {
		return nil, fmt.Errorf("opening the state of the backfill: %w", err)
	}
	m := &memory{path: o.State, store: store, plan: wanted}
	if err := m.take(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return m, nil
}

// take takes up the plan of the file where there is one.
func (m *memory) take() error {
	values, err := m.store.Load([]string{planKey})
	if err != nil {
		return fmt.Errorf("reading the state of the backfill: %w", err)
	}
	if values[0] == nil {
		return nil
	}
	var found plan
	if err := json.Unmarshal(values[0], &found); err != nil || found.Version != planVersion {
		return fmt.Errorf("reading the state of the backfill in %s: it is not of this version of the program; name another file by --state", m.path)
	}
	if found.Asked != m.plan.Asked {
		what := fmt.Sprintf("which is not finished: give --start %q --end %q to go on with it", found.Asked[0], found.Asked[1])
		if !found.Ended.IsZero() {
			what = "which was read to its end at " + stamp(found.Ended) + ": delete it"
		}
		return fmt.Errorf("reading the state of the backfill: %s belongs to one from %s, %s, or name another file by --state", m.path, found.span(), what)
	}
	m.plan, m.resumed = found, true
	return nil
}

// begin writes the plan of a first run.
func (m *memory) begin() error {
	if m.resumed {
		return nil
	}
	return m.save()
}

// end notes that everything was read.
func (m *memory) end(now time.Time) error {
	m.plan.Ended = now.UTC().Truncate(time.Second)
	return m.save()
}

func (m *memory) save() error {
	value, err := json.Marshal(m.plan)
	if err != nil {
		return fmt.Errorf("saving the state of the backfill: %w", err)
	}
	if err := m.store.Save([]bolt.Item{{Key: planKey, Value: value}}); err != nil {
		return fmt.Errorf("saving the state of the backfill: %w", err)
	}
	return nil
}

func (m *memory) close() { _ = m.store.Close() } // everything was written with its transaction

// plan makes the span absolute.
func (o Options) plan(now time.Time) (plan, error) {
	p := plan{Version: planVersion, Asked: [2]string{o.Start, o.End}, Begun: now.UTC().Truncate(time.Second)}
	for _, bound := range []struct {
		name, text string
		to         *time.Time
	}{{"--start", o.Start, &p.Start}, {"--end", o.End, &p.End}} {
		moment, err := ocifields.ParseMoment(bound.text)
		if err != nil {
			return p, fmt.Errorf("reading %s: %w", bound.name, err)
		}
		at := now
		if !moment.IsZero() {
			at = moment.At(now)
		}
		*bound.to = at.UTC().Truncate(time.Minute)
	}
	switch {
	case o.Start == "":
		return p, errors.New("reading --start: say where the backfill begins: a span before now like -30d, a day like 2026-11-01, or a time like 2026-11-01T00:00:00Z")
	case p.End.After(now):
		return p, fmt.Errorf("reading --end: %s lies in the future; leave it out to read up to now", stamp(p.End))
	case !p.End.After(p.Start):
		return p, fmt.Errorf("reading --end: %s does not lie after the start, %s", stamp(p.End), stamp(p.Start))
	case now.Sub(p.Start) > oldest+time.Hour:
		return p, fmt.Errorf("reading --start: %s lies more than 365 days back, and Oracle keeps nothing older: begin at %s or later", stamp(p.Start), stamp(now.Add(-oldest)))
	}
	return p, nil
}
