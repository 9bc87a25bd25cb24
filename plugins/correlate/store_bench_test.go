//go:build unix

package correlate

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"benthos-oci/plugins/bolt"
	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
)

// BenchmarkSave counts ten events a batch, of 10,000 principals, and saves them: what one batch costs with a store and without.
func BenchmarkSave(b *testing.B) {
	for _, kind := range []string{"memory", "bolt"} {
		b.Run(kind, func(b *testing.B) {
			rules, problems := rule.Parse("", []byte(restartRule), rule.Options{Inline: true})
			if errs := problems.Errors(); len(errs) > 0 {
				b.Fatal(errs)
			}
			rules[0].Enabled = true
			opt := engine.Options{Rules: rules, Emit: engine.EmitOptions{Create: true}, Lateness: time.Hour}
			if kind == "bolt" {
				store, err := bolt.Open(bolt.Options{Path: filepath.Join(b.TempDir(), "s.db"), Bucket: "state"})
				if err != nil {
					b.Fatal(err)
				}
				defer store.Close()
				opt.Store = &boltStore{store: store, prefix: "p/", life: &lifetime{extra: 7 * 24 * time.Hour, maxFuture: time.Hour}}
			}
			e, err := engine.New(b.Context(), opt)
			if err != nil {
				b.Fatal(err)
			}
			n, batches := 0, 0
			batch := make([]*event.Event, 10)
			var used time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for i := range batch {
					batch[i] = restartEvent(b, n, n*7919%10_000, 1_795_132_800_000+event.Time(n))
					n++
				}
				b.StartTimer()
				before := usedTime(b)
				if _, err := e.Observe(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				used += usedTime(b) - before
				batches++
			}
			b.ReportMetric(float64(used.Microseconds())/float64(batches), "cpu-us/batch")
		})
	}
}

// usedTime is what the process has used of its processors.
func usedTime(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(fmt.Errorf("reading the time used: %w", err))
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
