package correlate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
	"go.uber.org/goleak"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/match"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("the disk is full")

// fake is a correlator that finds an incident for every event whose id begins with "fire".
type fake struct {
	mu       sync.Mutex
	observed []string
	ticks    []watermark.Tick
	failing  func() error
	mayMatch func(event.Facts) bool
	lists    map[string]match.List
}

func (f *fake) MayMatch(facts event.Facts) bool { return f.mayMatch == nil || f.mayMatch(facts) }

func (f *fake) Observe(_ context.Context, events []*event.Event) ([]engine.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != nil {
		if err := f.failing(); err != nil {
			return nil, err
		}
	}
	outcomes := make([]engine.Outcome, len(events))
	for i, ev := range events {
		f.observed = append(f.observed, ev.ID)
		outcomes[i] = engine.Outcome{Matched: true, Late: strings.HasPrefix(ev.ID, "late")}
		if strings.HasPrefix(ev.ID, "fire") {
			outcomes[i].Incidents = []*incident.Incident{found("i-"+ev.ID, ev.Tenancy)}
		}
	}
	return outcomes, nil
}

func (f *fake) Advance(_ context.Context, tick watermark.Tick) ([]*incident.Incident, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != nil {
		if err := f.failing(); err != nil {
			return nil, err
		}
	}
	f.ticks = append(f.ticks, tick)
	return []*incident.Incident{found("i-tick", "")}, nil
}

func (f *fake) SetLists(lists map[string]match.List) { f.lists = lists }
func (f *fake) Reload([]*rule.Rule) error            { return nil }
func (f *fake) Stats() engine.Stats                  { return engine.Stats{} }

func found(id, tenancy string) *incident.Incident {
	return &incident.Incident{
		ID: id, Tenancy: tenancy, Revision: 3, Action: incident.Create, Per: time.Hour,
		Rule: &rule.Rule{ID: "r", Title: "R", Severity: rule.SeverityHigh, Labels: map[string]string{"team": "iam"}},
	}
}

func newFake(t *testing.T, f *fake, forwarded ...string) *processor {
	t.Helper()
	res := service.MockResources()
	lists, err := newLists(nil, res)
	if err != nil {
		t.Fatal(err)
	}
	p := &processor{
		engine: f, mapper: newMapper(defaultMapping, nil), lists: lists, life: &lifetime{}, watch: &ruleWatch{}, tracker: watermark.New(),
		metrics: newMetrics(res), log: res.Logger(), release: func() {},
		forward: forward{
			incidents: slices.Contains(forwarded, forwardIncidents),
			events:    slices.Contains(forwarded, forwardEvents),
			late:      slices.Contains(forwarded, forwardLate),
		},
	}
	p.learning = newLearning(p.metrics, p.log)
	p.candidates = newCandidates(f.MayMatch, p.mapper)
	return p
}

// document is a normalized event with that id.
func document(id string) string {
	return fmt.Sprintf(`{"class_uid":6003,"metadata":{"uid":%q,"tenant_uid":"t1"},"time":1795262400000}`, id)
}

func messages(contents ...string) service.MessageBatch {
	var b service.MessageBatch
	for _, c := range contents {
		b = append(b, service.NewMessage([]byte(c)))
	}
	return b
}

func tickMessageOf(t *testing.T, tick watermark.Tick) *service.Message {
	t.Helper()
	body, err := json.Marshal(tick)
	if err != nil {
		t.Fatal(err)
	}
	m := service.NewMessage(nil)
	m.MetaSetMut(watermark.MetaTick, string(body))
	return m
}

// left describes what leaves a batch: its type, and the id of an incident or the id of the event.
func left(t *testing.T, p *processor, in service.MessageBatch) []string {
	t.Helper()
	out, err := p.ProcessBatch(t.Context(), in)
	if err != nil {
		t.Fatalf("ProcessBatch: %v", err)
	}
	var got []string
	for _, b := range out {
		for _, m := range b {
			kind, _ := m.MetaGet(watermark.MetaType)
			id, ok := m.MetaGet(metaID)
			if !ok {
				content, _ := m.AsBytes()
				id = string(content)
				var doc struct{ Metadata struct{ UID string } }
				if json.Unmarshal(content, &doc) == nil {
					id = doc.Metadata.UID
				}
			}
			if m.GetError() != nil {
				kind = "error"
			}
			got = append(got, kind+" "+id)
		}
	}
	return got
}

func TestForwardChoosesWhatLeaves(t *testing.T) {
	for name, tt := range map[string]struct {
		forward []string
		want    []string
	}{
		"incidents":            {[]string{forwardIncidents}, []string{"incident i-fire1", "incident i-fire2"}},
		"events":               {[]string{forwardEvents}, []string{"event a", "event fire1", "event late1", "event fire2"}},
		"late":                 {[]string{forwardLate}, []string{"late late1"}},
		"incidents and events": {[]string{forwardIncidents, forwardEvents}, []string{"event a", "event fire1", "incident i-fire1", "event late1", "event fire2", "incident i-fire2"}},
		"all":                  {[]string{forwardIncidents, forwardEvents, forwardLate}, []string{"event a", "event fire1", "incident i-fire1", "late late1", "event fire2", "incident i-fire2"}},
		"nothing":              {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newFake(t, &fake{}, tt.forward...)
			got := left(t, p, messages(document("a"), document("fire1"), document("late1"), document("fire2")))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("what leaves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventLeavesAsItCame(t *testing.T) {
	p := newFake(t, &fake{}, forwardEvents)
	in := messages("{ \"odd\" :  \"spacing\",\n" + document("a")[1:])
	in[0].MetaSetMut("oci_region", "us-ashburn-1")
	want, _ := in[0].AsBytes()
	out, err := p.ProcessBatch(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := out[0][0].AsBytes()
	if string(got) != string(want) {
		t.Errorf("content: got %q, want %q", got, want)
	}
	if region, _ := out[0][0].MetaGet("oci_region"); region != "us-ashburn-1" {
		t.Errorf("metadata: got region %q, want us-ashburn-1", region)
	}
	if _, ok := in[0].MetaGet(watermark.MetaType); ok {
		t.Error("the message of the batch was changed; a retry would see it")
	}
}

func TestIncidentSaysWhatItIs(t *testing.T) {
	p := newFake(t, &fake{}, forwardIncidents)
	in := messages(document("fire"))
	in[0].MetaSetMut("oci_region", "us-ashburn-1")
	out, err := p.ProcessBatch(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := out[0][0].MetaWalkMut(func(k string, v any) error { got[k] = v; return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"correlate_type": "incident", "incident_id": "i-fire", "incident_revision": int64(3), "incident_action": "create",
		"incident_rule": "r", "incident_severity": "high", "incident_label_team": "iam", "oci_tenancy": "t1", "oci_region": "us-ashburn-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestMessageThatCannotBeMappedLeavesUntouchedWithItsError(t *testing.T) {
	f := &fake{}
	p := newFake(t, f, forwardIncidents)
	for name, content := range map[string]string{
		"not JSON": `{"eventType": `,
		"an array": `[1]`,
		"foreign":  `{"hello": "world"}`,
		"empty":    ``,
		"no time":  `{"class_uid":6003,"metadata":{"uid":"x"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := p.ProcessBatch(t.Context(), messages(content, document("fire")))
			if err != nil {
				t.Fatal(err)
			}
			if len(out) != 1 || len(out[0]) != 2 {
				t.Fatalf("got %d batches, want one with the message and the incident", len(out))
			}
			if got, _ := out[0][0].AsBytes(); string(got) != content || out[0][0].GetError() == nil {
				t.Errorf("got %q with error %v, want %q with an error", got, out[0][0].GetError(), content)
			}
			if out[0][1].GetError() != nil {
				t.Errorf("its neighbor has the error %v, want none", out[0][1].GetError())
			}
		})
	}
}

func TestCauseOfAMappingErrorIsLoggedOnceWithoutTheMessage(t *testing.T) {
	p := newFake(t, &fake{}, forwardIncidents)
	var log bytes.Buffer
	p.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		left(t, p, messages(`{"secret-of-the-message": `, `{"secret-of-the-message": `, `[1]`))
	}
	if n := strings.Count(log.String(), "A message is no event"); n != 2 {
		t.Errorf("lines: got %d, want one for each of two causes:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "secret-of-the-message") {
		t.Errorf("the log quotes the message:\n%s", &log)
	}
}

func TestErroredMessagePassesUntouched(t *testing.T) {
	f := &fake{}
	p := newFake(t, f, forwardIncidents)
	in := messages(document("fire"))
	in[0].SetError(errDisk)
	if diff := cmp.Diff([]string{"error fire"}, left(t, p, in)); diff != "" {
		t.Errorf("what leaves (-want +got):\n%s", diff)
	}
	if len(f.observed) != 0 {
		t.Errorf("observed %v, want nothing", f.observed)
	}
}

func TestTickNeverLeavesAndItsIncidentsDo(t *testing.T) {
	f := &fake{}
	p := newFake(t, f, forwardIncidents, forwardEvents, forwardLate)
	tick := watermark.Tick{Number: "b-1", Boot: "b", All: 7, Tenancies: map[string]event.Time{"t1": 7}}
	in := service.MessageBatch{tickMessageOf(t, tick)}
	out, err := p.ProcessBatch(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]watermark.Tick{tick}, f.ticks); diff != "" {
		t.Errorf("ticks that reached the engine (-want +got):\n%s", diff)
	}
	if len(out) != 1 || len(out[0]) != 1 {
		t.Fatalf("got %v, want the incident alone", out)
	}
	if id, _ := out[0][0].MetaGet(metaID); id != "i-tick" {
		t.Errorf("incident: got %q, want i-tick", id)
	}
	if _, ok := out[0][0].MetaGet(watermark.MetaTick); ok {
		t.Error("the incident is a tick, too")
	}
}

func TestBrokenTickStopsNothing(t *testing.T) {
	p := newFake(t, &fake{}, forwardIncidents)
	m := service.NewMessage(nil)
	m.MetaSetMut(watermark.MetaTick, "{")
	if got := left(t, p, service.MessageBatch{m}); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestBatchWaitsForFiveSecondsWithoutState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fake{failing: func() error {
			if time.Since(begin) < 5*time.Second {
				return errDisk
			}
			return nil
		}}
		p := newFake(t, f, forwardIncidents)
		got := left(t, p, append(messages(document("fire")), tickMessageOf(t, watermark.Tick{Number: "1"})))
		if diff := cmp.Diff([]string{"incident i-fire", "incident i-tick"}, got); diff != "" {
			t.Errorf("what leaves (-want +got):\n%s", diff)
		}
		if d := time.Since(begin); d < 5*time.Second || d > 11*time.Second {
			t.Errorf("the batch took %s, want 5s and at most one wait more", d)
		}
		if p.trouble.Load() != nil {
			t.Error("the trouble is over, but not for the processor")
		}
	})
}

func TestBatchWithoutStateIsNoMessageErrorWhenTheStreamStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t, &fake{failing: func() error { return errDisk }}, forwardIncidents, forwardEvents)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		in := messages(document("fire"))
		out, err := p.ProcessBatch(ctx, in)
		if !errors.Is(err, context.DeadlineExceeded) || out != nil {
			t.Errorf("got %v, %v, want nothing and the context's error", out, err)
		}
		if in[0].GetError() != nil {
			t.Errorf("the event has the error %v, want none: no dead letter for an outage", in[0].GetError())
		}
	})
}

func TestEventThatNoRuleCouldMatchIsNotDecoded(t *testing.T) {
	f := &fake{mayMatch: func(event.Facts) bool { return false }}
	p := newFake(t, f, forwardEvents)
	// The time is missing: decoding it would be an error.
	raw := `{"eventType":"com.oraclecloud.computeApi.GetInstance","eventId":"1","source":"x","data":{}}`
	if diff := cmp.Diff([]string{"event "}, left(t, p, messages(raw))); diff != "" {
		t.Errorf("what leaves (-want +got):\n%s", diff)
	}
}

func TestNonCandidateCostsNoAllocation(t *testing.T) {
	p := newFake(t, &fake{mayMatch: func(event.Facts) bool { return false }})
	const raw = `{"eventType":"com.oraclecloud.computeApi.GetInstance","cloudEventsVersion":"0.1","eventTypeVersion":"2.0",` +
		`"source":"ComputeApi","eventId":"1","eventTime":"2026-11-21T12:00:00Z","contentType":"application/json","data":{"identity":{}}}`
	normalized, err := normalize.AppendJSON(nil, []byte(raw), false)
	if err != nil {
		t.Fatal(err)
	}
	for name, msg := range map[string]*service.Message{"raw": messages(raw)[0], "normalized": messages(string(normalized))[0]} {
		p.candidate(msg)
		if n := testing.AllocsPerRun(1000, func() {
			if _, tick := msg.MetaGetImmut(watermark.MetaTick); tick || msg.GetError() != nil || p.candidate(msg) {
				t.Fatal("got a candidate, want none")
			}
		}); n != 0 {
			t.Errorf("%s: allocations: got %v, want 0", name, n)
		}
	}
}

// TestNormalizedBytesAreKnownByWhatTheySay holds what is passed over to what the document itself says.
func TestNormalizedBytesAreKnownByWhatTheySay(t *testing.T) {
	var asked []event.Facts
	p := newFake(t, &fake{mayMatch: func(f event.Facts) bool { asked = append(asked, f); return false }})
	for _, doc := range []string{
		`{"class_uid":3001,"class_name":"Account Change","activity_name":"Create","metadata":{"uid":"1","event_code":"a.b.C"},"api":{"operation":"C"}}`,
		`{"api":{"x":{"operation":"no"},"operation":"D"},"activity_name":7,"metadata":{"event_code":null},"class_name":"\u0041","class_uid":3001,"class_name":"B"}`,
		`{"class_uid":3001,"api":[{"operation":"D"}],"metadata":"x"}`,
	} {
		for range 2 {
			if p.candidate(messages(doc)[0]) {
				t.Errorf("%s is a candidate, want what the rules say", doc)
			}
		}
	}
	want := []event.Facts{
		{"class_name": "Account Change", "activity_name": "Create", "metadata.event_code": "a.b.C", "api.operation": "C"},
		{"api.operation": "D"},
		{},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("facts (-want +got), each asked for once:\n%s", diff)
	}
}

func TestStructuredDocumentIsTakenAsItIs(t *testing.T) {
	f := &fake{}
	p := newFake(t, f, forwardIncidents)
	m := service.NewMessage(nil)
	m.SetStructuredMut(map[string]any{"class_uid": 6003, "time": 1795262400000, "metadata": map[string]any{"uid": "fire"}})
	if diff := cmp.Diff([]string{"incident i-fire"}, left(t, p, service.MessageBatch{m})); diff != "" {
		t.Errorf("what leaves (-want +got):\n%s", diff)
	}
}
