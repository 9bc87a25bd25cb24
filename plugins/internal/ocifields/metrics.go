package ocifields

import (
	"net/http"
	"strconv"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// Metrics are the metrics that all inputs have; their names begin with the component's.
type Metrics struct {
	Events    *service.MetricCounter
	Malformed *service.MetricCounter
	Repeated  *service.MetricCounter
	Failing   *service.MetricGauge
	Lag       *service.MetricGauge

	requests, retries, throttles *service.MetricCounter
}

// NewMetrics makes the metrics of a component.
func NewMetrics(res *service.Resources, component string) *Metrics {
	m := res.Metrics()
	return &Metrics{
		// Records handed to the pipeline.
		Events: m.NewCounter(component+"_events_total", "region"),
		// Records that left flagged with an error, because they are malformed or too large.
		Malformed: m.NewCounter(component+"_malformed_total", "region"),
		// Records that were read again and known already, so that they did not leave.
		Repeated: m.NewCounter(component+"_repeated_total", "region"),
		// Partitions (regions and compartments) that cannot be read at present.
		Failing: m.NewGauge(component + "_failing_partitions"),
		// Age of the oldest record that may not have been delivered yet.
		Lag: m.NewGauge(component+"_lag_seconds", "region"),
		// Requests, by HTTP status; `none` where no answer came.
		requests: m.NewCounter(component+"_requests_total", "operation", "status"),
		// Requests that were made because an earlier one had failed.
		retries: m.NewCounter(component+"_retries_total", "operation"),
		// Requests that Oracle refused because there were too many.
		throttles: m.NewCounter(component+"_throttles_total", "operation"),
	}
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

// Client makes the client of an input. Inputs of one process that read the same tenancy share a limiter, and nothing else.
func (c Config) Client(res *service.Resources, m *Metrics, change func(*oci.Options)) (*oci.Client, error) {
	opts := oci.Options{
		Auth: c.Auth, Endpoint: c.Endpoint, MaxBody: c.PageBytes, Timeout: c.Timeout, Observe: m.Observe,
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
	return oci.New(opts)
}
