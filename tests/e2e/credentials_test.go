package e2e

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/ocisim"
)

// complaint runs a pipeline with the input until it complains or ends, and gives what an operator reads:
// the error of the start, or the errors that are logged. It is "" where all is well.
func complaint(t *testing.T, input map[string]any) string {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "_")
	newSink(t, name)
	b := service.NewStreamBuilder()
	log := &lines{}
	p := pipeline{inputs: []map[string]any{input}, output: map[string]any{"e2e_sink": map[string]any{"name": name}}, state: filepath.Join(t.TempDir(), "state.db")}
	if err := b.SetYAML(p.yaml(t)); err != nil {
		return err.Error()
	}
	b.SetLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	s, err := b.Build()
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { _ = s.StopWithin(time.Minute) }()
	for {
		select {
		case err := <-done:
			if err != nil && log.String() == "" {
				return err.Error()
			}
			return log.String()
		case <-time.After(10 * time.Millisecond):
			if strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), "level=WARN") {
				return log.String()
			}
		}
	}
}

// TestWhatIsWrongWithTheCredentialsIsSaidInOneSentence makes each mistake that people make.
func TestWhatIsWrongWithTheCredentialsIsSaidInOneSentence(t *testing.T) {
	keyFile := func(t *testing.T, pem string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, []byte(pem), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name   string
		change func(t *testing.T, w *world, fields, auth map[string]any)
		want   []string // each must be said; none means that it works
	}{
		{
			name: "a wrong key",
			change: func(_ *testing.T, w *world, _, auth map[string]any) {
				auth["private_key"] = w.sim.Tenancies()[1].PrivateKeyPEM
			},
			want: []string{"auth.private_key is not the key of the configured fingerprint", "give the key that belongs to it"},
		},
		{
			name: "a key that the user does not have",
			change: func(_ *testing.T, w *world, _, auth map[string]any) {
				other := w.sim.Tenancies()[1]
				auth["private_key"], auth["fingerprint"] = other.PrivateKeyPEM, other.Fingerprint
			},
			want: []string{"was refused", "401", "upload this key's public half"},
		},
		{
			name: "a wrong fingerprint",
			change: func(_ *testing.T, _ *world, _, auth map[string]any) {
				auth["fingerprint"] = "20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34"
			},
			want: []string{"auth.private_key is not the key of the configured fingerprint", "20:3b:", "correct auth.fingerprint"},
		},
		{
			name: "a missing permission",
			change: func(_ *testing.T, w *world, _, _ map[string]any) {
				w.sim.Deny(ocisim.Denial{Permission: ocisim.InspectCompartments})
			},
			want: []string{"was refused", "404", "Allow group", "inspect compartments in tenancy"},
		},
		{
			name: "a wrong region",
			change: func(_ *testing.T, _ *world, fields, _ map[string]any) {
				fields["regions"] = []any{"eu-frankfurt-1", "ap-tokyo-1"}
			},
			want: []string{"ap-tokyo-1", "not subscribed"},
		},
		{
			name: "a key file that everybody may read",
			change: func(t *testing.T, _ *world, _, auth map[string]any) {
				auth["private_key_file"] = keyFile(t, auth["private_key"].(string), 0o644)
				delete(auth, "private_key")
			},
			want: []string{"key.pem", "chmod 600"},
		},
		{
			name: "a key file that only its owner may read",
			change: func(t *testing.T, _ *world, _, auth map[string]any) {
				auth["private_key_file"] = keyFile(t, auth["private_key"].(string), 0o600)
				delete(auth, "private_key")
			},
		},
		{
			name: "a key whose newlines were turned into spaces",
			change: func(_ *testing.T, _ *world, _, auth map[string]any) {
				auth["private_key"] = strings.ReplaceAll(strings.TrimSpace(auth["private_key"].(string)), "\n", " ")
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(c *ocisim.Config) {
				c.Tenancies, c.Events, c.Compartments, c.NoStories = 2, 50, -1, true
			})
			input := w.input("oci_audit", 0)
			fields := input["oci_audit"].(map[string]any)
			auth := fields["auth"].(map[string]any)
			secret := auth["private_key"].(string)
			test.change(t, w, fields, auth)
			said := complaint(t, input)
			if len(test.want) == 0 && said != "" {
				t.Fatalf("want it to work, got %s", said)
			}
			for _, part := range test.want {
				if !strings.Contains(said, part) {
					t.Errorf("want it to say %q, got: %s", part, said)
				}
			}
			for line := range strings.Lines(secret) {
				if line = strings.TrimSpace(line); len(line) > 40 && strings.Contains(said, line) {
					t.Fatal("the private key was told")
				}
			}
			if n := strings.Count(strings.TrimSpace(said), "\n"); n > 0 {
				t.Errorf("want one sentence, got %d lines:\n%s", n+1, said)
			}
		})
	}
}
