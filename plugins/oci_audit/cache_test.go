package ociaudit

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCacheErrorFailsConnectAndNeverResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		r.disk.Down(true)
		in := r.input("")
		err := in.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the cache is down") {
			t.Errorf("got %v, want Connect to fail", err)
		}
		if n := r.sim.Count("", 0); n != 0 {
			t.Errorf("%d requests were made without a position, want none", n)
		}
		r.disk.Down(false)
		got := newInbox()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
		// What cannot be read is not taken for what is not there.
		r.disk.Put(r.prefix()+"/ledger", []byte("{"))
		err = r.input("").Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %v, want a damaged position to be refused", err)
		}
	})
}

func TestPositionThatCannotBeSavedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		in, got := r.input(""), newInbox()
		r.drain(in, got, func() bool { return got.took >= 3 })
		r.disk.Down(true)
		go func() {
			time.Sleep(10 * time.Minute)
			r.disk.Down(false)
		}()
		r.drain(in, got, nil)
		r.close(in)
		r.wantAll(got, 0)
		if n := r.log.Count("saving the position"); n != 1 {
			t.Errorf("got %d lines about the cache, want 1:\n%s", n, r.log)
		}
	})
}

func TestPositionThatTheCacheLostIsNotTakenForANewCompartment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := span()
		r := newRig(t, c, "start: -48h\n")
		in, got := r.input(""), newInbox()
		r.drain(in, got, func() bool { return got.count() == len(r.sim.Truth().Events) })
		synctest.Wait()
		r.close(in)
		e := r.sim.Truth().Events[0]
		r.disk.Put(r.prefix()+"/"+e.Region+"/"+e.Compartment, nil)
		want := 0
		for _, other := range r.sim.Truth().Events {
			if other.Region == e.Region && other.Compartment == e.Compartment {
				want++
			}
		}
		in, again := r.input(""), newInbox()
		r.drain(in, again, func() bool { return again.count() == want })
		r.close(in)
		if r.log.Count("has lost the position of "+e.Region) != 1 {
			t.Errorf("the loss was not told once:\n%s", r.log)
		}
	})
}

func TestTwoInputsOnOnePositionAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		one, other := r.input(""), r.input("")
		if err := one.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := other.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "set checkpoint_key on one of them") {
			t.Errorf("got %v, want the second input to be refused", err)
		}
		third := r.input("checkpoint_key: other\n")
		if err := third.Connect(t.Context()); err != nil {
			t.Errorf("with a key of its own: %v", err)
		}
		r.close(third)
		r.close(one)
		if err := other.Connect(t.Context()); err != nil {
			t.Errorf("after the first was closed: %v", err)
		}
		r.close(other)
	})
}
