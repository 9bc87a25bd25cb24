package rule

import (
	"errors"
	"slices"
	"strings"
)

// Problem is something wrong with a rule or an overrides file, and where.
type Problem struct {
	Pos Position
	// Text says what is wrong, and what would be right.
	Text string
	// Warning is true for what does not keep the rule from running.
	Warning bool
}

// String gives the problem as file:line:column: text.
func (p Problem) String() string {
	if p.Warning {
		return p.Pos.String() + ": warning: " + p.Text
	}
	return p.Pos.String() + ": " + p.Text
}

// Problems are all problems of some files, in the order of the files and of their lines.
type Problems []Problem

// String gives one problem a line.
func (p Problems) String() string {
	lines := make([]string, len(p))
	for i, x := range p {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// Errors gives those that keep rules from running.
func (p Problems) Errors() Problems { return p.of(false) }

// Warnings gives the others.
func (p Problems) Warnings() Problems { return p.of(true) }

func (p Problems) of(warning bool) Problems {
	var some Problems
	for _, x := range p {
		if x.Warning == warning {
			some = append(some, x)
		}
	}
	return some
}

// Err gives an error with one line for each error, nil where there are none.
func (p Problems) Err() error {
	failed := p.Errors()
	if len(failed) == 0 {
		return nil
	}
	return errors.New(failed.String())
}

// sorted gives the problems of one file by line and column, each once.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return slices.Compact(p)
}
