package ocisim

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// Names of the streams that each tenancy has in each of its regions.
const (
	// AuditStream is filled as Connector Hub fills a stream from the log group _Audit of all compartments of the region.
	AuditStream = "audit"
	// InboxStream is empty until PutMessages or Publish put something into it.
	InboxStream = "inbox"
)

const (
	minRetention      = 24 * time.Hour
	maxRetention      = 7 * 24 * time.Hour
	defaultPartitions = 3
	maxPartitions     = 100
	connectorLag      = 10 * time.Second // from when Logging has an event to when it stands in the stream, at most
)

// Stream is what a client must know of a simulated stream.
type Stream struct {
	OCID       string
	Name       string
	Region     string
	Partitions int
}

// StreamMessage is a message of a stream.
type StreamMessage struct {
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Time      time.Time // when it was appended
}

// streams are the streams of a tenancy, made when they are first asked for.
type streams struct {
	once sync.Once
	byID map[string]*stream // of those that once made
}

// stream is a stream with its groups. Its messages appear as time goes on.
type stream struct {
	tenancy *tenancy
	id      string
	name    string
	region  string

	mu         sync.Mutex
	partitions []*streamPartition        // mu
	groups     map[string]*consumerGroup // mu
	gets       map[string][]time.Time    // mu; the GETs of the last second, by who is throttled together
	put        int                       // mu; messages put without a key so far
	serial     uint64                    // mu; numbers sessions and grants
}

// streamPartition is a partition of a stream. What will be appended is settled; what was appended has its offset.
type streamPartition struct {
	retention time.Duration
	coming    []arrival // in order of their time
	log       []entry
}

// arrival is a record that Connector Hub will append.
type arrival struct {
	at     time.Time
	where  place
	record record
}

// entry is a message with its offset, which is its index.
type entry struct {
	at     time.Time
	coming *arrival // nil: it was put
	key    []byte
	value  []byte
}

// of gives the stream of that OCID, nil where the tenancy has none.
func (s *streams) of(t *tenancy, id string) *stream {
	s.once.Do(func() { s.byID = newStreams(t) })
	return s.byID[id]
}

func (s *streams) all(t *tenancy) []*stream {
	s.once.Do(func() { s.byID = newStreams(t) })
	list := make([]*stream, 0, len(s.byID))
	for _, one := range s.byID {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *stream) int {
		return cmp.Or(cmp.Compare(a.region, b.region), cmp.Compare(a.name, b.name))
	})
	return list
}

func newStreams(t *tenancy) map[string]*stream {
	byID := map[string]*stream{}
	for _, region := range t.regions {
		for _, name := range []string{AuditStream, InboxStream} {
			s := &stream{
				tenancy: t, id: sample.OCID("stream", region, t.id, name), name: name, region: region,
				groups: map[string]*consumerGroup{}, gets: map[string][]time.Time{},
			}
			for range t.config.Partitions {
				s.partitions = append(s.partitions, &streamPartition{retention: t.config.Retention})
			}
			if t.config.Partitions > 0 {
				byID[s.id] = s
			}
		}
	}
	for where, records := range t.records {
		s := byID[sample.OCID("stream", where.region, t.id, AuditStream)]
		if s == nil {
			continue
		}
		for _, r := range records {
			g := newGen(t.config.Seed, uint64(t.number), uint64(r.number), 23)
			p := s.partitions[g.below(len(s.partitions))]
			p.coming = append(p.coming, arrival{at: r.ingested().Add(time.Duration(g.float() * float64(connectorLag))), where: where, record: r})
		}
	}
	for _, s := range byID {
		for _, p := range s.partitions {
			slices.SortFunc(p.coming, func(a, b arrival) int {
				return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.record.number, b.record.number))
			})
		}
	}
	return byID
}

// advance appends what has come by now; mu is held.
func (s *stream) advance(now time.Time) {
	for _, p := range s.partitions {
		n := 0
		for n < len(p.coming) && !p.coming[n].at.After(now) {
			p.log = append(p.log, entry{at: p.coming[n].at, coming: &p.coming[n]})
			n++
		}
		p.coming = p.coming[n:]
	}
}

// oldest is the offset of the oldest message that the retention has left.
func (p *streamPartition) oldest(now time.Time) int64 {
	from := now.Add(-p.retention)
	n, _ := slices.BinarySearchFunc(p.log, from, func(e entry, at time.Time) int { return e.at.Compare(at) })
	return int64(n)
}

// since is the offset of the first message at or after a time.
func (p *streamPartition) since(at, now time.Time) int64 {
	n, _ := slices.BinarySearchFunc(p.log, at, func(e entry, at time.Time) int { return e.at.Compare(at) })
	return max(int64(n), p.oldest(now))
}

// end is the offset that the next message will have.
func (p *streamPartition) end() int64 { return int64(len(p.log)) }

// value gives the content of a message: that of a record is made each time.
func (s *stream) value(e entry) []byte {
	if e.coming != nil {
		return s.tenancy.logContent(e.coming.where, e.coming.record)
	}
	return e.value
}

// append puts a message behind the others; mu is held. Without a key, partitions take turns.
func (s *stream) append(key, value []byte, now time.Time) (partition int, offset int64) {
	s.advance(now)
	if len(key) == 0 {
		partition = s.put % len(s.partitions)
		s.put++
	} else {
		h := fnv.New64a()
		_, _ = h.Write(key) // a hash takes everything
		partition = int(h.Sum64() % uint64(len(s.partitions)))
	}
	return partition, s.appendTo(partition, key, value, now)
}

func (s *stream) appendTo(partition int, key, value []byte, now time.Time) int64 {
	p := s.partitions[partition]
	if n := len(p.log); n > 0 && p.log[n-1].at.After(now) {
		now = p.log[n-1].at
	}
	p.log = append(p.log, entry{at: now, key: key, value: value})
	return p.end() - 1
}

// number reads the name of a partition.
func (s *stream) number(name string) (int, bool) {
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0 && n < len(s.partitions)
}

// Streams gives the streams of the tenancy of that number, in order of their regions and names.
func (s *Sim) Streams(number int) []Stream {
	if number < 0 || number >= len(s.tenancies) {
		return nil
	}
	var list []Stream
	for _, one := range s.tenancies[number].streams.all(s.tenancies[number]) {
		list = append(list, Stream{OCID: one.id, Name: one.name, Region: one.region, Partitions: len(one.partitions)})
	}
	return list
}

// Stream gives the stream of that name in that region, of the tenancy of that number; its zero value where there is none.
func (s *Sim) Stream(number int, region, name string) Stream {
	for _, one := range s.Streams(number) {
		if one.Region == region && one.Name == name {
			return one
		}
	}
	return Stream{}
}

// errNoStream is what Publish gives for a stream or partition that there is not.
var errNoStream = errors.New("there is no such stream or partition")

// Publish appends a message to a partition of a stream, and gives its offset.
func (s *Sim) Publish(streamID string, partition int, key, value []byte) (int64, error) {
	one := s.findStream(streamID)
	if one == nil || partition < 0 || partition >= len(one.partitions) {
		return 0, fmt.Errorf("publishing to partition %d of %s: %w", partition, streamID, errNoStream)
	}
	now := s.config.Clock().UTC()
	one.mu.Lock()
	defer one.mu.Unlock()
	one.advance(now)
	return one.appendTo(partition, key, value, now), nil
}

// Messages gives what a stream holds by now, in order of partition and offset.
func (s *Sim) Messages(streamID string) []StreamMessage {
	one := s.findStream(streamID)
	if one == nil {
		return nil
	}
	now := s.config.Clock().UTC()
	one.mu.Lock()
	defer one.mu.Unlock()
	one.advance(now)
	var list []StreamMessage
	for number, p := range one.partitions {
		for offset := p.oldest(now); offset < p.end(); offset++ {
			e := p.log[offset]
			list = append(list, StreamMessage{Partition: number, Offset: offset, Key: e.key, Value: one.value(e), Time: e.at})
		}
	}
	return list
}

// Reservations says who reads which partition in a consumer group, "" for nobody, and up to which offset each is committed,
// -1 where nothing is.
func (s *Sim) Reservations(streamID, group string) (readers []string, committed []int64) {
	one := s.findStream(streamID)
	if one == nil {
		return nil, nil
	}
	now := s.config.Clock().UTC()
	one.mu.Lock()
	defer one.mu.Unlock()
	one.advance(now)
	g := one.group(group, now)
	if g == nil {
		return nil, nil
	}
	for number := range one.partitions {
		readers = append(readers, g.reserved[number].instance)
		offset := int64(-1)
		if g.saved[number] {
			offset = g.next[number] - 1
		}
		committed = append(committed, offset)
	}
	return readers, committed
}

func (s *Sim) findStream(id string) *stream {
	for _, t := range s.tenancies {
		if one := t.streams.of(t, id); one != nil {
			return one
		}
	}
	return nil
}
