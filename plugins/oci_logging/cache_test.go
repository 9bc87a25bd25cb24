package ocilogging

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
		p := r.start(r.whole())
		err := p.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the cache is down") {
			t.Errorf("got %v, want Connect to fail", err)
		}
		if n := r.sim.Count("", 0); n != 0 {
			t.Errorf("%d requests were made without a position, want none", n)
		}
		r.disk.Down(false)
		got := newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		// What cannot be read is not taken for what is not there.
		for _, key := range r.disk.Keys() {
			r.disk.Put(key, []byte("{"))
		}
		p = r.start(r.whole())
		err = p.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %v, want a damaged position to be refused", err)
		}
		r.stop(p)
	})
}

func TestPositionThatCannotBeSavedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		p, got := r.start(r.perCompartment()), newInbox()
		r.drain(p, got, func() bool { return got.took >= 3 })
		r.disk.Down(true)
		go func() {
			time.Sleep(10 * time.Minute)
			r.disk.Down(false)
		}()
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
		if n := r.log.Count("saving the position"); n != 1 {
			t.Errorf("got %d lines about the cache, want 1:\n%s", n, r.log)
		}
	})
}

func TestTwoInputsOnOnePositionAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		one := r.start(r.whole())
		other := r.startIn(one.res, one.disk, r.whole())
		r.connect(t.Context(), one)
		err := other.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "set checkpoint_key on one of them") {
			t.Errorf("got %v, want the second input to be refused", err)
		}
		third := r.startIn(one.res, one.disk, r.whole()+"checkpoint_key: other\n")
		if err := third.Connect(t.Context()); err != nil {
			t.Errorf("with a key of its own: %v", err)
		}
		r.stop(third)
		r.stop(one)
		if err := other.Connect(t.Context()); err != nil {
			t.Errorf("after the first was closed: %v", err)
		}
		r.stop(other)
	})
}
