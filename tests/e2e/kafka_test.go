package e2e

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"benthos-oci/plugins/ocisim"
)

// newKafka starts a broker in this process.
func newKafka(t *testing.T, topics ...string) *kfake.Cluster {
	t.Helper()
	return newKafkaAt(t, nil, topics...)
}

// newKafkaAt is newKafka with a way to listen; nil is the network's.
func newKafkaAt(t *testing.T, listen func(network, address string) (net.Listener, error), topics ...string) *kfake.Cluster {
	t.Helper()
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, topics...)}
	if listen != nil {
		options = append(options, kfake.ListenFn(listen))
	}
	c, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// connections are those of a broker. What a process has sent before it died may be read after its death: until its connections are closed.
type connections struct {
	mu   sync.Mutex
	open map[string]bool // mu; by the client's address
	ours map[string]bool // mu; those of this process
}

// listen listens as the broker.
func (c *connections) listen(network, address string) (net.Listener, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), network, address)
	return watchedListener{l, c}, err
}

// dial connects as a client of this process.
func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err == nil {
		c.note(&c.ours, conn.LocalAddr().String(), true)
	}
	return conn, err
}

func (c *connections) note(in *map[string]bool, address string, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *in == nil {
		*in = map[string]bool{}
	}
	(*in)[address] = there
}

// others is how many connections of other processes are open.
func (c *connections) others() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for address, open := range c.open {
		if open && !c.ours[address] {
			n++
		}
	}
	return n
}

type watchedListener struct {
	net.Listener

	of *connections
}

// Accept implements net.Listener.
func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.of.note(&l.of.open, conn.RemoteAddr().String(), true)
	return watchedConn{conn, l.of}, nil
}

type watchedConn struct {
	net.Conn

	of *connections
}

// Close implements net.Conn.
func (c watchedConn) Close() error {
	c.of.note(&c.of.open, c.RemoteAddr().String(), false)
	return c.Conn.Close()
}

func brokers(c *kfake.Cluster) string { return strings.Join(c.ListenAddrs(), ",") }

// consume reads a topic from its start to where it ends now.
func consume(t *testing.T, c *kfake.Cluster, topic string) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	want := ends(ctx, t, client, topic)
	var got []*kgo.Record
	for int64(len(got)) < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("reading %s after %d of %d records: %v", topic, len(got), want, err)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

// produce puts records into the same partitions of another topic.
func produce(t *testing.T, c *kfake.Cluster, topic string, records []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var all []*kgo.Record
	for _, r := range records {
		all = append(all, &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers})
	}
	if err := client.ProduceSync(ctx, all...).FirstErr(); err != nil {
		t.Fatalf("filling %s: %v", topic, err)
	}
}

// happened gives the time of a raw record.
func happened(t *testing.T, body []byte) time.Time {
	t.Helper()
	var r struct {
		Event   time.Time `json:"eventTime"`
		Problem time.Time `json:"timeLastDetected"`
	}
	if err := json.Unmarshal(body, &r); err != nil || r.Event.IsZero() == r.Problem.IsZero() {
		t.Fatalf("a record has no time, or two (%v): %.200s", err, body)
	}
	if r.Event.IsZero() {
		return r.Problem
	}
	return r.Event
}

// count gives the number of records in the topic.
func count(t *testing.T, c *kfake.Cluster, topic string) int64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	return ends(ctx, t, client, topic)
}

// ends gives the number of records in the topic, as client sees it.
func ends(ctx context.Context, t *testing.T, client *kgo.Client, topic string) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	in := kmsg.NewListOffsetsRequestTopic()
	in.Topic = topic
	for p := range int32(3) {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = p, -1
		in.Partitions = append(in.Partitions, part)
	}
	req.Topics = append(req.Topics, in)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if p.ErrorCode != 0 {
				t.Fatalf("asking for the end of %s: %v", topic.Topic, kerr.ErrorForCode(p.ErrorCode))
			}
			sum += p.Offset
		}
	}
	return sum
}

// fromKafka turns records into deliveries, with what the topic says about them.
func fromKafka(records []*kgo.Record, kind string) []delivery {
	var all []delivery
	for _, r := range records {
		d := delivery{body: r.Value, meta: map[string]string{"correlate_type": kind}}
		for _, h := range r.Headers {
			d.meta[h.Key] = string(h.Value)
		}
		all = append(all, d)
	}
	return all
}

// TestKafkaOutageLosesNothing takes the broker away while config/kafka.yaml runs.
func TestKafkaOutageLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ocisim.Config) { c.Events = 2000 })
	quiet := settledSet(t, collectAll(t, w, nil))

	kafka := newKafka(t, "oci-events", "oci-incidents")
	doc := shipped(t, "kafka.yaml", w, map[string]string{
		"KAFKA_BROKERS": brokers(kafka),
		"STATE_FILE":    filepath.Join(t.TempDir(), "state.db"),
		"DEAD_LETTERS":  filepath.Join(t.TempDir(), "dead.jsonl"),
	})
	everything(t, doc)
	// The first half of all produce requests is refused as by a broker that is starting.
	outage := kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	s := start(t, marshal(t, doc))
	eventually(t, soon, "a refused produce request", func() bool { return outage.Hits() > 3 })
	outage.Remove()
	s.wait(t, soon)

	events := auditIDs(t, fromKafka(consume(t, kafka, "oci-events"), "event"))
	checkNoneMissing(t, w.auditIDs(), events)
	checkOnce(t, events)
	checkSameSet(t, quiet, settledSet(t, fromKafka(consume(t, kafka, "oci-incidents"), "incident")))
}

// everything makes the correlate of a shipped config tell how incidents end, and gives its settings.
func everything(t *testing.T, doc map[string]any) map[string]any {
	t.Helper()
	for _, p := range at(doc, "pipeline", "processors").([]any) {
		if c, ok := at(p, "correlate").(map[string]any); ok {
			c["emit"] = []any{"create", "close"}
			return c
		}
	}
	t.Fatal("the config has no correlate")
	return nil
}
