package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// served is the program in a process of its own, with its HTTP server on.
type served struct {
	*program
	address, config string
}

var unquoted = regexp.MustCompile(`: (\$\{[A-Z_]+\})`)

// serve runs `benthos-oci run` with the config, which gets an HTTP server, metrics and the most talkative log.
func serve(t *testing.T, config string, env ...string) served {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(config), &doc); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	maps.Copy(doc, map[string]any{
		"http":             map[string]any{"enabled": true, "address": address, "debug_endpoints": true},
		"metrics":          map[string]any{"prometheus": map[string]any{}},
		"logger":           map[string]any{"level": "TRACE", "format": "logfmt"},
		"shutdown_timeout": "5s",
	})
	raw, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	// Variables are replaced before the YAML is read, so they stand in quotes.
	raw = unquoted.ReplaceAll(raw, []byte(`: "$1"`))
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := served{program: &program{cmd: itself(t.Context(), t, env, "run", path), log: &lines{}, done: make(chan error, 1)}, address: address, config: path}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	go func() { s.done <- s.cmd.Wait() }()
	taken := false // by somebody else, between our asking for it and the program's taking it
	eventually(t, soon, "serving", func() bool {
		taken = strings.Contains(s.log.String(), "address already in use")
		if taken || s.status("/ping") != http.StatusOK {
			return taken
		}
		// The server answers before all of its pages are there.
		ready := s.status("/ready")
		return ready == http.StatusOK || ready == http.StatusServiceUnavailable
	})
	if taken {
		s.kill()
		<-s.done
		return serve(t, config, env...)
	}
	return s
}

// freeAddress gives an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// itself makes a command of the program.
func itself(ctx context.Context, t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	return cmd
}

func (s served) fetch(path string) (int, string) {
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get("http://" + s.address + path) //nolint:noctx // the client has a timeout of its own
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(body)
}

func (s served) status(path string) int {
	code, _ := s.fetch(path)
	return code
}

// connection is what /ready says of one component.
type connection struct {
	Label, Path, Error string
	Connected          bool
}

// ready asks /ready: its status, and what it says by label.
func (s served) ready(t *testing.T) (int, map[string]connection) {
	t.Helper()
	code, body := s.fetch("/ready")
	var said struct{ Statuses []connection }
	if err := json.Unmarshal([]byte(body), &said); code != 0 && err != nil {
		t.Fatalf("/ready says %q: %v", body, err)
	}
	by := map[string]connection{}
	for _, c := range said.Statuses {
		by[c.Label] = c
	}
	return code, by
}

// series is one line of /metrics.
type series struct {
	name   string
	labels map[string]string
	value  float64
}

// metrics reads /metrics.
func (s served) metrics(t *testing.T) []series {
	t.Helper()
	_, body := s.fetch("/metrics")
	var all []series
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), "{")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		words, value, ok := strings.Cut(rest, "} ")
		if !ok {
			continue
		}
		one := series{name: name, labels: map[string]string{}}
		for word := range strings.SplitSeq(words, `",`) {
			key, text, _ := strings.Cut(word, "=")
			one.labels[key] = strings.Trim(text, `"`)
		}
		var err error
		if one.value, err = strconv.ParseFloat(value, 64); err != nil {
			t.Fatalf("/metrics has the line %q: %v", lines.Text(), err)
		}
		all = append(all, one)
	}
	return all
}

// sum adds up the series of a name whose labels are as given.
func sum(all []series, name string, labels map[string]string) float64 {
	total := 0.0
	for _, s := range all {
		fits := s.name == name
		for key, value := range labels {
			fits = fits && s.labels[key] == value
		}
		if fits {
			total += s.value
		}
	}
	return total
}
