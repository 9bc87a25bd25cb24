// Package engine is the heart of correlate: match, window and incident put together, and the state that must be saved.
//
// Locks are taken in this order: advancing, clock, the shards of records (ascending), deadlines, and the small ones
// that guard counters. None is held while events are matched.
//
// Events go in by Observe, time by Advance; incidents come out of both. The engine reads no clock and does no I/O but
// through its Store. What it finds depends on the set of events only, not on their order, batches, threads or restarts,
// as long as none of them is late and nothing was evicted:
//
//	e, err := engine.New(ctx, engine.Options{Rules: rules, Emit: engine.EmitOptions{Create: true}})
//	outcomes, err := e.Observe(ctx, events) // outcomes[i].Incidents leave with events[i]
//	incidents, err := e.Advance(ctx, tick)  // what fires by time
package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/internal/window"
)

// Store keeps the engine's state. The engine asks for rows by key and never lists them.
type Store interface {
	// Load gives the values of keys, in their order; nil where there is none.
	Load(ctx context.Context, keys []string) ([][]byte, error)
	// Save writes all changes in one transaction where the store has them, and in the order given where it has not.
	Save(ctx context.Context, changes []Change) error
}

// Change is one row to write.
type Change struct {
	Key string
	// Value is nil where the row is to be deleted.
	Value []byte
	// Expires is the event time after which the row has no meaning any more; event.MaxTime where it always has.
	Expires event.Time
}

// Options say what an engine does.
type Options struct {
	// Rules that are not enabled are left out.
	Rules []*rule.Rule
	Lists map[string]match.List
	// Store is nil where state lives in memory only.
	Store Store
	// Lateness is used while no tick has come: an event is late when it lies further than this below the largest
	// event time of the batches before. With a clock, only the clock's watermarks count.
	Lateness time.Duration
	// MaxMemory bounds the records in memory, in bytes; 0 means no bound.
	MaxMemory int64
	// MaxFuture is used while no tick has come: an event this far beyond all before it does not move time by itself.
	// 0 means no bound.
	MaxFuture time.Duration
	// IncidentsFrom silences firings before it: they build state and make no incident.
	IncidentsFrom event.Time
	Emit          EmitOptions
	// UpdateEvery is the least event time between two messages of one incident, but for its close.
	UpdateEvery time.Duration
	// Metrics may be nil.
	Metrics Metrics
}

// EmitOptions say which messages of an incident leave.
type EmitOptions struct {
	// Create leaves with the first firing.
	Create bool
	// Update leaves when the incident has grown.
	Update bool
	// Close leaves when the incident's slot is over and the watermark has passed it.
	Close bool
}

// Metrics counts what must not happen in silence. All methods are safe for concurrent use and never block.
type Metrics interface {
	// Late counts events below the watermark.
	Late(n int)
	// NullKeys counts matches of a rule whose key has a null component.
	NullKeys(ruleID string, n int)
	// Evicted counts records that left memory; lost says that no store had them.
	Evicted(ruleID string, n int, lost bool)
	// Quarantined counts rows that could not be decoded and were set aside under key.
	Quarantined(key string, cause error)
	// Incidents counts messages of incidents.
	Incidents(ruleID string, action incident.Action, n int)
}

// Outcome is what one event of a batch did.
type Outcome struct {
	// Matched says that a pattern of a rule took the event.
	Matched bool
	// Late says that a pattern would have taken it, but it lies below the watermark.
	Late bool
	// Incidents leave with the event's message, and again each time the event comes again.
	Incidents []*incident.Incident
}

// Stats is a picture of the engine.
type Stats struct {
	Rules   int
	Records int
	Bytes   int64
	// EvidenceLost counts the events that incidents named without their details: those had left memory, and there is no store.
	EvidenceLost int64
	// Deadlines counts the records that wait for time to pass.
	Deadlines int
	// Outbox counts the ticks whose incidents are not known to be delivered.
	Outbox int
	// Learning names the rules of first_seen that are silent, and until which event time; event.MaxTime where
	// nothing was seen yet.
	Learning map[string]event.Time
	// Watermarks holds the watermark of each tenancy; All that of rules with `scope: all`.
	Watermarks map[string]event.Time
	All        event.Time
}

// Engine finds incidents. Its methods are safe for concurrent use.
type Engine struct {
	opt     Options
	store   Store // nil for memory only
	metrics Metrics

	// rules is read without a lock and swapped under clock.
	rules atomic.Pointer[ruleset]
	// clock is held for reading while events are counted and saved, so that time does not pass in between.
	clock sync.RWMutex
	marks marks // guarded by clock

	// fed is where time stood, by scope, when incidents were last given to the rules that take them.
	// It is swapped while all shards are locked.
	fed atomic.Pointer[marks]

	front   front
	history history
	states  states
	shards  [shardCount]shard
	memory  memory
	// archive has the evidence of records at rest; nil where there is a store.
	archive *window.Archive
	// evicting is held by who makes room, and guards laid: how many shards were looked at for records to rest.
	evicting sync.Mutex
	laid     int
	// unsaved names the records whose last save went wrong, with their plans, by recordID.
	unsaved sync.Map
	due     deadlines
	garbage garbage
	// swept counts the shards that were swept.
	swept atomic.Int64
	// batches counts the calls of Observe.
	batches atomic.Int64

	// advancing is held through Advance and guards all below.
	advancing sync.Mutex
	outbox    outbox
	// back are the rules whose deadlines have been looked for among those that waited for their rule.
	back *ruleset
	// clockUnsaved says that the last save of the marks went wrong.
	clockUnsaved bool
}

// ruleset is the rules as they stand.
type ruleset struct {
	// plans are those of the rules; units those by which events are matched: of pools, and of rules that have none.
	plans, units []*plan
	// byKey has all that have records.
	byKey map[string]*plan
	// byState finds the plan of a record's id.
	byState map[uint32]*plan
	set     *match.Set
	lists   map[string]match.List
	// depth is that of the deepest plan; 0 where no rule takes incidents.
	depth int
	// shares is the number of parts that memory is divided into.
	shares int
}

// New makes an engine and reads what its store holds.
func New(ctx context.Context, opt Options) (*Engine, error) {
	e := &Engine{opt: opt, store: opt.Store, metrics: opt.Metrics, marks: newMarks()}
	if e.store == nil {
		e.archive = window.NewArchive(archiveBytes(opt.MaxMemory))
	}
	if e.metrics == nil {
		e.metrics = silent{}
	}
	for i := range e.shards {
		e.shards[i].records = map[keySum]*record{}
	}
	rules, err := e.newRuleset(opt.Rules, opt.Lists)
	if err != nil {
		return nil, err
	}
	e.rules.Store(rules)
	e.due.scopes = map[string]*scopeDue{}
	e.outbox.rows = map[tickID]*outboxRow{}
	e.history.since = map[string]int64{}
	e.fed.Store(&marks{})
	if err := e.restore(ctx); err != nil {
		return nil, fmt.Errorf("reading saved state: %w", err)
	}
	e.fed.Store(e.marks.picture())
	return e, nil
}

func (e *Engine) newRuleset(rules []*rule.Rule, lists map[string]match.List) (*ruleset, error) {
	var enabled []*rule.Rule
	s := &ruleset{byKey: map[string]*plan{}, byState: map[uint32]*plan{}, lists: lists}
	known := map[string]bool{}
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		p, err := newPlan(r)
		if err != nil {
			return nil, fmt.Errorf("planning rules: %w", err)
		}
		if known[p.key] {
			return nil, fmt.Errorf("planning rules: two rules have the id %s", r.ID)
		}
		known[p.key] = true
		s.plans = append(s.plans, p)
		enabled = append(enabled, r)
	}
	if err := s.pool(); err != nil {
		return nil, fmt.Errorf("planning rules: %w", err)
	}
	for _, p := range s.plans {
		s.name(e, p)
		if p.pool != nil && p.pool.state == nil {
			s.name(e, p.pool)
		}
	}
	if err := s.chain(enabled); err != nil {
		return nil, err
	}
	matched := make([]*rule.Rule, len(s.units))
	for i, p := range s.units {
		matched[i] = p.rule
	}
	set, err := match.Compile(matched)
	if err != nil {
		return nil, fmt.Errorf("compiling rules: %w", err)
	}
	set.SetLists(lists)
	s.set = set
	return s, nil
}

// name gives a plan its state, under which it is found where it has records.
func (s *ruleset) name(e *Engine, p *plan) {
	p.state = e.states.of(p.key)
	if e.store == nil {
		// Nothing is saved in rows.
		p.chunk = 0
	}
	if p.members != nil && len(p.members) < 2 {
		return
	}
	s.byKey[p.key] = p
	s.byState[p.state.number] = p
	s.shares += max(len(p.members), 1)
}

// MayMatch is false only when no rule can match an event with these facts.
func (e *Engine) MayMatch(f event.Facts) bool { return e.rules.Load().set.MayMatch(f) }

// SetLists swaps the lists that rules name.
func (e *Engine) SetLists(lists map[string]match.List) {
	e.clock.Lock()
	defer e.clock.Unlock()
	rules := *e.rules.Load()
	rules.lists = lists
	rules.set.SetLists(lists)
	e.rules.Store(&rules)
}

// Reload swaps the rules. State of rules whose meaning has not changed stays; that of rules that are gone
// leaves memory, and is found in the store if they come back in time: what would have fired meanwhile fires then.
func (e *Engine) Reload(rules []*rule.Rule) error {
	e.clock.Lock()
	defer e.clock.Unlock()
	old := e.rules.Load()
	next, err := e.newRuleset(rules, old.lists)
	if err != nil {
		return err
	}
	if old.depth == 0 {
		// A rule takes the incidents that settle from now on.
		e.fed.Store(e.marks.picture())
	}
	e.rules.Store(next)
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		e.regroup(s, old, next)
		s.each(func(r *record) {
			if p := next.byKey[r.plan.key]; p != nil {
				r.replan(p)
				return
			}
			s.remove(r)
			e.unsaved.Delete(r.id)
			e.memory.drop(r)
		})
		for _, state := range e.states.all() {
			if next.byState[state.number] == nil {
				e.clear(s, state, func(keySum, resting) bool { return true })
			}
		}
		s.mu.Unlock()
	}
	return nil
}

// replan gives a record to a plan with the same meaning, whose words may be others.
func (r *record) replan(p *plan) {
	old := r.plan.captures
	r.plan = p
	r.slides = nil
	for _, entry := range r.series.All() {
		p.adopt(entry, old)
	}
}

// Known gives the partitions that were known when state was saved last, for the clock.
func (e *Engine) Known(context.Context) []watermark.ID {
	e.clock.RLock()
	defer e.clock.RUnlock()
	return slices.Clone(e.marks.known)
}

// Stats gives a picture of the engine.
func (e *Engine) Stats() Stats {
	st := Stats{
		Rules: len(e.rules.Load().plans), Records: int(e.memory.records.Load()), Bytes: e.bytes(), Deadlines: e.due.count(),
		Watermarks: map[string]event.Time{}, All: event.MinTime, Learning: map[string]event.Time{},
	}
	if e.archive != nil {
		st.EvidenceLost = e.archive.Lost()
	}
	e.clock.RLock()
	for scope, mark := range e.marks.by {
		if scope == scopeAll {
			st.All = event.Time(mark)
			continue
		}
		st.Watermarks[scope] = event.Time(mark)
	}
	for _, p := range e.rules.Load().plans {
		if p.firstSeen == nil {
			continue
		}
		if until := e.history.until(p); until > e.marks.latest() {
			st.Learning[p.rule.ID] = event.Time(until)
		}
	}
	e.clock.RUnlock()
	e.advancing.Lock()
	st.Outbox = len(e.outbox.rows)
	e.advancing.Unlock()
	return st
}

// silent counts nothing.
type silent struct{}

func (silent) Late(int)                               {}
func (silent) NullKeys(string, int)                   {}
func (silent) Evicted(string, int, bool)              {}
func (silent) Quarantined(string, error)              {}
func (silent) Incidents(string, incident.Action, int) {}
