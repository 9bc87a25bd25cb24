package ocistreaming

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
	"benthos-oci/plugins/ocisim"
)

// TestStreamReadsASimulatedTenancyOverHTTP runs a whole Benthos stream against a server on this machine.
func TestStreamReadsASimulatedTenancyOverHTTP(t *testing.T) {
	end := time.Now().Add(-time.Hour).Truncate(time.Hour)
	sim, err := ocisim.New(ocisim.Config{Start: end.Add(-6 * time.Hour), End: end, Events: 1000, Regions: []string{region}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	builder := service.NewStreamBuilder()
	if err := builder.SetLoggerYAML("level: none"); err != nil {
		t.Fatal(err)
	}
	if err := builder.AddInputYAML(fmt.Sprintf("label: stream\noci_streaming:\n    %s\n    stream_id: %s\n    consumers: 3\n",
		strings.ReplaceAll(strings.TrimSpace(sim.ConfigBlock(server.URL, 0)), "\n", "\n    "), sim.Stream(0, region, ocisim.AuditStream).OCID)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	got := map[string]bool{}
	if err := builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range batch {
			raw, err := m.AsBytes()
			if err != nil {
				return err
			}
			got[idOf(raw)] = true
		}
		if len(got) == len(sim.Truth().Events) {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stream, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Run(ctx) // it ends with its context
	for _, e := range sim.Truth().Events {
		if !got[e.ID] {
			t.Fatalf("event %s did not arrive", e.ID)
		}
	}
}

// TestConnectionTestNamesWhatIsMissing runs the test of the connection as the command line does.
func TestConnectionTestNamesWhatIsMissing(t *testing.T) {
	for _, tt := range []struct{ name, denied, stream, want string }{
		{name: "nothing"},
		{name: "the stream", denied: ocisim.ReadStreams, want: "read streams in tenancy"},
		{name: "its messages", denied: ocisim.UseStreamPull, want: "use stream-pull in tenancy"},
		{name: "another stream", stream: "ocid1.stream.oc1.eu-frankfurt-1.other", want: "there is no stream ocid1.stream.oc1.eu-frankfurt-1.other in that region"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim, err := ocisim.New(ocisim.Config{Events: 200, NoStories: true, Users: 5, Regions: []string{region}})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(sim)
			defer server.Close()
			if tt.denied != "" {
				sim.Deny(ocisim.Denial{Permission: tt.denied})
			}
			of := sim.Stream(0, region, ocisim.AuditStream)
			if tt.stream == "" {
				tt.stream = of.OCID
			}
			parsed, err := Spec().ParseYAML(sim.ConfigBlock(server.URL, 0)+"stream_id: "+tt.stream+"\n", nil)
			if err != nil {
				t.Fatal(err)
			}
			report, err := Check(t.Context(), parsed)
			if err != nil {
				t.Fatal(err)
			}
			said, statements := "", ""
			for _, step := range report.Steps {
				if step.Err != nil {
					said += step.Err.Error()
				}
				statements += step.Statement
			}
			if report.OK() != (tt.want == "") || !strings.Contains(said, tt.want) || tt.denied != "" && !strings.Contains(statements, tt.want) {
				t.Errorf("got OK %v, %q and the statements %q, want %q in them", report.OK(), said, statements, tt.want)
			}
			if n := sim.Count("CreateGroupCursor", 0) + sim.Count("ConsumerCommit", 0); n != 0 {
				t.Errorf("the check has joined the group or committed, want it to change nothing")
			}
			c, err := parse(parsed)
			if err != nil {
				t.Fatal(err)
			}
			in, err := newInput(c, service.MockResources())
			if err != nil {
				t.Fatal(err)
			}
			testable, ok := ocifields.Retrying(in).(service.ConnectionTestable)
			if !ok {
				t.Fatal("the input cannot be tested")
			}
			failed := ""
			for _, one := range testable.ConnectionTest(t.Context()) {
				if one.Err != nil {
					failed += one.Err.Error()
				}
			}
			if (failed == "") != (tt.want == "") || !strings.Contains(failed, tt.want) {
				t.Errorf("the test of the connection says %q, want %q in it", failed, tt.want)
			}
		})
	}
}

func TestTwoTenanciesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ocisim.InboxStream, func(c *ocisim.Config) { c.Tenancies, c.Partitions, c.Events, c.NoStories = 2, 1, 1, true })
		h := &handle{disk: r.disk}
		res := r.resources(h)
		other := &rig{t: t, sim: r.sim, stream: r.sim.Stream(1, region, ocisim.InboxStream), disk: r.disk, log: r.log}
		r.put(0, 20)
		other.put(0, 20)
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Tenancy: r.sim.Tenancies()[0].OCID, RetryAfter: time.Hour})
		start := func(one *rig, number int) (process, *inbox, func()) {
			c := one.configOf(number, "instance: one\n")
			in, err := newInput(c, res)
			if err != nil {
				t.Fatal(err)
			}
			p, got := r.started(in, h), newInbox()
			return p, got, one.background(p, got)
		}
		throttled, gotNone, haltOne := start(r, 0)
		free, gotAll, haltTwo := start(other, 1)
		time.Sleep(30 * time.Second)
		if gotNone.count() != 0 || gotAll.count() != 20 {
			t.Errorf("got %d messages of the tenancy that is throttled and %d of the other, want 0 and 20", gotNone.count(), gotAll.count())
		}
		haltOne()
		haltTwo()
		r.stop(throttled)
		r.stop(free)
	})
}

// configOf reads a configuration of the tenancy of that number.
func (r *rig) configOf(number int, fields string) config {
	r.t.Helper()
	parsed, err := Spec().ParseYAML(r.sim.ConfigBlock("http://127.0.0.1:1", number)+"stream_id: "+r.stream.OCID+"\n"+fields, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := parse(parsed)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func TestSecretsStandInNoLogAndNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 1)
		r.put(0, 10)
		var mu sync.Mutex
		var secrets []string
		for line := range strings.SplitSeq(r.sim.Tenancies()[0].PrivateKeyPEM, "\n") {
			if len(line) > 40 {
				secrets = append(secrets, line)
			}
		}
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 401, After: 8, Times: 5})
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectReset, After: 8, Times: 20})
		p, got := r.start("instance: one\nmax_page_messages: 2\n"), newInbox()
		inner := p.in.change
		p.in.change = func(o *oci.Options) {
			inner(o)
			next := o.Transport
			o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
				_, signature, _ := strings.Cut(req.Header.Get("Authorization"), `signature="`)
				mu.Lock()
				secrets = append(secrets, signature[:40])
				mu.Unlock()
				return next.RoundTrip(req)
			})
		}
		r.drain(p, got, func() bool { return got.count() == 10 })
		r.stop(p)
		said := r.log.String()
		for _, m := range got.all {
			said += fmt.Sprint(m.meta)
		}
		if len(secrets) < 30 || r.log.count("level=ERROR") == 0 {
			t.Fatalf("got %d secrets and the log %s: the test shows nothing", len(secrets), r.log)
		}
		for _, secret := range secrets {
			if strings.Contains(said, secret) {
				t.Fatalf("the secret %s stands in a log or message", secret)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
