package correlatesource

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/watermark"
)

// tickContent makes a tick an OCSF Base Event, so that a processor which normalizes every message lets it pass.
// What it says stands in its metadata.
const tickContent = `{"class_uid":0,"class_name":"Base Event","message":"tick of correlate_source","metadata":{"uid":"%s"},"time":0}`

// clock decides when a tick is due and what it says. One tick is on its way at a time.
type clock struct {
	tracker *watermark.Tracker
	log     *service.Logger
	boot    string

	lag, partitions, leftOut *service.MetricGauge

	mu     sync.Mutex // guards what follows
	number int64
	open   *tick          // on its way, or nil
	looked time.Time      // when the tracker was last asked
	untold []string       // numbers of acked ticks that no tick has told yet
	owing  bool           // one of them carried news, so that it may have fired something
	begun  bool           // the first tick of this boot was sent
	final  bool           // the last tick was acked
	known  []watermark.ID // as the last tick that named them did
	left   map[string][]string
}

// tick is one message of the clock.
type tick struct {
	number  string
	news    bool // it says more than which ticks were acked
	final   bool
	message *service.Message
}

func newClock(tracker *watermark.Tracker, res *service.Resources) *clock {
	m := res.Metrics()
	return &clock{
		tracker:    tracker,
		log:        res.Logger(),
		boot:       rand.Text(),
		lag:        m.NewGauge("correlate_source_watermark_lag_seconds"), // how far the least watermark is behind the clock
		partitions: m.NewGauge("correlate_source_partitions"),            // partitions that time waits for
		leftOut:    m.NewGauge("correlate_source_partitions_left_out"),   // partitions that were silent for longer than max_hold
	}
}

// next is how long to wait before the tracker is to be asked again.
func (c *clock) next(now time.Time, interval time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		return interval // its ack will wake the reader
	}
	return min(interval, max(time.Millisecond, interval-now.Sub(c.looked)))
}

// tick gives the tick that is due now, or nil. end is true when no tick will follow: everything has ended,
// the last tick was delivered, and correlate was told so.
func (c *clock) tick(now time.Time, interval time.Duration) (due *tick, end bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		return nil, false
	}
	// The end is looked at whenever something has happened, everything else once an interval.
	done := c.tracker.Ended()
	if !done && c.begun && now.Sub(c.looked) < interval {
		return nil, false
	}
	if c.tracker.Listeners() == 0 {
		// Nobody follows, or not yet: correlate may be built with the first message it gets.
		c.looked = now
		return nil, done
	}
	if c.final && !c.owing {
		return nil, true
	}
	c.looked = now
	r := c.tracker.Advance(now)
	c.report(now, r)
	news := !c.final && (r.Moved || !c.begun)
	if !news && !c.owing {
		return nil, false
	}
	c.begun = true
	return c.send(r, news), false
}

func (c *clock) send(r watermark.Reading, news bool) *tick {
	c.number++
	// Partitions may be thousands: they are told when they change.
	var known []watermark.ID
	if !slices.Equal(r.Known, c.known) {
		known, c.known = r.Known, r.Known
	}
	t := &tick{number: fmt.Sprintf("%s-%d", c.boot, c.number), news: news, final: r.Done}
	body, err := json.Marshal(watermark.Tick{
		Number:     t.number,
		Boot:       c.boot,
		Acked:      c.untold,
		Tenancies:  r.Tenancies,
		All:        r.All,
		Incomplete: r.Incomplete,
		Known:      known,
		Final:      r.Done,
	})
	if err != nil {
		// A tick holds strings and numbers only.
		c.log.Errorf("Writing a tick: %v", err)
		return nil
	}
	t.message = service.NewMessage(fmt.Appendf(nil, tickContent, t.number))
	t.message.MetaSetMut(watermark.MetaTick, string(body))
	t.message.MetaSetMut(watermark.MetaType, watermark.TypeTick)
	c.untold, c.owing = nil, false
	c.open = t
	return t
}

// acked takes note that t and what it fired were delivered.
func (c *clock) acked(t *tick) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = nil
	c.untold = append(c.untold, t.number)
	// What only told of acks needs no telling of its own, else ticks would never cease.
	c.owing = c.owing || t.news
	c.final = c.final || t.final
}

// report sets the metrics and says once that a partition was left out, and once that it is back.
func (c *clock) report(now time.Time, r watermark.Reading) {
	if r.All != event.MinTime {
		c.lag.Set(int64(now.Sub(r.All.Time()) / time.Second))
	}
	c.partitions.Set(int64(len(r.Known)))
	n := 0
	for _, tenancy := range slices.Sorted(maps.Keys(r.Incomplete)) {
		for _, name := range r.Incomplete[tenancy] {
			if slices.Contains(r.Unread[tenancy], name) {
				continue // its input has said so
			}
			n++
			if !slices.Contains(c.left[tenancy], name) {
				c.log.Warnf("Time goes on without %s%s: it has been silent for longer than max_hold; "+
					"rules that wait for absence may miss what it would have brought", name, of(tenancy))
			}
		}
	}
	for _, tenancy := range slices.Sorted(maps.Keys(c.left)) {
		for _, name := range c.left[tenancy] {
			if !slices.Contains(r.Incomplete[tenancy], name) {
				c.log.Infof("Time waits for %s%s again", name, of(tenancy))
			}
		}
	}
	c.leftOut.Set(int64(n))
	c.left = r.Incomplete
}

func of(tenancy string) string {
	if tenancy == "" {
		return ""
	}
	return " of tenancy " + tenancy
}
