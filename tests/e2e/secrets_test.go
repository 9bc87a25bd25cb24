package e2e

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/ocisim"
)

// canaries are secrets, by what they are: none of them may be found anywhere.
type canaries struct {
	mu  sync.Mutex
	all map[string]string // guarded by mu; what it is, by the secret
}

func newCanaries() *canaries { return &canaries{all: map[string]string{}} }

// add takes a secret whole, and each of its longer lines: half a key is a secret, too.
func (c *canaries) add(what, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const telling = 24 // characters below which a line may be somebody else's
	for line := range strings.Lines(secret) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-----") || strings.HasPrefix(line, "Proc-Type") {
			continue
		}
		if len(line) >= telling {
			// Parts are found, too, where an end was cut off.
			c.all[line[:telling]] = what
			c.all[line[len(line)-telling:]] = what
			continue
		}
		if line == strings.TrimSpace(secret) {
			c.all[line] = what
		}
	}
}

// hear takes the Authorization header of each request as a secret: its signature, and the token in it where there is one;
// and the key that an instance is given.
func (c *canaries) hear(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		_, signature, _ := strings.Cut(header, `signature="`)
		signature, _, _ = strings.Cut(signature, `"`)
		c.add("the Authorization header", signature)
		_, token, _ := strings.Cut(header, `keyId="ST$`)
		token, _, _ = strings.Cut(token, `"`)
		c.add("the token", token)
		if !strings.HasSuffix(r.URL.Path, "/key.pem") {
			next.ServeHTTP(w, r)
			return
		}
		key := httptest.NewRecorder()
		next.ServeHTTP(key, r)
		c.add("the instance's key", key.Body.String())
		maps.Copy(w.Header(), key.Header())
		w.WriteHeader(key.Code)
		_, _ = w.Write(key.Body.Bytes())
	})
}

// in tells which canaries a text holds, with what stands around them.
func (c *canaries) in(text string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for secret, what := range c.all {
		if at := strings.Index(text, secret); at >= 0 {
			found = append(found, fmt.Sprintf("%s in: ...%.80s...", what, text[max(0, at-60):]))
		}
	}
	return found
}

func (c *canaries) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// knows tells whether there is a canary of that sort.
func (c *canaries) knows(sort string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range c.all {
		if strings.Contains(what, sort) {
			return true
		}
	}
	return false
}

const passphrase = "canary-passphrase-6f1d"

// locked encrypts a key by a passphrase.
func locked(t *testing.T, key string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(key))
	//nolint:staticcheck // keys of this old form are still about
	hidden, err := x509.EncryptPEMBlock(rand.Reader, block.Type, block.Bytes, []byte(passphrase), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(hidden))
}

// holder is a way to give the program a secret.
type holder struct {
	name string
	// auth gives the auth block and the environment of the program.
	auth func(t *testing.T, w *world, c *canaries) (map[string]any, []string)
}

func holders() []holder {
	write := func(t *testing.T, name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return []holder{
		{"key in the config", func(_ *testing.T, w *world, c *canaries) (map[string]any, []string) {
			c.add("the private key", w.sim.Tenancies()[0].PrivateKeyPEM)
			return w.auth(0), nil
		}},
		{"locked key in the config", func(t *testing.T, w *world, c *canaries) (map[string]any, []string) {
			t.Helper()
			auth := w.auth(0)
			auth["private_key"], auth["passphrase"] = locked(t, w.sim.Tenancies()[0].PrivateKeyPEM), passphrase
			c.add("the private key", w.sim.Tenancies()[0].PrivateKeyPEM)
			c.add("the locked key", auth["private_key"].(string))
			c.add("the passphrase", passphrase)
			return auth, nil
		}},
		{"key and passphrase in the environment", func(t *testing.T, w *world, c *canaries) (map[string]any, []string) {
			t.Helper()
			key := locked(t, w.sim.Tenancies()[0].PrivateKeyPEM)
			auth := w.auth(0)
			auth["private_key"], auth["passphrase"] = "${CANARY_KEY}", "${CANARY_PASSPHRASE}"
			c.add("the locked key", key)
			c.add("the passphrase", passphrase)
			return auth, []string{"CANARY_KEY=" + strings.ReplaceAll(strings.TrimSpace(key), "\n", " "), "CANARY_PASSPHRASE=" + passphrase}
		}},
		{"key in a file", func(t *testing.T, w *world, c *canaries) (map[string]any, []string) {
			t.Helper()
			auth := w.auth(0)
			c.add("the private key", w.sim.Tenancies()[0].PrivateKeyPEM)
			auth["private_key_file"] = write(t, "key.pem", w.sim.Tenancies()[0].PrivateKeyPEM)
			delete(auth, "private_key")
			return auth, nil
		}},
		{"session token", func(t *testing.T, w *world, c *canaries) (map[string]any, []string) {
			t.Helper()
			session, err := w.sim.Tokens().User(0)
			if err != nil {
				t.Fatal(err)
			}
			c.add("the session's key", session.PrivateKeyPEM)
			c.add("the token", session.Token)
			profile := fmt.Sprintf("[DEFAULT]\ntenancy=%s\nregion=%s\nfingerprint=%s\nkey_file=%s\nsecurity_token_file=%s\n", session.Tenancy, session.Region,
				session.Fingerprint, write(t, "session.pem", session.PrivateKeyPEM), write(t, "token", session.Token))
			return map[string]any{"type": "session_token", "config_file": write(t, "config", profile), "profile": "DEFAULT"}, nil
		}},
		{"token in the environment", func(t *testing.T, w *world, c *canaries) (map[string]any, []string) {
			t.Helper()
			session, err := w.sim.Tokens().Function(0)
			if err != nil {
				t.Fatal(err)
			}
			c.add("the session's key", session.PrivateKeyPEM)
			c.add("the token", session.Token)
			return map[string]any{"type": "resource_principal"}, []string{
				"OCI_RESOURCE_PRINCIPAL_VERSION=2.2", "OCI_RESOURCE_PRINCIPAL_REGION=" + session.Region,
				"OCI_RESOURCE_PRINCIPAL_RPST=" + session.Token, "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM=" + session.PrivateKeyPEM,
			}
		}},
		{"instance", func(_ *testing.T, w *world, _ *canaries) (map[string]any, []string) {
			// Its secrets come by the way.
			return map[string]any{"type": "instance_principal"}, []string{"OCI_METADATA_BASE_URL=" + w.server.URL + "/opc/v2"}
		}},
	}
}

// TestSecretsAppearNowhere runs the whole program with each sort of secret, well and in trouble,
// and searches everything that it says for them: log, HTTP server, outputs, and what its other commands print.
func TestSecretsAppearNowhere(t *testing.T) {
	for _, h := range holders() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().UTC().Truncate(time.Minute)
			w := newWorld(t, func(c *ocisim.Config) {
				c.Compartments, c.Users, c.Events, c.Problems, c.Regions = 1, 20, 200, 4, []string{"eu-frankfurt-1"}
				c.Start, c.End, c.NoStories = now.Add(-3*time.Hour), now.Add(-time.Hour), true
			})
			secrets := newCanaries()
			w.put(secrets.hear)
			auth, env := h.auth(t, w, secrets)
			hidden := secrets.count()
			// A dead letter, for errors and what stands in their metadata.
			w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectMalformed, Operation: "ListEvents", Times: 1})
			dir := t.TempDir()
			var inputs []map[string]any
			for _, component := range pollers {
				in := w.poller(component, 0)
				fields, _ := in[component].(map[string]any)
				fields["auth"] = auth
				inputs = append(inputs, in)
			}
			file := func(name string) map[string]any {
				return map[string]any{"file": map[string]any{"path": filepath.Join(dir, name), "codec": "lines"}}
			}
			letter := map[string]any{"mapping": `root = {"error": error(), "raw": content().string(), "metadata": @}`}
			dead := file("dead.jsonl")
			dead["processors"] = []any{letter}
			config := pipeline{
				inputs: inputs, state: filepath.Join(dir, "state.db"), correlate: detect(),
				output: map[string]any{"switch": map[string]any{"cases": []any{
					map[string]any{"check": "errored()", "output": dead}, map[string]any{"output": file("out.jsonl")},
				}}},
			}.yaml(t)
			s := serve(t, config, env...)
			eventually(t, soon, "a dead letter and some output", func() bool {
				return has(filepath.Join(dir, "dead.jsonl")) && has(filepath.Join(dir, "out.jsonl"))
			})
			// Every refusal is a sentence that could say too much.
			for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
				w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: status, Times: 4})
				eventually(t, soon, "refused", func() bool { return w.sim.Count("", status) >= 4 })
			}
			w.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectReset, Times: 4})
			w.sim.Deny(ocisim.Denial{})
			eventually(t, soon, "an input disconnected", func() bool { return s.status("/ready") == http.StatusServiceUnavailable })
			said := map[string]string{}
			for _, path := range []string{"/ready", "/metrics", "/stats", "/version", "/endpoints", "/debug/config/json", "/debug/config/yaml", "/debug/stack", "/debug/pprof/symbol"} {
				code, body := s.fetch(path)
				if code == 0 || code == http.StatusNotFound && path != "/stats" {
					t.Errorf("%s answers %d", path, code)
				}
				said[path] = body
			}
			for _, args := range [][]string{{"check"}, {"check", "--json"}, {"lint", "--verbose"}, {"echo"}} {
				said[strings.Join(args, " ")] = printed(t, env, append(args, s.config)...)
			}
			for mistake, config := range broken(t, s.config) {
				for _, name := range []string{"lint", "check", "run", "echo"} {
					said[name+" of a config with "+mistake] = printed(t, env, name, config)
				}
			}
			s.kill()
			<-s.done
			said["the log"] = s.log.String()
			for _, name := range []string{"out.jsonl", "dead.jsonl", "state.db"} {
				raw, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				said[name] = string(raw)
			}
			for what, text := range said {
				if found := secrets.in(text); len(found) > 0 {
					t.Errorf("%s holds secrets:\n%s", what, strings.Join(found, "\n"))
				}
			}
			if secrets.count() == hidden {
				t.Error("no request had an Authorization header: the test shows nothing")
			}
			if !secrets.knows("key") && !secrets.knows("token") {
				t.Error("there was neither key nor token to look for: the test shows nothing")
			}
			if !strings.Contains(said["the log"], "level=trace") || !strings.Contains(said["/debug/config/yaml"], "oci_audit") {
				t.Errorf("the log is not talkative, or the config not told: %.300s\n%.300s", said["the log"], said["/debug/config/yaml"])
			}
		})
	}
}

// has tells whether a file has anything in it.
func has(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// broken gives configs that do not start, by their mistake: what is said of them may quote what stands beside it.
func broken(t *testing.T, config string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{}
	for mistake, text := range map[string]string{
		"an unknown field": strings.ReplaceAll(string(raw), "private_key:", "privat_key:"),
		"no end":           string(raw) + "\nbad: [\n",
		"a wrong number":   strings.ReplaceAll(string(raw), "checkpoint_cache: state", "checkpoint_cache: state\n          checkpoint_limit: -1"),
		"another key's":    strings.ReplaceAll(string(raw), "fingerprint: ", "fingerprint: 00"),
	} {
		// The state is free, and the output apart.
		text = strings.ReplaceAll(text, "state.db", "other.db")
		path := filepath.Join(t.TempDir(), "broken.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths[mistake] = path
	}
	return paths
}

// printed runs the program once more and gives all that it prints until it ends, or within some seconds after it has begun to.
func printed(t *testing.T, env []string, args ...string) string {
	t.Helper()
	p := command(t, env, args...)
	defer p.kill()
	began := time.After(soon)
	var over <-chan time.Time
	for {
		select {
		case err := <-p.done:
			if p.log.String() == "" && args[0] != "lint" {
				t.Errorf("%s prints nothing (%v): the test shows nothing", args, err)
			}
			return p.log.String()
		case <-began:
			t.Fatalf("%s prints nothing and does not end", args)
		case <-over:
			p.kill()
			<-p.done
			return p.log.String()
		case <-time.After(10 * time.Millisecond):
			if over == nil && p.log.String() != "" {
				began, over = nil, time.After(4*time.Second)
			}
		}
	}
}

// TestCanariesAreFound holds the search itself to its promise.
func TestCanariesAreFound(t *testing.T) {
	secrets := newCanaries()
	key := "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAcanarycanarycanarycanarycanarycanarycanarycanary\n-----END RSA PRIVATE KEY-----\n"
	secrets.add("the private key", key)
	secrets.add("the passphrase", passphrase)
	dump, err := yaml.Marshal(map[string]any{"private_key": key})
	if err != nil {
		t.Fatal(err)
	}
	var got []bool
	for _, text := range []string{string(dump), "cut off: " + key[:60], "passphrase=" + passphrase, "-----BEGIN RSA PRIVATE KEY-----", "nothing"} {
		got = append(got, len(secrets.in(text)) > 0)
	}
	if diff := cmp.Diff([]bool{true, true, true, false, false}, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
