package backfill

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/progress"
)

const (
	lineEvery = 10 * time.Second
	barEvery  = 500 * time.Millisecond
	// barParts is how finely the bar is divided.
	barParts = 1000
)

// show shows how far a backfill has come: a bar on a terminal, a line once in a while elsewhere.
type show struct {
	every time.Duration
	began time.Time

	mu  sync.Mutex
	w   io.Writer                // mu
	bar *progressbar.ProgressBar // mu; nil where there is no terminal

	// What follows belongs to the goroutine that follows the board.
	first  *look // the first look that knew the partitions of today
	recent []look
}

// look is a standing at a time.
type look struct {
	at time.Time
	progress.Standing
}

func newShow(o Options) *show {
	s := &show{w: o.Err, every: o.Every, began: time.Now()}
	if s.every == 0 {
		s.every = lineEvery
	}
	if o.Terminal {
		s.every = barEvery
		s.bar = progressbar.NewOptions(barParts,
			progressbar.OptionSetWriter(o.Err),
			progressbar.OptionSetDescription("finding out what there is to read"),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false), // what an earlier run has read took no time of this one
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish(),
		)
	}
	return s
}

// follow shows the board until stop is called.
func (s *show) follow(board *progress.Board) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	s.recent = []look{{at: s.began}}
	go func() {
		defer close(done)
		ticker := time.NewTicker(s.every)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				s.finish()
				return
			case now := <-ticker.C:
				s.draw(look{at: now, Standing: board.Look()})
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// draw shows one look.
func (s *show) draw(now look) {
	if now.Whole > 0 && (s.first == nil || s.first.Whole != now.Whole) {
		s.first = &now
	}
	// The rate is that of the last ten seconds, or of the time between two looks.
	for len(s.recent) > 1 && now.at.Sub(s.recent[1].at) >= lineEvery {
		s.recent = s.recent[1:]
	}
	text := s.text(now)
	s.recent = append(s.recent, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == nil {
		fmt.Fprintln(s.w, percent(now)+text)
		return
	}
	s.bar.Describe(text)
	_ = s.bar.Set(int(barParts * now.share())) // a bar that cannot be drawn stops nothing
}

// text is what is said of one look, behind how much was read.
func (s *show) text(now look) string {
	if now.Whole == 0 {
		return "finding out what there is to read"
	}
	text := oci.Counted(now.Records, "record")
	before := s.recent[0]
	made := now.Requests - before.Requests
	if passed := now.at.Sub(before.at); passed > 0 {
		text += fmt.Sprintf(", %.1f requests a second", float64(made)/passed.Seconds())
	}
	if now.Failing > 0 {
		text += fmt.Sprintf(", %d of %s cannot be read at present", now.Failing, oci.Counted(now.Partitions, "partition"))
	}
	settles := now.Settles.Sub(now.at)
	if made == 0 && settles > 0 {
		return text + ", waiting until " + stamp(now.Settles) + " for what appears late"
	}
	if left, ok := s.left(now); ok {
		text += ", about " + max(left, settles).Round(time.Second).String() + " left"
	}
	return text
}

// percent says how much was read. It is not rounded up: what is not read is not 100 %.
func percent(now look) string {
	if now.Whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%, ", float64(int(1000*now.share()))/10)
}

// left estimates how long it will still take, from what this run has read itself.
func (s *show) left(now look) (time.Duration, bool) {
	if s.first == nil {
		return 0, false
	}
	read, passed := now.Done-s.first.Done, now.at.Sub(s.first.at)
	if read <= 0 || passed <= 0 {
		return 0, false
	}
	return time.Duration(float64(passed) * float64(now.Whole-now.Done) / float64(read)), true
}

// summary says how much was read.
func (*show) summary(at progress.Standing) string {
	return percent(look{Standing: at}) + oci.Counted(at.Records, "record")
}

// totals says what the run took.
func (s *show) totals(at progress.Standing) string {
	took := time.Since(s.began)
	return fmt.Sprintf("%s of %s by %s in %s (%.1f requests a second)",
		oci.Counted(at.Records, "record"), oci.Counted(at.Partitions, "partition"), oci.Counted(at.Requests, "request"), took.Round(100*time.Millisecond), float64(at.Requests)/took.Seconds())
}

// share is how much was read, from 0 to 1.
func (l look) share() float64 {
	if l.Whole == 0 {
		return 0
	}
	return min(1, float64(l.Done)/float64(l.Whole))
}

func (s *show) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear() // as above
		s.bar = nil
	}
}

// Write lets the log of the pipeline through.
func (s *show) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear() // as above
	}
	return s.w.Write(b)
}
