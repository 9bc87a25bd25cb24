package engine

import (
	"fmt"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/window"
)

func encodeIncidents(list []*incident.Incident) []byte {
	var c window.Encoder
	c.Uint(uint64(len(list)))
	for _, inc := range list {
		encodeIncident(&c, inc)
	}
	return window.Seal(c.Body())
}

// decodeIncidents reads incidents. A rule that is still there is used as it stands; of one that is gone
// what an incident says of its rule was saved with it.
func decodeIncidents(row []byte, rules *ruleset) ([]*incident.Incident, error) {
	body, err := window.Open(row)
	if err != nil {
		return nil, err
	}
	d := window.NewDecoder(body)
	var list []*incident.Incident
	for range d.Len() {
		inc := decodeIncident(d)
		if d.Failed() {
			break
		}
		for _, p := range rules.plans {
			if p.rule.ID == inc.Rule.ID {
				inc.Rule = p.rule
			}
		}
		list = append(list, inc)
	}
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("decoding incidents: %w", err)
	}
	return list, nil
}

func encodeIncident(c *window.Encoder, inc *incident.Incident) {
	encodeRule(c, inc.Rule)
	c.String(inc.ID)
	c.String(inc.Tenancy)
	c.Values(inc.Key)
	c.Int(int64(inc.Slot))
	c.Int(int64(inc.Per))
	c.String(string(inc.Action))
	c.Int(inc.Revision)
	c.Int(inc.Count)
	c.Int(int64(inc.First))
	c.Int(int64(inc.Last))
	c.Int(int64(inc.Fired))
	c.String(inc.Title)
	c.Value(inc.Attributes)
	writeStrings(c, inc.Response)
	writeEvidence(c, inc.Evidence)
	c.Bool(inc.Truncated)
	writeStrings(c, inc.IncompleteSources)
	c.Int(int64(inc.Closed))
}

func decodeIncident(d *window.Decoder) *incident.Incident {
	inc := &incident.Incident{Rule: decodeRule(d)}
	inc.ID = d.String()
	inc.Tenancy = d.String()
	inc.Key = d.Values()
	inc.Slot = event.Time(d.Int())
	inc.Per = time.Duration(d.Int())
	inc.Action = incident.Action(d.String())
	inc.Revision = d.Int()
	inc.Count = d.Int()
	inc.First = event.Time(d.Int())
	inc.Last = event.Time(d.Int())
	inc.Fired = event.Time(d.Int())
	inc.Title = d.String()
	inc.Attributes, _ = d.Value().(map[string]any)
	inc.Response = readStrings(d)
	inc.Evidence = readEvidence(d)
	inc.Truncated = d.Bool()
	inc.IncompleteSources = readStrings(d)
	inc.Closed = event.Time(d.Int())
	return inc
}

// encodeRule writes what an incident says of its rule.
func encodeRule(c *window.Encoder, r *rule.Rule) {
	for _, s := range []string{
		r.ID, r.Title, string(r.Status), string(r.Severity), r.Category, r.Description, r.Author, r.Date, string(r.Scope), r.StateHash,
	} {
		c.String(s)
	}
	for _, list := range [][]string{r.References, r.Tags, r.DataSources, r.FalsePositives, r.KeyNames} {
		writeStrings(c, list)
	}
	names := sortedKeys(r.Labels)
	c.Uint(uint64(len(names)))
	for _, name := range names {
		c.String(name)
		c.String(r.Labels[name])
	}
	c.Int(int64(r.Window))
	c.Uint(uint64(len(r.Patterns)))
	for _, p := range r.Patterns {
		c.String(p.Name)
		writeStrings(c, p.Tags)
	}
}

func decodeRule(d *window.Decoder) *rule.Rule {
	r := &rule.Rule{}
	r.ID, r.Title = d.String(), d.String()
	r.Status, r.Severity = rule.Status(d.String()), rule.Severity(d.String())
	r.Category, r.Description, r.Author, r.Date = d.String(), d.String(), d.String(), d.String()
	r.Scope, r.StateHash = rule.Scope(d.String()), d.String()
	for _, list := range []*[]string{&r.References, &r.Tags, &r.DataSources, &r.FalsePositives, &r.KeyNames} {
		*list = readStrings(d)
	}
	if n := d.Len(); n > 0 {
		r.Labels = make(map[string]string, n)
		for range n {
			name := d.String()
			r.Labels[name] = d.String()
		}
	}
	r.Window = time.Duration(d.Int())
	for range d.Len() {
		r.Patterns = append(r.Patterns, &rule.Pattern{Name: d.String(), Tags: readStrings(d)})
		if d.Failed() {
			break
		}
	}
	return r
}
