package correlate

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/rule"
)

// ruleWatch knows when the files of rules and overrides have changed.
type ruleWatch struct {
	globs, overrides []string
	fs               *service.FS

	mu     sync.Mutex // guards what follows, and is held while rules are read again
	looked time.Time
	seen   string
}

func newRuleWatch(c config, res *service.Resources) *ruleWatch {
	w := &ruleWatch{globs: c.ruleFiles, overrides: c.overrides, fs: res.FS()}
	w.seen = w.look()
	return w
}

// look says what the files look like: their names, sizes and times.
func (w *ruleWatch) look() string {
	var b strings.Builder
	note := func(file string, info os.FileInfo, err error) {
		if err != nil {
			fmt.Fprintf(&b, "%s %v\n", file, err)
			return
		}
		fmt.Fprintf(&b, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
	}
	for _, glob := range w.globs {
		files, err := rule.Files(glob)
		if err != nil {
			note(glob, nil, err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			note(file, info, err)
		}
	}
	for _, file := range w.overrides {
		info, err := w.fs.Stat(file)
		note(file, info, err)
	}
	return b.String()
}

// refresh looks at the files once in a while, and has them read again when one of them has changed, was added or taken away.
// What cannot be read is not tried again before the next change, so that it is complained of once.
func (w *ruleWatch) refresh(now time.Time, read func()) {
	if len(w.globs)+len(w.overrides) == 0 || !w.mu.TryLock() {
		return // another thread looks
	}
	defer w.mu.Unlock()
	if now.Sub(w.looked) < listInterval {
		return
	}
	w.looked = now
	if seen := w.look(); seen != w.seen {
		w.seen = seen
		read()
	}
}

// reload swaps the rules for those that the files have now. One mistake, and all rules stay as they are.
func (p *processor) reload() {
	set, err := load(p.config, p.res, p.lists)
	if err == nil {
		err = p.engine.Reload(set.rules)
	}
	if err != nil {
		p.metrics.rulesFailing.Set(1)
		p.log.Errorf("Keeping the rules as they were: %v", err)
		return
	}
	p.learning.watch(set.rules)
	p.candidates.reset()
	p.metrics.rulesFailing.Set(0)
	p.log.Infof("Read the rules again: %d", len(set.rules))
	p.warnOfClock(set.timed)
}

// warnOfClock says that rules wait for time that does not pass.
func (p *processor) warnOfClock(timed []string) {
	if len(timed) > 0 && !p.tracker.Clocked() {
		p.log.Warnf("Rules that wait for time to pass never fire without a clock, and %d do, the first is %s: "+
			"put correlate_source: {} beside the oci inputs, or other inputs under its `inputs`", len(timed), timed[0])
	}
}
