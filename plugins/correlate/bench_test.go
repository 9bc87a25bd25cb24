package correlate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/sample"
)

// BenchmarkBatch sends batches of 1,000 raw records of about 2 KB through the processor with the shipped rules.
// Of them so many in a hundred are of a type that some rule looks at. An operation is one record.
func BenchmarkBatch(b *testing.B) {
	const size = 1000
	for _, candidates := range []int{0, 1, 10, 100} {
		b.Run(fmt.Sprintf("%d%% candidates", candidates), func(b *testing.B) {
			conf, err := spec().ParseYAML("packs: [ oci ]", nil)
			if err != nil {
				b.Fatal(err)
			}
			c, err := configFromParsed(conf)
			if err != nil {
				b.Fatal(err)
			}
			p, err := newProcessor(c, service.MockResources())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = p.Close(context.WithoutCancel(b.Context())) }()
			begin := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
			batch := make(service.MessageBatch, size)
			b.ReportAllocs()
			b.SetBytes(int64(len(sample.JSON("GetInstance", sample.Options{}))))
			for n := 0; n < b.N; n += size {
				b.StopTimer()
				for i := range batch {
					op := "GetInstance"
					if i%100 < candidates {
						op = "CreatePolicy"
					}
					batch[i] = service.NewMessage(sample.JSON(op, sample.Options{
						ID: fmt.Sprint(n, i), Time: begin.Add(time.Duration(n+i) * time.Millisecond),
						Actor: sample.Principal{Name: fmt.Sprint("user", i%97), ID: fmt.Sprint("ocid1.user.oc1..", i%97)},
					}))
				}
				b.StartTimer()
				if _, err := p.ProcessBatch(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
