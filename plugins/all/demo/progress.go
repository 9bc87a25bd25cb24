package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far the replay has come: a bar on a terminal, a line for each fifth elsewhere.
// It is used by one goroutine at a time, but for Write.
type progress struct {
	w       io.Writer
	bar     *progressbar.ProgressBar // nil where there is no terminal
	total   int
	done    int
	said    int // fifths
	started time.Time
}

const fifths = 5

func newProgress(o Options, total int) *progress {
	p := &progress{w: o.Err, total: total, started: time.Now()}
	if o.Terminal {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(o.Err),
			progressbar.OptionSetDescription("collecting"),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("events"),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

func (p *progress) add(n int) {
	p.done += n
	if p.bar != nil {
		_ = p.bar.Add(n) // a bar that cannot be drawn stops nothing
		return
	}
	now := fifths * p.done / max(p.total, 1)
	if now == p.said {
		return
	}
	p.said = now
	left := time.Duration(float64(time.Since(p.started)) * float64(p.total-p.done) / float64(max(p.done, 1)))
	fmt.Fprintf(p.w, "collected %d of %d events, about %s left\n", p.done, p.total, left.Round(time.Second))
}

// clear makes room for a line.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear() // as above
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
	}
}

// Write lets warnings of the pipeline through.
func (p *progress) Write(b []byte) (int, error) {
	p.clear()
	return p.w.Write(b)
}
