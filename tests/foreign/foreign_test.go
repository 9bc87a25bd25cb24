package foreign

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/all"
	"benthos-oci/plugins/ocisim"
)

// asProgram makes the test binary be the program, whose simulator the clients call.
const asProgram = "FOREIGN_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(all.Main(os.Args))
	}
	os.Exit(m.Run())
}

const (
	begin = "2026-11-10T00:00:00Z"
	end   = "2026-11-11T00:00:00Z"
	// settled is when everything that happened before end can be seen.
	settled = "2026-11-11T02:00:00Z"
)

// login is what a client must know of the simulated tenancy.
type login struct {
	endpoint string
	config   string // path of a file as Oracle's tools have it
	tenancy  string
}

// simulate runs `benthos-oci sim` until the test is over.
func simulate(t *testing.T) login {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "sim", "--listen", "127.0.0.1:0", "--seed", "11", "--events", "1500",
		"--start", begin, "--end", end, "--fault", "429,op=GetTenancy,times=2,retry_after=1s")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // it is killed when the context of the test ends, which is before

	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "endpoint:") {
			break
		}
	}
	var block struct {
		Fields   map[string]string `yaml:"auth"`
		Endpoint string            `yaml:"endpoint"`
	}
	if err := yaml.Unmarshal([]byte(text.String()), &block); err != nil || block.Endpoint == "" {
		t.Fatalf("reading what the simulator says of itself: %v\n%s", err, text.String())
	}
	dir := t.TempDir()
	key, config := filepath.Join(dir, "key.pem"), filepath.Join(dir, "config")
	write(t, key, block.Fields["private_key"])
	write(t, config, fmt.Sprintf("[DEFAULT]\nuser=%s\nfingerprint=%s\ntenancy=%s\nregion=%s\nkey_file=%s\n",
		block.Fields["user"], block.Fields["fingerprint"], block.Fields["tenancy"], block.Fields["region"], key))
	return login{
		endpoint: strings.ReplaceAll(block.Endpoint, "{region}", block.Fields["region"]),
		config:   config, tenancy: block.Fields["tenancy"],
	}
}

// held is the number of events that the simulator holds in the home region, by its own ledger.
func held(t *testing.T) int {
	t.Helper()
	from, err := time.Parse(time.RFC3339, begin)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := ocisim.New(ocisim.Config{Seed: 11, Events: 1500, Start: from, End: from.Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range sim.Truth().Events {
		if e.Region == sim.Tenancies()[0].Home {
			n++
		}
	}
	return n
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// python gives the interpreter that has Oracle's SDK, and the SDK's version.
func python(t *testing.T) (path, version string) {
	t.Helper()
	path = os.Getenv("OCI_PYTHON")
	named := path != ""
	if !named {
		path = "python3"
	}
	said, err := exec.CommandContext(t.Context(), path, "-c", "import oci; print(oci.__version__)").Output()
	if err == nil {
		return path, strings.TrimSpace(string(said))
	}
	if named {
		t.Fatalf("OCI_PYTHON names %s, which has no Oracle SDK: %v", path, err)
	}
	t.Skip("NOT RUN: Oracle's SDK for Python is not installed here, so nobody but us has read the simulator; " +
		"install it with `pip install oci oci-cli` and name its python in OCI_PYTHON")
	return "", ""
}

// environment keeps the clients away from the configuration of whoever runs the test.
func environment(home string) []string {
	return append(os.Environ(), "HOME="+home, "SUPPRESS_LABEL_WARNING=True", "OCI_CLI_SUPPRESS_FILE_PERMISSIONS_WARNING=True", "NO_PROXY=127.0.0.1")
}

// compare compares what a client got with what it got when somebody last looked; lines that begin with # may differ.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { // it is committed
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(uncommented(string(want)), uncommented(got)); diff != "" {
		t.Errorf("the client got something else than it used to (-%s +now):\n%s", name, diff)
	}
}

func uncommented(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestOraclesSDKReadsTheSimulator(t *testing.T) {
	interpreter, version := python(t)
	who := simulate(t)
	cmd := exec.CommandContext(t.Context(), interpreter, "client.py", who.config, who.endpoint, begin, settled)
	cmd.Env = environment(filepath.Dir(who.config))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("Oracle's SDK stumbles over the simulator: %v\n%s\nafter:\n%s", err, complaint.String(), said)
	}
	read := 0
	for _, line := range regexp.MustCompile(`(?m)^audit events of: .* (\d+), sha256`).FindAllStringSubmatch(string(said), -1) {
		n, err := strconv.Atoi(line[1])
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
	if want := held(t); read != want || want == 0 {
		t.Errorf("Oracle's SDK read %d events of the home region, want the %d that the simulator holds", read, want)
	}
	compare(t, "sdk.txt", "# What tests/foreign/client.py got with Oracle's SDK for Python "+version+".\n"+string(said))
}

func TestOraclesCommandLineReadsTheSimulator(t *testing.T) {
	interpreter, _ := python(t)
	if path, err := exec.LookPath(interpreter); err == nil {
		interpreter = path
	}
	program := filepath.Join(filepath.Dir(interpreter), "oci")
	version, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil {
		t.Skipf("NOT RUN: Oracle's command line is not installed beside %s: install it with `pip install oci-cli` (%v)", interpreter, err)
	}
	who := simulate(t)
	transcript := "# What Oracle's command line got, version " + strings.TrimSpace(string(version)) +
		"; each command also had --config-file and --endpoint.\n"
	for _, command := range []string{
		`iam region-subscription list --query data[*].["region-name","is-home-region"]`,
		`iam compartment list --compartment-id $TENANCY --compartment-id-in-subtree true --all --query data[*].[name,"lifecycle-state"]`,
		`audit event list --compartment-id $TENANCY --start-time ` + begin + ` --end-time ` + settled + ` --all --query length(data)`,
		`audit event list --compartment-id $TENANCY --start-time ` + begin + ` --end-time 2026-11-10T00:05:00Z --all --query sort_by(data,&"event-id")[*].["event-type",data."event-name"]`,
		`audit config get --compartment-id $TENANCY`,
		`cloud-guard configuration get --compartment-id $TENANCY --query data.[status,"reporting-region"]`,
		`cloud-guard problem list --compartment-id $TENANCY --compartment-id-in-subtree true --access-level ACCESSIBLE --all` +
			` --query sort_by(data.items,&id)[*].["detector-rule-id","risk-level","lifecycle-detail"]`,
		`cloud-guard problem list --compartment-id $TENANCY --compartment-id-in-subtree true --access-level ACCESSIBLE --lifecycle-state INACTIVE --all` +
			` --query sort_by(data.items,&id)[*].["detector-rule-id","risk-level","lifecycle-detail"]`,
		`audit event list --compartment-id ` + strings.Repeat("a", 20) + ` --start-time ` + begin + ` --end-time ` + end,
	} {
		args := []string{"--config-file", who.config, "--endpoint", who.endpoint}
		if strings.HasPrefix(command, "iam region-subscription") {
			command += " --tenancy-id $TENANCY"
		}
		for word := range strings.SplitSeq(command, " ") {
			args = append(args, strings.ReplaceAll(word, "$TENANCY", who.tenancy))
		}
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = environment(filepath.Dir(who.config))
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		said, err := cmd.Output()
		transcript += "\n$ oci " + command + "\n" + flat(said)
		if err != nil {
			transcript += refusal(complaint.String())
		}
	}
	compare(t, "cli.txt", transcript)
}

// flat gives what a command said on one line, where it is JSON.
func flat(said []byte) string {
	var line bytes.Buffer
	if json.Compact(&line, said) != nil {
		return string(said)
	}
	return line.String() + "\n"
}

// refusal takes of an error's text what the simulator has answered.
func refusal(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case `"code"`, `"message"`, `"operation_name"`, `"status"`, `"target_service"`, "ServiceError":
			kept.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	if kept.Len() == 0 {
		return text
	}
	return kept.String()
}
