package ocisim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ProblemUpdate is something that happens to a problem now. What is empty stays as it is.
type ProblemUpdate struct {
	// Detail is the lifecycle's next step: OPEN detects the problem again and reopens it, RESOLVED, DISMISSED and DELETED close it.
	Detail string
	// Detected moves timeLastDetected and nothing else, as a further scan does.
	Detected bool
	// Risk is the new level: CRITICAL, HIGH, MEDIUM, LOW or MINOR.
	Risk string
	// Comment is what the person says who closes it.
	Comment string
	// Purged takes the problem away: it is in no list any more, and asking for it is answered 404.
	Purged bool
}

// updates are what happens to problems besides what the seed has settled.
type updates struct {
	mu  sync.Mutex
	all map[string][]change // guarded by mu; by problem, in order of time
}

// UpdateProblem lets something happen to a problem at the time of the simulator's clock. Truth does not tell of it.
func (s *Sim) UpdateProblem(id string, u ProblemUpdate) error {
	details := []string{"", "OPEN", "RESOLVED", "DISMISSED", "DELETED"}
	if !slices.Contains(details, u.Detail) {
		return fmt.Errorf("updating the problem %s: %q is no lifecycle detail, want one of%s", id, u.Detail, strings.Join(details, " "))
	}
	known := slices.ContainsFunc(s.tenancies, func(t *tenancy) bool {
		return slices.ContainsFunc(t.problems, func(p problem) bool { return p.options.ID == id })
	})
	if !known {
		return fmt.Errorf("updating the problem %s: there is no such problem", id)
	}
	s.happened.mu.Lock()
	defer s.happened.mu.Unlock()
	if s.happened.all == nil {
		s.happened.all = map[string][]change{}
	}
	// An update comes after every change that the seed has settled until now.
	s.happened.all[id] = append(s.happened.all[id], change{
		at: s.config.Clock().UTC().Truncate(time.Millisecond), detail: u.Detail, comment: u.Comment, actor: "security.operator@example.com",
		detected: u.Detected || u.Detail == "OPEN", risk: u.Risk, purged: u.Purged,
	})
	return nil
}

// with gives the problem with what has happened to it, and the time after which nothing more does.
func (u *updates) with(p problem, end time.Time) (problem, time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	extra := u.all[p.options.ID]
	if len(extra) == 0 {
		return p, end
	}
	p.changes = append(slices.Clone(p.changes), extra...)
	slices.SortStableFunc(p.changes, func(a, b change) int { return a.at.Compare(b.at) })
	if last := extra[len(extra)-1].at; last.After(end) {
		end = last
	}
	return p, end
}
