package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// TestThreadsAndBatchesDoNotChangeWhatIsFound sends the same events in several orders, sizes of batches and threads.
func TestThreadsAndBatchesDoNotChangeWhatIsFound(t *testing.T) {
	const users, events = 12, 3000
	random := rand.New(rand.NewPCG(1, 2))
	type record struct {
		op, user string
		at       time.Time
	}
	var all []record
	for i := range events {
		op := []string{"UploadApiKey", "CreatePolicy", "GetInstance", "ListInstances", "DeleteUser"}[random.IntN(5)]
		all = append(all, record{op, fmt.Sprintf("user%d", random.IntN(users)), noon.Add(time.Duration(i) * 10 * time.Second)})
	}
	run := func(t *testing.T, threads, size int, shuffled bool) map[string]found {
		t.Helper()
		order := slices.Clone(all)
		if shuffled {
			// Events 15 or more minutes apart keep their order.
			when := map[record]time.Duration{}
			for _, r := range order {
				when[r] = r.at.Sub(noon) + time.Duration(random.Int64N(int64(15*time.Minute)))
			}
			slices.SortStableFunc(order, func(a, b record) int { return int(when[a] - when[b]) })
		}
		var batches []service.MessageBatch
		for chunk := range slices.Chunk(order, size) {
			var b service.MessageBatch
			for _, r := range chunk {
				b = append(b, raw(r.op, r.user, r.at))
			}
			batches = append(batches, b)
		}
		in, out := newFeed(batches...).ends(), &sink{}
		in.pace = time.Duration(size) * time.Millisecond
		start(t, threads, `
input:
  correlate_source: { inputs: [ { test_feed: { name: "{{in}}" } } ], tick_interval: 10ms }
pipeline:
  processors:
    - correlate:
        rules:`+keyRule+waitRule+`
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
output: { test_sink: { name: "{{out}}" } }
`, map[string]any{"in": in, "out": out}).wait()
		last, _ := out.incidents(t)
		return last
	}
	var want map[string]found
	synctest.Test(t, func(t *testing.T) { want = run(t, 1, 1, false) })
	if len(want) < 50 {
		t.Fatalf("the reference run found %d incidents, want enough to compare", len(want))
	}
	for id, f := range want {
		if f.Action != "close" {
			t.Fatalf("incident %s of the reference run is not settled: %+v", id, f)
		}
	}
	for _, tt := range []struct{ threads, size int }{{8, 1}, {8, 1000}, {1, 1000}} {
		t.Run(fmt.Sprintf("%d threads, batches of %d, shuffled", tt.threads, tt.size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(want, run(t, tt.threads, tt.size, true)); diff != "" {
					t.Errorf("settled incidents (-one thread, in order +got):\n%s", diff)
				}
			})
		})
	}
}
