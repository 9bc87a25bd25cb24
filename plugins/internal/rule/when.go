package rule

import "time"

// Node is a condition over patterns: *Ref, *And, *Or, *Not or *Then.
type Node interface{ node() }

// Ref holds where the events of one pattern fulfil its Having.
type Ref struct{ Pattern int }

// And holds where all of its nodes do. A Not among them is judged against the completions of the others.
type And struct{ Nodes []Node }

// Or holds where one of its nodes does; none of them is a Not.
type Or struct{ Nodes []Node }

// Not stands only inside And, or as a step of Then.
type Not struct{ Node Node }

// Then holds where its steps are fulfilled one after the other.
type Then struct{ Steps []Step }

// Step is one step of Then; the first has no Within and is no Not.
type Step struct {
	// Node is what the step waits for; a *Not where it waits for absence.
	Node Node
	// Within bounds the time since the completion of the step before; 0 where only the rule's window does.
	// For a Not it is never 0: it is D, the rule's window where the author gave none.
	Within time.Duration

	// byWindow is true where Within is the rule's window because the author gave none.
	byWindow bool
}

func (*Ref) node()  {}
func (*And) node()  {}
func (*Or) node()   {}
func (*Not) node()  {}
func (*Then) node() {}
