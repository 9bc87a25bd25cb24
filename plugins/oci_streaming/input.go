package ocistreaming

import (
	"context"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
)

func init() {
	service.MustRegisterBatchInput(Name, Spec(), func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
		c, err := parse(conf)
		if err != nil {
			return nil, err
		}
		in, err := newInput(c, res)
		if err != nil {
			return nil, err
		}
		return ocifields.Retrying(in), nil
	})
}

// input is what Benthos sees; the reading is done by a reader, which lives from the first Connect that succeeds to Close.
type input struct {
	conf    config
	res     *service.Resources
	log     *service.Logger
	name    string
	tracker *watermark.Tracker
	source  *watermark.Source
	store   *ocifields.Store
	metrics *metrics
	health  *ocifields.Health
	outlet  *ocifields.Outlet
	again   ocifields.Reconnect
	// change lets tests replace the transport; nil elsewhere.
	change func(*oci.Options)

	mu     sync.Mutex
	reader *reader // mu
	closed bool    // mu
}

// metrics are those of all inputs, and what only a stream has.
type metrics struct {
	*ocifields.Metrics
	recovered, lost ocifields.Counter
}

func newMetrics(res *service.Resources) *metrics {
	of := res.Metrics()
	m := &metrics{Metrics: ocifields.NewMetrics(res, Name)}
	// Cursors that were refused, because they had expired or another instance had taken a partition, and made anew.
	m.recovered = m.Counter(of.NewCounter(Name+"_recovered_cursors_total", "tenancy", "region"))
	// Messages that the stream's retention had deleted before they were read.
	m.lost = m.Counter(of.NewCounter(Name+"_lost_total", "tenancy", "region"))
	return m
}

func newInput(c config, res *service.Resources) (*input, error) {
	store, err := ocifields.NewStore(res, c.Cache)
	if err != nil {
		return nil, err
	}
	if !store.Durable() && !c.grouped() {
		res.Logger().Warnf("%s has no checkpoint_cache: the positions of its partitions are in memory only, and a restart begins at `start` again", Name)
	}
	return &input{
		conf: c, res: res, log: res.Logger(), name: progress.Name(res), store: store,
		tracker: progress.Of(res), source: progress.Of(res).Register(progress.Name(res), !c.End.IsZero()),
		metrics: newMetrics(res), health: ocifields.NewHealth(res.Logger()), outlet: ocifields.NewOutlet(c.Limit),
	}, nil
}

// Connect opens the reader, or tells whether the one that is open can read.
func (i *input) Connect(ctx context.Context) error {
	i.mu.Lock()
	switch {
	case i.closed:
		i.mu.Unlock()
		return service.ErrEndOfInput
	case i.reader == nil:
		defer i.mu.Unlock()
		r, err := openReader(ctx, i)
		if err != nil {
			return service.NewErrBackOff(i.conf.Blame(i.metrics.Metrics, err), i.again.Start(err))
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
		return service.NewErrBackOff(i.conf.Blame(i.metrics.Metrics, err), wait)
	}
	return nil
}

// ReadBatch gives the next batch.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	return i.outlet.Read(ctx)
}

// Close stops reading and commits what was acked.
func (i *input) Close(ctx context.Context) error {
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
func (i *input) ConnectionTest(ctx context.Context) service.ConnectionTestResults {
	return ocifields.Tested(oci.CheckStreaming(ctx, func() (*oci.Client, error) { return i.client(ctx) }, i.conf.scope()))
}

// Check calls each operation that an input of this configuration needs once, and reports what is missing.
// Its error is a mistake in the configuration itself.
func Check(ctx context.Context, conf *service.ParsedConfig) (oci.Report, error) {
	c, err := parse(conf)
	if err != nil {
		return oci.Report{}, err
	}
	res := conf.Resources()
	in := &input{conf: c, res: res, log: res.Logger(), metrics: newMetrics(res)}
	return oci.CheckStreaming(ctx, func() (*oci.Client, error) { return in.client(ctx) }, c.scope()), nil
}

func (c *config) scope() oci.StreamScope {
	scope := oci.StreamScope{Region: c.region, Stream: c.stream}
	if !c.grouped() && c.partitions[0] != all {
		scope.Partitions = c.partitions
	}
	return scope
}

// client makes a client of the configuration. A stream is throttled by its partitions and not by the user, so its limiter is its own.
func (i *input) client(ctx context.Context) (*oci.Client, error) {
	return i.conf.Open(ctx, i.res, i.metrics.Metrics, func(o *oci.Options) {
		o.Limiter = func(string) *oci.Limiter { return oci.NewLimiter(i.conf.Rate) }
		if i.change != nil {
			i.change(o)
		}
	})
}
