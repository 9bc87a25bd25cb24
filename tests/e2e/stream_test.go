package e2e

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// root gives the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// patience is how long the full form may take where the short one takes seconds; -timeout bounds both.
const patience = 90 * time.Minute

// soon is when what takes seconds has come at last, also on a machine that has much else to do. It costs nothing where it comes.
const soon = 5 * time.Minute

// lines keeps what a stream logs.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// stream is a pipeline that runs in this process.
type stream struct {
	log     *lines
	service *service.Stream
	cancel  context.CancelFunc
	done    chan error
}

// build reads a whole config and makes a stream of it.
func build(t *testing.T, config string) *stream {
	t.Helper()
	b := service.NewStreamBuilder()
	s := &stream{log: &lines{}, done: make(chan error, 1)}
	if err := b.SetYAML(config); err != nil {
		t.Fatalf("reading the config: %v\n%s", err, config)
	}
	b.SetLogger(slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo})))
	built, err := b.Build()
	if err != nil {
		t.Fatalf("building the stream: %v\n%s", err, config)
	}
	s.service = built
	return s
}

// start runs the stream until it ends, stop is called or the test is over.
func start(t *testing.T, config string) *stream {
	t.Helper()
	s := build(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() { s.done <- s.service.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("the stream logged:\n%s", tail(s.log.String(), 60))
		}
	})
	return s
}

// run runs the stream to its end.
func run(t *testing.T, config string, limit time.Duration) *stream {
	t.Helper()
	s := start(t, config)
	s.wait(t, limit)
	return s
}

// wait waits until the stream has ended by itself.
func (s *stream) wait(t *testing.T, limit time.Duration) {
	t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			t.Fatalf("the stream ended with %v", err)
		}
	case <-time.After(limit):
		t.Fatalf("the stream has not ended after %s", limit)
	}
}

// stop ends the stream as an operator does.
func (s *stream) stop(t *testing.T) {
	t.Helper()
	if err := s.service.StopWithin(time.Minute); err != nil {
		t.Fatalf("stopping the stream: %v", err)
	}
	s.cancel()
}

// eventually waits until ok holds.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s: not yet %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func tail(s string, n int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(all) > n {
		all = append([]string{fmt.Sprintf("... %d lines", len(all)-n)}, all[len(all)-n:]...)
	}
	return strings.Join(all, "\n")
}
