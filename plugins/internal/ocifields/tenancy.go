package ocifields

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// tenancy is the tenancy that the metrics of an input belong to. It is known once the key was read, or the first token came;
// what is counted of the requests until then waits for it.
type tenancy struct {
	id atomic.Pointer[string]

	mu       sync.Mutex
	waiting  bool              // mu; a login is under way
	held     []func(id string) // mu
	fallback string            // mu; whose it is where a login fails
}

// mostHeld bounds what waits: a login makes a handful of requests.
const mostHeld = 1000

// unknown is the label of what belongs to a tenancy that was neither found nor configured.
const unknown = "unknown"

// expect says that a login begins, with the tenancy that is configured or "".
func (t *tenancy) expect(configured string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting, t.fallback = t.get() == "", configured
}

// set says which tenancy it is.
func (t *tenancy) set(id string) {
	t.id.Store(&id)
	t.settle()
}

// settle says that a login has ended, well or not.
func (t *tenancy) settle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = false
	t.flush()
}

// flush counts what waited; mu is held.
func (t *tenancy) flush() {
	held := t.held
	t.held = nil
	for _, count := range held {
		count(t.label())
	}
}

// label is the tenancy as metrics name it; mu is held.
func (t *tenancy) label() string { return cmp.Or(t.get(), t.fallback, unknown) }

// when counts under the tenancy, as soon as it is known.
func (t *tenancy) when(count func(id string)) {
	if id := t.get(); id != "" {
		count(id)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = append(t.held, count)
	if !t.waiting || len(t.held) > mostHeld {
		t.flush()
	}
}

func (t *tenancy) get() string {
	if id := t.id.Load(); id != nil {
		return *id
	}
	return ""
}

// Counter is a counter whose first label is the tenancy; the others are given.
type Counter struct {
	of      *service.MetricCounter
	tenancy *tenancy
}

// Incr adds n.
func (c Counter) Incr(n int64, labels ...string) {
	c.tenancy.when(func(id string) { c.of.Incr(n, with(id, labels)...) })
}

// Gauge is a gauge whose first label is the tenancy; the others are given.
type Gauge struct {
	of      *service.MetricGauge
	tenancy *tenancy
}

// Set sets the value.
func (g Gauge) Set(v int64, labels ...string) {
	g.tenancy.when(func(id string) { g.of.Set(v, with(id, labels)...) })
}

// SetFloat64 sets the value.
func (g Gauge) SetFloat64(v float64, labels ...string) {
	g.tenancy.when(func(id string) { g.of.SetFloat64(v, with(id, labels)...) })
}

func with(id string, labels []string) []string { return append([]string{id}, labels...) }

// Counter makes a counter from one of Benthos whose first label is `tenancy`.
func (m *Metrics) Counter(of *service.MetricCounter) Counter {
	return Counter{of: of, tenancy: &m.tenancy}
}

// Gauge makes a gauge from one of Benthos whose first label is `tenancy`.
func (m *Metrics) Gauge(of *service.MetricGauge) Gauge { return Gauge{of: of, tenancy: &m.tenancy} }

// Tenancy is the tenancy that an input reads: the one found, or else the one configured; "" where neither is known.
func (c Config) Tenancy(m *Metrics) string {
	if id := m.tenancy.get(); id != "" {
		return id
	}
	return c.Auth.Tenancy
}

// Blame says in front of an error whose input it is: /ready shows it beside the label and the path of the input.
func (c Config) Blame(m *Metrics, err error) error {
	if id := c.Tenancy(m); id != "" {
		return fmt.Errorf("tenancy %s: %w", id, err)
	}
	return fmt.Errorf("%s: %w", c.Auth, err)
}
