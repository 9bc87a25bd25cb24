package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

// shapes are the conditions that histories are judged by. %d stand for numbers of seconds or events.
var shapes = []string{
	"window: {W}\nmatch: {unmapped.p: a}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: count() >= {N}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: distinct(unmapped.v) >= {N}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: count() >= {N} and distinct(unmapped.v) > 1 or max(unmapped.v) > 3",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: count() == {N}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: avg(unmapped.v) > {N} or distinct(unmapped.v) < 2 and count() > 1",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: sum(unmapped.v) >= 7 and median(unmapped.v) < 3",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: percentile(unmapped.v, 50) >= 2 and count(unmapped.v) >= {N} or min(unmapped.v) > 3",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: max(unmapped.v) - min(unmapped.v) >= 2 and avg(unmapped.v) < {N}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: sum(nonnegative(unmapped.v)) >= 7 or min(unmapped.v) < 1",
	"window: {W}\npatterns: {A, B}\nwhen: a and b",
	"window: {W}\npatterns: {A{N}, B}\nwhen: a or b",
	"window: {W}\npatterns: {A{N}, B}\nwhen: a and b",
	"window: {W}\npatterns: {A, B}\nwhen: a then b",
	"window: {W}\npatterns: {A{N}, B}\nwhen: a then b",
	"window: {W}\npatterns: {A, B{N}}\nwhen: a then b",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then b then c",
	"window: {W}\npatterns: {A, B{N}, C}\nwhen: a then b within {D} then c within {E}",
	"patterns: {A, B}\nwhen: a then b within {D}",
	"patterns: {A, B, C}\nwhen: a then b within {D} then c within {E}",
	"window: {W}\npatterns: {A, B{N}}\nwhen: a then b within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: (a and b) then c",
	"window: {W}\npatterns: {A, B, C}\nwhen: (a or b) then c within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then (b or c)",
	"window: {W}\npatterns: {A, B, C}\nwhen: (a then b within {D}) and c",
	"window: {W}\npatterns: {A, B, C}\nwhen: (a then b) then c within {D}",
	"window: {W}\npatterns: {A, B}\nwhen: a and not b",
	"window: {W}\npatterns: {A{N}, B}\nwhen: a and not b",
	"window: {W}\npatterns: {A, B{N}}\nwhen: a and not b",
	"window: {W}\npatterns: {A, B!}\nwhen: a and not b",
	"window: {W}\npatterns: {A, B, C}\nwhen: a and c and not b",
	"window: {W}\npatterns: {A, B, C}\nwhen: a and not (b then c)",
	"window: {W}\npatterns: {A, B}\nwhen: a then not b within {D}",
	"patterns: {A, B}\nwhen: a then not b within {D}",
	"window: {W}\npatterns: {A, B}\nwhen: a then not b",
	"window: {W}\npatterns: {A{N}, B}\nwhen: a then not b within {D}",
	"window: {W}\npatterns: {A, B{N}}\nwhen: a then not b within {D}",
	"window: {W}\npatterns: {A, B!}\nwhen: a then not b within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then b then not c within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then b within {E} then not c within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then not b then c",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then not b within {D} then c within {E}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then not (b or c) within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: (a and not b) then c",
	"window: {W}\npatterns: {A!, B}\nwhen: a then b",
	"window: {W}\npatterns: {A, B!, C}\nwhen: a then b then c",
	"window: {W}\nmatch: {unmapped.p: a}\nfirst_seen: {value: unmapped.v, within: {D}, learn: {E}}",
	"window: {W}\npatterns: {A^, B}\nwhen: a then b",
	"window: {W}\npatterns: {A^, B^}\nwhen: a and b",
	"window: {W}\npatterns: {A^, B, C}\nwhen: (a or b) then c",
	"window: {W}\npatterns: {A^, B}\nwhen: a then not b within {D}",
	"window: {W}\npatterns: {A, B~}\nwhen: a then b",
	"window: {W}\npatterns: {A, B~}\nwhen: a and b",
	"window: {W}\npatterns: {A, B~, C}\nwhen: a then b within {D} then c",
	"window: {W}\npatterns: {A, B~}\nwhen: a then not b within {D}",
	"window: {W}\npatterns: {A, B~, C}\nwhen: a then c then not b within {D}",
	"window: {W}\nmatch: {unmapped.p: a}|, close_on: {match: {unmapped.p: b}}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: count() >= {N}|, close_on: {match: {unmapped.p: b}, having: count() >= {N}}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: count() == {N}|, close_on: {match: {unmapped.p: b}, having: count() == 1}",
	"window: {W}\nmatch: {unmapped.p: a}|, close_after: {D}",
	"window: {W}\nmatch: {unmapped.p: a}\nhaving: avg(unmapped.v) > 2|, close_after: {D}, close_on: {match: {unmapped.p: b}}, update_every: {E}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then b|, close_on: c",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then not b within {D}|, close_on: c",
	"window: {W}\npatterns: {A, B, C}\nwhen: a then not b within {D}|, close_on: b then c, close_after: {E}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a and not b|, close_on: b or c",
	"window: {W}\npatterns: {A, B, C}\nwhen: a|, close_on: b and not c",
	"window: {W}\npatterns: {A, B, C}\nwhen: a|, close_on: b then not c within {D}",
	"window: {W}\npatterns: {A, B, C}\nwhen: a and not c|, close_on: a then b then not c within {D}",
	"window: {W}\nmatch: {unmapped.p: a}\nfirst_seen: {value: unmapped.v, within: {D}, learn: {E}}|, close_on: {match: {unmapped.p: b}}",
}

// shape fills one in: A is a pattern, A{N} one that wants N events, A! one that wants exactly one,
// B^ one that wants N different values, B~ one whose v is at least that of a.
func shape(t *rapid.T) string {
	text := rapid.SampledFrom(shapes).Draw(t, "shape")
	n := rapid.IntRange(2, 3).Draw(t, "n")
	for _, p := range []string{"A", "B", "C"} {
		name := strings.ToLower(p)
		match := fmt.Sprintf("%s: {match: {unmapped.p: %s}", name, name)
		text = strings.ReplaceAll(text, p+"{N}", match+fmt.Sprintf(", having: count() >= %d}", n))
		text = strings.ReplaceAll(text, p+"!", match+", having: count() == 1}")
		text = strings.ReplaceAll(text, p+"^", match+fmt.Sprintf(", having: distinct(unmapped.v) >= %d}", n))
		text = strings.ReplaceAll(text, p+"~", match+", where: unmapped.v >= a.unmapped.v}")
		for _, end := range []string{",", "}"} {
			text = strings.ReplaceAll(text, "{"+p+end, "{"+match+"}"+end)
			text = strings.ReplaceAll(text, " "+p+end, " "+match+"}"+end)
		}
	}
	for _, name := range []string{"{W}", "{D}", "{E}"} {
		text = strings.ReplaceAll(text, name, fmt.Sprintf("%ds", rapid.IntRange(1, 10).Draw(t, name)))
	}
	text = strings.ReplaceAll(text, "{N}", strconv.Itoa(n))
	per := rapid.SampledFrom([]string{"5s", "20s", "24h"}).Draw(t, "per")
	text, closing, _ := strings.Cut(text, "|")
	return text + "\nincident: {title: t, per: " + per + closing + "}"
}

// drawHistory draws events on a grid of half seconds, so that boundaries are met often.
func drawHistory(t *rapid.T, patterns int) []seen {
	one := rapid.Custom(func(t *rapid.T) seen {
		s := seen{patterns: map[int]bool{}, key: rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "key")}
		s.time = zero + 500*event.Time(rapid.IntRange(0, 60).Draw(t, "time")) + event.Time(rapid.SampledFrom([]int{0, 0, 0, 0, 1, -1}).Draw(t, "ms"))
		s.patterns[rapid.IntRange(0, patterns-1).Draw(t, "pattern")] = true
		if rapid.IntRange(0, 5).Draw(t, "both") == 0 {
			s.patterns[rapid.IntRange(0, patterns-1).Draw(t, "second")] = true
		}
		s.v = int64(rapid.IntRange(0, 4).Draw(t, "v"))
		return s
	})
	list := rapid.SliceOfN(one, 0, 14).Draw(t, "history")
	for i := range list {
		list[i].id = fmt.Sprintf("e%02d", i)
	}
	return list
}

func (s seen) event(t testing.TB) *event.Event {
	names := ""
	for p := range 3 {
		if s.patterns[p] {
			names += string(rune('a' + p))
		}
	}
	return eventOf(t, []string{s.time.Sub(zero).String(), s.id, names, s.key, fmt.Sprintf("v=%d", s.v)})
}

// ledger keeps what leaves an engine, as a sink that upserts by id would.
type ledger struct {
	mu     sync.Mutex
	latest map[string]*incident.Incident
	wrong  string
	// only names the rule whose incidents are kept; "" for all.
	only string
}

func (l *ledger) take(list []*incident.Incident) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, inc := range list {
		if l.only != "" && inc.Rule.ID != l.only {
			continue
		}
		old := l.latest[inc.ID]
		if old != nil && old.Revision == inc.Revision && content(old) != content(inc) {
			l.wrong = fmt.Sprintf("two contents in one revision:\n%s\n%s", show(old), show(inc))
		}
		if old == nil || inc.Revision >= old.Revision {
			l.latest[inc.ID] = inc
		}
	}
}

func content(inc *incident.Incident) string {
	return fmt.Sprintf("%v slot %d count %d first %d last %d", inc.Key[0], inc.Slot-zero, inc.Count, inc.First-zero, inc.Last-zero)
}

func (l *ledger) settled() map[string]string {
	out := map[string]string{}
	for id, inc := range l.latest {
		out[id] = content(inc) + evidenceIDs(inc)
		if inc.Action == incident.Close {
			out[id] += fmt.Sprintf(" closed %d", inc.Closed-zero)
		}
	}
	return out
}

func evidenceIDs(inc *incident.Incident) string {
	var b strings.Builder
	for _, v := range inc.Evidence {
		b.WriteString(" " + v.ID)
	}
	return b.String()
}

// TestEngineAgreesWithDefinition feeds histories in any order, in batches of any size, with events and whole batches
// that come again, ticks in between, saves that fail and restarts, and compares what is left with the definition.
func TestEngineAgreesWithDefinition(t *testing.T) {
	checkHistories(t, func(rt *rapid.T) {
		text := shape(rt)
		r := parseRule(t, text)
		events := drawHistory(rt, len(r.Patterns))
		want := settledByDefinition(r, events, "t1")
		got := replay(rt, t, []*rule.Rule{r}, events, EmitOptions{Create: true, Update: true, Close: true})
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s\n%s\n(-definition +engine)\n%s", text, describe(events), diff)
		}
	})
}

func describe(events []seen) string {
	list := slices.Clone(events)
	slices.SortFunc(list, byTime)
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%v %s %v %s v=%d\n", s.time.Sub(zero), s.id, s.patterns, s.key, s.v)
	}
	return b.String()
}

// TestCreateAloneNamesEveryIncident leaves out updates and closes: each incident of the definition leaves at least once,
// and none besides.
func TestCreateAloneNamesEveryIncident(t *testing.T) {
	checkHistories(t, func(rt *rapid.T) {
		text := shape(rt)
		r := parseRule(t, text)
		events := drawHistory(rt, len(r.Patterns))
		want := slices.Sorted(maps.Keys(settledByDefinition(r, events, "t1")))
		got := slices.Sorted(maps.Keys(replay(rt, t, []*rule.Rule{r}, events, EmitOptions{Create: true})))
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("%s\n%s\n(-definition +engine)\n%s", text, describe(events), diff)
		}
	})
}

// player feeds an engine in a random way.
type player struct {
	rt    *rapid.T
	t     *testing.T
	opt   Options
	e     *Engine
	store *testStore
	out   *ledger
	boot  int
	chunk int
	// inMemory players have no store: nothing of theirs fails, and they never restart.
	inMemory bool
	ticks    int
	acked    []string
	mark     event.Time
	// sets are rules to reload; none where they stay.
	sets [][]*rule.Rule
}

// replay feeds a history in a random way and gives the settled set.
func replay(rt *rapid.T, t *testing.T, rules []*rule.Rule, events []seen, emit EmitOptions) map[string]string {
	return replayReloading(rt, t, [][]*rule.Rule{rules}, events, emit)
}

// replayReloading does the same with rules that are those of one of the sets, and those of another one later.
func replayReloading(rt *rapid.T, t *testing.T, sets [][]*rule.Rule, events []seen, emit EmitOptions) map[string]string {
	p := &player{rt: rt, t: t, store: newStore(), out: &ledger{latest: map[string]*incident.Incident{}}, mark: zero - 1000_000}
	p.opt = Options{Rules: sets[0], Emit: emit}
	if p.sets = sets; len(sets) > 1 {
		// The others are not there all the time: they find what they see, and forget it when they go.
		p.out.only = sets[0][0].ID
	}
	p.inMemory = rapid.IntRange(0, 2).Draw(rt, "in memory") == 0
	p.opt.UpdateEvery = []event.Time{0, 0, 3000}[rapid.IntRange(0, 2).Draw(rt, "update every")].Sub(0)
	if !p.inMemory {
		p.opt.Store = p.store
		p.opt.MaxMemory = []int64{0, 0, 1}[rapid.IntRange(0, 2).Draw(rt, "memory")]
	}
	p.chunk = []int{chunkSize, 2}[rapid.IntRange(0, 1).Draw(rt, "small rows")]
	p.start()
	p.tick(false)
	left := rapid.Permutation(events).Draw(rt, "order")
	if rapid.Bool().Draw(rt, "nearly in order") {
		slices.SortStableFunc(left, func(a, b seen) int { return cmp.Compare(a.time/4000, b.time/4000) })
	}
	var before []*event.Event
	for len(left) > 0 {
		p.reload()
		n := rapid.IntRange(1, len(left)).Draw(rt, "batch")
		var batch []*event.Event
		for _, s := range left[:n] {
			batch = append(batch, s.event(t))
		}
		left = left[n:]
		if len(before) > 0 && rapid.IntRange(0, 2).Draw(rt, "repeat") == 0 {
			batch = append(batch, before[rapid.IntRange(0, len(before)-1).Draw(rt, "which")])
		}
		p.observe(batch)
		before = append(before, batch...)
		switch rapid.IntRange(0, 7).Draw(rt, "then") {
		case 0:
			p.restart()
		case 1:
			p.observe(batch)
		case 2:
			p.restart()
			p.observe(batch)
		case 3, 4, 5:
			least := event.MaxTime
			for _, s := range left {
				least = min(least, s.time)
			}
			if least != event.MaxTime {
				p.mark = max(p.mark, least)
			}
			p.tick(false)
		}
	}
	p.tick(true)
	if p.out.wrong != "" {
		rt.Fatal(p.out.wrong)
	}
	return p.out.settled()
}

func (p *player) start() {
	e, err := New(context.Background(), p.opt)
	if err != nil {
		p.t.Fatal(err)
	}
	p.e = e
	p.boot++
	p.shorten()
}

// shorten makes the rows of the store as short as the history wants them.
func (p *player) shorten() {
	rules := p.e.rules.Load()
	for _, of := range slices.Concat(rules.plans, rules.units) {
		if !p.inMemory {
			of.chunk = p.chunk
		}
	}
}

// rest makes everything rest that can, now and then.
func (p *player) rest() {
	if !p.inMemory || rapid.Bool().Draw(p.rt, "rest") {
		return
	}
	all := map[uint32]bool{}
	for _, state := range p.e.states.all() {
		all[state.number] = true
	}
	for i := range p.e.shards {
		p.e.layShard(&p.e.shards[i], all)
		if n := len(p.e.shards[i].records); n > 0 {
			p.rt.Fatalf("%d records do not rest", n)
		}
	}
	if p.e.memory.records.Load() > 0 {
		p.e.sweep(shardCount)
	}
}

// reload swaps the rules, now and then.
func (p *player) reload() {
	if len(p.sets) == 1 || rapid.Bool().Draw(p.rt, "keep") {
		return
	}
	p.opt.Rules = rapid.SampledFrom(p.sets).Draw(p.rt, "rules")
	if rapid.Bool().Draw(p.rt, "restart") {
		p.restart()
	}
	if err := p.e.Reload(p.opt.Rules); err != nil {
		p.t.Fatal(err)
	}
	p.shorten()
}

func (p *player) restart() {
	if p.inMemory {
		return
	}
	p.acked = nil
	p.start()
	p.tick(false)
}

// failure chooses what the store will do wrong next.
func (p *player) failure() string {
	if p.inMemory {
		return ""
	}
	p.store.part = rapid.IntRange(0, 12).Draw(p.rt, "part")
	return rapid.SampledFrom([]string{"save", "load", "part"}).Draw(p.rt, "what")
}

// observe gives a batch until it is taken.
func (p *player) observe(batch []*event.Event) {
	if rapid.IntRange(0, 5).Draw(p.rt, "fail") == 0 {
		p.store.failing = p.failure()
	}
	outcomes, err := p.e.Observe(context.Background(), batch)
	p.store.failing = ""
	if err != nil {
		if rapid.Bool().Draw(p.rt, "die") {
			p.restart()
			// The input may cut what comes again into other batches.
			p.take(batch[:rapid.IntRange(0, len(batch)).Draw(p.rt, "first")])
		}
		if outcomes, err = p.e.Observe(context.Background(), batch); err != nil {
			p.rt.Fatal(err)
		}
	}
	p.heed(batch, outcomes)
	p.rest()
}

// take gives a batch that nothing befalls.
func (p *player) take(batch []*event.Event) {
	outcomes, err := p.e.Observe(context.Background(), batch)
	if err != nil {
		p.rt.Fatal(err)
	}
	p.heed(batch, outcomes)
}

func (p *player) heed(batch []*event.Event, outcomes []Outcome) {
	for i, o := range outcomes {
		if o.Late && batch[i].Time >= p.mark {
			p.rt.Fatalf("%s is late", batch[i].ID)
		}
		p.out.take(o.Incidents)
	}
}

// tick gives a tick until it is taken; sometimes its message is lost, and what it fired leaves with a later one.
func (p *player) tick(final bool) {
	p.ticks++
	tick := watermark.Tick{
		Number: strconv.Itoa(p.ticks), Boot: strconv.Itoa(p.boot), Acked: p.acked,
		Tenancies: map[string]event.Time{"t1": p.mark}, All: p.mark, Final: final,
	}
	p.acked = nil
	if rapid.IntRange(0, 5).Draw(p.rt, "fail tick") == 0 {
		p.store.failing = p.failure()
	}
	list, err := p.e.Advance(context.Background(), tick)
	p.store.failing = ""
	for err != nil {
		if rapid.Bool().Draw(p.rt, "die") {
			p.start()
			tick.Boot = strconv.Itoa(p.boot)
		}
		list, err = p.e.Advance(context.Background(), tick)
	}
	switch rapid.IntRange(0, 3).Draw(p.rt, "delivery") {
	case 0: // nacked: the same tick comes again
		again, err := p.e.Advance(context.Background(), tick)
		if err != nil {
			p.rt.Fatal(err)
		}
		if diff := gocmp.Diff(texts(list), texts(again)); diff != "" {
			p.rt.Fatalf("the same tick gave something else (-first +second)\n%s", diff)
		}
	case 1: // the process ends before it is delivered
		if !final && !p.inMemory {
			p.start()
			p.acked = nil
			return
		}
	}
	p.acked = append(p.acked, tick.Number)
	p.out.take(list)
	p.rest()
}

func texts(list []*incident.Incident) []string {
	var out []string
	for _, inc := range list {
		out = append(out, show(inc))
	}
	return out
}
