package ociaudit

import (
	"context"
	"sync"
	"time"

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

// reconnect is how long Benthos waits before it asks again whether an input that cannot read anything is well.
const reconnect = 10 * time.Second

// input is what Benthos sees; the reading is done by a reader, which lives from the first Connect that succeeds to Close.
type input struct {
	conf    config
	res     *service.Resources
	log     *service.Logger
	name    string
	source  *watermark.Source
	store   *ocifields.Store
	metrics *ocifields.Metrics
	late    *lateness
	health  *ocifields.Health
	outlet  *ocifields.Outlet
	// change lets tests replace the transport; nil elsewhere.
	change func(*oci.Options)

	mu     sync.Mutex
	reader *reader // mu
	closed bool    // mu
}

func newInput(c config, res *service.Resources) (*input, error) {
	store, err := ocifields.NewStore(res, c.Cache)
	if err != nil {
		return nil, err
	}
	if !store.Durable() && c.End.IsZero() {
		res.Logger().Warnf("%s has no checkpoint_cache: its position is in memory only, and a restart begins at `start` again", Name)
	}
	return &input{
		conf: c, res: res, log: res.Logger(), name: progress.Name(res), store: store,
		source:  progress.Of(res).Register(progress.Name(res), !c.End.IsZero()),
		metrics: ocifields.NewMetrics(res, Name), late: newLateness(res, c.Overlap),
		health: ocifields.NewHealth(res.Logger()), outlet: ocifields.NewOutlet(c.Limit),
	}, nil
}

// Connect opens the reader, or tells whether the one that is open can read.
func (i *input) Connect(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
		return service.ErrEndOfInput
	case i.reader == nil:
		r, err := openReader(ctx, i)
		if err != nil {
			return service.NewErrBackOff(err, reconnect)
		}
		i.reader = r
		r.start()
		return nil
	}
	if err := i.reader.ill(); err != nil && i.outlet.InFlight() == 0 {
		return service.NewErrBackOff(err, reconnect)
	}
	return nil
}

// ReadBatch gives the next batch.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	return i.outlet.Read(ctx)
}

// Close stops reading and saves the position of what was acked.
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
	report := i.check(ctx)
	var results service.ConnectionTestResults
	for _, step := range report.Steps {
		if step.Err != nil {
			results = append(results, service.ConnectionTestFailed(step.Err))
		}
	}
	if len(results) == 0 {
		return service.ConnectionTestSucceeded().AsList()
	}
	return results
}

// Check calls each operation that an input of this configuration needs once, and reports what is missing.
// Its error is a mistake in the configuration itself.
func Check(ctx context.Context, conf *service.ParsedConfig) (oci.Report, error) {
	c, err := parse(conf)
	if err != nil {
		return oci.Report{}, err
	}
	res := conf.Resources()
	in := &input{conf: c, res: res, log: res.Logger(), metrics: ocifields.NewMetrics(res, Name)}
	return in.check(ctx), nil
}

func (i *input) check(ctx context.Context) oci.Report {
	return oci.CheckAudit(ctx, i.client, oci.AuditScope{
		Regions: explicit(i.conf.regions), Compartments: i.conf.include, Listed: i.conf.needsList(),
	})
}

// client makes a client of the configuration.
func (i *input) client() (*oci.Client, error) { return i.conf.Client(i.res, i.metrics, i.change) }
