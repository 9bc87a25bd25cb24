package ocifields

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/internal/oci"
)

func TestReconnectTellsEachCauseAtOnceAndThenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Reconnect
		var mu sync.Mutex
		var now error
		ill := func() error {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
		is := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			now = err
		}
		took := func(want error) time.Duration {
			t.Helper()
			began := time.Now()
			if _, got := r.Well(t.Context(), ill); !errors.Is(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			return time.Since(began)
		}
		denied := &oci.Error{Kind: oci.NoPermission, Operation: "ListEvents", Region: "r", Sentence: "denied, request 1"}
		outage := &oci.Error{Kind: oci.Outage, Operation: "ListEvents", Region: "r", Sentence: "outage"}
		if d := took(nil); d != 0 {
			t.Errorf("well: took %s, want no time", d)
		}
		is(denied)
		if d := took(denied); d != 0 {
			t.Errorf("a new cause: took %s, want no time", d)
		}
		// The same cause in other words is the same.
		again := &oci.Error{Kind: oci.NoPermission, Operation: "ListEvents", Region: "r", Sentence: "denied, request 2"}
		is(again)
		if d := took(again); d < remind || d > remind+look {
			t.Errorf("the same cause: took %s, want the reminder after %s", d, remind)
		}
		go func() {
			time.Sleep(time.Minute)
			is(outage)
		}()
		if d := took(outage); d < time.Minute || d > time.Minute+look {
			t.Errorf("another cause after a minute: took %s", d)
		}
		go func() {
			time.Sleep(3 * time.Second)
			is(nil)
		}()
		if d := took(nil); d < 3*time.Second || d > 3*time.Second+look {
			t.Errorf("well after 3s: took %s", d)
		}
		// What comes back is told again.
		is(outage)
		if d := took(outage); d != 0 {
			t.Errorf("the cause is back: took %s, want no time", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Well(ctx, ill); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the stream stops: got %v, want the context's error", err)
		}
	})
}

func TestStartsThatFailForTheSameCauseGetRarer(t *testing.T) {
	var r Reconnect
	denied := &oci.Error{Kind: oci.NoPermission, Operation: "ListEvents"}
	outage := &oci.Error{Kind: oci.Outage, Operation: "ListEvents"}
	for i, step := range []struct {
		err  error
		want time.Duration
	}{
		{denied, 10 * time.Second},
		{denied, 20 * time.Second},
		{denied, 40 * time.Second},
		{denied, time.Minute},
		{denied, time.Minute},
		{outage, 10 * time.Second},
		{outage, 20 * time.Second},
		{denied, 10 * time.Second},
		{nil, 0},
		{denied, 10 * time.Second},
	} {
		if step.err == nil {
			r.Began()
			continue
		}
		if got := r.Start(step.err); got != step.want {
			t.Errorf("attempt %d: got %s, want %s", i+1, got, step.want)
		}
	}
}
