package engine

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

// Each property of histories is tried on so many of them, where the command line does not say: the three make more than 10,000 cases.
// The race detector is to find races, not cases.
const historyChecks, historyChecksWithRace = 3500, 500

// checksChosen says that the command line has -rapid.checks.
var checksChosen bool

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { checksChosen = checksChosen || f.Name == "rapid.checks" })
	os.Exit(m.Run())
}

// checkHistories tries a property of histories, and sees that it was tried as often as it says.
func checkHistories(t *testing.T, property func(rt *rapid.T)) {
	t.Helper()
	flagged := flag.Lookup("rapid.checks").Value
	want := historyChecks
	if raceEnabled {
		want = historyChecksWithRace
	}
	if checksChosen {
		want, _ = strconv.Atoi(flagged.String()) // it was parsed
	}
	before := flagged.String()
	defer func() { _ = flagged.Set(before) }()
	if err := flagged.Set(strconv.Itoa(want)); err != nil {
		t.Fatal(err)
	}
	tried := 0
	rapid.Check(t, func(rt *rapid.T) {
		tried++
		property(rt)
	})
	t.Logf("%d histories", tried)
	if tried < want {
		t.Errorf("%d histories were tried, want %d", tried, want)
	}
}

// TestThreadsChangeNothing feeds one history by 1 to 8 goroutines in batches of several sizes, with ticks beside them,
// and gets the same settled set each time, that of the definition.
func TestThreadsChangeNothing(t *testing.T) {
	var rules []*rule.Rule
	for i, text := range []string{
		"window: 20s\nmatch: {unmapped.p: a}\nhaving: count() >= 5",
		"window: 1m\nmatch: {unmapped.p: a}\nhaving: distinct(unmapped.v) > 3",
		"window: 10s\npatterns: {a: {match: {unmapped.p: a}, having: count() >= 2}, b: {match: {unmapped.p: b}}}\nwhen: a then b",
		"window: 10s\npatterns: {a: {match: {unmapped.p: a}}, b: {match: {unmapped.p: b}}}\nwhen: a and b",
		"patterns: {a: {match: {unmapped.p: a}}, b: {match: {unmapped.p: b}}}\nwhen: a then not b within 4s",
		// These share a pool with the first.
		"window: 3s\nmatch: {unmapped.p: a}\nhaving: count() >= 2",
		"window: 40s\nmatch: {unmapped.p: a}\nhaving: count() >= 12",
	} {
		rules = append(rules, parseRule(t, fmt.Sprintf("id: r%d\n%s\nincident: {title: t, per: 1m}", i, text)))
	}
	history := randomHistory(1500)
	want := map[string]string{}
	for _, r := range rules {
		maps.Copy(want, settledByDefinition(r, history, "t1"))
	}
	if len(want) < 50 {
		t.Fatalf("the history has %d incidents only", len(want))
	}
	for _, threads := range []int{1, 2, 8} {
		for _, size := range []int{1, 1000} {
			t.Run(fmt.Sprintf("threads=%d/batch=%d", threads, size), func(t *testing.T) {
				got := feed(t, rules, history, threads, size)
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("(-definition +engine)\n%s", diff)
				}
			})
		}
	}
}

func randomHistory(n int) []seen {
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]seen, n)
	for i := range list {
		list[i] = seen{
			id: fmt.Sprintf("e%05d", i), time: zero + event.Time(i*100) + event.Time(random.IntN(100)),
			key: fmt.Sprintf("k%d", random.IntN(20)), v: int64(random.IntN(6)), patterns: map[int]bool{min(random.IntN(4), 1): true},
		}
	}
	return list
}

// feed gives the history to the engine, out of order by up to 10 s, and gives what is left at the end.
func feed(t *testing.T, rules []*rule.Rule, history []seen, threads, size int) map[string]string {
	t.Helper()
	ctx := context.Background()
	store := &lockedStore{testStore: newStore()}
	e, err := New(ctx, Options{Rules: rules, Store: store, Emit: EmitOptions{Create: true, Update: true, Close: true}, MaxMemory: 200_000})
	if err != nil {
		t.Fatal(err)
	}
	out := &ledger{latest: map[string]*incident.Incident{}}
	tick := func(n int, mark event.Time, final bool) {
		tick := watermark.Tick{Number: strconv.Itoa(n), Boot: "b", Tenancies: map[string]event.Time{"t1": mark}, All: mark, Final: final}
		list, err := e.Advance(ctx, tick)
		for err != nil {
			list, err = e.Advance(ctx, tick)
		}
		out.take(list)
	}
	tick(0, zero-1, false)
	random := rand.New(rand.NewPCG(3, 4))
	const stretch = 150
	for start := 0; start < len(history); start += stretch {
		part := history[start:min(start+stretch, len(history))]
		var batches [][]*event.Event
		order := random.Perm(len(part))
		for i := 0; i < len(order); i += size {
			var batch []*event.Event
			for _, k := range order[i:min(i+size, len(order))] {
				batch = append(batch, part[k].event(t))
			}
			batches = append(batches, batch)
		}
		var wg sync.WaitGroup
		for thread := range threads {
			wg.Go(func() {
				for i := thread; i < len(batches); i += threads {
					outcomes, err := e.Observe(ctx, batches[i])
					for err != nil { // as correlate does
						outcomes, err = e.Observe(ctx, batches[i])
					}
					for _, o := range outcomes {
						if o.Late {
							t.Error("an event is late")
						}
						out.take(o.Incidents)
					}
				}
			})
		}
		// While the stretch is read, time is where the stretch before it ended.
		wg.Go(func() { tick(start+1, part[0].time, false) })
		wg.Wait()
	}
	tick(-1, history[len(history)-1].time, true)
	if out.wrong != "" {
		t.Error(out.wrong)
	}
	return out.settled()
}

// lockedStore is a testStore for several goroutines, of whose saves and loads every eleventh goes wrong.
type lockedStore struct {
	mu sync.Mutex
	*testStore
	calls int
}

func (s *lockedStore) fail(how string) {
	if s.calls++; s.calls%11 == 0 {
		s.failing, s.part = how, s.calls
	}
}

func (s *lockedStore) Load(ctx context.Context, keys []string) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail("load")
	return s.testStore.Load(ctx, keys)
}

func (s *lockedStore) Save(ctx context.Context, changes []Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail("part")
	return s.testStore.Save(ctx, changes)
}
