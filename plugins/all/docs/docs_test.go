package docs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestASectionReplacesItsPartAndNothingElse(t *testing.T) {
	s := section{name: "fields", heading: "Fields", body: "new\n"}
	for _, test := range []struct{ name, text, want string }{
		{"between its marks", "a\n<!-- fields:begin -->\nold\n<!-- fields:end -->\nb\n", "a\n<!-- fields:begin -->\nnew\n<!-- fields:end -->\nb\n"},
		{"between empty marks", "<!-- fields:begin -->\n<!-- fields:end -->", "<!-- fields:begin -->\nnew\n<!-- fields:end -->"},
		{"at the end where there are no marks", "a\n", "a\n\n## Fields\n\n<!-- fields:begin -->\nnew\n<!-- fields:end -->\n"},
		{"beside other marks", "<!-- rules:begin -->\nx\n<!-- rules:end -->\n", "<!-- rules:begin -->\nx\n<!-- rules:end -->\n\n## Fields\n\n<!-- fields:begin -->\nnew\n<!-- fields:end -->\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := s.into(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
			again, err := s.into(got)
			if err != nil || again != got {
				t.Errorf("the second time it is changed again: %q, %v", again, err)
			}
		})
	}
	if _, err := s.into("<!-- fields:begin -->\n"); err == nil {
		t.Error("a part without an end: got no error")
	}
}

func TestMetricsAreReadFromTheCallsThatMakeThem(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a/metrics.go", `package a

const label = "rule"

func metrics(m maker) {
	m.NewCounter("a_events_total", label) // events
	// how far behind
	m.NewGauge("a_lag_seconds")
	m.NewTimer(component + "_requests")
	m.NewCounter(dynamic())
}
`)
	write("a/metrics_test.go", `package a

func test(m maker) { m.NewCounter("a_test_total") }
`)
	got, err := metricsOf(root, "a", "a")
	if err != nil {
		t.Fatal(err)
	}
	want := []metric{
		{name: "a_events_total", kind: "counter", labels: []string{"rule"}, meaning: "events"},
		{name: "a_lag_seconds", kind: "gauge", meaning: "how far behind"},
		{name: "a_requests", kind: "timer"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(metric{})); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestCellsHoldOneLine(t *testing.T) {
	if got, want := cell("a | b\nc\n\nd\n"), `a \| b c<br><br>d`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
