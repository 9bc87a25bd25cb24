package mutation

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutation is one mistake.
type mutation struct {
	name, file string
	// old stands once in the file, and new in its place.
	old, new string
}

var mutations = []mutation{
	{
		"a window is a millisecond too long", "engine/slide.go",
		"j.whole = window.Interval{After: add(t, -r.plan.window), To: t}", "j.whole = window.Interval{After: add(t, -r.plan.window-1), To: t}",
	},
	{
		"a step may come before the one before it", "engine/eval.go",
		"rest.After = prev - 1", "rest.After = iv.After",
	},
	{
		"a step may come at the end of its time", "engine/eval.go",
		"rest = until(rest, min(iv.To, add(prev, st.within)-1))", "rest = until(rest, min(iv.To, add(prev, st.within)))",
	},
	{
		"absence looks a millisecond too far", "engine/eval.go",
		"iv := window.Interval{After: c - 1, To: add(c, a.within) - 1,", "iv := window.Interval{After: c - 1, To: add(c, a.within),",
	},
	{
		"an event that comes again counts again", "window/series.go",
		"if known := s.find(e.Hash, e.ID); known != nil {", "if known := s.find(e.Hash, e.ID); known != nil && false {",
	},
	{
		"entries are dropped too early", "engine/record.go",
		"limit := add(mark, -r.plan.horizon)", "limit := add(mark, -r.plan.horizon/2)",
	},
	{
		"late events count", "engine/observe.go",
		"if int64(ev.Time) < mark || r != nil", "if r != nil",
	},
	{
		"a rule is judged before the watermark has passed", "engine/record.go",
		"until := add(mark, -r.plan.ahead)", "until := add(mark, 1-r.plan.ahead)",
	},
	{
		"an event that comes again brings nothing", "engine/observe.go",
		"for _, start := range again.entry.Carried {", "for _, start := range again.entry.Carried[:0] {",
	},
	{
		"what a lost tick fired is forgotten", "engine/outbox.go",
		"if other == id || other.Boot != id.Boot || !row.saved {", "if other == id {",
	},
	{
		"changed rows are not saved", "engine/chunk.go",
		"		row.dirty = true\n	}\n}\n", "		row.dirty = false\n	}\n}\n",
	},
	{
		"keys cross tenancies", "engine/state.go",
		"	c.String(scope)\n	c.Int(int64(nullPattern))", "	c.Int(int64(nullPattern))",
	},
	{
		"slots begin a millisecond late", "engine/plan.go",
		"	r := t % p.per\n", "	r := (t - 1) % p.per\n",
	},
	{
		"a closing before the last firing closes", "engine/close.go",
		"r.eachClosing(last, add(mark, -c.lag), func", "r.eachClosing(window.MinTime, add(mark, -c.lag), func",
	},
	{
		"a rule does not wait for the incidents that it takes", "engine/chain.go",
		"p.lag = max(p.lag, add(from.lag, from.firingLag()))", "p.lag = from.lag",
	},
	{
		"a key at rest forgets its firings", "window/compact.go",
		"Fires: flags&flagFires != 0,", "Fires: false,",
	},
	{
		"a sum keeps what has left the window", "expr/running.go",
		"		r.sum -= n\n", "		r.sum -= 0 * n\n",
	},
	{
		"a window is taken for too small to be judged", "engine/record.go",
		"all[len(all)-least].Time <= add(s.Time, -r.plan.window)", "all[len(all)-least].Time <= add(s.Time, -r.plan.window/2)",
	},
	{
		"a rule never learns what its pool had before", "engine/gather.go",
		"		r.draw(d.pool, b.e.marks.at(d.scope))\n", "",
	},
	{
		"a pool takes a window for too small", "engine/pool.go",
		"if all[to-least+1].Time > add(all[to].Time, -w) {", "if all[to-least+1].Time > add(all[to].Time, -w/2) {",
	},
	{
		"a rule that has its events to itself again begins anew", "engine/state.go",
		"return l.kin(ctx, append(missing, behind...))", "_ = behind\n	return nil",
	},
	{
		"a save writes over the deadlines of the one before it", "engine/deadline.go",
		"		m.rows++\n", "		m.rows += 0\n",
	},
}

const packages = "plugins/internal"

func TestMutationsAreKilled(t *testing.T) {
	chosen := mutations[:1]
	if os.Getenv("MUTATIONS") == "all" {
		chosen = mutations
	}
	for _, m := range chosen {
		t.Run(m.name, func(t *testing.T) {
			out, err := m.test(t)
			switch {
			case err == nil:
				t.Errorf("no test of the engine noticed that %s", m.name)
			case !strings.Contains(out, "--- FAIL"):
				t.Errorf("the tests did not run: %v\n%s", err, out)
			}
		})
	}
}

// TestMutationsAreUpToDate finds those whose place in the code has changed.
func TestMutationsAreUpToDate(t *testing.T) {
	for _, m := range mutations {
		if n := strings.Count(m.text(t), m.old); n != 1 {
			t.Errorf("%s: got %d places in %s, want 1: %s", m.name, n, m.file, m.old)
		}
	}
}

func (m *mutation) path(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, packages, m.file)
}

func (m *mutation) text(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(m.path(t))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// test runs the engine's tests over the mistake.
func (m *mutation) test(t *testing.T) (string, error) {
	t.Helper()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(broken, []byte(strings.Replace(m.text(t), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{m.path(t): broken}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-short", "-failfast", "-overlay", file, "./"+packages+"/engine",
		"-rapid.checks=500", "-rapid.nofailfile", "-rapid.shrinktime=0s")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
