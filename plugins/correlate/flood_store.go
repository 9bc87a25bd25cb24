package correlate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

const (
	keyFlood = "flood"
	// floodSave bounds how long saving may hold up the stream: a report must leave even where it cannot be saved.
	floodSave = 5 * time.Second
)

// floodReport is what was reported of a rule, as it is saved.
type floodReport struct {
	Tenancy  string     `json:"tenancy"`
	Start    event.Time `json:"start"`
	Rule     string     `json:"rule"`
	Held     int64      `json:"held"`
	Revision int64      `json:"revision"`
	First    event.Time `json:"first"`
	Last     event.Time `json:"last"`
	Labels   labels     `json:"labels,omitempty"`
}

type labels map[string]string

// resume goes on with the reports that were saved, and saves those that come. It does nothing where there are no bounds or no store.
func (f *flood) resume(ctx context.Context, store engine.Store) error {
	if f == nil || store == nil {
		return nil
	}
	rows, err := store.Load(ctx, []string{keyFlood})
	if err != nil {
		return fmt.Errorf("loading what flood_guard has reported: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.store = store
	var saved []floodReport
	if len(rows) != 1 || rows[0] == nil || json.Unmarshal(rows[0], &saved) != nil {
		return nil // what cannot be read is reported anew
	}
	for _, r := range saved {
		at := floodSpan{tenancy: r.Tenancy, start: r.Start}
		if f.spans[at] == nil {
			f.spans[at] = &floodCount{rules: map[string]*floodRule{}}
		}
		f.spans[at].rules[r.Rule] = &floodRule{
			rule: &rule.Rule{ID: r.Rule, Labels: r.Labels}, held: r.Held, revision: r.Revision, first: r.First, last: r.Last,
			messages: map[floodMessage]fate{},
		}
	}
	return nil
}

// save writes what was reported. Where that fails, a restart begins a report anew, and nothing else is lost.
func (f *flood) save() {
	if f.store == nil {
		return
	}
	var list []floodReport
	for at, count := range f.spans {
		for id, r := range count.rules {
			if r.revision > 0 {
				list = append(list, floodReport{
					Tenancy: at.tenancy, Start: at.start, Rule: id, Held: r.held, Revision: r.revision, First: r.first, Last: r.last, Labels: r.rule.Labels,
				})
			}
		}
	}
	slices.SortFunc(list, func(a, b floodReport) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Tenancy, b.Tenancy), cmp.Compare(a.Rule, b.Rule))
	})
	value, err := json.Marshal(list)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), floodSave)
	defer cancel()
	_ = f.store.Save(ctx, []engine.Change{{Key: keyFlood, Value: value, Expires: event.MaxTime}})
}
