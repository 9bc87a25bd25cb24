package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

// defaultPer is the length of a slot where the rule names none.
const defaultPer = 24 * time.Hour

// plan is a rule made ready for judging. It never changes.
type plan struct {
	rule *rule.Rule
	// key names the rule's state; it changes when saved state means nothing any more.
	key   string
	state *ruleState
	// window is W in milliseconds; where the rule has none, the longest that its steps can take.
	window int64
	per    int64
	// monotone rules fire with the event that fulfils them. For all others ahead is how far behind t
	// the watermark must be for t to be judged, at least 1.
	monotone bool
	ahead    int64
	// shift is what a firing's time lies behind its completion: D of a `then not` at the end of the rule.
	shift int64
	// horizon is how long entries are kept below the watermark.
	horizon int64
	// chunk is how many entries a saved row holds; 0 where nothing is saved.
	chunk int
	root  *cond
	// least is how many events of a window a rule of one pattern needs to fire; 1 where that is not known.
	least int
	// positive has the patterns whose events may be firings and count; candidates those at whose times it is judged.
	positive, candidates uint64
	// alone has the patterns that can fulfil the rule without any other.
	alone    uint64
	patterns []patternPlan
	byName   map[string]int
	// joined has the patterns that conditions of other patterns look at.
	joined    uint64
	firstSeen *firstSeen
	// closing is what closes incidents before their slots are over; nil where nothing does. closeAfter is 0 where there is none.
	closing    *closing
	closeAfter int64
	// every is the least time between two messages of an incident; 0 where the engine's own counts.
	every int64
	// A rule that takes incidents follows the watermark by lag: until then they have come. It stands at that depth below those
	// that take none. feeds says that other rules take its incidents.
	lag     int64
	depth   int
	chained bool
	feeds   bool
	// captures holds the texts of all captures, by pattern.
	captures [][]string
	// pool is what the events are left to where other rules take them, too; nil where the rule cannot share any.
	pool *plan
	// members are the plans that a pool is for, those that need the fewest events first; nil for a rule.
	members []*plan
}

// patternPlan is one pattern made ready.
type patternPlan struct {
	name   string
	having *expr.Expr
	join   *expr.Expr
	// index finds a capture by its text.
	index map[string]int
	// tallied are the captures whose different values `having` counts.
	tallied []int
	// running are the captures whose other aggregates are kept while the window moves.
	running []runningPlan
	// aggregated has the captures of the aggregates of `having`.
	aggregated map[*expr.Aggregate]int
}

type runningPlan struct {
	capture int
	ordered bool
}

type firstSeen struct {
	capture       int
	within, learn int64
}

// Kinds of conditions.
type kind uint8

const (
	kindRef kind = iota
	kindAnd
	kindOr
	kindThen
)

// cond is a condition made ready.
type cond struct {
	kind    kind
	pattern int
	// kids are the conditions of And, the positive ones, and of Or.
	kids []*cond
	// nots are the negated conditions of And.
	nots []*cond
	// steps are the positive steps of Then.
	steps []step
	// trailing are the negated steps behind the last positive one.
	trailing []absence
	// patterns has all patterns of the positive part, all those of the negated parts too;
	// completers has those at whose events it can become true.
	patterns, all, completers uint64
	// monotone conditions stay true when events are added.
	monotone bool
	ahead    int64
	span     int64
	joins    bool
}

// step is a positive step of Then.
type step struct {
	node *cond
	// within is in milliseconds; 0 where there is none.
	within int64
	// before are the negated steps between this one and the one before.
	before []absence
	// earliest is true where the earliest completion serves as well as any later one.
	earliest bool
}

// absence is a negated step.
type absence struct {
	node   *cond
	within int64
}

var errPlan = errors.New("the condition cannot be judged")

func newPlan(r *rule.Rule) (*plan, error) {
	if len(r.Patterns) > window.MaxPatterns {
		return nil, fmt.Errorf("rule %s has %d patterns, at most %d are possible: %w", r.ID, len(r.Patterns), window.MaxPatterns, errPlan)
	}
	p := &plan{rule: r, chunk: chunkSize, key: r.ID + "/" + r.StateHash, byName: map[string]int{}, per: r.Incident.Per.Milliseconds()}
	if p.per <= 0 {
		p.per = defaultPer.Milliseconds()
	}
	for i, pattern := range r.Patterns {
		p.byName[pattern.Name] = i
		pp := patternPlan{name: pattern.Name, having: pattern.Having, join: pattern.JoinWhere, index: map[string]int{}}
		texts := make([]string, len(pattern.Captures))
		for c, e := range pattern.Captures {
			texts[c] = e.String()
			pp.index[texts[c]] = c
		}
		p.captures = append(p.captures, texts)
		p.patterns = append(p.patterns, pp)
	}
	for i := range p.patterns {
		if err := p.readPattern(i); err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
	}
	root, err := p.compile(r.When)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	p.root = root
	p.window = max(r.Window.Milliseconds(), 0)
	if p.window == 0 {
		p.window = max(root.span, 1)
	}
	p.finish(r)
	if err := p.readClosing(r); err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return p, nil
}

func (p *plan) readPattern(i int) error {
	pp := &p.patterns[i]
	if pp.join != nil {
		for _, ref := range pp.join.Refs() {
			if ref.Pattern == "" {
				continue
			}
			of, ok := p.byName[ref.Pattern]
			if !ok {
				return fmt.Errorf("pattern %s compares with %s, which is no pattern: %w", pp.name, ref.Pattern, errPlan)
			}
			p.joined |= 1 << of
		}
	}
	if pp.having == nil {
		return nil
	}
	for _, a := range pp.having.Aggregates() {
		if a.Arg == nil || a.Pattern != "" && a.Pattern != pp.name {
			continue
		}
		c, ok := pp.index[a.Arg.String()]
		if !ok {
			continue
		}
		if pp.aggregated == nil {
			pp.aggregated = map[*expr.Aggregate]int{}
		}
		pp.aggregated[a] = c
		if a.Func == "distinct" {
			pp.tallied = append(pp.tallied, c)
			continue
		}
		if runs, orders := a.Runs(); runs {
			pp.runs(c, orders)
		}
	}
	return nil
}

// runs takes notice that aggregates of a capture are to be kept.
func (pp *patternPlan) runs(capture int, ordered bool) {
	for i := range pp.running {
		if r := &pp.running[i]; r.capture == capture {
			r.ordered = r.ordered || ordered
			return
		}
	}
	pp.running = append(pp.running, runningPlan{capture: capture, ordered: ordered})
}

func (p *plan) finish(r *rule.Rule) {
	root := p.root
	// `and not` looks at windows that begin at the completion.
	root.lookAhead(p.window)
	p.positive = root.patterns
	p.candidates, p.shift = root.ends()
	p.monotone = root.monotone
	p.ahead = root.ahead
	p.horizon = add(p.window, root.lookBehind(p.window, true))
	if f := r.FirstSeen; f != nil {
		p.monotone = false
		p.firstSeen = &firstSeen{within: f.Within.Milliseconds(), learn: f.Learn.Milliseconds()}
		p.firstSeen.capture = p.patterns[0].index[f.Value.String()]
		p.patterns[0].tallied = []int{p.firstSeen.capture}
		p.horizon = max(p.horizon, p.firstSeen.within)
	}
	if r.Chained() {
		p.monotone = false
	}
	if !p.monotone {
		p.ahead = max(p.ahead, 1)
	}
	p.least = 1
	if having := p.patterns[0].having; len(p.patterns) == 1 && p.slides() && having != nil {
		p.least = having.Least()
	}
	p.horizon = add(p.horizon, p.ahead)
	for i := range p.patterns {
		if root.possible(1 << i) {
			p.alone |= 1 << i
		}
	}
}

// ends gives the patterns at whose times the whole condition is judged, and how far behind them it is fulfilled:
// D of a `then not` at its end.
func (n *cond) ends() (candidates uint64, shift int64) {
	if n.kind != kindThen || len(n.trailing) == 0 {
		return n.patterns, 0
	}
	for _, a := range n.trailing {
		shift = max(shift, a.within)
	}
	return n.steps[len(n.steps)-1].node.completers, shift
}

// possible says whether the condition can hold when only these patterns have events.
func (n *cond) possible(patterns uint64) bool {
	switch n.kind {
	case kindRef:
		return patterns&(1<<n.pattern) != 0
	case kindOr:
		for _, kid := range n.kids {
			if kid.possible(patterns) {
				return true
			}
		}
		return false
	case kindThen:
		for _, s := range n.steps {
			if !s.node.possible(patterns) {
				return false
			}
		}
	case kindAnd:
		for _, kid := range n.kids {
			if !kid.possible(patterns) {
				return false
			}
		}
	}
	return true
}

// lookBehind gives how far before the firing's window the condition looks: an `and not` inside of it looks at windows
// that begin before their completion, which may lie anywhere in the firing's. atEnd says that n is judged at the firing's time.
func (n *cond) lookBehind(w int64, atEnd bool) int64 {
	behind := int64(0)
	for _, kid := range n.kids {
		behind = max(behind, kid.lookBehind(w, atEnd))
	}
	for _, not := range n.nots {
		before := w
		if atEnd {
			before = 0
		}
		behind = max(behind, add(before, not.lookBehind(w, true)))
	}
	for i, s := range n.steps {
		last := i == len(n.steps)-1 && s.within == 0 && len(n.trailing) == 0
		behind = max(behind, s.node.lookBehind(w, atEnd && last))
		for _, a := range s.before {
			behind = max(behind, a.node.lookBehind(w, false))
		}
	}
	for _, a := range n.trailing {
		behind = max(behind, a.node.lookBehind(w, false))
	}
	return behind
}

// lookAhead sets how far behind its time the watermark must be for the condition to be known for good; 0: at once.
func (n *cond) lookAhead(w int64) {
	for _, kid := range n.kids {
		kid.lookAhead(w)
		n.ahead = max(n.ahead, kid.ahead)
	}
	for _, not := range n.nots {
		not.lookAhead(w)
		n.ahead = max(n.ahead, add(w, not.ahead))
	}
	for _, s := range n.steps {
		s.node.lookAhead(w)
		n.ahead = max(n.ahead, s.node.ahead)
		for _, a := range s.before {
			a.node.lookAhead(w)
			n.ahead = max(n.ahead, a.node.ahead)
		}
	}
	for _, a := range n.trailing {
		a.node.lookAhead(w)
		n.ahead = max(n.ahead, add(a.within, a.node.ahead))
	}
}

// slotOf gives the start of the slot that holds t.
func (p *plan) slotOf(t int64) int64 {
	r := t % p.per
	if r < 0 {
		r += p.per
	}
	if t < window.MinTime+r {
		return window.MinTime
	}
	return t - r
}

// scope names the watermark that the rule follows.
func (p *plan) scope(tenancy string) string {
	// An incident of a rule that crosses tenancies has none.
	if p.rule.Scope == rule.ScopeAll || p.chained && tenancy == "" {
		return scopeAll
	}
	return tenancy
}

// scopeAll is the scope of rules that cross tenancies; no tenancy has this name.
const scopeAll = "*"

// patternNames gives the names of the patterns in mask.
func (p *plan) firstPattern(mask uint64) string {
	if i := bits.TrailingZeros64(mask); i < len(p.patterns) {
		return p.patterns[i].name
	}
	return ""
}

// add gives a + b, and stops at the bounds of time.
func add(a, b int64) int64 {
	switch {
	case b > 0 && a > window.MaxTime-b:
		return window.MaxTime
	case b < 0 && a < window.MinTime-b:
		return window.MinTime
	}
	return a + b
}

func timeOf(t int64) event.Time { return event.Time(t) }
