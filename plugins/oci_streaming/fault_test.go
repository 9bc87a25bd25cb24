package ocistreaming

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

func TestFaultsOfTheAPILoseNothing(t *testing.T) {
	const page = 40
	for _, tt := range []struct {
		name  string
		fault ocisim.Fault
		// malformed is how many messages beside the simulator's own must leave flagged.
		malformed int
		// pages is how many pages may come a second time.
		pages int
	}{
		{name: "throttled with seconds", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Times: 30, Probability: 0.3, RetryAfter: 7 * time.Second}},
		{name: "throttled for ten hours, it says", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Times: 5, RetryAfter: 10 * time.Hour}, pages: 2},
		{name: "outage of all operations", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, After: 10, Times: 60}, pages: 2},
		{name: "outage of commits", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, Operation: "ConsumerCommit", After: 3, Times: 60}, pages: 2},
		{name: "flapping", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 500, Probability: 0.3}, pages: 5},
		{name: "bodies that break off", fault: ocisim.Fault{Effect: ocisim.EffectReset, Probability: 0.2}, pages: 5},
		{name: "bodies that trickle", fault: ocisim.Fault{Effect: ocisim.EffectSlow, Operation: "GetMessages", Probability: 0.1, Delay: 20 * time.Second, Times: 20}, pages: 20},
		{name: "pages of a proxy", fault: ocisim.Fault{Effect: ocisim.EffectHTML, Probability: 0.2}, pages: 5},
		{name: "truncated pages", fault: ocisim.Fault{Effect: ocisim.EffectTruncated, Probability: 0.2}, pages: 5},
		{name: "a cursor that comes again", fault: ocisim.Fault{Effect: ocisim.EffectLoop, Operation: "GetMessages", Times: 3}},
		{name: "an item of the wrong types", fault: ocisim.Fault{Effect: ocisim.EffectMalformed, Operation: "GetMessages", Times: 1}, malformed: 1},
		{name: "an item that is no UTF-8", fault: ocisim.Fault{Effect: ocisim.EffectUTF8, Operation: "GetMessages", Times: 1}, malformed: 1},
		{name: "an item with a control character", fault: ocisim.Fault{Effect: ocisim.EffectControl, Operation: "GetMessages", Times: 1}, malformed: 1},
		{name: "an item with a member twice", fault: ocisim.Fault{Effect: ocisim.EffectDuplicate, Operation: "GetMessages", Times: 1}, malformed: 1},
		{name: "cursors that are refused", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 400, Operation: "GetMessages", Probability: 0.1, Times: 10}},
		{name: "commits that are refused", fault: ocisim.Fault{Effect: ocisim.EffectStatus, Status: 400, Operation: "ConsumerCommit", Probability: 0.2, Times: 5}, pages: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, fields string) {
				r := newRig(t, ocisim.AuditStream, func(c *ocisim.Config) { c.Events = 300 })
				r.sim.Faults().Add(tt.fault)
				p, got := r.start(fields+"max_page_messages: 40\n"), newInbox()
				ids := func() int { return got.count() - flagged(got) }
				r.drain(p, got, func() bool { return ids() == r.events() })
				r.stop(p)
				if n := flagged(got); n != tt.malformed {
					t.Errorf("got %d flagged messages, want %d", n, tt.malformed)
				}
				for _, m := range got.all {
					if m.meta["oci_error"] != "" {
						delete(got.ids, idOf([]byte(m.raw)))
					}
				}
				repeats := 0
				if strings.Contains(fields, "instance") {
					repeats = tt.pages * page
				}
				r.wantAll(got, repeats)
				if most := r.rate("GetMessages", time.Time{}); most > 5*r.stream.Partitions {
					t.Errorf("got up to %d reads within a second, want at most five for each partition", most)
				}
			})
		})
	}
}

// flagged is the number of messages that left with an error.
func flagged(got *inbox) int {
	got.mu.Lock()
	defer got.mu.Unlock()
	n := 0
	for _, m := range got.all {
		if m.meta["oci_error"] != "" {
			n++
		}
	}
	return n
}

func TestReadsKeepWithinStreamingsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 1)
		r.put(0, 200)
		p, got := r.start("instance: one\nmax_page_messages: 1\n"), newInbox()
		r.drain(p, got, func() bool { return got.count() == 200 })
		r.stop(p)
		if most := r.rate("GetMessages", time.Time{}); most > 4 || most < 3 {
			t.Errorf("got up to %d reads within a second, want four", most)
		}
		if n := r.sim.Count("GetMessages", 429); n != 0 {
			t.Errorf("%d reads were throttled, want none", n)
		}
	})
}

func TestThrottledStreamIsAskedAsSeldomAsOracleSays(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 2)
		r.put(0, 10)
		remove := r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 429, Operation: "GetMessages", RetryAfter: 30 * time.Second})
		p, got := r.start(fields), newInbox()
		halt := r.background(p, got)
		time.Sleep(time.Hour)
		if n := r.sim.Count("GetMessages", 429); n > 2*3600/30+2 {
			t.Errorf("got %d reads in an hour, want one in 30 seconds for each of at most two consumers", n)
		}
		remove()
		time.Sleep(2 * time.Minute)
		halt()
		r.stop(p)
		r.wantAll(got, 0)
		if r.log.count("does not accept its cursor") != 0 {
			t.Errorf("a cursor that has expired meanwhile is no failure:\n%s", r.log)
		}
	})
}

func TestNoFaultMakesABusyLoop(t *testing.T) {
	for _, fault := range []ocisim.Fault{
		{Effect: ocisim.EffectStatus, Status: 400},
		{Effect: ocisim.EffectStatus, Status: 400, Operation: "GetMessages"},
		{Effect: ocisim.EffectStatus, Status: 404, Operation: "GetMessages"},
		{Effect: ocisim.EffectStatus, Status: 400, Operation: "ConsumerCommit"},
		{Effect: ocisim.EffectStatus, Status: 404, Operation: "ConsumerCommit"},
		{Effect: ocisim.EffectStatus, Status: 503, Operation: "ConsumerCommit"},
		{Effect: ocisim.EffectStatus, Status: 401},
		{Effect: ocisim.EffectStatus, Status: 503},
		{Effect: ocisim.EffectReset},
		{Effect: ocisim.EffectHTML},
		{Effect: ocisim.EffectLoop, Operation: "GetMessages"},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			eachMode(t, func(t *testing.T, fields string) {
				r := inboxRig(t, 1)
				p, got := r.start(fields+"poll_interval: 5s\n"), newInbox()
				halt := r.background(p, got)
				time.Sleep(10 * time.Second)
				r.put(0, 10)
				remove := r.sim.Faults().Add(fault)
				began := time.Now()
				time.Sleep(4 * time.Minute)
				calls := 0
				r.mu.Lock()
				for _, call := range r.calls {
					if !call.Time.Before(began) {
						calls++
					}
				}
				r.mu.Unlock()
				// Commits of partitions are not the API's business, so some faults leave them whole.
				if calls > 4*60*2 {
					t.Errorf("got %d calls in four minutes, want at most two a second", calls)
				}
				remove()
				time.Sleep(3 * time.Minute)
				halt()
				r.stop(p)
				// Where commits fail, the page comes again each time.
				if got.count() != 10 {
					t.Errorf("got %d messages after the fault was over, want 10", got.count())
				}
			})
		})
	}
}

func TestExpiredCursorIsMadeAnewWithoutARepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 2)
		r.put(0, 30)
		p, got := r.start("partitions: [ all ]\nmax_page_messages: 10\n"), newInbox()
		r.connect(t.Context(), p)
		for range 3 {
			batch, ack, err := p.ReadBatch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got.take(t, batch)
			time.Sleep(6 * time.Minute) // longer than a cursor can be used
			if err := ack(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		r.drain(p, got, func() bool { return got.count() == 60 })
		r.stop(p)
		r.wantAll(got, 0)
		if n := r.sim.Count("GetMessages", 400); n == 0 {
			t.Error("no cursor expired: the test shows nothing")
		}
		if r.log.count("level=ERROR") != 0 {
			t.Errorf("a cursor that expires is no error:\n%s", r.log)
		}
	})
}

func TestLostReservationIsTakenUpAgainWithoutLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 2)
		r.put(0, 30)
		p, got := r.start("instance: one\nmax_page_messages: 10\n"), newInbox()
		r.connect(t.Context(), p)
		batch, ack, err := p.ReadBatch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.take(t, batch)
		remove := r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, Operation: "ConsumerHeartbeat"})
		time.Sleep(2 * time.Minute)
		remove()
		if readers := r.readers(); readers != " 2" {
			t.Fatalf("got the readers %q after two minutes without a heartbeat, want none", readers)
		}
		if err := ack(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.drain(p, got, func() bool { return got.batches() == 7 })
		r.stop(p)
		// The page on its way came again: nobody knew that it was delivered.
		r.wantAll(got, 10)
		if r.committed("benthos-oci") != 60 {
			t.Errorf("got %d messages committed, want 60", r.committed("benthos-oci"))
		}
	})
}

func TestTwoProcessesWithOneNameAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 2)
		one, two, got := r.start("instance: same\n"), r.start("instance: same\n"), newInbox()
		haltOne, haltTwo := r.background(one, got), r.background(two, got)
		began := time.Now()
		time.Sleep(5 * time.Minute)
		if n := r.sim.Count("", 0); r.rate("", began.Add(time.Minute)) > 12 || n > 5*60*4 {
			t.Errorf("got %d calls in five minutes, want no busy loop", n)
		}
		r.put(0, 20)
		time.Sleep(5 * time.Minute)
		haltOne()
		haltTwo()
		r.stop(one)
		r.stop(two)
		r.wantAll(got, 40*20)
		if r.log.count("as if another process had the same name in group benthos-oci: give each process an `instance` of its own") == 0 {
			t.Errorf("the log does not say what is wrong:\n%s", r.log)
		}
	})
}

func TestGroupThatWasMovedIsReadFromThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 1)
		r.put(0, 10)
		p, got := r.start("instance: one\n"), newInbox()
		halt := r.background(p, got)
		time.Sleep(10 * time.Second)
		halt()
		r.stop(p)
		// The group is gone when nobody has used it for the retention; so are the messages.
		time.Sleep(8 * 24 * time.Hour)
		r.put(10, 20)
		p = r.start("instance: one\n")
		halt = r.background(p, got)
		time.Sleep(10 * time.Second)
		halt()
		r.stop(p)
		if got.count() != 20 {
			t.Errorf("got %d messages, want those before and those after the group was gone: 20", got.count())
		}
	})
}

func TestMessagesThatWereDeletedUnreadAreCountedAloud(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := newRig(t, ocisim.InboxStream, func(c *ocisim.Config) {
			c.Partitions, c.Events, c.NoStories, c.Retention = 1, 1, true, 24*time.Hour
		})
		fields += "session_timeout: 5m\n"
		r.put(0, 10)
		p, got := r.start(fields), newInbox()
		r.drain(p, got, func() bool { return got.count() == 10 })
		r.put(10, 15)
		// These are read, but nothing takes them: heartbeats keep the group, and nothing keeps the messages.
		time.Sleep(20 * time.Hour)
		r.put(15, 20)
		time.Sleep(5 * time.Hour)
		r.kill(p)
		p = r.start(fields)
		r.drain(p, got, func() bool { return got.count() == 15 })
		r.stop(p)
		if n := r.log.count("5 messages, of the offsets 10 to 14, were deleted before they were read"); n != 1 {
			t.Errorf("got %d lines about it, want one:\n%s", n, r.log)
		}
	})
}

func TestOversizeMessagesLeaveFlagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 1)
		r.putOne(0, strings.Repeat("a", 1024))
		r.putOne(0, strings.Repeat("b", 1025))
		r.putOne(0, "after")
		p, got := r.start("instance: one\nmax_event_bytes: 1024\n"), newInbox()
		r.drain(p, got, func() bool { return got.count() == 3 })
		r.stop(p)
		r.wantAll(got, 0)
		for _, m := range got.all {
			if bad := m.meta["oci_error"] != ""; bad != strings.HasPrefix(m.raw, "b") {
				t.Errorf("a message of %d bytes says %q", len(m.raw), m.meta["oci_error"])
			}
		}
	})
}

func TestWhatIsMissingIsSaidAndTheInputGoesRed(t *testing.T) {
	for _, tt := range []struct{ name, permission, want string }{
		{"the stream", ocisim.ReadStreams, "Allow group SiemReaders to read streams in tenancy"},
		{"its messages", ocisim.UseStreamPull, "Allow group SiemReaders to use stream-pull in tenancy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, fields string) {
				r := inboxRig(t, 2)
				r.put(0, 5)
				r.sim.Deny(ocisim.Denial{Permission: tt.permission})
				p, got := r.start(fields), newInbox()
				halt := r.background(p, got)
				time.Sleep(3 * time.Minute)
				err := p.Connect(t.Context())
				var pause *service.ErrBackOff
				if !errors.As(err, &pause) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "tenancy "+r.sim.Tenancies()[0].OCID) {
					t.Errorf("got %v, want the input disconnected, the tenancy and the statement named", err)
				}
				r.sim.Allow(ocisim.Denial{Permission: tt.permission})
				time.Sleep(2 * time.Minute)
				if err := p.Connect(t.Context()); err != nil {
					t.Errorf("got %v after the permission came, want the input connected", err)
				}
				// What failed before counts no more: one failure is none.
				r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 404, Operation: "GetMessages", Times: 2})
				time.Sleep(3 * time.Second)
				if err := p.in.reader.ill(); err != nil {
					t.Errorf("got %v after one failure, want the input connected", err)
				}
				halt()
				r.stop(p)
				r.wantAll(got, 0)
				if n := r.log.count("may not"); n > 4 {
					t.Errorf("got %d lines about two causes, want at most one of each for each consumer:\n%s", n, r.log)
				}
			})
		})
	}
}

func TestGroupThatCannotBeLookedAtIsReadAllTheSame(t *testing.T) {
	for _, tt := range []struct{ times, lines int }{{1, 0}, {0, 1}} {
		synctest.Test(t, func(t *testing.T) {
			r := inboxRig(t, 2)
			r.put(0, 5)
			r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 404, Operation: "GetGroup", Times: tt.times})
			p, got := r.start("instance: one\n"), newInbox()
			halt := r.background(p, got)
			time.Sleep(time.Second)
			if got.count() != 10 {
				t.Errorf("got %d messages within a second, want 10", got.count())
			}
			time.Sleep(3 * time.Minute)
			halt()
			r.stop(p)
			r.wantAll(got, 0)
			if n := r.log.count("level=ERROR"); n != tt.lines {
				t.Errorf("refused %d times (0: always): got %d errors in the log, want %d:\n%s", tt.times, n, tt.lines, r.log)
			}
		})
	}
}

func TestCacheThatIsDownLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 2)
		r.put(0, 60)
		fields := "partitions: [ all ]\nmax_page_messages: 10\n"
		r.disk.down(true)
		p := r.start(fields)
		if err := p.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "the cache is down") {
			t.Errorf("got %v, want Connect to fail: a position that cannot be read is not a first run", err)
		}
		r.disk.down(false)
		got := newInbox()
		halt := r.background(p, got)
		time.Sleep(300 * time.Millisecond)
		r.disk.down(true)
		time.Sleep(10 * time.Minute)
		read := got.count()
		if read > 60 {
			t.Errorf("got %d messages though nothing could be saved, want the two pages of each partition that were, and one beyond", read)
		}
		r.disk.down(false)
		time.Sleep(2 * time.Minute)
		halt()
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestPositionThatCannotBeUsedIsRefused(t *testing.T) {
	for value, want := range map[string]string{
		`{"version":2}`:            "its version is 2 and this program knows 1 only",
		`{"version":1,"after":-1}`: "it is damaged",
		`{"vers`:                   "it is damaged",
		``:                         "it is damaged",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := inboxRig(t, 1)
			p := r.start("partitions: [ all ]\n")
			r.connect(t.Context(), p)
			r.stop(p)
			for key := range r.disk.items {
				r.disk.items[key] = value
			}
			p = r.start("partitions: [ all ]\n")
			if err := p.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %q in it", value, err, want)
			}
			r.stop(p)
		})
	}
}

func TestPartitionThatIsNotThereIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 2)
		p := r.start("partitions: [ '1', '2' ]\n")
		if err := p.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "has no partition 2, only 0 to 1") {
			t.Errorf("got %v", err)
		}
		r.stop(p)
	})
}

func TestTwoInputsOfOneProcessDoNotShareAPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 2)
		h := &handle{disk: r.disk}
		res := r.resources(h)
		ctx := context.WithoutCancel(t.Context())
		open := func(fields string) (process, error) {
			in, err := newInput(r.config(fields), res)
			if err != nil {
				t.Fatal(err)
			}
			p := r.started(in, h)
			return p, p.Connect(ctx)
		}
		one, err := open("partitions: [ '0' ]\n")
		if err != nil {
			t.Fatal(err)
		}
		other, err := open("partitions: [ '1' ]\n")
		if err != nil {
			t.Errorf("another partition: got %v, want none", err)
		}
		both, err := open("partitions: [ all ]\n")
		if err == nil || !strings.Contains(err.Error(), "checkpoint_key") {
			t.Errorf("the same partition: got %v, want a refusal that names checkpoint_key", err)
		}
		r.stop(one)
		r.stop(other)
		if err := both.Connect(ctx); err != nil {
			t.Errorf("after the others were closed: got %v", err)
		}
		r.stop(both)
	})
}
