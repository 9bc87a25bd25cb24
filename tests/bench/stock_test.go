package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"benthos-oci/plugins/ocisim/corpus"
)

// TestStockMappingMakesTheSameDocuments holds the way that is compared with to the same work, event by event.
func TestStockMappingMakesTheSameDocuments(t *testing.T) {
	stock, err := bloblang.Parse(stockMapping)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := bloblang.Parse("root = this.oci_normalize()")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	const events = 4000
	if err := corpus.Write(&b, events); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range bytes.Lines(b.Bytes()) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		operation, _ := record["eventType"].(string)
		if seen[operation]++; seen[operation] > 20 {
			continue
		}
		want, got := document(t, ours, bytes.TrimSpace(line)), document(t, stock, record)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: stock Benthos (+) makes another document than oci_normalize (-):\n%s", operation, diff)
		}
	}
	if want := 30; len(seen) < want {
		t.Errorf("compared %d types of events, want at least %d", len(seen), want)
	}
}

// document gives what a mapping makes of a value, as it leaves in JSON.
func document(t *testing.T, mapping *bloblang.Executor, v any) map[string]any {
	t.Helper()
	out, err := mapping.Query(v)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(encoded, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}
