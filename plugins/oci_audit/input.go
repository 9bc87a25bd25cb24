package ociaudit

import (
	"context"

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
	plan := collect.DefaultPlan()
	plan.Delay = c.delay
	return ocireader.New(ocireader.Config{
		Config: c.Config, Component: Name, Source: trails{c}, Plan: plan, Refresh: c.refresh, Threads: c.threads,
		Hopeless: []oci.Kind{oci.NoPermission},
		Check:    c.test,
	}, res)
}

// Check calls each operation that an input of this configuration needs once, and reports what is missing.
// Its error is a mistake in the configuration itself.
func Check(ctx context.Context, conf *service.ParsedConfig) (oci.Report, error) {
	c, err := parse(conf)
	if err != nil {
		return oci.Report{}, err
	}
	res := conf.Resources()
	metrics := ocifields.NewMetrics(res, Name)
	return c.test(ctx, func() (*oci.Client, error) { return c.Open(ctx, res, metrics, nil) }), nil
}

func (c config) test(ctx context.Context, open func() (*oci.Client, error)) oci.Report {
	return oci.CheckAudit(ctx, open, oci.AuditScope{Regions: explicit(c.regions), Compartments: c.include, Listed: c.needsList()})
}

// trails are the audit events of a tenancy: one trail for each compartment in each region.
type trails struct{ conf config }

// Groups says that all compartments have one beginning.
func (trails) Groups() []string { return []string{""} }

// Places are the compartments in the regions of today.
func (t trails) Places(ctx context.Context, client *oci.Client) ([]ocireader.Place, error) {
	return t.conf.places(ctx, client)
}

// Page reads a page of the events of one compartment.
func (trails) Page(ctx context.Context, client *oci.Client, where ocireader.Place, span collect.Span, token string) (oci.Page, error) {
	return client.AuditEvents(ctx, oci.AuditQuery{Region: where.Region, Compartment: where.Subject, Start: span.Start, End: span.End, Page: token})
}

// Message is the event as it came.
func (trails) Message(where ocireader.Place, item oci.Item) *service.Message {
	m := service.NewMessage(item.Raw)
	m.MetaSetMut("oci_compartment", where.Subject)
	return m
}
