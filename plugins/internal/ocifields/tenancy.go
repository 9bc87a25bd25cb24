package ocifields

import (
	"fmt"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// tenancy is the tenancy that the metrics of an input belong to. It is known once the key was read.
type tenancy struct{ id atomic.Pointer[string] }

func (t *tenancy) set(id string) { t.id.Store(&id) }

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
func (c Counter) Incr(n int64, labels ...string) { c.of.Incr(n, c.tenancy.with(labels)...) }

// Gauge is a gauge whose first label is the tenancy; the others are given.
type Gauge struct {
	of      *service.MetricGauge
	tenancy *tenancy
}

// Set sets the value.
func (g Gauge) Set(v int64, labels ...string) { g.of.Set(v, g.tenancy.with(labels)...) }

// SetFloat64 sets the value.
func (g Gauge) SetFloat64(v float64, labels ...string) { g.of.SetFloat64(v, g.tenancy.with(labels)...) }

func (t *tenancy) with(labels []string) []string { return append([]string{t.get()}, labels...) }

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
