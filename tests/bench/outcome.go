package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// outcome is an output that says what left a pipeline. Runs that measure drop all instead.
type outcome struct {
	mu    sync.Mutex
	count map[string]int64
	keys  []string
}

var results outcome

func registerOutcome() {
	service.MustRegisterBatchOutput("bench_out", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
		return &results, service.BatchPolicy{}, 1, nil
	})
}

func (o *outcome) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count, o.keys = map[string]int64{}, nil
}

func (o *outcome) read() (count map[string]int64, keys []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.Sort(o.keys)
	return o.count, o.keys
}

// Connect does nothing.
func (*outcome) Connect(context.Context) error { return nil }

// WriteBatch counts what comes, and notes whom incidents are about.
func (o *outcome) WriteBatch(_ context.Context, batch service.MessageBatch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range batch {
		kind, ok := m.MetaGet("correlate_type")
		if !ok {
			kind = "event"
		}
		o.count[kind]++
		if kind != "incident" {
			continue
		}
		key, err := titleOf(m)
		if err != nil {
			return err
		}
		o.keys = append(o.keys, key)
	}
	return nil
}

// titleOf reads the title of an incident; that of the counting rule is who it is about.
func titleOf(m *service.Message) (string, error) {
	b, err := m.AsBytes()
	if err != nil {
		return "", fmt.Errorf("reading an incident: %w", err)
	}
	var doc struct {
		Info struct {
			Title string `json:"title"`
		} `json:"finding_info"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return "", fmt.Errorf("reading an incident: %w", err)
	}
	return doc.Info.Title, nil
}

// Close does nothing.
func (*outcome) Close(context.Context) error { return nil }
