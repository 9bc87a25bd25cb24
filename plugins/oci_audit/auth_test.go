package ociaudit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/ocisim"
)

// TestInstancePrincipalReadsADay reads with tokens that end every minute, and with one that ends before its time.
func TestInstancePrincipalReadsADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		r.sim.Tokens().SetLife(time.Minute)
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectSlow, Delay: 5 * time.Second, Operation: "ListEvents"})
		conf := r.config("")
		conf.Auth = oci.Auth{Method: oci.InstancePrincipal}
		in := retrying(r.inputOf(conf))
		defer r.close(in)
		got, revoked := newInbox(), false
		r.drain(in, got, func() bool {
			if !revoked && got.count() > 500 {
				revoked = true
				r.sim.Tokens().Revoke()
			}
			return false
		})
		r.wantAll(got, 0)
		if n := r.sim.Tokens().Issued(); n < 3 {
			t.Errorf("got %d tokens, want that they were renewed", n)
		}
	})
}

// TestConnectEndsOffOraclesCloud connects where the metadata service's address leads nowhere.
func TestConnectEndsOffOraclesCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectHang, Operation: "GetMetadata"})
		conf := r.config("")
		conf.Auth = oci.Auth{Method: oci.InstancePrincipal}
		in := r.inputOf(conf)
		began := time.Now()
		err := in.Connect(t.Context())
		var pause *service.ErrBackOff
		if got := time.Since(began); got != 10*time.Second || !errors.As(err, &pause) || !strings.Contains(err.Error(), "instance principal: the metadata service at 169.254.169.254 did not answer") {
			t.Errorf("got %v after %s, want the sentence after 10s, and a pause before the next try", err, got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began = time.Now()
		if err := in.Connect(ctx); err == nil || !strings.Contains(err.Error(), "deadline exceeded") || time.Since(began) != 3*time.Second {
			t.Errorf("with a deadline: got %v after %s, want it after 3s", err, time.Since(began))
		}
		r.sim.Faults().Clear()
		got := newInbox()
		read := retrying(in)
		defer r.close(read)
		r.drain(read, got, nil)
		r.wantAll(got, 0)
	})
}
