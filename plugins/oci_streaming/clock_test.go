package ocistreaming

import (
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/ocisim"
)

// clocked lets a correlator listen, and gives what the clock says.
func clocked(p process, lateness time.Duration) func() event.Time {
	p.in.tracker.Listen(lateness, time.Hour)
	p.in.tracker.Limit(watermark.Limits{MaxHold: 100 * time.Hour, Now: time.Now})
	return func() event.Time { return p.in.tracker.Advance(time.Now()).All }
}

func TestNoMessageLiesBelowTheWatermarkWhenItLeaves(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := newRig(t, ocisim.AuditStream, nil)
		p, got := r.start(fields+"max_page_messages: 20\n"), newInbox()
		at := clocked(p, 30*time.Minute)
		ctx := t.Context()
		r.connect(ctx, p)
		first := at()
		for got.count() < r.events() {
			batch, ack, err := p.ReadBatch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			mark := at()
			for _, m := range batch {
				raw, err := m.AsBytes()
				if err != nil {
					t.Fatal(err)
				}
				when, ok := normalize.TimeOf(raw)
				if !ok || when < mark {
					t.Fatalf("an event of %s left when the watermark was at %s", when, mark)
				}
			}
			got.take(t, batch)
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		end := r.sim.Truth().Events[0].Time
		for _, e := range r.sim.Truth().Events {
			if e.Time.After(end) {
				end = e.Time
			}
		}
		if last := at(); last <= first || last > event.TimeOf(end) {
			t.Errorf("the watermark went from %s to %s, want it to move, and not beyond %s before the stream is read to its end", first, last, end)
		}
		halt := r.background(p, got)
		time.Sleep(time.Minute)
		if last, now := at(), event.TimeOf(time.Now()).Add(-30*time.Minute); last > now || now.Sub(last) > 10*time.Second {
			t.Errorf("the watermark is at %s when the stream was read to its end, want about %s", last, now)
		}
		halt()
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestOutageIsNoIdleness(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 2)
		p := r.start(fields)
		at := clocked(p, 0)
		halt := r.background(p, newInbox())
		time.Sleep(time.Minute)
		remove := r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 503, Operation: "GetMessages"})
		time.Sleep(5 * time.Second)
		before := at()
		time.Sleep(time.Hour)
		if after := at(); after != before {
			t.Errorf("the watermark moved by %s in an outage, want it to stand", after.Sub(before))
		}
		remove()
		time.Sleep(5 * time.Minute)
		if after := at(); event.TimeOf(time.Now()).Sub(after) > 10*time.Second {
			t.Errorf("the watermark is %s behind after the outage", event.TimeOf(time.Now()).Sub(after))
		}
		halt()
		r.stop(p)
	})
}

func TestEmptyPageBeforeTheEndIsNoIdleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ocisim.AuditStream, func(c *ocisim.Config) { c.EmptyPages, c.Partitions = 0.45, 1 })
		p, got := r.start("instance: one\nmax_page_messages: 20\n"), newInbox()
		at := clocked(p, 0)
		r.drain(p, got, func() bool {
			if now := event.TimeOf(time.Now()); got.count() < r.events() && now.Sub(at()) < 23*time.Hour {
				t.Fatalf("the watermark is at %s with %d of %d messages read", at(), got.count(), r.events())
			}
			return got.count() == r.events()
		})
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestTimeDoesNotWaitForPartitionsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inboxRig(t, 4)
		one, two := r.start("instance: one\n"), r.start("instance: two\n")
		at := clocked(one, 0)
		haltOne := r.background(one, newInbox())
		time.Sleep(time.Minute)
		if known := len(one.in.tracker.Advance(time.Now()).Known); known != 4 {
			t.Errorf("got %d partitions that time waits for, want all 4", known)
		}
		haltTwo := r.background(two, newInbox())
		time.Sleep(2 * time.Minute)
		reading := one.in.tracker.Advance(time.Now())
		if len(reading.Known) != 2 || event.TimeOf(time.Now()).Sub(at()) > 10*time.Second {
			t.Errorf("got %d partitions that time waits for, and the watermark at %s; want 2, and now: %s", len(reading.Known), reading.All, time.Now())
		}
		haltTwo()
		r.kill(two)
		time.Sleep(2 * time.Minute)
		if known := len(one.in.tracker.Advance(time.Now()).Known); known != 4 {
			t.Errorf("got %d partitions that time waits for after the other was killed, want all 4 again", known)
		}
		haltOne()
		r.stop(one)
	})
}

func TestTimeOfAPageIsThatOfItsEvents(t *testing.T) {
	eachMode(t, func(t *testing.T, fields string) {
		r := inboxRig(t, 1)
		at := func(ago time.Duration) event.Time { return event.TimeOf(time.Now().Add(-ago)) }
		record := func(ago time.Duration) string {
			return `{"specversion":"1.0","type":"com.oraclecloud.ComputeApi.GetInstance","id":"` + ago.String() + `","time":"` +
				time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) + `","source":"a","data":{},"oracle":{"tenantid":"t"}}`
		}
		// The last is too far ahead to be believed.
		for _, ago := range []time.Duration{5 * time.Hour, 3 * time.Hour, 4 * time.Hour, -48 * time.Hour} {
			r.putOne(0, record(ago))
		}
		p, got := r.start(fields), newInbox()
		mark := clocked(p, 0)
		mark()
		r.drain(p, got, func() bool { return got.count() == 4 })
		synctest.Wait()
		if want := at(3 * time.Hour); mark() != want {
			t.Errorf("the watermark is at %s after a page, want the newest of its events: %s", mark(), want)
		}
		r.stop(p)
	})
}
