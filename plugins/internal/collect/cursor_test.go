package collect

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var day = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// at gives a time of the day as hours, minutes and, if need be, seconds.
func at(clock string) time.Time {
	layout := "15:04:05"[:len(clock)]
	t, err := time.Parse(layout, clock)
	if err != nil {
		panic(err)
	}
	return day.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second)
}

func livePlan() Plan {
	p := DefaultPlan()
	p.Delay, p.Overlap = 2*time.Minute, 15*time.Minute
	return p
}

// spans shows the spans of a pass as text; ~ marks those that are read again.
func spans(p *Pass) []string {
	var out []string
	for _, s := range p.Spans {
		mark := ""
		if s.Again {
			mark = "~"
		}
		out = append(out, mark+s.Start.Format("15:04:05")+"-"+s.End.Format("15:04:05"))
	}
	return out
}

// next takes the next pass and fails where there is none.
func next(t *testing.T, c *Cursor, now string) *Pass {
	t.Helper()
	p, ok := c.Next(at(now))
	if !ok {
		t.Fatalf("Next(%s) gave no pass, want one", now)
	}
	return p
}

func ids(names ...string) []ID {
	var out []ID
	for _, name := range names {
		out = append(out, IDOf([]byte(name)))
	}
	return out
}

// store is a cache.
type store map[string][]byte

func (s store) write(changes []Change) {
	for _, c := range changes {
		if c.Value == nil {
			delete(s, c.Key)
			continue
		}
		s[c.Key] = c.Value
	}
}

// restart makes a new cursor of what the store holds, as a restart of the process does.
func (s store) restart(t *testing.T, plan Plan, prefix string) *Cursor {
	t.Helper()
	saved, err := ParsePosition(prefix, s[prefix])
	if err != nil {
		t.Fatal(err)
	}
	var values [][]byte
	for _, key := range saved.Segments() {
		values = append(values, s[key])
	}
	c, bad := saved.Restore(plan, values)
	if bad != 0 {
		t.Fatalf("got %d bad segments, want none", bad)
	}
	return c
}

// finish reads a pass with the given new records, acks and saves it.
func finish(t *testing.T, c *Cursor, s store, p *Pass, records ...string) (fresh []bool) {
	t.Helper()
	b, fresh := c.Admit(p, ids(records...))
	c.Read(p, 1)
	if b != nil {
		c.Ack(b)
	}
	save, ok := c.Save()
	if !ok {
		t.Fatal("Save gave nothing, want the pass")
	}
	s.write(save.Changes)
	c.Saved(save)
	return fresh
}

func TestWindowsAreWholeMinutesAndEndBeforeTheDelay(t *testing.T) {
	for _, tt := range []struct {
		now  string
		want []string
	}{
		{"01:02:59", []string{"00:00:00-01:00:00"}}, // the first window is an hour long
		{"00:32:00", []string{"00:00:00-00:30:00"}},
		{"00:32:59", []string{"00:00:00-00:30:00"}},
		{"00:03:00", []string{"00:00:00-00:01:00"}},
		{"00:02:59", nil},
		{"00:00:00", nil},
	} {
		c := Start(livePlan(), "p", at("00:00:30"))
		p, ok := c.Next(at(tt.now))
		var got []string
		if ok {
			got = spans(p)
		}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("Next(%s): got -, want +:\n%s", tt.now, diff)
		}
	}
}

func TestLiveSweepsLookAgainWithinTheOverlapOnly(t *testing.T) {
	c, s := Start(livePlan(), "p", at("10:00")), store{}
	for _, step := range []struct {
		now  string
		want []string
	}{
		{"10:32", []string{"10:00:00-10:30:00"}},
		{"10:37", []string{"~10:15:00-10:30:00", "10:30:00-10:35:00"}},
		{"10:42", []string{"~10:20:00-10:35:00", "10:35:00-10:40:00"}},
		{"10:42", nil},
		{"10:43", []string{"~10:25:00-10:40:00", "10:40:00-10:41:00"}},
	} {
		p, ok := c.Next(at(step.now))
		if !ok {
			if step.want != nil {
				t.Fatalf("Next(%s) gave no pass, want %v", step.now, step.want)
			}
			continue
		}
		if diff := cmp.Diff(spans(p), step.want); diff != "" {
			t.Errorf("Next(%s): got -, want +:\n%s", step.now, diff)
		}
		finish(t, c, s, p, "event at "+step.now)
	}
}

func TestBackfillReadsNothingTwiceAndGrowsQuietWindows(t *testing.T) {
	c, s := Start(livePlan(), "p", day.Add(-72*time.Hour)), store{}
	var got []string
	for {
		p, ok := c.Next(at("12:02"))
		if !ok {
			break
		}
		if len(p.Spans) != 1 {
			t.Errorf("got spans %v, want one", spans(p))
		}
		got = append(got, fmt.Sprintf("%s+%s", p.Begin().Sub(day), p.End().Sub(p.Begin())))
		finish(t, c, s, p, strconv.Itoa(len(got)))
	}
	want := []string{
		"-72h0m0s+1h0m0s", "-71h0m0s+2h0m0s", "-69h0m0s+4h0m0s", "-65h0m0s+8h0m0s",
		"-57h0m0s+16h0m0s", "-41h0m0s+24h0m0s", "-17h0m0s+24h0m0s", "7h0m0s+5h0m0s",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestWhatWasDeliveredDoesNotLeaveAgain(t *testing.T) {
	c, s := Start(livePlan(), "p", at("10:00")), store{}
	finish(t, c, s, next(t, c, "10:32"), "a", "b")
	if diff := cmp.Diff(finish(t, c, s, next(t, c, "10:37"), "a", "b", "late", "c"), []bool{false, false, true, true}); diff != "" {
		t.Errorf("second sweep: got -, want +:\n%s", diff)
	}
	c = s.restart(t, livePlan(), "p")
	if diff := cmp.Diff(finish(t, c, s, next(t, c, "10:42"), "a", "late", "c", "d"), []bool{false, false, false, true}); diff != "" {
		t.Errorf("after a restart: got -, want +:\n%s", diff)
	}
}

func TestIdsAreForgottenOnceTheyCannotComeBack(t *testing.T) {
	c, s := Start(livePlan(), "p", at("10:00")), store{}
	for minute := 32; minute < 1000; minute += 5 {
		now := at("10:00").Add(time.Duration(minute) * time.Minute)
		p, ok := c.Next(now)
		if !ok {
			t.Fatalf("no pass at %s", now)
		}
		finish(t, c, s, p, fmt.Sprint("event ", minute))
	}
	// The overlap of 15 minutes spans three sweeps, and the fourth that begins in it.
	if len(s) > 6 || len(c.seen) > 5 {
		t.Errorf("got %d keys and %d ids after 200 sweeps, want at most 6 and 5", len(s), len(c.seen))
	}
}

func TestPositionWaitsForContiguousAcks(t *testing.T) {
	c := Start(livePlan(), "p", at("00:00"))
	first := next(t, c, "06:02")
	b1, _ := c.Admit(first, ids("a"))
	c.Read(first, 1)
	second := next(t, c, "06:02")
	b2, _ := c.Admit(second, ids("b"))
	c.Read(second, 1)
	c.Ack(b2)
	if save, ok := c.Save(); ok {
		t.Errorf("got a save %v before the first pass was acked, want none", save.Changes)
	}
	c.Ack(b1)
	save, ok := c.Save()
	if !ok {
		t.Fatal("got no save after both passes were acked, want one")
	}
	c.Saved(save)
	if got, want := c.Delivered(), second.End(); !got.Equal(want) {
		t.Errorf("got position %s, want %s", got, want)
	}
}

func TestPositionWaitsForTheLastPage(t *testing.T) {
	c := Start(livePlan(), "p", at("00:00"))
	p := next(t, c, "06:02")
	b, _ := c.Admit(p, ids("a"))
	c.Ack(b)
	if _, ok := c.Save(); ok {
		t.Error("got a save while the pass was read, want none")
	}
	c.Fail(p)
	if _, ok := c.Save(); ok {
		t.Error("got a save after the pass has failed, want none")
	}
}

func TestFailedPassIsReadAgainWithoutRepeats(t *testing.T) {
	c := Start(livePlan(), "p", at("00:00"))
	p := next(t, c, "06:02")
	b, _ := c.Admit(p, ids("a", "b"))
	c.Fail(p)
	again := next(t, c, "06:02")
	if again != p {
		t.Fatal("got another pass, want the same")
	}
	_, fresh := c.Admit(again, ids("b", "a", "c"))
	if diff := cmp.Diff(fresh, []bool{false, false, true}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	c.Read(again, 1)
	c.Ack(b)
	if _, ok := c.Save(); ok {
		t.Error("got a save with a batch on its way, want none")
	}
}

func TestNackKeepsPositionAndReadsAgain(t *testing.T) {
	for _, when := range []string{"while the pass is read", "after it was read"} {
		t.Run(when, func(t *testing.T) {
			c := Start(livePlan(), "p", at("00:00"))
			p := next(t, c, "06:02")
			b, _ := c.Admit(p, ids("a"))
			other, _ := c.Admit(p, ids("b"))
			if when == "while the pass is read" {
				c.Nack(b)
				c.Read(p, 1)
			} else {
				c.Read(p, 1)
				c.Nack(b)
			}
			c.Ack(other)
			if _, ok := c.Save(); ok {
				t.Error("got a save after a nack, want none")
			}
			again := next(t, c, "06:02")
			if again != p {
				t.Fatal("got another pass, want the refused one")
			}
			_, fresh := c.Admit(again, ids("a", "b"))
			if diff := cmp.Diff(fresh, []bool{true, false}); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

func TestBoundedReadingStopsAtItsEnd(t *testing.T) {
	plan := livePlan()
	plan.End = at("02:30:30")
	c, s := Start(plan, "p", at("01:00")), store{}
	first := next(t, c, "12:00")
	finish(t, c, s, first, "a")
	if c.Finished() {
		t.Error("finished after the first window, want more")
	}
	second := next(t, c, "12:00")
	if diff := cmp.Diff(spans(second), []string{"02:00:00-02:31:00"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	finish(t, c, s, second, "b")
	if _, ok := c.Next(at("12:00")); ok || !c.Finished() {
		t.Errorf("got another pass %v, finished %v after the end; want none and true", ok, c.Finished())
	}
	if !s.restart(t, plan, "p").Finished() {
		t.Error("not finished after a restart, want finished")
	}
}

func TestBoundedReadingWaitsForWhatAppearsLate(t *testing.T) {
	plan := livePlan()
	plan.End = at("10:30")
	c, s := Start(plan, "p", at("10:00")), store{}
	finish(t, c, s, next(t, c, "10:32"), "a")
	if c.Finished() {
		t.Fatal("finished when events may still appear, want not")
	}
	if got, want := c.Settles(), at("10:47"); !got.Equal(want) {
		t.Errorf("Settles: got %s, want %s", got, want)
	}
	if _, ok := c.Next(at("10:46:59")); ok {
		t.Error("got a pass before everything had its time to appear, want none")
	}
	p := next(t, c, "10:47")
	if diff := cmp.Diff(spans(p), []string{"~10:15:00-10:30:00"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	finish(t, c, s, p, "a", "late")
	if !c.Finished() || !c.Settles().IsZero() {
		t.Error("not finished after the last look, want finished")
	}
}

func TestTooOldPositionSaysWhatIsLost(t *testing.T) {
	plan := livePlan()
	plan.Retention = 24 * time.Hour
	c := Start(plan, "p", day.Add(-72*time.Hour))
	p := next(t, c, "12:00")
	lost, ok := c.Lost()
	want := Span{Start: day.Add(-72 * time.Hour), End: day.Add(-12 * time.Hour)}
	if diff := cmp.Diff(lost, want); diff != "" || !ok {
		t.Errorf("got -, want + (ok %v):\n%s", ok, diff)
	}
	if !p.Begin().Equal(want.End) {
		t.Errorf("got a pass from %s, want from %s", p.Begin(), want.End)
	}
	if _, ok := c.Lost(); ok {
		t.Error("the loss was told twice, want once")
	}
}

func TestSplitHalvesUntilAMinute(t *testing.T) {
	p := &Pass{Spans: []Span{{Start: at("10:00"), End: at("10:03"), Again: true}}}
	if !p.Split(0) {
		t.Fatal("a span of three minutes was not split")
	}
	if diff := cmp.Diff(spans(p), []string{"~10:00:00-10:01:00", "~10:01:00-10:03:00"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if p.Split(0) {
		t.Error("a span of one minute was split, want not")
	}
}

func TestUnsavedPassesAreBounded(t *testing.T) {
	plan := livePlan()
	plan.MaxPasses = 2
	c := Start(plan, "p", day.Add(-72*time.Hour))
	for range 2 {
		p := next(t, c, "12:00")
		c.Admit(p, ids(p.Begin().String()))
		c.Read(p, 1)
	}
	if _, ok := c.Next(at("12:00")); ok {
		t.Error("got a third pass while two wait for acks, want none")
	}
	if c.CaughtUp(at("12:00")) {
		t.Error("caught up while there is more to read, want not")
	}
}

func TestNewPartitionBeginsAtTheLastListingThatDidNotShowIt(t *testing.T) {
	l := NewLedger(at("08:00:20"))
	if got, want := l.Found(15*time.Minute), at("08:00"); !got.Equal(want) {
		t.Errorf("first run: got %s, want %s", got, want)
	}
	l.Refreshed = at("10:00:40")
	if got, want := l.Found(15*time.Minute), at("09:45"); !got.Equal(want) {
		t.Errorf("later: got %s, want %s", got, want)
	}
	l.Refreshed = at("08:10")
	if got, want := l.Found(15*time.Minute), at("08:00"); !got.Equal(want) {
		t.Errorf("just after the start: got %s, want %s", got, want)
	}
}

func TestBackfillReadsWindowsAbreastAndLiveDoesNot(t *testing.T) {
	plan := livePlan()
	plan.Abreast = 3
	c := Start(plan, "p", at("00:00"))
	first, second, third := next(t, c, "10:00"), next(t, c, "10:00"), next(t, c, "10:00")
	if p, ok := c.Next(at("10:00")); ok {
		t.Fatalf("got a fourth pass %v, want three abreast", spans(p))
	}
	if got := []string{spans(first)[0], spans(second)[0], spans(third)[0]}; !slices.Equal(got, []string{"00:00:00-01:00:00", "01:00:00-02:00:00", "02:00:00-03:00:00"}) {
		t.Errorf("got %v, want one window behind the other", got)
	}
	c.Read(third, 1)
	if _, ok := c.Save(); ok || !c.Low().Equal(at("00:00")) {
		t.Errorf("the position moved, or time to %s, though the first window is still being read", c.Low())
	}
	c.Fail(first)
	if p, ok := c.Next(at("10:00")); !ok || p != first {
		t.Errorf("got %v, want the pass that failed before any new one", p)
	}
	c.Read(first, 1)
	if !c.Low().Equal(at("01:00")) || c.Open() != 3 {
		t.Errorf("got low %s with %d open, want 01:00 and 3", c.Low(), c.Open())
	}
	c.Read(second, 1)
	save, ok := c.Save()
	if !ok {
		t.Fatal("nothing to save of three passes that were read")
	}
	c.Saved(save)
	if !c.Delivered().Equal(at("03:00")) || c.Open() != 0 {
		t.Errorf("got %s delivered with %d open, want 03:00 and 0", c.Delivered(), c.Open())
	}

	// Where something may still appear late, one waits for the other.
	c = Start(plan, "p", at("09:00"))
	p := next(t, c, "10:02")
	if other, ok := c.Next(at("10:30")); ok {
		t.Errorf("got %v beside %v, whose end is looked at again", spans(other), spans(p))
	}
	c.Read(p, 1)
	again := next(t, c, "10:30")
	if !again.Spans[0].Again {
		t.Fatalf("got %v, want a pass that looks again", spans(again))
	}
	c.Fail(again)
	if p, ok := c.Again(); !ok || p != again {
		t.Errorf("got %v, want the pass that failed", p)
	}
}

func TestProgressOfABoundedReadingIsWhatWasSavedOfItsSpan(t *testing.T) {
	plan := livePlan()
	plan.End = at("10:00")
	c, s := Start(plan, "p", at("06:00")), store{}
	if done, whole := c.Progress(); done != 0 || whole != 4*time.Hour {
		t.Errorf("got %s of %s, want 0s of 4h", done, whole)
	}
	finish(t, c, s, next(t, c, "20:00"), "a")
	c = s.restart(t, plan, "p")
	if done, whole := c.Progress(); done != time.Hour || whole != 4*time.Hour {
		t.Errorf("got %s of %s after a restart, want 1h of 4h", done, whole)
	}
	plan.End = at("05:00")
	if done, whole := s.restart(t, plan, "p").Progress(); done != 0 || whole != 0 {
		t.Errorf("got %s of %s of a reading that ends before it begins, want nothing", done, whole)
	}
}
