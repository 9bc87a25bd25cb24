package ocifields

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// Metrics are the metrics that all inputs have; their names begin with the component's, their first label is the tenancy.
type Metrics struct {
	Events    Counter
	Malformed Counter
	Failing   Gauge
	Lag       Gauge

	tenancy                      tenancy
	requests, retries, throttles Counter
}

// NewMetrics makes the metrics of a component.
func NewMetrics(res *service.Resources, component string) *Metrics {
	of := res.Metrics()
	m := &Metrics{}
	// Records handed to the pipeline.
	m.Events = m.Counter(of.NewCounter(component+"_events_total", "tenancy", "region"))
	// Records that left flagged with an error, because they are malformed or too large.
	m.Malformed = m.Counter(of.NewCounter(component+"_malformed_total", "tenancy", "region"))
	// Partitions (regions and compartments) that cannot be read at present.
	m.Failing = m.Gauge(of.NewGauge(component+"_failing_partitions", "tenancy"))
	// Age of the oldest record that may not have been delivered yet: how far delivery is behind now.
	m.Lag = m.Gauge(of.NewGauge(component+"_lag_seconds", "tenancy", "region"))
	// Requests, by HTTP status; `none` where no answer came.
	m.requests = m.Counter(of.NewCounter(component+"_requests_total", "tenancy", "operation", "status"))
	// Requests that were made because an earlier one had failed.
	m.retries = m.Counter(of.NewCounter(component+"_retries_total", "tenancy", "operation"))
	// Requests that Oracle refused because there were too many.
	m.throttles = m.Counter(of.NewCounter(component+"_throttles_total", "tenancy", "operation"))
	return m
}

// Observe counts a request.
func (m *Metrics) Observe(o oci.Observation) {
	status := "none"
	if o.Status != 0 {
		status = strconv.Itoa(o.Status)
	}
	m.requests.Incr(1, o.Operation, status)
	if o.Attempt > 1 {
		m.retries.Incr(1, o.Operation)
	}
	if o.Status == http.StatusTooManyRequests {
		m.throttles.Incr(1, o.Operation)
	}
}

// Behind sets how far a region's delivery is behind.
func (m *Metrics) Behind(region string, lag time.Duration) { m.Lag.SetFloat64(lag.Seconds(), region) }

type limiterKey struct{ tenancy string }

// Open makes the client of an input, and logs in where that takes requests.
// Inputs of one process that read the same tenancy share a limiter, and nothing else.
func (c Config) Open(ctx context.Context, res *service.Resources, m *Metrics, change func(*oci.Options)) (*oci.Client, error) {
	opts := oci.Options{
		Auth: c.Auth, Endpoint: c.Endpoint, TLS: c.TLS, MaxBody: c.PageBytes, Timeout: c.Timeout, Observe: m.Observe,
		Limiter: func(tenancy string) *oci.Limiter {
			own := oci.NewLimiter(c.Rate)
			v, _ := res.GetOrSetGeneric(limiterKey{tenancy: tenancy}, own)
			if shared, ok := v.(*oci.Limiter); ok {
				return shared
			}
			return own
		},
	}
	if change != nil {
		change(&opts)
	}
	m.tenancy.expect(c.Auth.Tenancy)
	client, err := oci.Open(ctx, opts)
	if err != nil {
		m.tenancy.settle()
		return nil, err
	}
	m.tenancy.set(client.Tenancy())
	return client, nil
}
