package watermark

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/event"
)

// modelled is a partition as the definition has it: everything it was told, in order.
type modelled struct {
	p     *Partition
	reads []event.Time
	acked []bool
	done  []func()
}

// stands is the largest event time read before the oldest batch that is not acked.
func (m *modelled) stands() event.Time {
	at := event.MinTime
	for i, read := range m.reads {
		if !m.acked[i] {
			break
		}
		at = max(at, read)
	}
	return at
}

func TestWatermarkIsThatOfTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := New()
		tr.Limit(Limits{MaxHold: 1000 * time.Hour})
		tr.Listen(lateness, time.Minute)
		source := tr.Register("audit", false)
		var all []*modelled
		for i := range rapid.IntRange(1, 4).Draw(t, "partitions") {
			all = append(all, &modelled{p: source.Partition("t1", strconv.Itoa(i))})
		}
		want := event.MinTime
		now := noon
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			m := all[rapid.IntRange(0, len(all)-1).Draw(t, "partition")]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				read := at(time.Duration(rapid.IntRange(0, 1000).Draw(t, "minute")) * time.Minute)
				m.reads, m.acked, m.done = append(m.reads, read), append(m.acked, false), append(m.done, m.p.Read(read))
			case 1:
				if len(m.done) > 0 {
					i := rapid.IntRange(0, len(m.done)-1).Draw(t, "ack")
					m.done[i]()
					m.acked[i] = true
				}
			case 2:
				read := at(time.Duration(rapid.IntRange(0, 1000).Draw(t, "caught up")) * time.Minute)
				m.p.CaughtUp(read)
				m.reads, m.acked, m.done = append(m.reads, read), append(m.acked, true), append(m.done, func() {})
			case 3:
				now = now.Add(time.Minute)
			}
			least := all[0].stands()
			for _, m := range all {
				least = min(least, m.stands())
			}
			if least != event.MinTime {
				want = max(want, least.Add(-lateness))
			}
			if got := tr.Advance(now).All; got != want {
				t.Fatalf("watermark: got %s, want %s", got, want)
			}
		}
	})
}
