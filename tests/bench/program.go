package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// judgeProgram builds the program as it is released, and looks at its size and at how fast it answers.
func judgeProgram(ctx context.Context, dir string) ([]claim, error) {
	program := filepath.Join(dir, "benthos-oci")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", program, "./cmd/benthos-oci")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building the program (run this from the root of the checkout): %w", err)
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil, fmt.Errorf("looking at the program: %w", err)
	}
	claims := []claim{judged(claim{Text: "the stripped program", Value: float64(info.Size()) / 1e6, Bound: 70, Unit: "MB"})}
	for _, c := range []struct {
		text  string
		args  []string
		bound time.Duration
	}{
		{"`benthos-oci --version`", []string{"--version"}, 100 * time.Millisecond},
		{"`benthos-oci rules lint rules`", []string{"rules", "lint", "rules"}, time.Second},
	} {
		took, err := answers(ctx, program, c.args)
		if err != nil {
			return nil, err
		}
		claims = append(claims, judged(claim{
			Text: c.text, Value: float64(took.Microseconds()) / 1000, Bound: float64(c.bound.Milliseconds()), Unit: "ms",
		}))
	}
	return claims, nil
}

// answers gives the median of the time that a command takes.
func answers(ctx context.Context, program string, args []string) (time.Duration, error) {
	const times = 5
	var took []time.Duration
	for range times {
		cmd := exec.CommandContext(ctx, program, args...)
		begin := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("running %s %v: %w\n%s", program, args, err, out)
		}
		took = append(took, time.Since(begin))
	}
	return median(took), nil
}
