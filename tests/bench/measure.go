package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// measurement is what one run of one row took.
type measurement struct {
	Events int `json:"events"`
	// CPU is the time of all threads of the process, the collector's among them; Wall is the time that passed.
	CPU  time.Duration `json:"cpu_ns"`
	Wall time.Duration `json:"wall_ns"`
	// Bytes and Allocs are what was allocated.
	Bytes  uint64 `json:"bytes"`
	Allocs uint64 `json:"allocs"`
	// Peak is the most memory that the process held at once beyond the mapped corpus, in bytes.
	Peak uint64 `json:"peak"`
	// Out counts the messages that left, by the type that correlate gives them; Keys says whom the incidents are about.
	// Both are known of a run that checks only.
	Out  map[string]int64 `json:"out,omitempty"`
	Keys []string         `json:"keys,omitempty"`
}

// perEvent gives the CPU time of one event in nanoseconds.
func (m measurement) perEvent() float64 { return float64(m.CPU.Nanoseconds()) / float64(m.Events) }

func (m measurement) wallPerEvent() float64 { return float64(m.Wall.Nanoseconds()) / float64(m.Events) }

// profiles are files to be written; "" for none.
type profiles struct{ cpu, memory string }

// measure runs one row in this process.
func measure(ctx context.Context, r row, s setting, p profiles) (m measurement, err error) {
	scratch, err := os.MkdirTemp(s.dir, "row-")
	if err != nil {
		return m, fmt.Errorf("making a place for the state of the row: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // of a temporary directory
	f, release, err := r.feed(s)
	if err != nil {
		return m, err
	}
	defer release()
	source.Store(f)
	results.reset()
	meter := &meter{profiles: p}
	var failed error
	f.begin = func() { failed = meter.start() }
	f.end = func() { failed = errors.Join(failed, meter.stop()) }

	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	builder.DisableLinting() // it warns of operations that no service has, and padding has no others
	if err := builder.SetYAML(r.config(scratch, s.check)); err != nil {
		return m, fmt.Errorf("reading the config of %s: %w", r.name, err)
	}
	stream, err := builder.Build()
	if err != nil {
		return m, fmt.Errorf("building %s: %w", r.name, err)
	}
	if err := stream.Run(ctx); err != nil {
		return m, fmt.Errorf("running %s: %w", r.name, err)
	}
	if failed != nil {
		return m, failed
	}
	if n := f.failed.Load(); n > 0 {
		return m, fmt.Errorf("running %s: %d batches were rejected", r.name, n)
	}
	m = meter.read
	m.Events = len(f.events)
	m.Out, m.Keys = results.read()
	return m, nil
}

// meter reads the clocks of the process.
type meter struct {
	profiles profiles
	read     measurement

	usage   time.Duration
	began   time.Time
	memory  runtime.MemStats
	cpuFile *os.File
	done    chan struct{}
	watch   sync.WaitGroup
	peak    atomic.Uint64
}

func (m *meter) start() error {
	runtime.GC()
	if m.profiles.cpu != "" {
		f, err := os.Create(m.profiles.cpu)
		if err != nil {
			return fmt.Errorf("writing the CPU profile: %w", err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("starting the CPU profile: %w", err)
		}
		m.cpuFile = f
	}
	m.done = make(chan struct{})
	m.watch.Go(func() { m.sample() })
	runtime.ReadMemStats(&m.memory)
	m.began, m.usage = time.Now(), cpuTime()
	return nil
}

func (m *meter) stop() error {
	m.read.CPU, m.read.Wall = cpuTime()-m.usage, time.Since(m.began)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	m.read.Bytes, m.read.Allocs = after.TotalAlloc-m.memory.TotalAlloc, after.Mallocs-m.memory.Mallocs
	close(m.done)
	m.watch.Wait()
	m.read.Peak = m.peak.Load()
	if m.cpuFile != nil {
		pprof.StopCPUProfile()
		if err := m.cpuFile.Close(); err != nil {
			return fmt.Errorf("writing the CPU profile: %w", err)
		}
	}
	if m.profiles.memory == "" {
		return nil
	}
	f, err := os.Create(m.profiles.memory)
	if err != nil {
		return fmt.Errorf("writing the memory profile: %w", err)
	}
	defer f.Close()
	if err := pprof.Lookup("allocs").WriteTo(f, 0); err != nil {
		return fmt.Errorf("writing the memory profile: %w", err)
	}
	return nil
}

// sampleEvery is how often the memory of the process is looked at; a look takes a few microseconds.
const sampleEvery = 20 * time.Millisecond

// sample notes the most memory that the runtime holds of the system's.
func (m *meter) sample() {
	read := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		metrics.Read(read)
		m.peak.Store(max(m.peak.Load(), read[0].Value.Uint64()-read[1].Value.Uint64()))
		select {
		case <-ticker.C:
		case <-m.done:
			return
		}
	}
}

// cpuTime gives the time that all threads of this process have had.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // cannot be: the arguments are right
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// fsyncTime measures how long one write of a page to the disk of dir takes: the median of many.
func fsyncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, fmt.Errorf("measuring fsync: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // of a temporary directory
	defer f.Close()
	const rounds, size = 31, 64 << 10
	page := make([]byte, size)
	var took []time.Duration
	for i := range rounds {
		if _, err := f.WriteAt(page, int64(i*size)); err != nil {
			return 0, fmt.Errorf("measuring fsync: %w", err)
		}
		begin := time.Now()
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measuring fsync: %w", err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[rounds/2], nil
}
