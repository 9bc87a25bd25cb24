package oci

import (
	"fmt"
	"testing"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// pageOf gives the body of a page of the Audit API.
func pageOf(items int) []byte {
	body := []byte{'['}
	for i := range items {
		if i > 0 {
			body = append(body, ',')
		}
		body = sample.AppendJSON(body, "GetInstance", sample.Options{ID: fmt.Sprint("event-", i), Time: time.Date(2026, 11, 20, 12, 0, i%60, 0, time.UTC)})
	}
	return append(body, ']')
}

// BenchmarkSplitPage cuts pages of the Audit API into their events. MB/s are those of the body.
func BenchmarkSplitPage(b *testing.B) {
	for _, items := range []int{100, 1000} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			body := pageOf(items)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := split(body, eventForm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestPageIsSplitWithoutCopies holds what a page costs beside its body: the list of its items, and the id of each.
func TestPageIsSplitWithoutCopies(t *testing.T) {
	const items = 1000
	body := pageOf(items)
	list, err := split(body, eventForm)
	if err != nil || len(list) != items {
		t.Fatalf("got %d items and %v, want %d", len(list), err, items)
	}
	body[1] = '?' // of the first item
	if list[0].Raw[0] != '?' {
		t.Error("the first item is a copy, want a part of the page")
	}
	body[1] = '{'
	const most = 2*items + 32
	if n := testing.AllocsPerRun(5, func() {
		if _, err := split(body, eventForm); err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("got %v allocations for %d items, want %d at most", n, items, most)
	}
}
