package demo

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/ocisim"
)

// Verdict compares what was found with what the simulator wove in.
type Verdict struct {
	// Stories is the number of attacks that were woven in, Found of those whose incidents all came out as they must.
	Stories int `json:"stories"`
	Found   int `json:"found"`
	// Missing are incidents that must have come out, Besides those that must not have.
	Missing []string `json:"missing"`
	Besides []string `json:"besides"`
	// Events is the number of audit events that happened; Lost of them never arrived, Twice arrived more than once.
	Events int `json:"events"`
	Lost   int `json:"lost"`
	Twice  int `json:"twice"`
	// Problems is the number of Cloud Guard problems; LostProblems of them never arrived.
	Problems     int `json:"problems"`
	LostProblems int `json:"lost_problems"`
}

// Right reports whether everything is as it must be.
func (v Verdict) Right() bool {
	return v.Found == v.Stories && len(v.Missing) == 0 && len(v.Besides) == 0 && v.Lost == 0 && v.Twice == 0 && v.LostProblems == 0
}

// String says it in a line.
func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d attacks found, ", v.Found, v.Stories)
	if len(v.Besides) == 0 {
		b.WriteString("none besides; ")
	} else {
		fmt.Fprintf(&b, "and %s besides; ", oci.Counted(len(v.Besides), "incident"))
	}
	if v.Lost == 0 && v.Twice == 0 {
		fmt.Fprintf(&b, "each of %d events arrived exactly once", v.Events)
	} else {
		fmt.Fprintf(&b, "of %d events %d were lost and %d arrived twice", v.Events, v.Lost, v.Twice)
	}
	if v.LostProblems > 0 {
		fmt.Fprintf(&b, "; of %d Cloud Guard problems %d were lost", v.Problems, v.LostProblems)
	}
	return b.String()
}

func judge(truth *ocisim.Truth, w *watcher) Verdict {
	v := Verdict{Events: len(truth.Events), Problems: len(truth.Problems), Missing: []string{}, Besides: []string{}}
	for _, e := range truth.Events {
		switch w.events[e.ID] {
		case 0:
			v.Lost++
		case 1:
		default:
			v.Twice++
		}
	}
	for _, p := range truth.Problems {
		if w.problems[p.ID] == 0 {
			v.LostProblems++
		}
	}
	came := map[string]bool{}
	for _, f := range w.found {
		came[f.identity()] = true
	}
	meant := map[string]bool{}
	for _, story := range truth.Stories {
		if len(story.Raises) == 0 {
			continue // it only looks like an attack: an incident of it is one besides
		}
		v.Stories++
		whole := true
		for _, r := range story.Raises {
			id := identity(r.Rule, r.Key, r.Events)
			meant[id] = true
			if !came[id] {
				whole = false
				v.Missing = append(v.Missing, story.Name+": "+id)
			}
		}
		if whole {
			v.Found++
		}
	}
	for _, f := range w.found {
		if id := f.identity(); !meant[id] {
			v.Besides = append(v.Besides, id)
		}
	}
	slices.Sort(v.Missing)
	slices.Sort(v.Besides)
	return v
}

// identity names an incident by what both sides know of it: rule, key and the number of its events.
func identity(rule string, key map[string]string, events int) string {
	return fmt.Sprintf("%s {%s} of %d events", rule, keyText(key), events)
}

func keyText(key map[string]string) string {
	parts := make([]string, 0, len(key))
	for name, value := range key {
		parts = append(parts, name+": "+value)
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}
