package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/ocisim"
)

// day is when everything happens that the simulator tells of.
var day = time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)

// end is when the inputs of these tests end: late enough for the latest record of the day.
var end = day.Add(26 * time.Hour)

// world is a simulator behind a loopback server.
type world struct {
	sim    *ocisim.Sim
	server *httptest.Server
	calls  atomic.Int64 // answered requests
	let    atomic.Int64 // requests that were let in
	gate   atomic.Pointer[gate]

	handler atomic.Pointer[http.Handler]
}

// put puts something between the clients and what has answered so far.
func (w *world) put(between func(http.Handler) http.Handler) {
	var next http.Handler
	if have := w.handler.Load(); have != nil {
		next = *have
	}
	with := between(next)
	w.handler.Store(&with)
}

// gate lets so many requests in and holds the others until it is opened.
type gate struct {
	most   int64
	opened chan struct{}
}

// holdAfter lets in so many requests more, and no other until open is called: who reads cannot run away from a test that is slow to look.
func (w *world) holdAfter(t *testing.T, more int64) (open func()) {
	t.Helper()
	g := &gate{most: w.let.Load() + more, opened: make(chan struct{})}
	w.gate.Store(g)
	open = sync.OnceFunc(func() {
		w.gate.CompareAndSwap(g, nil)
		close(g.opened)
	})
	t.Cleanup(open)
	return open
}

// enter waits at the gate; it gives false where the client has gone meanwhile.
func (w *world) enter(r *http.Request) bool {
	for g := w.gate.Load(); g != nil; g = w.gate.Load() {
		if w.let.Add(1) <= g.most {
			return true
		}
		w.let.Add(-1)
		select {
		case <-g.opened:
		case <-r.Context().Done():
			return false
		}
	}
	w.let.Add(1)
	return true
}

// newWorld starts the simulator; change may change its configuration.
func newWorld(t *testing.T, change func(*ocisim.Config)) *world {
	t.Helper()
	w := &world{}
	config := ocisim.Config{
		Seed: 7, Compartments: 19, Regions: []string{"eu-frankfurt-1", "us-ashburn-1"},
		Start: day, End: day.Add(24 * time.Hour), Events: 5000, Users: 500,
		Observe: func(ocisim.Call) { w.calls.Add(1) },
	}
	if change != nil {
		change(&config)
	}
	sim, err := ocisim.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.sim = sim
	w.put(func(http.Handler) http.Handler { return sim })
	w.server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if w.enter(r) {
			(*w.handler.Load()).ServeHTTP(out, r)
		}
	}))
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) endpoint() string { return w.server.URL + "/{region}" }

// auditIDs gives the id of every audit event that the simulator holds.
func (w *world) auditIDs() []string {
	var ids []string
	for _, e := range w.sim.Truth().Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// auth gives the `auth:` block of a tenancy, as the fields of an input.
func (w *world) auth(tenancy int) map[string]any {
	c := w.sim.Tenancies()[tenancy]
	return map[string]any{
		"tenancy": c.OCID, "user": c.User, "fingerprint": c.Fingerprint, "private_key": c.PrivateKeyPEM, "region": c.Home,
	}
}

// input gives an oci_audit or oci_cloudguard input that reads the whole day and ends.
func (w *world) input(component string, tenancy int) map[string]any {
	return map[string]any{
		"label": fmt.Sprintf("%s_%d", strings.TrimPrefix(component, "oci_"), tenancy),
		component: map[string]any{
			"auth": w.auth(tenancy), "endpoint": w.endpoint(),
			"start": day.Format(time.RFC3339), "end": end.Format(time.RFC3339),
			"checkpoint_cache": "state", "max_requests_per_second": 10_000,
		},
	}
}

// pipeline is a config as the tests build it.
type pipeline struct {
	inputs    []map[string]any
	clock     map[string]any // settings of correlate_source
	correlate map[string]any // settings of correlate; nil is none
	output    map[string]any
	state     string         // path of the state file
	cache     map[string]any // the cache that keeps state; nil is bolt at that path
}

// yaml gives the config with the clock beside the inputs.
func (p pipeline) yaml(t *testing.T) string {
	t.Helper()
	inputs := append([]map[string]any{}, p.inputs...)
	clock := p.clock
	if clock == nil {
		clock = map[string]any{}
	}
	inputs = append(inputs, map[string]any{"label": "clock", "correlate_source": clock})
	cache := map[string]any{"label": "state", "bolt": map[string]any{"path": p.state, "fsync": false}}
	if p.cache != nil {
		cache = p.cache
	}
	doc := map[string]any{
		"input":           map[string]any{"broker": map[string]any{"inputs": inputs}},
		"output":          p.output,
		"cache_resources": []any{cache},
	}
	if p.correlate != nil {
		doc["pipeline"] = map[string]any{"processors": []any{map[string]any{"label": "detect", "correlate": p.correlate}}}
	}
	return marshal(t, doc)
}

// detect gives the settings of correlate that tell the tests all: events, and how incidents end.
func detect() map[string]any {
	return map[string]any{
		"packs": []any{"oci"}, "state_cache": "state",
		"forward": []any{"incidents", "events"}, "emit": []any{"create", "close"},
	}
}

// marshal writes a config, its HTTP server off.
func marshal(t *testing.T, doc map[string]any) string {
	t.Helper()
	doc["http"] = map[string]any{"enabled": false}
	b, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)(?::([^}]*))?\}`)

// read reads a config of config/, with the variables of env.
func read(t *testing.T, name string, env map[string]string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(t), "config", name))
	if err != nil {
		t.Fatal(err)
	}
	text := variable.ReplaceAllStringFunc(string(raw), func(v string) string {
		m := variable.FindStringSubmatch(v)
		if set, ok := env[m[1]]; ok {
			return set
		}
		return m[2]
	})
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// shipped reads a config as read does, and points its inputs at the world, tenancy by profile.
func shipped(t *testing.T, name string, w *world, env map[string]string) map[string]any {
	t.Helper()
	doc := read(t, name, env)
	pointed := 0
	profiles := map[string]int{}
	for _, in := range at(doc, "input", "broker", "inputs").([]any) {
		for _, component := range []string{"oci_audit", "oci_cloudguard"} {
			fields, ok := in.(map[string]any)[component].(map[string]any)
			if !ok {
				continue
			}
			profile, _ := at(fields, "auth", "profile").(string)
			tenancy, ok := profiles[profile]
			if !ok {
				tenancy = len(profiles)
				profiles[profile] = tenancy
			}
			fields["auth"], fields["endpoint"] = w.auth(tenancy), w.endpoint()
			fields["start"], fields["end"] = day.Format(time.RFC3339), end.Format(time.RFC3339)
			fields["max_requests_per_second"] = 10_000
			pointed++
		}
	}
	if pointed == 0 {
		t.Fatalf("config/%s has no oci input", name)
	}
	return doc
}

// at gives the value at a path of maps.
func at(v any, path ...string) any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}
