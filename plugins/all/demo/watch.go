package demo

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/Jeffail/gabs/v2"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/valyala/fastjson"

	"benthos-oci/plugins/ocisim"
)

// watcher is the output of the demo: it counts events and shows incidents.
type watcher struct {
	out      io.Writer
	progress *progress

	mu       sync.Mutex
	parser   fastjson.Parser     // guarded by mu
	events   map[string]int      // guarded by mu: deliveries by event id
	problems map[string]int      // guarded by mu: deliveries by problem id, one for each change
	found    map[string]*finding // guarded by mu: the newest revision by incident id
}

// finding is one incident, read from its OCSF document.
type finding struct {
	id, rule, severity, title, who, from string
	revision                             int64
	key                                  map[string]string
	count                                int
	fired, first, last                   time.Time
	document                             []byte
}

func (f *finding) identity() string { return identity(f.rule, f.key, f.count) }

func newWatcher(o Options, events int) *watcher {
	return &watcher{out: o.Out, progress: newProgress(o, events), events: make(map[string]int, events), problems: map[string]int{}, found: map[string]*finding{}}
}

// log is where warnings of the pipeline go.
func (w *watcher) log() io.Writer { return w.progress }

func (w *watcher) begin(sim *ocisim.Sim, endpoint string) {
	t := sim.Tenancies()[0]
	truth := sim.Truth()
	fmt.Fprintf(w.out, "A day of the tenancy %s: %d audit events and %d Cloud Guard problems in %d regions, collected from %s by signed requests.\n\n",
		t.Name, len(truth.Events), len(truth.Problems), len(t.Regions), endpoint)
	fmt.Fprintf(w.out, line, "TIME", "SEVERITY", "WHO", "FROM", "INCIDENT")
}

// line is the form of an incident on the screen.
const line = "%-19s  %-8s  %-38s  %-15s  %s\n"

// consume takes a batch that leaves the pipeline. It never refuses one.
func (w *watcher) consume(_ context.Context, batch service.MessageBatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	arrived := 0
	for _, m := range batch {
		data, err := m.AsBytes()
		if err != nil {
			return fmt.Errorf("reading a message: %w", err)
		}
		if kind, _ := m.MetaGet("correlate_type"); kind == "incident" {
			w.incident(m, data)
			continue
		}
		switch source, _ := m.MetaGet("oci_source"); source {
		case "oci_audit":
			arrived++
			w.events[w.text(data, "eventId")]++
		case "oci_cloudguard":
			w.problems[w.text(data, "id")]++
		}
	}
	w.progress.add(arrived)
	return nil
}

// text gives a field at the top of a record; "" where there is none.
func (w *watcher) text(data []byte, name string) string {
	v, err := w.parser.ParseBytes(data)
	if err != nil {
		return ""
	}
	return string(v.GetStringBytes(name))
}

func (w *watcher) incident(m *service.Message, data []byte) {
	f := read(m, data)
	old := w.found[f.id]
	if old != nil && old.revision > f.revision {
		return
	}
	w.found[f.id] = f
	if old != nil {
		return // it was shown when it fired
	}
	w.progress.clear()
	fmt.Fprintf(w.out, line, f.fired.Format(time.DateTime), f.severity, f.who, f.from, f.title)
}

func read(m *service.Message, data []byte) *finding {
	meta := func(name string) string {
		value, _ := m.MetaGet(name)
		return value
	}
	f := &finding{id: meta("incident_id"), rule: meta("incident_rule"), severity: meta("incident_severity"), document: bytes.Clone(data), key: map[string]string{}}
	_, _ = fmt.Sscan(meta("incident_revision"), &f.revision) // a revision that is no number is the oldest
	d, err := gabs.ParseJSON(data)
	if err != nil {
		f.title = fmt.Sprintf("cannot be read: %v", err)
		return f
	}
	f.title, f.count = textAt(d, "finding_info", "title"), int(numberAt(d, "count"))
	f.fired = timeAt(d, "finding_info", "created_time")
	f.first, f.last = timeAt(d, "finding_info", "first_seen_time"), timeAt(d, "finding_info", "last_seen_time")
	for name, value := range d.S("unmapped", "key").ChildrenMap() {
		f.key[name] = fmt.Sprint(value.Data())
	}
	for _, e := range d.S("evidences").Children() {
		f.who = cmp.Or(f.who, textAt(e, "actor", "user", "name"), textAt(e, "user", "name"))
		f.from = cmp.Or(f.from, textAt(e, "src_endpoint", "ip"))
	}
	return f
}

// textAt gives the text at a path of a document, or "" where there is none.
func textAt(d *gabs.Container, path ...string) string {
	text, _ := d.S(path...).Data().(string)
	return text
}

// numberAt gives the number at a path of a document, or 0 where there is none.
func numberAt(d *gabs.Container, path ...string) float64 {
	n, _ := d.S(path...).Data().(float64)
	return n
}

// timeAt gives the time that stands at a path in milliseconds.
func timeAt(d *gabs.Container, path ...string) time.Time {
	return time.UnixMilli(int64(numberAt(d, path...))).UTC()
}

// inOrder gives the incidents by rule and time.
func (w *watcher) inOrder() []*finding {
	all := make([]*finding, 0, len(w.found))
	for _, f := range w.found {
		all = append(all, f)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		switch {
		case a.rule != b.rule:
			return a.rule < b.rule
		case !a.first.Equal(b.first):
			return a.first.Before(b.first)
		}
		return a.id < b.id
	})
	return all
}

// documents gives the newest revision of each incident, one a line.
func (w *watcher) documents() []byte {
	var b bytes.Buffer
	for _, f := range w.inOrder() {
		b.Write(f.document)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// end shows the table and the verdict.
func (w *watcher) end(r Result) {
	w.progress.finish()
	fmt.Fprintln(w.out)
	t := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tSEVERITY\tKEY\tCOUNT\tFIRST\tLAST")
	for _, f := range w.inOrder() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", f.rule, f.severity, shortKey(f.key), f.count, f.first.Format(time.TimeOnly), f.last.Format(time.TimeOnly))
	}
	_ = t.Flush() // the screen is gone when this fails
	for _, text := range r.Missing {
		fmt.Fprintf(w.out, "missing: %s\n", text)
	}
	for _, text := range r.Besides {
		fmt.Fprintf(w.out, "besides: %s\n", text)
	}
	fmt.Fprintf(w.out, "\n%s, in %.1f seconds.\nThe incidents as OCSF documents: %s\n", r.Verdict, r.Seconds, r.Documents)
}

// shortKey writes a key for a table: of an OCID only the kind and the last letters, by which it is told apart.
func shortKey(key map[string]string) string {
	short := map[string]string{}
	for name, value := range key {
		if kind, rest, ok := strings.Cut(strings.TrimPrefix(value, "ocid1."), "."); ok && strings.HasPrefix(value, "ocid1.") && len(rest) > 6 {
			value = kind + ".." + rest[len(rest)-6:]
		}
		short[name] = value
	}
	return keyText(short)
}
