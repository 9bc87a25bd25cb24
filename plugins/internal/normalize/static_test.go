package normalize_test

import (
	"maps"
	"slices"
	"testing"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

func TestStaticStatesOnlyWhatTheDocumentSays(t *testing.T) {
	records := map[string]map[string]any{}
	for _, op := range sample.Operations() {
		for _, status := range []string{"", "404"} {
			audit := sample.Event(op, sample.Options{Status: status})
			for name, wrap := range envelopes {
				records[op+" "+status+" "+name] = wrap(audit)
			}
		}
	}
	for _, name := range sample.Problems() {
		records[name+" problem"] = sample.Problem(name, sample.ProblemOptions{})
		records[name+" event"] = sample.ProblemEvent(name, sample.ProblemOptions{})
	}
	stated := 0
	for _, name := range slices.Sorted(maps.Keys(records)) {
		b := encode(t, records[name])
		kind, eventType := normalize.Scan(b)
		ev, err := normalize.Event(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for field, want := range normalize.Static(kind, string(eventType)) {
			path, err := event.ParsePath(field)
			if err != nil {
				t.Fatal(err)
			}
			if got := ev.Lookup(path); got != event.Normal(want) {
				t.Errorf("%s: %s is %v in the document, %v in the facts", name, field, got, want)
			}
			stated++
		}
	}
	if stated < 10*len(records) {
		t.Errorf("%d facts of %d records: too few to spare decoding", stated, len(records))
	}
}
