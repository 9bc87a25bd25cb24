package collect

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdsAreWrittenBeforeThePosition(t *testing.T) {
	c := Start(livePlan(), "p", at("10:00"))
	p := next(t, c, "10:32")
	b, _ := c.Admit(p, ids("a"))
	c.Read(p, 1)
	c.Ack(b)
	save, _ := c.Save()
	var keys []string
	for _, ch := range save.Changes {
		keys = append(keys, ch.Key)
	}
	if len(keys) != 2 || keys[1] != "p" {
		t.Errorf("got writes %v, want the ids and then the position", keys)
	}
}

func TestCrashBetweenIdsAndPositionCostsNothing(t *testing.T) {
	c, s := Start(livePlan(), "p", at("10:00")), store{}
	s.write(c.First())
	p := next(t, c, "10:32")
	b, _ := c.Admit(p, ids("a"))
	c.Read(p, 1)
	c.Ack(b)
	save, _ := c.Save()
	s.write(save.Changes[:1]) // killed here
	c = s.restart(t, livePlan(), "p")
	fresh := finish(t, c, s, next(t, c, "10:40"), "a", "b")
	if diff := cmp.Diff(fresh, []bool{true, true}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	c = s.restart(t, livePlan(), "p")
	fresh = finish(t, c, s, next(t, c, "10:45"), "a", "b")
	if diff := cmp.Diff(fresh, []bool{false, false}); diff != "" {
		t.Errorf("after the second restart: got -, want +:\n%s", diff)
	}
}

func TestCleanStopInTheMiddleOfAPassRepeatsNothing(t *testing.T) {
	c, s := Start(livePlan(), "p", at("00:00")), store{}
	s.write(c.First())
	p := next(t, c, "06:02")
	b, _ := c.Admit(p, ids("a", "b"))
	c.Ack(b)
	flying, _ := c.Admit(p, ids("c"))
	if flying == nil {
		t.Fatal("a new id was not admitted")
	}
	if save, ok := c.SavePart(3); ok {
		t.Errorf("got %d changes for 2 ids, want none below 3", len(save.Changes))
	}
	save, ok := c.SavePart(1)
	if !ok {
		t.Fatal("got nothing to save, want the two ids")
	}
	s.write(save.Changes)
	c.Saved(save)
	if _, ok := c.SavePart(1); ok {
		t.Error("the same ids were saved twice")
	}
	if !c.Delivered().Equal(at("00:00")) {
		t.Errorf("the position moved to %s", c.Delivered())
	}
	c = s.restart(t, livePlan(), "p")
	if diff := cmp.Diff(finish(t, c, s, next(t, c, "06:02"), "a", "b", "c", "d"), []bool{false, false, true, true}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	for i := range 8 {
		p, ok := c.Next(at("23:00"))
		if !ok {
			break
		}
		finish(t, c, s, p, strconv.Itoa(i))
	}
	if len(s) > 3 {
		t.Errorf("got %d keys long after, want the part to be gone: %v", len(s), len(c.segments))
	}
}

func TestLostSegmentIsCountedAndCostsOnlyRepeats(t *testing.T) {
	c, s := Start(livePlan(), "p", at("10:00")), store{}
	finish(t, c, s, next(t, c, "10:32"), "a")
	saved, err := ParsePosition("p", s["p"])
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"absent": nil, "cut off": s[saved.Segments()[0]][:9], "changed": append([]byte{1, 2}, s[saved.Segments()[0]][2:]...)} {
		c, bad := saved.Restore(livePlan(), [][]byte{value})
		if bad != 1 {
			t.Errorf("%s: got %d bad segments, want 1", name, bad)
		}
		if !c.Position().Equal(at("10:30")) {
			t.Errorf("%s: got position %s, want 10:30", name, c.Position())
		}
	}
}

func TestDamagedPositionIsRefused(t *testing.T) {
	good := string(Start(livePlan(), "p", at("10:00")).First()[0].Value)
	for _, tt := range []struct{ name, value string }{
		{"empty", ""},
		{"cut off", good[:len(good)/2]},
		{"other version", `{"v":2,"start":"2026-11-20T10:00:00Z","end":"2026-11-20T10:00:00Z","again":"2026-11-20T10:00:00Z"}`},
		{"no times", `{"v":1}`},
		{"again after end", `{"v":1,"start":"2026-11-20T10:00:00Z","end":"2026-11-20T10:00:00Z","again":"2026-11-20T11:00:00Z"}`},
	} {
		if _, err := ParsePosition("p", []byte(tt.value)); err == nil {
			t.Errorf("%s: got no error, want one", tt.name)
		}
	}
	if _, err := ParsePosition("p", []byte(good)); err != nil {
		t.Errorf("a whole position: got %v, want no error", err)
	}
}

func TestLedgerSurvivesAndRefusesDamage(t *testing.T) {
	l := NewLedger(at("08:00"))
	l.Refreshed = at("09:00")
	l.Learn("b", "a")
	l.Learn("a", "c")
	got, err := ParseLedger("k/ledger", EncodeLedger(l))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, l); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if !got.Knows("a") || !got.Knows("c") || got.Knows("d") || len(got.Known) != 3 {
		t.Errorf("got known %v, want a, b and c", got.Known)
	}
	for _, bad := range []string{"", "{", `{"v":1}`, `{"v":9,"start":"2026-11-20T10:00:00Z"}`} {
		if _, err := ParseLedger("k/ledger", []byte(bad)); err == nil {
			t.Errorf("%q: got no error, want one", bad)
		}
	}
}

func TestSegmentsSurvive(t *testing.T) {
	want := ids("a", "b", "c")
	got, err := decodeSegment(encodeSegment(want))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestLastLookAndWhatFollowsItKeepTheirIdsApart(t *testing.T) {
	plan := livePlan()
	plan.Inclusive, plan.End = true, at("10:30")
	c, s := Start(plan, "p", at("10:00")), store{}
	finish(t, c, s, next(t, c, "10:32"), "a")
	finish(t, c, s, next(t, c, "10:47"), "late") // what appeared late in a bounded reading
	if !c.Finished() {
		t.Fatal("the bounded reading is not finished")
	}
	plan.End = at("11:00")
	c = s.restart(t, plan, "p")
	// The windows meet, and a record of the very end may stand in both.
	if diff := cmp.Diff(finish(t, c, s, next(t, c, "11:20"), "late", "b"), []bool{false, true}); diff != "" {
		t.Errorf("after the end was raised: got -, want +:\n%s", diff)
	}
	c = s.restart(t, plan, "p")
	for _, id := range ids("b") {
		if _, known := c.seen[id]; !known {
			t.Error("the ids of the first window behind the old end are not saved, so its records leave a second time")
		}
	}
}
