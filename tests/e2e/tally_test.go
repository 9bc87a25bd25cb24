package e2e

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tally keeps of a run what is compared, and forgets the rest: a million bodies need not fit into memory.
type tally struct {
	mu        sync.Mutex
	events    map[string]int      // mu; how often each audit event was delivered
	incidents map[string]delivery // mu; the newest revision of each
	revisions map[string]int64    // mu
}

func newTally() *tally {
	return &tally{events: map[string]int{}, incidents: map[string]delivery{}, revisions: map[string]int64{}}
}

// take notes a delivery. What cannot be read as what it says it is counts as the event "".
func (y *tally) take(d delivery) {
	y.mu.Lock()
	defer y.mu.Unlock()
	switch d.meta["correlate_type"] {
	case "event":
		if d.meta["oci_source"] == "oci_audit" {
			var e struct {
				ID string `json:"eventId"`
			}
			_ = json.Unmarshal(d.body, &e)
			y.events[e.ID]++
		}
	case "incident":
		id := d.meta["incident_id"]
		revision, err := strconv.ParseInt(d.meta["incident_revision"], 10, 64)
		if have, ok := y.revisions[id]; err != nil || ok && have > revision {
			return
		}
		y.incidents[id], y.revisions[id] = d, revision
	}
}

// settled gives the settled set.
func (y *tally) settled(t *testing.T) map[string]settled {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	var all []delivery
	for _, d := range y.incidents {
		all = append(all, d)
	}
	return settledSet(t, all)
}

// repeats is how many deliveries were of an event that had been delivered before.
func (y *tally) repeats() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	n := 0
	for _, times := range y.events {
		n += times - 1
	}
	return n
}

// delivered gives the ids of what was delivered so far.
func (y *tally) delivered() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	ids := make([]string, 0, len(y.events))
	for id := range y.events {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// reader follows topics of a cluster into a tally.
type reader struct {
	client *kgo.Client
	tally  *tally
	got    map[string]int64 // records by topic
}

// follow begins to read topics, the kind of whose records stands beside them.
func follow(t *testing.T, c *kfake.Cluster, topics ...string) *reader {
	t.Helper()
	return followBy(t, c, (&net.Dialer{}).DialContext, topics...)
}

// followBy is follow with a way to connect.
func followBy(t *testing.T, c *kfake.Cluster, dial func(ctx context.Context, network, address string) (net.Conn, error), topics ...string) *reader {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topics...), kgo.FetchMaxWait(100*time.Millisecond), kgo.Dialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &reader{client: client, tally: newTally(), got: map[string]int64{}}
}

// catchUp reads to where the topics end now; kinds gives what the records of each are.
func (r *reader) catchUp(t *testing.T, kinds map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for topic := range kinds {
		want := ends(ctx, t, r.client, topic)
		for r.got[topic] < want {
			fetches := r.client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatalf("reading %s after %d of %d records: %v", topic, r.got[topic], want, err)
			}
			for _, record := range fetches.Records() {
				r.got[record.Topic]++
				r.tally.take(fromKafka([]*kgo.Record{record}, kinds[record.Topic])[0])
			}
		}
	}
}
