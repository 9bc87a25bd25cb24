package ocicloudguard

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
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

// notEnabled is how long to wait where Cloud Guard is off: somebody must enable it first.
const notEnabled = 5 * time.Minute

// input is what Benthos sees; the reading is done by a reader, which lives from the first Connect that succeeds to Close.
type input struct {
	conf    config
	res     *service.Resources
	log     *service.Logger
	name    string
	source  *watermark.Source
	store   *ocifields.Store
	metrics *ocifields.Metrics
	// Beside those of all inputs.
	undetailed, dropped, repeated ocifields.Counter
	health                        *ocifields.Health
	outlet                        *ocifields.Outlet
	again                         ocifields.Reconnect
	// What the board of a bounded run shows.
	requests, events         atomic.Int64
	opened, failing, through atomic.Bool
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
		res.Logger().Warnf("%s has no checkpoint_cache: what was delivered is in memory only, and a restart sends the problems since `start` again", Name)
	}
	metrics, of := ocifields.NewMetrics(res, Name), res.Metrics()
	in := &input{
		conf: c, res: res, log: res.Logger(), name: progress.Name(res), store: store,
		source:  progress.Of(res).Register(progress.Name(res), !c.End.IsZero()),
		metrics: metrics, health: ocifields.NewHealth(res.Logger()), outlet: ocifields.NewOutlet(c.Limit),
		// Problems that left without all their details: `budget` where detail_budget was spent, `error` where a call failed.
		undetailed: metrics.Counter(of.NewCounter(Name+"_undetailed_total", "tenancy", "reason")),
		// Problems that were open and that Cloud Guard does not know any more, or does not show to this user: nothing is sent of them.
		dropped: metrics.Counter(of.NewCounter(Name+"_dropped_total", "tenancy")),
		// Problems that were listed again and had not changed, so that they did not leave.
		repeated: metrics.Counter(of.NewCounter(Name+"_repeated_total", "tenancy", "region")),
	}
	if in.bounded() {
		progress.BoardOf(res).Show(in.standing)
	}
	return in, nil
}

// bounded is true where the input reads up to a time and ends.
func (i *input) bounded() bool { return !i.conf.End.IsZero() }

// sweepWindow is what the sweep of a bounded run counts beside what other inputs have to read: as one window of theirs.
const sweepWindow = time.Hour

// standing is how far a bounded run has come.
func (i *input) standing() progress.Standing {
	now := progress.Standing{Records: i.events.Load(), Requests: i.requests.Load()}
	if i.failing.Load() {
		now.Failing = 1
	}
	if !i.opened.Load() && now.Failing == 0 {
		return now
	}
	now.Partitions, now.Whole = 1, sweepWindow
	if i.through.Load() {
		now.Done = now.Whole
	}
	return now
}

// hopeless is true in a bounded run where nothing but somebody's deed ends the failure.
func (i *input) hopeless(err error) bool {
	return i.bounded() && slices.Contains([]oci.Kind{oci.NoPermission, oci.NotEnabled}, oci.KindOf(err))
}

// endWithout ends a bounded run that cannot read the problems; region is the reporting region, "" where it is not known.
func (i *input) endWithout(region string) {
	i.log.Errorf("Reading up to %s has ended without the problems of Cloud Guard, which cannot be read: run it again once what the log says is mended",
		i.conf.End.At(time.Now()).Format(time.RFC3339))
	i.failing.Store(true)
	i.source.End(watermark.Unread{Tenancy: i.conf.Tenancy(i.metrics), Name: region})
	i.outlet.End()
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
			wait := i.pauseAfter(err)
			i.failing.Store(true)
			if i.hopeless(err) && i.again.Stays() {
				i.endWithout(i.conf.region)
				return service.ErrEndOfInput
			}
			return service.NewErrBackOff(i.conf.Blame(i.metrics, err), wait)
		}
		i.reader = r
		i.failing.Store(false)
		i.opened.Store(true)
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

// pauseAfter is how long to wait after the input could not begin.
func (i *input) pauseAfter(err error) time.Duration {
	wait := i.again.Start(err)
	if oci.KindOf(err) == oci.NotEnabled && !i.bounded() {
		return notEnabled
	}
	return wait
}

// ReadBatch gives the next batch.
func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	return i.outlet.Read(ctx)
}

// Close stops reading and saves what was acked.
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
	return ocifields.Tested(oci.CheckCloudGuard(ctx, func() (*oci.Client, error) { return i.client(ctx) }, i.conf.scope()))
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
	return oci.CheckCloudGuard(ctx, func() (*oci.Client, error) { return in.client(ctx) }, c.scope()), nil
}

func (c config) scope() oci.CloudGuardScope {
	return oci.CloudGuardScope{Region: c.region, Detail: c.detail}
}

// client makes a client of the configuration.
func (i *input) client(ctx context.Context) (*oci.Client, error) {
	return i.conf.Open(ctx, i.res, i.metrics, func(o *oci.Options) {
		observe := o.Observe
		o.Observe = func(one oci.Observation) {
			i.requests.Add(1)
			observe(one)
		}
		if i.change != nil {
			i.change(o)
		}
	})
}
