package ociaudit

import (
	"encoding/json"
	"strings"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
)

// positions are the saved positions of all partitions, as one text.
func (r *rig) positions() string {
	var all []string
	for _, key := range r.disk.Keys() {
		if strings.Count(key, "/") == 3 { // the component, the tenancy, the region and the compartment
			all = append(all, key+" "+string(r.disk.Item(key)))
		}
	}
	return strings.Join(all, "\n")
}

// prefix is what the keys of the first tenancy begin with.
func (r *rig) prefix() string {
	prefix := Name + "/" + r.sim.Tenancies()[0].OCID
	if c := r.config(""); !c.End.IsZero() {
		prefix += "@" + c.Start.String()
	}
	return prefix
}

// behind is how old the saved position of the compartment is that is furthest behind, of a live input; false before there is one.
func (r *rig) behind() (lag time.Duration, ok bool) {
	for line := range strings.Lines(r.positions()) {
		key, value, _ := strings.Cut(line, " ")
		var saved struct{ End time.Time }
		if strings.Contains(key, "@") || json.Unmarshal([]byte(value), &saved) != nil {
			continue
		}
		lag, ok = max(lag, time.Since(saved.End)), true
	}
	return lag, ok
}

// ledger is what is saved of the tenancy as a whole.
func (r *rig) ledger() collect.Ledger {
	r.t.Helper()
	l, err := collect.ParseLedger("ledger", r.disk.Item(r.prefix()+"/ledger"))
	if err != nil {
		r.t.Error(err)
	}
	return l
}

// process gives the rig the resources of a new process.
func (r *rig) process() {
	r.t.Helper()
	r.res, r.handle = r.disk.Process(r.t, r.log)
}

// kill ends the process of which nothing is saved any more, and begins another.
func (r *rig) kill(in service.BatchInput) {
	r.t.Helper()
	r.handle.Kill()
	r.close(in)
	r.process()
}
