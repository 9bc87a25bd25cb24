package ocistreaming

import (
	"slices"
	"strings"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/watermark"
)

// mark is the event time of a partition. In a group, several lanes of a process can have it one after the other.
type mark struct {
	of     *watermark.Partition
	owners []*lane
}

// mark gives the mark of a partition, which is the lane's from now on.
func (r *reader) mark(l *lane, partition string) *watermark.Partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.marks[partition]
	if m == nil {
		m = &mark{of: r.source.Partition(r.client.Tenancy(), r.stream.ID+"/"+partition)}
		r.marks[partition] = m
	}
	if !slices.Contains(m.owners, l) {
		m.owners = append(m.owners, l)
	}
	return m.of
}

// drop takes a partition from a lane. Where no other lane of the process has it, time does not wait for it any more:
// another process reads it now.
func (r *reader) drop(l *lane, partition string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.marks[partition]
	if m == nil {
		return
	}
	m.owners = slices.DeleteFunc(m.owners, func(have *lane) bool { return have == l })
	if len(m.owners) == 0 {
		m.of.Retire()
		delete(r.marks, partition)
	}
}

// own takes note of the partitions that the lane's instance has by now.
func (l *lane) own(now []string) {
	sorted(now)
	if slices.Equal(l.owned, now) {
		return
	}
	for _, p := range l.owned {
		if !slices.Contains(now, p) {
			l.drop(l, p)
		}
	}
	for _, p := range now {
		l.mark(l, p)
	}
	l.owned = now
	text := strings.Join(now, ", ")
	if text == "" {
		text = "none, for there are as many instances as partitions already"
	}
	l.log.Infof("Reading partitions of %s: %s", l.name, text)
}

// caughtUp says that a page without messages was read at that time, in all partitions that the lane has.
func (l *lane) caughtUp(at time.Time) {
	for _, p := range l.owned {
		l.mark(l, p).CaughtUp(event.TimeOf(at))
	}
}

// read tells the clock which event times a page has, before it leaves. done says that it was acked.
func (l *lane) read(page oci.StreamPage) (done []func()) {
	newest := map[string]event.Time{}
	var order []string
	for _, m := range page.Messages {
		partition := m.Partition
		if l.partition != "" {
			partition = l.partition
		}
		if partition == "" {
			continue
		}
		if _, known := newest[partition]; !known {
			newest[partition] = event.MinTime
			order = append(order, partition)
		}
		if at := timeOf(m); l.tracker.Believes(at) {
			newest[partition] = max(newest[partition], at)
		}
	}
	for _, partition := range order {
		if !slices.Contains(l.owned, partition) {
			l.own(append(slices.Clone(l.owned), partition))
		}
		done = append(done, l.mark(l, partition).Read(newest[partition]))
	}
	return done
}

// timeOf is when a message's event happened; of what is no event that can be read, when it was put into the stream.
func timeOf(m oci.StreamMessage) event.Time {
	if at, ok := normalize.TimeOf(m.Value); ok && m.Err == nil {
		return at
	}
	if m.Time.IsZero() {
		return event.MinTime
	}
	return event.TimeOf(m.Time)
}
