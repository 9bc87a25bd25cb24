package all

import (
	"crypto/md5" // Oracle defines the fingerprint of a key as an MD5 sum
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestInputThatGetsNoAnswerSaysSoAndTakesNoTimeOfTheNext checks two inputs of a server that accepts and never answers.
func TestInputThatGetsNoAnswerSaysSoAndTakesNoTimeOfTheNext(t *testing.T) {
	var network net.ListenConfig
	silent, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	var calls atomic.Int64
	go func() {
		for {
			if _, err := silent.Accept(); err != nil {
				return
			}
			calls.Add(1)
		}
	}()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600); err != nil {
		t.Fatal(err)
	}
	fields := fmt.Sprintf(`{ auth: { tenancy: ocid1.tenancy.oc1..a, user: ocid1.user.oc1..a, fingerprint: %q, private_key_file: %q, region: eu-frankfurt-1 }, endpoint: "http://%s" }`,
		fingerprintOf(t, &key.PublicKey), keyFile, silent.Addr())
	config := filepath.Join(dir, "silent.yaml")
	text := "input:\n  broker:\n    inputs:\n      - oci_audit: " + fields + "\n      - oci_cloudguard: " + fields + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const timeout = time.Second
	results, err := checkConfig(t.Context(), config, timeout)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 {
		t.Fatalf("got %d inputs, want 2", len(results))
	}
	for _, r := range results {
		var reachable checkedStep
		for _, s := range r.Steps {
			if s.Name == "reachable" {
				reachable = s
			}
		}
		if reachable.OK || !strings.Contains(reachable.Error, "no answer within "+timeout.String()) || !strings.Contains(reachable.Error, "--timeout") {
			t.Errorf("%s: got reachable %+v, want that there was no answer within %s", r.Input, reachable, timeout)
		}
	}
	// The second input was asked, too: it had a connection of its own.
	for until := time.Now().Add(time.Minute); calls.Load() < 2 && time.Now().Before(until); {
		time.Sleep(time.Millisecond) // a connection may be made before it is taken
	}
	if n := calls.Load(); n < 2 {
		t.Errorf("got %d connections, want one of each input", n)
	}
}

func fingerprintOf(t *testing.T, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(fmt.Sprintf("% x", md5.Sum(der)), " ", ":")
}
