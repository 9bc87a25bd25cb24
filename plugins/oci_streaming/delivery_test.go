package ocistreaming

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/ocisim"
)

// modes are the two ways to read a stream.
var modes = []struct{ name, fields string }{
	{"in a group", "instance: one\n"},
	{"by partitions", "partitions: [ all ]\n"},
}

// eachMode runs a test in the bubble for both.
func eachMode(t *testing.T, run func(t *testing.T, fields string)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(t, mode.fields) })
		})
	}
}

func TestEveryMessageLeavesOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := newRig(t, ocisim.AuditStream, nil)
		p, got := r.start(fields+"max_page_messages: 50\n"), newInbox()
		r.drain(p, got, func() bool { return got.count() == r.events() })
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestSeveralConsumersShareThePartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ocisim.AuditStream, nil)
		p, got := r.start("instance: one\nconsumers: 2\nmax_page_messages: 50\n"), newInbox()
		r.drain(p, got, func() bool { return got.count() == r.events() })
		readers, _ := r.sim.Reservations(r.stream.OCID, "benthos-oci")
		r.stop(p)
		// What the first has read when the second comes is read again.
		r.wantAll(got, 50)
		if all := strings.Join(readers, " "); strings.Count(all, "one-1") == 0 || strings.Count(all, "one-2") == 0 {
			t.Errorf("got the readers %v, want both instances", readers)
		}
	})
}

func TestValuesLeaveByteForByteAndMetadataSaysWhereFrom(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 2)
		for n := range 5 {
			r.putOne(1, "no JSON \x00\xff "+strconv.Itoa(n))
		}
		p, got := r.start(fields), newInbox()
		r.drain(p, got, func() bool { return got.count() == 5 })
		r.stop(p)
		r.wantAll(got, 0)
		tenancy := r.sim.Tenancies()[0].OCID
		for n, m := range got.all {
			for key, want := range map[string]string{
				"oci_source": Name, "oci_tenancy": tenancy, "oci_region": region, "oci_stream": "inbox", "oci_partition": "1", "oci_offset": strconv.Itoa(n), "oci_key": "a key",
			} {
				if m.meta[key] != want {
					t.Errorf("message %d: %s is %q, want %q", n, key, m.meta[key], want)
				}
			}
			if _, err := time.Parse(time.RFC3339Nano, m.meta["oci_timestamp"]); err != nil || m.meta["oci_request_id"] == "" {
				t.Errorf("message %d: got timestamp %q, request id %q", n, m.meta["oci_timestamp"], m.meta["oci_request_id"])
			}
		}
	})
}

func TestRestartResumesWithoutARepeat(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := newRig(t, ocisim.AuditStream, nil)
		got := newInbox()
		for round := 1; round <= 5; round++ {
			p := r.start(fields + "max_page_messages: 40\n")
			stop := got.batches() + 5
			r.drain(p, got, func() bool { return got.count() == r.events() || round < 5 && got.batches() >= stop })
			r.stop(p)
		}
		r.wantAll(got, 0)
	})
}

func TestKillAtAnyPointLosesNothing(t *testing.T) {
	const kills, page = 20, 40
	eachMode(t, func(t *testing.T, fields string) {
		r := newRig(t, ocisim.AuditStream, nil)
		got := newInbox()
		random := rand.New(rand.NewPCG(1, 2))
		killed := 0
		for got.count() < r.events() {
			p := r.start(fields + "max_page_messages: 40\n")
			stop := got.batches() + random.IntN(4)
			r.drain(p, got, func() bool { return got.count() == r.events() || killed < kills && got.batches() >= stop })
			if random.IntN(2) == 0 {
				synctest.Wait() // what was acked is committed, or not
			}
			if got.count() == r.events() {
				r.stop(p)
				break
			}
			r.kill(p)
			killed++
		}
		if killed < 10 {
			t.Errorf("only %d processes were killed: the test shows little", killed)
		}
		// At most the pages that were acked and not committed: one for each consumer, which a partition is without a group.
		r.wantAll(got, killed*page*r.stream.Partitions)
	})
}

func TestTwoInstancesLoseNothingThoughOneIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const page = 20
		r := newRig(t, ocisim.AuditStream, func(c *ocisim.Config) { c.Partitions = 5 })
		r.yaml = "max_page_messages: 20\n"
		got := newInbox()
		one, two := r.start("instance: one\n"), r.start("instance: two\n")
		haltOne, haltTwo := r.background(one, got), r.background(two, got)
		for got.count() < r.events()/4 {
			time.Sleep(time.Second)
		}
		if readers := r.readers(); readers != "one 2, two 3" && readers != "one 3, two 2" {
			t.Errorf("got %s, want the partitions shared", readers)
		}
		haltTwo()
		r.kill(two)
		at := time.Now()
		for r.readers() != "one 5" {
			time.Sleep(time.Second)
			if time.Since(at) > 40*time.Second {
				t.Fatalf("got %s 40 seconds after the kill, want all partitions at the other", r.readers())
			}
		}
		three := r.start("instance: three\n")
		haltThree := r.background(three, got)
		for got.count() < r.events() {
			time.Sleep(time.Second)
		}
		haltOne()
		haltThree()
		r.stop(one)
		r.stop(three)
		// Each of the four times that partitions changed hands, what was on its way comes again.
		r.wantAll(got, 4*2*page)
		if r.log.count("level=ERROR") != 0 {
			t.Errorf("a rebalance is no error:\n%s", r.log)
		}
	})
}

// readers says how many partitions each instance has.
func (r *rig) readers() string {
	all, _ := r.sim.Reservations(r.stream.OCID, "benthos-oci")
	n := map[string]int{}
	for _, name := range all {
		n[name]++
	}
	var list []string
	for name, count := range n {
		list = append(list, fmt.Sprint(name, " ", count))
	}
	return strings.Join(sorted(list), ", ")
}

func TestNackKeepsTheCommit(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 1)
		r.put(0, 30)
		p, got := r.start(fields+"max_page_messages: 10\n"), newInbox()
		at := clocked(p, 0)
		ctx := t.Context()
		r.connect(ctx, p.in)
		batch, ack, err := p.in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before := r.kept()
		if err := ack(ctx, errors.New("the output is full")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.kept(); after != before {
			t.Errorf("the position moved from %s to %s after a nack of %d messages", before, after, len(batch))
		}
		halt := r.background(p.in, got)
		time.Sleep(time.Minute)
		if behind := event.TimeOf(time.Now()).Sub(at()); behind > 10*time.Second {
			t.Errorf("the watermark is %s behind after the page was read again: what was refused still holds it", behind)
		}
		halt()
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestAckThatComesWithTheStopCounts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &lane{reader: &reader{ctx: ctx}}
	for range 100 {
		acked := make(chan error, 1)
		acked <- nil
		if err := l.await(acked); err != nil {
			t.Fatalf("got %v of a page that was acked when the input stopped, want it to be committed", err)
		}
	}
	if err := l.await(make(chan error, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of a page that was not, want the context's error", err)
	}
}

// kept is what is committed and saved.
func (r *rig) kept() string {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	return fmt.Sprint(r.committed("benthos-oci"), r.disk.items)
}

func TestUnackedPageIsNotCommitted(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 1)
		r.put(0, 30)
		p := r.start(fields + "max_page_messages: 10\n")
		ctx := t.Context()
		r.connect(ctx, p)
		_, ack, err := p.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		before := r.kept()
		time.Sleep(time.Hour)
		if after := r.kept(); after != before {
			t.Errorf("the position moved from %s to %s without an ack", before, after)
		}
		if err := ack(ctx, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if after := r.kept(); after == before {
			t.Error("the position did not move after the ack")
		}
		r.stop(p)
	})
}

func TestHeartbeatsKeepThePartitionsWhileTheOutputIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 3)
		r.put(0, 30)
		p, got := r.start("instance: one\nmax_page_messages: 10\n"), newInbox()
		ctx := t.Context()
		r.connect(ctx, p)
		batch, ack, err := p.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got.take(t, batch)
		began, reads := time.Now(), r.sim.Count("GetMessages", 0)
		time.Sleep(time.Hour)
		if readers := r.readers(); readers != "one 3" {
			t.Errorf("got %s after an hour without an ack, want all partitions kept", readers)
		}
		if after := r.sim.Count("GetMessages", 0); after != reads {
			t.Errorf("%d pages were read while the output was down, want none", after-reads)
		}
		if beats := r.sim.Count("ConsumerHeartbeat", 200); beats < 300 || beats > 400 || r.rate("", began.Add(time.Second)) > 1 {
			t.Errorf("got %d heartbeats in an hour and up to %d calls a second, want one in ten seconds", beats, r.rate("", began.Add(time.Second)))
		}
		if err := ack(ctx, nil); err != nil {
			t.Fatal(err)
		}
		r.drain(p, got, func() bool { return got.count() == 90 })
		r.stop(p)
		r.wantAll(got, 0)
		if n := r.sim.Count("CreateGroupCursor", 0); n != 1 {
			t.Errorf("got %d group cursors, want one that lasted", n)
		}
	})
}

func TestOutputThatIsDownPausesTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 4)
		r.put(0, 100)
		p := r.start("partitions: [ all ]\nmax_page_messages: 10\ncheckpoint_limit: 2\n")
		ctx := t.Context()
		r.connect(ctx, p)
		for range 2 {
			if _, _, err := p.ReadBatch(ctx); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		reads := r.sim.Count("GetMessages", 0)
		short, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		if _, _, err := p.ReadBatch(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v with 2 batches on their way, want nothing to read", err)
		}
		if after := r.sim.Count("GetMessages", 0); after != reads || reads > 4 {
			t.Errorf("got %d reads, then %d more; want one for each partition at most, and no more", reads, after-reads)
		}
		r.kill(p)
	})
}

func TestPartialNacksComeBackAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 1)
		r.put(0, 10)
		p := r.start("instance: one\n")
		ctx := t.Context()
		r.connect(ctx, p)
		batch, ack, err := p.ReadBatch(ctx)
		if err != nil || len(batch) != 10 {
			t.Fatalf("got %d messages, %v; want the whole page", len(batch), err)
		}
		if err := ack(ctx, service.NewBatchError(batch, errors.New("one failed")).Failed(1, errors.New("no"))); err != nil {
			t.Fatal(err)
		}
		again, ack, err := p.ReadBatch(ctx)
		if err != nil || len(again) != 10 {
			t.Fatalf("got %d messages again of a batch of which one failed, %v; want all", len(again), err)
		}
		if err := ack(ctx, nil); err != nil {
			t.Fatal(err)
		}
		r.stop(p)
		if got := r.committed("benthos-oci"); got != 10 {
			t.Errorf("got %d messages committed, want 10", got)
		}
	})
}

func TestNewMessagesComeWithinSeconds(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 3)
		p, got := r.start(fields), newInbox()
		halt := r.background(p, got)
		time.Sleep(time.Minute)
		for n := range 5 {
			r.put(n, n+1)
			time.Sleep(4 * time.Second)
			if want := 3 * (n + 1); got.count() != want {
				t.Errorf("got %d messages 4 seconds after they were put, want %d", got.count(), want)
			}
		}
		halt()
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestStartSaysWhereAGroupBegins(t *testing.T) {
	for _, tt := range []struct {
		start string
		want  int
	}{{"oldest", 4}, {"-90m", 3}, {"-30m", 1}, {"latest", 0}} {
		eachMode(t, func(t *testing.T, fields string) {
			r := inboxRig(t, 1)
			for n := range 4 {
				r.putOne(0, strconv.Itoa(n))
				if n%2 == 0 {
					time.Sleep(time.Hour)
				}
			}
			time.Sleep(time.Second)
			got := newInbox()
			p := r.start(fields + "start: " + tt.start + "\n")
			halt := r.background(p, got)
			time.Sleep(10 * time.Second)
			halt()
			r.kill(p)
			// What is relative stays where it was when the process starts again.
			r.putOne(0, "new")
			time.Sleep(time.Second)
			p = r.start(fields + "start: " + tt.start + "\n")
			halt = r.background(p, got)
			time.Sleep(10 * time.Second)
			halt()
			r.stop(p)
			if got.count() != tt.want+1 || got.ids["new"] != 1 {
				t.Errorf("%s: got %v, want the last %d and the new one", tt.start, got.ids, tt.want)
			}
		})
	}
}

func TestBoundedRunEndsWhenAllBeforeItsEndWasDelivered(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 3)
		r.put(0, 30)
		time.Sleep(time.Minute)
		end := time.Now().Add(time.Minute)
		p, got := r.start(fields+"max_page_messages: 10\nend: "+end.Format(time.RFC3339)+"\n"), newInbox()
		// The stream is never empty: something is put into it for ever.
		writing, stop := context.WithCancel(t.Context())
		written := make(chan struct{})
		go func() {
			defer close(written)
			for n := 30; writing.Err() == nil; n++ {
				r.put(n, n+1)
				time.Sleep(300 * time.Millisecond)
			}
		}()
		r.connect(t.Context(), p)
		for {
			batch, ack, err := p.ReadBatch(t.Context())
			if errors.Is(err, service.ErrEndOfInput) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got.take(t, batch)
			if err := ack(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if now := time.Now(); now.Before(end) || now.Sub(end) > 10*time.Second {
			t.Errorf("the input ended at %s, want it soon after %s", now, end)
		}
		stop()
		<-written
		for _, m := range r.sim.Messages(r.stream.OCID) {
			if m.Time.Before(end) && got.ids[string(m.Value)] != 1 {
				t.Fatalf("the message %s of %s left %d times, want once", m.Value, m.Time, got.ids[string(m.Value)])
			}
		}
		if !p.in.tracker.Advance(time.Now()).Done {
			t.Error("the source has not ended for the clock, want it ended")
		}
		r.stop(p)
	})
}

func TestBoundedRunEndsAtAQuietStream(t *testing.T) {
	for _, more := range []string{"", "consumers: 5\n"} {
		eachMode(t, func(t *testing.T, fields string) {
			r := newRig(t, ocisim.AuditStream, nil)
			p, got := r.start(fields+more+"end: -0s\n"), newInbox()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				r.connect(t.Context(), p)
				for {
					batch, ack, err := p.ReadBatch(t.Context())
					if err != nil {
						if !errors.Is(err, service.ErrEndOfInput) {
							t.Errorf("ReadBatch: %v", err)
						}
						return
					}
					got.take(t, batch)
					if err := ack(t.Context(), nil); err != nil {
						t.Error(err)
					}
				}
			}()
			select {
			case <-ended:
			case <-time.After(29 * time.Second):
				t.Error("the input has not ended before partitions of instances that have ended come to others")
				<-ended
			}
			r.stop(p)
			r.wantAll(got, 5*1000)
		})
	}
}
