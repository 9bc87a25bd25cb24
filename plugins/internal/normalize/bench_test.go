package normalize_test

import (
	"testing"

	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

func BenchmarkScan(b *testing.B) {
	for name, wrap := range envelopes {
		b.Run(name, func(b *testing.B) {
			record := encode(b, wrap(sample.Event("UploadApiKey", sample.Options{})))
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				normalize.Scan(record)
			}
		})
	}
	b.Run("audit_api_in_its_own_order", func(b *testing.B) {
		record := sample.JSON("UploadApiKey", sample.Options{})
		b.SetBytes(int64(len(record)))
		b.ReportAllocs()
		for b.Loop() {
			normalize.Scan(record)
		}
	})
}

// BenchmarkTimeOf is what correlate_source pays for each event of a wrapped input; BenchmarkPeek what correlate pays.
func BenchmarkTimeOf(b *testing.B) {
	record := sample.JSON("UploadApiKey", sample.Options{})
	b.ReportAllocs()
	for b.Loop() {
		normalize.TimeOf(record)
	}
}

func BenchmarkPeek(b *testing.B) {
	record := sample.JSON("UploadApiKey", sample.Options{})
	b.ReportAllocs()
	for b.Loop() {
		normalize.Peek(record)
	}
}

func BenchmarkEvent(b *testing.B) {
	for _, op := range []string{"UploadApiKey", "InteractiveLogin", "TerminateInstance"} {
		b.Run(op, func(b *testing.B) {
			record := sample.JSON(op, sample.Options{})
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := normalize.Event(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNormalize(b *testing.B) {
	for _, op := range []string{"UploadApiKey", "InteractiveLogin", "TerminateInstance"} {
		b.Run(op, func(b *testing.B) {
			record := sample.JSON(op, sample.Options{})
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := normalize.Normalize(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
