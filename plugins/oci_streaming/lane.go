package ocistreaming

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// Waits of a lane.
const (
	betweenReads = 250 * time.Millisecond // four reads a second: Streaming allows five for each partition and group
	firstPause   = 5 * time.Second        // after the first failure; doubles
	longestPause = time.Minute
	ownEvery     = 30 * time.Second // between two looks at which partitions an instance has
	cursorLife   = 5 * time.Minute  // how long Oracle accepts a cursor
	maxLosses    = 3                // cursors refused within a session's timeout before it counts as a failure
)

// lane reads one page after another: as an instance of the group, or from one partition. Its goroutine owns what is not atomic.
type lane struct {
	*reader
	name      string
	instance  string // in a group
	partition string // without one

	cursor string    // "" where one must be made
	made   time.Time // when the cursor was made
	proved bool      // it was accepted since
	readAt time.Time

	// In a group:
	owned   []string // partitions that this instance has
	ownedAt time.Time
	blind   int // times in a row that it could not be told
	// Without a group:
	key     string
	release func()
	at      position

	losses []time.Time      // when cursors were refused, of late
	expect map[string]int64 // by partition: the offset that comes next, of partitions that were not read since the cursor was made
	idled  bool             // there was nothing to read after that end
	beyond map[string]bool  // partitions that were read beyond the end of a bounded run
	over   bool             // mu of the reader; it has come to that end
	empty  int              // empty pages in a row
	owed   []func()         // marks of a page that was refused and is read again

	failures int64                     // mu of the reader
	behind   atomic.Pointer[time.Time] // since when something is undelivered; zero: nothing is; nil: not known yet
}

func (l *lane) run() {
	defer l.done.Done()
	for l.ctx.Err() == nil {
		pause, err := l.step()
		if l.ctx.Err() != nil {
			return
		}
		if err != nil {
			pause = min(firstPause<<min(l.fails(err)-1, 16), longestPause)
		}
		if err == nil && l.ended() && l.finish(l) {
			return
		}
		if oci.Sleep(l.ctx, pause) != nil {
			return
		}
	}
}

// step reads a page and delivers it, and says how long to wait before the next.
func (l *lane) step() (time.Duration, error) {
	if err := l.prepare(); err != nil {
		return 0, err
	}
	if err := oci.Sleep(l.ctx, betweenReads-time.Since(l.readAt)); err != nil {
		return 0, err
	}
	l.readAt = time.Now()
	page, err := l.client.StreamMessages(l.ctx, l.stream, l.cursor, l.conf.page)
	switch {
	case err != nil:
		return 0, l.refused(err)
	case page.Next == l.cursor && len(page.Messages) > 0:
		return 0, &oci.Error{
			Kind: oci.Garbled, Operation: "GetMessages", Region: l.conf.region, Subject: l.stream.ID, RequestID: page.RequestID,
			Sentence: fmt.Sprintf("GetMessages in %s gave the cursor of %s again as the next (request %s): the page is read again", l.conf.region, l.name, page.RequestID),
		}
	}
	l.proved = true
	// Said before messages are handed on: Benthos takes them only from an input that is connected.
	l.works()
	if len(page.Messages) == 0 {
		l.cursor = page.Next
		return l.idle(page), nil
	}
	l.empty = 0
	return 0, l.deliver(page)
}

// refused decides what becomes of a read that failed. A cursor that has worked, or is old, is simply made anew:
// it has expired, or another instance has the partition.
func (l *lane) refused(err error) error {
	kind := oci.KindOf(err)
	if kind != oci.StaleCursor && kind != oci.NoPermission {
		return err
	}
	l.cursor = ""
	if kind == oci.StaleCursor && (l.proved || time.Since(l.made) > cursorLife/2) {
		return l.lose()
	}
	return err
}

// idle is how long to wait after an empty page. One alone says little: a page may be empty though there are more messages,
// and it may speak for one of the partitions only.
func (l *lane) idle(page oci.StreamPage) time.Duration {
	l.empty++
	if l.empty < max(2, len(l.owned)+1) {
		return 0
	}
	at := page.Date
	if at.IsZero() {
		at = l.client.Now()
	}
	l.caughtUp(at)
	if !l.end.IsZero() && !at.Before(l.end) {
		for _, p := range l.owned {
			l.passed(p)
		}
		// An instance without partitions has nothing to wait for.
		l.idled = true
	}
	l.behind.Store(&time.Time{})
	if l.partition == "" {
		// An instance that is silent for too long loses its partitions.
		return min(l.conf.Poll, l.conf.timeout/3)
	}
	return l.conf.Poll
}

// passed notes that a partition was delivered beyond the end of a bounded run.
func (l *lane) passed(partition string) {
	if l.beyond == nil {
		l.beyond = map[string]bool{}
	}
	l.beyond[partition] = true
}

// ended is true once a bounded run has delivered all partitions that the lane has.
func (l *lane) ended() bool {
	if l.end.IsZero() || !l.idled && len(l.owned) == 0 {
		return false
	}
	for _, p := range l.owned {
		if !l.beyond[p] {
			return false
		}
	}
	return true
}

// prepare makes a cursor where there is none, and looks which partitions the instance has.
func (l *lane) prepare() error {
	if l.cursor == "" {
		if err := l.openCursor(); err != nil {
			return err
		}
		l.made, l.proved, l.empty, l.ownedAt = time.Now(), false, 0, time.Time{}
	}
	if l.partition != "" || time.Since(l.ownedAt) < ownEvery {
		return nil
	}
	reservations, err := l.client.Reservations(l.ctx, l.stream, l.conf.group)
	if oci.KindOf(err) == oci.NoPermission {
		l.unknown(err)
		return nil
	}
	if err != nil {
		return err
	}
	first := l.ownedAt.IsZero()
	l.ownedAt, l.blind = time.Now(), 0
	l.health.Worked(l.name + ", its partitions")
	var mine []string
	for _, r := range reservations {
		if r.Instance != l.instance {
			continue
		}
		mine = append(mine, r.Partition)
		// Of a partition that is read already, what was committed is behind what comes next.
		if r.Committed != nil && (first || !slices.Contains(l.owned, r.Partition)) {
			l.expect[r.Partition] = *r.Committed + 1
		}
	}
	maps.DeleteFunc(l.expect, func(partition string, _ int64) bool { return !slices.Contains(mine, partition) })
	l.own(mine)
	return nil
}

// unknown goes on without knowing which partitions the instance has: messages tell, one after the other.
// A group that was just made may not be shown yet, so the first refusal is none.
func (l *lane) unknown(err error) {
	l.ownedAt = time.Now()
	if l.blind++; l.blind > 1 {
		l.health.Failed(l.name+", its partitions", err)
	}
}

func (l *lane) openCursor() (err error) {
	l.expect = map[string]int64{}
	if l.partition == "" {
		l.cursor, err = l.client.GroupCursor(l.ctx, l.stream, oci.Consumer{Group: l.conf.group, Instance: l.instance, Timeout: l.conf.timeout, From: l.from})
		return err
	}
	from := oci.Beginning{After: l.at.After}
	if l.at.From != nil {
		from.At = *l.at.From
	}
	l.cursor, err = l.client.PartitionCursor(l.ctx, l.stream, l.partition, from)
	if oci.KindOf(err) == oci.BadRequest && l.at.After != nil {
		// The message is not there any more: what comes first now tells how many are lost.
		l.expect[l.partition] = *l.at.After + 1
		l.cursor, err = l.client.PartitionCursor(l.ctx, l.stream, l.partition, oci.Beginning{})
	}
	if err == nil {
		l.owned = []string{l.partition}
		l.mark(l, l.partition)
	}
	return err
}

// deliver hands a page on as one batch, waits until it was acked, and commits it. Meanwhile an instance of a group sends heartbeats.
func (l *lane) deliver(page oci.StreamPage) error {
	oldest := page.Messages[0].Time
	l.behind.Store(&oldest)
	l.missing(page)
	batch, malformed := l.batch(page)
	l.metrics.Events.Incr(int64(len(batch)), l.conf.region)
	if malformed > 0 {
		l.metrics.Malformed.Incr(int64(malformed), l.conf.region)
	}
	done := l.read(page)
	hold := l.hold(page.Next)
	acked := make(chan error, 1)
	err := l.outlet.Send(l.ctx, batch, func(err error) { acked <- err })
	if err == nil {
		err = l.await(acked)
	}
	next, held := hold()
	if err != nil {
		l.owed = append(l.owed, done...)
		l.cursor = ""
		return err
	}
	l.events.Add(int64(len(batch)))
	for _, d := range append(l.owed, done...) {
		d()
	}
	l.owed = nil
	newest := page.Messages[len(page.Messages)-1].Time
	l.behind.Store(&newest)
	for _, m := range page.Messages {
		if !l.end.IsZero() && !m.Time.Before(l.end) {
			l.passed(m.Partition)
		}
	}
	if l.partition != "" {
		l.cursor = page.Next
		return l.keep(page)
	}
	if !held {
		return l.lose()
	}
	return l.commit(next)
}

// await waits for the ack. At a clean stop Benthos has waited for it before the context ends.
func (l *lane) await(acked chan error) error {
	select {
	case err := <-acked:
		return refusal(err)
	case <-l.ctx.Done():
	}
	select {
	case err := <-acked:
		return refusal(err)
	default:
		return l.ctx.Err()
	}
}

func refusal(err error) error {
	if err != nil {
		return errRefused
	}
	return nil
}

// hold sends heartbeats until the function that it returns is called, which gives the cursor to go on with,
// and whether the instance still has its partitions as far as it knows.
func (l *lane) hold(cursor string) func() (string, bool) {
	if l.partition != "" {
		return func() (string, bool) { return cursor, true }
	}
	ctx, cancel := context.WithCancel(l.keeping)
	over := make(chan struct{})
	held := true
	go func() {
		defer close(over)
		for held && oci.Sleep(ctx, l.conf.timeout/3) == nil {
			next, err := l.client.Heartbeat(ctx, l.stream, cursor)
			switch kind := oci.KindOf(err); {
			case err == nil:
				cursor = next
			case kind == oci.StaleCursor || kind == oci.NoPermission:
				held = false
			}
		}
	}()
	return func() (string, bool) {
		cancel()
		<-over
		return cursor, held
	}
}

// lose says that the instance's partitions are others' now, or its cursor has expired: what was delivered and not committed comes again.
// Once in a while that is normal; where it happens again and again, two take each other's place.
func (l *lane) lose() error {
	l.metrics.recovered.Incr(1, l.conf.region)
	l.cursor = ""
	now := time.Now()
	l.losses = append(slices.DeleteFunc(l.losses, func(at time.Time) bool { return now.Sub(at) > l.conf.timeout }), now)
	if len(l.losses) <= maxLosses {
		return nil
	}
	return &oci.Error{
		Kind: oci.StaleCursor, Operation: "GetMessages", Region: l.conf.region, Subject: l.stream.ID,
		Sentence: fmt.Sprintf("the cursor of %s was refused %d times within %s, as if another process had the same name in group %s: give each process an `%s` of its own",
			l.name, len(l.losses), l.conf.timeout, l.conf.group, fieldInstance),
	}
}

// commit commits what was delivered, and tries until it works or cannot work any more.
func (l *lane) commit(cursor string) error {
	for pause := time.Second; ; pause = min(2*pause, longestPause/2) {
		next, err := l.client.Commit(l.keeping, l.stream, cursor)
		if err == nil {
			l.health.Worked(l.name + ", commits")
			l.cursor = next
			return nil
		}
		if l.keeping.Err() != nil {
			return l.keeping.Err()
		}
		if kind := oci.KindOf(err); kind == oci.StaleCursor || kind == oci.NoPermission {
			l.health.Worked(l.name + ", commits")
			return l.lose()
		}
		l.health.Failed(l.name+", commits", err)
		if err := oci.Sleep(l.keeping, pause); err != nil {
			return err
		}
	}
}

// keep saves how far a partition was delivered, and tries until it works.
func (l *lane) keep(page oci.StreamPage) error {
	at := l.at
	for _, m := range page.Messages {
		if m.Offset >= 0 && (at.After == nil || m.Offset > *at.After) {
			at.After = &m.Offset
		}
	}
	for pause := time.Second; ; pause = min(2*pause, longestPause/2) {
		err := l.save(l.keeping, at)
		if err == nil {
			l.health.Worked("the saved position")
			l.at = at
			return nil
		}
		if l.keeping.Err() != nil {
			return l.keeping.Err()
		}
		l.health.Failed("the saved position", err)
		if err := oci.Sleep(l.keeping, pause); err != nil {
			return err
		}
	}
}

// missing says how many messages the stream has deleted before they were read, when a partition is read for the first time with a cursor.
func (l *lane) missing(page oci.StreamPage) {
	for _, m := range page.Messages {
		want, some := l.expect[m.Partition]
		if !some || m.Offset < 0 {
			continue
		}
		delete(l.expect, m.Partition)
		if m.Offset > want {
			l.metrics.lost.Incr(m.Offset-want, l.conf.region)
			l.log.Errorf("The position in partition %s of stream %s is older than what the stream keeps: %d messages, of the offsets %d to %d, were deleted before they were read",
				m.Partition, l.stream.Name, m.Offset-want, want, m.Offset-1)
		}
	}
}

// batch makes the messages of a page.
func (l *lane) batch(page oci.StreamPage) (batch service.MessageBatch, malformed int) {
	for _, m := range page.Messages {
		if m.Err == nil && len(m.Value) > l.conf.EventBytes {
			m.Err = fmt.Errorf("the message has %d bytes, more than max_event_bytes", len(m.Value))
		}
		out := service.NewMessage(m.Value)
		out.MetaSetMut("oci_source", Name)
		out.MetaSetMut("oci_tenancy", l.client.Tenancy())
		out.MetaSetMut("oci_region", l.conf.region)
		out.MetaSetMut("oci_stream", l.stream.Name)
		out.MetaSetMut("oci_request_id", page.RequestID)
		if m.Partition != "" {
			out.MetaSetMut("oci_partition", m.Partition)
		}
		if m.Offset >= 0 {
			out.MetaSetMut("oci_offset", strconv.FormatInt(m.Offset, 10))
		}
		if !m.Time.IsZero() {
			out.MetaSetMut("oci_timestamp", m.Time.Format(time.RFC3339Nano))
		}
		if len(m.Key) > 0 {
			out.MetaSetMut("oci_key", string(m.Key))
		}
		if m.Err != nil {
			malformed++
			out.MetaSetMut("oci_error", m.Err.Error())
			out.SetError(errors.New("reading a message of a stream: " + m.Err.Error()))
		}
		batch = append(batch, out)
	}
	return batch, malformed
}
