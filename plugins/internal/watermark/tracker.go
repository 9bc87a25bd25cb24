package watermark

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"benthos-oci/plugins/internal/event"
)

// Tracker holds how far each partition of a stream's sources has been read and delivered.
//
// Inputs write to it and a clock reads it once in a while. It has no clock of its own: wall time comes in with Advance.
// All methods, and those of its sources and partitions, are safe for concurrent use and never block.
type Tracker struct {
	mu sync.Mutex // guards everything below, and all sources, partitions and batches

	sources    map[string]*Source
	partitions map[ID]*Partition
	limits     Limits
	lateness   time.Duration
	maxFuture  time.Duration
	listeners  int
	clocked    bool

	now     time.Time // of the last Advance
	began   time.Time // of the first
	started bool
	floor   map[string]event.Time // what was said last, by tenancy; it never goes back
	left    map[string]event.Time // how far a tenancy's partitions had come that are gone
	unread  map[string][]string   // what sources have ended without, by tenancy
	all     event.Time
	last    Reading
}

// Limits say for how long silence holds time.
type Limits struct {
	// MaxHold is how long a partition may be silent before time goes on without it.
	MaxHold time.Duration
	// IdleTimeout is how long nothing may come from a partition of a foreign source, with nothing in flight,
	// before its time runs on at the clock's speed; 0 means never.
	IdleTimeout time.Duration
	// Now gives the wall time when a batch is read, to tell events of the future; nil where nothing is to be judged.
	Now func() time.Time
}

// Source is one input.
type Source struct {
	t       *Tracker
	name    string
	bounded bool
	foreign bool
	named   bool // it has named a partition
	ended   bool
	down    bool // it cannot be read: its silence is no idleness
}

// Partition is a part of a source that is read in its own order: a region and compartment, or a partition of a topic.
type Partition struct {
	t        *Tracker
	id       ID
	restored bool // known from saved state, and its source has not named it yet
	inFlight []*batch
	front    event.Time // the largest event time before the oldest batch in flight
	stood    event.Time // where an earlier run left it; it runs on from there when it is idle
	moved    event.Time // where it has run on to, being idle
	spoke    bool       // since the last Advance
	heard    time.Time  // when it was last seen to speak, by the clock of Advance
	retired  bool
}

type batch struct {
	newest event.Time
	done   bool
}

// New gives a tracker without sources.
func New() *Tracker {
	return &Tracker{
		sources:    map[string]*Source{},
		partitions: map[ID]*Partition{},
		floor:      map[string]event.Time{},
		left:       map[string]event.Time{},
		unread:     map[string][]string{},
		all:        event.MinTime,
	}
}

// Listen says that a correlator follows the ticks of this stream, with the lateness it allows
// and how far in the future an event may lie and still move time. Of several correlators the largest lateness counts.
// The function it returns says that the correlator has gone; it may be called more than once.
func (t *Tracker) Listen(lateness, maxFuture time.Duration) (leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listeners == 0 {
		t.lateness, t.maxFuture = lateness, maxFuture
	}
	t.listeners++
	t.lateness = max(t.lateness, lateness)
	t.maxFuture = min(t.maxFuture, maxFuture)
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.listeners--
	})
}

// Listeners is the number of correlators that follow the ticks.
func (t *Tracker) Listeners() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.listeners
}

// Limit sets the limits; the clock calls it before anything is read.
func (t *Tracker) Limit(l Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits, t.clocked = l, true
}

// Clocked is true where the stream has a clock.
func (t *Tracker) Clocked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clocked
}

// Saved is what an earlier run knew of time.
type Saved struct {
	// Known names its partitions.
	Known []ID
	// Watermarks holds the watermark of each tenancy; All the least of them, event.MinTime where there is none.
	Watermarks map[string]event.Time
	All        event.Time
}

// Restore goes on from an earlier run. Watermarks do not fall below where they stood, and each of its partitions holds
// time until it has spoken, at most Limits.MaxHold. Partitions of sources that are not registered any more when time is
// first read are forgotten.
func (t *Tracker) Restore(saved Saved) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = max(t.all, saved.All)
	for tenancy, at := range saved.Watermarks {
		t.floor[tenancy] = max(at, t.floorOf(tenancy))
	}
	for _, id := range saved.Known {
		p := t.partitions[id]
		if p == nil && t.started && t.sources[id.Source] == nil {
			continue
		}
		if p == nil {
			p = newPartition(t, id)
			p.restored = true
			t.partitions[id] = p
		}
		at, ok := saved.Watermarks[id.Tenancy]
		if !ok {
			at = saved.All
		}
		p.stood = max(p.stood, at.Add(t.lateness))
	}
}

// Sources gives the number of registered sources.
func (t *Tracker) Sources() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sources)
}

// Ended is true when there were sources, and all have ended with everything delivered.
func (t *Tracker) Ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended()
}

func (t *Tracker) ended() bool {
	for _, s := range t.sources {
		if !s.ended {
			return false
		}
	}
	for _, p := range t.partitions {
		if len(p.inFlight) > 0 {
			return false
		}
	}
	return len(t.sources) > 0
}

// Register adds a source: an input that reports by itself what it reads. An input calls it in its constructor.
// A bounded source ends; it must call End. A name that is taken gets a number.
func (t *Tracker) Register(source string, bounded bool) *Source {
	return t.register(source, bounded, false)
}

// RegisterForeign adds a source that a clock reads on behalf of an input that reports nothing.
// Its partitions are idle after Limits.IdleTimeout.
func (t *Tracker) RegisterForeign(source string) *Source {
	return t.register(source, true, true)
}

func (t *Tracker) register(name string, bounded, foreign bool) *Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	unique := name
	for n := 2; t.sources[unique] != nil; n++ {
		unique = fmt.Sprintf("%s#%d", name, n)
	}
	s := &Source{t: t, name: unique, bounded: bounded, foreign: foreign}
	t.sources[unique] = s
	return s
}

// Name is the name under which the source is known.
func (s *Source) Name() string { return s.name }

// Partition gives the partition of that name; from now on time waits for it. Calling it again gives the same one.
func (s *Source) Partition(tenancy, name string) *Partition {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	id := ID{Source: s.name, Tenancy: tenancy, Name: name}
	p := s.t.partitions[id]
	if p == nil {
		p = newPartition(s.t, id)
		p.heard = s.t.now
		s.t.partitions[id] = p
	}
	p.restored, p.retired = false, false
	s.named = true
	return p
}

func newPartition(t *Tracker, id ID) *Partition {
	return &Partition{t: t, id: id, front: event.MinTime, stood: event.MinTime, moved: event.MinTime}
}

// Unread is a partition that an input has ended without: what would have come from it is missing for good.
type Unread struct {
	// Tenancy is "" where it was not found out.
	Tenancy string
	// Name is "" for all of the source.
	Name string
}

// End says that the source will give nothing more and that everything it gave was acked.
// What it could not read is named from then on beside what time goes on without.
func (s *Source) End(without ...Unread) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.ended = true
	for _, one := range without {
		name := s.name
		if one.Name != "" {
			name += "/" + one.Name
		}
		s.t.unread[one.Tenancy] = append(s.t.unread[one.Tenancy], name)
	}
}

// Down says whether the input cannot be read at present. While it is so its partitions hold time, as a silent partition does,
// and are not idle; afterwards they are heard anew.
func (s *Source) Down(down bool) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.down && !down {
		for id, p := range s.t.partitions {
			p.spoke = p.spoke || id.Source == s.name
		}
	}
	s.down = down
}

// Read says that a batch is about to leave the input whose newest event is at newest;
// event.MinTime where none of its events has a time. The function it returns says that the batch was acked;
// it may be called more than once, and is not called for a nack.
func (p *Partition) Read(newest event.Time) (done func()) {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	if p.t.future(newest) {
		newest = event.MinTime
	}
	b := &batch{newest: newest}
	p.inFlight = append(p.inFlight, b)
	p.spoke = true
	return func() {
		p.t.mu.Lock()
		defer p.t.mu.Unlock()
		b.done = true
		p.settle()
	}
}

// CaughtUp says that the source was read up to t and has nothing more at present.
// It counts once everything that was read before is acked.
func (p *Partition) CaughtUp(t event.Time) { p.Read(t)() }

// Retire says that the partition is gone, like a deleted compartment: time does not wait for it any more.
// What is still in flight is waited for.
func (p *Partition) Retire() {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	p.retired = true
}

// Believes says whether an event of that time may move time: it is not too far ahead of the clock.
// Of a batch with events that are not believed, Read is told the newest of the others.
func (t *Tracker) Believes(at event.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.future(at)
}

// future is true for a time too far ahead of the clock to be believed.
func (t *Tracker) future(at event.Time) bool {
	return t.listeners > 0 && t.limits.Now != nil && at > event.TimeOf(t.limits.Now()).Add(t.maxFuture)
}

func (p *Partition) settle() {
	p.spoke = true
	n := 0
	for n < len(p.inFlight) && p.inFlight[n].done {
		p.front = max(p.front, p.inFlight[n].newest)
		n++
	}
	p.inFlight = slices.Delete(p.inFlight, 0, n)
	if n > 0 && len(p.inFlight) == 0 {
		p.inFlight = nil
	}
}

// gone is true where the partition cannot hold time any more, whatever the clock says.
func (p *Partition) gone() bool {
	s := p.t.sources[p.id.Source]
	return len(p.inFlight) == 0 && (p.retired || s != nil && s.ended)
}
