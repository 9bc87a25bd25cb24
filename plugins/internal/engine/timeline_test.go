package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/internal/window"
)

// zero is where the timelines of tests begin: the start of a slot of a day.
const zero = event.Time(1_795_132_800_000)

// TestTimelines runs testdata/*.txt. Commands:
//
//	rule                      the part of a rule file that matters; the rest is filled in
//	engine emit=(create,update,close) update=10s memory=1000 lateness=1m store=none from=5s
//	observe                   one event a line: TIME ID PATTERN KEY [name=value ...]; all lines are one batch
//	tick n=1 at=10s all=5s acked=(1,2) final boot=b
//	restart                   a new engine over the same store
//	fail load|save            the next call of the store fails
//	damage flip|version [id]  spoils the rows of records, of one rule or of all
//	stats
func TestTimelines(t *testing.T) {
	datadriven.Walk(t, "testdata/timelines", func(t *testing.T, path string) {
		w := &timeline{boot: "boot1", opt: Options{Emit: EmitOptions{Create: true}}, store: newStore()}
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			return w.run(t, td)
		})
	})
}

type timeline struct {
	opt     Options
	e       *Engine
	store   *testStore
	boot    string
	metrics *counters
}

func (w *timeline) run(t *testing.T, td *datadriven.TestData) string {
	t.Helper()
	switch td.Cmd {
	case "rule":
		w.opt.Rules = append(w.opt.Rules, parseRule(t, td.Input))
		return ""
	case "reload":
		if err := w.engine(t).Reload([]*rule.Rule{parseRule(t, td.Input)}); err != nil {
			return "error: " + err.Error()
		}
		return ""
	case "engine":
		w.configure(t, td)
		return ""
	case "restart":
		w.e = nil
		w.boot += "+"
		w.engine(t)
		return ""
	case "fail":
		w.store.failing = td.CmdArgs[0].Key
		return ""
	case "damage":
		of := ""
		if len(td.CmdArgs) > 1 {
			of = td.CmdArgs[1].Key
		}
		return w.store.damage(td.CmdArgs[0].Key, of)
	case "observe":
		return w.observe(t, td.Input)
	case "tick":
		return w.tick(t, td)
	case "stats":
		return w.stats(t)
	case "rows":
		return strings.Join(w.store.keys(), "\n")
	}
	t.Fatalf("%s: unknown command %s", td.Pos, td.Cmd)
	return ""
}

func (w *timeline) engine(t *testing.T) *Engine {
	t.Helper()
	if w.e != nil {
		return w.e
	}
	if w.store != nil {
		w.opt.Store = w.store
	}
	w.metrics = &counters{}
	w.opt.Metrics = w.metrics
	e, err := New(context.Background(), w.opt)
	if err != nil {
		t.Fatal(err)
	}
	w.e = e
	return e
}

func (w *timeline) configure(t *testing.T, td *datadriven.TestData) {
	t.Helper()
	for _, arg := range td.CmdArgs {
		switch arg.Key {
		case "emit":
			w.opt.Emit = EmitOptions{}
			for _, v := range arg.Vals {
				switch v {
				case "create":
					w.opt.Emit.Create = true
				case "update":
					w.opt.Emit.Update = true
				case "close":
					w.opt.Emit.Close = true
				}
			}
		case "update":
			w.opt.UpdateEvery = duration(t, arg.Vals[0])
		case "lateness":
			w.opt.Lateness = duration(t, arg.Vals[0])
		case "future":
			w.opt.MaxFuture = duration(t, arg.Vals[0])
		case "from":
			w.opt.IncidentsFrom = at(t, arg.Vals[0])
		case "memory":
			var n int64
			arg.Scan(t, 0, &n)
			w.opt.MaxMemory = n
		case "store":
			w.store, w.opt.Store = nil, nil
		default:
			t.Fatalf("%s: unknown argument %s", td.Pos, arg.Key)
		}
	}
}

func (w *timeline) observe(t *testing.T, input string) string {
	t.Helper()
	var events []*event.Event
	for line := range strings.Lines(input) {
		if fields := strings.Fields(line); len(fields) > 0 {
			events = append(events, eventOf(t, fields))
		}
	}
	outcomes, err := w.engine(t).Observe(context.Background(), events)
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for i, o := range outcomes {
		if o.Late {
			fmt.Fprintf(&b, "%s late\n", events[i].ID)
		}
		if !o.Matched {
			fmt.Fprintf(&b, "%s no match\n", events[i].ID)
		}
		for _, inc := range o.Incidents {
			fmt.Fprintf(&b, "%s -> %s\n", events[i].ID, show(inc))
		}
	}
	return b.String()
}

func (w *timeline) tick(t *testing.T, td *datadriven.TestData) string {
	t.Helper()
	tick := watermark.Tick{Number: "1", Boot: w.boot, Tenancies: map[string]event.Time{}, All: event.MinTime}
	for _, arg := range td.CmdArgs {
		switch arg.Key {
		case "n":
			tick.Number = arg.Vals[0]
		case "boot":
			tick.Boot = arg.Vals[0]
		case "at":
			tick.Tenancies["t1"] = at(t, arg.Vals[0])
			if tick.All == event.MinTime {
				tick.All = at(t, arg.Vals[0])
			}
		case "t2":
			tick.Tenancies["t2"] = at(t, arg.Vals[0])
		case "all":
			tick.All = at(t, arg.Vals[0])
		case "acked":
			tick.Acked = arg.Vals
		case "silent":
			tick.Incomplete = map[string][]string{"t1": arg.Vals}
		case "known":
			tick.Known = []watermark.ID{{Source: "s", Tenancy: "t1", Name: arg.Vals[0]}}
		case "final":
			tick.Final = true
		default:
			t.Fatalf("%s: unknown argument %s", td.Pos, arg.Key)
		}
	}
	list, err := w.engine(t).Advance(context.Background(), tick)
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for _, inc := range list {
		fmt.Fprintf(&b, "%s\n", show(inc))
	}
	return b.String()
}

func (w *timeline) stats(t *testing.T) string {
	t.Helper()
	st := w.engine(t).Stats()
	m := w.metrics
	return fmt.Sprintf("records=%d deadlines=%d outbox=%d known=%d late=%d nulls=%d evicted=%d lost=%d quarantined=%d\n",
		st.Records, st.Deadlines, st.Outbox, len(w.e.Known(context.Background())), m.late, m.nulls, m.evicted, m.lost, m.quarantined)
}

// show gives an incident in one line, its times from zero.
func show(inc *incident.Incident) string {
	since := func(t event.Time) string { return t.Sub(zero).String() }
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", inc.Action, inc.Rule.ID)
	if inc.Tenancy != "t1" {
		fmt.Fprintf(&b, " tenancy=%q", inc.Tenancy)
	}
	fmt.Fprintf(&b, " key=%v slot=%s fired=%s count=%d first=%s last=%s rev=%d",
		inc.Key, since(inc.Slot), since(inc.Fired), inc.Count, since(inc.First), since(inc.Last), inc.Revision)
	if inc.Title != inc.Rule.Title {
		fmt.Fprintf(&b, " %q", inc.Title)
	}
	if len(inc.Attributes) > 0 {
		a, _ := json.Marshal(inc.Attributes)
		fmt.Fprintf(&b, " %s", a)
	}
	if inc.Truncated {
		b.WriteString(" truncated")
	}
	if len(inc.IncompleteSources) > 0 {
		fmt.Fprintf(&b, " without %v", inc.IncompleteSources)
	}
	return b.String()
}

// eventOf reads TIME ID PATTERN KEY [name=value ...]. A pattern of several letters matches several patterns.
func eventOf(t testing.TB, fields []string) *event.Event {
	t.Helper()
	if len(fields) < 4 {
		t.Fatalf("an event is TIME ID PATTERN KEY: %v", fields)
	}
	own := map[string]any{}
	var patterns []any
	for _, r := range fields[2] {
		patterns = append(patterns, string(r))
	}
	own["p"] = patterns
	if fields[3] != "-" {
		own["k"] = fields[3]
	}
	if list := strings.Split(fields[3], ","); len(list) > 1 {
		var keys []any
		for _, k := range list {
			keys = append(keys, k)
		}
		own["k"] = keys
	}
	tenancy := "t1"
	for _, f := range fields[4:] {
		name, value, _ := strings.Cut(f, "=")
		if name == "tenancy" {
			tenancy = value
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			v = value
		}
		own[name] = event.Normal(v)
	}
	doc := map[string]any{
		"time": int64(at(t, fields[0])), "type_uid": int64(600301),
		"metadata": map[string]any{"uid": fields[1], "tenant_uid": tenancy, "product": map[string]any{"name": "OCI Audit"}},
		"actor":    map[string]any{"user": map[string]any{"name": "alice"}},
		"unmapped": own,
	}
	ev, err := event.FromDocument(doc, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func at(t testing.TB, s string) event.Time { return zero.Add(duration(t, s)) }

func duration(t testing.TB, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// parseRule reads the part of a rule that a test is about. Patterns match by their one-letter name unless they say what they match.
func parseRule(t testing.TB, text string) *rule.Rule {
	t.Helper()
	if !strings.Contains(text, "id:") {
		text = "id: r\n" + text
	}
	head := "title: T\nstatus: test\nseverity: medium\ndescription: Detects a test.\ntags: [attack.persistence, attack.t1098.001]\n" +
		"data_sources: [oci_audit]\nfalsepositives: [Unlikely]\n"
	if !strings.Contains(text, "group_by:") {
		head += "group_by: {k: unmapped.k}\n"
	}
	rules, problems := rule.Parse("", []byte(head+text), rule.Options{Inline: true})
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, text)
	}
	if len(rules) != 1 {
		t.Fatalf("%d rules", len(rules))
	}
	rules[0].Enabled = true
	return rules[0]
}

var errDown = errors.New("the store is down")

// testStore keeps rows in memory and fails when it is told to.
type testStore struct {
	rows    map[string][]byte
	failing string
	part    int
	saves   int
	written int
}

func newStore() *testStore { return &testStore{rows: map[string][]byte{}} }

func (s *testStore) Load(_ context.Context, keys []string) ([][]byte, error) {
	if s.failing == "load" {
		s.failing = ""
		return nil, errDown
	}
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i] = slices.Clone(s.rows[k])
	}
	return values, nil
}

func (s *testStore) Save(_ context.Context, changes []Change) (err error) {
	if s.failing == "save" {
		s.failing = ""
		return errDown
	}
	if s.failing == "part" {
		// A store without transactions stops somewhere on the way.
		s.failing = ""
		changes = changes[:s.part%(len(changes)+1)]
		defer func() { err = errDown }()
	}
	s.saves++
	for _, c := range changes {
		if c.Value == nil {
			delete(s.rows, c.Key)
			continue
		}
		s.written += len(c.Value)
		s.rows[c.Key] = slices.Clone(c.Value)
	}
	return nil
}

// keys gives the rows, those of records by their rule only.
func (s *testStore) keys() []string {
	keys := slices.Sorted(maps.Keys(s.rows))
	for i, k := range keys {
		if parts := strings.Split(k, "/"); parts[0] == "record" {
			keys[i] = strings.Join(append(parts[:2:2], parts[4:]...), "/")
		}
	}
	return keys
}

// damage spoils the rows of records: those of one rule, or all.
func (s *testStore) damage(how, of string) string {
	for k, row := range s.rows {
		if !strings.HasPrefix(k, "record/"+of) {
			continue
		}
		switch how {
		case "flip":
			row[len(row)/2] ^= 0x20
		case "version":
			body, err := window.Open(row)
			if err != nil {
				return err.Error()
			}
			s.rows[k] = window.SealVersion(window.Version+1, body)
		}
	}
	return ""
}

// counters is Metrics for tests.
type counters struct{ late, nulls, evicted, lost, quarantined int }

func (c *counters) Late(n int)               { c.late += n }
func (c *counters) NullKeys(_ string, n int) { c.nulls += n }
func (c *counters) Evicted(_ string, n int, lost bool) {
	c.evicted += n
	if lost {
		c.lost += n
	}
}
func (c *counters) Quarantined(string, error)              { c.quarantined++ }
func (c *counters) Incidents(string, incident.Action, int) {}
