package watermark

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
)

const (
	lateness = 30 * time.Minute
	maxHold  = time.Hour
	idle     = 5 * time.Minute
)

// noon is the wall time at which every test begins.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// at gives the event time some time after noon.
func at(d time.Duration) event.Time { return event.TimeOf(noon.Add(d)) }

func newTracker() *Tracker {
	t := New()
	t.Limit(Limits{MaxHold: maxHold, IdleTimeout: idle})
	t.Listen(lateness, 5*time.Minute)
	return t
}

// wantMark checks the watermark of all tenancies, as time after noon; event.MinTime where there is none.
func wantMark(t *testing.T, when string, r Reading, want event.Time) {
	t.Helper()
	if want != event.MinTime {
		want = want.Add(-lateness)
	}
	if r.All != want {
		t.Errorf("%s: got watermark %s, want %s", when, r.All, want)
	}
}

func TestUnackedBatchHoldsTime(t *testing.T) {
	tr := newTracker()
	p := tr.Register("audit", false).Partition("t1", "p")
	first := p.Read(at(0))
	second := p.Read(at(10 * time.Minute))
	third := p.Read(at(time.Minute)) // out of order
	wantMark(t, "nothing acked", tr.Advance(noon), event.MinTime)
	second()
	wantMark(t, "the second acked, the first not", tr.Advance(noon), event.MinTime)
	first()
	wantMark(t, "both acked, the third not", tr.Advance(noon), at(10*time.Minute))
	third()
	wantMark(t, "all acked", tr.Advance(noon), at(10*time.Minute))
	third()
	wantMark(t, "acked twice", tr.Advance(noon), at(10*time.Minute))
}

func TestBatchInFlightHoldsTimeHoweverLong(t *testing.T) {
	tr := newTracker()
	p := tr.Register("audit", false).Partition("t1", "p")
	p.Read(at(0))()
	p.Read(at(time.Minute))
	tr.Advance(noon)
	r := tr.Advance(noon.Add(10 * maxHold))
	wantMark(t, "long after max_hold", r, at(0))
	if r.Incomplete != nil {
		t.Errorf("incomplete: got %v, want none", r.Incomplete)
	}
}

func TestWatermarkIsTheLeastOverPartitionsOfATenancy(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", false)
	a, b, other := s.Partition("t1", "a"), s.Partition("t1", "b"), s.Partition("t2", "a")
	a.Read(at(20 * time.Minute))()
	other.Read(at(30 * time.Minute))()
	r := tr.Advance(noon)
	if diff := cmp.Diff(map[string]event.Time{"t2": at(0)}, r.Tenancies); diff != "" {
		t.Errorf("while b has not spoken (-want +got):\n%s", diff)
	}
	wantMark(t, "while b has not spoken", r, event.MinTime)
	b.CaughtUp(at(5 * time.Minute))
	r = tr.Advance(noon)
	if diff := cmp.Diff(map[string]event.Time{"t1": at(-25 * time.Minute), "t2": at(0)}, r.Tenancies); diff != "" {
		t.Errorf("all have spoken (-want +got):\n%s", diff)
	}
	wantMark(t, "all have spoken", r, at(5*time.Minute))
}

func TestPartitionsWithoutTenancyHoldEveryTenancy(t *testing.T) {
	tr := newTracker()
	tr.Register("audit", false).Partition("t1", "a").Read(at(20 * time.Minute))()
	tr.RegisterForeign("kafka").Partition("", "topic/0").Read(at(10 * time.Minute))()
	r := tr.Advance(noon)
	want := map[string]event.Time{"t1": at(-20 * time.Minute), "": at(-20 * time.Minute)}
	if diff := cmp.Diff(want, r.Tenancies); diff != "" {
		t.Errorf("watermarks (-want +got):\n%s", diff)
	}
}

func TestWatermarkNeverGoesBack(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", false)
	s.Partition("t1", "a").Read(at(20 * time.Minute))()
	wantMark(t, "one partition", tr.Advance(noon), at(20*time.Minute))
	s.Partition("t1", "found later").Read(at(-10 * time.Hour))()
	r := tr.Advance(noon)
	wantMark(t, "a partition far behind was found", r, at(20*time.Minute))
	if got := r.Tenancies["t1"]; got != at(-10*time.Minute) {
		t.Errorf("watermark of t1: got %s, want %s", got, at(-10*time.Minute))
	}
}

func TestCaughtUpWaitsForWhatIsInFlight(t *testing.T) {
	tr := newTracker()
	p := tr.Register("audit", false).Partition("t1", "p")
	done := p.Read(at(0))
	p.CaughtUp(at(time.Hour))
	wantMark(t, "a batch before it in flight", tr.Advance(noon), event.MinTime)
	done()
	wantMark(t, "that batch acked", tr.Advance(noon), at(time.Hour))
}

func TestSilentPartitionIsLeftOutAtMaxHold(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", false)
	speaks := s.Partition("t1", "speaks")
	silent := s.Partition("t1", "silent")
	tr.Advance(noon)
	speaks.CaughtUp(at(maxHold))
	r := tr.Advance(noon.Add(maxHold - time.Millisecond))
	wantMark(t, "a millisecond before max_hold", r, event.MinTime)
	if r.Incomplete != nil {
		t.Errorf("incomplete before max_hold: got %v, want none", r.Incomplete)
	}
	r = tr.Advance(noon.Add(maxHold))
	wantMark(t, "at max_hold", r, at(maxHold))
	if diff := cmp.Diff(map[string][]string{"t1": {"audit/silent"}}, r.Incomplete); diff != "" {
		t.Errorf("incomplete at max_hold (-want +got):\n%s", diff)
	}
	if len(r.Known) != 2 {
		t.Errorf("known partitions: got %v, want both", r.Known)
	}
	silent.CaughtUp(at(0))
	r = tr.Advance(noon.Add(maxHold))
	if r.Incomplete != nil || !r.Moved {
		t.Errorf("once it spoke: got incomplete %v, moved %v, want none and true", r.Incomplete, r.Moved)
	}
}

func TestBoundedPartitionIsWaitedForHoweverLongItIsSilent(t *testing.T) {
	tr := newTracker()
	live := tr.Register("audit", false).Partition("t1", "p")
	backfill := tr.Register("backfill", true)
	p := backfill.Partition("t1", "p")
	p.CaughtUp(at(-48 * time.Hour))
	tr.Advance(noon)
	live.CaughtUp(at(10 * maxHold))
	r := tr.Advance(noon.Add(10 * maxHold))
	wantMark(t, "long after max_hold", r, at(-48*time.Hour))
	if r.Incomplete != nil {
		t.Errorf("incomplete: got %v, want none: what a backfill waits for would be judged absent", r.Incomplete)
	}
	backfill.End()
	wantMark(t, "once it has ended", tr.Advance(noon.Add(10*maxHold)), at(10*maxHold))
}

func TestSourceThatEndsUnreadIsNamed(t *testing.T) {
	tr := newTracker()
	other := tr.Register("guard", true)
	q := other.Partition("t2", "q")
	backfill := tr.Register("backfill", true)
	p, silent := backfill.Partition("t1", "p"), backfill.Partition("t1", "silent")
	p.CaughtUp(at(-48 * time.Hour))
	q.CaughtUp(at(-48 * time.Hour))
	silent.CaughtUp(at(-72 * time.Hour))
	if r := tr.Advance(noon); r.Incomplete != nil || r.Unread != nil {
		t.Errorf("before it has ended: got incomplete %v, unread %v, want none", r.Incomplete, r.Unread)
	}
	backfill.End(Unread{Tenancy: "t1", Name: "silent"})
	want := map[string][]string{"t1": {"backfill/silent"}}
	r := tr.Advance(noon)
	if diff := cmp.Diff(want, r.Incomplete); diff != "" || r.Done || !r.Moved {
		t.Errorf("once it has ended: done %v, moved %v, incomplete (-want +got):\n%s", r.Done, r.Moved, diff)
	}
	// One that could not even find out what there is to read has no partition, and perhaps no tenancy.
	other.End(Unread{})
	want[""] = []string{"guard"}
	r = tr.Advance(noon.Add(time.Minute))
	if diff := cmp.Diff(want, r.Incomplete); diff != "" || !r.Done {
		t.Errorf("at the end: done %v, incomplete (-want +got):\n%s", r.Done, diff)
	}
	if diff := cmp.Diff(r.Incomplete, r.Unread); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
}

func TestSourceThatHasNamedNothingHoldsTimeForAMinuteAtTheStart(t *testing.T) {
	tr := newTracker()
	tr.Register("audit", false).Partition("t1", "p").CaughtUp(at(0))
	slow := tr.Register("cloudguard", false)
	wantMark(t, "at the start", tr.Advance(noon), event.MinTime)
	wantMark(t, "a millisecond before the minute", tr.Advance(noon.Add(startHold-time.Millisecond)), event.MinTime)
	wantMark(t, "after it", tr.Advance(noon.Add(startHold)), at(0))
	slow.Partition("t1", "r").CaughtUp(at(time.Minute))
	wantMark(t, "named later", tr.Advance(noon.Add(startHold)), at(0))

	tr = newTracker()
	tr.Register("audit", false).Partition("t1", "p").CaughtUp(at(0))
	tr.Register("cloudguard", false).Partition("t1", "r").CaughtUp(at(time.Minute))
	tr.Register("ended", true).End()
	wantMark(t, "all have named or ended", tr.Advance(noon), at(0))
}

func TestOutageOfAllHoldsTime(t *testing.T) {
	tr := newTracker()
	p := tr.Register("audit", false).Partition("t1", "p")
	p.CaughtUp(at(0))
	tr.Advance(noon)
	r := tr.Advance(noon.Add(24 * time.Hour))
	wantMark(t, "a day of silence of the only partition", r, at(0))
}

func TestKnownPartitionHoldsTimeAfterARestart(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", false)
	tr.Restore(Saved{
		Known: []ID{{Source: "audit", Tenancy: "t1", Name: "a"}, {Source: "audit", Tenancy: "t1", Name: "b"}, {Source: "gone", Name: "x"}},
		All:   event.MinTime,
	})
	s.Partition("t1", "a").Read(at(0))()
	r := tr.Advance(noon)
	wantMark(t, "b has not spoken", r, event.MinTime)
	if diff := cmp.Diff([]ID{{Source: "audit", Tenancy: "t1", Name: "a"}, {Source: "audit", Tenancy: "t1", Name: "b"}}, r.Known); diff != "" {
		t.Errorf("known; a source that is no more is forgotten (-want +got):\n%s", diff)
	}
	s.Partition("t1", "a").Read(at(maxHold))()
	r = tr.Advance(noon.Add(maxHold))
	wantMark(t, "at max_hold", r, at(maxHold))
	if diff := cmp.Diff(map[string][]string{"t1": {"audit/b"}}, r.Incomplete); diff != "" {
		t.Errorf("incomplete (-want +got):\n%s", diff)
	}
	if len(r.Known) != 1 {
		t.Errorf("known for the next restart: got %v, want a alone", r.Known)
	}
}

func TestForeignPartitionRunsOnWhenIdle(t *testing.T) {
	tr := newTracker()
	p := tr.RegisterForeign("kafka").Partition("", "topic/0")
	done := p.Read(at(-24 * time.Hour))
	tr.Advance(noon)
	wantMark(t, "in flight beyond idle_timeout", tr.Advance(noon.Add(2*idle)), event.MinTime)
	done()
	wantMark(t, "acked", tr.Advance(noon.Add(2*idle)), at(-24*time.Hour))
	wantMark(t, "at idle_timeout", tr.Advance(noon.Add(3*idle)), at(-24*time.Hour))
	wantMark(t, "a minute after it, by a minute", tr.Advance(noon.Add(3*idle+time.Minute)), at(-24*time.Hour+time.Minute))
	p.Read(at(-24 * time.Hour))
	wantMark(t, "a new batch in flight: from where it stood", tr.Advance(noon.Add(4*idle)), at(-24*time.Hour+time.Minute))
}

func TestForeignPartitionRunsOnAfterARestartFromWhereItStood(t *testing.T) {
	tr := newTracker()
	whole := ID{Source: "file", Name: ""}
	tr.RegisterForeign("file").Partition("", "")
	tr.Restore(Saved{Known: []ID{whole}, All: at(-time.Hour), Watermarks: map[string]event.Time{"": at(-time.Hour)}})
	stood := at(-time.Hour).Add(lateness)
	wantMark(t, "at the start", tr.Advance(noon), stood)
	wantMark(t, "at idle_timeout", tr.Advance(noon.Add(idle)), stood)
	r := tr.Advance(noon.Add(idle + 2*time.Hour))
	wantMark(t, "two hours after it", r, stood.Add(2*time.Hour))
	if r.Tenancies[""] != r.All {
		t.Errorf("watermark of partitions without tenancy: got %s, want %s", r.Tenancies[""], r.All)
	}
}

func TestWatermarkDoesNotFallBelowAnEarlierRuns(t *testing.T) {
	tr := newTracker()
	p := tr.Register("audit", false).Partition("t1", "p")
	tr.Restore(Saved{All: at(0), Watermarks: map[string]event.Time{"t1": at(time.Minute)}})
	p.Read(at(-time.Hour))()
	r := tr.Advance(noon)
	if r.All != at(0) || r.Tenancies["t1"] != at(time.Minute) {
		t.Errorf("got %s and %v, want %s and %s", r.All, r.Tenancies, at(0), at(time.Minute))
	}
}

func TestForeignInputThatNeverHadAnEventStopsHoldingTimeWhenIdle(t *testing.T) {
	tr := newTracker()
	tr.RegisterForeign("empty").Partition("", "")
	tr.RegisterForeign("full").Partition("", "").Read(at(0))()
	wantMark(t, "before idle_timeout", tr.Advance(noon), event.MinTime)
	wantMark(t, "at idle_timeout", tr.Advance(noon.Add(idle)), event.MinTime)
	r := tr.Advance(noon.Add(idle + time.Second))
	wantMark(t, "after it", r, at(time.Second))
	if r.Incomplete != nil {
		t.Errorf("incomplete: got %v, want none", r.Incomplete)
	}
}

func TestEventInTheFutureDoesNotMoveTime(t *testing.T) {
	tr := newTracker()
	now := noon
	tr.Limit(Limits{MaxHold: maxHold, Now: func() time.Time { return now }})
	p := tr.Register("audit", false).Partition("t1", "p")
	p.Read(at(5 * time.Minute))()
	wantMark(t, "at max_future", tr.Advance(noon), at(5*time.Minute))
	p.Read(at(5*time.Minute + time.Millisecond))()
	wantMark(t, "beyond max_future", tr.Advance(noon), at(5*time.Minute))
	now = noon.Add(time.Millisecond)
	p.Read(at(5*time.Minute + time.Millisecond))()
	wantMark(t, "the clock went on, and no tick was made yet", tr.Advance(noon), at(5*time.Minute+time.Millisecond))
}

func TestEndedSourcesAreDoneOnceAcked(t *testing.T) {
	tr := newTracker()
	if tr.Advance(noon).Done || tr.Ended() {
		t.Error("without sources: got done, want not")
	}
	a, b := tr.Register("a", true), tr.Register("b", true)
	done := a.Partition("t1", "p").Read(at(0))
	a.End()
	if tr.Advance(noon).Done {
		t.Error("one source open: got done, want not")
	}
	b.End()
	if tr.Advance(noon).Done || tr.Ended() {
		t.Error("a batch in flight: got done, want not")
	}
	done()
	if r := tr.Advance(noon); !r.Done || !r.Moved || !tr.Ended() {
		t.Errorf("all ended and acked: got %+v, want done and moved", r)
	}
}

func TestEndedSourceHoldsNoTime(t *testing.T) {
	tr := newTracker()
	backfill := tr.Register("backfill", true)
	backfill.Partition("t1", "p").Read(at(-240 * time.Hour))()
	tr.Register("live", false).Partition("t1", "p").Read(at(0))()
	wantMark(t, "while the backfill runs", tr.Advance(noon), at(-240*time.Hour))
	backfill.End()
	r := tr.Advance(noon)
	wantMark(t, "when it has ended", r, at(0))
	if len(r.Known) != 1 {
		t.Errorf("known: got %v, want the live one alone", r.Known)
	}
}

func TestTenancyThatHasEndedStandsWhereItsLastEventWas(t *testing.T) {
	tr := newTracker()
	ended := tr.Register("ended", true)
	ended.Partition("t1", "a").Read(at(time.Hour))()
	ended.Partition("t1", "b").Read(at(2 * time.Hour))()
	goesOn := tr.Register("goes on", true)
	goesOn.Partition("t2", "a").Read(at(0))()
	other := tr.Register("of the same tenancy", true)
	held := other.Partition("t1", "c").Read(at(90 * time.Minute))
	ended.End()
	if got, ok := tr.Advance(noon).Tenancies["t1"]; ok {
		t.Errorf("while another source of the tenancy has a batch in flight: got %s, want none", got)
	}
	held()
	other.End()
	r := tr.Advance(noon)
	if got, want := r.Tenancies["t1"], at(2*time.Hour).Add(-lateness); got != want {
		t.Errorf("when all of its sources have ended: got %s, want %s", got, want)
	}
	wantMark(t, "the least of all", r, at(0))
}

func TestOutageOfATenancyIsNotItsEnd(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", false)
	behind, deleted := s.Partition("t1", "behind"), s.Partition("t1", "deleted")
	behind.Read(at(0))()
	deleted.Read(at(time.Hour))()
	tr.Advance(noon)
	deleted.Retire()
	tr.Advance(noon)
	r := tr.Advance(noon.Add(2 * maxHold))
	if len(r.Incomplete["t1"]) != 1 {
		t.Fatalf("incomplete: got %v, want the partition that is left", r.Incomplete)
	}
	if got, want := r.Tenancies["t1"], at(0).Add(-lateness); got != want {
		t.Errorf("watermark: got %s, want %s: what was deleted does not speak for what is silent", got, want)
	}
}

func TestRetiredPartitionHoldsNoTime(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", false)
	s.Partition("t1", "a").Read(at(time.Hour))()
	gone := s.Partition("t1", "deleted")
	done := gone.Read(at(0))
	gone.Retire()
	wantMark(t, "its batch in flight", tr.Advance(noon.Add(time.Hour)), event.MinTime)
	done()
	wantMark(t, "acked", tr.Advance(noon.Add(time.Hour)), at(time.Hour))
}

func TestReadingMovesOnlyWhenSomethingHas(t *testing.T) {
	tr := newTracker()
	p := tr.Register("audit", false).Partition("t1", "p")
	if !tr.Advance(noon).Moved {
		t.Error("the first reading: got not moved, want moved")
	}
	if tr.Advance(noon.Add(time.Second)).Moved {
		t.Error("nothing happened: got moved, want not")
	}
	p.CaughtUp(at(0))
	if !tr.Advance(noon.Add(time.Second)).Moved {
		t.Error("a partition caught up: got not moved, want moved")
	}
}

func TestLargestLatenessCounts(t *testing.T) {
	tr := newTracker()
	tr.Listen(2*time.Hour, time.Minute)
	tr.Listen(time.Hour, time.Hour)
	tr.Register("audit", false).Partition("t1", "p").Read(at(0))()
	if got := tr.Advance(noon).All; got != at(-2*time.Hour) {
		t.Errorf("watermark: got %s, want %s", got, at(-2*time.Hour))
	}
}

func TestListenersComeAndGo(t *testing.T) {
	tr := New()
	tr.Limit(Limits{MaxHold: maxHold})
	first, second := tr.Listen(time.Hour, time.Hour), tr.Listen(time.Hour, time.Hour)
	if got := tr.Listeners(); got != 2 {
		t.Errorf("listeners: got %d, want 2", got)
	}
	first()
	first()
	if got := tr.Listeners(); got != 1 {
		t.Errorf("one has gone, and said so twice: got %d, want 1", got)
	}
	second()
	tr.Listen(time.Minute, time.Minute)
	tr.Register("audit", false).Partition("t1", "p").Read(at(0))()
	if got := tr.Advance(noon).All; got != at(-time.Minute) {
		t.Errorf("watermark by the lateness of those who listen: got %s, want %s", got, at(-time.Minute))
	}
}

func TestTakenNameGetsANumber(t *testing.T) {
	tr := newTracker()
	if a, b := tr.Register("x", false).Name(), tr.Register("x", false).Name(); a != "x" || b != "x#2" {
		t.Errorf("names: got %s, %s, want x, x#2", a, b)
	}
}

func TestTickGivesTheWatermarkOfATenancy(t *testing.T) {
	own := Tick{All: 1, Tenancies: map[string]event.Time{"t1": 3, "": 2}}
	for tenancy, want := range map[string]event.Time{"t1": 3, "t2": 2} {
		if got := own.At(tenancy); got != want {
			t.Errorf("At(%s): got %d, want %d", tenancy, got, want)
		}
	}
	if got := (Tick{All: 1, Tenancies: map[string]event.Time{"t1": 3}}).At("t2"); got != 1 {
		t.Errorf("At of a tenancy that no partition carries: got %d, want 1", got)
	}
}

func TestTrackerIsSafeForThreads(t *testing.T) {
	tr := newTracker()
	s := tr.Register("audit", true)
	var readers sync.WaitGroup
	for n := range 8 {
		readers.Go(func() {
			p := s.Partition("t1", string(rune('a'+n)))
			for i := range 100 {
				done := p.Read(at(time.Duration(i) * time.Second))
				tr.Advance(noon)
				done()
			}
		})
	}
	readers.Wait()
	wantMark(t, "all done", tr.Advance(noon), at(99*time.Second))
}
