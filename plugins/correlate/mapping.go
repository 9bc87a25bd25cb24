package correlate

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
)

// defaultMapping is recognized and done by package normalize directly, on bytes.
const defaultMapping = "root = content().oci_normalize()"

var errNotObject = errors.New("event_mapping must give an object")

// mapper makes events of messages.
type mapper struct {
	exec *bloblang.Executor // nil for the default mapping
	// facts says that what is known of a record by its type alone still holds after the mapping,
	// but for the fields that it sets.
	facts bool
	sets  []string // paths below root that the mapping sets, as rules write them
}

var (
	assignment = regexp.MustCompile(`(?m)^[ \t]*root((?:\.[A-Za-z0-9_]+|\."[^"]*")*)[ \t]*=[^=]`)
	firstLine  = regexp.MustCompile(`^\s*root\s*=\s*content\(\)\.oci_normalize\(\)[ \t]*(?:#[^\n]*)?(?:\n|$)`)
	anyRoot    = regexp.MustCompile(`\broot\b`)
)

// newMapper judges what a mapping does to the facts. A mapping that begins with the default one and then assigns single
// fields keeps all others; of any other nothing is known.
func newMapper(text string, exec *bloblang.Executor) *mapper {
	m := &mapper{exec: exec}
	if exec == nil {
		m.facts = true
		return m
	}
	head := firstLine.FindString(text)
	if head == "" {
		return m
	}
	rest := text[len(head):]
	found := assignment.FindAllStringSubmatch(rest, -1)
	if len(found) != len(anyRoot.FindAllString(rest, -1)) || strings.Contains(rest, "import ") {
		return m // root stands in another place, too
	}
	for _, f := range found {
		if f[1] == "" {
			return m // the whole document is replaced
		}
		m.sets = append(m.sets, f[1][1:])
	}
	m.facts = true
	return m
}

// known gives what is certain of every event of a kind and type after the mapping.
func (m *mapper) known(kind normalize.Kind, eventType string) event.Facts {
	if !m.facts {
		return nil
	}
	return m.kept(normalize.Static(kind, eventType))
}

// kept gives those of the facts that the mapping leaves as they are.
func (m *mapper) kept(facts event.Facts) event.Facts {
	if len(m.sets) == 0 {
		return facts
	}
	left := make(event.Facts, len(facts))
	for field, value := range facts {
		if !m.touches(field) {
			left[field] = value
		}
	}
	return left
}

func (m *mapper) touches(field string) bool {
	for _, set := range m.sets {
		if field == set || strings.HasPrefix(field, set+".") || strings.HasPrefix(set, field+".") {
			return true
		}
	}
	return false
}

// mapped is a batch as the mapping sees it.
type mapped struct {
	batch service.MessageBatch
	exec  *service.MessageBatchBloblangExecutor // nil for the default mapping
}

func (m *mapper) of(batch service.MessageBatch) mapped {
	if m.exec == nil {
		return mapped{batch: batch}
	}
	return mapped{batch: batch, exec: batch.BloblangExecutor(m.exec)}
}

// event makes the event of a message, or nil where the mapping leaves it out.
func (m mapped) event(index int) (*event.Event, error) {
	msg := m.batch[index]
	if m.exec == nil && !onlyStructured(msg) {
		b, err := msg.AsBytes()
		if err != nil {
			return nil, err
		}
		return normalize.Event(b)
	}
	if m.exec == nil {
		return structured(msg)
	}
	out, err := m.exec.Query(index)
	if err != nil || out == nil {
		return nil, err
	}
	doc, err := out.AsStructured()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotObject, err)
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w, it gave %T", errNotObject, doc)
	}
	raw, err := msg.AsBytes()
	if err != nil {
		return nil, err
	}
	return event.FromDocument(object, raw, recordOf(raw))
}

// onlyStructured is true for a message whose bytes would have to be made first.
func onlyStructured(msg *service.Message) bool { return msg.HasStructured() && !msg.HasBytes() }

// structured takes a document that an earlier step has normalized as it is; everything else goes by its bytes.
func structured(msg *service.Message) (*event.Event, error) {
	v, err := msg.AsStructured()
	if err != nil {
		return nil, err
	}
	if doc, ok := v.(map[string]any); ok && doc["class_uid"] != nil && doc["metadata"] != nil {
		if meta, ok := doc["metadata"].(map[string]any); ok && meta["uid"] != nil {
			return event.FromDocument(doc, nil, rawOf(doc))
		}
	}
	b, err := msg.AsBytes()
	if err != nil {
		return nil, err
	}
	return normalize.Event(b)
}

func rawOf(doc map[string]any) func() map[string]any {
	raw, ok := doc["raw_data"].(string)
	if !ok {
		return nil
	}
	return recordOf([]byte(raw))
}

func recordOf(raw []byte) func() map[string]any {
	return func() map[string]any {
		record, err := normalize.Record(raw)
		if err != nil {
			return nil // not one of Oracle's records: it has no fields below raw
		}
		return record
	}
}
