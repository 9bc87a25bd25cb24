package corpus

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestCorpusIsTheSameEachTimeAndHasTheMix(t *testing.T) {
	const events = 2000
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := Write(b, events); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two corpora of one size differ")
	}
	counted, others, lines, before := 0, 0, 0, ""
	ids := map[string]bool{}
	for line := range bytes.Lines(first.Bytes()) {
		var record struct{ EventType, EventID, EventTime string }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		lines++
		ids[record.EventID] = true
		if record.EventTime < before {
			t.Fatalf("%s comes after %s", record.EventTime, before)
		}
		before = record.EventTime
		op := record.EventType[strings.LastIndexByte(record.EventType, '.')+1:]
		read := false
		for _, s := range reads {
			read = read || s.op == op
		}
		switch {
		case Counted(line):
			counted++
		case !read:
			others++
		}
	}
	if lines != events || len(ids) != events || counted != events/100 || others != events/100 {
		t.Errorf("got %d events with %d ids, %d counted, %d other changes; want %d, %d, %d, %d",
			lines, len(ids), counted, others, events, events, events/100, events/100)
	}
	if size := first.Len() / events; size < 1900 || size > 2600 {
		t.Errorf("an event has %d bytes, want about 2 KB", size)
	}
}

func TestKeyedChangesTheCountedOnesOnly(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, 1000); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(b.Bytes()), []byte("\n"))
	changed := 0
	for i, line := range Keyed(lines, 7) {
		if !json.Valid(line) {
			t.Fatalf("%s is no JSON", line)
		}
		if !bytes.Equal(line, lines[i]) {
			changed++
		}
	}
	if changed != counted {
		t.Errorf("%d lines were changed, want %d", changed, counted)
	}
	one := Opening(lines[0], 3)
	if !json.Valid(one) || !bytes.Contains(one, []byte(`"principalId":"ocid1.user.oc1..aaaaaaaa3"`)) {
		t.Errorf("got %s, want an event of principal 3", one)
	}
	const all, updates = 1000, 15
	found := 0
	for _, line := range Small(all, updates) {
		if !json.Valid(line) || len(line) < 600 || len(line) > 800 {
			t.Fatalf("%s has %d bytes, want JSON of about 700", line, len(line))
		}
		if Counted(line) {
			found++
		}
	}
	if found != all*updates/100 {
		t.Errorf("got %d updates of %d events, want %d in a hundred", found, all, updates)
	}
}
