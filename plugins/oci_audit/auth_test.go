package ociaudit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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

// TestRotatedKeyIsTakenUpInTheMiddle rotates the user's key while a day is read. For a minute nothing is accepted; then the files are replaced.
func TestRotatedKeyIsTakenUpInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := span()
		r := newRig(t, c, yaml)
		dir := t.TempDir()
		save := func(who ocisim.Tenancy) {
			for name, text := range map[string]string{
				"key.pem": who.PrivateKeyPEM,
				"config":  fmt.Sprintf("[DEFAULT]\ntenancy=%s\nuser=%s\nfingerprint=%s\nregion=%s\nkey_file=%s/key.pem\n", who.OCID, who.User, who.Fingerprint, who.Home, dir),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Error(err)
				}
			}
		}
		save(r.sim.Tenancies()[0])
		conf := r.config("")
		conf.Auth = oci.Auth{Method: oci.ConfigFile, ConfigFile: filepath.Join(dir, "config")}
		in := retrying(patient{r.inputOf(conf)})
		defer r.close(in)
		got, rotated := newInbox(), false
		r.drain(in, got, func() bool {
			if !rotated && got.count() > 500 {
				rotated = true
				next, err := r.sim.RotateKey(0)
				if err != nil {
					t.Error(err)
				}
				time.AfterFunc(time.Minute, func() { save(next) })
			}
			return false
		})
		r.wantAll(got, 0)
		// Each of five compartments in two regions may be tried every few seconds, and no faster.
		if n := r.sim.Count("", http.StatusUnauthorized); n == 0 || n > 10*14 {
			t.Errorf("got %d refusals within the minute, want some, and no more than one each five seconds and partition", n)
		}
		if r.log.Count("was accepted before") == 0 {
			t.Errorf("got the log\n%s\nwant the sentence about a key that was deleted", r.log)
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
