package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/window"
)

// Evidence is a capped selection of an incident's events that does not depend on their order:
// the first and the last ones by (time, id).
const (
	evidenceFirst = 5
	evidenceLast  = 5
	// maxEvidence is the most that is kept of one event, in bytes of JSON.
	maxEvidence = 4 << 10
)

// evidenceOf cuts an event to what an analyst needs. One event's evidence is shared by all keys that it counts for.
func (e *Engine) evidenceOf(ev *event.Event) *window.Evidence {
	typeUID, _ := event.Normal(ev.Doc["type_uid"]).(int64)
	product := ""
	if meta, ok := ev.Doc["metadata"].(map[string]any); ok {
		if of, ok := meta["product"].(map[string]any); ok {
			product, _ = of["name"].(string)
		}
	}
	if e.archive == nil {
		doc := evidenceDoc(ev)
		return window.LazyEvidence(typeUID, product, func() []byte { return encodeWithin(doc) })
	}
	buffer := evidenceBuffers.Get().(*[]byte)
	defer evidenceBuffers.Put(buffer)
	*buffer = appendEvidence((*buffer)[:0], ev)
	if len(*buffer) > maxEvidence {
		*buffer = append((*buffer)[:0], encodeWithin(evidenceDoc(ev))...)
	}
	return e.archive.Put(typeUID, product, *buffer)
}

var evidenceBuffers = sync.Pool{New: func() any { return new([]byte) }}

// evidenceDoc gives the document of an event's evidence: what is not needed of the event is not held in memory by it.
func evidenceDoc(ev *event.Event) map[string]any {
	doc := map[string]any{}
	for _, name := range evidenceParts {
		if part, ok := ev.Doc[name]; ok && part != nil {
			doc[name] = part
		}
	}
	if api, ok := ev.Doc["api"].(map[string]any); ok {
		doc["api"] = trimAPI(api)
	}
	return doc
}

// appendEvidence appends the JSON of evidenceDoc, without the document.
func appendEvidence(b []byte, ev *event.Event) []byte {
	b = append(b, '{')
	for _, name := range evidenceNames {
		part := ev.Doc[name]
		api, isMap := part.(map[string]any)
		if part == nil || name == "api" && !isMap {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		if name == "api" {
			b = appendAPI(b, api)
			continue
		}
		b = appendJSON(b, part)
	}
	return append(b, '}')
}

// evidenceNames are the parts of evidence in the order of their names.
var evidenceNames = slices.Sorted(slices.Values(append(slices.Clone(evidenceParts), "api")))

// appendAPI appends the JSON of trimAPI.
func appendAPI(b []byte, api map[string]any) []byte {
	start := len(b)
	b = append(b, '{')
	name := func(name string) {
		if len(b) > start+1 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
	}
	for _, field := range []string{"group", "operation"} {
		if v, ok := api[field]; ok {
			name(field)
			b = appendJSON(b, v)
		}
	}
	if req, ok := api["request"].(map[string]any); ok && req["uid"] != nil {
		name("request")
		b = append(b, `{"uid":`...)
		b = append(appendJSON(b, req["uid"]), '}')
	}
	if res, ok := api["response"].(map[string]any); ok {
		name("response")
		b = append(b, '{')
		for _, field := range []string{"code", "error", "error_message", "message"} {
			if v, ok := res[field]; ok {
				if b[len(b)-1] != '{' {
					b = append(b, ',')
				}
				b = append(appendText(b, field), ':')
				b = appendJSON(b, v)
			}
		}
		b = append(b, '}')
	}
	for _, field := range []string{"service", "version"} {
		if v, ok := api[field]; ok {
			name(field)
			b = appendJSON(b, v)
		}
	}
	return append(b, '}')
}

// evidenceParts are the parts of an event that are kept beside the call. Where an event is too large
// the first ones are left out first.
var evidenceParts = []string{"resources", "device", "url", "cloud", "dst_endpoint", "group", "actor", "user", "src_endpoint"}

func encodeWithin(doc map[string]any) []byte {
	encoded := appendObject(nil, doc)
	if len(encoded) <= maxEvidence {
		return encoded
	}
	kept := maps.Clone(doc)
	for _, name := range append(evidenceParts[:len(evidenceParts):len(evidenceParts)], "api") {
		delete(kept, name)
		if encoded = appendObject(nil, kept); len(encoded) <= maxEvidence {
			break
		}
	}
	return encoded
}

// trimAPI leaves out what a request or response carried.
func trimAPI(api map[string]any) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"operation", "service", "version", "group"} {
		if v, ok := api[name]; ok {
			out[name] = v
		}
	}
	if req, ok := api["request"].(map[string]any); ok && req["uid"] != nil {
		out["request"] = map[string]any{"uid": req["uid"]}
	}
	if res, ok := api["response"].(map[string]any); ok {
		kept := map[string]any{}
		for _, name := range []string{"code", "error", "error_message", "message"} {
			if v, ok := res[name]; ok {
				kept[name] = v
			}
		}
		out["response"] = kept
	}
	return out
}

// exhibit is an event as it is kept for the evidence of an incident.
type exhibit struct {
	id       string
	time     int64
	pattern  string
	evidence *window.Evidence
}

func (p *plan) exhibit(e *window.Entry) exhibit {
	return exhibit{id: e.ID, time: e.Time, pattern: p.firstPattern(e.Patterns & p.positive), evidence: e.Evidence}
}

// show gives an exhibit as an incident shows it.
func (x exhibit) show() incident.Evidence {
	v := incident.Evidence{ID: x.id, Time: event.Time(x.time), Pattern: x.pattern}
	if x.evidence == nil {
		return v
	}
	shown, ok := x.evidence.Show()
	if !ok {
		return v
	}
	v.TypeUID, v.Product = shown.TypeUID, shown.Product
	// Damaged evidence is no reason to lose an incident: it then names the event only.
	_ = json.Unmarshal(shown.Doc, &v.Doc)
	v.Doc, _ = normal(v.Doc).(map[string]any)
	return v
}

// normal gives v with whole numbers as int64 throughout.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, each := range v {
			v[k] = normal(each)
		}
	case []any:
		for i, each := range v {
			v[i] = normal(each)
		}
	}
	return event.Normal(v)
}

// keep counts a covered entry that leaves the record.
func (s *slot) keep(e *window.Entry, p *plan) {
	s.base.add(e.Time)
	// Entries are pruned in order.
	if len(s.baseFirst) < evidenceFirst {
		s.baseFirst = append(s.baseFirst, p.exhibit(e))
		return
	}
	s.baseLast = append(s.baseLast, p.exhibit(e))
	if len(s.baseLast) > evidenceLast {
		s.baseLast = append([]exhibit(nil), s.baseLast[1:]...)
	}
}

// evidence gives the first and the last events of a slot.
func (r *record) evidence(s *slot) []incident.Evidence {
	first := append([]exhibit(nil), s.baseFirst...)
	live := r.series.All()
	i := 0
	for ; i < len(live) && len(first) < evidenceFirst; i++ {
		if covers(live[i], s) {
			first = append(first, r.plan.exhibit(live[i]))
		}
	}
	var last []exhibit // latest first
	for k := len(live) - 1; k >= i && len(last) < evidenceLast; k-- {
		if covers(live[k], s) {
			last = append(last, r.plan.exhibit(live[k]))
		}
	}
	for k := len(s.baseLast) - 1; k >= 0 && len(last) < evidenceLast; k-- {
		last = append(last, s.baseLast[k])
	}
	slices.Reverse(last)
	shown := make([]incident.Evidence, 0, len(first)+len(last))
	for _, x := range append(first, last...) {
		shown = append(shown, x.show())
	}
	return shown
}

func covers(e *window.Entry, s *slot) bool {
	return slices.Contains(e.Covered, s.start)
}
