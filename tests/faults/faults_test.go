package faults

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T) Figures {
	t.Helper()
	figures, err := ReadFigures(filepath.Join(root, FiguresFile))
	if err != nil {
		t.Fatal(err)
	}
	return figures
}

func TestEachRowIsProvenForEachInput(t *testing.T) {
	if len(Rows) < 30 {
		t.Fatalf("got %d rows, want at least 30", len(Rows))
	}
	if err := Check(root, Rows, read(t)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsMissingInARowIsFound(t *testing.T) {
	whole := map[string]string{"oci_audit": "a", "oci_cloudguard": "a", "oci_logging": "a", "oci_streaming": "a"}
	for _, tt := range []struct {
		name, want string
		row        Row
	}{
		{"a test that is not there", "there is no test TestNone", Row{Shared: []Proof{"tests/faults TestNone"}}},
		{"a folder that is not there", "there is no test", Row{Shared: []Proof{"tests/none TestNone"}}},
		{"an input of which nothing is said", "nothing is said of oci_logging", Row{Not: map[string]string{"oci_audit": "a"}}},
		{"a test and a reason", "a reason to have none", Row{
			Own: map[string][]Proof{"oci_audit": {"tests/faults TestEachRowIsProvenForEachInput"}}, Not: whole,
		}},
		{"a figure that is not there", "nothing was measured as", Row{Not: whole, Figures: []string{"nothing"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(root, []Row{tt.row}, Figures{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	if err := Check(root, nil, Figures{"forgotten": "x"}); err == nil {
		t.Error("a figure that no row shows: got no error, want one")
	}
}

func TestTableIsFresh(t *testing.T) {
	want, err := Document(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, File))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: run make generate", File)
	}
}

func TestFiguresAreWrittenByFullFormsOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "figures.json")
	t.Setenv(record, "")
	Measured(t, "short", "%d", 1)
	t.Setenv(record, path)
	Measured(t, "full", "%d of %d", 1, 2)
	Measured(t, "other", "%d", 3)
	got, err := ReadFigures(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["full"] != "1 of 2" || got["other"] != "3" {
		t.Errorf("got %v, want the two that were measured while the file was named", got)
	}
}
