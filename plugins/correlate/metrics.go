package correlate

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/incident"
)

// metrics counts for the processor and for its engine. Labels are rule ids and actions: both are bounded.
type metrics struct {
	log *service.Logger

	events, candidates, matched, late, failed, stateErrors, quarantined *service.MetricCounter
	nullKeys, evicted, lost, incidents, flooded                         *service.MetricCounter

	stateFailing, rulesFailing, records, bytes, evidence, learning *service.MetricGauge
}

var _ engine.Metrics = (*metrics)(nil)

func newMetrics(res *service.Resources) *metrics {
	m := res.Metrics()
	return &metrics{
		log:          res.Logger(),
		events:       m.NewCounter("correlate_events_total"),                      // messages that came in, ticks among them
		candidates:   m.NewCounter("correlate_candidates_total"),                  // messages that a rule could match, and were normalized
		matched:      m.NewCounter("correlate_matched_total"),                     // events that a pattern of a rule took
		late:         m.NewCounter("correlate_late_total"),                        // events below the watermark: they changed nothing
		failed:       m.NewCounter("correlate_mapping_errors_total"),              // messages that `event_mapping` failed on; they left with the error
		stateErrors:  m.NewCounter("correlate_state_errors_total"),                // failed attempts to load or save state
		quarantined:  m.NewCounter("correlate_quarantined_total"),                 // rows of state that were damaged and set aside
		nullKeys:     m.NewCounter("correlate_null_keys_total", "rule"),           // matches whose key has a null in it
		evicted:      m.NewCounter("correlate_evicted_total", "rule"),             // records that left memory
		lost:         m.NewCounter("correlate_lost_total", "rule"),                // records that left memory with no state_cache to hold them
		incidents:    m.NewCounter("correlate_incidents_total", "rule", "action"), // messages of incidents
		flooded:      m.NewCounter("correlate_flood_held_total", "rule"),          // messages of incidents that `flood_guard` held back
		stateFailing: m.NewGauge("correlate_state_failing"),                       // 1 while the stream waits for its state, else 0
		rulesFailing: m.NewGauge("correlate_rules_failing"),                       // 1 while changed rule files have mistakes and the rules before them count, else 0
		records:      m.NewGauge("correlate_records"),                             // records in memory
		evidence:     m.NewGauge("correlate_evidence_lost"),                       // events that incidents named without their details: those had left memory
		bytes:        m.NewGauge("correlate_memory_bytes"),                        // memory that records take
		learning:     m.NewGauge("correlate_learning_seconds", "rule"),            // event time for which a rule with `first_seen` still learns, and is silent, in the tenancy that it met last; 0 once it has learned
	}
}

// Late counts events below the watermark.
func (m *metrics) Late(n int) { m.late.Incr(int64(n)) }

// NullKeys counts matches with a null in their key.
func (m *metrics) NullKeys(rule string, n int) { m.nullKeys.Incr(int64(n), rule) }

// Evicted counts records that left memory, and apart those that are gone with it.
func (m *metrics) Evicted(rule string, n int, lost bool) {
	m.evicted.Incr(int64(n), rule)
	if lost {
		m.lost.Incr(int64(n), rule)
	}
}

// Quarantined counts rows of state that could not be read; each is worth a line.
func (m *metrics) Quarantined(key string, cause error) {
	m.quarantined.Incr(1)
	m.log.Errorf("Setting aside the damaged state %s: its open windows are lost: %v", key, cause)
}

// Incidents counts messages of incidents.
func (m *metrics) Incidents(rule string, action incident.Action, n int) {
	m.incidents.Incr(int64(n), rule, string(action))
}
