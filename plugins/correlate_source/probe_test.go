package correlatesource

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/watermark"
)

// spell is what became of an input for some time.
type spell struct {
	red           time.Duration // how long it was disconnected
	events, ticks int           // how many left it
	shown         error         // what /ready showed last
}

// run does with an input what Benthos does, for some time: connects, waits, reads, acks.
func (s *stream) run(d time.Duration) (was spell) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	for ctx.Err() == nil {
		began := time.Now()
		if err := s.Connect(ctx); err != nil {
			var wait *service.ErrBackOff
			if !errors.As(err, &wait) {
				s.t.Fatalf("Connect: got %v, want a wait with it", err)
			}
			was.shown = wait.Err
			select {
			case <-time.After(wait.Wait):
			case <-ctx.Done():
			}
			was.red += time.Since(began)
			continue
		}
		for {
			batch, ack, err := s.ReadBatch(ctx)
			if errors.Is(err, service.ErrNotConnected) {
				began := time.Now()
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				was.red += time.Since(began)
				break
			}
			if errors.Is(err, service.ErrEndOfInput) || ctx.Err() != nil {
				return was
			}
			if err != nil {
				s.t.Fatalf("ReadBatch: %v", err)
			}
			if _, ok := batch[0].MetaGetImmut(watermark.MetaTick); ok {
				was.ticks++
			} else {
				was.events++
			}
			ackOK(s.t, ack)
		}
	}
	return was
}

func TestInputThatCannotConnectIsNamedBeforeItsFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		src.is(errDown)
		s := newStream(t, config{}, src)
		defer s.close()
		was := s.run(10 * time.Minute)
		if was.red < 9*time.Minute+50*time.Second {
			t.Errorf("got the input disconnected for %s of 10m, want all of it", was.red)
		}
		if was.shown == nil || !strings.Contains(was.shown.Error(), ".inputs.0 cannot connect") || !strings.Contains(was.shown.Error(), errDown.Error()) {
			t.Errorf("got %v, want the input named, and why", was.shown)
		}
		if n, most := src.tests(), int(10*time.Minute/testAgain)+1; n > most {
			t.Errorf("got %d tests in 10m, want at most %d", n, most)
		}
		src.is(nil)
		// Within one wait and one test it is connected again.
		s.run(stayRed + testAgain + time.Second)
		before := src.tests()
		if red := s.run(10 * time.Minute).red; red != 0 {
			t.Errorf("got the input disconnected for %s though it can connect again, want 0", red)
		}
		if n, most := src.tests()-before, int(10*time.Minute/silentFor)+1; n < 1 || n > most {
			t.Errorf("got %d tests in 10m of silence, want some and at most %d", n, most)
		}
	})
}

func TestInputThatFallsSilentIsTestedAndOneThatBringsIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		src.is(nil)
		s := newStream(t, config{}, src)
		defer s.close()
		s.run(time.Second)
		if n := src.tests(); n != 1 {
			t.Fatalf("got %d tests at the start, want 1", n)
		}
		go func() {
			for range 120 {
				src.feed <- service.MessageBatch{eventAt(time.Now())}
				time.Sleep(5 * time.Second)
			}
		}()
		if was := s.run(10*time.Minute - time.Second); was.red != 0 || was.events != 120 {
			t.Errorf("got %s disconnected and %d events, want 0 and 120", was.red, was.events)
		}
		if n := src.tests(); n != 1 {
			t.Errorf("got %d tests while it brought batches, want none but the first", n)
		}
		src.is(errDown)
		if red := s.run(silentFor - 10*time.Second).red; red != 0 {
			t.Errorf("got the input disconnected after less than %s of silence", silentFor)
		}
		was := s.run(5 * time.Minute)
		if was.red < 4*time.Minute || was.shown == nil {
			t.Errorf("got %s of 5m disconnected with %v, want nearly all", was.red, was.shown)
		}
		// A batch is the proof that it is connected, whatever a test would say.
		src.feed <- service.MessageBatch{eventAt(time.Now())}
		s.run(stayRed + 2*time.Second)
		if red := s.run(silentFor / 2).red; red != 0 {
			t.Errorf("got the input disconnected for %s after it brought a batch, want 0", red)
		}
	})
}

func TestInputsWithoutATestAreReadAsEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		s := newStream(t, config{}, src)
		defer s.close()
		if red := s.run(time.Hour).red; red != 0 {
			t.Errorf("got the input disconnected for %s, want 0", red)
		}
		if n := src.tests(); n != 1 {
			t.Errorf("got %d tests, want no more than the first", n)
		}
	})
}

func TestInputThatIsDownKeepsNothingFromTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, well := newSource(), newSource()
		down.is(errDown)
		s := newStream(t, config{}, down, well)
		s.tracker.Listen(lateness, time.Minute)
		defer s.close()
		go func() {
			for range 20 {
				well.feed <- service.MessageBatch{eventAt(time.Now())}
				time.Sleep(time.Minute)
			}
		}()
		was := s.run(20 * time.Minute)
		if was.events != 20 || was.ticks == 0 {
			t.Errorf("got %d events and %d ticks of the other input, want 20 and some", was.events, was.ticks)
		}
		if was.red < 15*time.Minute || was.shown == nil || !strings.Contains(was.shown.Error(), ".inputs.0") {
			t.Errorf("got %s of 20m disconnected with %v, want most of it in the first input's name", was.red, was.shown)
		}
	})
}

func TestOutageOfAnInputIsNoIdleness(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			src := newSource()
			src.is(nil)
			s := newStream(t, config{limits: watermark.Limits{MaxHold: time.Hour, IdleTimeout: 5 * time.Minute}}, src)
			s.tracker.Listen(lateness, time.Minute)
			defer s.close()
			last := time.Now()
			src.feed <- service.MessageBatch{eventAt(last)}
			s.run(time.Minute)
			if down {
				src.is(errDown)
			}
			s.run(40 * time.Minute)
			at := s.tracker.Advance(time.Now()).All
			if ran := at > event.TimeOf(last.Add(-lateness)); ran == down {
				t.Errorf("the input is down: %t; its time ran on: %t (to %s)", down, ran, at)
			}
			if !down {
				return
			}
			// When it is back its silence counts anew.
			src.is(nil)
			s.run(4 * time.Minute)
			if at := s.tracker.Advance(time.Now()).All; at > event.TimeOf(last.Add(-lateness)) {
				t.Errorf("time ran on to %s as soon as the input was back", at)
			}
			s.run(10 * time.Minute)
			if at := s.tracker.Advance(time.Now()).All; at <= event.TimeOf(last.Add(-lateness)) {
				t.Error("time has not run on though the input is back and silent")
			}
		})
	}
}

// panicking is an input that is not made for being tested.
type panicking struct{ *source }

func (panicking) ConnectionTest(context.Context) service.ConnectionTestResults { panic("no") }

func TestTestThatPanicsIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(t, config{}, panicking{newSource()})
		defer s.close()
		if red := s.run(10 * time.Minute).red; red != 0 {
			t.Errorf("got the input disconnected for %s, want 0", red)
		}
	})
}
