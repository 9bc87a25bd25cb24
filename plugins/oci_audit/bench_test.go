package ociaudit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/ocisim"
)

// pages answers each request for events at once with a page of other events of about 2 KB each.
type pages struct {
	body   []byte
	places []int // of the numbers in the ids
	made   atomic.Int64
	left   atomic.Int64
	date   string
}

func newPages(events int) *pages {
	p := &pages{date: time.Now().UTC().Format(http.TimeFormat)}
	var b bytes.Buffer
	b.WriteByte('[')
	padding := strings.Repeat(`"compartmentName":"network","path":"/20160918/instances","x":[1,2,3],`, 26)
	for i := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"eventType":"com.oraclecloud.ComputeApi.GetInstance","cloudEventsVersion":"0.1","eventTypeVersion":"2.0","source":"ComputeApi","eventId":"`)
		p.places = append(p.places, b.Len())
		b.WriteString(`0000000000000000000000000000","eventTime":"2026-11-20T10:00:00.123Z","contentType":"application/json","data":{` + padding + `"y":null}}`)
	}
	b.WriteByte(']')
	p.body = b.Bytes()
	return p
}

func (p *pages) RoundTrip(req *http.Request) (*http.Response, error) {
	body := bytes.Clone(p.body)
	n := p.made.Add(1)
	for i, at := range p.places {
		copy(body[at:], fmt.Sprintf("%014d%014d", n, i))
	}
	resp := &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Date": {p.date}}, Request: req,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
	if p.left.Add(-1) > 0 {
		resp.Header.Set("opc-next-page", strconv.FormatInt(n, 10))
	}
	return resp, nil
}

// BenchmarkBackfillPage is what a page of a thousand events of 2 KB costs a backfill: the request signed, the body read and cut,
// each event known by its id and handed on with its metadata. It runs with -cpu 1,2 to see both cores at work.
func BenchmarkBackfillPage(b *testing.B) {
	p := newPages(1000)
	sim, err := ocisim.New(ocisim.Config{Events: 20, NoStories: true, Users: 5})
	if err != nil {
		b.Fatal(err)
	}
	root := sim.Tenancies()[0].OCID
	parsed, err := Spec().ParseYAML(sim.ConfigBlock("http://127.0.0.1:1", 0)+fmt.Sprintf(
		"start: -300d\nend: -200d\nmax_requests_per_second: 1000000\nthreads: 8\nregions: [ eu-frankfurt-1 ]\ncompartments: { include: [ %s ], subtree: false }\n", root), nil)
	if err != nil {
		b.Fatal(err)
	}
	c, err := parse(parsed)
	if err != nil {
		b.Fatal(err)
	}
	in, err := newInput(c, service.MockResources())
	if err != nil {
		b.Fatal(err)
	}
	in.Change = func(o *oci.Options) { o.Transport = p }
	ctx := b.Context()
	p.left.Store(int64(b.N))
	b.SetBytes(int64(len(p.body)))
	b.ReportAllocs()
	b.ResetTimer()
	if err := in.Connect(ctx); err != nil {
		b.Fatal(err)
	}
	events := 0
	for {
		batch, ack, err := in.ReadBatch(ctx)
		if errors.Is(err, service.ErrEndOfInput) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		events += len(batch)
		if err := ack(ctx, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := in.Close(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
