// Package ocireader reads an API of Oracle's that lists records by time: window after window, partition beside partition,
// each record once, the position saved behind the acks.
//
// It stands between package oci, which calls, and the pipeline, and does as package collect decides.
// What is particular to an API is its Source; an input is one of those and a configuration:
//
//	in, err := ocireader.New(ocireader.Config{Config: common, Component: Name, Source: source, Plan: plan}, res)
package ocireader

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
)

// Source is what differs between the APIs that are read.
type Source interface {
	// Groups are names of what has a beginning of its own: "" where all partitions have the same.
	Groups() []string
	// Places are the partitions of today.
	Places(ctx context.Context, client *oci.Client) ([]Place, error)
	// Page reads one page of a span of a place; token is "" for the first.
	Page(ctx context.Context, client *oci.Client, where Place, span collect.Span, token string) (oci.Page, error)
	// Message makes a record's message, with the metadata that only this API has.
	Message(where Place, item oci.Item) *service.Message
}

// Place is one partition: what is asked for, in one region.
type Place struct {
	// Group is one of the source's.
	Group string
	// Name tells partitions apart, in keys, logs and watermarks.
	Name   string
	Region string
	// Subject is what is asked for there: a query, a compartment.
	Subject string
	// Deleted is true where nothing new can happen any more. Its history is read; a refusal to list it is nobody's mistake.
	Deleted bool
}

// Config says what an input reads, and how.
type Config struct {
	ocifields.Config

	Component string
	Source    Source
	// Plan says how partitions are read; its end and its overlap are those of the fields.
	Plan collect.Plan
	// Refresh is how often places are looked for.
	Refresh time.Duration
	// Threads is how many passes are read at the same time; 0: two, and in a bounded run as many as the rate of requests can use.
	Threads int
	// Hopeless are failures that nothing but another configuration or policy ends: a bounded run ends without such a place.
	Hopeless []oci.Kind
	// Check tells what is missing; it is what the test of the connection runs.
	Check func(ctx context.Context, open func() (*oci.Client, error)) oci.Report
}

// Workers where the configuration does not say how many.
const (
	liveWorkers = 2
	// maxWorkers bounds a backfill, and with it how many pages are in memory.
	maxWorkers = 32
)

// workers is how many passes are read at the same time. With two for each request a second,
// the rate is used up as long as a page takes less than two seconds.
func (c Config) workers() int {
	switch {
	case c.Threads > 0:
		return c.Threads
	case c.End.IsZero():
		return liveWorkers
	}
	return min(max(liveWorkers, int(math.Ceil(2*min(c.Rate, maxWorkers)))), maxWorkers)
}

// prefix is what the keys of the position begin with where the configuration does not say it. A bounded run has its own,
// so that it stands beside a live one, and beside one that begins elsewhere; with a later end it goes on.
func (c Config) prefix(tenancy string) string {
	prefix := c.Component + "/" + tenancy
	if c.End.IsZero() {
		return prefix
	}
	return prefix + "@" + c.Start.String()
}

// Input is what Benthos sees; the reading is done by a reader, which lives from the first Connect that succeeds to Close.
type Input struct {
	// Change lets tests replace the transport; nil elsewhere.
	Change func(*oci.Options)

	conf    Config
	res     *service.Resources
	log     *service.Logger
	name    string
	source  *watermark.Source
	store   *ocifields.Store
	metrics *ocifields.Metrics
	// repeated counts beside what all inputs count.
	repeated ocifields.Counter
	late     *lateness
	health   *ocifields.Health
	outlet   *ocifields.Outlet
	again    ocifields.Reconnect

	requests atomic.Int64
	without  atomic.Bool // a bounded run ended before it could begin

	mu     sync.Mutex
	reader *reader // mu
	closed bool    // mu
}

// New makes an input; it sends nothing. It must be wrapped by ocifields.Retrying.
func New(c Config, res *service.Resources) (*Input, error) {
	store, err := ocifields.NewStore(res, c.Cache)
	if err != nil {
		return nil, err
	}
	if !store.Durable() && c.End.IsZero() {
		res.Logger().Warnf("%s has no checkpoint_cache: its position is in memory only, and a restart begins at `start` again", c.Component)
	}
	metrics := ocifields.NewMetrics(res, c.Component)
	in := &Input{
		conf: c, res: res, log: res.Logger(), name: progress.Name(res), store: store,
		source:  progress.Of(res).Register(progress.Name(res), !c.End.IsZero()),
		metrics: metrics, repeated: newRepeated(res, metrics, c.Component), late: newLateness(res, metrics, c.Component, c.Overlap),
		health: ocifields.NewHealth(res.Logger()), outlet: ocifields.NewOutlet(c.Limit),
	}
	if !c.End.IsZero() {
		progress.BoardOf(res).Show(in.standing)
	}
	return in, nil
}

// Connect opens the reader, or tells whether the one that is open can read.
func (i *Input) Connect(ctx context.Context) error {
	i.mu.Lock()
	switch {
	case i.closed:
		i.mu.Unlock()
		return service.ErrEndOfInput
	case i.reader == nil:
		defer i.mu.Unlock()
		r, err := openReader(ctx, i)
		if err != nil {
			wait := i.again.Start(err)
			if i.hopeless(err) && i.again.Stays() {
				i.endUnread()
				return service.ErrEndOfInput
			}
			return service.NewErrBackOff(i.conf.Blame(i.metrics, err), wait)
		}
		i.reader = r
		i.again.Began()
		r.start()
		return nil
	}
	r := i.reader
	i.mu.Unlock()
	wait, err := i.again.Well(ctx, func() error {
		if i.outlet.InFlight() > 0 {
			return nil
		}
		return r.ill()
	})
	if err != nil {
		return service.NewErrBackOff(i.conf.Blame(i.metrics, err), wait)
	}
	return nil
}

// hopeless is true in a bounded run where nothing but another configuration or policy ends the failure.
func (i *Input) hopeless(err error) bool {
	return !i.conf.End.IsZero() && slices.Contains(i.conf.Hopeless, oci.KindOf(err))
}

// endUnread ends a bounded run that cannot find out what there is to read.
func (i *Input) endUnread() {
	i.log.Errorf("Reading up to %s has ended without anything, because what there is to read cannot be listed: run it again once what the log says is mended",
		i.conf.End.At(time.Now()).Format(time.RFC3339))
	i.without.Store(true)
	i.source.End(watermark.Unread{Tenancy: i.conf.Tenancy(i.metrics)})
	i.outlet.End()
}

// ReadBatch gives the next batch.
func (i *Input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	return i.outlet.Read(ctx)
}

// Close stops reading and saves the position of what was acked.
func (i *Input) Close(ctx context.Context) error {
	i.mu.Lock()
	r := i.reader
	i.closed = true
	i.mu.Unlock()
	if r == nil {
		return nil
	}
	return r.close(ctx)
}

// ConnectionTest tells whether the input can read what it is configured to.
func (i *Input) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	return ocifields.Tested(i.conf.Check(ctx, func() (*oci.Client, error) { return i.client(ctx) }))
}

// client makes a client of the configuration.
func (i *Input) client(ctx context.Context) (*oci.Client, error) {
	return i.conf.Open(ctx, i.res, i.metrics, func(o *oci.Options) {
		o.Behind = !i.conf.End.IsZero()
		observe := o.Observe
		o.Observe = func(one oci.Observation) {
			i.requests.Add(1)
			observe(one)
		}
		if i.Change != nil {
			i.Change(o)
		}
	})
}
