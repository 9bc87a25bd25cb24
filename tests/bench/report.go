package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what one run found.
type report struct {
	Machine string        `json:"machine"`
	Go      string        `json:"go"`
	Events  int           `json:"events"`
	Rounds  int           `json:"rounds"`
	Fsync   time.Duration `json:"fsync_ns"`
	Rows    []line        `json:"rows"`
	Claims  []claim       `json:"claims"`
}

// line is one row of the table: medians over the rounds.
type line struct {
	Name      string  `json:"name"`
	Title     string  `json:"title"`
	Events    int     `json:"events"`
	PerSecond float64 `json:"events_per_second_and_core"`
	Nanos     float64 `json:"ns_per_event"`
	Bytes     float64 `json:"bytes_per_event"`
	Allocs    float64 `json:"allocs_per_event"`
	Peak      float64 `json:"peak_bytes"`
	Ratio     float64 `json:"ratio_to_empty"`
	Wall      float64 `json:"wall_ns_per_event"`
}

func newReport(chosen []row, runs rounds, fsync time.Duration) *report {
	r := &report{Machine: machine(), Go: runtime.Version(), Fsync: fsync}
	middle := func(name string, value func(measurement) float64) float64 {
		var values []float64
		for _, m := range runs[name] {
			values = append(values, value(m))
		}
		return median(values)
	}
	for _, row := range chosen {
		l := line{Name: row.name, Title: row.title}
		if n := len(runs[row.name]); n > 0 {
			l.Events = runs[row.name][0].Events
		}
		l.Nanos = middle(row.name, measurement.perEvent)
		l.Wall = middle(row.name, measurement.wallPerEvent)
		l.PerSecond, _ = runs.perSecond(row.name)
		l.Bytes = middle(row.name, func(m measurement) float64 { return float64(m.Bytes) / float64(m.Events) })
		l.Allocs = middle(row.name, func(m measurement) float64 { return float64(m.Allocs) / float64(m.Events) })
		l.Peak = middle(row.name, func(m measurement) float64 { return float64(m.Peak) })
		l.Ratio, _ = runs.ratio(row.name, empty, measurement.perEvent)
		r.Rows = append(r.Rows, l)
	}
	r.Claims = runs.claims(fsync)
	return r
}

// machine says what it was measured on.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", model, runtime.NumCPU(), runtime.GOOS)
}

var columns = []string{"pipeline", "events/s/core", "ns/event", "to empty", "bytes/event", "allocs/event", "peak MB"}

func (l line) cells() []string {
	return []string{
		l.Title, thousands(l.PerSecond), thousands(l.Nanos), fmt.Sprintf("%.2f", l.Ratio), thousands(l.Bytes),
		fmt.Sprintf("%.1f", l.Allocs), fmt.Sprintf("%.0f", l.Peak/1e6),
	}
}

func (c claim) cells() []string {
	side, holds := "at most ", "yes"
	if c.AtLeast {
		side = "at least "
	}
	if !c.Holds {
		holds = "NO"
	}
	return []string{c.Text, number(c.Value, c.Unit), side + number(c.Bound, c.Unit), holds}
}

var judgments = []string{"claim", "measured", "bound", "holds"}

func number(v float64, unit string) string {
	text := fmt.Sprintf("%.2f", v)
	if v >= 1000 {
		text = thousands(v)
	}
	return strings.TrimSpace(text + " " + unit)
}

// thousands writes a number without fraction, in groups of three digits.
func thousands(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}

func (r *report) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(columns, "\t")))
	for _, l := range r.Rows {
		fmt.Fprintln(w, strings.Join(l.cells(), "\t"))
	}
	_ = w.Flush() // a builder takes everything
	return b.String()
}

func (r *report) judgment() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(judgments, "\t")))
	for _, c := range r.Claims {
		fmt.Fprintln(w, strings.Join(c.cells(), "\t"))
	}
	_ = w.Flush()
	return b.String()
}

func (r *report) save(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding what was measured: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("saving what was measured: %w", err)
	}
	return nil
}

const (
	sectionBegin = "<!-- speed:begin -->"
	sectionEnd   = "<!-- speed:end -->"
	savedFile    = "tests/bench/results.json"
)

// writeReadme puts the tables of a saved run between the marks of a README.
func writeReadme(path, saved string) error {
	if saved == "" {
		saved = savedFile
	}
	b, err := os.ReadFile(saved)
	if err != nil {
		return fmt.Errorf("reading what was measured: %w", err)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("reading what was measured in %s: %w", saved, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the README: %w", err)
	}
	updated, err := r.into(string(text))
	if err != nil {
		return fmt.Errorf("writing into %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(updated), 0o644); err != nil {
		return fmt.Errorf("writing the README: %w", err)
	}
	return nil
}

func (r *report) into(text string) (string, error) {
	before, rest, ok := strings.Cut(text, sectionBegin)
	if !ok {
		return "", fmt.Errorf("it has no line %s", sectionBegin)
	}
	_, after, ok := strings.Cut(rest, sectionEnd)
	if !ok {
		return "", fmt.Errorf("it has no line %s behind %s", sectionEnd, sectionBegin)
	}
	return before + sectionBegin + "\n" + r.markdown() + sectionEnd + after, nil
}

// markdown gives both tables and what they were measured on.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, %s: %s events of about 2 KB, medians of %d rounds, CPU time of the whole process.\n\n",
		r.Machine, r.Go, thousands(float64(r.Events)), r.Rounds)
	writeTable(&b, columns, len(r.Rows), func(i int) []string { return r.Rows[i].cells() })
	b.WriteString("\n")
	writeTable(&b, judgments, len(r.Claims), func(i int) []string { return r.Claims[i].cells() })
	return b.String()
}

func writeTable(b *strings.Builder, heads []string, n int, cells func(int) []string) {
	fmt.Fprintf(b, "| %s |\n|---%s|\n", strings.Join(heads, " | "), strings.Repeat("|---:", len(heads)-1))
	for i := range n {
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells(i), " | "))
	}
}
