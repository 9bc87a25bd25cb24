package ocilogging

import (
	"context"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/internal/ocireader"
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

func newInput(c config, res *service.Resources) (*ocireader.Input, error) {
	source := searches{queries: c.queries, unwrap: c.unwrap}
	return ocireader.New(ocireader.Config{
		Config: c.Config, Component: Name, Source: source, Refresh: refreshEvery, Threads: c.threads,
		Plan: collect.Plan{
			Delay: c.delay, FirstWindow: time.Hour, MaxWindow: maxWindow, Retention: 365 * 24 * time.Hour, MaxPasses: 8,
			// Whether the end of a range belongs to it is not documented: so it may.
			Inclusive: true,
		},
		Hopeless: []oci.Kind{oci.NoPermission, oci.BadRequest},
		Check: func(ctx context.Context, open func() (*oci.Client, error)) oci.Report {
			return oci.CheckLogging(ctx, open, source.scope())
		},
	}, res)
}

// refreshEvery is how often the tenancy's regions are asked for, where a query is made in all of them.
const refreshEvery = time.Hour

// maxWindow is the longest range of one search.
const maxWindow = 14 * 24 * time.Hour

// Check calls each operation that an input of this configuration needs once, and reports what is missing.
// Its error is a mistake in the configuration itself.
func Check(ctx context.Context, conf *service.ParsedConfig) (oci.Report, error) {
	c, err := parse(conf)
	if err != nil {
		return oci.Report{}, err
	}
	res := conf.Resources()
	metrics := ocifields.NewMetrics(res, Name)
	return oci.CheckLogging(ctx, func() (*oci.Client, error) { return c.Open(ctx, res, metrics, nil) }, searches{queries: c.queries}.scope()), nil
}
