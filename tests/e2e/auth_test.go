package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

// seen keeps what clients showed to prove who they are.
type seen struct {
	mu   sync.Mutex
	keys map[string]bool // guarded by mu
}

// between stands before the simulator.
func (s *seen) between(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		for part := range strings.SplitSeq(r.Header.Get("Authorization"), `"`) {
			// What is long is a signature, a token or a fingerprint's name, and none of it is for other eyes; keyId's middle is an OCID.
			if len(part) > 60 && !strings.HasPrefix(part, "ocid1.") && !strings.Contains(part, "(request-target)") {
				s.keys[part] = true
			}
		}
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// logins are the ways to authenticate that need nothing but a config, files and the environment.
func logins(t *testing.T, w *world) map[string]func(t *testing.T) (auth map[string]any, secrets []string) {
	t.Helper()
	who := w.sim.Tenancies()[0]
	key := func(pem string) string { return strings.Split(strings.TrimSpace(pem), "\n")[5] }
	save := func(t *testing.T, path, text string) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	session := func(t *testing.T, open func(int) (ocisim.Session, error)) (s ocisim.Session, keyFile, tokenFile string) {
		t.Helper()
		s, err := open(0)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		return s, save(t, filepath.Join(dir, "key.pem"), s.PrivateKeyPEM), save(t, filepath.Join(dir, "token"), s.Token)
	}
	return map[string]func(*testing.T) (map[string]any, []string){
		"api_key": func(*testing.T) (map[string]any, []string) {
			auth := w.auth(0)
			auth["type"] = "api_key"
			return auth, []string{key(who.PrivateKeyPEM)}
		},
		"config_file": func(t *testing.T) (map[string]any, []string) {
			dir := t.TempDir()
			config := save(t, filepath.Join(dir, "config"), fmt.Sprintf("[SIEM]\ntenancy=%s\nuser=%s\nfingerprint=%s\nregion=%s\nkey_file=%s\n",
				who.OCID, who.User, who.Fingerprint, who.Home, save(t, filepath.Join(dir, "key.pem"), who.PrivateKeyPEM)))
			return map[string]any{"type": "config_file", "config_file": config, "profile": "SIEM"}, []string{key(who.PrivateKeyPEM)}
		},
		"session_token": func(t *testing.T) (map[string]any, []string) {
			s, keyFile, tokenFile := session(t, w.sim.Tokens().User)
			config := save(t, filepath.Join(t.TempDir(), "config"), fmt.Sprintf("[SIEM]\ntenancy=%s\nregion=%s\nkey_file=%s\nsecurity_token_file=%s\n", s.Tenancy, s.Region, keyFile, tokenFile))
			return map[string]any{"type": "session_token", "config_file": config, "profile": "SIEM"}, []string{key(s.PrivateKeyPEM), s.Token}
		},
		"resource_principal": func(t *testing.T) (map[string]any, []string) {
			s, keyFile, tokenFile := session(t, w.sim.Tokens().Function)
			t.Setenv("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2")
			t.Setenv("OCI_RESOURCE_PRINCIPAL_REGION", s.Region)
			t.Setenv("OCI_RESOURCE_PRINCIPAL_RPST", tokenFile)
			t.Setenv("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", keyFile)
			return map[string]any{"type": "resource_principal"}, []string{key(s.PrivateKeyPEM), s.Token}
		},
		"instance_principal": func(t *testing.T) (map[string]any, []string) {
			t.Setenv("OCI_METADATA_BASE_URL", w.server.URL+"/opc/v2")
			// Half of it is over soon, so the token changes while records are read.
			w.sim.Tokens().SetLife(3 * time.Second)
			return map[string]any{"type": "instance_principal"}, nil
		},
	}
}

// TestEveryWayToAuthenticateReadsAllAndShowsNoSecret reads a day with each, through faults that make the inputs complain,
// and looks for secrets in what is logged at the lowest level and in what leaves.
func TestEveryWayToAuthenticateReadsAllAndShowsNoSecret(t *testing.T) {
	for _, method := range []string{"api_key", "config_file", "session_token", "resource_principal", "instance_principal"} {
		t.Run(method, func(t *testing.T) {
			if !strings.HasSuffix(method, "_principal") { // which take the environment
				t.Parallel()
			}
			w := newWorld(t, func(c *ocisim.Config) { c.Compartments, c.Events, c.Users, c.NoStories = 4, 600, 20, true })
			shown := &seen{keys: map[string]bool{}}
			w.put(shown.between)
			auth, secrets := logins(t, w)[method](t)
			// The refusals are of two places, both there and neither deleted: a place has one complaint at a time, and a deleted one none.
			places := w.places()
			faults := map[string]func() int{}
			for _, fault := range []string{
				"401,op=ListEvents,times=1," + places[0], "404,op=ListEvents,times=1," + places[1],
				"html,after=20,times=1", "reset,after=20,times=1", "503,after=20,times=1", // behind the logins
			} {
				f, err := ocisim.ParseFault(fault)
				if err != nil {
					t.Fatal(err)
				}
				faults[fault] = w.sim.Faults().Add(f)
			}
			complaints := []string{"401 NotAuthenticated", "404 NotAuthorizedOrNotFound"}
			if method == "instance_principal" {
				complaints = complaints[1:] // it asks for another token, and complains only where that is refused, too
			}
			var inputs []map[string]any
			for _, component := range []string{"oci_audit", "oci_cloudguard"} {
				in := w.input(component, 0)
				in[component].(map[string]any)["auth"] = auth
				inputs = append(inputs, in)
			}
			out := newSink(t, t.Name())
			log := runLogged(t, pipeline{
				inputs: inputs, state: filepath.Join(t.TempDir(), "state.db"), output: map[string]any{"e2e_sink": map[string]any{"name": t.Name()}},
			}.yaml(t))

			left := out.deliveries()
			events := map[string]int{}
			for _, d := range left {
				if d.meta["oci_source"] == "oci_audit" {
					events[eventID(t, d.body)]++
				}
			}
			checkNoneMissing(t, w.auditIDs(), events)
			for fault, stop := range faults {
				if stop() != 1 {
					t.Errorf("the fault %s did not hit: nothing was tried", fault)
				}
			}
			for _, said := range complaints {
				if !complained(log, said) {
					t.Errorf("no error was logged that says %q:\n%s", said, tail(log, 40))
				}
			}
			if method == "instance_principal" && w.sim.Tokens().Issued() < 2 {
				t.Error("the token was never renewed")
			}
			for key := range shown.keys {
				secrets = append(secrets, key)
			}
			if len(shown.keys) == 0 {
				t.Error("no signature was seen")
			}
			for _, secret := range secrets {
				for part := range strings.SplitSeq(strings.TrimPrefix(secret, "ST$"), ".") {
					if len(part) < 30 {
						continue
					}
					if strings.Contains(log, part) {
						t.Fatalf("a secret is logged: %.40s...", part)
					}
					for _, d := range left {
						if strings.Contains(string(d.body)+fmt.Sprint(d.meta), part) {
							t.Fatalf("a secret leaves: %.40s...", part)
						}
					}
				}
			}
		})
	}
}

// complained tells whether an error was logged that says so.
func complained(log, said string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=ERROR") && strings.Contains(line, said) {
			return true
		}
	}
	return false
}

// places gives where events are in the first tenancy, deleted compartments left out, each as settings of a fault.
func (w *world) places() []string {
	var all []string
	who := w.sim.Tenancies()[0]
	for _, e := range w.sim.Truth().Events {
		there := slices.ContainsFunc(who.Compartments, func(c ocisim.Compartment) bool { return c.OCID == e.Compartment && !c.Deleted })
		if one := "region=" + e.Region + ",compartment=" + e.Compartment; there && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// runLogged runs a config to its end and gives all that is logged.
func runLogged(t *testing.T, config string) string {
	t.Helper()
	b := service.NewStreamBuilder()
	if err := b.SetYAML(config); err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	const everything = slog.LevelDebug - 100
	b.SetLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: everything})))
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatalf("running: %v\n%s", err, log)
	}
	return log.String()
}
