package ocicloudguard

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/ocisim"
)

// quiet gives a tenancy in which nothing happens by itself any more, and one open problem of a configuration detector.
func quiet(t *testing.T) (r *rig, id string) {
	t.Helper()
	c := span()
	r = newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\npoll_interval: 5m\n")
	for _, p := range r.sim.Truth().Problems {
		if strings.HasSuffix(p.Name, "_TOO_OLD") && len(p.Changes) == 1 {
			return r, p.ID
		}
	}
	t.Fatal("there is no open problem of a configuration detector: choose another seed")
	return nil, ""
}

// step is something that happens to a problem, and what must leave of it.
type step struct {
	update ocisim.ProblemUpdate
	want   string // "" where nothing may leave
}

// life is every way in which a problem can change.
func life() []step {
	return []step{
		{ocisim.ProblemUpdate{Detected: true}, ""},
		{ocisim.ProblemUpdate{Risk: "MINOR"}, "OPEN changed"},
		{ocisim.ProblemUpdate{Detail: "RESOLVED"}, "RESOLVED resolved"},
		{ocisim.ProblemUpdate{Detail: "OPEN"}, "OPEN reopened"},
		{ocisim.ProblemUpdate{Detected: true}, ""},
		{ocisim.ProblemUpdate{Detail: "DISMISSED", Comment: "accepted"}, "DISMISSED dismissed"},
		{ocisim.ProblemUpdate{Detected: true}, ""},
		{ocisim.ProblemUpdate{Detail: "OPEN"}, "OPEN reopened"},
		{ocisim.ProblemUpdate{Detail: "RESOLVED"}, "RESOLVED resolved"},
		{ocisim.ProblemUpdate{Detail: "DISMISSED"}, "DISMISSED dismissed"},
		{ocisim.ProblemUpdate{Detail: "DELETED"}, "DELETED deleted"},
	}
}

// wanted is what must leave of a life, from the first sight on.
func wanted(steps []step) []string {
	all := []string{"OPEN new"}
	for _, s := range steps {
		if s.want != "" {
			all = append(all, s.want)
		}
	}
	return all
}

// told is what left of a problem, in order.
func (b *inbox) told(id string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, m := range b.all {
		if m.id == id {
			all = append(all, m.state+" "+m.change)
		}
	}
	return all
}

func TestEachTransitionLeavesOnceUnderItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id := quiet(t)
		in, got := r.input(""), newInbox()
		go func() {
			time.Sleep(time.Hour)
			for _, s := range life() {
				r.update(id, s.update)
				// Several sweeps see each state.
				time.Sleep(time.Hour)
			}
			in.outlet.End()
		}()
		r.drain(in, got, nil)
		r.close(in)
		if diff := cmp.Diff(got.told(id), wanted(life())); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	})
}

func TestEachTransitionLeavesOnceOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id := quiet(t)
		got := newInbox()
		run := func() {
			in := r.input("")
			after(in, time.Hour)
			r.drain(in, got, nil)
			r.close(in)
		}
		run()
		for _, s := range life() {
			// It happens while no process runs.
			r.update(id, s.update)
			time.Sleep(time.Hour)
			run()
			run()
		}
		if diff := cmp.Diff(got.told(id), wanted(life())); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		if n := len(got.all) - len(got.told(id)); n != 29 {
			t.Errorf("the 29 other problems left %d times, want once each", n)
		}
	})
}

// TestKillBeforeAnAckSendsTheTransitionAgain kills the input with the message of each transition on its way.
func TestKillBeforeAnAckSendsTheTransitionAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id := quiet(t)
		first := newInbox()
		in := r.input("")
		after(in, time.Hour)
		r.drain(in, first, nil)
		r.close(in)
		for _, s := range life() {
			if s.want == "" {
				continue
			}
			r.update(id, s.update)
			time.Sleep(time.Hour)
			killed := r.input("")
			if err := killed.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			lost := newInbox()
			batch, _, err := killed.ReadBatch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			lost.take(batch)
			kill(killed)

			got := newInbox()
			in := r.input("")
			after(in, time.Hour)
			r.drain(in, got, nil)
			r.close(in)
			for _, b := range []*inbox{lost, got} {
				if diff := cmp.Diff(b.told(id), []string{s.want}); diff != "" {
					t.Errorf("%+v: got -, want +:\n%s", s.update, diff)
				}
			}
		}
	})
}

func TestResolvedAndReopenedAndResolvedBetweenTwoSweepsLeavesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id := quiet(t)
		r.update(id, ocisim.ProblemUpdate{Detail: "RESOLVED"})
		got := newInbox()
		in := r.input("")
		go func() {
			time.Sleep(time.Hour + time.Minute)
			r.update(id, ocisim.ProblemUpdate{Detail: "OPEN"})
			time.Sleep(time.Second)
			r.update(id, ocisim.ProblemUpdate{Detail: "RESOLVED"})
			time.Sleep(time.Hour)
			in.outlet.End()
		}()
		r.drain(in, got, nil)
		r.close(in)
		// It is over when it is first seen, so it is not new.
		if diff := cmp.Diff(got.told(id), []string{"RESOLVED resolved", "RESOLVED resolved"}); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	})
}

func TestActivityThatIsDetectedAgainLeavesUntilItIsDismissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\npoll_interval: 5m\n")
		var id string
		for _, p := range r.sim.Truth().Problems {
			if p.Name == "ROGUE_USER" && len(p.Changes) == 1 {
				id = p.ID
			}
		}
		in, got := r.input(""), newInbox()
		go func() {
			for _, u := range []ocisim.ProblemUpdate{{}, {Detected: true}, {Detail: "DISMISSED"}, {Detected: true}} {
				time.Sleep(time.Hour)
				r.update(id, u)
			}
			time.Sleep(time.Hour)
			in.outlet.End()
		}()
		r.drain(in, got, nil)
		r.close(in)
		if diff := cmp.Diff(got.told(id), []string{"OPEN new", "OPEN changed", "DISMISSED dismissed"}); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	})
}

func TestOpenProblemThatIsGoneIsSaidAndNotAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id := quiet(t)
		in, got := r.input(""), newInbox()
		go func() {
			time.Sleep(time.Hour)
			r.update(id, ocisim.ProblemUpdate{Purged: true})
			time.Sleep(5 * time.Hour)
			in.outlet.End()
		}()
		r.drain(in, got, nil)
		r.close(in)
		if n := r.log.count("not known to Cloud Guard any more"); n != 1 {
			t.Errorf("got %d lines about it, want 1:\n%s", n, r.log)
		}
		if n := r.sim.Count("GetProblem", 404); n != 1 {
			t.Errorf("it was asked for %d times, want once", n)
		}
	})
}

func TestLagGrowsWhileNothingCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := quiet(t)
		in, got := r.input(""), newInbox()
		go func() {
			time.Sleep(time.Hour)
			r.sim.Deny(ocisim.Denial{Permission: ocisim.ReadCloudGuardProblems})
			time.Sleep(2 * time.Hour)
			in.outlet.End()
		}()
		if err := in.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for ended := false; !ended; {
			batch, ack, err := in.ReadBatch(t.Context())
			select {
			case <-in.outlet.Ended():
				ended = true
			default:
			}
			if err == nil {
				got.take(batch)
				_ = ack(t.Context(), nil)
			}
		}
		behind := in.reader.client.Now().Sub(in.reader.position.Time())
		r.close(in)
		if behind < 2*time.Hour || behind > 2*time.Hour+10*time.Minute {
			t.Errorf("got a position %s behind, want the two hours in which nothing could be read", behind)
		}
	})
}
