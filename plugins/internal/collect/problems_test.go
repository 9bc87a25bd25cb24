package collect

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func problem(id, fingerprint string, open bool, last string) Problem {
	one := Problem{ID: id, Print: fingerprint, Open: open, Last: at(last)}
	for _, ending := range []Verdict{Resolved, Dismissed, Deleted, Closed} {
		if fingerprint == string(ending) {
			one.Ending = ending
		}
	}
	return one
}

// detectedAgain is a problem whose print holds when it was last detected.
func detectedAgain(one Problem) Problem {
	one.Print += one.Last.String()
	return one
}

// send judges a problem and, where it must be sent, has it delivered.
func send(p *Problems, one Problem) Verdict {
	v := p.Judge(one)
	if v != Unchanged {
		p.Sent(one)
		p.Acked(one)
	}
	return v
}

// reload makes a memory of what the store holds, as a restart of the process does.
func (s store) reload(t *testing.T) *Problems {
	t.Helper()
	p := NewProblems("cg", at("00:00"), time.Hour)
	var values [][]byte
	for _, key := range p.Keys() {
		values = append(values, s[key])
	}
	if err := p.Restore(values); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProblemLeavesWhenItHasChanged(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after Problem
		want          Verdict
	}{
		{"scanned again", problem("a", "open", true, "01:00"), problem("a", "open", true, "02:00"), Unchanged},
		{"risk raised", problem("a", "low", true, "01:00"), problem("a", "high", true, "01:00"), Changed},
		{"resolved", problem("a", "open", true, "01:00"), problem("a", "resolved", false, "01:00"), Resolved},
		{"dismissed", problem("a", "open", true, "01:00"), problem("a", "dismissed", false, "01:00"), Dismissed},
		{"deleted", problem("a", "open", true, "01:00"), problem("a", "deleted", false, "01:00"), Deleted},
		{"over in a way that is not known", problem("a", "open", true, "01:00"), problem("a", "closed", false, "01:00"), Closed},
		{"reopened", problem("a", "resolved", false, "01:00"), problem("a", "open", true, "03:00"), Reopened},
		{"dismissed after it was resolved", problem("a", "resolved", false, "01:00"), problem("a", "dismissed", false, "01:00"), Dismissed},
		{"deleted after it was dismissed", problem("a", "dismissed", false, "01:00"), problem("a", "deleted", false, "01:00"), Deleted},
		{"dismissed, and detected again", problem("a", "dismissed", false, "01:00"), problem("a", "dismissed", false, "04:00"), Unchanged},
		{"resolved, reopened and resolved again", detectedAgain(problem("a", "resolved", false, "01:00")), detectedAgain(problem("a", "resolved", false, "03:00")), Resolved},
		{"over when it is first seen", problem("b", "open", true, "01:00"), problem("a", "resolved", false, "01:00"), Resolved},
		{"malformed when it is first seen", problem("b", "open", true, "01:00"), problem("a", "{", false, "01:00"), New},
		{"malformed", problem("a", "open", true, "01:00"), problem("a", "{", false, "01:00"), Changed},
		{"another one", problem("a", "open", true, "01:00"), problem("b", "open", true, "01:00"), New},
	} {
		s := store{}
		p := NewProblems("cg", at("00:00"), time.Hour)
		p.Begin(at("02:00"))
		send(p, tt.before)
		s.write(p.Done(at("02:00")))
		if got := p.Judge(tt.after); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if got := s.reload(t).Judge(tt.after); got != tt.want {
			t.Errorf("%s, after a restart: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOnlyAckedProblemsAreRemembered(t *testing.T) {
	s := store{}
	p := NewProblems("cg", at("00:00"), time.Hour)
	p.Begin(at("02:00"))
	one := problem("a", "open", true, "01:00")
	p.Judge(one)
	p.Sent(one)
	if got := p.Judge(one); got != Unchanged {
		t.Errorf("on its way: got %q, want it not to leave twice", got)
	}
	if got := p.Judge(problem("a", "high", true, "01:00")); got != Changed {
		t.Errorf("changed on its way: got %q, want %q", got, Changed)
	}
	if got := p.Judge(problem("a", "resolved", false, "01:00")); got != Resolved {
		t.Errorf("resolved on its way: got %q, want %q", got, Resolved)
	}
	s.write(p.Acks())
	if got := s.reload(t).Judge(one); got != New {
		t.Errorf("restart before the ack: got %q, want %q", got, New)
	}
	p.Nacked(one)
	if got := p.Judge(one); got != New {
		t.Errorf("after a nack: got %q, want %q", got, New)
	}
}

func TestMalformedRecordOfAnOpenProblemDoesNotCloseIt(t *testing.T) {
	p := NewProblems("cg", at("00:00"), time.Hour)
	p.Begin(at("02:00"))
	send(p, problem("a", "open", true, "01:00"))
	send(p, problem("a", "{", false, "01:30"))
	if _, open := p.Known(); open != 1 {
		t.Errorf("got %d open problems, want the one whose record was malformed", open)
	}
	if got := p.Judge(problem("a", "open", true, "01:40")); got != Changed {
		t.Errorf("well-formed again: got %q, want %q", got, Changed)
	}
}

func TestSweepsReachBackToTheLastOneAndToEachOpenProblem(t *testing.T) {
	p := NewProblems("cg", at("00:00"), time.Hour)
	if diff := cmp.Diff(p.Begin(at("05:00")), Sweep{From: at("00:00"), To: at("05:00")}); diff != "" {
		t.Errorf("first sweep: got -, want +:\n%s", diff)
	}
	send(p, problem("closed", "resolved", false, "00:30"))
	p.Done(at("05:00"))
	if diff := cmp.Diff(p.Begin(at("06:00")), Sweep{From: at("04:00"), To: at("06:00")}); diff != "" {
		t.Errorf("nothing open: got -, want +:\n%s", diff)
	}
	send(p, problem("open", "open", true, "01:30"))
	p.Done(at("06:00"))
	if diff := cmp.Diff(p.Begin(at("07:00")), Sweep{From: at("01:30"), To: at("07:00")}); diff != "" {
		t.Errorf("one open: got -, want +:\n%s", diff)
	}
	send(p, problem("open", "open", true, "06:30"))
	p.Done(at("07:00"))
	if diff := cmp.Diff(p.Begin(at("08:00")), Sweep{From: at("06:00"), To: at("08:00")}); diff != "" {
		t.Errorf("scanned again: got -, want +:\n%s", diff)
	}
}

func TestMissingAreTheOpenProblemsOfNoList(t *testing.T) {
	p := NewProblems("cg", at("00:00"), time.Hour)
	p.Begin(at("05:00"))
	for i := range 3 {
		send(p, problem(fmt.Sprint("open ", i), "open", true, "01:00"))
	}
	send(p, problem("closed", "resolved", false, "04:30"))
	p.Done(at("05:00"))
	p.Begin(at("06:00"))
	p.Judge(problem("open 1", "open", true, "05:30"))
	if diff := cmp.Diff(p.Missing(), []string{"open 0", "open 2"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	p.Forget("open 0")
	if diff := cmp.Diff(p.Missing(), []string{"open 2"}); diff != "" {
		t.Errorf("after one was dropped: got -, want +:\n%s", diff)
	}
}

func TestClosedProblemsAreForgottenOnceNoSweepListsThem(t *testing.T) {
	p := NewProblems("cg", at("00:00"), time.Hour)
	p.Begin(at("05:00"))
	send(p, problem("old", "resolved", false, "03:59"))
	send(p, problem("recent", "resolved", false, "04:00"))
	p.Done(at("05:00"))
	if all, open := p.Known(); all != 1 || open != 0 {
		t.Errorf("got %d known, %d open; want the recent one only", all, open)
	}
	if got := p.Judge(problem("recent", "resolved", false, "04:00")); got != Unchanged {
		t.Errorf("got %q for a problem that the next sweep lists, want it known", got)
	}
}

func TestPositionIsWrittenLastAndFailedWritesComeAgain(t *testing.T) {
	p := NewProblems("cg", at("00:00"), time.Hour)
	p.Begin(at("05:00"))
	send(p, problem("a", "open", true, "01:00"))
	changes := p.Acks()
	if len(changes) != 1 {
		t.Fatalf("got %d changes, want 1", len(changes))
	}
	if again := p.Acks(); len(again) != 0 {
		t.Errorf("got %d changes a second time, want none", len(again))
	}
	p.Unsaved(changes)
	changes = p.Done(at("05:00"))
	if len(changes) != 2 || changes[1].Key != "cg" {
		t.Errorf("got %d changes, the last %s; want the problems and then the position", len(changes), changes[len(changes)-1].Key)
	}
}

func TestDamagedProblemsAreRefused(t *testing.T) {
	p := NewProblems("cg", at("00:00"), time.Hour)
	for _, tt := range []struct{ position, shard string }{
		{"{", ""}, {`{"v":7}`, ""}, {`{"v":1,"last":"2026-11-20T01:00:00Z"}`, "{"}, {`{"v":1,"last":"2026-11-20T01:00:00Z"}`, `{"v":2}`},
	} {
		values := make([][]byte, len(p.Keys()))
		values[0] = []byte(tt.position)
		if tt.shard != "" {
			values[1] = []byte(tt.shard)
		}
		if err := p.Restore(values); err == nil {
			t.Errorf("%q, %q: got no error, want one", tt.position, tt.shard)
		}
	}
}
