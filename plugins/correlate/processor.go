package correlate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

// correlator is what the processor needs of an engine.
type correlator interface {
	MayMatch(f event.Facts) bool
	Observe(ctx context.Context, events []*event.Event) ([]engine.Outcome, error)
	Advance(ctx context.Context, tick watermark.Tick) ([]*incident.Incident, error)
	SetLists(lists map[string]match.List)
	Reload(rules []*rule.Rule) error
	Stats() engine.Stats
}

const (
	// openTimeout is how long the state may take to be opened at the start.
	openTimeout = time.Minute
	// Waits between two attempts to load or save state.
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

var errSecond = errors.New("this stream has another correlate, and the ticks of correlate_source reach only the first: " +
	"put all rules into one, or make two streams")

// processor is safe for any number of threads: Benthos gives one instance to all of them.
type processor struct {
	engine     correlator
	mapper     *mapper
	candidates *candidates
	lists      *lists
	config     config
	res        *service.Resources
	watch      *ruleWatch
	flood      *flood // nil where there are no bounds
	forward    forward
	tracker    *watermark.Tracker
	timed      []string // ids of rules that need a clock
	life       *lifetime
	metrics    *metrics
	learning   *learning
	log        *service.Logger
	release    func()

	started sync.Once
	trouble atomic.Pointer[string] // why state cannot be loaded or saved at present
	known   sync.Map               // causes of mapping errors that were logged
	causes  atomic.Int64           // how many
}

func newProcessor(c config, res *service.Resources) (*processor, error) {
	// Before the files are read: a change meanwhile is seen later.
	watch := newRuleWatch(c, res)
	set, err := load(c, res, nil)
	if err != nil {
		return nil, err
	}
	p := &processor{
		lists:   set.lists,
		config:  c,
		res:     res,
		watch:   watch,
		flood:   newFlood(c.floodPerRule, c.floodTotal, c.floodWindow),
		forward: c.forward,
		tracker: progress.Of(res),
		timed:   set.timed,
		life:    &lifetime{extra: c.stateTTL, maxFuture: c.maxFuture},
		metrics: newMetrics(res),
		log:     res.Logger(),
		mapper:  newMapper(c.mappingText, c.mapping),
	}
	claim, err := claimState(res, c.stateCache)
	if err != nil {
		return nil, err
	}
	if p.tracker.Clocked() && p.tracker.Listeners() > 0 {
		claim.release()
		return nil, errSecond
	}
	// Benthos gives constructors no context; a cache that does not answer must not hang the start.
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	e, err := p.open(ctx, c, set, claim.prefix, res)
	if err != nil {
		claim.release()
		return nil, err
	}
	p.engine = e
	p.learning = newLearning(p.metrics, p.log)
	p.learning.watch(set.rules)
	p.candidates = newCandidates(e.MayMatch, p.mapper)
	leave := p.tracker.Listen(c.lateness, c.maxFuture)
	p.release = func() { leave(); claim.release() }
	stats := e.Stats()
	for _, at := range stats.Watermarks {
		p.life.saw(at, time.Now())
	}
	p.tracker.Restore(watermark.Saved{Known: e.Known(ctx), Watermarks: stats.Watermarks, All: stats.All})
	return p, nil
}

func (p *processor) open(ctx context.Context, c config, set ruleSet, prefix string, res *service.Resources) (*engine.Engine, error) {
	var store engine.Store
	if c.stateCache == "" {
		p.log.Warn("Keeping state in memory: open windows and undelivered incidents are lost with the process; set state_cache")
	} else {
		var err error
		if store, err = openStore(ctx, res, c.stateCache, prefix, p.life); err != nil {
			return nil, err
		}
		if err := p.flood.resume(ctx, store); err != nil {
			return nil, err
		}
	}
	e, err := engine.New(ctx, engine.Options{
		Rules:         set.rules,
		Lists:         set.lists.current(),
		Store:         store,
		Lateness:      c.lateness,
		MaxMemory:     c.maxMemory,
		MaxFuture:     c.maxFuture,
		IncidentsFrom: c.incidentsFrom,
		Emit:          c.emit,
		UpdateEvery:   c.updateEvery,
		Metrics:       p.metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the rules: %w", err)
	}
	return e, nil
}

// ProcessBatch takes events and ticks, and gives incidents and whatever is forwarded.
// What changed by the batch is saved when it returns.
func (p *processor) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	now := time.Now()
	p.started.Do(func() { p.warnOfClock(p.timed) })
	p.watch.refresh(now, p.reload)
	if changed, ok := p.lists.refresh(now); ok {
		p.engine.SetLists(changed)
		p.candidates.reset()
	}
	work := p.sort(batch)
	outcomes, err := p.observe(ctx, work.events)
	if err != nil {
		return nil, err
	}
	var out service.MessageBatch
	next := 0
	for i, msg := range batch {
		switch work.kinds[i] {
		case tickMessage:
			incidents, err := p.advance(ctx, msg)
			if err != nil {
				return nil, err
			}
			out = p.add(out, msg, incidents)
		case failedMessage:
			out = append(out, msg)
		case otherMessage:
			out = p.pass(out, msg, false)
		case eventMessage:
			o := outcomes[next]
			next++
			out = p.pass(out, msg, o.Late)
			out = p.add(out, msg, o.Incidents)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return []service.MessageBatch{out}, nil
}

type messageKind uint8

const (
	otherMessage  messageKind = iota // no rule can match it
	eventMessage                     // its event is among those to be observed
	failedMessage                    // it has an error and leaves untouched
	tickMessage
)

// work is a batch, sorted out.
type work struct {
	kinds  []messageKind
	events []*event.Event // of the messages of kind eventMessage, in their order
}

func (p *processor) sort(batch service.MessageBatch) work {
	w := work{kinds: make([]messageKind, len(batch))}
	candidates, now := 0, time.Now()
	mapped := p.mapper.of(batch)
	for i, msg := range batch {
		if _, ok := msg.MetaGetImmut(watermark.MetaTick); ok {
			w.kinds[i] = tickMessage
			continue
		}
		if msg.GetError() != nil {
			w.kinds[i] = failedMessage
			continue
		}
		if !p.candidate(msg) {
			continue
		}
		candidates++
		ev, err := mapped.event(i)
		if err != nil {
			p.unmapped(err)
			msg.SetError(err)
			w.kinds[i] = failedMessage
			continue
		}
		if ev == nil {
			continue
		}
		if tenancy, ok := msg.MetaGet(metaTenancy); ok && tenancy != "" {
			// Whose API returned it, and whose watermark it moves by: a record may name its caller's tenancy, or none.
			ev.Tenancy = tenancy
		}
		p.life.saw(ev.Time, now)
		w.kinds[i] = eventMessage
		w.events = append(w.events, ev)
	}
	p.metrics.events.Incr(int64(len(batch)))
	p.metrics.candidates.Incr(int64(candidates))
	return w
}

// maxCauses bounds the causes of mapping errors that are told apart in the log.
const maxCauses = 20

// unmapped counts a message that could not be mapped, and logs each cause once: the messages go on to the dead letters.
// What the cause quotes of a message is not logged.
func (p *processor) unmapped(err error) {
	p.metrics.failed.Incr(1)
	cause := "event_mapping failed on it"
	var e *normalize.Error
	if errors.As(err, &e) {
		cause = e.What
	}
	if p.causes.Load() >= maxCauses {
		return
	}
	if _, known := p.known.LoadOrStore(cause, true); known {
		return
	}
	p.causes.Add(1)
	p.log.Warnf("A message is no event (%s); it leaves with its error, and so do others like it", cause)
}

// candidate says whether a rule could match the message. It decodes nothing.
func (p *processor) candidate(msg *service.Message) bool {
	if !p.mapper.facts || onlyStructured(msg) {
		return true
	}
	b, err := msg.AsBytes()
	return err != nil || p.candidates.is(b)
}

// observe gives the outcomes of events; it returns an error only when ctx has ended.
func (p *processor) observe(ctx context.Context, events []*event.Event) (outcomes []engine.Outcome, err error) {
	if len(events) == 0 {
		return nil, nil
	}
	err = p.untilSaved(ctx, func() (err error) {
		outcomes, err = p.engine.Observe(ctx, events)
		return err
	})
	matched := 0
	for _, o := range outcomes {
		if o.Matched {
			matched++
		}
	}
	p.metrics.matched.Incr(int64(matched))
	return outcomes, err
}

func (p *processor) advance(ctx context.Context, msg *service.Message) (incidents []*incident.Incident, err error) {
	tick, ok := p.tick(msg)
	if !ok {
		return nil, nil
	}
	err = p.untilSaved(ctx, func() (err error) {
		incidents, err = p.engine.Advance(ctx, tick)
		return err
	})
	stats := p.engine.Stats()
	p.metrics.records.Set(int64(stats.Records))
	p.metrics.bytes.Set(stats.Bytes)
	p.metrics.evidence.Set(stats.EvidenceLost)
	if err == nil && !tick.Final { // at the end all time has passed, and nothing was learned by that
		p.learning.passed(stats)
	}
	return incidents, err
}

// tick reads what a tick says. Ticks are ours; only a mapping could have broken one, and then it must not stop the stream.
func (p *processor) tick(msg *service.Message) (watermark.Tick, bool) {
	v, _ := msg.MetaGetImmut(watermark.MetaTick)
	text, _ := v.(string)
	var tick watermark.Tick
	if err := json.Unmarshal([]byte(text), &tick); err != nil {
		p.log.Errorf("Ignoring a tick that something has changed: %v", err)
		return tick, false
	}
	return tick, true
}

// untilSaved repeats what needs the state until it works: a failure of the state is never a message's error.
// It returns an error only when ctx has ended; then nothing of the batch leaves and all of it comes again.
func (p *processor) untilSaved(ctx context.Context, attempt func() error) error {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := attempt()
		if err == nil {
			p.recovered()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.failing(err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// failing counts a failure, and logs it once per cause.
func (p *processor) failing(err error) {
	p.metrics.stateErrors.Incr(1)
	p.metrics.stateFailing.Set(1)
	cause := err.Error()
	if old := p.trouble.Swap(&cause); old == nil || *old != cause {
		p.log.Errorf("The stream waits until state can be loaded and saved: %v", err)
	}
}

func (p *processor) recovered() {
	if p.trouble.Load() != nil && p.trouble.Swap(nil) != nil {
		p.metrics.stateFailing.Set(0)
		p.log.Info("State can be loaded and saved again")
	}
}

// pass appends a message that came in, if it is to leave.
func (p *processor) pass(out service.MessageBatch, msg *service.Message, late bool) service.MessageBatch {
	switch {
	case late && p.forward.late:
		return append(out, marked(msg, watermark.TypeLate))
	case p.forward.events:
		return append(out, marked(msg, watermark.TypeEvent))
	}
	return out
}

func (p *processor) add(out service.MessageBatch, from *service.Message, incidents []*incident.Incident) service.MessageBatch {
	if !p.forward.incidents {
		return out
	}
	for _, inc := range p.flood.pass(incidents, func(rule string) { p.metrics.flooded.Incr(1, rule) }) {
		out = append(out, messageOf(inc, from))
	}
	return out
}

// Close lets another correlator take over the state.
func (p *processor) Close(context.Context) error {
	p.release()
	return nil
}
