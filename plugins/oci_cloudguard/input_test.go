package ocicloudguard

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEveryProblemLeavesOnceInItsLastState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\n")
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		for _, p := range r.sim.Truth().Problems {
			if got.ids[p.ID] != 1 {
				t.Errorf("problem %s left %d times, want once", p.ID, got.ids[p.ID])
			}
		}
		last := map[string]string{}
		for _, p := range r.sim.Truth().Problems {
			last[p.ID] = p.Changes[len(p.Changes)-1].Detail
		}
		for _, m := range got.all {
			if m.state != last[m.id] || m.fault != "" {
				t.Errorf("problem %s left as %s with fault %q, want %s and none", m.id, m.state, m.fault, last[m.id])
			}
		}
	})
}
