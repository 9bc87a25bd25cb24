package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"testing"
)

const (
	module  = "benthos-oci"
	benthos = "github.com/redpanda-data/benthos/v4"
	connect = "github.com/redpanda-data/connect/v4"
	oracle  = "github.com/oracle/oci-go-sdk/v65"
)

// layer says what one package may import. A package that stands in no layer fails the test.
type layer struct {
	name string
	// packages are import paths below the module; one that ends in /... covers what lies below it, too.
	packages []string
	// own are the packages of this module that it may import, by the last names of their paths; "*" is all of them.
	own []string
	// modules are the modules that it may reach, through whatever packages; "*" is all but those in never.
	modules []string
	// never are import paths, with all below them, that it must not reach through any package.
	never []string
	why   string
}

// Every layer that is no adapter is free of Benthos, of Oracle's SDK and of the network.
var pure = []string{benthos, connect, oracle, "net/http"}

var layers = []layer{
	{
		name: "program", packages: []string{"cmd/benthos-oci"},
		own: []string{"plugins/all"}, modules: []string{"*"},
		why: "main only starts the program",
	},
	{
		name: "registration and commands", packages: []string{"plugins/all/..."},
		own: []string{"*"}, modules: []string{"*"},
		why: "this is where everything comes together",
	},
	{
		name: "inputs", packages: []string{"plugins/oci_audit", "plugins/oci_cloudguard", "plugins/oci_logging", "plugins/internal/ocifields", "plugins/internal/ocireader", "plugins/internal/ocirig"},
		own:     []string{"plugins/internal/oci", "plugins/internal/collect", "plugins/internal/lintrule", "plugins/internal/ocifields", "plugins/internal/ocireader", "plugins/internal/progress", "plugins/internal/watermark", "plugins/internal/event"},
		modules: []string{"*"},
		why:     "inputs collect; they know no rules",
	},
	{
		name: "input of streams", packages: []string{"plugins/oci_streaming"},
		own:     []string{"plugins/internal/oci", "plugins/internal/collect", "plugins/internal/lintrule", "plugins/internal/ocifields", "plugins/internal/watermark", "plugins/internal/progress", "plugins/internal/normalize", "plugins/internal/event"},
		modules: []string{"*"},
		why:     "it collects what others have put into a stream, and knows no rules; only a message itself tells when its event happened",
	},
	{
		name: "normalizing method", packages: []string{"plugins/oci_normalize"},
		own:     []string{"plugins/internal/normalize", "plugins/internal/event"},
		modules: []string{"*"}, never: []string{oracle},
		why: "it hands bytes to normalize",
	},
	{
		name: "correlate", packages: []string{"plugins/correlate"},
		own: []string{
			"plugins/internal/engine", "plugins/internal/rule", "plugins/internal/match", "plugins/internal/expr", "plugins/internal/event",
			"plugins/internal/incident", "plugins/internal/normalize", "plugins/internal/watermark", "plugins/internal/progress", "plugins/internal/lintrule", "plugins/bolt", "rules",
		},
		modules: []string{"*"}, never: []string{oracle},
		why: "it converts messages and calls the engine",
	},
	{
		name: "clock", packages: []string{"plugins/correlate_source", "plugins/internal/progress"},
		own:     []string{"plugins/internal/lintrule", "plugins/internal/watermark", "plugins/internal/progress", "plugins/internal/normalize", "plugins/internal/event"},
		modules: []string{"*"}, never: []string{oracle},
		why: "it keeps time; it knows no rules",
	},
	{
		name: "lint rules of fields", packages: []string{"plugins/internal/lintrule"},
		modules: []string{"*"}, never: []string{oracle},
		why: "it checks values, and knows no component",
	},
	{
		name: "cache", packages: []string{"plugins/bolt"},
		own:     []string{"plugins/internal/lintrule"},
		modules: []string{"*"}, never: []string{oracle},
		why: "it stores bytes",
	},
	{
		name: "simulator", packages: []string{"plugins/ocisim", "plugins/ocisim/corpus"},
		own: []string{"plugins/internal/sample"}, never: []string{benthos, connect, oracle},
		why: "it is an independent judge of signatures, and of what we collect",
	},
	{
		name: "Oracle's SDK", packages: []string{"plugins/internal/oci"},
		own: []string{"plugins/internal/collect"}, modules: []string{"*"}, never: []string{benthos, connect},
		why: "it signs and calls; it knows no stream",
	},
	{
		name: "rule tests", packages: []string{"plugins/internal/ruletest"},
		own: []string{
			"plugins/internal/engine", "plugins/internal/rule", "plugins/internal/match", "plugins/internal/expr", "plugins/internal/normalize",
			"plugins/internal/sample", "plugins/internal/event", "plugins/internal/incident", "plugins/internal/watermark",
		},
		modules: []string{"github.com/gofrs/uuid/v5", "github.com/valyala/fastjson", "gopkg.in/yaml.v3"}, never: pure,
		why: "rules are tested by the engine that runs them",
	},
	{
		name: "explanations", packages: []string{"plugins/internal/explain"},
		own: []string{
			"plugins/internal/engine", "plugins/internal/rule", "plugins/internal/match", "plugins/internal/expr", "plugins/internal/normalize",
			"plugins/internal/event", "plugins/internal/incident", "plugins/internal/watermark",
		},
		modules: []string{"github.com/gofrs/uuid/v5", "github.com/valyala/fastjson", "gopkg.in/yaml.v3"}, never: pure,
		why: "rules are explained by what runs them",
	},
	{
		name: "rules of other products", packages: []string{"plugins/internal/foreign"},
		own:     []string{"plugins/internal/rule", "plugins/internal/expr", "plugins/internal/event"},
		modules: []string{"gopkg.in/yaml.v3"}, never: pure,
		why: "it turns files of others into rules",
	},
	{
		name: "engine", packages: []string{"plugins/internal/engine"},
		own: []string{
			"plugins/internal/match", "plugins/internal/window", "plugins/internal/incident", "plugins/internal/rule",
			"plugins/internal/expr", "plugins/internal/event", "plugins/internal/watermark",
		},
		modules: []string{"github.com/gofrs/uuid/v5", "gopkg.in/yaml.v3"}, never: pure,
		why: "it is a pure state machine",
	},
	{
		name: "match", packages: []string{"plugins/internal/match"},
		own:     []string{"plugins/internal/rule", "plugins/internal/expr", "plugins/internal/event"},
		modules: []string{"gopkg.in/yaml.v3"}, never: pure,
		why: "it judges one event at a time",
	},
	{
		name: "incident", packages: []string{"plugins/internal/incident"},
		own:     []string{"plugins/internal/rule", "plugins/internal/expr", "plugins/internal/event"},
		modules: []string{"github.com/gofrs/uuid/v5", "gopkg.in/yaml.v3"}, never: pure,
		why: "it gives an incident its id and shape",
	},
	{
		name: "rule", packages: []string{"plugins/internal/rule"},
		own:     []string{"plugins/internal/expr", "plugins/internal/event"},
		modules: []string{"gopkg.in/yaml.v3"}, never: pure,
		why: "it reads files of strangers",
	},
	{
		name: "expr", packages: []string{"plugins/internal/expr"},
		own: []string{"plugins/internal/event"}, never: pure,
		why: "no expression of a rule reaches anything but the event",
	},
	{
		name: "normalize", packages: []string{"plugins/internal/normalize"},
		own: []string{"plugins/internal/event"}, modules: []string{"github.com/valyala/fastjson"}, never: pure,
		why: "it turns bytes into an event, and nothing else",
	},
	{
		name: "foundation", packages: []string{"plugins/internal/event", "plugins/internal/window", "plugins/internal/collect", "plugins/internal/watermark", "plugins/internal/sample"},
		own: []string{"plugins/internal/event"}, never: pure,
		why: "everything rests on it",
	},
	{
		name: "rule pack", packages: []string{"rules"},
		why: "it only embeds files",
	},
	{
		name: "tests", packages: []string{"tests/..."},
		own: []string{"*"}, modules: []string{"*"},
		why: "they look at everything",
	},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath string
	Standard   bool
	Module     *struct{ Path string }
	Imports    []string
	Deps       []string
}

func TestEachPackageReachesOnlyWhatItsLayerMay(t *testing.T) {
	packages := listPackages(t)
	seen := 0
	for _, p := range packages {
		if p.Module == nil || p.Module.Path != module {
			continue
		}
		seen++
		l := layerOf(p.ImportPath)
		if l == nil {
			t.Errorf("%s stands in no layer: add it to the table in tests/layers_test.go", p.ImportPath)
			continue
		}
		for _, problem := range l.problems(p, packages) {
			t.Errorf("%s (%s: %s) %s", p.ImportPath, l.name, l.why, problem)
		}
	}
	if want := 15; seen < want {
		t.Fatalf("go list found %d packages of the module, want at least %d", seen, want)
	}
}

func TestEachLayerHasAPackage(t *testing.T) {
	packages := listPackages(t)
	for _, l := range layers {
		for _, pattern := range l.packages {
			found := false
			for path := range packages {
				found = found || covers(module+"/"+pattern, path)
			}
			if !found {
				t.Errorf("layer %q names %s, which is no package", l.name, pattern)
			}
		}
	}
}

func TestALayerRefusesWhatLiesAbove(t *testing.T) {
	packages := map[string]*goPackage{
		module + "/plugins/internal/engine": {ImportPath: module + "/plugins/internal/engine"},
		benthos + "/public/service":         {ImportPath: benthos + "/public/service", Module: &struct{ Path string }{benthos}},
		"net/http":                          {ImportPath: "net/http", Standard: true},
	}
	p := &goPackage{
		ImportPath: module + "/plugins/internal/window",
		Imports:    []string{module + "/plugins/internal/engine"},
		Deps:       []string{module + "/plugins/internal/engine", benthos + "/public/service", "net/http"},
	}
	got := strings.Join(layerOf(p.ImportPath).problems(p, packages), "\n")
	for _, want := range []string{
		"imports benthos-oci/plugins/internal/engine",
		"reaches module " + benthos,
		"reaches " + benthos + "/public/service",
		"reaches net/http",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("problems: got %q, want one that says %q", got, want)
		}
	}
}

// problems gives what p imports or reaches, and its layer may not.
func (l *layer) problems(p *goPackage, packages map[string]*goPackage) []string {
	var out []string
	for _, path := range p.Imports {
		own, ok := strings.CutPrefix(path, module+"/")
		if ok && !slices.Contains(l.own, "*") && !slices.Contains(l.own, own) {
			out = append(out, "imports "+path)
		}
	}
	modules := map[string]bool{}
	for _, path := range p.Deps {
		for _, never := range l.never {
			if path == never || strings.HasPrefix(path, never+"/") {
				out = append(out, "reaches "+path)
			}
		}
		if dep := packages[path]; dep != nil && !dep.Standard && dep.Module != nil && dep.Module.Path != module {
			modules[dep.Module.Path] = true
		}
	}
	for path := range modules {
		if !slices.Contains(l.modules, "*") && !slices.Contains(l.modules, path) {
			out = append(out, "reaches module "+path)
		}
	}
	sort.Strings(out)
	return out
}

func layerOf(path string) *layer {
	for i := range layers {
		for _, pattern := range layers[i].packages {
			if covers(module+"/"+pattern, path) {
				return &layers[i]
			}
		}
	}
	return nil
}

func covers(pattern, path string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return path == pattern
}

func listPackages(t *testing.T) map[string]*goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Module,Imports,Deps", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("running go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("running go list: %v", err)
	}
	packages := map[string]*goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading what go list says: %v", err)
		}
		packages[p.ImportPath] = &p
	}
}
