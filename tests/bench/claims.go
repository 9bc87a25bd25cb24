package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const empty = "empty"

// claim is one judged statement.
type claim struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
	Bound float64 `json:"bound"`
	// AtLeast says on which side of the bound the value has to be.
	AtLeast bool   `json:"at_least"`
	Unit    string `json:"unit,omitempty"`
	Holds   bool   `json:"holds"`
}

func judged(c claim) claim {
	c.Holds = c.Value <= c.Bound
	if c.AtLeast {
		c.Holds = c.Value >= c.Bound
	}
	return c
}

// rounds are the measurements of all rows; those at one place were taken one after the other.
type rounds map[string][]measurement

// ratio compares two rows round by round, so that what slowed the machine in a round slowed both; false where one was not measured.
func (r rounds) ratio(of, to string, value func(measurement) float64) (float64, bool) {
	var ratios []float64
	for i := range min(len(r[of]), len(r[to])) {
		ratios = append(ratios, value(r[of][i])/value(r[to][i]))
	}
	return median(ratios), len(ratios) > 0
}

func median[T cmp.Ordered](values []T) T {
	var none T
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// claims judges what was measured.
func (r rounds) claims(fsync time.Duration) []claim {
	var all []claim
	add := func(value float64, ok bool, c claim) {
		if ok {
			c.Value = value
			all = append(all, judged(c))
		}
	}
	cpu, wall := measurement.perEvent, measurement.wallPerEvent
	v, ok := r.ratio("raw-pad-100", empty, cpu)
	add(v, ok, claim{Text: "`correlate` on raw events, 100 rules, none matching, to the empty pipeline", Bound: 1.6})
	v, ok = r.ratio("raw-pad-1000", "raw-pad-100", cpu)
	add(v, ok, claim{Text: "1,000 rules to 100", Bound: 1.2})
	v, ok = r.ratio("normalize-count", "stock", cpu)
	add(v, ok, claim{Text: "`oci_normalize`, then `correlate`, to the same in stock Benthos", Bound: 0.2})
	v, ok = r.ratio("count-bolt", "count-memory", cpu)
	add(v, ok, claim{Text: "durable state to state in memory, 1 % of events matching, CPU", Bound: 1.3})
	v, ok = r.durable(fsync)
	add(v, ok, claim{Text: fmt.Sprintf("the same, wall time, to 1.3 times that in memory and one fsync (%s) a batch", fsync.Round(10*time.Microsecond)), Bound: 1})
	v, ok = r.ratio("normalize-pack-clock", "normalize-pack", cpu)
	add(v, ok, claim{Text: "`correlate_source` around a batched input to the input alone, before `oci_normalize` and `correlate`", Bound: 1.1})
	v, ok = r.ratio("built-1", "built-2", wall)
	add(v, ok, claim{Text: "two threads to one, events a second", Bound: 1.7, AtLeast: true})
	v, ok = r.ratio("keys-1000", "keys-1000000", cpu)
	add(v, ok, claim{Text: "1,000,000 open keys to 1,000, events a second", Bound: 0.7, AtLeast: true})
	v, ok = r.perSecond("hot-50-mix")
	add(v, ok, claim{Text: "50 rules that all match 15 of 100 events of 700 bytes, as other engines were measured, events a second on a core", Bound: 150_000, AtLeast: true})
	for _, p := range peers {
		v, ok = r.ratio(empty, p.row, cpu)
		add(v*p.toEmpty, ok, claim{Text: p.text, Bound: 2, AtLeast: true})
	}
	return all
}

// peers are the figures of the best other engine known, rsigma-eval 0.23.0, over the events of these rows and 50 rules that say the same:
// its CPU time by that of the empty pipeline on the same machine, so that they mean something on any. README.md says how they were taken.
var peers = []struct {
	row, text string
	toEmpty   float64
}{
	{"hot-50-mix", "the same, to the best other engine with 50 rules that say the same, events a second", 26.8},
	{"hot-50", "50 rules that all match every event, to the best other engine with 50 rules that say the same, events a second", 188},
}

func (r rounds) perSecond(name string) (float64, bool) {
	var rates []float64
	for _, m := range r[name] {
		rates = append(rates, float64(time.Second)/m.perEvent())
	}
	return median(rates), len(rates) > 0
}

// durable compares the wall time of bolt with what it may be.
func (r rounds) durable(fsync time.Duration) (float64, bool) {
	var ratios []float64
	for i := range min(len(r["count-bolt"]), len(r["count-memory"])) {
		allowed := 1.3*r["count-memory"][i].wallPerEvent()*batchSize + float64(fsync.Nanoseconds())
		ratios = append(ratios, r["count-bolt"][i].wallPerEvent()*batchSize/allowed)
	}
	return median(ratios), len(ratios) > 0
}
