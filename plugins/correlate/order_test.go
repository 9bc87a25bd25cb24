package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// orderConfig has a rule of each kind: single, counted, ordered, and waiting for absence.
const orderConfig = `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ], tick_interval: 10ms }
pipeline:
  processors:
    - correlate:
        rules:` + keyRule + waitRule + `
            - id: test-many
              title: Many calls
              severity: low
              window: 20m
              group_by: {user: actor.user.name}
              match: {api.operation: [GetInstance, DeleteUser]}
              having: count() >= 5
              incident: {per: 1h}
            - id: test-then
              title: Key, then policy
              severity: high
              window: 10m
              group_by: {user: actor.user.name}
              patterns:
                key: {match: {api.operation: UploadApiKey}}
                policy: {match: {api.operation: CreatePolicy}}
              when: key then policy
              incident: {per: 1h}
        emit: [ create, close ]
        state_cache: state
output: { test_sink: { name: "{{out}}" } }
cache_resources:
  - { label: state, STATE }
`

// record is one event of a day.
type record struct {
	op, user string
	at       time.Time
}

// day gives events of twelve users, ten seconds apart.
func day(random *rand.Rand) []record {
	const users, events = 12, 3000
	var all []record
	for i := range events {
		op := []string{"UploadApiKey", "CreatePolicy", "GetInstance", "ListInstances", "DeleteUser"}[random.IntN(5)]
		all = append(all, record{op, fmt.Sprintf("user%d", random.IntN(users)), noon.Add(time.Duration(i) * 10 * time.Second)})
	}
	return all
}

// shuffled changes the order of events less than 15 minutes apart.
func shuffled(all []record, random *rand.Rand) []record {
	when := map[record]time.Duration{}
	for _, r := range all {
		when[r] = r.at.Sub(noon) + time.Duration(random.Int64N(int64(15*time.Minute)))
	}
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b record) int { return int(when[a] - when[b]) })
	return order
}

// feedOf gives the events in batches, each of which takes a while to come, then ends.
func feedOf(all []record, size int) *feed {
	var batches []service.MessageBatch
	for chunk := range slices.Chunk(all, size) {
		var b service.MessageBatch
		for _, r := range chunk {
			b = append(b, raw(r.op, r.user, r.at))
		}
		batches = append(batches, b)
	}
	f := newFeed(batches...).ends()
	f.pace = time.Duration(size) * time.Millisecond
	return f
}

// undisturbed gives the settled incidents of one thread that gets the events one by one and in order.
func undisturbed(t *testing.T, all []record) (want map[string]found) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		out := &sink{}
		start(t, 1, withState(orderConfig, "memory: {}"), map[string]any{"in": feedOf(all, 1), "out": out}).wait()
		want, _ = out.incidents(t)
	})
	if len(want) < 50 {
		t.Fatalf("the undisturbed run found %d incidents, want enough to compare", len(want))
	}
	for id, f := range want {
		if f.Action != "close" {
			t.Fatalf("incident %s of the undisturbed run is not settled: %+v", id, f)
		}
	}
	return want
}

func TestThreadsAndBatchesDoNotChangeWhatIsFound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := day(random)
	want := undisturbed(t, all)
	for _, tt := range []struct{ threads, size int }{{8, 1}, {8, 1000}, {1, 1000}} {
		t.Run(fmt.Sprintf("%d threads, batches of %d, shuffled", tt.threads, tt.size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, out := feedOf(shuffled(all, random), tt.size), &sink{}
				start(t, tt.threads, withState(orderConfig, "memory: {}"), map[string]any{"in": in, "out": out}).wait()
				got, _ := out.incidents(t)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("settled incidents (-undisturbed +got):\n%s", diff)
				}
			})
		})
	}
}

func TestKillsAndFailingOutputsDoNotChangeWhatIsFound(t *testing.T) {
	const size, threads, kills = 20, 4, 20
	random := rand.New(rand.NewPCG(3, 4))
	all := day(random)
	want := undisturbed(t, all)
	synctest.Test(t, func(t *testing.T) {
		luck := rand.New(rand.NewPCG(5, 6)) // of the sink alone
		out := &sink{takes: 50 * time.Millisecond, fail: func(b service.MessageBatch) error {
			switch luck.IntN(10) {
			case 0:
				return errDown
			case 1:
				return service.NewBatchError(b, errDown).Failed(luck.IntN(len(b)), errDown)
			}
			return nil
		}}
		config := withState(orderConfig, "bolt: { path: "+filepath.Join(t.TempDir(), "s.db")+" }")
		left := shuffled(all, random)
		again := 0 // batches that a kill caught on their way
		for range kills {
			in := feedOf(left, size)
			r := start(t, threads, config, map[string]any{"in": in, "out": out})
			time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
			r.kill()
			// The source goes on behind the last batch before which all were acked.
			left = left[min(len(left), in.delivered()*size):]
			again += in.next - in.delivered()
		}
		start(t, threads, config, map[string]any{"in": feedOf(left, size), "out": out}).wait()
		got, _ := out.incidents(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settled incidents (-undisturbed +got):\n%s", diff)
		}
		if len(left) == 0 || again < kills {
			t.Errorf("the kills left %d events and caught %d batches on their way: too few to disturb", len(left), again)
		}
	})
}
