package ocilogging

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

func TestOneFailingQueryStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, strings.Replace(yaml, "end:", "end: \"\"\n#", 1))
		bad := r.sim.Truth().Events[0].Compartment
		denial := ocisim.Denial{Permission: ocisim.ReadLogContent, Compartment: bad}
		r.sim.Deny(denial)
		here, there := 0, 0
		for _, e := range r.sim.Truth().Events {
			if e.Compartment == bad {
				here++
				continue
			}
			there++
		}
		broken := queryYAML("broken", auditOf(r.root())+" | where type like 'x'", "        regions: [ eu-frankfurt-1 ]\n")
		p, got := r.start(r.perCompartment()+broken), newInbox()
		r.drain(p, got, func() bool { return got.count() == there })
		time.Sleep(2 * time.Hour)
		if n := r.log.Count("Allow group SiemReaders to read log-content in tenancy"); n != 2 {
			t.Errorf("got %d lines about the permission after two hours, want one a region:\n%s", n, r.log)
		}
		if n := r.log.Count(`does not accept the query \"broken\"`); n != 1 {
			t.Errorf("got %d lines about the query that is wrong, want 1:\n%s", n, r.log)
		}
		if n := r.log.Count("First sweep done"); n != 1 {
			t.Errorf("got %d lines about the first sweep, want 1:\n%s", n, r.log)
		}
		r.sim.Allow(denial)
		r.drain(p, got, func() bool { return got.count() == here+there })
		synctest.Wait()
		if n := r.log.Count("works again"); n == 0 {
			t.Errorf("got no line after the query could be made:\n%s", r.log)
		}
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestBoundedRunEndsWithoutWhatIsHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		denial := ocisim.Denial{Permission: ocisim.ReadAuditEvents, Compartment: r.sim.Truth().Events[0].Compartment}
		r.sim.Deny(denial)
		broken := queryYAML("broken", auditOf(r.root())+" | where", "")
		p, got := r.start(r.perCompartment()+broken), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		if n := r.log.Count("has ended without 4 of 10 partitions"); n != 1 {
			t.Errorf("got %d lines about what is missing, want 1:\n%s", n, r.log)
		}
		r.sim.Allow(denial)
		p = r.start(r.perCompartment())
		r.drain(p, got, nil)
		r.stop(p)
		r.wantAll(got, 0)
	})
}

func TestNamedRegionsNeedNoList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		r.sim.Deny(ocisim.Denial{Permission: ocisim.InspectTenancies})
		p, got := r.start("queries:\n"+queryYAML("whole", treeOf(r.root()), "        regions: [ us-ashburn-1, IAD ]\n")), newInbox()
		r.drain(p, got, nil)
		r.stop(p)
		for _, e := range r.sim.Truth().Events {
			want := 0
			if e.Region == "us-ashburn-1" {
				want = 1
			}
			if got.ids[e.ID] != want {
				t.Fatalf("a record of %s left %d times, want %d", e.Region, got.ids[e.ID], want)
			}
		}
	})
}
