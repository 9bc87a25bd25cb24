// Package foreign turns rules of other products into rules of ours, and says what it could not carry over.
//
// It stands beside the data's way, for people who bring rules along:
//
//	rules, err := foreign.Sigma("login_brute_force.yml", data)
//	os.WriteFile(rules[0].ID+".yaml", rules[0].YAML, 0o644) // after reading rules[0].Notes
package foreign

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/rule"
)

// Rule is one rule that came out.
type Rule struct {
	// ID is its id, and the name of the file that it belongs into.
	ID string
	// YAML is the rule as a file.
	YAML []byte
	// Notes say what was not carried over, and what must be looked at; one sentence each.
	Notes []string
}

// draft is a rule that is being written.
type draft struct {
	id    string
	notes []string
}

func (d *draft) note(format string, args ...any) {
	if note := fmt.Sprintf(format, args...); !slices.Contains(d.notes, note) {
		d.notes = append(d.notes, note)
	}
}

// finish writes the rule and reads it again: what is wrong with it is noted.
func (d *draft) finish(out *mapping) (Rule, error) {
	r := Rule{ID: d.id}
	var body bytes.Buffer
	encoder := yaml.NewEncoder(&body)
	encoder.SetIndent(2)
	if err := encoder.Encode(out.node()); err != nil {
		return r, fmt.Errorf("writing the rule %s: %w", d.id, err)
	}
	_, problems := rule.Parse(d.id+".yaml", body.Bytes(), rule.Options{})
	for _, p := range problems {
		d.note("to be looked at: %s", p.Text)
	}
	r.Notes = d.notes
	r.YAML = body.Bytes()
	return r, nil
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slug gives a text as an id.
func slug(s string) string {
	s = strings.Trim(notSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
	const longest = 100
	return strings.Trim(s[:min(len(s), longest)], "-")
}
