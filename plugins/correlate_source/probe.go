package correlatesource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	// testTimeout is how long the test of a wrapped input's connection may take.
	testTimeout = 10 * time.Second
	// silentFor is how long a wrapped input may bring nothing before its connection is tested.
	silentFor = time.Minute
	// testAgain is how long to wait before a connection is tested again that does not work.
	testAgain = 10 * time.Second
	// stayRed is how long Benthos keeps the input disconnected before it asks again.
	stayRed = 10 * time.Second
)

// probe tests the connection of a wrapped input while that brings nothing.
// A wrapped input tries on by itself, and tells nobody that it cannot connect.
type probe struct {
	every time.Duration // how long the input may be silent

	mu      sync.Mutex // guards what follows
	waiting bool       // the input is asked for a batch and has none
	since   time.Time  // when that began, or the last test was made
	untold  bool       // the input knows no test
	err     error      // why it cannot connect, nil where it can
}

// asked notes that the input is asked for a batch.
func (p *probe) asked(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting, p.since = true, now
}

// brought notes that the input has brought a batch, so it is connected; it tells whether it was not.
func (p *probe) brought() (back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back = p.err != nil
	p.waiting, p.err = false, nil
	return back
}

func (p *probe) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// due tells how long to wait before the next test, and whether it is due now; never is true where there will be none.
func (p *probe) due(now time.Time) (wait time.Duration, never bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.untold:
		return 0, true
	case p.err != nil:
		return testAgain, false
	case !p.waiting:
		return p.every, false
	}
	return max(0, p.every-now.Sub(p.since)), false
}

// test tests a child's connection and takes note of the result.
func (i *input) test(ctx context.Context, c *reader) {
	limited, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	untold, err := tested(limited, c)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		err = fmt.Errorf("the input %s cannot connect: %w", c.source.Name(), err)
	}
	p := &c.probe
	p.mu.Lock()
	before := p.err
	p.untold, p.err, p.since = untold, err, time.Now()
	p.mu.Unlock()
	// An outage is no idleness: time does not run on while the input cannot connect.
	c.source.Down(err != nil)
	if (before == nil) != (err == nil) {
		i.told(c, err)
	}
}

// tested asks the child. untold is true where it knows no test.
func tested(ctx context.Context, c *reader) (untold bool, err error) {
	defer func() {
		// Not every input is made for being tested while it reads.
		if recover() != nil {
			untold, err = true, nil
		}
	}()
	results := c.in.ConnectionTest(ctx)
	untold = true
	var failed []string
	for _, r := range results {
		if errors.Is(r.Err, service.ErrConnectionTestNotSupported) {
			continue
		}
		untold = false
		if r.Err == nil {
			continue
		}
		name := r.Label
		if name == "" {
			name = strings.Join(r.Path, ".")
		}
		text := r.Err.Error()
		if name != "" {
			text = name + ": " + text
		}
		failed = append(failed, text)
	}
	if len(failed) > 0 {
		return false, errors.New(strings.Join(failed, "; "))
	}
	return untold, nil
}

// told says that a child cannot connect, or can again.
func (i *input) told(c *reader, err error) {
	failing := int64(0)
	for _, other := range i.children {
		if other.probe.failure() != nil {
			failing++
		}
	}
	i.failing.Set(failing)
	if err == nil {
		i.log.Infof("The input %s is connected again", c.source.Name())
	}
	i.nudge()
}

// watch tests a child whenever it has been silent for long.
func (i *input) watch(ctx context.Context, c *reader) {
	for {
		wait, never := c.probe.due(time.Now())
		if never {
			return
		}
		timer := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		// It may have brought something meanwhile, or stand behind an output that takes nothing.
		if wait, _ = c.probe.due(time.Now()); wait == 0 || c.probe.failure() != nil {
			i.test(ctx, c)
		}
	}
}

// ill tells which children cannot connect, nil where all can.
func (i *input) ill() error {
	var errs []error
	for _, c := range i.children {
		if err := c.probe.failure(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
