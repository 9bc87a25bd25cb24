package correlatesource

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/watermark"
)

func TestNoTicksUntilSomebodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, config{})
		s.tracker.Register("audit", false).Partition("t1", "p").CaughtUp(event.TimeOf(time.Now()))
		s.connect()
		defer s.close()
		if b, _ := s.read(); b != nil {
			t.Fatalf("got a batch of %d, want none", len(b))
		}
		s.tracker.Listen(lateness, time.Minute)
		tick, ack := s.tick()
		if want := event.TimeOf(time.Now().Add(-time.Minute - lateness)); tick.All > want.Add(2*time.Second) || tick.All < want.Add(-2*time.Second) {
			t.Errorf("watermark: got %s, want about %s", tick.All, want)
		}
		ackOK(t, ack)
	})
}

func TestTicksComeOnlyWhenSomethingMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, config{})
		s.tracker.Listen(lateness, time.Minute)
		p := s.tracker.Register("audit", false).Partition("t1", "p")
		s.connect()
		defer s.close()
		first, ack := s.tick() // the first of a boot tells correlate to send what another boot left
		if first.All != event.MinTime || first.Acked != nil {
			t.Errorf("first tick: got %+v, want no watermark and no acks", first)
		}
		ackOK(t, ack)
		second, ack := s.tick()
		if diff := cmp.Diff([]string{first.Number}, second.Acked); diff != "" {
			t.Errorf("acked by the second tick (-want +got):\n%s", diff)
		}
		ackOK(t, ack)
		if b, _ := s.read(); b != nil {
			t.Fatalf("nothing moved: got a batch of %d, want none", len(b))
		}
		p.CaughtUp(event.TimeOf(time.Now()))
		third, ack := s.tick()
		if third.All == event.MinTime || len(third.Acked) != 1 || third.Acked[0] != second.Number {
			t.Errorf("third tick: got %+v, want a watermark, and %s acked", third, second.Number)
		}
		if third.Boot != first.Boot || third.Number == second.Number {
			t.Errorf("third tick: got boot %s number %s, want the boot of the others and a number of its own", third.Boot, third.Number)
		}
		ackOK(t, ack)
	})
}

func TestPartitionsAreToldWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, config{})
		s.tracker.Listen(lateness, time.Minute)
		source := s.tracker.Register("audit", false)
		p := source.Partition("t1", "p")
		s.connect()
		defer s.close()
		for _, want := range []int{1, 0, 0, 2, 0} {
			if want == 2 {
				source.Partition("t1", "q")
			}
			p.CaughtUp(event.TimeOf(time.Now()))
			tick, ack := s.tick()
			if len(tick.Known) != want {
				t.Errorf("partitions told: got %v, want %d", tick.Known, want)
			}
			ackOK(t, ack)
		}
	})
}

func TestRejectedTickComesAgainTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, config{})
		s.tracker.Listen(lateness, time.Minute)
		p := s.tracker.Register("audit", false).Partition("t1", "p")
		s.connect()
		defer s.close()
		first, ack := s.tick()
		p.CaughtUp(event.TimeOf(time.Now())) // time moves on, and must not be mixed into the tick that was sent
		if err := ack(t.Context(), errDown); err != nil {
			t.Errorf("nack: %v", err)
		}
		again, ack := s.tick()
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("the tick again (-first +again):\n%s", diff)
		}
		ackOK(t, ack)
		next, ack := s.tick()
		if next.Number == first.Number || next.All == event.MinTime {
			t.Errorf("next tick: got %+v, want a new one with a watermark", next)
		}
		ackOK(t, ack)
	})
}

func TestEndOfAllInputsGivesOneLastTickThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		s.tracker.Listen(lateness, time.Minute)
		s.connect()
		defer s.close()
		src.feed <- service.MessageBatch{eventAt(time.Now())}
		close(src.feed)
		finals, told := 0, false
		var final string
		for {
			b, ack, err := s.ReadBatch(t.Context())
			if errors.Is(err, service.ErrEndOfInput) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if v, ok := b[0].MetaGetImmut(watermark.MetaTick); ok {
				var tick watermark.Tick
				if err := json.Unmarshal([]byte(v.(string)), &tick); err != nil {
					t.Fatal(err)
				}
				if tick.Final && final == "" {
					final = tick.Number
					finals++
					if len(src.acked()) != 1 {
						t.Error("the last tick came before the last batch was delivered")
					}
				}
				told = told || final != "" && len(tick.Acked) > 0 && tick.Acked[len(tick.Acked)-1] == final
			}
			ackOK(t, ack)
		}
		if finals != 1 || !told {
			t.Errorf("got %d last ticks, told that it was acked: %v; want 1, true", finals, told)
		}
	})
}

func TestUndeliveredLastTickKeepsTheStreamOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		close(src.feed)
		s := newStream(t, config{}, src)
		s.tracker.Listen(lateness, time.Minute)
		s.connect()
		defer s.close()
		var number string
		for i := range 10 {
			tick, ack := s.tick()
			if !tick.Final {
				ackOK(t, ack)
				continue
			}
			if number == "" {
				number = tick.Number
			}
			if tick.Number != number {
				t.Fatalf("attempt %d: got tick %s, want %s again", i, tick.Number, number)
			}
			_ = ack(t.Context(), errDown)
		}
	})
}

func TestTickPassesNormalization(t *testing.T) {
	content := fmt.Appendf(nil, tickContent, "boot-1")
	doc, err := normalize.Normalize(content)
	if err != nil {
		t.Fatalf("normalizing a tick: %v", err)
	}
	if doc["class_name"] != "Base Event" {
		t.Errorf("got %v, want the tick as it was", doc)
	}
}
